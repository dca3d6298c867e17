"""The members of a study: which values are combined, and the checked case of each.

plan = make_plan(read_study(Path("cases/studies/base-temperature.toml")))
[member.case for member in plan.members]
"""

from __future__ import annotations

import copy
import hashlib
import itertools
import json
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from meshes.arrays import Floats
from solvers.case.extends import read_case_file
from solvers.case.messages import Keys
from solvers.case.model import Case, case_sha256, check_case
from solvers.case.overrides import set_value
from solvers.case.quantities import show
from solvers.errors import InputError
from solvers.studies.file import Located, Range, Sample, StudyFile
from solvers.studies.moving_mesh import MovingMesh
from solvers.studies.units import unit_of_input


@dataclass(frozen=True)
class Variable:
    """A value of the case that varies.

    Attributes:
        key: as in the study file.
        name: a short one, for tables and figures.
        unit: SI unit, "" if it has none.
        log: whether its values are spaced by their logarithms.
        ends: lowest and highest value in SI; None for a list.
    """

    key: str
    name: str
    unit: str
    log: bool
    ends: tuple[float, float] | None


@dataclass(frozen=True)
class Member:
    """One computation of a study.

    Attributes:
        index: its place along each dimension of the study.
        values: of each variable, in SI (texts as they are).
        case: what is computed.
        sha: hash of the case; members of the same case are computed once.
    """

    index: tuple[int, ...]
    values: tuple[Any, ...]
    case: Case
    sha: str


@dataclass(frozen=True)
class Plan:
    """What a study computes.

    Attributes:
        study: the file.
        variables: all that varies.
        dimensions: variables of each dimension by their numbers; one dimension "member" for samples.
        shape: number of values along each dimension.
        members: in the order of the dimensions, the last one fastest.
        sample: how the members were drawn, if they were.
    """

    study: Located[Any]
    variables: tuple[Variable, ...]
    dimensions: tuple[tuple[int, ...], ...]
    shape: tuple[int, ...]
    members: tuple[Member, ...]
    sample: Sample | None

    @property
    def identity(self) -> str:
        """Hash of what is computed: the variables and the cases of all members in order."""
        what = [[variable.key for variable in self.variables], self.shape, [member.sha for member in self.members]]
        return hashlib.sha256(json.dumps(what).encode()).hexdigest()


def make_plan(study: Located[StudyFile]) -> Plan:
    """All members of a study, each checked.

    Args:
        study: the study file.

    Raises:
        InputError: a key or value does not fit the case; one line with its place in the study file.
    """
    builder = Builder(study)
    paths, variables = builder.paths, builder.variables
    sample = study.file.sample
    if sample is not None:
        points = _sampled(sample, variables)
        raw = [[builder.like(j, point) for point in points[:, j]] for j in range(len(paths))]
        dimensions: tuple[tuple[int, ...], ...] = (tuple(range(len(paths))),)
    else:
        raw = [builder.values(j) for j in range(len(paths))]
        dimensions = tuple(tuple(group) for group in _groups(paths))
    shape = tuple(len(raw[group[0]]) for group in dimensions)
    members: list[Member] = []
    for index in itertools.product(*(range(count) for count in shape)):
        number = {j: i for i, group in zip(index, dimensions, strict=True) for j in group}
        values = [raw[j][number[j]] for j in range(len(paths))]
        try:
            members.append(builder.member(index, values))
        except InputError as error:
            which = ", ".join(f"{path[-1]} = {show(value)}" for path, value in zip(paths, values, strict=True))
            lines = [f"{line} (member {len(members)}: {which})" for line in error.lines]
            raise InputError("\n".join(lines)) from None
    return Plan(study, tuple(variables), dimensions, shape, tuple(members), sample)


