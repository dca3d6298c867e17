"""Temperatures at which laws are compared, and how errors are measured."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fem.materials.material import Material
from meshes.arrays import Floats

SEED, SAMPLES = 20260, 50
NOTHING = 1e-290  # what underflows in one way of computing need not in the other


def draws(material: Material) -> Floats:
    """50 temperatures from 1 mK to 1.2 Tc, half of them even in T, half in ln T."""
    assert material.critical_temperature is not None
    random = np.random.default_rng(SEED)
    low, high = 1e-3, 1.2 * material.critical_temperature
    even = random.uniform(low, high, SAMPLES // 2)
    return np.concatenate([even, low * (high / low) ** random.uniform(0.0, 1.0, SAMPLES // 2)])


def worst(found: npt.ArrayLike, true: npt.ArrayLike) -> float:
    """Largest relative error; where both vanish (underflow, or above Tc) they agree."""
    a, b = np.broadcast_arrays(np.asarray(found, dtype=np.float64), np.asarray(true, dtype=np.float64))
    both = (np.abs(a) < NOTHING) & (np.abs(b) < NOTHING)
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(np.where(both, 0.0, np.abs(a / b - 1)).max())
