"""Type I or II, and the largest currents: what Ginzburg-Landau theory adds to a material's constants."""

from __future__ import annotations

import math

from fem.constants import E_CHARGE, HBAR, KB, MU0
from fem.materials.material import Material

TYPE_TWO = 1.0 / math.sqrt(2.0)  # kappa above which vortices enter
FLUX_QUANTUM = math.pi * HBAR / E_CHARGE  # h/2e, Wb
# kappa = kappa0 + 7.5e3 sqrt(gamma) rho with gamma in erg cm^-3 K^-2 and rho in Ohm cm (B. B. Goodman, IBM J. Res.
# Dev. 6, 63 (1962)): sqrt(10) from gamma, 100 from rho. Gor'kov's dirty limit 0.715 lambda_L/l gives
# 0.715 e/(pi kB sqrt(mu0)) = 2.356e6, the same within 1 %.
GOODMAN = 7.5e3 * math.sqrt(10.0) * 100.0  # (J m^-3 K^-2)^(-1/2) (Ohm m)^-1
NEAR_CRITICAL = 0.999  # T/Tc where kappa is taken: the theory holds near Tc, and kappa is defined there


def kappa_of_resistivity(material: Material, resistivity: float) -> float | None:
    """Ginzburg-Landau parameter of a metal by Goodman's formula; None if its clean kappa is not known.

    Args:
        material: a superconductor; its `kappa` is that of the clean metal.
        resistivity: residual resistivity, Ohm m.
    """
    if material.kappa is None:
        return None
    return material.kappa + GOODMAN * math.sqrt(material.gamma) * resistivity


def type_one_resistivity(material: Material) -> float:
    """Largest residual resistivity (Ohm m) at which a metal is type I by Goodman's formula; 0 if the clean one is not.

    Raises:
        ValueError: the clean kappa or gamma is not known.
    """
    if material.kappa is None or material.gamma == 0.0:
        raise ValueError(f"material {material.name}: kappa or gamma is not given")
    return max(0.0, TYPE_TWO - material.kappa) / (GOODMAN * math.sqrt(material.gamma))


def kappa_of_penetration_depth(material: Material) -> float:
    """Ginzburg-Landau parameter from the penetration depth, lambda/xi = 2 sqrt(2) pi mu0 Hc lambda^2/Phi0 at Tc.

    It follows from Hc = Phi0/(2 sqrt(2) pi mu0 lambda xi) (M. Tinkham, Introduction to Superconductivity, chapter 4),
    with the material's own Hc(T) and lambda(T).

    Raises:
        ValueError: the material does not superconduct, or its penetration depth is not known.
    """
    if material.critical_temperature is None:
        raise ValueError(f"material {material.name} does not superconduct")
    T = NEAR_CRITICAL * material.critical_temperature
    field, depth = float(material.critical_field(T)), float(material.penetration_depth(T))
    return 2.0 * math.sqrt(2.0) * math.pi * MU0 * field * depth**2 / FLUX_QUANTUM


def mean_free_path(material: Material, resistivity: float) -> float | None:
    """Mean free path of the electrons in metres; None without a coherence length.

    1/rho = e^2 N vF l/3 with N = 3 gamma/(pi kB)^2 and vF = pi Delta(0) xi0/hbar.

    Args:
        material: a superconductor with gamma.
        resistivity: residual resistivity, Ohm m.
    """
    if material.coherence_length is None or material.gamma == 0.0 or material.gap0 == 0.0:
        return None
    velocity = math.pi * material.gap0 * material.coherence_length / HBAR
    return (math.pi * KB / E_CHARGE) ** 2 / (material.gamma * velocity * resistivity)


def depairing_current_density(material: Material, T: float) -> float:
    """Largest current density of a thin superconductor, (2/3)^(3/2) Hc(T)/lambda(T), A/m^2; 0 above Tc.

    Source: M. Tinkham, Introduction to Superconductivity, chapter 4 (critical current of a thin wire or film).
    """
    return math.sqrt(8.0 / 27.0) * float(material.critical_field(T)) / float(material.penetration_depth(T))


def largest_sheet_current(material: Material, thickness: float, T: float) -> float:
    """A bound on the current per width of a film, A/m: the lower of depairing and the critical field on both faces.

    A thin film carries at most the depairing density throughout; a thick one carries its current at its two faces,
    and each of them at most Hc (Silsbee).

    Args:
        material: a superconductor.
        thickness: m.
        T: K.
    """
    return min(depairing_current_density(material, T) * thickness, 2.0 * float(material.critical_field(T)))
