"""Materials: thermal laws of the normal and the superconducting state, critical field and penetration depth.

Everything is per volume and in SI units. A material carries both phases; the *normal fraction* f in [0, 1] mixes them,
s = f s_N + (1 - f) s_S, and likewise energy, heat capacity and conductivity. Both thermal energies start from
e(0) = 0; the difference of the two phases' ground states is `Material.condensation_energy`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from fem.constants import KB, MU0
from fem.materials import conduction, inversion, thin_film
from fem.materials.bcs_theory import ReducedSuperconductor, gap_squared, reduced_superconductor
from fem.materials.conduction import SMALLEST_U, temperature_of_u
from fem.materials.constants import OfPhonons, OfSuperconductor
from fem.materials.nuclear_spins import Nuclei
from meshes.arrays import Floats


@dataclass(frozen=True)
class Material(OfSuperconductor, OfPhonons):
    """Constants of one material and the laws that follow from them; see `fem.materials.constants` for the others.

    All methods are vectorised: temperatures T (K), u = T^2 (K^2) and normal fractions f broadcast. A material that
    never superconducts ignores f.

    Attributes:
        name: as in the library.
        gamma: Sommerfeld constant, J m^-3 K^-2 (0 for dielectrics).
        beta: phonon heat capacity over T^3, J m^-3 K^-4.
        resistivity: residual resistivity, Ohm m; None for dielectrics.
        room_resistivity: at 295 K, Ohm m (what a residual resistance ratio refers to).
        constant_conductivity: W/(m K), replaces every conductivity law. Material("block", constant_conductivity=2.0,
            constant_heat_capacity=1e6) is all that a plain heat problem needs.
        constant_heat_capacity: J/(m^3 K), replaces gamma, beta, the superconducting electrons and the spins; then
            e = c T and s = c ln(T / 1 K).
        nuclei: the nuclear spins; they count only where spin_field is given.
        spin_field: B that they are in, T, in both phases; None leaves them out.
        sources: where each constant comes from.
    """

    name: str
    gamma: float = 0.0
    beta: float = 0.0
    resistivity: float | None = None
    room_resistivity: float | None = None
    constant_conductivity: float | None = None
    constant_heat_capacity: float | None = None
    nuclei: Nuclei | None = None
    spin_field: float | None = None
    sources: Mapping[str, str] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        """Check the constants.

        Raises:
            ValueError: naming the material and the constant that is out of range.
        """
        for key in ("gamma", "beta"):
            if not getattr(self, key) >= 0.0:
                raise ValueError(f"material {self.name}: {key} must not be negative")
        positive = (
            "critical_temperature", "penetration_depth0", "resistivity", "room_resistivity", "phonon_speed",
            "phonon_mean_free_path", "constant_conductivity", "constant_heat_capacity", "electron_phonon_exponent",
        )  # fmt: skip
        for key in positive:
            value = getattr(self, key)
            if value is not None and not value > 0.0:
                raise ValueError(f"material {self.name}: {key} must be positive")
        if not 1.0 <= self.gap_ratio <= 4.0:
            raise ValueError(f"material {self.name}: gap_ratio must lie between 1 and 4")
        if self.penetration_law not in ("dirty", "clean", "two-fluid"):
            raise ValueError(f"material {self.name}: unknown penetration_law {self.penetration_law!r}")

    @property
    def superconducting(self) -> bool:
        """Whether the material has a superconducting phase."""
        return self.critical_temperature is not None

    @property
    def paired(self) -> tuple[ReducedSuperconductor, float] | None:
        """Reduced BCS functions and Tc if the superconducting electrons enter the heat capacity, else None."""
        if self.critical_temperature is None or self.gamma == 0.0 or self.constant_heat_capacity is not None:
            return None
        return reduced_superconductor(self.gap_ratio), self.critical_temperature

    @property
    def gap0(self) -> float:
        """Delta(0), J; 0 for a material that never superconducts."""
        return self.gap_ratio * KB * (self.critical_temperature or 0.0)

    @property
    def condensation_energy(self) -> float:
        """Free energy of the normal minus the superconducting state at T = 0, J/m^3 (= mu0 Hc0^2/2)."""
        if self.critical_temperature is None:
            return 0.0
        reduced = reduced_superconductor(self.gap_ratio)
        return reduced.condensation * self.gamma * self.critical_temperature**2

    def gap(self, T: npt.ArrayLike) -> Floats:
        """Delta(T), J; 0 above Tc."""
        return np.asarray(np.sqrt(self.gap_squared_u(np.square(T))[0]))

    def gap_squared_u(self, u: npt.ArrayLike) -> tuple[Floats, Floats]:
        """Return Delta^2 (J^2) and its derivative in u = T^2 (J^2/K^2)."""
        u = np.asarray(u, dtype=np.float64)
        if self.critical_temperature is None:
            return np.zeros_like(u), np.zeros_like(u)
        T = np.sqrt(np.maximum(u, SMALLEST_U))
        value, slope = gap_squared(T / self.critical_temperature)
        scale = self.gap0**2
        return scale * value, scale * slope / (2.0 * T * self.critical_temperature)

    def critical_field(self, T: npt.ArrayLike) -> Floats:
        """Thermodynamic critical field Hc(T), A/m, from the entropies: mu0 Hc^2/2 = int_T^Tc (s_N - s_S) dT'."""
        T = np.asarray(T, dtype=np.float64)
        if self.critical_temperature is None:
            return np.zeros_like(T)
        reduced = reduced_superconductor(self.gap_ratio).field_squared(T / self.critical_temperature)
        return np.asarray(np.sqrt(2.0 * self.gamma * self.critical_temperature**2 / MU0 * reduced))

    def penetration_depth(self, T: npt.ArrayLike) -> Floats:
        """lambda(T), m; infinite above Tc and in materials that never superconduct.

        Raises:
            ValueError: if the material superconducts and its lambda(0) is not known.
        """
        T = np.asarray(T, dtype=np.float64)
        if self.critical_temperature is None:
            return np.full_like(T, np.inf)
        if self.penetration_depth0 is None:
            raise ValueError(f"material {self.name}: penetration_depth0 is not given")
        reduced = reduced_superconductor(self.gap_ratio)
        fraction = reduced.superfluid_fraction(T / self.critical_temperature, self.penetration_law)
        with np.errstate(divide="ignore"):
            return np.asarray(self.penetration_depth0 / np.sqrt(fraction))

    def film_critical_field_factor(self, thickness: float, T: npt.ArrayLike) -> Floats:
        """Parallel transition field of a film over Hc(T), `fem.materials.thin_film.critical_field_factor`; 1 above Tc.

        Args:
            thickness: m.
            T: K.
        """
        return thin_film.critical_field_factor(np.asarray(0.5 * thickness / self.penetration_depth(T)))

    def normal_fraction(
        self,
        H: npt.ArrayLike,
        T: npt.ArrayLike,
        transition_width: float = 1e-3,
        field_factor: npt.ArrayLike = 1.0,
    ) -> Floats:
        """Fraction of normal phase, f = 1/(1 + exp[(mu0 Hc^2 - mu0 H^2)/(2 eps)]).

        eps = transition_width mu0 Hc0^2 does not depend on T, which keeps the Maxwell relation dB/dT|_H = ds/dH|_T
        exact.

        Args:
            H: magnetic field, A/m.
            T: K.
            transition_width: eps over mu0 Hc(0)^2; the transition is about that wide in H/Hc.
            field_factor: what the material's Hc(T) is multiplied by (thin films).

        Raises:
            ValueError: if the material superconducts and its gamma is not given (hence no critical field).
        """
        H, T = np.asarray(H, dtype=np.float64), np.asarray(T, dtype=np.float64)
        if self.critical_temperature is None:
            return np.ones(np.broadcast_shapes(H.shape, T.shape, np.shape(field_factor)))
        if self.gamma == 0.0:
            raise ValueError(f"material {self.name}: gamma is not given, so its critical field is not known")
        scale = 2.0 * transition_width * float(self.critical_field(0.0)) ** 2
        exponent = ((np.asarray(field_factor) * self.critical_field(T)) ** 2 - H * H) / scale
        # the smaller of the two exponentials never overflows
        small = np.exp(-np.abs(exponent))
        return np.asarray(np.where(exponent > 0.0, small, 1.0) / (1.0 + small))

    def entropy(self, T: npt.ArrayLike, f: npt.ArrayLike = 1.0) -> Floats:
        """Entropy, J/(m^3 K); 0 at T = 0 (constant heat capacity: c ln(T / 1 K)).

        That of spins counts from their disorder: it is negative, and so may be the whole.
        """
        T, f = _pair(T, f)
        if self.constant_heat_capacity is not None:
            return np.asarray(self.constant_heat_capacity * np.log(T) + 0.0 * f)
        electrons = self._mix(T, f, self.gamma * T, "entropy", 1)
        return np.asarray(electrons + self.beta * T**3 / 3.0 + self._of_spins("entropy", T))

    def energy(self, T: npt.ArrayLike, f: npt.ArrayLike = 1.0) -> Floats:
        """Thermal energy, J/m^3: int_0^T c dT' at fixed f, so 0 at T = 0 in both phases; that of spins is -M B < 0."""
        T, f = _pair(T, f)
        if self.constant_heat_capacity is not None:
            return np.asarray(self.constant_heat_capacity * T + 0.0 * f)
        electrons = self._mix(T, f, 0.5 * self.gamma * T * T, "energy", 2)
        return np.asarray(electrons + 0.25 * self.beta * T**4 + self._of_spins("energy", T))

    def heat_capacity(self, T: npt.ArrayLike, f: npt.ArrayLike = 1.0) -> Floats:
        """Heat capacity at fixed f, J/(m^3 K): de/dT = T ds/dT."""
        T, f = _pair(T, f)
        if self.constant_heat_capacity is not None:
            return np.full(T.shape, self.constant_heat_capacity)
        electrons = self._mix(T, f, self.gamma * T, "heat_capacity", 1)
        return np.asarray(electrons + self.beta * T**3 + self._of_spins("heat_capacity", T))

    @property
    def spins(self) -> tuple[Nuclei, float] | None:
        """The nuclear spins and their field (T) if they enter the heat capacity, else None."""
        if self.nuclei is None or self.spin_field is None or self.constant_heat_capacity is not None:
            return None
        return (self.nuclei, self.spin_field) if self.spin_field or self.nuclei.dipole_field else None

    def _of_spins(self, quantity: str, T: Floats) -> Floats | float:
        if self.spins is None:
            return 0.0
        nuclei, field = self.spins
        return np.asarray(getattr(nuclei, quantity)(T, field))

    def _mix(self, T: Floats, f: Floats, normal: Floats, quantity: str, power: int) -> Floats:
        """Return f normal + (1 - f) gamma Tc^power quantity(T/Tc), the second part only where it is needed."""
        paired = self.paired
        if paired is None:
            return normal
        reduced, critical = paired
        result = np.asarray(f * normal)
        where = f != 1.0
        if where.any():
            part = getattr(reduced, quantity)(T[where] / critical)
            result[where] += (1.0 - f[where]) * self.gamma * critical**power * part
        return result

    def energy_u(self, u: npt.ArrayLike, f: npt.ArrayLike = 1.0) -> tuple[Floats, Floats]:
        """Return the thermal energy e (J/m^3) and de/du (J m^-3 K^-2) as functions of u = T^2.

        Exact down to u = 0; for negative u (Newton iterates) the electrons continue linearly and the phonons oddly, so
        that e stays monotone with a continuous slope.
        """
        u, f = _pair(u, f)
        if self.constant_heat_capacity is not None:
            T, slope = temperature_of_u(u)
            return self.constant_heat_capacity * T, self.constant_heat_capacity * slope
        size = np.abs(u)
        energy, slope = np.asarray(0.25 * self.beta * u * size), np.asarray(0.5 * self.beta * size)
        if self.spins is not None:
            T = np.sqrt(np.maximum(u, SMALLEST_U))
            energy += self._of_spins("energy", T)
            slope += np.where(u < SMALLEST_U, 0.0, self._of_spins("heat_capacity", T) / (2.0 * T))
        paired = self.paired
        if paired is None:
            return energy + 0.5 * self.gamma * u, slope + 0.5 * self.gamma
        reduced, critical = paired
        energy += 0.5 * self.gamma * f * u
        slope += 0.5 * self.gamma * f
        where = (f != 1.0) & (u > 0.0)
        if where.any():
            T = np.asarray(np.sqrt(u[where]))
            weight = (1.0 - f[where]) * self.gamma
            below, capacity = reduced.energy_and_capacity(np.asarray(T / critical))
            energy[where] += weight * critical**2 * below
            slope[where] += weight * critical * capacity / (2.0 * T)
        return energy, slope

    def conductivity(self, T: npt.ArrayLike, f: npt.ArrayLike = 1.0) -> Floats:
        """Heat conductivity, W/(m K): electrons (Wiedemann-Franz, Bardeen-Rickayzen-Tewordt) plus phonons."""
        T, f = _pair(T, f)
        if self.constant_conductivity is not None:
            return np.full(T.shape, self.constant_conductivity)
        return np.asarray(2.0 * T * self.conductivity_u(T * T, f))

    def conductivity_u(self, u: npt.ArrayLike, f: npt.ArrayLike = 1.0) -> Floats:
        """Return k(T)/(2T), W/(m K^2), such that k grad T = conductivity_u grad u with u = T^2 (u < 0: as at 0)."""
        return conduction.conductivity_u(self, *_pair(u, f))

    def conduction_potentials(self, u: npt.ArrayLike) -> tuple[Floats, Floats]:
        """Integral of k dT from 0 to T, as parts that do not depend on f and those of the two states' electrons.

        The heat flux at normal fraction f is minus the gradient of common + f normal + (1 - f) superconducting
        (Kirchhoff's transformation, state by state).

        Args:
            u: T^2, K^2; below 0 everything but normal electrons counts as at 0.

        Returns:
            common, normal and superconducting, W/m, and their slopes in u, W/(m K^2), (3, *shape of u) each.
        """
        return conduction.potentials(self, np.asarray(u, dtype=np.float64))

    @property
    def phonon_coefficient(self) -> float:
        """Phonon conductivity over 2 T^3, W m^-1 K^-4."""
        return self.beta * self.phonon_speed * (self.phonon_mean_free_path or 0.0) / 6.0

    def temperature_from_entropy(self, s: npt.ArrayLike, f: npt.ArrayLike = 1.0) -> Floats:
        """Invert `entropy` at fixed f, to about 1e-14 relative, K.

        Raises:
            ValueError: for an entropy below that at T = 0 (constant heat capacity excepted).
        """
        return inversion.temperature_from_entropy(self, *_pair(s, f))

    def temperature_from_energy(self, e: npt.ArrayLike, f: npt.ArrayLike = 1.0) -> Floats:
        """Invert `energy` at fixed f, to about 1e-14 relative, K.

        Raises:
            ValueError: for an energy below that at T = 0.
        """
        return inversion.temperature_from_energy(self, *_pair(e, f))

    def with_overrides(
        self,
        rrr: float | None = None,
        resistivity: float | None = None,
        penetration_depth: float | None = None,
        mean_free_path: float | None = None,
    ) -> Material:
        """Return a copy with a layer's own values.

        Args:
            rrr: residual resistance ratio, room_resistivity/resistivity.
            resistivity: Ohm m.
            penetration_depth: lambda(0), m.
            mean_free_path: of the phonons, m.

        Raises:
            ValueError: if both rrr and resistivity are given, or rrr without a known room-temperature resistivity.
        """
        if rrr is not None:
            if resistivity is not None:
                raise ValueError(f"material {self.name}: give rrr or resistivity, not both")
            if self.room_resistivity is None:
                raise ValueError(f"material {self.name}: rrr needs room_resistivity, which is not known")
            if not rrr > 0.0:
                raise ValueError(f"material {self.name}: rrr must be positive")
            resistivity = self.room_resistivity / rrr
        new = {
            "resistivity": resistivity,
            "penetration_depth0": penetration_depth,
            "phonon_mean_free_path": mean_free_path,
        }
        changes: dict[str, Any] = {key: value for key, value in new.items() if value is not None}
        sources = {**self.sources, **dict.fromkeys(changes, "given for the layer")}
        return replace(self, **changes, sources=sources)

    def check(self) -> list[str]:
        """Compare the data with each other; return one line for each disagreement.

        Reported: a derived mu0 Hc(0) more than 5 % off the measured one.
        """
        if self.measured_critical_field is None or self.critical_temperature is None:
            return []
        derived = MU0 * float(self.critical_field(0.0))
        off = derived / self.measured_critical_field - 1.0
        if abs(off) <= 0.05:
            return []
        return [
            f"{self.name}: mu0 Hc(0) derived from gamma, Tc and gap ratio is {derived * 1e3:.2f} mT, "
            f"{off:+.1%} off the measured {self.measured_critical_field * 1e3:.2f} mT"
        ]


def _pair(first: npt.ArrayLike, f: npt.ArrayLike) -> tuple[Floats, Floats]:
    """Two float arrays of one shape; f may be a number."""
    a, b = np.broadcast_arrays(np.asarray(first, dtype=np.float64), np.asarray(f, dtype=np.float64))
    return a, b
