"""Laws of superconducting materials against quadrature at random temperatures."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import numpy as np
from scipy.integrate import quad

from fem.constants import MU0
from fem.materials.constants import PenetrationLaw
from fem.materials.material import Material
from solvers.verification.laws.consistency import consistency_rows, maxwell
from solvers.verification.laws.quadrature import conduction, electron_entropy, gap_argument, over_kelvin, yosida
from solvers.verification.laws.samples import draws, worst
from solvers.verification.report import Row


def material_rows(material: Material) -> list[Row]:
    """Every table of a superconductor."""
    laws = (_entropy_rows, _state_rows, _field_rows, consistency_rows)
    return [row for law in laws for row in law(material)]


def _entropy_rows(material: Material) -> list[Row]:
    T = draws(material)
    direct = [electron_entropy(material, t) + material.beta * t**3 / 3 for t in T]
    fine = np.geomspace(1e-9, T.max(), 3000)
    falls = sum(int((np.diff(material.entropy(fine, f)) <= 0).sum()) for f in (0.0, 1e-3, 0.5, 1.0))
    case = f"laws of {material.name}"
    return [
        Row(case, "s_S against quadrature, 50 temperatures", 0.0, worst(material.entropy(T, 0.0), direct), 1e-5),
        Row(case, "places where the entropy does not rise with T", 0.0, falls, 0.0),
    ]


def _state_rows(material: Material) -> list[Row]:
    """Gap, penetration depth and heat conduction."""
    assert material.critical_temperature is not None
    assert material.penetration_depth0 is not None
    T = draws(material)
    d = np.array([gap_argument(material, t) for t in T])
    case, where = f"laws of {material.name}", "against quadrature, 50 temperatures"
    rows = [Row(case, f"gap {where}", 0.0, worst(material.gap(T), d * T * over_kelvin(material)), 1e-5)]
    t = T / material.critical_temperature
    exact = {
        "dirty": d * t / material.gap_ratio * np.tanh(d / 2),
        "clean": np.array([1 - yosida(x) if x > 0 else 0.0 for x in d]),
        "two-fluid": np.maximum(1 - t**4, 0.0),
    }
    for law in get_args(PenetrationLaw):
        depth = replace(material, penetration_law=law).penetration_depth(T)
        found = worst(material.penetration_depth0 / depth, np.sqrt(exact[law]))
        rows.append(Row(case, f"lambda ({law}) {where}", 0.0, found, 1e-5))
    electrons = replace(material, phonon_mean_free_path=None)
    ratio = electrons.conductivity(T, 0.0) / electrons.conductivity(T, 1.0)
    rows.append(Row(case, f"k_s/k_n {where}", 0.0, worst(ratio, [conduction(x) for x in d]), 1e-5))
    return rows


def _field_rows(material: Material) -> list[Row]:
    """Critical field: against quadrature of the entropies, and the Maxwell relation inside the transition."""
    critical = material.critical_temperature
    assert critical is not None
    T = np.sort(draws(material))
    below = T[T < critical]
    # mu0 Hc^2/2 at each temperature by Gauss-Legendre quadrature from one to the next, from Tc downwards.
    points, weights = np.polynomial.legendre.leggauss(6)
    edges = np.append(below, critical)
    half = 0.5 * np.diff(edges)
    at = 0.5 * (edges[1:] + edges[:-1])[:, None] + half[:, None] * points
    gain = material.gamma * at - np.reshape([electron_entropy(material, t) for t in at.reshape(-1)], at.shape)
    energy = np.cumsum((half * (gain @ weights))[::-1])[::-1]
    found = 0.5 * MU0 * material.critical_field(below) ** 2
    zero, _ = quad(lambda t: material.gamma * t - electron_entropy(material, t), 0, critical, limit=200, epsrel=1e-10)
    case = f"laws of {material.name}"
    return [
        Row(case, "mu0 Hc^2/2 against quadrature, 50 temperatures", 0.0, worst(found, energy), 1e-6),
        Row(
            case, "mu0 Hc(0), mT", 1e3 * np.sqrt(2 * MU0 * zero), 1e3 * MU0 * float(material.critical_field(0.0)), 1e-6
        ),
        Row(case, "Hc above Tc (A/m)", 0.0, float(np.abs(material.critical_field(T[T >= critical])).max()), 0.0),
        *(
            Row(case, f"Maxwell: dB/dT at H = ds/dH at T, width {width:g}", 0.0, maxwell(material, below, width), 1e-5)
            for width in (1e-3, 1e-2)
        ),
    ]
