"""Films and field followed in time with eddy currents: the field has a past, so that it is solved in every step."""

from __future__ import annotations

import numpy as np
from scipy.special import expit

from fem.constants import MU0
from meshes.arrays import Bools, Floats
from solvers.errors import ComputationError, StepFailure
from solvers.field.solution import FieldSolution
from solvers.switching.eddy_currents import EddyCurrents
from solvers.switching.equilibrium import LEVEL_LIMIT
from solvers.switching.films import Films
from solvers.switching.pattern import Pattern
from solvers.switching.transition import TransitionLaw

# The field of a column, squared, over Hc(0)^2, is taken to fall by PENETRATION_RESPONSE while flux penetrates it and
# by LEVEL_RESPONSE for each unit of level between -3 and 3. Too small oscillates, too large is slow: both grow by
# STIFFEN whenever an iteration does not bring the pattern closer to rest.
PENETRATION_RESPONSE, LEVEL_RESPONSE, STIFFEN = 1.0, 0.1, 1.5
SOLVES_PER_STEP = 20
UNSETTLED = 0.1  # mean misfit of f that is no solution of the step any more
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
        stiff, last = 1.0, np.inf
        for _ in range(SOLVES_PER_STEP):
            level, change = self._next(pattern, laws, stiff)
            if change <= self.tolerance:
                break
            if change > 0.8 * last:
                stiff *= STIFFEN
                level, change = self._next(pattern, laws, stiff)
            last = change
            pattern = self._solve(level, depths, drive, dt)
        pattern.drive, pattern.misfit = drive, self._next(pattern, laws, 1.0)[1]
        pattern.above = above
        if not pattern.misfit < max(UNSETTLED, 10 * self.tolerance):
            raise StepFailure(
                f"films and eddy currents do not settle: f is {pattern.misfit:.2g} from where it should be"
            )
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
        change = self._next(pattern, laws, 1.0)[1]
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
            local = equilibrium.numbers.local[k] - int(np.argmax(mine))
            out.append(
                TransitionLaw(
                    material,
                    entropy[local],
                    self.width,
                    films.film_thickness(columns.film),
                    np.broadcast_to(shift, entropy.shape)[local],
                )
            )
        return out

    def _next(self, pattern: Pattern, laws: list[TransitionLaw], stiff: float) -> tuple[Floats, float]:
        """Levels that the field of a pattern asks for, and how far they are from the pattern's (collective)."""
        films, numbers = self.films, self.films.equilibrium.numbers
        up, down = films.hysteresis or (1.0, 1.0)
        new, moved = np.empty_like(pattern.level), np.empty_like(pattern.level)
        for k, columns in enumerate(films.columns):
            part, film = films.part(k), columns.film
            ratio = (film.thickness / (2 * pattern.depths[films.films.index(film)])) ** 2
            old = pattern.level[part]
            if ratio == 0.0:  # above Tc there is nothing to switch
                new[part], moved[part] = LEVEL_LIMIT, 0.0
                continue

            def response(y: Floats, ratio: float = ratio) -> Floats:
                # Share of the flux that has penetrated: 1 / (1 + (1 - f) (d / 2 lambda)^2).
                penetrated = 1.0 / (1.0 + ratio * expit(-y))
                return np.asarray(stiff * (PENETRATION_RESPONSE * penetrated + LEVEL_RESPONSE * np.clip(y, -3.0, 3.0)))

            field = np.asarray((pattern.amplitude(1.0) * pattern.peak[part] / laws[k].scale) ** 2)
            rising = laws[k].level(field / up**2, old, response)
            falling = rising if up == down else laws[k].level(field / down**2, old, response)
            # Between the two limits of a transition with hysteresis a column stays as it was.
            new[part] = np.where(field < NO_FIELD, -LEVEL_LIMIT, np.clip(films.level[part], rising, falling))
            moved[part] = np.abs(expit(new[part]) - expit(old))
            moved[part] += 0.5 * np.abs(response(new[part]) - response(old)) / (stiff * PENETRATION_RESPONSE)
        every = films.everywhere(moved)
        return new, float(numbers.volume @ every) / max(float(numbers.volume.sum()), 1e-300)

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
