"""Which part of each film is normal: the field decides column by column, at the entropy that the column has.

The field that decides is the largest along the vertical column of cells through the film, the cells just outside it
included: the mean of a cell would pin the front between normal and superconducting regions to the mesh. The field
depends on the normal fraction in turn. Where it settles between 0 and 1 (the intermediate state) the field of the
column equals the transition field; solved patterns are kept and used again wherever they fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from mpi4py import MPI
from scipy.special import expit

from fem.constants import MU0
from fem.materials import Material
from fem.spaces import LayerwiseSpace
from meshes.tagged import TaggedMesh
from solvers.errors import ComputationError
from solvers.field import FieldProblem
from solvers.transition import LEVEL_LIMIT, HystereticLaw, TransitionLaw

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


@dataclass(frozen=True)
class Film:
    """A superconducting layer in the field problem.

    Attributes:
        layer: its name in the heat problem.
        material: its material.
        group: its cell group in the field problem.
        groups: its cell groups in the heat problem (with the barrier below it).
        thickness: m.
        switches: whether the field can drive it normal (a conductor stays superconducting).
    """

    layer: str
    material: Material
    group: str
    groups: Sequence[str]
    thickness: float
    switches: bool


@dataclass
class Pattern:
    """A solved pattern of normal fractions.

    Attributes:
        level: logit of f of every column of every switching film, concatenated.
        depths: penetration depth of every film, m.
        peak: H at the columns per unit of the drive: 1/m for a current, 1 for an applied field in A/m.
        per_drive: unit solutions per unit of the drive.
        potential: the unit solution.
        drive: where it was accepted.
        misfit: how far from rest it was then.
    """

    level: Floats
    depths: tuple[float, ...]
    peak: Floats
    per_drive: float
    potential: Floats
    drive: float = 0.0
    misfit: float = 0.0


def reading_cells(tagged: TaggedMesh, inside: Ints, screened: Ints) -> Ints:
    """Local cells where the field of a film is read: the film and its neighbours above and below.

    Args:
        tagged: mesh of columns.
        inside: cells of the film.
        screened: cells of all superconductors; these are no neighbours.
    """
    mesh, columns = tagged.mesh, tagged.columns
    assert columns is not None
    mesh.topology.create_connectivity(2, 3)
    pairs = mesh.topology.connectivity(2, 3)
    two = np.flatnonzero(np.diff(pairs.offsets) == 2)
    sides = pairs.array[pairs.offsets[two][:, None] + np.arange(2)]
    is_film, is_screened = (np.zeros(len(columns), dtype=bool) for _ in range(2))
    is_film[inside], is_screened[screened] = True, True
    same = columns[sides[:, 0]] == columns[sides[:, 1]]
    outside = [sides[same & is_film[sides[:, k]] & ~is_screened[sides[:, 1 - k]], 1 - k] for k in (0, 1)]
    return np.asarray(np.unique(np.concatenate([inside, *outside])), dtype=np.int32)


class Columns:
    """Columns of cells through one film, on this rank (ghost columns included)."""

    def __init__(self, film: Film, problem: FieldProblem, space: LayerwiseSpace, screened: Ints) -> None:
        tagged = problem.tagged
        assert tagged.columns is not None
        self.film = film
        inside = tagged.cells(film.group)
        numbers, self.column_of_cell = np.unique(tagged.columns[inside], return_inverse=True)
        self.n = len(numbers)
        self.cells = inside
        local = np.full(int(tagged.columns.max(initial=-1)) + 1, -1, dtype=np.int32)
        local[numbers] = np.arange(self.n)

        # Cells that belong to the layer thermally, among the cells of the heat space.
        thermal = np.isin(space.cells, tagged.cells(*film.groups))
        self.heat_cells = np.flatnonzero(thermal)
        self.column_of_heat_cell = local[tagged.columns[space.cells[thermal]]]
        self.parent_cells = space.cells[thermal]

        mesh = tagged.mesh
        self.reading = reading_cells(tagged, inside, screened)
        self.column_of_reading = local[tagged.columns[self.reading]]

        volume = space.corner_volumes[self.heat_cells].sum(axis=1)
        self.volume = np.bincount(self.column_of_heat_cell, volume, minlength=self.n)
        owned_cells = self.parent_cells < mesh.topology.index_map(3).size_local
        self.owned = np.bincount(self.column_of_heat_cell, owned_cells, minlength=self.n) > 0

    def mean(self, nodal: Floats, space: LayerwiseSpace) -> Floats:
        """Volume mean of a nodal array over each column."""
        corner = space.corner_volumes[self.heat_cells] * nodal[space.cell_nodes[self.heat_cells]]
        return np.bincount(self.column_of_heat_cell, corner.sum(axis=1), minlength=self.n) / self.volume


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
    ) -> None:
        self.problem, self.space, self.films = problem, space, tuple(films)
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
        n_cells = len(problem.screening.x.array)
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

    def largest_field(self, layer: str) -> float:
        """Largest H at a film per unit of the drive: 1/m for a current, 1 for an applied field (collective)."""
        k = next(k for k, columns in enumerate(self.columns) if columns.film.layer == layer)
        peak = self.pattern.peak[self.part(k)] if self.pattern is not None else np.zeros(0)
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
                cell[columns.parent_cells] = pattern.peak[self.part(k)][columns.column_of_heat_cell]
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

    # ---- field and fraction together -------------------------------------------------------------
    def update(self, drive: float, u: Floats, f: Floats, largest: float = 1.0) -> bool | None:
        """Find the normal fractions at a drive, each column keeping its entropy (collective).

        Args:
            drive: A, or A/m of an applied field.
            u: nodal T^2, K^2.
            f: nodal normal fraction that goes with u.
            largest: change of the mean normal fraction of the films that is refused.

        Returns:
            Whether the fractions changed; None: refused, nothing is changed.
        """
        before, start, level = self.fraction, self.pattern, self.level
        depths = self.depths(u)
        laws = [self._law(k, u, f) for k in range(len(self.columns))]
        if self.pattern is None or not self._rests(self.pattern, drive, depths, laws):
            known = self._recall(drive, depths, laws)
            if known is not None and self._rests(known, drive, depths, laws):
                self.saved += 1
                self._take(known)
            else:
                first = known if known is not None else self._solve(self.level, depths)
                self._iterate(first, drive, depths, laws, before, largest)
        if self._mean_change(before, self.fraction) > largest:
            self._restore(start, level)
            return None
        return bool(self.space.comm.allreduce(int((self.fraction != before).any())) > 0)

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

            field = np.asarray((drive * pattern.peak[part] / laws[k].scale) ** 2)
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
            pattern = self._solve(level, depths)
            if self._mean_change(before, expit(level)) > largest:
                break
        pattern.drive, pattern.misfit = drive, self._next(pattern, drive, laws, 1.0)[1]
        if all(pattern is not known for known in self.patterns):
            self.patterns = [*self.patterns, pattern][-PATTERNS_KEPT:]
        self._take(pattern)

    def _restore(self, pattern: Pattern | None, level: Floats) -> None:
        """Go back to an earlier pattern, or to levels whose pattern is not known."""
        if pattern is None:
            self.pattern, self.level = None, level
        else:
            self._take(pattern)

    def _take(self, pattern: Pattern) -> None:
        self.pattern, self.level = pattern, pattern.level
        self.problem.set_screening(self._screening(pattern.level, pattern.depths))
        self.problem.potential.x.array[:] = pattern.potential

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

    def _solve(self, level: Floats, depths: tuple[float, ...]) -> Pattern:
        """Solve the field problem for a pattern."""
        self.problem.solve(self._screening(level, depths))
        per_drive = self.problem.per_drive(self.share)
        peak = np.zeros_like(level)
        for k, columns in enumerate(self.columns):
            field = np.linalg.norm(self.problem.flux_density(columns.reading), axis=1) / MU0 * per_drive
            np.maximum.at(peak[self.part(k)], columns.column_of_reading, field)
        return Pattern(level.copy(), depths, peak, per_drive, self.problem.potential.x.array.copy())
