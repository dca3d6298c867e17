"""The optimisation file: what is searched, for which objective, under which constraints."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, PlainValidator, StrictBool, model_validator

from solvers.case.model import Case
from solvers.case.quantities import Quantity, WholeNumber, show
from solvers.errors import CaseProblems, InputError, Problem, choices
from solvers.studies.collect import check_collected
from solvers.studies.file import Located, Range, VariedCase, read_located
from solvers.studies.plan import Builder
from solvers.studies.room import find_room
from solvers.studies.study import BALANCES, check_names
from solvers.studies.sums import is_sum, read_sum
from solvers.studies.units import unit_of_result


def _limit(raw: object) -> dict[str, Any]:
    """Bounds of a result."""
    if not isinstance(raw, dict) or not raw or not raw.keys() <= {"above", "below"}:
        raise ValueError('needs { above = ... }, { below = ... } or both, such as { below = "80 mK" }')
    return raw


def _seed(raw: object) -> int:
    if isinstance(raw, bool) or not isinstance(raw, int) or raw < 0:
        raise ValueError(f"needs a whole number from 0 on, not {show(raw)}")
    return raw


class SearchFile(VariedCase):
    """What an optimisation file may contain."""

    method: Literal["tpe", "nsga2", "nelder-mead", "gradient"] = Field(
        default="tpe",
        description='"tpe" (many variables of any kind, noise), "nsga2" (two objectives), "nelder-mead" (few smooth '
        'variables, one member at a time) or "gradient" (smooth variables)',
    )
    moving_mesh: StrictBool = Field(
        default=True,
        description="All members have the same number of cells, and nodes move with the lengths that vary; false: each "
        "has a mesh of its own, and the objective small jumps (true or false)",
    )
    evaluations: WholeNumber = Field(description="Members to compute (-)")
    seed: Annotated[int, PlainValidator(_seed)] = Field(default=0, description="Seed of the search (-)")
    minimise: list[str] = Field(default=[], description="Collected results to make small: one, or two for a front")
    maximise: list[str] = Field(default=[], description="Collected results to make large")
    constraint: dict[str, Annotated[dict[str, Any], PlainValidator(_limit)]] = Field(
        default={},
        description="Bounds of collected results, of the number of warnings, or of sums of values of the case, such as "
        '"layer.load.thickness + layer.working.thickness": above, below',
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        problems = self.common_problems()
        objectives = [*self.minimise, *self.maximise]
        if not 1 <= len(objectives) <= 2 or len(set(objectives)) < len(objectives):
            problems.append(
                Problem(("minimise",), 'give one or two different objectives, such as minimise = ["T_cold"]')
            )
        for key, names in (("minimise", self.minimise), ("maximise", self.maximise), ("constraint", self.constraint)):
            known = [*self.collect, *(BALANCES if key == "constraint" else ())]
            for name in names:
                if name not in known and not (key == "constraint" and is_sum(name)):
                    problems.append(Problem((key, name), f'"{name}" is not in [collect]; {choices(name, known)}'))
        for path, values in self.varied().items():
            if isinstance(values, Range) and values.points is not None:
                problems.append(Problem(path, "a search takes any value of the range: leave points out"))
            if isinstance(values, list) and len(values) < 2:
                problems.append(Problem(path, "needs two choices or more, or a range"))
        if self.method in ("nelder-mead", "gradient"):
            if len(objectives) > 1:
                problems.append(Problem(("method",), f'{self.method} has one objective; take "nsga2" for two'))
            if any(isinstance(values, list) for values in self.varied().values()):
                problems.append(Problem(("method",), f'{self.method} takes ranges only; take "tpe" for lists'))
        if problems:
            raise CaseProblems(problems)
        return self


def _unit(name: str, file: SearchFile, case: Case) -> str:
    """SI unit of what a constraint bounds; ValueError: a sum that is none."""
    if name in file.collect:
        return unit_of_result(file.collect[name])
    return read_sum(name, case).unit if is_sum(name) else BALANCES[name][0]


def read_search(path: Path) -> tuple[Located[SearchFile], Builder, dict[str, tuple[float, float]]]:
    """Read an optimisation file and check all that can be known before anything starts.

    Args:
        path: TOML file.

    Returns:
        The file; its case with what varies; lowest and highest value of each constrained result in SI.

    Raises:
        InputError: one line for each mistake.
    """
    search = read_located(path, SearchFile, "optimisation file")
    builder = Builder(search)
    check_collected(search, builder.first)
    check_names(search, builder.variables)
    problem = find_room().problem(search.file.ranks)
    if problem:
        raise InputError(f"{search.place(('ranks',))}: ranks: {problem}")
    for j, variable in enumerate(builder.variables):
        if search.file.method == "gradient" and builder.is_whole(j):
            raise InputError(
                f'{search.place(("method",))}: method: {variable.key} is a whole number and has no gradient; take "tpe"'
            )
    limits = {}
    for name, raw in search.file.constraint.items():
        try:
            unit = _unit(name, search.file, builder.first)
            quantity = Quantity("a value", unit, f'"1 {unit}"' if unit else "1", sign="any")
            low = quantity.parse(raw["above"]) if "above" in raw else -float("inf")
            high = quantity.parse(raw["below"]) if "below" in raw else float("inf")
        except ValueError as error:
            raise InputError(f"{search.place(('constraint', name))}: constraint.{name}: {error}") from None
        if not low < high:
            raise InputError(f"{search.place(('constraint', name))}: constraint.{name}: no value is in between")
        limits[name] = (low, high)
    return search, builder, limits
