"""Heat between two superconductors whose densities of states are broadened (Dynes), by quadrature at every node.

Per prefactor 2/(e^2 R_A) the heat that flows from side 1 to side 2 is int_0^inf E N1(E) N2(E) [f(E, T1) - f(E, T2)] dE,
with N = Re[z/sqrt(z^2 - 1)], z = E/Delta - i eta and the Fermi function f. Between 0, the two gaps and infinity the
energy is a logistic or exponential function of the variable of integration, in which the densities' branch points, eta
away from a gap, lie pi/2 or farther from the real axis whatever eta is: the trapezoidal rule then converges
exponentially, and a few dozen nodes on each stretch are enough for any two gaps and temperatures.

Sources: R. C. Dynes, V. Narayanamurti, J. P. Garno, Phys. Rev. Lett. 41, 1509 (1978); F. Giazotto et al., Rev. Mod.
Phys. 78, 217 (2006).
"""

from __future__ import annotations

import numpy as np

from fem.constants import KB
from meshes.arrays import Floats

_NODES = 64  # on each of the three stretches; with the next two, within 1e-4 for eta from 1e-6 to 0.5
_NEAREST = 1e-4  # of eta times the gap, and of the temperature: closer to a gap or to zero nothing changes
_FARTHEST = 42.0  # kT above the larger gap, where occupation ends
_CHUNK = 256  # pairs of nodes at a time: their integrands stay in the cache


def broadened_flux(u1: Floats, u2: Floats, first: Floats, second: Floats, eta: float) -> tuple[Floats, ...]:
    """Heat flux from side 1 to side 2 without its prefactor.

    Args:
        u1: T^2 of side 1, K^2, shape (n,); states are empty for u <= 0.
        u2: T^2 of side 2.
        first: Delta^2 of side 1, J^2, shape (n,); at most one of the two gaps is zero.
        second: Delta^2 of side 2.
        eta: Gamma/Delta, the same on both sides, positive.

    Returns:
        The integral (J^2) and its derivatives by u1 and u2 at fixed gaps (J^2/K^2), and by Delta1^2 and Delta2^2
        (dimensionless), each of shape (n,).
    """
    result = tuple(np.zeros_like(u1) for _ in range(5))
    live = np.flatnonzero((u1 > 0.0) | (u2 > 0.0))
    for start in range(0, len(live), _CHUNK):
        some = live[start : start + _CHUNK]
        for array, part in zip(result, _integrals(u1[some], u2[some], first[some], second[some], eta), strict=True):
            array[some] = part
    return result


def _integrals(u1: Floats, u2: Floats, first: Floats, second: Floats, eta: float) -> tuple[Floats, ...]:
    gap1, gap2 = np.sqrt(first), np.sqrt(second)
    thermal1, thermal2 = (KB * np.sqrt(np.maximum(u, 0.0)) for u in (u1, u2))
    energy, weight = _energies(np.minimum(gap1, gap2), np.maximum(gap1, gap2), np.maximum(thermal1, thermal2), eta)
    density1, by_first = _density(energy, gap1, eta)
    density2, by_second = _density(energy, gap2, eta)
    occupied1, by_u1 = _occupation(energy, thermal1, u1)
    occupied2, by_u2 = _occupation(energy, thermal2, u2)
    weight *= energy
    both = weight * (density1 * density2)
    flow = weight * (occupied1 - occupied2)
    return (
        (flow * (density1 * density2)).sum(axis=1),
        (both * by_u1).sum(axis=1),
        -(both * by_u2).sum(axis=1),
        (flow * by_first * density2).sum(axis=1),
        (flow * by_second * density1).sum(axis=1),
    )


def _energies(smaller: Floats, larger: Floats, thermal: Floats, eta: float) -> tuple[Floats, Floats]:
    """Energies (J) and their weights, each of shape (n, 3 _NODES), sorted out between 0, the gaps and infinity."""
    edge = -np.log(_NEAREST * min(eta, 1.0))  # in units of a stretch's length
    s = np.linspace(-edge, edge, _NODES)
    share = 1.0 / (1.0 + np.exp(-s))
    slope = share * (1.0 - share) * (s[1] - s[0])
    step = (larger - smaller)[:, None]
    low, low_weight = smaller[:, None] * share, smaller[:, None] * slope
    middle, middle_weight = smaller[:, None] + step * share, step * slope
    nearest = np.log(_NEAREST * np.minimum(eta * larger, thermal))
    stride = (np.log(_FARTHEST * thermal) - nearest) / (_NODES - 1)
    above = np.exp(nearest[:, None] + stride[:, None] * np.arange(_NODES))
    return (
        np.concatenate([low, middle, larger[:, None] + above], axis=1),
        np.concatenate([low_weight, middle_weight, stride[:, None] * above], axis=1),
    )


def _density(energy: Floats, gap: Floats, eta: float) -> tuple[Floats, Floats]:
    """Density of states over that of the normal metal, and its derivative by Delta^2 (1/J^2)."""
    gapped = gap > 0.0
    scale = np.where(gapped, gap, 1.0)[:, None]
    z = energy / scale - 1j * eta
    square = z * z - 1.0
    value = z / np.sqrt(square)
    slope = (value / (z * square)).real * energy / (2.0 * scale**3)
    return np.where(gapped[:, None], value.real, 1.0), np.where(gapped[:, None], slope, 0.0)


def _occupation(energy: Floats, thermal: Floats, u: Floats) -> tuple[Floats, Floats]:
    """Fermi function and its derivative by T^2 (1/K^2)."""
    warm = thermal > 0.0
    x = np.minimum(energy / np.where(warm, thermal, 1.0)[:, None], 700.0)
    decay = np.exp(-x)
    value = decay / (1.0 + decay)
    value[~warm] = 0.0
    slope = value * (1.0 - value) * x / (2.0 * np.where(warm, u, 1.0))[:, None]
    return value, slope
