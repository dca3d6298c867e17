"""Films and field followed in time with eddy currents: the field has a past, so that it is solved in every step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy.special import expit

from fem.constants import MU0
from meshes.arrays import Bools, Floats, Longs
from solvers.errors import ComputationError, StepFailure
from solvers.field.solution import FieldSolution
from solvers.switching.columns import Columns
from solvers.switching.curve import LARGEST_PENETRATION, MARGIN
from solvers.switching.eddy_currents import EddyCurrents
from solvers.switching.equilibrium import LEVEL_LIMIT, Linearised, meet, penetration, screening_slope
from solvers.switching.films import Films
from solvers.switching.pattern import Pattern
from solvers.switching.transition import TransitionLaw

SOLVES_PER_STEP = 20
STARTING = 12.0  # a column at a limit of its level does not feel how its field would answer
NEARLY = 3.0  # times the tolerance: a misfit that is a solution of the step still
DEPTH_TOLERANCE = 1e-3  # relative change of a penetration depth that calls for a new factorisation
NO_FIELD = 1e-12  # (H/Hc(0))^2 that is none: the law of a broadened transition has f = 1/2 at Tc
WEAK_FIELD = 0.01  # share of Hc(0) below which the penetration depth does not matter to a film at rest


class Following:
    """Steps of films and eddy currents together.

    Args:
        films: the films and their field problem.
        eddy: the eddy currents.
        width: eps / (mu0 Hc0^2) of the transition.
        tolerance: mean change of f at which field and fraction agree.
    """

    def __init__(self, films: Films, eddy: EddyCurrents, width: float, tolerance: float) -> None:
        self.films, self.eddy, self.width, self.tolerance = films, eddy, width, tolerance

    def start(self, drive: float, pattern: Pattern) -> Pattern:
        """Start from the quasi-static field of a drive (collective)."""
        field = pattern.solution * pattern.amplitude(drive)
        self.eddy.start_at_rest(drive, field)
        return self._pattern(pattern.level, pattern.depths, field)

    def step(self, drive: float, duration: float, u: Floats, f: Floats, dt: float) -> Pattern:
        """Field and films at the end of a step (collective).

        Args:
            drive: at its end, A or A/m.
            duration: in which the temperatures of a film may even out, s.
            u: nodal T^2, K^2, (n_local,).
            f: nodal normal fraction, (n_local,).
            dt: time since the last accepted state, s.

        Raises:
            ComputationError: the conductor of the drive is normal.
            StepFailure: field and films do not come to agree.
        """
        depths, past = self._depths(u), self.films.pattern
        if past is not None and np.allclose(past.depths, depths, rtol=DEPTH_TOLERANCE, atol=0.0):
            depths = past.depths  # the matrix may be factored already
        laws = self._laws(duration, u, f)
        above = self._above(depths)
        pattern = self._solve(np.where(above, LEVEL_LIMIT, self.films.level), depths, drive, dt)
        trust, last = LARGEST_PENETRATION, np.inf
        for left in reversed(range(SOLVES_PER_STEP)):
            level, misfit, moved = self._meet(pattern, laws, above, trust)
            if misfit <= self.tolerance or not left:
                break
            trust = trust * 0.6 if moved > 0.8 * last else min(1.5 * trust, LARGEST_PENETRATION)
            last = moved
            pattern = self._solve(level, depths, drive, dt)
        if not misfit < NEARLY * self.tolerance:
            raise StepFailure(f"films and eddy currents do not settle: f is {misfit:.2g} from where it should be")
        pattern.drive, pattern.above = drive, above
        pattern.misfit = self._meet(pattern, laws, above, None)[1]
        return pattern

    def _above(self, depths: tuple[float, ...]) -> Bools:
        """Whether each column of this rank is of a film above Tc, by the penetration depths (m), (n_local,)."""
        above = np.zeros(len(self.films.level), dtype=bool)
        for k, columns in enumerate(self.films.columns):
            above[self.films.part(k)] = np.isinf(depths[self.films.films.index(columns.film)])
        return above

    def rests(self, drive: float, duration: float, u: Floats, f: Floats) -> bool:
        """Whether the films have no reason to change at this drive (collective)."""
        pattern = self.films.pattern
        if pattern is None:
            return False
        laws = self._laws(duration, u, f)
        pairs = zip(self.films.columns, laws, strict=True)
        weak = all(self.films.largest_field(c.film.layer, drive) < WEAK_FIELD * law.scale for c, law in pairs)
        depths = self._depths(u)
        if not weak and not np.allclose(pattern.depths, depths, rtol=DEPTH_TOLERANCE, atol=0.0):
            return False
        if not np.array_equal(np.isinf(pattern.depths), np.isinf(depths)):  # a film has passed Tc
            return False
        change = self._meet(pattern, laws, self._above(depths), None)[1]
        return change <= self.tolerance or (pattern.drive == drive and change <= 1.1 * pattern.misfit)

    def _depths(self, u: Floats) -> tuple[float, ...]:
        """Penetration depth of each film at its mean temperature, m (collective).

        Raises:
            ComputationError: the conductor of the drive is normal.
        """
        out = []
        for film, T in zip(self.films.films, self.films.equilibrium.temperatures(u), strict=True):
            depth = float(film.material.penetration_depth(T))
            if not film.switches and not np.isfinite(depth):
                raise ComputationError(f"{film.layer}: at {T:.4g} K it is normal, so that no supercurrent passes it")
            out.append(depth)
        return tuple(out)

    def _laws(self, duration: float, u: Floats, f: Floats) -> list[TransitionLaw]:
        films, equilibrium = self.films, self.films.equilibrium
        out = []
        for k, columns in enumerate(films.columns):
            material, mine = films.materials[columns.film.layer], equilibrium.numbers.film == k
            entropy, even = equilibrium.entropy(k, duration, u, f, material)
            fraction = films.everywhere(films.fraction)[mine]
            shift = float(np.average(fraction, weights=equilibrium.numbers.volume[mine])) - fraction if even else 0.0
            out.append(
                TransitionLaw(material, entropy, self.width, films.film_thickness(columns.film), np.asarray(shift))
            )
        return out

    def _meet(
        self, pattern: Pattern, laws: Sequence[TransitionLaw], above: Bools, trust: float | None
    ) -> tuple[Floats, float, float]:
        """Levels of this rank's columns at which field and laws meet, from a pattern solved last (collective).

        Args:
            pattern: levels, and the field that goes with them.
            laws: of each film.
            above: columns of this rank that are above Tc.
            trust: largest change of a penetration; None: no matter, the answer of the field is only estimated.

        Returns:
            The levels, and mean changes: the larger one of f and the penetrated share, and that of the share.
        """
        films, numbers = self.films, self.films.equilibrium.numbers
        own = np.array([pattern.depths[films.films.index(c.film)] for c in films.columns])
        half = np.array([0.5 * c.film.thickness for c in films.columns])
        hot = films.everywhere(above.astype(np.float64)) > 0.5
        ratio = np.where(hot, 1.0, (half / np.where(np.isinf(own), 1.0, own))[numbers.film])
        limit = STARTING + 2.0 * np.log(np.maximum(ratio, 1.0))
        old = np.clip(films.everywhere(pattern.level), -STARTING, limit)

        def law(y: Floats) -> tuple[Floats, Floats]:
            value, rise = np.empty_like(y), np.empty_like(y)
            for k, each in enumerate(laws):
                mine = numbers.film == k
                value[mine], rise[mine] = each.with_slope(y[mine])
            return value, rise

        field = self._field(pattern, laws)
        squares, goal = field.squared(np.zeros(numbers.n)), law(old)[0]
        none = squares < NO_FIELD
        rest = hot | none | ((old <= -STARTING) & (squares < (1 - MARGIN) * goal))
        rest |= (old >= limit) & (squares > (1 + MARGIN) * goal)
        if trust is not None and not rest.all():
            slopes = screening_slope(old, ratio, half[numbers.film] / ratio)
            field = self._answering(field, pattern, laws, np.flatnonzero(~rest), slopes)
        accepted = films.everywhere(films.level)
        up, down = films.hysteresis or (1.0, 1.0)
        least = np.array([law.slope for law in laws])[numbers.film]
        new = []
        for factor in {up, down}:

            def limited(y: Floats, factor: float = factor) -> tuple[Floats, Floats]:
                value, rise = law(y)
                return factor**2 * value, factor**2 * rise

            new.append(meet(field, old, limited, factor**2 * least, ratio, 1.0 if trust is None else trust))
        # Between the two limits of a transition with hysteresis a column stays as it was.
        level = np.clip(accepted, np.minimum(*new), np.maximum(*new)) if len(new) == 2 else new[0]
        level = np.where(hot, LEVEL_LIMIT, np.where(none, -LEVEL_LIMIT, level))
        weight = numbers.volume / max(float(numbers.volume.sum()), 1e-300)
        change = float(weight @ np.abs(expit(level) - expit(old)))
        moved = float(weight @ np.abs(penetration(level, ratio) - penetration(old, ratio)))
        return films.here(level), max(change, moved), moved

    def _field(self, pattern: Pattern, laws: Sequence[TransitionLaw]) -> Linearised:
        """Field where the films' is read, over Hc(0).

        It is taken to fall by Hc(0)^2 as a column is penetrated.
        """
        numbers = self.films.equilibrium.numbers
        local = [numbers.local[k][c.column_of_reading[_owned(c)]] for k, c in enumerate(self.films.columns)]
        column = np.concatenate(local) if local else np.zeros(0, dtype=np.int64)
        vectors = self._read(pattern.solution, pattern, laws)
        slopes = np.zeros((len(vectors), 3, numbers.n))
        squares = np.maximum((vectors**2).sum(axis=1), NO_FIELD)
        slopes[np.arange(len(vectors)), :, column] = -0.5 * vectors / squares[:, None]
        return Linearised(vectors, slopes, column, numbers.n, self.films.space.comm)

    def _answering(
        self, field: Linearised, pattern: Pattern, laws: Sequence[TransitionLaw], moving: Longs, slopes: Floats
    ) -> Linearised:
        """The same with its true answer to the penetrations of columns that move (collective).

        Args:
            field: see `_field`.
            pattern: with the field solved last.
            laws: of each film.
            moving: numbers of the columns.
            slopes: d screening / d penetration of every column, 1/m^2, (n,).
        """
        cells = self.films.equilibrium.numbers.cells(self.films.columns)
        answers = np.zeros_like(field.slopes)
        derivatives = self.eddy.problem.response([cells[j] for j in moving], slopes[moving])
        for j, derivative in zip(moving, derivatives, strict=True):
            answers[:, :, j] = self._read(derivative, pattern, laws)
        return replace(field, slopes=answers)

    def _read(self, solution: FieldSolution, pattern: Pattern, laws: Sequence[TransitionLaw]) -> Floats:
        """Field of a solution where the films' is read, over Hc(0), (n_rows, 3)."""
        scale = pattern.amplitude(1.0) / MU0
        parts = [
            solution.flux_density(c.reading[_owned(c)]) * (scale / law.scale)
            for c, law in zip(self.films.columns, laws, strict=True)
        ]
        return np.concatenate(parts) if parts else np.zeros((0, 3))

    def _solve(self, level: Floats, depths: tuple[float, ...], drive: float, dt: float) -> Pattern:
        """The field after a step in which the eddy currents follow a pattern and the drive."""
        self.eddy.set_cells(self.films.screening(level, depths), self.films.normal(level, depths))
        return self._pattern(level, depths, self.eddy.solve(drive, dt))

    def _pattern(self, level: Floats, depths: tuple[float, ...], solution: FieldSolution) -> Pattern:
        peak = np.zeros_like(level)
        for k, columns in enumerate(self.films.columns):
            field = np.linalg.norm(solution.flux_density(columns.reading), axis=1) / MU0
            np.maximum.at(peak[self.films.part(k)], columns.column_of_reading, field)
        return Pattern(np.clip(level, -LEVEL_LIMIT, LEVEL_LIMIT), depths, peak, None, known=solution)


def _owned(columns: Columns) -> Bools:
    """Which of the cells where a film's field is read are of columns of this rank, (n_cells,)."""
    return np.asarray(columns.owned[columns.column_of_reading])
