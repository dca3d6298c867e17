"""Temperature from entropy or energy: Newton on the logarithms inside a bracket, node by node.

Temperatures span nine decades and the superconducting entropy is exponential in 1/T; in (ln T, ln s) both are mild.
The brackets follow from s_es <= gamma T and, for the energy, from e_es(t)/t^2 being largest at Tc. With nuclear spins,
whose entropy and energy are negative, the value itself takes the place of its logarithm.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np

from fem.materials.bcs_theory import ReducedSuperconductor
from fem.materials.nuclear_spins import Nuclei
from meshes.arrays import Floats

Law = Callable[[Floats, Floats], Floats]
# Error of a trial T, (T, f, value), and the slope of that error in ln T.
Residual = Callable[[Floats, Floats, Floats], tuple[Floats, Floats]]

_ITERATIONS = 200
_TOLERANCE = 4.0 * np.finfo(float).eps


class HeatStore(Protocol):
    """What inversion asks of a material: see `fem.materials.material.Material`."""

    @property
    def name(self) -> str:
        """For messages."""

    @property
    def gamma(self) -> float:
        """Sommerfeld constant, J m^-3 K^-2."""

    @property
    def beta(self) -> float:
        """Phonon heat capacity over T^3, J m^-3 K^-4."""

    @property
    def constant_heat_capacity(self) -> float | None:
        """J/(m^3 K), in place of all laws."""

    @property
    def spins(self) -> tuple[Nuclei, float] | None:
        """Nuclear spins and their field in T, where they count."""

    @property
    def paired(self) -> tuple[ReducedSuperconductor, float] | None:
        """Reduced functions and Tc, where superconducting electrons count."""

    @property
    def condensation_energy(self) -> float:
        """J/m^3."""

    def entropy(self, T: Floats, f: Floats) -> Floats:
        """J/(m^3 K)."""

    def energy(self, T: Floats, f: Floats) -> Floats:
        """J/m^3."""

    def heat_capacity(self, T: Floats, f: Floats) -> Floats:
        """J/(m^3 K)."""


def _root_linear_cubic(linear: Floats, cubic: float, value: Floats) -> Floats:
    """Solve linear T + cubic T^3 = value >= 0 for T, without cancellation; inf if there is none."""
    if cubic == 0.0:
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(value > 0.0, value / linear, 0.0)
    p, q = linear / cubic, value / cubic
    # for small p the cubic root alone is exact and the hyperbolic form would overflow
    cube_root = np.cbrt(q)
    small = p <= 1e-12 * cube_root**2
    scale = np.sqrt(np.where(small, 1.0, p) / 3.0)
    argument = np.where(small, 0.0, 0.5 * q) / scale**3
    return np.where(small, cube_root, 2.0 * scale * np.sinh(np.arcsinh(argument) / 3.0))


def _root_biquadratic(quadratic: Floats, quartic: float, value: Floats) -> Floats:
    """Solve quadratic T^2 + quartic T^4 = value >= 0 for T; inf if there is none."""
    # 2 value/(q + sqrt(q^2 + 4 r value)) is the stable form of the positive root in T^2
    denominator = quadratic + np.sqrt(quadratic**2 + 4.0 * quartic * value)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(value > 0.0, np.sqrt(2.0 * value / denominator), 0.0)


def _logarithmic(law: Law, slope: Law) -> Residual:
    """Error in ln law, for positive laws; `slope` is d law/d ln T."""

    def residual(T: Floats, f: Floats, value: Floats) -> tuple[Floats, Floats]:
        current = law(T, f)
        return np.log(current / value), slope(T, f) / current

    return residual


def _linear(law: Law, slope: Law) -> Residual:
    """Error in the law itself; `slope` is d law/d ln T."""

    def residual(T: Floats, f: Floats, value: Floats) -> tuple[Floats, Floats]:
        return law(T, f) - value, slope(T, f)

    return residual


def _newton(residual: Residual, value: Floats, f: Floats, low: Floats, high: Floats) -> Floats:
    """Find T between low and high where the residual vanishes, to rounding.

    Args:
        residual: increasing in T.
        value: shape (n,).
        f: normal fractions, shape (n,).
        low: lower ends of the brackets, shape (n,), > 0.
        high: upper ends, shape (n,).
    """
    result = high.copy()
    active = np.arange(value.size)
    T, lower, upper, target, fraction = high, low, high, value, f
    for _ in range(_ITERATIONS):
        with np.errstate(divide="ignore", invalid="ignore"):  # the law may underflow to 0: then bisect
            error, slope = residual(T, fraction, target)
            new = T * np.exp(np.clip(-error / slope, -700.0, 700.0))
        lower, upper = np.where(error < 0.0, T, lower), np.where(error > 0.0, T, upper)
        inside = (new >= lower) & (new <= upper)
        new = np.where(error == 0.0, T, np.where(inside, new, np.sqrt(lower * upper)))
        result[active] = new
        going = (np.abs(new - T) > _TOLERANCE * T) & (upper > lower)
        if not going.any():
            break
        active, T, lower, upper = active[going], new[going], lower[going], upper[going]
        target, fraction = target[going], fraction[going]
    return result


def _with_spins(material: HeatStore, name: str, law: Law, slope: Law, value: Floats, f: Floats) -> Floats:
    """Solve law(T, f) = value for a material with nuclear spins.

    Args:
        material: for the message.
        name: of what is given, for the message.
        law: increasing in T, from a negative value on.
        slope: d law/d ln T.
        value: any shape.
        f: normal fractions, of the same shape.

    Raises:
        ValueError: the value is below those of all temperatures above 1e-15 K.
    """
    shape, value, f = value.shape, value.reshape(-1), f.reshape(-1)
    low: Floats = np.full(value.shape, 1e-3)
    high = low
    while (short := law(high, f) < value).any():
        high = np.where(short, 10.0 * high, high)
    while (beyond := law(low, f) > value).any():
        low = np.where(beyond, 0.1 * low, low)
        if low.min() < 1e-15:
            raise ValueError(f"material {material.name}: no temperature has the {name} {float(value[beyond].min())!r}")
    return _newton(_linear(law, slope), value, f, low, high).reshape(shape)


def temperature_from_entropy(material: HeatStore, s: Floats, f: Floats) -> Floats:
    """See `Material.temperature_from_entropy`; s and f of one shape."""
    if material.constant_heat_capacity is not None:
        return np.asarray(np.exp(s / material.constant_heat_capacity))
    if material.spins is not None:
        return _with_spins(material, "entropy", material.entropy, material.heat_capacity, s, f)
    if s.size and not float(s.min()) >= 0.0:
        raise ValueError(f"material {material.name}: no temperature has the entropy {float(s.min())!r}")
    gamma, cubic = material.gamma, material.beta / 3.0
    normal = _root_linear_cubic(np.full(s.shape, gamma), cubic, s)
    paired = material.paired
    if paired is None:
        return normal
    critical = paired[1]
    # from Tc on, and where f = 1, the two phases agree
    where = (f != 1.0) & (normal < critical) & (s > 0.0)
    if not where.any():
        return normal
    value, fraction, low = s[where], f[where], normal[where]
    high = np.minimum(_root_linear_cubic(gamma * fraction, cubic, value), critical)
    law = _logarithmic(material.entropy, material.heat_capacity)
    solved = _newton(law, value, fraction, low, np.maximum(high, low))
    result = np.asarray(normal).copy()
    result[where] = solved
    return result


def temperature_from_energy(material: HeatStore, e: Floats, f: Floats) -> Floats:
    """See `Material.temperature_from_energy`; e and f of one shape."""

    def slope(T: Floats, fraction: Floats) -> Floats:
        return T * material.heat_capacity(T, fraction)

    if material.spins is not None:
        return _with_spins(material, "energy", material.energy, slope, e, f)
    if e.size and not float(e.min()) >= 0.0:
        raise ValueError(f"material {material.name}: no temperature has the energy {float(e.min())!r}")
    if material.constant_heat_capacity is not None:
        return np.asarray(e / material.constant_heat_capacity)
    gamma, quartic = material.gamma, 0.25 * material.beta
    paired = material.paired
    if paired is None:
        return _root_biquadratic(np.full(e.shape, 0.5 * gamma), quartic, e)
    reduced, critical = paired
    # above Tc the superconducting branch is the normal one plus the condensation energy
    offset = (1.0 - f) * material.condensation_energy
    at_critical = 0.5 * gamma * critical**2 + quartic * critical**4 + offset
    result = _root_biquadratic(np.full(e.shape, 0.5 * gamma), quartic, np.maximum(e - offset, 0.0))
    where = (f != 1.0) & (e < at_critical)
    result = np.where((f != 1.0) & (e == 0.0), 0.0, result)
    where &= e > 0.0
    if not where.any():
        return np.asarray(result)
    value, fraction = e[where], f[where]
    largest = 0.5 * gamma * (fraction + (1.0 - fraction) * (1.0 + 2.0 * reduced.condensation))
    low = np.minimum(_root_biquadratic(largest, quartic, value) * (1.0 - 1e-12), critical)
    high = np.minimum(_root_biquadratic(0.5 * gamma * fraction, quartic, value), critical)
    result[where] = _newton(_logarithmic(material.energy, slope), value, fraction, low, np.maximum(high, low))
    return np.asarray(result)
