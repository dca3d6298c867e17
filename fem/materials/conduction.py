"""Heat conduction of a material as functions of u = T^2: see the methods of `fem.materials.material.Material`."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

from fem.constants import LORENZ
from fem.materials.bcs_theory import reduced_superconductor
from meshes.arrays import Floats

# Below this u = T^2 (1 nK) laws with an infinite slope in u, such as sqrt(u), continue as a straight line.
SMALLEST_U = 1e-18


class Conductor(Protocol):
    """What conduction asks of a material: see `fem.materials.material.Material`."""

    @property
    def constant_conductivity(self) -> float | None:
        """W/(m K), in place of all laws."""

    @property
    def phonon_coefficient(self) -> float:
        """Phonon conductivity over 2 T^3, W m^-1 K^-4."""

    @property
    def resistivity(self) -> float | None:
        """Residual resistivity, Ohm m."""

    @property
    def critical_temperature(self) -> float | None:
        """K; None without a superconducting phase."""

    @property
    def gap_ratio(self) -> float:
        """Delta(0)/(kB Tc)."""


def temperature_of_u(u: npt.ArrayLike) -> tuple[Floats, Floats]:
    """Return T = sqrt(u) and dT/du, continued as a straight line below u = 1e-18 K^2 (1 nK).

    Args:
        u: squared temperature, K^2, any shape; may be negative (a Newton iterate).
    """
    u = np.asarray(u, dtype=np.float64)
    root = np.sqrt(np.maximum(u, SMALLEST_U))
    slope = 0.5 / root
    return np.where(u < SMALLEST_U, root + slope * (u - SMALLEST_U), root), slope


def conductivity_u(material: Conductor, u: Floats, f: Floats) -> Floats:
    """k(T)/(2T), W/(m K^2); u (K^2) and the normal fraction f of one shape."""
    if material.constant_conductivity is not None:
        return np.asarray(material.constant_conductivity * temperature_of_u(u)[1])
    result = np.asarray(material.phonon_coefficient * np.maximum(u, 0.0))
    if material.resistivity is None:
        return np.asarray(result)
    normal = 0.5 * LORENZ / material.resistivity
    if material.critical_temperature is None:
        return np.asarray(result + normal)
    result += normal * f
    where = f != 1.0
    if where.any():
        reduced = reduced_superconductor(material.gap_ratio)
        t = np.sqrt(np.maximum(u[where], 0.0)) / material.critical_temperature
        result[where] += (1.0 - f[where]) * normal * reduced.conductivity_ratio(t)
    return np.asarray(result)


def potentials(material: Conductor, u: Floats) -> tuple[Floats, Floats]:
    """Integrals of k dT, W/m: common, normal and superconducting, and their slopes in u, (3, *shape) each."""
    values, slopes = np.zeros((3, *u.shape)), np.zeros((3, *u.shape))
    if material.constant_conductivity is not None:
        for out, law in zip((values, slopes), temperature_of_u(u), strict=True):
            out[0] = material.constant_conductivity * law
        return values, slopes
    positive = np.maximum(u, 0.0)
    slopes[0] = material.phonon_coefficient * positive
    values[0] = 0.5 * slopes[0] * positive
    if material.resistivity is None:
        return values, slopes
    normal = 0.5 * LORENZ / material.resistivity
    if material.critical_temperature is None:
        values[0] += normal * u
        slopes[0] += normal
        return values, slopes
    values[1], slopes[1] = normal * u, normal
    paired, ratio = reduced_superconductor(material.gap_ratio).conduction(
        np.sqrt(positive) / material.critical_temperature
    )
    values[2] = 2.0 * normal * material.critical_temperature**2 * paired
    slopes[2] = normal * ratio
    return values, slopes
