"""Thin superconducting films in a parallel field."""

from __future__ import annotations

from typing import Literal

import numpy as np

from meshes.arrays import Floats

FilmLaw = Literal["london", "ginzburg-landau"]


def critical_field_factor(x: Floats, law: FilmLaw = "london") -> Floats:
    """Parallel transition field of a film over the bulk critical field Hc, at the same temperature.

    "london" is (1 - tanh x/x)^(-1/2): the order parameter stays rigid. "ginzburg-landau" lets it shrink uniformly to p:
    the largest h with h^2 = (2 p^2 - p^4)/(1 - tanh(p x)/(p x)), 0 < p <= 1, which is sqrt(24) lambda/d below
    d = sqrt(5) lambda, where the transition is continuous, and approaches "london" in thick films. Source: M. Tinkham,
    Introduction to Superconductivity, chapter 4.

    Args:
        x: half the thickness over the penetration depth, d/(2 lambda), any shape; 0 (above Tc) gives 1.
        law: as above.

    Raises:
        ValueError: for another law.
    """
    inside = np.where(x > 0.0, x, 1.0)
    if law == "london":
        squared = 1.0 / _field_expulsion(inside)
    elif law == "ginzburg-landau":
        p = np.linspace(0.0, 1.0, 401)[1:]
        squared = ((2.0 - p**2) * p**2 / _field_expulsion(p * inside[..., None])).max(axis=-1)
        squared = np.where(inside**2 <= 1.25, 6.0 / inside**2, squared)
    else:
        raise ValueError(f"film law {law!r} is neither london nor ginzburg-landau")
    return np.where(x > 0.0, np.sqrt(squared), 1.0)


def _field_expulsion(x: Floats) -> Floats:
    """1 - tanh(x)/x for x > 0, from its series where the difference would cancel."""
    near = np.minimum(x, 0.1)
    square = near * near
    series = square * (1.0 / 3.0 - square * (2.0 / 15.0 - square * (17.0 / 315.0 - square * 62.0 / 2835.0)))
    return np.where(x < 0.05, series, 1.0 - np.tanh(x) / x)
