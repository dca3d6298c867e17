"""The equilibrium of the films in the field: the normal fraction of every column against the drive, solved once.

A column is normal where its field exceeds the transition field of the film, and its field falls as flux penetrates it:
in equilibrium the two are equal wherever it is partly normal (intermediate state). All that depends on temperature is
the transition field, and the field is linear in the drive. So the state of a film is a function of one number, the
*reduced drive*: the drive times H(0)/H(T), with H(T) the transition field, at which a film at T = 0 would be in that
state. It is solved at fixed reduced drives, each time from the one below, when a run first comes near, and between them
f is a straight line. So there is one answer, whatever way a run took, stopped and resumed or not.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from fem.constants import MU0
from meshes.arrays import Floats, Ints, Longs
from solvers.errors import StepFailure
from solvers.field.drives import TransportCurrent
from solvers.field.problem import FieldProblem
from solvers.field.response import ScreeningResponse
from solvers.field.solution import FieldSolution
from solvers.switching.columns import Columns
from solvers.switching.equilibrium import LEVEL_LIMIT, Linearised, meet, penetration, screening_slope
from solvers.switching.numbering import ColumnNumbers

# Relative distance of the drives at which the equilibrium is solved.
STEP = 0.03
SOLVES = 25  # of the field, for one of them
DETOUR = (0.25, 0.5, 0.75, 1.0)  # parts of a step that are taken one by one if it does not settle at once
LARGEST_PENETRATION = 0.2  # change of a column's penetrated share that a linear response is trusted for
NEARLY = 0.1  # part of the films that may leave the wholly normal state and be found from there
RESTING, MARGIN = 11.0, 0.1  # level and relative distance of the squared field of columns that do not move
ENTRIES = 12  # cells of a column that can become the one of largest field


@dataclass(frozen=True)
class Node:
    """The equilibrium at one reduced drive.

    Attributes:
        level: logit of f of every column, (n,).
        peak: H at the columns over the drive, 1/m or 1, (n,).
        extra: what the observer made of the field, per unit of the drive.
    """

    level: Floats
    peak: Floats
    extra: Floats


@dataclass(frozen=True)
class Thresholds:
    """What the films need to become normal: at T = 0, or in the same ratio where they differ in temperature.

    Attributes:
        field: transition field of each film (of its thickness), A/m, (n_films,); only their ratios and the scale of
            the reduced drive depend on it.
        perpendicular: the same over the critical field of the bulk: a field across the film counts so many times.
        slope: 2 eps/mu0 over the squared transition field: of (H/field)^2 in the logit of f, (n_films,).
        ratio: half the thickness over the penetration depth, (n_films,).
        depth: penetration depth, m, (n_films,).
    """

    field: Floats
    perpendicular: Floats
    slope: Floats
    ratio: Floats
    depth: Floats


class TransitionCurve:
    """Levels of all columns against the reduced drive, at given penetration depths.

    Args:
        problem: the field problem.
        columns: of the films that switch.
        numbers: of those columns.
        thresholds: of the films.
        screening: of every local cell, 1/m^2, for given levels of all columns, (n,).
        share: part of the device's current that the mesh carries.
        tolerance: mean change of f at which field and fraction agree.
        observer: makes numbers of a field per unit of the drive, to be interpolated; the same on all ranks.

    Attributes:
        solves: how many fields were solved.
    """

    def __init__(
        self,
        problem: FieldProblem,
        columns: Sequence[Columns],
        numbers: ColumnNumbers,
        thresholds: Thresholds,
        screening: Callable[[Floats], Floats],
        share: float,
        tolerance: float,
        observer: Callable[[FieldSolution, float], Floats],
    ) -> None:
        self.problem, self.columns, self.numbers = problem, tuple(columns), numbers
        self.screening, self.share, self.tolerance, self.observer = screening, share, tolerance, observer
        film = numbers.film
        self.slope, self.ratio = thresholds.slope[film], thresholds.ratio[film]
        self._depth, self._fields = thresholds.depth[film], thresholds.field
        self._perpendicular = thresholds.perpendicular
        deciding = [np.zeros(0, dtype=np.int32), *(c.deciding for c in columns)]
        self._response = ScreeningResponse(problem, np.concatenate(deciding))
        self._nodes: dict[int, Node] = {}
        self._pure: dict[float, tuple[Floats, Floats, Floats]] = {}
        self.solves = 0

    # ---- what the curve says ---------------------------------------------------------------------
    def transition_field(self, k: int) -> float:
        """Transition field that film k has on this curve, A/m."""
        return float(self._fields[k])

    def node(self, k: int) -> Node:
        """The equilibrium at reduced drive (1 + STEP)^k, solved if it is not known yet (collective).

        Raises:
            StepFailure: field and fraction do not settle.
        """
        if k not in self._nodes:
            self._nodes[k] = self._solve(k)
        return self._nodes[k]

    def at(self, drive: Floats) -> tuple[Floats, Floats]:
        """Fraction and H per drive (1/m or 1) of every column at reduced drives of its own, (n,) each (collective).

        Args:
            drive: of each column, A or A/m, (n,); the same on all ranks. Infinite: normal.
        """
        fraction, peak = np.where(np.isinf(drive), 1.0, 0.0), np.zeros(len(drive))
        inside = np.isfinite(drive) & (drive > 0.0)
        place = np.zeros(len(drive))
        place[inside] = np.log(drive[inside]) / math.log1p(STEP)
        for k in np.unique(np.floor(place[inside]).astype(np.int64)):
            here = inside & (np.floor(place) == k)
            low, high = self.node(int(k)), self.node(int(k) + 1)
            weight = place[here] - k
            fraction[here] = (1 - weight) * expit(low.level[here]) + weight * expit(high.level[here])
            peak[here] = (1 - weight) * low.peak[here] + weight * high.peak[here]
        peak[~inside] = self._wholly(LEVEL_LIMIT)[1][~inside] if (~inside).any() else 0.0
        return fraction, peak

    def observed(self, drive: float) -> Floats:
        """What the observer saw, per unit of the drive, at a reduced drive (collective)."""
        if drive == 0.0 or math.isinf(drive):
            return self._wholly(LEVEL_LIMIT if drive else -LEVEL_LIMIT)[2]
        place = math.log(drive) / math.log1p(STEP)
        k = math.floor(place)
        return np.asarray((k + 1 - place) * self.node(k).extra + (place - k) * self.node(k + 1).extra)

    # ---- solving ---------------------------------------------------------------------------------
    def _wholly(self, level: float) -> tuple[Floats, Floats, Floats]:
        """Per drive, in one of both states: squared field of all columns over that of transition, their H, observed."""
        if level not in self._pure:
            field, peak, extra = self._look(np.full(self.numbers.n, level))
            self._pure[level] = (field.squared(np.zeros(self.numbers.n)), peak, extra)
        return self._pure[level]

    def _solve(self, k: int) -> Node:
        drive = (1.0 + STEP) ** k
        for level in (-LEVEL_LIMIT, LEVEL_LIMIT):
            squares, peak, extra = self._wholly(level)
            implied = np.clip((squares * drive**2 - 1.0) / self.slope, -LEVEL_LIMIT, LEVEL_LIMIT)
            # The tail of the law is too small to change the field.
            if float((self.numbers.volume * np.abs(expit(implied) - expit(level))).sum()) < 1e-4 * self._total:
                return Node(implied, peak, extra)
        leaving = squares * drive**2 < 1.0
        if float(self.numbers.volume[leaving].sum()) < NEARLY * self._total:
            start: Floats = np.full(self.numbers.n, LEVEL_LIMIT)
        else:
            start = self.node(k - 1).level
        node, misfit = self._iterate(start, drive)
        for part in DETOUR if misfit >= self.tolerance else ():  # nearer starts, if the step was too long
            node, misfit = self._iterate(start, (1.0 + STEP) ** (k - 1 + part))
            start = node.level
        if not misfit < self.tolerance:
            raise StepFailure(
                f"films: f is still {misfit:.2g} from equilibrium after {SOLVES} fields at a drive of {drive:.4g} for "
                f"T = 0 (solver.fraction_tolerance = {self.tolerance:g})"
            )
        return node

    @property
    def _total(self) -> float:
        return float(self.numbers.volume.sum())

    def _iterate(self, level: Floats, drive: float) -> tuple[Node, float]:
        """Solve the field and let levels and field meet, until they agree (collective).

        Returns:
            The last state, and the mean change of f or of the penetrated share that led to it.
        """
        trust, last, weight = LARGEST_PENETRATION, np.inf, self.numbers.volume / self._total
        # A column at a limit of its level does not feel how its field would answer.
        level = np.clip(level, -12.0, 12.0)
        for _ in range(SOLVES):
            field, peak, extra = self._look(level, drive)
            new = meet(field, level, lambda y: (1.0 + self.slope * y, self.slope), self.slope, self.ratio, trust)
            change = float((weight * np.abs(expit(new) - expit(level))).sum())
            moved = float((weight * np.abs(penetration(new, self.ratio) - penetration(level, self.ratio))).sum())
            level = new
            if max(change, moved) < self.tolerance:
                break
            trust = trust * 0.6 if moved > 0.8 * last else min(1.5 * trust, LARGEST_PENETRATION)
            last = moved
        return Node(level, peak, extra), max(change, moved)

    def _look(self, level: Floats, drive: float | None = None) -> tuple[Linearised, Floats, Floats]:
        """Solve the field at levels; with a drive, how it answers to them as well (collective).

        Returns:
            The field in the cells that decide (per drive without one), H of the columns per drive, and observed.
        """
        solution = self.problem.solve(self.screening(level))
        self.solves += 1
        per_drive = solution.per_drive(self.share)
        amplitude = per_drive * (1.0 if drive is None else drive)
        scaled = [self._scaled(solution.flux_density(c.deciding), k) * amplitude for k, c in enumerate(self.columns)]
        column = [self.numbers.local[k][c.deciding_column] for k, c in enumerate(self.columns)]
        rows, owner = self._largest(np.concatenate(scaled), np.concatenate(column))
        vectors = np.concatenate(scaled)[rows]
        slopes = np.zeros((len(rows), 3, self.numbers.n))
        if drive is not None:
            squares = Linearised(vectors, slopes, owner, self.numbers.n, self.problem.comm).squared(np.zeros(1))
            # Columns far within one of the states do not move.
            rest = ((level <= -RESTING) & (squares < 1 - MARGIN)) | ((level >= RESTING) & (squares > 1 + MARGIN))
            moving = np.flatnonzero(~rest)
            cells, change = self.numbers.cells(self.columns), screening_slope(level, self.ratio, self._depth)
            derivatives, energies = self._response.of(solution, [cells[j] for j in moving], change[moving])
            parts = np.split(derivatives, np.cumsum([len(c.deciding) for c in self.columns])[:-1], axis=1)
            every = np.concatenate([self._scaled(part, k) for k, part in enumerate(parts)], axis=1)
            for j, derivative, energy in zip(moving, every, energies, strict=True):
                # The current of a unit phase difference is twice its energy.
                slopes[:, :, j] = amplitude * derivative[rows] - (energy * vectors if self._is_current else 0.0)
        peaks = [np.zeros(c.n) for c in self.columns]
        for k, c in enumerate(self.columns):
            largest = np.linalg.norm(solution.flux_density(c.reading), axis=1) * abs(per_drive) / MU0
            np.maximum.at(peaks[k], c.column_of_reading, largest)
        peak = self.numbers.gather(self.columns, peaks)
        return (
            Linearised(vectors, slopes, owner, self.numbers.n, self.problem.comm),
            peak,
            self.observer(solution, per_drive),
        )

    def _scaled(self, flux: Floats, k: int) -> Floats:
        """H over the transition field of film k, across the film times `perpendicular`, from B in its deciding cells.

        Args:
            flux: B in tesla, (..., n_deciding, 3).
            k: number of the film.
        """
        field = np.asarray(flux / (MU0 * self.transition_field(k)), dtype=np.float64)
        field[..., 2] *= self._perpendicular[k]
        field[..., self.columns[k].beside, :2] = 0.0
        return field

    def _largest(self, vectors: Floats, column: Longs) -> tuple[Ints, Longs]:
        """Rows that matter, the largest of each column of this rank, and their columns."""
        owned = (
            np.concatenate([c.owned[c.deciding_column] for c in self.columns]) if self.columns else np.zeros(0, bool)
        )
        rows = np.flatnonzero(owned)
        order = np.lexsort((-(vectors[rows] ** 2).sum(axis=1), column[rows]))
        rows = rows[order]
        first = np.searchsorted(column[rows], column[rows])
        rows = rows[np.arange(len(rows)) - first < ENTRIES]
        return rows.astype(np.int32), column[rows]

    @property
    def _is_current(self) -> bool:
        """Whether the unit drive is a phase difference, of which the energy tells the current."""
        return isinstance(self.problem.drive, TransportCurrent)
