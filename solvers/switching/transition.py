"""The transition of a column of superconductor between its two states: level against field, at constant entropy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.special import expit

from fem.materials.material import Material
from meshes.arrays import Floats
from solvers.switching.equilibrium import LEVEL_LIMIT


class TransitionLaw:
    """At which field a column of a given entropy has a given normal fraction.

    H(y)^2 = Hc(T)^2 + 2 eps / mu0 * y with y = logit f and T = T(s, f): as f grows at constant entropy the column
    cools and Hc rises, so that H grows with y.

    Args:
        material: a superconductor.
        entropy: of each column, J m^-3 K^-1, (n,).
        width: eps / (mu0 Hc(0)^2).
        thickness: of the film in metres for its transition field, or None for the bulk.
        shift: where the columns of a film have one temperature: how much more normal the film is than the column, in
            which all others are taken to change as this one does, (n,).

    Attributes:
        scale: Hc(0), A/m; fields are used as squares over scale^2.
    """

    GRID = np.linspace(-20.0, 20.0, 161)

    def __init__(
        self, material: Material, entropy: Floats, width: float, thickness: float | None, shift: Floats | float = 0.0
    ) -> None:
        self.scale = float(material.critical_field(0.0))
        self.slope = 2.0 * width
        fraction = np.clip(expit(self.GRID)[:, None] + np.broadcast_to(shift, entropy.shape), 0.0, 1.0)
        temperature = material.temperature_from_entropy(
            np.broadcast_to(entropy, (len(self.GRID), len(entropy))), fraction
        )
        field = material.critical_field(temperature)
        if thickness is not None:
            field = field * material.film_critical_field_factor(thickness, temperature)
        self._critical = (np.asarray(field) / self.scale) ** 2

    def squared_field(self, y: Floats) -> Floats:
        """(H / scale)^2 at which the columns have level y, (n,)."""
        return self.with_slope(y)[0]

    def with_slope(self, y: Floats) -> tuple[Floats, Floats]:
        """The same and its derivative, (n,) each."""
        step = self.GRID[1] - self.GRID[0]
        place = np.clip((y - self.GRID[0]) / step, 0, len(self.GRID) - 1.000001)
        k = place.astype(np.int64)
        weight, column = place - k, np.arange(len(y))
        low, high = self._critical[k, column], self._critical[k + 1, column]
        inside = (y > self.GRID[0]) & (y < self.GRID[-1])
        rise = np.where(inside, (high - low) / step, 0.0)
        return np.asarray((1 - weight) * low + weight * high + self.slope * y), np.asarray(rise + self.slope)

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
