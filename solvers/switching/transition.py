"""The transition of a column of superconductor between its two states: level against field, at constant entropy."""

from __future__ import annotations

import numpy as np
from scipy.special import expit

from fem.materials.material import Material
from meshes.arrays import Floats


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

    def with_slope(self, y: Floats) -> tuple[Floats, Floats]:
        """(H / scale)^2 at which the columns have level y, and its derivative, (n,) each."""
        step = self.GRID[1] - self.GRID[0]
        place = np.clip((y - self.GRID[0]) / step, 0, len(self.GRID) - 1.000001)
        k = place.astype(np.int64)
        weight, column = place - k, np.arange(len(y))
        low, high = self._critical[k, column], self._critical[k + 1, column]
        inside = (y > self.GRID[0]) & (y < self.GRID[-1])
        rise = np.where(inside, (high - low) / step, 0.0)
        return np.asarray((1 - weight) * low + weight * high + self.slope * y), np.asarray(rise + self.slope)
