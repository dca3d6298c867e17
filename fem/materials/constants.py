"""Constants that a `Material` has, by what they belong to: its superconducting state, its phonons."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from fem.materials.bcs_theory import WEAK_COUPLING

PenetrationLaw = Literal["dirty", "clean", "two-fluid"]


@dataclass(frozen=True, kw_only=True)
class OfSuperconductor:
    """Constants of the superconducting state.

    Attributes:
        critical_temperature: K; None if the material never superconducts.
        gap_ratio: Delta(0)/(kB Tc); other values than the weak-coupling 1.764 follow the alpha-model.
        penetration_depth0: lambda(0), m.
        penetration_law: how lambda depends on T.
        coherence_length: xi0, m.
        kappa: Ginzburg-Landau parameter of the clean metal; see `fem.materials.ginzburg_landau` for films.
        measured_critical_field: thermodynamic mu0 Hc(0), T; compared with the derived one by `check`, not used.
        lower_critical_field: mu0 Hc1(0), T.
    """

    critical_temperature: float | None = None
    gap_ratio: float = WEAK_COUPLING
    penetration_depth0: float | None = None
    penetration_law: PenetrationLaw = "dirty"
    coherence_length: float | None = None
    kappa: float | None = None
    measured_critical_field: float | None = None
    lower_critical_field: float | None = None


@dataclass(frozen=True, kw_only=True)
class OfPhonons:
    """Constants of the phonons and of their coupling to the electrons.

    Attributes:
        electron_phonon: Sigma in Sigma (T^n - T_lattice^n), W m^-3 K^-n.
        electron_phonon_exponent: n; 5 in clean metals, 6 in thin disordered films.
        sound_speeds: longitudinal and transverse, m/s.
        density: kg m^-3.
        phonon_speed: mean speed in the phonon conductivity beta T^3 v l/3, m/s.
        phonon_mean_free_path: l, m (a film: its thickness); None leaves phonon conduction out.
    """

    electron_phonon: float | None = None
    electron_phonon_exponent: float = 5.0
    sound_speeds: tuple[float, float] | None = None
    density: float | None = None
    phonon_speed: float = 2300.0
    phonon_mean_free_path: float | None = None
