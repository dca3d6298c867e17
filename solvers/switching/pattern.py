"""A solved pattern of normal fractions, and the state of the films that a run goes on from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from meshes.arrays import Bools, Floats
from solvers.field.solution import FieldSolution

SolutionOf = Callable[[Floats, tuple[float, ...], Floats, float], FieldSolution]


@dataclass
class Pattern:
    """Normal fractions of the films and the field that goes with them.

    Attributes:
        level: logit of f of every column of every switching film on this rank, concatenated.
        depths: penetration depth of every film, m.
        peak: H at the columns in the solution, A/m.
        per_drive: solutions per unit of the drive; None with eddy currents: the solution is the field itself, at one
            drive and time.
        drive: where it was accepted.
        misfit: how far from rest it was then.
        observed: what the observer saw per unit of the drive; None: ask it.
        above: columns that were above Tc, like `level`; None: none. Only the step that found the pattern asks.
        solve: finds the solution; None: it is known.
    """

    level: Floats
    depths: tuple[float, ...]
    peak: Floats
    per_drive: float | None
    drive: float = 0.0
    misfit: float = 0.0
    observed: Floats | None = None
    above: Bools | None = None
    solve: Callable[[], FieldSolution] | None = field(default=None, repr=False)
    known: FieldSolution | None = field(default=None, repr=False)

    @property
    def solution(self) -> FieldSolution:
        """The field (collective where it is not known yet)."""
        if self.known is None:
            assert self.solve is not None
            self.known = self.solve()
        return self.known

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
        columns = {"level": self.pattern.level, "peak": self.pattern.peak}
        numbers: dict[str, Any] = {name: getattr(self.pattern, name) for name in ("depths", "per_drive", "drive")}
        numbers["misfit"] = self.pattern.misfit
        numbers["observed"] = None if self.pattern.observed is None else list(self.pattern.observed)
        edges = {}
        if self.pattern.per_drive is None:  # the field has a past
            field = self.pattern.solution
            numbers["phase"], edges["potential"] = field.phase, field.potential
        return Saved({"pattern": numbers, "eddy": self.eddy}, columns=columns, edges=edges)

    @classmethod
    def from_saved(cls, saved: Saved, solution: SolutionOf) -> FilmState:
        """Back from what `saved` gave; `solution` makes a field of levels, depths, unknowns and phase difference."""
        if saved.numbers["pattern"] is None:
            return cls(None, saved.numbers["eddy"])
        values = saved.numbers["pattern"] | {"depths": tuple(saved.numbers["pattern"]["depths"])} | saved.columns
        if values["observed"] is not None:
            values["observed"] = np.array(values["observed"])
        if values["per_drive"] is None:
            phase = values.pop("phase")
            values["known"] = solution(values["level"], values["depths"], saved.edges["potential"], phase)
        return cls(Pattern(**values), saved.numbers["eddy"])
