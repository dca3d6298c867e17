"""A study and its dataset: what was varied, what came out, how each member ended."""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from solvers.errors import InputError
from solvers.studies.collect import number
from solvers.studies.file import Located
from solvers.studies.folder import DONE, StudyFolder
from solvers.studies.plan import Plan, Variable
from solvers.studies.units import unit_of_result

if TYPE_CHECKING:
    import xarray as xr

# What is kept of each member besides what is collected, with unit and meaning.
BALANCES = {
    "first_law_residual": ("", "largest first-law residual of a cycle, of the heat exchanged"),
    "entropy_lowest_step": ("", "lowest entropy production of a step, of the stack's entropy"),
    "warnings": ("", "number of warnings"),
    "run_time": ("s", "time of the member with its start"),
    "memory": ("MB", "memory of all its ranks"),
}
TEXTS = {
    "status": "done, failed, timed out or missing",
    "error": "why it is not done",
    "case_sha256": "hash of its case",
}
# What a search adds.
FLAGS = {"feasible": "1 if the constraints are met", "best": "1 if none is better (in all objectives)"}


def check_names(study: Located[Any], variables: Sequence[Variable]) -> None:
    """Whether the names of what is collected are free.

    Raises:
        InputError: a name is that of an input or of something that every dataset has.
    """
    taken = [*(variable.name for variable in variables), *BALANCES, *TEXTS, *FLAGS, "member"]
    for name in study.file.collect:
        if name in taken:
            raise InputError(f"{study.place(('collect', name))}: collect.{name}: the name is taken by another column")


@dataclass(frozen=True)
class Study:
    """A study in its folder.

    Attributes:
        folder: where it is.
        dataset: inputs and results as an xarray dataset; its dimensions are what was varied, or "member" for samples.
    """

    folder: Path
    dataset: xr.Dataset

    @classmethod
    def load(cls, folder: Path | str) -> Study:
        """Read the dataset of a study, finished or not.

        Raises:
            InputError: the folder holds no study.
        """
        import xarray as xr

        folder = Path(folder)
        path = folder / "study.nc"
        if not path.is_file():
            raise InputError(f"{folder}: holds no study; give the output folder of coldstack study")
        return cls(folder, xr.load_dataset(path, engine="h5netcdf"))

    def plot(self) -> list[Path]:
        """Draw the figures of the study; returns their paths."""
        from solvers.studies.figures import plot_study

        pictures = plot_study(self.dataset, self.folder / "figures")
        if "feasible" in self.dataset:
            from solvers.studies.search_figures import plot_search

            pictures += plot_search(self.dataset, self.folder / "figures")
        return pictures


def member_results(folder: StudyFolder, sha: str, collect: Mapping[str, str]) -> dict[str, Any]:
    """What is kept of one member."""
    record, summary = folder.record(sha), folder.summary(sha)
    if record.status != DONE:
        summary = {}
    residuals = [abs(cycle["first_law_residual"]) for cycle in summary.get("results", {}).get("cycles", [])]
    return {name: number(summary, key) for name, key in collect.items()} | {
        "first_law_residual": max(residuals, default=np.nan),
        "entropy_lowest_step": number(summary, "results.entropy_lowest_step"),
        "warnings": float(len(summary["warnings"])) if "warnings" in summary else np.nan,
        "run_time": record.run_time,
        "memory": number(summary, "memory_peak_MB"),
        "status": record.status,
        "error": record.error,
        "case_sha256": sha,
    }


def make_dataset(plan: Plan, results: Sequence[Mapping[str, Any]], more: Mapping[str, Any] | None = None) -> xr.Dataset:
    """The dataset of a study.

    Args:
        plan: the study.
        results: of each member, see `member_results`.
        more: attributes of the dataset.
    """
    import xarray as xr

    names = [_dimension(plan, group) for group in plan.dimensions]
    coordinates: dict[str, Any] = {}
    for name, group, axis in zip(names, plan.dimensions, range(len(names)), strict=True):
        along = [next(m for m in plan.members if m.index[axis] == i) for i in range(plan.shape[axis])]
        if name == "member":
            coordinates[name] = (name, np.arange(plan.shape[axis]))
        for j in group:
            variable = plan.variables[j]
            attributes: dict[str, Any] = {
                "units": variable.unit,
                "key": variable.key,
                "spacing": "log" if variable.log else "linear",
            }
            if plan.sample is not None and variable.ends is not None:
                attributes |= {"low": variable.ends[0], "high": variable.ends[1]}
            coordinates[variable.name] = (name, _array([m.values[j] for m in along]), attributes)
    data: dict[str, Any] = {}
    for key in results[0]:
        values = [result[key] for result in results]
        array = np.array(values, dtype=object if key in TEXTS else float).reshape(plan.shape)
        data[key] = (names, array.astype(str) if key in TEXTS else array, _attributes(plan, key))
    start = np.unique([m.case.start for m in plan.members])
    whole: dict[str, Any] = {"start_K": float(start[0])} if len(start) == 1 else {}
    whole |= {"title": plan.study.name, "case": plan.study.file.case, "ranks": plan.study.file.ranks}
    sampling = {} if plan.sample is None else {"sample": plan.sample.method, "seed": plan.sample.seed}
    return xr.Dataset(
        data, coordinates, {**whole, **sampling, "results": list(plan.study.file.collect), **(more or {})}
    )


def _dimension(plan: Plan, group: Sequence[int]) -> str:
    return "member" if plan.sample is not None else plan.variables[group[0]].name


def _attributes(plan: Plan, key: str) -> dict[str, str]:
    collect = plan.study.file.collect
    if key in collect:
        return {"units": unit_of_result(collect[key]), "key": collect[key]}
    if key in BALANCES:
        unit, meaning = BALANCES[key]
        return {"units": unit, "long_name": meaning}
    return {"long_name": (TEXTS | FLAGS)[key]}


def _array(values: Sequence[Any]) -> Any:
    """Numbers as they are; anything else as a text."""
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        return np.array(values)
    return np.array([value if isinstance(value, str) else str(value) for value in values])


def write_study(
    folder: Path, plan: Plan, results: Sequence[Mapping[str, Any]], more: Mapping[str, Any] | None = None
) -> None:
    """Write study.nc and study.csv, each whole or not at all."""
    dataset = make_dataset(plan, results, more)
    part = folder / "study.nc.part"
    dataset.to_netcdf(part, engine="h5netcdf")
    os.replace(part, folder / "study.nc")
    inputs = [f"{v.name} ({v.unit})" if v.unit else v.name for v in plan.variables]
    units = {key: _attributes(plan, key).get("units", "") for key in results[0]}
    titles = [f"{key} ({unit})" if unit else key for key, unit in units.items()]
    part = folder / "study.csv.part"
    with part.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["member", *inputs, *titles])
        for count, (member, result) in enumerate(zip(plan.members, results, strict=True)):
            writer.writerow([count, *member.values, *result.values()])
    os.replace(part, folder / "study.csv")
