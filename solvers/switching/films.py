"""The superconducting films of a stack, column by column, and the state that they are in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from mpi4py import MPI
from scipy.special import expit

from fem.spaces.layerwise import LayerwiseSpace
from meshes.arrays import Floats
from solvers.field.problem import FieldProblem
from solvers.field.solution import FieldSolution
from solvers.switching.columns import Columns, Film
from solvers.switching.equilibrium import LEVEL_LIMIT, level_fraction
from solvers.switching.film_equilibrium import FilmEquilibrium
from solvers.switching.pattern import Pattern


class Films:
    """Films, their columns and their present state.

    Args:
        problem: the field problem.
        space: the heat space on the same mesh.
        films: all superconducting layers.
        share: part of the device's current that the mesh carries (1/2 on a quarter model).
        transition_width: eps / (mu0 Hc0^2) of the transition.
        film_transition: whether thin films have the higher transition field of their thickness.
        hysteresis: transition fields over Hc on the way up (>= 1) and down (<= 1), or None.
        tolerance: mean change of f at which field and fraction agree.
        observer: numbers to be known of each field, per unit of the drive (`observed`), the same on all ranks; None:
            none.
        nothing: what the observer sees where there is no field.

    Attributes:
        materials: those of the films' layers in the heat problem; they change with the field where nuclear spins count.
        pattern: the accepted state; None: no field, no film has switched.
        equilibrium: of films and field.
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
        observer: Callable[[FieldSolution, float], Floats] | None = None,
        nothing: Floats | None = None,
    ) -> None:
        self.problem, self.space, self.films = problem, space, tuple(films)
        self.hysteresis = hysteresis
        self.materials = {film.layer: film.material for film in films}
        screened = problem.tagged.cells(*(film.group for film in films))
        self.columns = [Columns(film, problem, space, screened) for film in films if film.switches]
        self._slices = np.cumsum([0, *(c.n for c in self.columns)])
        self._film_cells = [problem.tagged.cells(film.group) for film in films]
        self.pattern: Pattern | None = None
        self._observer = observer or (lambda solution, per_drive: np.zeros(0))
        self.equilibrium = FilmEquilibrium(
            problem,
            space,
            films,
            self.columns,
            lambda level, depths: self.screening(self.here(level), depths),
            share,
            transition_width,
            film_transition,
            hysteresis,
            tolerance,
            self._observer,
            np.zeros(0) if nothing is None else nothing,
        )
        self.width = transition_width

    @property
    def level(self) -> Floats:
        """Logit of f of every column of every switching film on this rank, concatenated."""
        return np.full(self._slices[-1], -LEVEL_LIMIT) if self.pattern is None else self.pattern.level

    @property
    def fraction(self) -> Floats:
        """Normal fraction of every column of every switching film on this rank, concatenated."""
        return level_fraction(self.level)

    # ---- states ----------------------------------------------------------------------------------
    def set_spin_field(self, fields: Mapping[str, float]) -> None:
        """Let the nuclear spins of these layers be in these fields (T) from now on; layers without a film are left."""
        for name in fields.keys() & self.materials.keys():
            self.materials[name] = replace(self.materials[name], spin_field=fields[name])

    def part(self, k: int) -> slice:
        """Place of switching film k in the concatenated columns."""
        return slice(int(self._slices[k]), int(self._slices[k + 1]))

    def here(self, values: Floats) -> Floats:
        """Values of all columns, as those of this rank's."""
        local = self.equilibrium.numbers.local
        return np.concatenate([values[numbers] for numbers in local]) if local else np.zeros(0)

    def everywhere(self, values: Floats) -> Floats:
        """Values of this rank's columns, as those of all columns (collective)."""
        parts = [values[self.part(k)] for k in range(len(self.columns))]
        return self.equilibrium.numbers.gather(self.columns, parts)

    def largest_field(self, layer: str, drive: float) -> float:
        """Largest H at a film at a drive (with eddy currents: at present), A/m (collective)."""
        if self.pattern is None:
            return 0.0
        k = next(k for k, columns in enumerate(self.columns) if columns.film.layer == layer)
        peak = abs(self.pattern.amplitude(drive)) * self.pattern.peak[self.part(k)]
        return float(self.space.comm.allreduce(float(peak.max(initial=0.0)), op=MPI.MAX))

    def cell_fraction(self) -> Floats:
        """Normal fraction of every local cell: 1 outside superconductors."""
        cell = np.ones(self.problem.n_cells)
        for film in self.films:
            cell[self.problem.tagged.cells(*film.groups)] = 0.0
        for k, columns in enumerate(self.columns):
            cell[columns.parent_cells] = self.fraction[self.part(k)][columns.column_of_heat_cell]
        return cell

    def nodal_fraction(self, u: Floats, f: Floats) -> Floats:
        """Normal fraction at the nodes of the heat space, for its laws: 1 outside superconductors (collective).

        Above Tc both states have the same laws but for the zero of their energies, which are counted from T = 0: a
        node there keeps the fraction that it has, so that no condensation energy is booked where there is none.

        Args:
            u: T^2, K^2, (n_local,).
            f: normal fraction that the nodes have, (n_local,).
        """
        cell, pattern = self.cell_fraction(), self.pattern
        hot = np.zeros(len(u), dtype=bool)
        for k, columns in enumerate(self.columns):
            if pattern is not None and pattern.drive == 0.0 and pattern.above is not None:
                # Normal for its temperature, not for a field: what of it is below Tc is superconducting.
                cell[columns.parent_cells[pattern.above[self.part(k)][columns.column_of_heat_cell]]] = 0.0
            nodes = self.space.nodes(columns.film.layer)
            hot[nodes] = u[nodes] >= (columns.film.material.critical_temperature or 0.0) ** 2
        return np.where(hot, f, np.clip(self.space.from_cells(cell), 0.0, 1.0))

    def nodal_field(self, pattern: Pattern | None) -> Floats:
        """H of the columns at the nodes of the films, per unit of the drive, by a pattern or the present one.

        1/m for a current, 1 for an applied field; 0 outside the films that switch (collective).
        """
        pattern = pattern or self.pattern
        cell = np.zeros(self.problem.n_cells)
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

    def observed(self, drive: float) -> Floats:
        """What the observer sees in the present field (collective)."""
        if self.pattern is None:
            return np.zeros(0)
        if self.pattern.observed is None:
            return self._observer(self.pattern.solution, 1.0)
        return np.asarray(abs(drive) * self.pattern.observed)

    def film_thickness(self, film: Film) -> float | None:
        """Thickness (m) that raises the transition field of a film; None: it has that of the bulk."""
        return film.thickness if self.equilibrium.film_transition else None

    # ---- cells -----------------------------------------------------------------------------------
    def screening(self, level: Floats, depths: tuple[float, ...]) -> Floats:
        """(1 - f) / lambda^2 of every local cell, 1/m^2."""
        screening = np.zeros(self.problem.n_cells)
        switching = {columns.film.layer: k for k, columns in enumerate(self.columns)}
        for film, cells, depth in zip(self.films, self._film_cells, depths, strict=True):
            screening[cells] = 1.0 / depth**2
            if film.layer in switching:
                k = switching[film.layer]
                screening[cells] *= expit(-level[self.part(k)])[self.columns[k].column_of_cell]
        return screening

    def normal(self, level: Floats, depths: tuple[float, ...]) -> Floats:
        """Share of every local cell that conducts as a normal metal does: all of it above Tc, whatever the level."""
        normal = np.ones(self.problem.n_cells)
        for cells in self._film_cells:
            normal[cells] = 0.0
        for k, columns in enumerate(self.columns):
            normal[columns.cells] = expit(level[self.part(k)])[columns.column_of_cell]
        for cells, depth in zip(self._film_cells, depths, strict=True):
            if np.isinf(depth):
                normal[cells] = 1.0
        return normal