class Builder:
    """Puts values of what varies into the case of a study.

    Attributes:
        varied: lists and ranges by their places in the study file.
        paths: these places.
        variables: what varies.
        first: the case with the first values.
    """

    def __init__(self, study: Located[Any]) -> None:
        """Read the case.

        Raises:
            InputError: the case cannot be read, or a key or value does not fit it.
        """
        self.study = study
        self.source = str(study.path.parent / study.file.case)
        try:
            self._data, self._places = read_case_file(Path(self.source), Case)
        except InputError as error:
            raise InputError("\n".join(f"{study.place(('case',))}: case: {line}" for line in error.lines)) from None
        self._keys: dict[Keys, Keys] = {}
        for key, value in study.file.set.items():
            self._put(self._data, self._places, ("set", key), value)
        self.varied = study.file.varied()
        self.paths = list(self.varied)
        # The ends of the ranges, as the case reads them: in SI, with its own messages for what is wrong.
        self.first, last = (self._case([_end(values, end) for values in self.varied.values()]) for end in (0, -1))
        self.variables: list[Variable] = []
        names = _short_names([str(path[-1]) for path in self.paths])
        for (path, values), name in zip(self.varied.items(), names, strict=True):
            keys, key = self._keys[path], str(path[-1])
            ends, log = None, False
            if isinstance(values, Range):
                ends = _checked_ends(self.first, last, keys, values, f"{study.place(path)}: {key}")
                log = values.spacing == "log"
            self.variables.append(Variable(key, name, unit_of_input(self.first, keys), log, ends))
        try:
            self._mesh = MovingMesh(self.first, last) if study.file.moving_mesh else None
        except ValueError as error:
            raise InputError(f"{study.place(('case',))}: case: {error}") from None

    def _put(self, data: dict[str, Any], places: dict[Keys, str], path: Keys, value: Any) -> None:
        key, place = str(path[-1]), self.study.place(path)
        keys = set_value(data, key.split("."), value, f"{place}: {key}")
        self._keys[path] = keys
        for count in range(1, len(keys)):
            places.setdefault(keys[:count], place)
        places[keys] = place

    def _case(self, values: Sequence[Any]) -> Case:
        data, places = copy.deepcopy(self._data), dict(self._places)
        for path, value in zip(self.paths, values, strict=True):
            self._put(data, places, path, value)
        return check_case(data, places, self.source)

    def member(self, index: tuple[int, ...], values: Sequence[Any]) -> Member:
        """The checked member with these values of the variables.

        Raises:
            InputError: they make no case.
        """
        case = self._case(values)
        if self._mesh is not None:
            try:
                case = self._mesh.fixed(case, lambda: self._with_choices(values))
            except ValueError as error:
                raise InputError(f"{self.source}: {error}") from None
        read = tuple(value_at(case, self._keys[path]) for path in self.paths)
        return Member(index, read, case, case_sha256(case))

    def _with_choices(self, values: Sequence[Any]) -> list[Case]:
        """The cases with these values of lists and with the ends of the ranges, those that are cases."""
        cases = []
        for end in (0, -1):
            pairs = zip(values, self.varied.values(), strict=True)
            with suppress(InputError):
                cases.append(self._case([v if isinstance(varied, list) else _end(varied, end) for v, varied in pairs]))
        return cases

    def is_whole(self, j: int) -> bool:
        """Whether the case has whole numbers for a variable."""
        return isinstance(value_at(self.first, self._keys[self.paths[j]]), int)

    def like(self, j: int, value: float) -> float | int:
        """A value of a range, whole where the case has whole numbers."""
        return round(value) if self.is_whole(j) else float(value)

    def point(self, shares: Sequence[float]) -> list[Any]:
        """The values at shares of the ranges: 0 and less is the lowest one, 1 and more the highest."""
        values: list[Any] = []
        for j, variable in enumerate(self.variables):
            assert variable.ends is not None
            (low, high), part = variable.ends, min(max(float(shares[j]), 0.0), 1.0)
            values.append(self.like(j, low * (high / low) ** part if variable.log else low + (high - low) * part))
        return values

    def values(self, j: int) -> list[Any]:
        """The values of a list or of a range with points."""
        values = self.varied[self.paths[j]]
        ends = self.variables[j].ends
        if isinstance(values, list) or ends is None or values.points is None:
            return values if isinstance(values, list) else []
        spaced = np.geomspace if self.variables[j].log else np.linspace
        return [self.like(j, value) for value in spaced(*ends, values.points)]


def value_at(case: Case, keys: Keys) -> Any:
    """A value of a case by its keys."""
    here: Any = case.model_dump(mode="json")
    for key in keys:
        here = here[key]
    return here


def _end(values: list[Any] | Range, end: int) -> Any:
    return values[end] if isinstance(values, list) else values.ends[end]


def _groups(paths: Sequence[Keys]) -> list[list[int]]:
    """Numbers of the variables of each dimension: those of [vary] alone, those of a [[together]] block in one."""
    groups: dict[Keys, list[int]] = {}
    for number, path in enumerate(paths):
        groups.setdefault(path[:2], []).append(number)
    return list(groups.values())


def _short_names(keys: Sequence[str]) -> list[str]:
    """The shortest ends of dotted keys that tell them apart."""
    parts = [key.split(".") for key in keys]
    lengths = [1] * len(keys)
    while True:
        names = [".".join(part[-length:]) for part, length in zip(parts, lengths, strict=True)]
        counts = Counter(names)
        longer = [k for k, name in enumerate(names) if counts[name] > 1 or name.isdecimal() or name == "member"]
        longer = [k for k in longer if lengths[k] < len(parts[k])]
        if not longer:
            return names
        for k in longer:
            lengths[k] += 1


def _checked_ends(first: Case, last: Case, keys: Keys, values: Range, prefix: str) -> tuple[float, float]:
    low, high = value_at(first, keys), value_at(last, keys)
    for end, value in zip(values.ends, (low, high), strict=True):
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise InputError(f"{prefix}: a range needs numbers, not {show(end)}; give a list of values")
    ends = " to ".join(show(end).strip('"') for end in values.ends)
    if not low < high:
        raise InputError(f"{prefix}: the range is {'empty' if low == high else 'reversed'}: {ends}")
    if values.spacing == "log" and low <= 0:
        raise InputError(f"{prefix}: a log range starts above zero, not at {show(values.ends[0])}")
    return float(low), float(high)


def _sampled(sample: Sample, variables: Sequence[Variable]) -> Floats:
    """Points drawn from the ranges, shape (points, variables), in SI."""
    from scipy.stats import qmc

    count = len(variables)
    if sample.method == "saltelli":
        from SALib.sample import sobol

        unit = sobol.sample(
            {"num_vars": count, "names": [v.name for v in variables], "bounds": [[0.0, 1.0]] * count},
            sample.points,
            calc_second_order=False,
            seed=sample.seed,
        )
    elif sample.method == "sobol":
        unit = qmc.Sobol(count, rng=np.random.default_rng(sample.seed)).random(sample.points)
    else:
        unit = qmc.LatinHypercube(count, rng=np.random.default_rng(sample.seed)).random(sample.points)
    columns = []
    for variable, share in zip(variables, np.asarray(unit).T, strict=True):
        assert variable.ends is not None
        low, high = variable.ends
        columns.append(low * (high / low) ** share if variable.log else low + (high - low) * share)
    return np.stack(columns, axis=1)
