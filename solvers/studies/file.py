"""The study file: which case, what varies, what is collected.

study = read_study(Path("cases/studies/base-temperature.toml"))
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, Self, TypeVar

from pydantic import Field, PlainValidator, StrictBool, ValidationError, model_validator

from solvers.case.base import Block
from solvers.case.messages import Keys, describe, problems_of
from solvers.case.quantities import WholeNumber, show
from solvers.case.toml_lines import key_lines
from solvers.case.toml_text import parse_toml, read_text
from solvers.errors import CaseProblems, InputError, Problem, choices

SAMPLINGS = ("latin-hypercube", "sobol", "saltelli")
_RANGE = '{ linear = ["1 um", "3 um"], points = 5 }'


@dataclass(frozen=True)
class Range:
    """Values between two ends.

    Attributes:
        spacing: even steps of the value, or of its logarithm.
        ends: first and last value as written, such as "1 um".
        points: number of values with both ends; None for samples.
    """

    spacing: Literal["linear", "log"]
    ends: tuple[Any, Any]
    points: int | None


@dataclass(frozen=True)
class Sample:
    """How points are drawn from the ranges: `points` of them (Saltelli: of its base), by a method and a seed."""

    method: str
    points: int
    seed: int


def _whole(value: object, what: str, minimum: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < minimum:
        raise ValueError(f"{what} needs a whole number from {minimum} on, not {show(value)}")
    return value


def _values(raw: object) -> list[Any] | Range:
    """A list of values, or a range."""
    if isinstance(raw, list):
        if not raw:
            raise ValueError(f"the list is empty; give values, or a range such as {_RANGE}")
        return raw
    if not isinstance(raw, dict):
        raise ValueError(f'needs a list of values such as ["1 um", "2 um"], or a range such as {_RANGE}')
    kinds = ("linear", "log")
    for key in raw:
        if key not in (*kinds, "points"):
            raise ValueError(f'unknown key "{key}" of a range; {choices(key, (*kinds, "points"))}')
    given = [kind for kind in kinds if kind in raw]
    if len(given) != 1:
        raise ValueError(f"a range is either linear or log, such as {_RANGE}")
    ends = raw[given[0]]
    if not isinstance(ends, list) or len(ends) != 2:
        raise ValueError(f"a range has two ends, such as {_RANGE}, not {show(ends)}")
    points = _whole(raw["points"], "points", 2) if "points" in raw else None
    return Range("log" if given[0] == "log" else "linear", (ends[0], ends[1]), points)


def _sample(raw: object) -> Sample:
    """A method with the number of its points."""
    example = "{ latin-hypercube = 64, seed = 1 }"
    if not isinstance(raw, dict):
        raise ValueError(f"needs a method and a number of points, such as {example}")
    for key in raw:
        if key not in (*SAMPLINGS, "seed"):
            raise ValueError(f'unknown key "{key}"; {choices(key, (*SAMPLINGS, "seed"))}')
    given = [method for method in SAMPLINGS if method in raw]
    if len(given) != 1:
        raise ValueError(f"give one method ({', '.join(SAMPLINGS)}), such as {example}")
    return Sample(given[0], _whole(raw[given[0]], given[0], 1), _whole(raw.get("seed", 0), "seed", 0))


Values = Annotated[list[Any] | Range, PlainValidator(_values)]


class VariedCase(Block):
    """What study and optimisation files have in common."""

    case: str = Field(description="Case file that all members start from, its path relative to this file (no unit)")
    name: str | None = Field(default=None, description="Name for tables and figures; left out: the file's (no unit)")
    ranks: WholeNumber = Field(default=1, description="MPI ranks of each member (-)")
    set: dict[str, Any] = Field(default={}, description="Changes to the case for all members, keys as for --set")
    vary: dict[str, Values] = Field(
        default={}, description="What varies, keys as for --set: lists, linear or log ranges; all are combined"
    )
    moving_mesh: StrictBool = Field(
        default=False,
        description="All members have the same number of cells, and nodes move with the lengths that vary, so that "
        "results follow them smoothly (true or false)",
    )
    collect: dict[str, str] = Field(
        default={"T_cold": "results.T_cold_final_K"},
        description="What is collected: a name for a key of summary.json (no unit)",
    )

    def varied(self) -> dict[Keys, list[Any] | Range]:
        """All that varies, by its place in the file."""
        return {("vary", key): values for key, values in self.vary.items()}

    def common_problems(self) -> list[Problem]:
        """Nothing varies, nothing is collected, or a key is given twice."""
        problems = []
        if not self.varied():
            words = f'nothing varies; give a key, such as "layer.working.thickness" = {_RANGE}'
            problems.append(Problem(("vary",), words))
        seen: set[str] = set()
        for path in self.varied():
            key = str(path[-1])
            if key in seen or key in self.set:
                words = "is given a second time ([set], [vary] and [[together]] exclude each other)"
                problems.append(Problem(path, words))
            seen.add(key)
        if not self.collect:
            problems.append(Problem(("collect",), 'nothing is collected; give T_cold = "results.T_cold_final_K"'))
        return problems


class StudyFile(VariedCase):
    """What a study file may contain."""

    together: list[dict[str, Values]] = Field(
        default=[], description="Keys that vary together, value by value: one dimension of the study for each block"
    )
    sample: Annotated[Sample, PlainValidator(_sample)] | None = Field(
        default=None, description="Draw points from the ranges in place of combining all values"
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        problems = self.common_problems()
        if self.sample is not None and self.together:
            words = "a sample draws from the ranges of [vary]; leave one of the two out"
            problems.append(Problem(("together",), words))
        for path, values in self.varied().items():
            if self.sample is not None and (not isinstance(values, Range) or values.points is not None):
                words = "a sample draws from a range without points, such as"
                problems.append(Problem(path, f'{words} {{ linear = ["1 um", "3 um"] }}'))
            elif self.sample is None and isinstance(values, Range) and values.points is None:
                problems.append(Problem(path, f"a range needs a number of points, such as {_RANGE}"))
        for number, block in enumerate(self.together):
            counts = {key: len_of(values) for key, values in block.items()}
            if len(block) < 2:
                problems.append(Problem(("together", number), "needs two keys or more; one alone belongs into [vary]"))
            elif len(set(counts.values())) > 1:
                listed = ", ".join(f"{key}: {count}" for key, count in counts.items())
                problems.append(Problem(("together", number), f"the keys need as many values each ({listed})"))
        if problems:
            raise CaseProblems(problems)
        return self

    def varied(self) -> dict[Keys, list[Any] | Range]:
        """All that varies, by its place in the file."""
        paths = super().varied()
        for number, block in enumerate(self.together):
            paths |= {("together", number, key): values for key, values in block.items()}
        return paths


def len_of(values: list[Any] | Range) -> int:
    """Number of values."""
    return len(values) if isinstance(values, list) else values.points or 0


File = TypeVar("File", bound=VariedCase)


@dataclass(frozen=True)
class Located(Generic[File]):
    """A study or optimisation file and where each of its keys stands.

    Attributes:
        path: the file.
        file: what it says.
        places: "study.toml:12" by keys.
    """

    path: Path
    file: File
    places: Mapping[Keys, str]

    def place(self, keys: Keys) -> str:
        """Where a key stands, for a message."""
        return next((self.places[keys[:n]] for n in range(len(keys), 0, -1) if keys[:n] in self.places), str(self.path))

    @property
    def name(self) -> str:
        """Name of the study."""
        return self.file.name or self.path.stem


def read_study(path: Path) -> Located[StudyFile]:
    """Read a study file.

    Args:
        path: TOML file.

    Raises:
        InputError: with one line for each mistake found in the file itself.
    """
    return read_located(path, StudyFile, "study file")


def read_located(path: Path, model: type[File], kind: str) -> Located[File]:
    """Read a file of a kind; see `read_study`."""
    text = read_text(path, kind)
    data = parse_toml(text, str(path))
    places = {keys: f"{path}:{line}" for keys, line in key_lines(text).items()}
    try:
        return Located(path, model.model_validate(data), places)
    except ValidationError as error:
        raise InputError(describe(problems_of(error, model), data, places, str(path))) from None
