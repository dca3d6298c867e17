"""The transition of a column of superconductor between its two states: level against field, with or without loss."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.special import expit

from fem.constants import MU0
from fem.materials.material import Material
from meshes.arrays import Bools, Floats

# The level of a column is y = logit f; beyond the limit f is 0 or 1 to round-off.
LEVEL_LIMIT = 40.0
# Steps in which a transition with loss is followed: energies within 0.1 %, of second order.
LOSS_STEPS = 16
# Less than this is left to switch: the temperature stands still.
COMPLETE = 1e-6


class TransitionLaw:
    """At which field a column of a given entropy has a given normal fraction.

    H(y)^2 = Hc(T)^2 + 2 eps / mu0 * y with y = logit f and T = T(s, f): as f grows at constant entropy the column
    cools and Hc rises, so that H grows with y.

    Args:
        material: a superconductor.
        entropy: of each column, J m^-3 K^-1, (n,).
        width: eps / (mu0 Hc(0)^2).
        thickness: of the film in metres for its transition field, or None for the bulk.

    Attributes:
        scale: Hc(0), A/m; fields are used as squares over scale^2.
    """

    GRID = np.linspace(-20.0, 20.0, 161)

    def __init__(self, material: Material, entropy: Floats, width: float, thickness: float | None) -> None:
        self.scale = float(material.critical_field(0.0))
        self.slope = 2.0 * width
        temperature = material.temperature_from_entropy(
            np.broadcast_to(entropy, (len(self.GRID), len(entropy))), expit(self.GRID)[:, None]
        )
        field = material.critical_field(temperature)
        if thickness is not None:
            field = field * material.film_critical_field_factor(thickness, temperature)
        self._critical = (np.asarray(field) / self.scale) ** 2

    def squared_field(self, y: Floats) -> Floats:
        """(H / scale)^2 at which the columns have level y, (n,)."""
        place = np.clip((y - self.GRID[0]) / (self.GRID[1] - self.GRID[0]), 0, len(self.GRID) - 1.000001)
        k = place.astype(np.int64)
        weight, column = place - k, np.arange(len(y))
        critical = (1 - weight) * self._critical[k, column] + weight * self._critical[k + 1, column]
        return np.asarray(critical + self.slope * y)

    def level(self, field: Floats, old: Floats, response: Callable[[Floats], Floats]) -> Floats:
        """Levels at which law and field meet if the field falls by `response` as the level grows (by bisection).

        Args:
            field: (H / scale)^2 at the old levels, (n,).
            old: old levels, (n,).
            response: fall of (H / scale)^2 with the level, up to a constant.
        """
        low, high = np.full_like(old, -LEVEL_LIMIT), np.full_like(old, LEVEL_LIMIT)
        return bisect(lambda y: self.squared_field(y) + response(y), field + response(old), low, high)


def bisect(law: Callable[[Floats], Floats], goal: Floats, low: Floats, high: Floats) -> Floats:
    """Where an increasing law of each column passes its goal, between low and high, to 80 / 2^45; all (n,)."""
    for _ in range(45):
        middle = 0.5 * (low + high)
        above = law(middle) > goal
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    return np.asarray(0.5 * (low + high))


@dataclass(frozen=True)
class Branch:
    """A transition with loss, step by step.

    Attributes:
        temperature: K, (m, n).
        field: squared field (A/m)^2 that brought it there, never turning back, (m, n).
    """

    temperature: Floats
    field: Floats


def fractions_between(start: Floats, end: Floats) -> Floats:
    """Fractions from start to end (n,), denser where little is normal: there the temperature changes most; (m, n)."""
    weight = np.linspace(0.0, 1.0, LOSS_STEPS + 1)[:, None]
    return np.asarray(((1.0 - weight) * np.sqrt(start) + weight * np.sqrt(end)) ** 2)


def lossy_branch(
    material: Material,
    entropy: Floats,
    fraction: Floats,
    eta: float,
    rising: bool,
    thickness: float | None,
    reached: Floats | None = None,
) -> Branch:
    """Follow columns, thermally insulated, through a transition that takes place at eta times the critical field.

    Per volume that switches mu0/2 |H^2 - Hc(T)^2| is dissipated in the column itself: de = T ds + ... with
    T ds = mu0/2 |H^2 - Hc^2| df. A column that heats needs less field than the one that it is in: H stays and the rest
    switches at once. In a thin film H stands for the applied field over the factor by which the film raises Hc, since
    its magnetic energy is lower by the square of that factor.

    Args:
        material: a superconductor.
        entropy: at the start, J m^-3 K^-1, (n,).
        fraction: normal fractions on the way, (m, n), monotone.
        eta: transition field over Hc(T).
        rising: towards the normal state.
        thickness: of the film in metres for its transition field, or None for the bulk.
        reached: squared field, (A/m)^2, that it is in already on its way, (n,); NaN: not on its way.
    """
    way = _LossyWay(material, eta, rising, thickness)
    T = material.temperature_from_entropy(entropy, fraction[0])
    field = way.needed(T)
    if reached is not None:
        field = np.where(np.isnan(reached), field, way.further(field, reached))
    temperatures, fields = [T], [field]
    for old, new in pairwise(list(fraction)):
        T = way.step(T, field, np.asarray(old), np.asarray(new))
        field = way.further(field, way.needed(T))
        temperatures.append(T)
        fields.append(field)
    return Branch(np.array(temperatures), np.array(fields))


class _LossyWay:
    """Steps of `lossy_branch`; its arguments."""

    def __init__(self, material: Material, eta: float, rising: bool, thickness: float | None) -> None:
        self.material, self.eta, self.thickness = material, eta, thickness
        self.further = np.maximum if rising else np.minimum
        self.ground = material.critical_field(0.0) ** 2

    def laws(self, T: Floats) -> tuple[Floats, Floats]:
        """Squared critical field of the bulk, and squared factor of the film."""
        factor = 1.0 if self.thickness is None else self.material.film_critical_field_factor(self.thickness, T)
        return self.material.critical_field(T) ** 2, np.broadcast_to(factor, T.shape) ** 2

    def needed(self, T: Floats) -> Floats:
        """Squared field at which a column of this temperature goes on."""
        critical, factor = self.laws(T)
        return np.asarray(self.eta**2 * factor * critical)

    def loss(self, T: Floats, field: Floats) -> Floats:
        """Dissipation per volume that switches, J/m^3; none above Tc, where the states do not differ."""
        if self.eta == 1.0:
            return np.zeros_like(T)
        critical, factor = self.laws(T)
        reached = self.further(field, self.eta**2 * factor * critical) / factor
        return np.where(critical > 0.0, 0.5 * MU0 * np.abs(reached - critical), 0.0)

    def step(self, T: Floats, field: Floats, old: Floats, new: Floats) -> Floats:
        """Temperature after a step in f, of second order."""
        material, part = self.material, new - old
        if self.eta == 1.0:
            return material.temperature_from_entropy(material.entropy(T, old), new)
        # In a field that stands still all work goes into thermal energy, at once.
        energy, work = material.energy(T, old), self._work(T, field)
        guess = material.temperature_from_energy(np.maximum(energy + part * work, 0.0), new)
        work = 0.5 * (work + self._work(guess, field))
        sudden = material.temperature_from_energy(np.maximum(energy + part * work, 0.0), new)
        stands = (self.further(field, self.needed(sudden)) == field) & (energy + part * work > 0.0)
        # Else half of the heat before the switch at constant entropy and half after it.
        half = 0.5 * np.abs(part)
        after = material.temperature_from_energy(energy + half * self.loss(T, field), old)
        after = material.temperature_from_entropy(material.entropy(after, old), new)
        energy, gradual = material.energy(after, new), after
        for _ in range(2):
            gradual = material.temperature_from_energy(energy + half * self.loss(gradual, field), new)
        return np.where(stands, sudden, gradual)

    def _work(self, T: Floats, field: Floats) -> Floats:
        """Thermal energy that a volume gains when it becomes normal in a field, J/m^3."""
        critical, factor = self.laws(T)
        return np.asarray(0.5 * MU0 * (np.where(critical > 0.0, field / factor, 0.0) - self.ground))


class HystereticLaw:
    """A column that becomes normal above up * Hc and superconducting below down * Hc; between them it stays as it is.

    Args:
        material: a superconductor.
        entropy: of each column, J m^-3 K^-1, (n,).
        width: eps / (mu0 Hc(0)^2).
        thickness: of the film in metres for its transition field, or None for the bulk.
        start: level of each column at that entropy, (n,).
        limits: up >= 1 and down <= 1.
    """

    def __init__(
        self,
        material: Material,
        entropy: Floats,
        width: float,
        thickness: float | None,
        start: Floats,
        limits: tuple[float, float],
    ) -> None:
        self.material, self.entropy, self.thickness = material, entropy, thickness
        self.scale = float(material.critical_field(0.0))
        self.slope = 2.0 * width
        self.start, self.limits = start, limits
        T = material.temperature_from_entropy(entropy, expit(start))
        critical = material.critical_field(T)
        if thickness is not None:
            critical = critical * material.film_critical_field_factor(thickness, T)
        self._thresholds = [(eta * critical / self.scale) ** 2 for eta in limits]
        # Fields on the way up and down; constant until a column is followed.
        self._way = [np.repeat(field[None], LOSS_STEPS + 1, axis=0) for field in self._thresholds]
        self._followed = [np.zeros(len(start), dtype=bool) for _ in limits]

    def _follow(self, way: int, moves: Bools) -> None:
        """Find the fields at which columns that move go on, up (way 0) or down (1), unless they are known."""
        begin, end = expit(self.start), 1.0 - way
        new = np.flatnonzero(moves & (np.abs(end - begin) > COMPLETE) & ~self._followed[way])
        if len(new):
            path = fractions_between(begin[new], np.full(len(new), end))
            branch = lossy_branch(
                self.material, self.entropy[new], path, self.limits[way], rising=way == 0, thickness=self.thickness
            )
            self._way[way][:, new] = branch.field / self.scale**2
            self._followed[way][new] = True

    def _squared_field(self, way: int, y: Floats) -> Floats:
        """(H / scale)^2 at which the columns have level y when they came there from `start`, (n,)."""
        first, last = np.sqrt(expit(self.start)), 1.0 - way
        length = np.where(first == last, 1.0, last - first)
        place = np.clip((np.sqrt(expit(y)) - first) / length, 0.0, 1.0) * LOSS_STEPS
        k = np.minimum(place.astype(np.int64), LOSS_STEPS - 1)
        weight, column, field = place - k, np.arange(len(y)), self._way[way]
        return np.asarray((1 - weight) * field[k, column] + weight * field[k + 1, column] + self.slope * y)

    def level(self, field: Floats, old: Floats, response: Callable[[Floats], Floats]) -> Floats:
        """Levels at which law and field meet; see `TransitionLaw.level`. Inside the loop: those at the start."""
        goal = field + response(old)
        at_start = self.slope * self.start + response(self.start)
        result = self.start.copy()
        for way, limit in enumerate((LEVEL_LIMIT, -LEVEL_LIMIT)):
            threshold = self._thresholds[way] + at_start
            moves = goal > threshold if way == 0 else goal < threshold
            self._follow(way, moves)

            def law(y: Floats, way: int = way) -> Floats:
                return self._squared_field(way, y) + response(y)

            ends = (self.start, np.full_like(old, limit))
            result[moves] = bisect(law, goal, *ends[:: 1 - 2 * way])[moves]
        return result
