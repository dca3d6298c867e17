"""Smooth functions on 0 <= t <= 1 as tables of cubics: a value costs a tenth of what a long polynomial does."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.polynomial.chebyshev import Chebyshev

from meshes.arrays import Floats

# An error of (1/2048)^4/384 = 1.5e-16 of the fourth derivative.
STRETCHES = 2048


class CubicTable:
    """Several functions side by side, each a cubic in each of 2048 equal stretches of 0 <= t <= 1.

    Values and slopes are those of the functions at the ends of each stretch (Hermite's interpolation).

    Args:
        series: the functions.
    """

    def __init__(self, series: Sequence[Chebyshev]) -> None:
        ends = np.linspace(0.0, 1.0, STRETCHES + 1)
        columns: list[Floats] = []
        for function in series:
            value, slope = function(ends), function.deriv()(ends) / STRETCHES
            rise = np.diff(value)
            columns += [value[:-1], slope[:-1], 3.0 * rise - 2.0 * slope[:-1] - slope[1:], slope[:-1] + slope[1:]]
            columns[-1] = columns[-1] - 2.0 * rise
        self._coefficients = np.stack(columns, axis=1)

    def __call__(self, t: Floats) -> list[Floats]:
        """Values of each function at t (any shape), each of its shape."""
        x = t.reshape(-1) * STRETCHES
        stretch = np.minimum(x.astype(np.int32), STRETCHES - 1)
        x -= stretch
        rows = self._coefficients.take(stretch, axis=0)
        values = []
        for k in range(0, rows.shape[1], 4):
            value = rows[:, k + 3] * x
            for lower in (rows[:, k + 2], rows[:, k + 1]):
                value += lower
                value *= x
            value += rows[:, k]
            values.append(value.reshape(t.shape))
        return values
