"""Thin superconducting films in a parallel field."""

from __future__ import annotations

import numpy as np

from meshes.arrays import Floats


def critical_field_factor(x: Floats) -> Floats:
    """Parallel transition field of a film over the bulk critical field Hc, at the same temperature.

    (1 - tanh x/x)^(-1/2): London's law with a rigid order parameter. Source: M. Tinkham, Introduction to
    Superconductivity, chapter 4.

    Args:
        x: half the thickness over the penetration depth, d/(2 lambda), any shape; 0 (above Tc) gives 1.
    """
    inside = np.where(x > 0.0, x, 1.0)
    return np.where(x > 0.0, np.sqrt(1.0 / _field_expulsion(inside)), 1.0)


def _field_expulsion(x: Floats) -> Floats:
    """1 - tanh(x)/x for x > 0, from its series where the difference would cancel."""
    near = np.minimum(x, 0.1)
    square = near * near
    series = square * (1.0 / 3.0 - square * (2.0 / 15.0 - square * (17.0 / 315.0 - square * 62.0 / 2835.0)))
    return np.where(x < 0.05, series, 1.0 - np.tanh(x) / x)
