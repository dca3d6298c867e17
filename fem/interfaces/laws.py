"""Laws of the heat flux across an interface, as functions of u = T^2 and of the normal fractions on both sides.

Every law is antisymmetric in its sides, exactly zero at equal temperatures, and lets heat flow downhill only. A bath is
a side of fixed temperature, so the same laws serve there.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from fem.constants import E_CHARGE, HBAR, KB, LORENZ
from fem.interfaces.dynes import broadened_flux
from fem.interfaces.quasiparticles import gap_potential, pair_potential, single_gap_potential, split_gaps
from fem.materials.conduction import temperature_of_u
from fem.materials.material import Material
from meshes.arrays import Floats

Flux = tuple[Floats, Floats, Floats]

# Broadening Gamma/Delta of S/S' junctions without dynes: between equal gaps the sharp law has an infinite slope. The
# flux depends on it only logarithmically there, and by less than 1e-5 where the gaps differ by a tenth.
_LEAST_BROADENING = 1e-4


class InterfaceLaw(Protocol):
    """Heat flux across an interface."""

    def flux(self, u1: npt.ArrayLike, u2: npt.ArrayLike, f1: npt.ArrayLike, f2: npt.ArrayLike) -> Flux:
        """Return the heat flux from side 1 to side 2 (W/m^2) and its derivatives in u1 and u2 (W m^-2 K^-2).

        Args:
            u1: squared temperature of side 1 (the lower layer), K^2.
            u2: squared temperature of side 2 (the upper layer), K^2.
            f1: normal fraction of side 1.
            f2: normal fraction of side 2; all broadcast.
        """
        ...


def _broadcast(*arrays: npt.ArrayLike) -> list[Floats]:
    return list(np.broadcast_arrays(*[np.asarray(array, dtype=np.float64) for array in arrays]))


@dataclass(frozen=True)
class TunnelJunction:
    """Tunnel junction between two metals, each normal, superconducting or mixed.

    The normal fractions weigh the phase pairs N/N, N/S and S/S'; each gap moves with the temperature of its own side.
    N/N is exactly linear in u: q = LORENZ/(2 R_A) (u1 - u2). With ``dynes`` the densities of states are broadened: in
    the gap of N/S is ``dynes`` of the normal density, and what it lets pass leaks, that part of the N/N flux far below
    Tc and nothing where there is no gap; in S/S' both densities are
    Dynes's (`fem.interfaces.dynes`), and the leak is of the second order. Without, S/S' is sharp but for a broadening
    of 1e-4 where the gaps are equal.

    Sources: F. Giazotto et al., Rev. Mod. Phys. 78, 217 (2006); R. C. Dynes, V. Narayanamurti, J. P. Garno, Phys. Rev.
    Lett. 41, 1509 (1978).

    Attributes:
        lower: material of side 1.
        upper: material of side 2.
        resistance_area: specific resistance R_A of the junction in the normal state, Ohm m^2.
        dynes: Gamma/Delta of both sides, 0 to 1.
    """

    lower: Material
    upper: Material
    resistance_area: float
    dynes: float = 0.0

    def __post_init__(self) -> None:
        """Check the constants.

        Raises:
            ValueError: naming what is out of range, or if a side is a dielectric.
        """
        if not self.resistance_area > 0.0:
            raise ValueError("tunnel junction: resistance_area must be positive")
        if not 0.0 <= self.dynes <= 1.0:
            raise ValueError("tunnel junction: dynes must lie between 0 and 1")
        for side in (self.lower, self.upper):
            if side.gamma == 0.0 and side.resistivity is None and side.constant_heat_capacity is None:
                raise ValueError(f"tunnel junction: {side.name} is a dielectric, electrons cannot tunnel into it")

    def flux(self, u1: npt.ArrayLike, u2: npt.ArrayLike, f1: npt.ArrayLike, f2: npt.ArrayLike) -> Flux:
        """See `InterfaceLaw.flux`."""
        u1, u2, f1, f2 = _broadcast(u1, u2, f1, f2)
        if not self.lower.superconducting:
            f1 = np.ones_like(f1)
        if not self.upper.superconducting:
            f2 = np.ones_like(f2)
        slope = 0.5 * LORENZ / self.resistance_area * (f1 * f2)
        q, by_1, by_2 = slope * (u1 - u2), slope, -slope
        upper_paired = self._normal_super(self.upper, f1 * (1.0 - f2), u1, u2)
        lower_paired = self._normal_super(self.lower, f2 * (1.0 - f1), u2, u1)
        both_paired = self._super_super((1.0 - f1) * (1.0 - f2), u1, u2)
        # the order of the sums makes the swapped junction give exactly the negative flux
        return (
            q + (upper_paired[0] - lower_paired[0]) + both_paired[0],
            by_1 + (upper_paired[1] - lower_paired[2]) + both_paired[1],
            by_2 + (upper_paired[2] - lower_paired[1]) + both_paired[2],
        )

    @property
    def _prefactor(self) -> float:
        return 2.0 / (E_CHARGE**2 * self.resistance_area)

    def _normal_super(self, material: Material, weight: Floats, un: Floats, us: Floats) -> Flux:
        """Weighted flux from a normal side at un into the superconducting `material` at us; derivatives in un, us."""
        result = tuple(np.zeros_like(weight) for _ in range(3))
        where = weight > 0.0
        if where.any():
            squared, moving = material.gap_squared_u(us[where])
            out, back = single_gap_potential(un[where], squared), single_gap_potential(us[where], squared)
            parts = [(1.0, out, back)]
            if self.dynes > 0.0:  # above Tc there is no gap to leak through
                parts.append((self.dynes, gap_potential(un[where], squared), gap_potential(us[where], squared)))
            for share, there, here in parts:
                scale = share * self._prefactor * weight[where]
                result[0][where] += scale * (there.value - here.value)
                result[1][where] += scale * there.by_u
                result[2][where] += scale * ((there.by_a - here.by_a) * moving - here.by_u)
        return result[0], result[1], result[2]

    def _super_super(self, weight: Floats, u1: Floats, u2: Floats) -> Flux:
        """Weighted flux between the superconducting phases; derivatives in u1, u2."""
        result = tuple(np.zeros_like(weight) for _ in range(3))
        where = weight > 0.0
        if not where.any():
            return result[0], result[1], result[2]
        v1, v2 = u1[where], u2[where]
        first, moving1 = self.lower.gap_squared_u(v1)
        second, moving2 = self.upper.gap_squared_u(v2)
        scale = self._prefactor * weight[where]
        # above both critical temperatures the law is that of normal metals
        normal = (first == 0.0) & (second == 0.0)
        slope = np.where(normal, KB**2 * math.pi**2 / 12.0, 0.0)
        parts = [slope * (v1 - v2), slope, -slope]
        gapped = ~normal
        if gapped.any():
            states = v1[gapped], v2[gapped], first[gapped], second[gapped]
            if self.dynes > 0.0:
                value, by_u1, by_u2, by_first, by_second = broadened_flux(*states, self.dynes)
            else:
                value, by_u1, by_u2, by_first, by_second = _sharp_flux(*states)
            parts[0][gapped] = value
            parts[1][gapped] = by_u1 + by_first * moving1[gapped]
            parts[2][gapped] = by_u2 + by_second * moving2[gapped]
        for array, part in zip(result, parts, strict=True):
            array[where] = scale * part
        return result[0], result[1], result[2]


def _sharp_flux(u1: Floats, u2: Floats, first: Floats, second: Floats) -> tuple[Floats, ...]:
    """What `broadened_flux` gives, from the tables of the sharp densities of states."""
    a, b, a_1, a_2, b_1, b_2 = split_gaps(first, second, _LEAST_BROADENING)
    out, back = pair_potential(u1, a, b), pair_potential(u2, a, b)
    by_a, by_b = out.by_a - back.by_a, out.by_b - back.by_b
    return out.value - back.value, out.by_u, -back.by_u, by_a * a_1 + by_b * b_1, by_a * a_2 + by_b * b_2


@dataclass(frozen=True)
class PhononContact:
    """Phonon boundary (Kapitza) conductance, q = transmission sigma_k (T1^4 - T2^4).

    Attributes:
        sigma_k: W m^-2 K^-4, see `phonon_boundary_conductance`.
        transmission: factor on it, 0.3-1 in real films.
    """

    sigma_k: float
    transmission: float = 1.0

    def __post_init__(self) -> None:
        """Raise ValueError for a negative constant."""
        if not (self.sigma_k >= 0.0 and self.transmission >= 0.0):
            raise ValueError("phonon contact: sigma_k and transmission must not be negative")

    def flux(self, u1: npt.ArrayLike, u2: npt.ArrayLike, f1: npt.ArrayLike, f2: npt.ArrayLike) -> Flux:
        """See `InterfaceLaw.flux`; odd in u, so that it stays monotone for a negative Newton iterate."""
        u1, u2, _, _ = _broadcast(u1, u2, f1, f2)
        scale = self.sigma_k * self.transmission
        first, second = np.abs(u1), np.abs(u2)
        return scale * (u1 * first - u2 * second), 2.0 * scale * first, -2.0 * scale * second


@dataclass(frozen=True)
class ElectronPhonon:
    """Heat flow from the electrons of a metal to a lattice, q = sigma (T1^n - T2^n), W per m^3 (not per m^2).

    For a bath that touches a whole layer, or two layers on the same cells. Sources: F. C. Wellstood, C. Urbina,
    J. Clarke, Phys. Rev. B 49, 5942 (1994), n = 5; A. Sergeev, V. Mitin, Phys. Rev. B 61, 6041 (2000), n = 6 where the
    electrons' mean free path is short beside the phonons' wavelength.

    Attributes:
        sigma: W m^-3 K^-n, `Material.electron_phonon`.
        exponent: n, at least 2, `Material.electron_phonon_exponent`.
    """

    sigma: float
    exponent: float = 5.0

    def __post_init__(self) -> None:
        """Raise ValueError for a negative constant or an exponent below 2."""
        if not self.sigma >= 0.0:
            raise ValueError("electron-phonon coupling: sigma must not be negative")
        if not self.exponent >= 2.0:
            raise ValueError("electron-phonon coupling: the exponent must be at least 2")

    def flux(self, u1: npt.ArrayLike, u2: npt.ArrayLike, f1: npt.ArrayLike, f2: npt.ArrayLike) -> Flux:
        """See `InterfaceLaw.flux`; odd in u, so that it stays monotone for a negative Newton iterate."""
        u1, u2, _, _ = _broadcast(u1, u2, f1, f2)
        half = 0.5 * self.exponent
        first, second = np.abs(u1) ** (half - 1.0), np.abs(u2) ** (half - 1.0)
        return self.sigma * (u1 * first - u2 * second), half * self.sigma * first, -half * self.sigma * second


@dataclass(frozen=True)
class Conductance:
    """Fixed thermal conductance, q = h (T1 - T2); linear in u below 1 nK.

    Attributes:
        h: W m^-2 K^-1.
    """

    h: float

    def __post_init__(self) -> None:
        """Raise ValueError for a negative constant."""
        if not self.h >= 0.0:
            raise ValueError("conductance: h must not be negative")

    def flux(self, u1: npt.ArrayLike, u2: npt.ArrayLike, f1: npt.ArrayLike, f2: npt.ArrayLike) -> Flux:
        """See `InterfaceLaw.flux`."""
        u1, u2, _, _ = _broadcast(u1, u2, f1, f2)
        (T1, slope1), (T2, slope2) = temperature_of_u(u1), temperature_of_u(u2)
        return self.h * (T1 - T2), self.h * slope1, -self.h * slope2


@dataclass(frozen=True)
class Sum:
    """Several laws in parallel across one interface.

    Attributes:
        laws: those laws.
    """

    laws: tuple[InterfaceLaw, ...]

    def flux(self, u1: npt.ArrayLike, u2: npt.ArrayLike, f1: npt.ArrayLike, f2: npt.ArrayLike) -> Flux:
        """See `InterfaceLaw.flux`."""
        u1, u2, f1, f2 = _broadcast(u1, u2, f1, f2)
        total = [np.zeros_like(u1) for _ in range(3)]
        for law in self.laws:
            for array, part in zip(total, law.flux(u1, u2, f1, f2), strict=True):
                array += part
        return total[0], total[1], total[2]


def phonon_boundary_conductance(first: Material, second: Material) -> float:
    """Diffuse-mismatch phonon boundary conductance sigma_K in q = sigma_K (T1^4 - T2^4), W m^-2 K^-4.

    sigma_K = pi^2 kB^4/(120 hbar^3) S1 S2/(S1 + S2) with S = 1/v_l^2 + 2/v_t^2 (Debye spectra): an upper bound for real
    films. Source: E. T. Swartz, R. O. Pohl, Rev. Mod. Phys. 61, 605 (1989).

    Raises:
        ValueError: if the sound speeds of a material are not known.
    """
    sums = []
    for material in (first, second):
        if material.sound_speeds is None:
            raise ValueError(f"material {material.name}: sound_speeds are not known, the phonon contact needs them")
        longitudinal, transverse = material.sound_speeds
        sums.append(1.0 / longitudinal**2 + 2.0 / transverse**2)
    scale = math.pi**2 * KB**4 / (120.0 * HBAR**3)
    return scale * (sums[0] * sums[1] / (sums[0] + sums[1]))
