"""A solved pattern of normal fractions, and the state of the films that a run goes on from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from meshes.arrays import Floats
from solvers.field.solution import FieldSolution

SolutionOf = Callable[[Floats, tuple[float, ...], Floats, float], FieldSolution]


@dataclass
class Pattern:
    """A solved pattern of normal fractions.

    Attributes:
        level: logit of f of every column of every switching film, concatenated.
        depths: penetration depth of every film, m.
        peak: H at the columns in the solution, A/m.
        per_drive: unit solutions per unit of the drive; None with eddy currents: the solution is the field itself, at
            one drive and time.
        solution: the field.
        drive: where it was accepted.
        misfit: how far from rest it was then.
    """

    level: Floats
    depths: tuple[float, ...]
    peak: Floats
    per_drive: float | None
    solution: FieldSolution
    drive: float = 0.0
    misfit: float = 0.0

    def amplitude(self, drive: float) -> float:
        """How many times the solution is the field at a drive."""
        return 1.0 if self.per_drive is None else self.per_drive * drive


@dataclass(frozen=True)
class Saved:
    """Part of a run's state in a form for the disk: plain numbers, and arrays by what their entries belong to.

    Attributes:
        numbers: values for JSON, by name.
        nodes: values at the nodes of the heat space, each (n_local,), by name.
        columns: values of the columns of the switching films, one film after the other, each (n_columns,), by name.
        edges: unknowns of the field, each (n_local,), by name.
    """

    numbers: dict[str, Any] = field(default_factory=dict)
    nodes: Mapping[str, Floats] = field(default_factory=dict)
    columns: Mapping[str, Floats] = field(default_factory=dict)
    edges: Mapping[str, Floats] = field(default_factory=dict)


@dataclass(frozen=True)
class FilmState:
    """What films and field go on from; nothing in it is changed in place.

    Attributes:
        pattern: the accepted pattern; None: no field has been solved, no film has switched.
        eddy: numbers of the eddy currents (`EddyCurrents.state`), whose past field is that of the pattern; None:
            without eddy currents.
    """

    pattern: Pattern | None
    eddy: dict[str, Any] | None

    def saved(self) -> Saved:
        """In a form for the disk."""
        if self.pattern is None:
            return Saved({"pattern": None, "eddy": self.eddy})
        values = dict(vars(self.pattern))
        field: FieldSolution = values.pop("solution")
        columns = {name: values.pop(name) for name in ("level", "peak")}
        numbers = {"pattern": values | {"phase": field.phase}, "eddy": self.eddy}
        return Saved(numbers, columns=columns, edges={"potential": field.potential})

    @classmethod
    def from_saved(cls, saved: Saved, solution: SolutionOf) -> FilmState:
        """Back from what `saved` gave; `solution` makes a field of levels, depths, unknowns and phase difference."""
        if saved.numbers["pattern"] is None:
            return cls(None, saved.numbers["eddy"])
        values = saved.numbers["pattern"] | {"depths": tuple(saved.numbers["pattern"]["depths"])} | saved.columns
        field = solution(values["level"], values["depths"], saved.edges["potential"], values.pop("phase"))
        return cls(Pattern(solution=field, **values), saved.numbers["eddy"])
