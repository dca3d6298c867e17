"""Temperatures at which the laws of materials end."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from meshes.arrays import Floats
from solvers.errors import ComputationError

# From 30 K on a heat capacity by Debye's T^3 is 2 % too large for copper (Debye temperature 343 K) and 9 % for tantalum
# and niobium (240 K, 275 K); at 100 K it is three times that of copper, and the resistivity of pure metals is no
# longer their residual one.
DEBYE_ENDS, LAWS_END = 30.0, 100.0


def hottest(names: Sequence[str], temperatures: Floats) -> float:
    """Highest temperature of the layers, K.

    Args:
        names: of the layers.
        temperatures: of the layers, K, (layers,).

    Raises:
        ComputationError: it lies above all laws.
    """
    k = int(np.argmax(temperatures))
    if temperatures[k] > LAWS_END:
        raise ComputationError(
            f'layer "{names[k]}" is at {temperatures[k]:.4g} K, and the laws of materials end far below '
            f"{LAWS_END:g} K: lower the heat load, or connect the layer to a bath"
        )
    return float(temperatures[k])


def heat_warnings(highest: float) -> list[str]:
    """Warning of a run in which a layer reached a temperature (K) that the laws do not hold at."""
    if highest <= DEBYE_ENDS:
        return []
    return [
        f"a layer reached {highest:.4g} K: above {DEBYE_ENDS:g} K phonons no longer follow T^3, nor do resistivities "
        "keep their residual values"
    ]
