"""Nuclear spins in a magnetic field: entropy, energy, heat capacity and magnetisation of equally spaced levels.

A spin I with the moment m has 2 I + 1 levels, spaced m B / I. Everything follows from one partition function,
ln Z = ln[sinh((I + 1/2) x) / sinh(x / 2)] with x = m B / (I kB T), as differences of functions of one variable that
lose no digits at any temperature. Both origins are those of disordered spins, T -> inf: the energy is -M B, the
entropy minus the order. Relative to the ground state both would be huge beside those of the electrons.

The spins share the temperature of the electrons here; in metals they take kappa / T for that (Korringa). In
copper kappa = 1.27 s K, two minutes at 10 mK: F. Pobell, Matter and Methods at Low Temperatures, chapter 10.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fem.constants import KB, MU0, NUCLEAR_MAGNETON
from meshes.arrays import Floats

# n^-2 times the sum of r^-6 over the neighbours: 7.23 for fcc, 7.26 for bcc (J. H. Van Vleck, Phys. Rev. 74, 1168).
_LATTICE_SUM = 7.24
_LARGEST = 1e6  # of x, beyond which nothing changes


@dataclass(frozen=True)
class Spins:
    """One nuclear species.

    Attributes:
        spin: I.
        moment: magnetic moment in nuclear magnetons (its sign does not matter).
        density: number per volume, m^-3.
    """

    spin: float
    moment: float
    density: float

    def __post_init__(self) -> None:
        """Raise ValueError for a spin that is no half or whole number, or for a density that is not positive."""
        if not (self.spin > 0.0 and (2.0 * self.spin).is_integer() and self.density > 0.0):
            raise ValueError(f"nuclear spins: {self} is impossible")

    @property
    def spacing(self) -> float:
        """Spacing of the levels over kB, per field, K/T."""
        return abs(self.moment) * NUCLEAR_MAGNETON / (self.spin * KB)


@dataclass(frozen=True)
class Nuclei:
    """The nuclear spins of a material.

    Attributes:
        species: those with a moment.
        dipole_field: b, T: what the spins make at each other's places. They see sqrt(B^2 + b^2), so that their heat
            capacity at B = 0 is that of the dipolar coupling as long as kB T is large against it.
    """

    species: tuple[Spins, ...]
    dipole_field: float = 0.0

    def energy(self, T: npt.ArrayLike, B: float) -> Floats:
        """-M B, J/m^3; 0 for disordered spins.

        Args:
            T: K, any shape.
            B: field, T.
        """
        total, field = np.zeros(np.shape(T)), math.hypot(B, self.dipole_field)
        for s, x in self._levels(T, field):
            total -= s.density * KB * s.spacing * field * _polarisation(s.spin, x)
        return total

    def entropy(self, T: npt.ArrayLike, B: float) -> Floats:
        """Entropy minus that of disordered spins, n kB ln(2 I + 1), J/(m^3 K); arguments as of `energy`."""
        total = np.zeros(np.shape(T))
        for s, x in self._levels(T, math.hypot(B, self.dipole_field)):
            total -= s.density * KB * (_order((s.spin + 0.5) * x) - _order(0.5 * x))
        return total

    def heat_capacity(self, T: npt.ArrayLike, B: float) -> Floats:
        """At constant field, J/(m^3 K); arguments as of `energy`."""
        total = np.zeros(np.shape(T))
        for s, x in self._levels(T, math.hypot(B, self.dipole_field)):
            total += s.density * KB * _capacity(s.spin, x)
        return total

    def magnetisation(self, T: npt.ArrayLike, B: float) -> Floats:
        """Mean moment along B per volume, A/m; arguments as of `energy`."""
        field = math.hypot(B, self.dipole_field)
        return np.asarray(-self.energy(T, B) * B / field**2 if field else np.zeros(np.shape(T)))

    def curie_constant(self) -> float:
        """The lambda in c = lambda B^2 / T^2 at high temperature, J K m^-3 T^-2."""
        return sum(s.density * KB * s.spin * (s.spin + 1.0) / 3.0 * s.spacing**2 for s in self.species)

    def lowest_energy(self, B: float) -> float:
        """Energy of the ordered spins, T -> 0, J/m^3."""
        return -math.hypot(B, self.dipole_field) * sum(s.density * KB * s.spacing * s.spin for s in self.species)

    def lowest_entropy(self, B: float) -> float:
        """Entropy of the ordered spins, T -> 0, J/(m^3 K); 0 without any field."""
        if math.hypot(B, self.dipole_field) == 0.0:
            return 0.0
        return -sum(s.density * KB * math.log(2.0 * s.spin + 1.0) for s in self.species)

    def _levels(self, T: npt.ArrayLike, field: float) -> list[tuple[Spins, Floats]]:
        """Each species with its spacing over kB T."""
        temperature = np.asarray(T, dtype=np.float64)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            return [
                (s, np.where(field > 0.0, np.minimum(s.spacing * field / temperature, _LARGEST), 0.0))
                for s in self.species
            ]


def dipole_field(atoms: float, species: Sequence[Spins]) -> float:
    """Field b (T) that stands for the dipolar coupling of spins on a cubic lattice.

    Equates Tr Hd^2 of the dipolar coupling with that of the spins in b:
    b^2 = (mu0 / 4 pi)^2 sum_j n_j m_j^2 (I_j + 1) / I_j * sum r^-6 / n. For copper 0.34 mT, as measured.

    Args:
        atoms: number of atoms per volume, m^-3.
        species: those with a moment.
    """
    moments = sum(s.density * (s.moment * NUCLEAR_MAGNETON) ** 2 * (s.spin + 1.0) / s.spin for s in species)
    return MU0 / (4.0 * math.pi) * math.sqrt(_LATTICE_SUM * atoms * moments)


# ---- functions of one variable -----------------------------------------------------------------------------------
# Below 1 by series of positive terms, above directly.
_K = np.arange(1, 12)
_SINH = np.array([1.0 / math.factorial(2 * k + 1) for k in _K])


def _series(coefficients: Floats, y: Floats) -> Floats:
    """Sum of coefficients[k - 1] y^(2 k), k from 1."""
    square, total = y * y, np.zeros_like(y)
    for c in coefficients[::-1]:
        total = square * (c + total)
    return np.asarray(total)


def _langevin(y: Floats) -> Floats:
    """Return y coth y - 1."""
    small = np.minimum(y, 1.0)
    low = _series(2.0 * _K * _SINH, small) / (1.0 + _series(_SINH, small))
    return np.where(y < 1.0, low, y / np.tanh(np.maximum(y, 1.0)) - 1.0)


def _polarisation(spin: float, x: Floats) -> Floats:
    """Mean quantum number, 0 to I."""
    excess = _langevin((spin + 0.5) * x) - _langevin(0.5 * x)
    return np.asarray(np.divide(excess, x, out=np.zeros_like(excess), where=x > 1e-150))


def _order(y: Floats) -> Floats:
    """Return y coth y - 1 - ln(sinh y / y)."""
    small, large = np.minimum(y, 1.0), np.maximum(y, 1.0)
    low = _langevin(small) - np.log1p(_series(_SINH, small))
    # y coth y and ln sinh y are large and nearly equal: written without what they have in common.
    vanishing = np.exp(-2.0 * np.minimum(large, 350.0))
    high = np.log(2.0 * large) - 1.0 - np.log1p(-vanishing) + 2.0 * large * vanishing / (1.0 - vanishing)
    return np.where(y < 1.0, low, high)


def _capacity(spin: float, x: Floats) -> Floats:
    """Heat capacity of a spin over kB."""
    a, b = (spin + 0.5) * x, 0.5 * x
    return np.asarray(np.where(x < 1.0, _lost(a) - _lost(b), _schottky(b) - _schottky(a)))


def _schottky(y: Floats) -> Floats:
    """(y / sinh y)^2."""
    return np.asarray((2.0 * y * np.exp(-y) / np.maximum(-np.expm1(-2.0 * y), 1e-300)) ** 2)


def _lost(y: Floats) -> Floats:
    """1 - (y / sinh y)^2."""
    excess = _series(_SINH, np.minimum(y, 1.0))
    return np.where(y < 1.0, excess * (2.0 + excess) / (1.0 + excess) ** 2, 1.0 - _schottky(y))
