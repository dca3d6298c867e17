"""Laws of materials and junctions against direct quadrature at random temperatures, and their consistency."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
from scipy.integrate import quad
from scipy.optimize import brentq

from fem.bcs import WEAK_COUPLING
from fem.constants import E_CHARGE, KB, MU0
from fem.interfaces import TunnelJunction
from fem.library import get_material
from fem.materials import Material
from solvers.verification.report import Row

Floats = npt.NDArray[np.float64]

SEED, SAMPLES = 20260, 50
RESISTANCE_AREA = 2e-6  # Ohm m^2


def law_rows() -> list[Row]:
    """Every table of tantalum and aluminium, and the flow through a junction with a superconductor."""
    return [row for name in ("Ta", "Al") for law in (_of, _transport) for row in law(get_material(name))]


def _draws(material: Material) -> Floats:
    assert material.critical_temperature is not None
    return np.random.default_rng(SEED).uniform(1e-3, 1.2 * material.critical_temperature, SAMPLES)


def _transport(material: Material) -> list[Row]:
    """Gap, penetration depth, heat conduction and the flow from a normal metal."""
    critical = material.critical_temperature
    assert critical is not None
    assert material.penetration_depth0 is not None
    draws = _draws(material)
    below = draws[draws < 0.99 * critical]
    d = np.array([_gap_argument(t / critical) for t in below]) * material.gap_ratio / WEAK_COUPLING
    gap = d * KB * below
    depth = material.penetration_depth0 / np.sqrt(gap / material.gap0 * np.tanh(d / 2))
    electrons = replace(material, phonon_mean_free_path=None)
    ratio = electrons.conductivity(below, 0.0) / electrons.conductivity(below, 1.0)
    direct = np.array([_conduction(x) for x in d])
    junction = TunnelJunction(get_material("Cu"), material, RESISTANCE_AREA)
    hot = below + 0.3 * critical
    flow = junction.flux(hot**2, below**2, np.ones_like(below), np.zeros_like(below))[0]
    exact = [_excitations(g, t) - _excitations(g, b) for g, t, b in zip(gap, hot, below, strict=True)]
    expected = 2 / (E_CHARGE**2 * RESISTANCE_AREA) * np.array(exact)
    back = junction.flux(below**2, hot**2, np.ones_like(below), np.ones_like(below))[0]
    forth = junction.flux(hot**2, below**2, np.ones_like(below), np.ones_like(below))[0]

    def worst(found: Floats, true: Floats) -> float:
        return float(np.abs(found / true - 1).max())

    case = f"laws of {material.name}"
    where = f"{len(below)} temperatures below Tc"
    return [
        Row(case, f"gap against quadrature, {where}", 0.0, worst(material.gap(below), gap), 1e-5),
        Row(
            case,
            f"lambda (dirty) against quadrature, {where}",
            0.0,
            worst(material.penetration_depth(below), depth),
            1e-5,
        ),
        Row(case, f"k_s/k_n against quadrature, {where}", 0.0, worst(ratio, direct), 1e-5),
        Row(case, f"flow from Cu through a junction against quadrature, {where}", 0.0, worst(flow, expected), 1e-4),
        Row(case, "flow of the two normal sides exchanged", 0.0, worst(-back, forth), 1e-14),
    ]


def _conduction(d: float) -> float:
    """(3 / 2 pi^2) times the integral of x^2 sech^2(x/2) from d to infinity (Bardeen, Rickayzen, Tewordt)."""
    value, _ = quad(lambda x: x * x / np.cosh(x / 2) ** 2, d, d + 80, limit=400, epsabs=0, epsrel=1e-11)
    return float(1.5 / np.pi**2 * value)


def _excitations(gap: float, temperature: float) -> float:
    """Integral of E times the density of states times the Fermi function above the gap, J^2."""
    scale = KB * temperature

    def integrand(y: float) -> float:
        energy = np.hypot(y, gap / scale)
        return float(energy / (1 + np.exp(min(energy, 700.0))))

    value, _ = quad(integrand, 0, 60 + 10 * np.sqrt(gap / scale), points=[1.0], limit=400, epsabs=0, epsrel=1e-11)
    return float(scale**2 * value)


def _of(material: Material) -> list[Row]:
    critical = material.critical_temperature
    assert critical is not None
    draws = _draws(material)
    case = f"laws of {material.name}"
    zero = np.zeros(SAMPLES)
    entropy = material.entropy(draws, zero)
    direct = np.array([_entropy(material, t) for t in draws])
    worst = float(np.abs(entropy / direct - 1).max())
    h = 1e-5 * draws
    from_entropy = draws * (material.entropy(draws + h, zero) - material.entropy(draws - h, zero)) / (2 * h)
    from_energy = (material.energy(draws + h, zero) - material.energy(draws - h, zero)) / (2 * h)
    capacity = material.heat_capacity(draws, zero)
    below = draws[draws < 0.95 * critical]
    step = 1e-4 * below
    condensation = 0.5 * MU0 * (material.critical_field(below + step) ** 2 - material.critical_field(below - step) ** 2)
    maxwell = -condensation / (2 * step) / (material.entropy(below, 1.0) - material.entropy(below, 0.0)) - 1
    hc0, _ = quad(lambda t: material.gamma * t - _electrons(material, t), 0, critical, limit=200, epsrel=1e-10)
    return [
        Row(case, "s_S against quadrature, 50 temperatures", 0.0, worst, 1e-5),
        Row(case, "T ds/dT = c", 0.0, float(np.abs(from_entropy / capacity - 1).max()), 1e-6),
        Row(case, "de/dT = c", 0.0, float(np.abs(from_energy / capacity - 1).max()), 1e-6),
        Row(case, "Maxwell: -d(mu0 Hc^2/2)/dT = s_N - s_S", 0.0, float(np.abs(maxwell).max()), 1e-6),
        Row(case, "mu0 Hc(0), mT", 1e3 * np.sqrt(2 * MU0 * hc0), 1e3 * MU0 * float(material.critical_field(0.0)), 1e-6),
    ]


def _entropy(material: Material, temperature: float) -> float:
    return _electrons(material, temperature) + material.beta * temperature**3 / 3


def _electrons(material: Material, temperature: float) -> float:
    """Electronic entropy of the superconductor from the gap equation and the Fermi function, no table."""
    assert material.critical_temperature is not None
    if temperature >= material.critical_temperature:
        return material.gamma * temperature
    d = _gap_argument(temperature / material.critical_temperature) * material.gap_ratio / WEAK_COUPLING

    def integrand(y: float) -> float:
        energy = np.hypot(y, d)
        occupied = np.exp(-energy) / (1 + np.exp(-energy))
        return float((energy + y * y / energy) * occupied)

    value, _ = quad(integrand, 0, 60 + 10 * np.sqrt(d), points=[1.0], limit=400, epsabs=0, epsrel=1e-11)
    return float(6 / np.pi**2 * material.gamma * temperature * value)


def _gap_argument(t: float) -> float:
    """Delta/kT of the BCS gap equation ln(Delta/Delta0) = -2 int f(E)/E dy at t = T/Tc, weak coupling."""

    def excess(d: float) -> float:
        def integrand(y: float) -> float:
            energy = np.hypot(y, d)
            return float(np.exp(-energy) / (1 + np.exp(-energy)) / energy)

        value, _ = quad(integrand, 0, 60 + 10 * np.sqrt(d), points=[min(1.0, d)], limit=400, epsabs=0, epsrel=1e-12)
        return float(np.log(d * t / WEAK_COUPLING) + 2 * value)

    return float(brentq(excess, 1e-6, 1.001 * WEAK_COUPLING / t, xtol=1e-13))
