"""The results of a run, as written to and read from its folder."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from solvers.errors import InputError

# Name of the profile at the largest drive before the films switch; no phase can be called so.
SCREENED = "before.switching"


@dataclass(frozen=True)
class Result:
    """Results of a run.

    Attributes:
        folder: where they are.
        summary: headline results, balances, case, versions and timings, units in the keys.
    """

    folder: Path
    summary: dict[str, Any]

    @classmethod
    def load(cls, folder: Path | str) -> Result:
        """Read the results of a finished run.

        Raises:
            InputError: the folder holds no results.
        """
        folder = Path(folder)
        try:
            return cls(folder, json.loads((folder / "summary.json").read_text(encoding="utf-8")))
        except FileNotFoundError:
            raise InputError(f"{folder}: holds no results; give the output folder of a run") from None

    @property
    def cycles(self) -> list[dict[str, Any]]:
        """One entry for each computed cycle, units in the keys."""
        return list(self.summary["results"]["cycles"])

    def history(self) -> dict[str, npt.NDArray[Any]]:
        """Columns of history.csv by name: numbers, but for "phase"."""
        with (self.folder / "history.csv").open(newline="", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
        names = list(rows[0]) if rows else []
        return {n: np.array([row[n] if n == "phase" else float(row[n]) for row in rows]) for n in names}


@contextmanager
def replace_file(path: Path, keep: Path | None = None) -> Iterator[Path]:
    """A path to write to; the file takes the place of `path` only when it is complete and on the disk.

    Args:
        path: of the file.
        keep: where the file of before goes; None: it goes away.
    """
    partial = path.with_name(f"{path.name}.part")
    try:
        yield partial
        _sync(partial)
        if keep is not None and path.exists():
            os.replace(path, keep)
        os.replace(partial, path)
    except BaseException:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        raise
    _sync(path.parent)


def _sync(path: Path) -> None:
    """Wait until a file or folder is on the disk, as far as the system can tell."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_history(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Write one line for each step; what a row does not have is 0."""
    _write_table(path, rows, list(rows[-1]) if rows else ["time_s"])


def write_cycles(path: Path, cycles: Sequence[dict[str, Any]]) -> None:
    """Write one line for each cycle; values by mechanism get a column each, 0 where there is none."""
    rows = []
    for cycle in cycles:
        row = {key: value for key, value in cycle.items() if not isinstance(value, dict)}
        for key, unit in (("entropy", "J_per_K"), ("lost", "J")):
            by_mechanism = cycle[f"{key}_by_mechanism_{unit}"]
            row |= {f"{key}_{name}_{unit}": value for name, value in by_mechanism.items()}
        rows.append(row)
    _write_table(path, rows, list(dict.fromkeys(name for row in rows for name in row)) or ["cycle"])


def _write_table(path: Path, rows: Sequence[dict[str, Any]], names: list[str]) -> None:
    with replace_file(path) as partial, partial.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, names, restval=0.0)
        writer.writeheader()
        writer.writerows(rows)
