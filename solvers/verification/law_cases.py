"""Laws of the materials against direct quadrature at random temperatures, and their consistency."""

from __future__ import annotations

import numpy as np
from scipy.integrate import quad
from scipy.optimize import brentq

from fem.bcs import WEAK_COUPLING
from fem.constants import MU0
from fem.library import get_material
from fem.materials import Material
from solvers.verification.report import Row

SEED, SAMPLES = 20260, 50


def law_rows() -> list[Row]:
    """Entropy, critical field, Maxwell relation and consistency of tantalum and aluminium."""
    return [row for name in ("Ta", "Al") for row in _of(get_material(name))]


def _of(material: Material) -> list[Row]:
    critical = material.critical_temperature
    assert critical is not None
    draws = np.random.default_rng(SEED).uniform(1e-3, 1.2 * critical, SAMPLES)
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
