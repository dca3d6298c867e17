"""Library of materials, every constant with its source.

Molar data are converted by gamma = gamma_mol/V_m and beta = (12 pi^4/5) R/(theta_D^3 V_m). Residual resistivities, film
penetration depths and phonon paths depend on the sample: the values here are typical and are meant to be overridden.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from scipy.special import zeta

from fem.constants import AVOGADRO, GAS_CONSTANT, KB
from fem.materials.bcs_theory import WEAK_COUPLING
from fem.materials.material import Material
from fem.materials.nuclear_spins import Nuclei, Spins, dipole_field

KITTEL = "C. Kittel, Introduction to Solid State Physics"
CRC = "CRC Handbook of Chemistry and Physics"
POOLE = "C. P. Poole (ed.), Handbook of Superconductivity"
ASHCROFT = "N. W. Ashcroft, N. D. Mermin, Solid State Physics"
LANDOLT = "Landolt-Boernstein, New Series, group III"
SWARTZ = "E. T. Swartz, R. O. Pohl, Rev. Mod. Phys. 61, 605 (1989), sound speeds"
GIAZOTTO = "F. Giazotto et al., Rev. Mod. Phys. 78, 217 (2006)"
PHILLIPS = "N. E. Phillips, Phys. Rev. 114, 676 (1959)"
MARTIN = "D. L. Martin, Phys. Rev. B 8, 5357 (1973)"
WEAK = "BCS weak coupling, pi exp(-Euler's constant)"
KITTEL_GAP = f"{KITTEL}, table of energy gaps (half of 2 Delta(0)/kTc)"
KITTEL_HEAT = f"{KITTEL}, tables of electronic heat capacity and Debye temperature"
TYPICAL = "assumption: typical of an evaporated or sputtered film; depends on the sample"
PURITY = "assumption: typical purity; depends on the sample"
MOMENTS = "N. J. Stone, At. Data Nucl. Data Tables 90, 75 (2005), and natural abundances; dipole field from the moments"
WELLSTOOD = "clean metals: F. C. Wellstood, C. Urbina, J. Clarke, Phys. Rev. B 49, 5942 (1994)"
KAPLAN = "S. B. Kaplan et al., Phys. Rev. B 14, 4854 (1976)"
ELASTIC = f"{LANDOLT}, polycrystalline average of the elastic constants"


def debye_beta(debye_temperature: float, molar_volume: float) -> float:
    """Return beta = (12 pi^4/5) R/(theta_D^3 V_m), J m^-3 K^-4.

    Args:
        debye_temperature: theta_D, K.
        molar_volume: of one mole of *atoms*, m^3/mol.
    """
    return 12.0 * math.pi**4 / 5.0 * GAS_CONSTANT / (debye_temperature**3 * molar_volume)


def electron_phonon_constant(gamma: float, critical_temperature: float, phonon_time: float) -> float:
    """Return Sigma = 48 zeta(5) N(0) kB^2/(tau0 Tc^3), W m^-3 K^-5, of a clean superconductor's electrons.

    N(0) = 3 gamma/(2 pi^2 kB^2) is the density of states of one spin. Source: S. B. Kaplan et al., Phys. Rev. B 14,
    4854 (1976), whose tau0 holds the spectrum of the phonons to which the electrons couple.

    Args:
        gamma: Sommerfeld constant, J m^-3 K^-2.
        critical_temperature: Tc, K.
        phonon_time: tau0, s.
    """
    density = 3.0 * gamma / (2.0 * math.pi**2 * KB**2)
    return float(48.0 * zeta(5.0) * density * KB**2 / (phonon_time * critical_temperature**3))


def _material(
    name: str,
    molar_volume: tuple[float, str],
    debye_temperature: tuple[float, str],
    molar_gamma: tuple[float, str] | None = None,
    isotopes: tuple[tuple[float, float, float], ...] = (),
    phonon_time: float | None = None,
    **constants: tuple[Any, str],
) -> Material:
    """Build a material from pairs (value, source).

    Args:
        name: as in the library.
        molar_volume: m^3 per mole of atoms.
        debye_temperature: K.
        molar_gamma: Sommerfeld constant, J mol^-1 K^-2; None for dielectrics.
        isotopes: abundance, spin and moment in nuclear magnetons of each isotope with a spin.
        phonon_time: tau0 of a superconductor's electrons, s, for the electron-phonon constant.
        constants: other fields of `Material`.
    """
    volume, debye = molar_volume[0], debye_temperature[0]
    sources = {key: source for key, (_, source) in constants.items()}
    sources["beta"] = (
        f"from theta_D = {debye:g} K ({debye_temperature[1]}), V_m = {volume * 1e6:g} cm^3/mol ({molar_volume[1]})"
    )
    gamma = 0.0
    if molar_gamma is None:
        sources["gamma"] = "dielectric"
    else:
        gamma = molar_gamma[0] / volume
        sources["gamma"] = f"from {molar_gamma[0] * 1e3:g} mJ mol^-1 K^-2 ({molar_gamma[1]}) and V_m"
    values = {key: value for key, (value, _) in constants.items()}
    sources["electron_phonon_exponent"] = WELLSTOOD
    if phonon_time is not None:
        values["electron_phonon"] = electron_phonon_constant(gamma, values["critical_temperature"], phonon_time)
        sources["electron_phonon"] = f"48 zeta(5) N(0) kB^2/(tau0 Tc^3), tau0 = {phonon_time * 1e9:g} ns ({KAPLAN})"
    if isotopes:
        atoms = AVOGADRO / volume
        species = tuple(Spins(spin, moment, abundance * atoms) for abundance, spin, moment in isotopes)
        values["nuclei"], sources["nuclei"] = Nuclei(species, dipole_field(atoms, species)), MOMENTS
    return Material(name, gamma=gamma, beta=debye_beta(debye, volume), sources=MappingProxyType(sources), **values)


_ALL = (
    _material(
        "Ta",
        molar_volume=(10.85e-6, f"{CRC}, density and atomic weight"),
        debye_temperature=(258.0, f"{CRC}, low-temperature heat capacity"),
        molar_gamma=(5.9e-3, KITTEL_HEAT),
        isotopes=((0.99988, 3.5, 2.3705),),
        phonon_time=1.78e-9,
        critical_temperature=(4.47, CRC),
        penetration_depth0=(60e-9, f"{TYPICAL} (films 60-150 nm; clean 35-52 nm, {POOLE})"),
        resistivity=(1.31e-7 / 40, "room-temperature value over RRR = 40 (assumption): clearly type I"),
        room_resistivity=(1.31e-7, CRC),
        coherence_length=(90e-9, POOLE),
        kappa=(0.42, POOLE),
        measured_critical_field=(82.9e-3, CRC),
        gap_ratio=(WEAK_COUPLING, f"{WEAK}; {KITTEL_GAP} gives 1.80"),
        sound_speeds=((4160.0, 2040.0), ELASTIC),
        density=(16650.0, CRC),
    ),
    _material(
        "Nb",
        molar_volume=(10.83e-6, f"{CRC}, density and atomic weight"),
        debye_temperature=(276.0, f"{CRC}, low-temperature heat capacity"),
        molar_gamma=(7.8e-3, KITTEL_HEAT),
        isotopes=((1.0, 4.5, 6.1705),),
        phonon_time=0.149e-9,
        critical_temperature=(9.25, CRC),
        gap_ratio=(1.90, KITTEL_GAP),
        penetration_depth0=(80e-9, f"{TYPICAL} (films 80-100 nm; clean 39 nm, {POOLE})"),
        resistivity=(1e-8, PURITY),
        room_resistivity=(1.52e-7, CRC),
        coherence_length=(40e-9, POOLE),
        kappa=(0.70, f"{POOLE}; films above 1"),
        measured_critical_field=(199e-3, POOLE),
        lower_critical_field=(174e-3, f"{POOLE} (170-180 mT, clean)"),
        sound_speeds=((5070.0, 2090.0), ELASTIC),
        density=(8570.0, CRC),
    ),
    _material(
        "Cu",
        molar_volume=(7.11e-6, f"{CRC}, density and atomic weight"),
        debye_temperature=(344.5, MARTIN),
        molar_gamma=(0.691e-3, MARTIN),
        isotopes=((0.6915, 1.5, 2.2273), (0.3085, 1.5, 2.3816)),
        resistivity=(1.68e-10, "room-temperature value over RRR = 100 (assumption)"),
        room_resistivity=(1.68e-8, CRC),
        electron_phonon=(2e9, GIAZOTTO),
        sound_speeds=((4760.0, 2325.0), f"{CRC}, annealed copper"),
        density=(8960.0, CRC),
    ),
    _material(
        "Al",
        molar_volume=(10.00e-6, f"{CRC}, density and atomic weight"),
        debye_temperature=(427.7, PHILLIPS),
        molar_gamma=(1.35e-3, PHILLIPS),
        isotopes=((1.0, 2.5, 3.6415),),
        critical_temperature=(1.163, PHILLIPS),
        gap_ratio=(WEAK_COUPLING, WEAK),
        penetration_depth0=(50e-9, f"{TYPICAL} (clean 16 nm, {KITTEL})"),
        resistivity=(2.7e-10, "room-temperature value over RRR = 100 (assumption)"),
        room_resistivity=(2.7e-8, CRC),
        coherence_length=(1600e-9, KITTEL),
        kappa=(0.01, f"{KITTEL}, lambda_L/xi0 (clean)"),
        measured_critical_field=(10.49e-3, POOLE),
        electron_phonon=(2.5e8, f"{GIAZOTTO} (2e8-3e8)"),
        sound_speeds=((6240.0, 3040.0), SWARTZ),
        density=(2700.0, CRC),
    ),
    _material(
        "V",
        molar_volume=(8.34e-6, f"{CRC}, density and atomic weight"),
        debye_temperature=(380.0, KITTEL_HEAT),
        molar_gamma=(9.26e-3, KITTEL_HEAT),
        isotopes=((0.9975, 3.5, 5.1487), (0.0025, 6.0, 3.3457)),
        critical_temperature=(5.40, CRC),
        gap_ratio=(WEAK_COUPLING, WEAK),
        penetration_depth0=(100e-9, f"{TYPICAL} (clean about 40 nm, {POOLE})"),
        resistivity=(1e-8, PURITY),
        room_resistivity=(1.97e-7, CRC),
        coherence_length=(44e-9, POOLE),
        kappa=(0.85, POOLE),
        measured_critical_field=(140.8e-3, CRC),
        sound_speeds=((6000.0, 2780.0), ELASTIC),
        density=(6000.0, CRC),
    ),
    _material(
        "In",
        molar_volume=(15.71e-6, f"{CRC}, density and atomic weight"),
        debye_temperature=(108.0, KITTEL_HEAT),
        molar_gamma=(1.69e-3, KITTEL_HEAT),
        isotopes=((0.0429, 4.5, 5.5289), (0.9571, 4.5, 5.5408)),
        critical_temperature=(3.41, CRC),
        gap_ratio=(1.80, KITTEL_GAP),
        penetration_depth0=(64e-9, f"{POOLE}, clean"),
        resistivity=(8e-10, "room-temperature value over RRR = 100 (assumption)"),
        room_resistivity=(8.0e-8, CRC),
        coherence_length=(360e-9, POOLE),
        kappa=(0.11, POOLE),
        measured_critical_field=(28.15e-3, CRC),
        sound_speeds=((2560.0, 910.0), ELASTIC),
        density=(7310.0, CRC),
    ),
    _material(
        "Sn",
        molar_volume=(16.29e-6, f"{CRC}, density and atomic weight"),
        debye_temperature=(200.0, KITTEL_HEAT),
        molar_gamma=(1.78e-3, KITTEL_HEAT),
        isotopes=((0.0034, 0.5, 0.9188), (0.0768, 0.5, 1.0010), (0.0859, 0.5, 1.0473)),
        critical_temperature=(3.722, CRC),
        gap_ratio=(WEAK_COUPLING, f"{WEAK}; {KITTEL_GAP} gives 1.75"),
        penetration_depth0=(34e-9, f"{KITTEL}, clean"),
        resistivity=(1.15e-9, "room-temperature value over RRR = 100 (assumption)"),
        room_resistivity=(1.15e-7, CRC),
        coherence_length=(230e-9, KITTEL),
        kappa=(0.15, f"{KITTEL}, lambda_L/xi0"),
        measured_critical_field=(30.5e-3, CRC),
        sound_speeds=((3320.0, 1670.0), CRC),
        density=(7287.0, CRC),
    ),
    _material(
        "Pb",
        molar_volume=(18.26e-6, f"{CRC}, density and atomic weight"),
        debye_temperature=(105.0, KITTEL_HEAT),
        molar_gamma=(2.98e-3, KITTEL_HEAT),
        isotopes=((0.221, 0.5, 0.5926),),
        critical_temperature=(7.196, CRC),
        gap_ratio=(2.19, KITTEL_GAP),
        penetration_depth0=(37e-9, f"{KITTEL}, clean"),
        resistivity=(2.08e-9, "room-temperature value over RRR = 100 (assumption)"),
        room_resistivity=(2.08e-7, CRC),
        coherence_length=(83e-9, KITTEL),
        kappa=(0.45, f"{KITTEL}, lambda_L/xi0"),
        measured_critical_field=(80.3e-3, CRC),
        sound_speeds=((2350.0, 970.0), SWARTZ),
        density=(11340.0, CRC),
    ),
    _material(
        "sapphire",
        molar_volume=(5.115e-6, f"{CRC}, density and atomic weight"),
        debye_temperature=(1041.0, f"{LANDOLT}, heat capacity of Al2O3"),
        sound_speeds=((10890.0, 6450.0), SWARTZ),
        density=(3980.0, CRC),
        phonon_speed=(7464.0, "3/v = 1/v_l + 2/v_t from sound_speeds"),
        phonon_mean_free_path=(0.5e-3, "assumption: boundary scattering in a 0.5 mm substrate"),
    ),
    _material(
        "Si",
        molar_volume=(12.06e-6, f"{CRC}, density and atomic weight"),
        debye_temperature=(645.0, KITTEL_HEAT),
        sound_speeds=((8970.0, 5332.0), SWARTZ),
        density=(2329.0, CRC),
        phonon_speed=(6166.0, "3/v = 1/v_l + 2/v_t from sound_speeds"),
        phonon_mean_free_path=(0.5e-3, "assumption: boundary scattering in a 0.5 mm substrate"),
    ),
)

LIBRARY: Mapping[str, Material] = MappingProxyType({material.name: material for material in _ALL})


def get_material(name: str) -> Material:
    """Return a material of the library; upper and lower case do not matter.

    Raises:
        KeyError: for an unknown name, with the nearest one.
    """
    by_lower = {known.lower(): known for known in LIBRARY}
    if name.lower() in by_lower:
        return LIBRARY[by_lower[name.lower()]]
    near = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.5)
    hint = f"; did you mean {by_lower[near[0]]}?" if near else ""
    raise KeyError(f"unknown material {name!r}{hint} (known: {', '.join(LIBRARY)})")
