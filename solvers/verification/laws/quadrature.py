"""Laws of a superconductor by quadrature of the BCS integrals: no table, no fit."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy.integrate import quad
from scipy.optimize import brentq

from fem.materials.bcs_theory import WEAK_COUPLING
from fem.materials.material import Material


def over_kelvin(material: Material) -> float:
    """Of the gap in joules over Delta/kT and T, that is Boltzmann's constant, from the gap at 0."""
    assert material.critical_temperature is not None
    return material.gap0 / material.gap_ratio / material.critical_temperature


def gap_argument(material: Material, T: float) -> float:
    """Delta/kT of a material (that of weak coupling times its gap ratio); 0 above Tc."""
    assert material.critical_temperature is not None
    t = T / material.critical_temperature
    return _weak(t) * material.gap_ratio / WEAK_COUPLING if t < 1 else 0.0


@lru_cache(maxsize=10000)
def _weak(t: float) -> float:
    """Delta/kT of the BCS gap equation ln(Delta/Delta0) = -2 int f(E)/E dy at t = T/Tc < 1, weak coupling."""
    if t < 0.02:  # where excitations lower it by exp(-88) at most
        return WEAK_COUPLING / t

    def excess(d: float) -> float:
        def integrand(y: float) -> float:
            energy = np.hypot(y, d)
            return float(np.exp(-energy) / (1 + np.exp(-energy)) / energy)

        value, _ = quad(integrand, 0, 60 + 10 * np.sqrt(d), points=[min(1.0, d)], limit=400, epsabs=0, epsrel=1e-12)
        return float(np.log(d * t / WEAK_COUPLING) + 2 * value)

    return float(brentq(excess, 1e-6, 1.001 * WEAK_COUPLING / t, xtol=1e-13))


def electron_entropy(material: Material, T: float) -> float:
    """Electronic entropy of the superconductor from the gap equation and the Fermi function."""
    d = gap_argument(material, T)
    if d == 0.0:
        return material.gamma * T

    def integrand(y: float) -> float:
        energy = np.hypot(y, d)
        occupied = np.exp(d - energy) / (1 + np.exp(-energy))  # times exp(d)
        return float((energy + y * y / energy) * occupied)

    value, _ = quad(integrand, 0, 60 + 10 * np.sqrt(d), points=[1.0], limit=400, epsabs=0, epsrel=1e-11)
    return float(6 / np.pi**2 * material.gamma * T * np.exp(-d) * value)


def yosida(d: float) -> float:
    """Share of the electrons that is not condensed, 2 int -df/dE dy."""

    def integrand(y: float) -> float:
        energy = np.hypot(y, d)
        return float(2 * np.exp(d - energy) / (1 + np.exp(-energy)) ** 2)

    return float(
        np.exp(-d) * quad(integrand, 0, 60 + 10 * np.sqrt(d), points=[1.0], limit=400, epsabs=0, epsrel=1e-12)[0]
    )


def conduction(d: float) -> float:
    """(3 / 2 pi^2) times the integral of x^2 sech^2(x/2) from d to infinity (Bardeen, Rickayzen, Tewordt)."""

    def integrand(x: float) -> float:
        return float(x * x * 4 * np.exp(d - x) / (1 + np.exp(-x)) ** 2)

    return float(1.5 / np.pi**2 * np.exp(-d) * quad(integrand, d, d + 80, limit=400, epsabs=0, epsrel=1e-11)[0])
