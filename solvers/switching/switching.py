"""Which part of each film is normal, and the field: in equilibrium, or followed in time with eddy currents."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from mpi4py import MPI
from scipy.special import expit

from fem.spaces.layerwise import LayerwiseSpace
from meshes.arrays import Floats
from solvers.errors import StepFailure
from solvers.field.problem import FieldProblem
from solvers.field.solution import FieldSolution
from solvers.switching.columns import Film
from solvers.switching.eddy_currents import EddyCurrents
from solvers.switching.equilibrium import LEVEL_LIMIT, fraction_level
from solvers.switching.films import Films
from solvers.switching.following import Following
from solvers.switching.pattern import FilmState, Pattern

# Fractions that differ by less have the same field.
SAME_FRACTION = 1e-6


class Switching(Films):
    """Normal fraction of the films and the field that goes with it, from step to step.

    Args:
        problem: the field problem.
        space: the heat space on the same mesh.
        films: all superconducting layers.
        eddy: eddy currents, or None.
        options: see `Films`.

    Attributes:
        saved: how often a state was known without solving the field.
    """

    def __init__(
        self,
        problem: FieldProblem,
        space: LayerwiseSpace,
        films: Sequence[Film],
        eddy: EddyCurrents | None = None,
        **options: Any,
    ) -> None:
        super().__init__(problem, space, films, **options)
        self.eddy, self.saved = eddy, 0
        tolerance = self.equilibrium.tolerance
        self._following = None if eddy is None else Following(self, eddy, self.width, tolerance)
        self._solved: tuple[Floats, tuple[float, ...], FieldSolution] | None = None

    # ---- what a run goes on from -----------------------------------------------------------------
    def state(self) -> FilmState:
        """What the next step starts from (collective)."""
        return FilmState(self.pattern, None if self.eddy is None else self.eddy.state())

    def restore(self, state: FilmState) -> None:
        """Go on from a state (collective)."""
        self.pattern = state.pattern
        pattern = state.pattern
        if pattern is not None and pattern.known is None and pattern.solve is None:
            pattern.solve = self._solver(pattern.level, pattern.depths)
        if self.eddy is not None and state.eddy is not None:
            if state.pattern is not None:
                level, depths = state.pattern.level, state.pattern.depths
                self.eddy.set_cells(self.screening(level, depths), self.normal(level, depths))
            self.eddy.restore(state.eddy, None if state.pattern is None else state.pattern.solution)

    # ---- field and fraction together -------------------------------------------------------------
    def update(
        self, drive: float, duration: float, u: Floats, f: Floats, largest: float = 1.0, dt: float | None = None
    ) -> bool | None:
        """Find the normal fractions at a drive, the films keeping their entropy (collective).

        Args:
            drive: A, or A/m of an applied field.
            duration: of the step that leads there, s.
            u: nodal T^2, K^2, (n_local,).
            f: nodal normal fraction that goes with u, (n_local,).
            largest: change of the mean normal fraction of the films that is refused.
            dt: time since the last accepted state of the eddy currents, s; None: without eddy currents.

        Returns:
            Whether the fractions changed; None: refused, `restore` what was before.

        Raises:
            ComputationError: the conductor of the drive is normal.
            StepFailure: no field was found.
        """
        before = self.fraction
        if self._following is not None and dt is not None:
            self.pattern = self._following.step(drive, duration, u, f, dt)
        else:
            solves = self.problem.factorisations
            found = self.equilibrium.find(drive, duration, u, f, self.everywhere(before), self.materials)
            level = fraction_level(self.here(found.fraction))
            solve = self._solver(level, found.depths)
            peak = self.here(found.peak)
            self.pattern = Pattern(level, found.depths, peak, 1.0, drive, 0.0, found.observed, solve=solve)
            self.pattern.above = self.here(found.above.astype(np.float64)) > 0.0
            self.saved += int(self.problem.factorisations == solves)
        numbers, change = self.equilibrium.numbers, self.everywhere(self.fraction - before)
        if not np.isfinite(change).all():
            raise StepFailure("field: no normal fraction was found")
        if abs(float(numbers.volume @ change)) > largest * float(numbers.volume.sum()):
            return None
        return bool((change != 0.0).any())

    def _solver(self, level: Floats, depths: tuple[float, ...]) -> Callable[[], FieldSolution]:
        """Solves for the field of a unit of the drive when it is asked for."""
        if self.equilibrium.across:  # nothing screens it
            level = np.full_like(level, LEVEL_LIMIT)

        def solve() -> FieldSolution:
            if self._solved is not None and self._solved[1] == depths:
                near = np.abs(expit(level) - expit(self._solved[0])).max(initial=0.0) < SAME_FRACTION
                if self.space.comm.allreduce(int(near), op=MPI.MIN):
                    return self._solved[2]
            solution = self.problem.solve(self.screening(level, depths))
            self._solved = (level, depths, solution * solution.per_drive(self.equilibrium.share))
            return self._solved[2]

        return solve

    def at_rest(self, drive: float, duration: float, u: Floats, f: Floats) -> bool:
        """Whether neither films nor eddy currents have a reason to change at this drive (collective)."""
        return self._following is not None and self._following.rests(drive, duration, u, f)

    def start_eddy(self, drive: float) -> None:
        """Let the eddy currents start from the present quasi-static field (collective)."""
        if self._following is None or self.pattern is None:
            return
        self.pattern = self._following.start(drive, self.pattern)

    def solution(self, level: Floats, depths: tuple[float, ...], potential: Floats, phase: float) -> FieldSolution:
        """The field of a pattern, from unknowns that are known already."""
        return self.problem.solution(potential, phase, self.screening(level, depths))
