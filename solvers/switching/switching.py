"""Which part of each film is normal: the field decides column by column, at the entropy that the column has.

The field that decides is the largest along the vertical column of cells through the film, the cells just outside it
included: the mean of a cell would pin the front between normal and superconducting regions to the mesh. The field
depends on the normal fraction in turn. Where it settles between 0 and 1 (the intermediate state) the field of the
column equals the transition field; solved patterns are kept and used again wherever they fit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import numpy.typing as npt
from mpi4py import MPI
from scipy.special import expit

from fem.constants import MU0
from fem.spaces.layerwise import LayerwiseSpace
from solvers.errors import ComputationError
from solvers.field.problem import FieldProblem
from solvers.field.solution import FieldSolution
from solvers.switching.columns import Columns, Film
from solvers.switching.eddy_currents import EddyCurrents
from solvers.switching.pattern import FilmState, Pattern
from solvers.switching.transition import LEVEL_LIMIT, HystereticLaw, TransitionLaw

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int32]
Law = TransitionLaw | HystereticLaw

# The field of a column, squared, over Hc(0)^2, is taken to fall by PENETRATION_RESPONSE while flux penetrates it and
# by LEVEL_RESPONSE for each unit of level between -3 and 3. Too small oscillates, too large is slow: both grow by
# STIFFEN whenever an iteration does not bring the pattern closer to rest.
PENETRATION_RESPONSE, LEVEL_RESPONSE, STIFFEN = 1.0, 0.1, 1.5
SOLVES_PER_UPDATE = 20
PURE_TOLERANCE = 1e-9
PATTERNS_KEPT, PATTERNS_TRIED = 64, 4
DEPTH_TOLERANCE = 1e-3  # relative change of a penetration depth that calls for a new solution
WEAK_FIELD = 0.01  # share of Hc(0) below which the penetration depth does not matter to a film at rest


class Switching:
    """Normal fraction of the films and the field that goes with it.

    Args:
        problem: the field problem.
        space: the heat space on the same mesh.
        films: all superconducting layers.
        share: part of the device's current that the mesh carries (1/2 on a quarter model).
        transition_width: eps / (mu0 Hc0^2) of the transition.
        film_transition: whether thin films have the higher transition field of their thickness.
        hysteresis: transition fields over Hc on the way up (>= 1) and down (<= 1), or None.
        tolerance: mean change of f at which the iteration between field and fraction ends.
        eddy: eddy currents, or None.
    """

    def __init__(
        self,
        problem: FieldProblem,
        space: LayerwiseSpace,
        films: Sequence[Film],
        share: float = 1.0,
        transition_width: float = 1e-3,
        film_transition: bool = True,
        hysteresis: tuple[float, float] | None = None,
        tolerance: float = 1e-3,
        eddy: EddyCurrents | None = None,
    ) -> None:
        self.problem, self.space, self.films, self.eddy = problem, space, tuple(films), eddy
        self.share, self.width, self.film_transition = share, transition_width, film_transition
        self.hysteresis, self.tolerance = hysteresis, tolerance
        # Those of the films' layers in the heat problem; they change with the field where nuclear spins count.
        self.materials = {film.layer: film.material for film in films}
        screened = problem.tagged.cells(*(film.group for film in films))
        self.columns = [Columns(film, problem, space, screened) for film in films if film.switches]
        self._slices = np.cumsum([0, *(c.n for c in self.columns)])
        self.level = np.full(self._slices[-1], -LEVEL_LIMIT)
        self.patterns: list[Pattern] = []
        self.saved = 0
        n_cells = problem.n_cells
        self._film_cells = [problem.tagged.cells(film.group) for film in films]
        self._n_cells = n_cells
        volume = np.concatenate([np.where(c.owned, c.volume, 0.0) for c in self.columns] or [np.zeros(0)])
        self._weight = volume / max(space.comm.allreduce(float(volume.sum())), 1e-300)
        self.pattern: Pattern | None = None

    @property
    def fraction(self) -> Floats:
        """Normal fraction of every column of every switching film, concatenated."""
        return np.asarray(expit(self.level))

    # ---- states ----------------------------------------------------------------------------------
    def part(self, k: int) -> slice:
        """Place of switching film k in the concatenated columns."""
        return slice(int(self._slices[k]), int(self._slices[k + 1]))

    def depths(self, u: Floats) -> tuple[float, ...]:
        """Penetration depth of each film (m) at its volume-mean temperature (collective).

        Raises:
            ComputationError: the conductor of the drive is normal.
        """
        sums, volumes = self.space.layer_sums(u * self.space.volume, self.space.volume)
        out = []
        for film in self.films:
            k = self.space.layer_number(film.layer)
            temperature = float(np.sqrt(sums[k] / volumes[k]))
            depth = float(film.material.penetration_depth(temperature))
            if not film.switches and not np.isfinite(depth):
                raise ComputationError(
                    f"{film.layer}: at {temperature:.4g} K it is normal, so that no supercurrent passes through it"
                )
            out.append(depth)
        return tuple(out)

    def largest_field(self, layer: str, drive: float) -> float:
        """Largest H at a film at a drive (with eddy currents: at present), A/m (collective)."""
        if self.pattern is None:
            return 0.0
        k = next(k for k, columns in enumerate(self.columns) if columns.film.layer == layer)
        peak = abs(self.pattern.amplitude(drive)) * self.pattern.peak[self.part(k)]
        return float(self.space.comm.allreduce(float(peak.max(initial=0.0)), op=MPI.MAX))

    def cell_fraction(self) -> Floats:
        """Normal fraction of every local cell: 1 outside superconductors."""
        cell = np.ones(self._n_cells)
        for film in self.films:
            cell[self.problem.tagged.cells(*film.groups)] = 0.0
        for k, columns in enumerate(self.columns):
            cell[columns.parent_cells] = self.fraction[self.part(k)][columns.column_of_heat_cell]
        return cell

    def nodal_fraction(self) -> Floats:
        """Normal fraction at the nodes of the heat space: 1 outside superconductors (collective)."""
        return np.clip(self.space.from_cells(self.cell_fraction()), 0.0, 1.0)

    def nodal_field(self, pattern: Pattern | None) -> Floats:
        """H of the columns at the nodes of the films, per unit of the drive, by a pattern or the present one.

        1/m for a current, 1 for an applied field; 0 outside the films that switch (collective).
        """
        pattern = pattern or self.pattern
        cell = np.zeros(self._n_cells)
        if pattern is not None:
            for k, columns in enumerate(self.columns):
                peak = abs(pattern.amplitude(1.0)) * pattern.peak[self.part(k)]
                cell[columns.parent_cells] = peak[columns.column_of_heat_cell]
        return self.space.from_cells(cell)

    def layer_fraction(self) -> dict[str, float]:
        """Volume mean of f in each switching film, by layer name (collective)."""
        out = {}
        for k, columns in enumerate(self.columns):
            part, owned = self.fraction[self.part(k)], columns.owned
            local = np.array([(part * columns.volume)[owned].sum(), columns.volume[owned].sum()])
            total = self.space.comm.allreduce(local)
            out[columns.film.layer] = float(total[0] / total[1])
        return out

    # ---- what a run goes on from -----------------------------------------------------------------
    def state(self) -> FilmState:
        """What the next step starts from (collective)."""
        return FilmState(self.pattern, None if self.eddy is None else self.eddy.state())

    def restore(self, state: FilmState) -> None:
        """Go on from a state (collective)."""
        self._go_back(state.pattern)
        if self.eddy is not None and state.eddy is not None:
            if state.pattern is not None:
                level, depths = state.pattern.level, state.pattern.depths
                self.eddy.set_cells(self._screening(level, depths), self._normal(level))
            self.eddy.restore(state.eddy, None if state.pattern is None else state.pattern.solution)

    def _go_back(self, pattern: Pattern | None) -> None:
        """Go back to an accepted pattern, or to films that have not switched, without a field."""
        if pattern is not None:
            self._take(pattern)
            return
        self.pattern, self.level = None, np.full(self._slices[-1], -LEVEL_LIMIT)

    # ---- field and fraction together -------------------------------------------------------------
    def update(self, drive: float, u: Floats, f: Floats, largest: float = 1.0, dt: float | None = None) -> bool | None:
        """Find the normal fractions at a drive, each column keeping its entropy (collective).

        Args:
            drive: A, or A/m of an applied field.
            u: nodal T^2, K^2.
            f: nodal normal fraction that goes with u.
            largest: change of the mean normal fraction of the films that is refused.
            dt: time since the last accepted state of the eddy currents, s; None: without eddy currents.

        Returns:
            Whether the fractions changed; None: refused, nothing is changed.
        """
        before, start = self.fraction, self.pattern
        depths = self.depths(u)
        laws = [self._law(k, u, f) for k in range(len(self.columns))]
        if dt is not None:
            if self.pattern is not None and self._same_depths(self.pattern, depths):
                depths = self.pattern.depths  # the matrix may be factored already
            solve = partial(self._solve_eddy, drive=drive, dt=dt)
            self._iterate(solve(self.level, depths), solve, drive, depths, laws, before, largest)
        elif self.pattern is None or not self._rests(self.pattern, drive, depths, laws):
            known = self._recall(drive, depths, laws)
            if known is not None and self._rests(known, drive, depths, laws):
                self.saved += 1
                self._take(known)
            else:
                first = known if known is not None else self._solve(self.level, depths)
                self._iterate(first, self._solve, drive, depths, laws, before, largest)
        if self._mean_change(before, self.fraction) > largest:
            self._go_back(start)
            return None
        return bool(self.space.comm.allreduce(int((self.fraction != before).any())) > 0)

    def at_rest(self, drive: float, u: Floats, f: Floats) -> bool:
        """Whether neither the films nor the field have a reason to change at this drive (collective)."""
        if self.pattern is None:
            return False
        pattern, laws = self.pattern, [self._law(k, u, f) for k in range(len(self.columns))]
        scales = [
            (self.largest_field(c.film.layer, drive), law.scale) for c, law in zip(self.columns, laws, strict=True)
        ]
        weak = all(field < WEAK_FIELD * scale for field, scale in scales)
        return self._rests(pattern, drive, pattern.depths if weak else self.depths(u), laws)

    def film_thickness(self, film: Film) -> float | None:
        """Thickness (m) that raises the transition field of a film; None: it has that of the bulk."""
        return film.thickness if self.film_transition else None

    def _law(self, k: int, u: Floats, f: Floats) -> Law:
        columns, film = self.columns[k], self.columns[k].film
        nodes = self.space.nodes(film.layer)
        s = np.zeros_like(u)
        material = self.materials[film.layer]
        s[nodes] = material.entropy(np.sqrt(u[nodes]), f[nodes])
        entropy, thickness = columns.mean(s, self.space), self.film_thickness(film)
        if self.hysteresis is None:
            return TransitionLaw(material, entropy, self.width, thickness)
        return HystereticLaw(material, entropy, self.width, thickness, self.level[self.part(k)], self.hysteresis)

    def _next(self, pattern: Pattern, drive: float, laws: list[Law], stiff: float) -> tuple[Floats, float]:
        """Levels that the field of a pattern asks for, and how far they are from the pattern's (collective)."""
        new = np.empty_like(pattern.level)
        change, pure = 0.0, True
        for k, columns in enumerate(self.columns):
            part, film = self.part(k), columns.film
            depth = pattern.depths[self.films.index(film)]
            ratio = (film.thickness / (2 * depth)) ** 2
            old = pattern.level[part]

            def response(y: Floats, ratio: float = ratio) -> Floats:
                # Share of the flux that has penetrated: 1 / (1 + (1 - f) (d / 2 lambda)^2).
                penetrated = 1.0 / (1.0 + ratio * expit(-y))
                return np.asarray(stiff * (PENETRATION_RESPONSE * penetrated + LEVEL_RESPONSE * np.clip(y, -3.0, 3.0)))

            field = np.asarray((pattern.amplitude(drive) * pattern.peak[part] / laws[k].scale) ** 2)
            new[part] = laws[k].level(field, old, response)
            pure = pure and bool((np.abs(new[part]) > 0.99 * LEVEL_LIMIT).all())
            moved = np.abs(expit(new[part]) - expit(old))
            moved += 0.5 * np.abs(response(new[part]) - response(old)) / (stiff * PENETRATION_RESPONSE)
            change += float((self._weight[part] * moved).sum())
        change = float(self.space.comm.allreduce(change))
        # All columns wholly normal or wholly superconducting: a rest of the other phase is no round-off, go there.
        if self.space.comm.allreduce(int(pure), op=MPI.MIN) and change > PURE_TOLERANCE:
            change = max(change, 2 * self.tolerance)
        return new, change

    def _rests(self, pattern: Pattern, drive: float, depths: tuple[float, ...], laws: list[Law]) -> bool:
        """Whether a pattern is at rest here, or as near to it as it could be brought at this same drive."""
        if not self._same_depths(pattern, depths):
            return False
        change = self._next(pattern, drive, laws, 1.0)[1]
        return change <= self.tolerance or (pattern.drive == drive and change <= 1.1 * pattern.misfit)

    @staticmethod
    def _same_depths(pattern: Pattern, depths: tuple[float, ...]) -> bool:
        return bool(np.allclose(pattern.depths, depths, rtol=DEPTH_TOLERANCE, atol=0.0))

    def _recall(self, drive: float, depths: tuple[float, ...], laws: list[Law]) -> Pattern | None:
        """The known pattern nearest to rest, among those from the nearest drives and the present one."""
        known = sorted(
            (p for p in self.patterns if self._same_depths(p, depths)), key=lambda p: abs(abs(p.drive) - abs(drive))
        )[:PATTERNS_TRIED]
        if self.pattern is not None and self._same_depths(self.pattern, depths):
            known.append(self.pattern)
        if not known:
            return None
        return min(known, key=lambda p: self._next(p, drive, laws, 1.0)[1])

    def _mean_change(self, before: Floats, after: Floats) -> float:
        local = float((self._weight * (after - before)).sum())
        return abs(float(self.space.comm.allreduce(local)))

    def _iterate(
        self,
        pattern: Pattern,
        solve: Callable[[Floats, tuple[float, ...]], Pattern],
        drive: float,
        depths: tuple[float, ...],
        laws: list[Law],
        before: Floats,
        largest: float,
    ) -> None:
        stiff, last = 1.0, np.inf
        for _ in range(SOLVES_PER_UPDATE):
            level, change = self._next(pattern, drive, laws, stiff)
            if change <= self.tolerance:
                break
            if change > 0.8 * last:
                stiff *= STIFFEN
                level, change = self._next(pattern, drive, laws, stiff)
            last = change
            pattern = solve(level, depths)
            if self._mean_change(before, expit(level)) > largest:
                break
        pattern.drive, pattern.misfit = drive, self._next(pattern, drive, laws, 1.0)[1]
        if pattern.per_drive is not None and all(pattern is not known for known in self.patterns):
            self.patterns = [*self.patterns, pattern][-PATTERNS_KEPT:]
        self._take(pattern)

    def _take(self, pattern: Pattern) -> None:
        self.pattern, self.level = pattern, pattern.level

    def _screening(self, level: Floats, depths: tuple[float, ...]) -> Floats:
        """(1 - f) / lambda^2 of every local cell, 1/m^2."""
        screening = np.zeros(self._n_cells)
        switching = {columns.film.layer: k for k, columns in enumerate(self.columns)}
        for film, cells, depth in zip(self.films, self._film_cells, depths, strict=True):
            screening[cells] = 1.0 / depth**2
            if film.layer in switching:
                k = switching[film.layer]
                screening[cells] *= expit(-level[self.part(k)])[self.columns[k].column_of_cell]
        return screening

    def _normal(self, level: Floats) -> Floats:
        """Share of every local cell that conducts as a normal metal does."""
        normal = np.ones(self._n_cells)
        for cells in self._film_cells:
            normal[cells] = 0.0
        for k, columns in enumerate(self.columns):
            normal[columns.cells] = expit(level[self.part(k)])[columns.column_of_cell]
        return normal

    def _solve(self, level: Floats, depths: tuple[float, ...]) -> Pattern:
        """Solve the field problem for a pattern."""
        solution = self.problem.solve(self._screening(level, depths))
        return self._pattern(level, depths, solution.per_drive(self.share), solution)

    def _solve_eddy(self, level: Floats, depths: tuple[float, ...], drive: float, dt: float) -> Pattern:
        """Solve for the field after a step in which the eddy currents follow a pattern and the drive."""
        assert self.eddy is not None
        self.eddy.set_cells(self._screening(level, depths), self._normal(level))
        return self._pattern(level, depths, None, self.eddy.solve(drive, dt))

    def start_eddy(self, drive: float) -> None:
        """Let the eddy currents start from the present quasi-static field (collective)."""
        assert self.eddy is not None
        assert self.pattern is not None
        field = self.pattern.solution * self.pattern.amplitude(drive)
        self.eddy.start_at_rest(drive, field)
        self._take(self._pattern(self.level, self.pattern.depths, None, field))

    def solution(self, level: Floats, depths: tuple[float, ...], potential: Floats, phase: float) -> FieldSolution:
        """The field of a pattern, from unknowns that are known already."""
        return self.problem.solution(potential, phase, self._screening(level, depths))

    def _pattern(
        self, level: Floats, depths: tuple[float, ...], per_drive: float | None, solution: FieldSolution
    ) -> Pattern:
        """A solution as a pattern."""
        peak = np.zeros_like(level)
        for k, columns in enumerate(self.columns):
            field = np.linalg.norm(solution.flux_density(columns.reading), axis=1) / MU0
            np.maximum.at(peak[self.part(k)], columns.column_of_reading, field)
        return Pattern(level.copy(), depths, peak, per_drive, solution)
