"""Laws of materials against direct quadrature at random temperatures, and their consistency."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import get_args

import basix.ufl
import numpy as np
import numpy.typing as npt
import ufl
from scipy.integrate import quad
from scipy.optimize import brentq

from fem.constants import MU0
from fem.materials.bcs_theory import WEAK_COUPLING
from fem.materials.library import get_material
from fem.materials.material import Material, PenetrationLaw
from meshes.arrays import Floats
from solvers.verification.laws.junctions import junction_rows
from solvers.verification.report import Row

SEED, SAMPLES = 20260, 50
NAMES = ("Ta", "Nb", "Al")
NOTHING = 1e-290  # what underflows in one way of computing need not in the other


def law_rows() -> list[Row]:
    """Every table of tantalum, niobium and aluminium, and the flow through contacts."""
    rows = []
    for name in NAMES:
        material = get_material(name)
        for law in (_entropy_rows, _state_rows, _field_rows, _consistency_rows):
            rows += law(material)
    return rows + junction_rows()


def draws(material: Material) -> Floats:
    """50 temperatures from 1 mK to 1.2 Tc, half of them even in T, half in ln T."""
    assert material.critical_temperature is not None
    random = np.random.default_rng(SEED)
    low, high = 1e-3, 1.2 * material.critical_temperature
    even = random.uniform(low, high, SAMPLES // 2)
    return np.concatenate([even, low * (high / low) ** random.uniform(0.0, 1.0, SAMPLES // 2)])


def worst(found: npt.ArrayLike, true: npt.ArrayLike) -> float:
    """Largest relative error; where both vanish (underflow, or above Tc) they agree."""
    a, b = np.broadcast_arrays(np.asarray(found, dtype=np.float64), np.asarray(true, dtype=np.float64))
    both = (np.abs(a) < NOTHING) & (np.abs(b) < NOTHING)
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(np.where(both, 0.0, np.abs(a / b - 1)).max())


def _entropy_rows(material: Material) -> list[Row]:
    T = draws(material)
    direct = [_electrons(material, t) + material.beta * t**3 / 3 for t in T]
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
    rows = [Row(case, f"gap {where}", 0.0, worst(material.gap(T), d * T * _over_kelvin(material)), 1e-5)]
    t = T / material.critical_temperature
    exact = {
        "dirty": d * t / material.gap_ratio * np.tanh(d / 2),
        "clean": np.array([1 - _yosida(x) if x > 0 else 0.0 for x in d]),
        "two-fluid": np.maximum(1 - t**4, 0.0),
    }
    for law in get_args(PenetrationLaw):
        depth = replace(material, penetration_law=law).penetration_depth(T)
        found = worst(material.penetration_depth0 / depth, np.sqrt(exact[law]))
        rows.append(Row(case, f"lambda ({law}) {where}", 0.0, found, 1e-5))
    electrons = replace(material, phonon_mean_free_path=None)
    ratio = electrons.conductivity(T, 0.0) / electrons.conductivity(T, 1.0)
    rows.append(Row(case, f"k_s/k_n {where}", 0.0, worst(ratio, [_conduction(x) for x in d]), 1e-5))
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
    gain = material.gamma * at - np.reshape([_electrons(material, t) for t in at.reshape(-1)], at.shape)
    energy = np.cumsum((half * (gain @ weights))[::-1])[::-1]
    found = 0.5 * MU0 * material.critical_field(below) ** 2
    zero, _ = quad(lambda t: material.gamma * t - _electrons(material, t), 0, critical, limit=200, epsrel=1e-10)
    case = f"laws of {material.name}"
    return [
        Row(case, "mu0 Hc^2/2 against quadrature, 50 temperatures", 0.0, worst(found, energy), 1e-6),
        Row(
            case, "mu0 Hc(0), mT", 1e3 * np.sqrt(2 * MU0 * zero), 1e3 * MU0 * float(material.critical_field(0.0)), 1e-6
        ),
        Row(case, "Hc above Tc (A/m)", 0.0, float(np.abs(material.critical_field(T[T >= critical])).max()), 0.0),
        *(
            Row(case, f"Maxwell: dB/dT at H = ds/dH at T, width {width:g}", 0.0, _maxwell(material, below, width), 1e-5)
            for width in (1e-3, 1e-2)
        ),
    ]


def _maxwell(material: Material, T: Floats, width: float) -> float:
    """Largest relative difference of (dB/dT)_H and (ds/dH)_T inside the transition, by central differences."""
    critical, zero = material.critical_field(T), float(material.critical_field(0.0))
    # Only where a transition is narrow against Hc itself is it one.
    keep = critical > 0.2 * zero
    T, critical = T[keep], critical[keep]
    half = width * zero**2 / critical
    dh = 2e-4 * half
    slope = np.abs(material.critical_field(T * 1.001) - material.critical_field(T * 0.999)) / (0.002 * T)
    dt = np.minimum(2e-4 * half / np.maximum(slope, 1e-30), 1e-3 * T)

    def entropy(H: Floats) -> Floats:
        return np.asarray(material.entropy(T, material.normal_fraction(H, T, width)))

    differences = []
    for place in (-1.5, -0.4, 0.3, 1.2):
        H = critical + place * half
        up, down = (H * material.normal_fraction(H, T + sign * dt, width) for sign in (1.0, -1.0))
        left = MU0 * (up - down) / (2 * dt)
        right = (entropy(H + dh) - entropy(H - dh)) / (2 * dh)
        # Where Hc no longer changes with T, B is a difference of nearly equal numbers: measured by its scale there.
        scale = np.abs(right) + 1e-9 * MU0 * H / dt
        differences.append(float((np.abs(left - right) / scale).max()))
    return max(differences)


def _consistency_rows(material: Material) -> list[Row]:
    """The integrals of c and of c/T are the differences of e and of s, in numpy and in UFL, at three fractions."""
    assert material.critical_temperature is not None
    T = np.sort(draws(material))
    T = np.concatenate([T[T < material.critical_temperature], [material.critical_temperature * (1 - 1e-12)]])
    points, weights = np.polynomial.legendre.leggauss(12)
    lower = np.maximum(T / 1.1, 1e-3)  # steps short enough for the quadrature
    half = 0.5 * (T - lower)
    at = 0.5 * (T + lower)[:, None] + half[:, None] * points
    domain = ufl.Mesh(basix.ufl.element("Lagrange", "interval", 1, shape=(1,)))
    symbol, fraction = ufl.Constant(domain), ufl.Constant(domain)
    rows = []
    for kind, tolerance in (("numpy", 1e-10), ("UFL", 1e-4)):
        largest = 0.0
        for f in (0.0, 0.3, 1.0):
            if kind == "numpy":
                c, e, s = (getattr(material, law) for law in ("heat_capacity", "energy", "entropy"))
            else:
                c, e, s = (
                    _Evaluator(getattr(material, f"ufl_{law}")(symbol, fraction), symbol, fraction)
                    for law in ("heat_capacity", "energy", "entropy")
                )
            values = np.asarray(c(at, f))
            largest = max(
                largest,
                worst(half * (values @ weights), e(T, f) - e(lower, f)),
                worst(half * ((values / at) @ weights), s(T, f) - s(lower, f)),
            )
        rows.append(Row(f"laws of {material.name}", f"s, e and c, {kind}", 0.0, largest, tolerance))
    return rows


class _Evaluator:
    """A UFL expression as a numpy function."""

    def __init__(self, expression: ufl.core.expr.Expr, symbol: ufl.Constant, fraction: ufl.Constant) -> None:
        self.expression, self.symbol, self.fraction = expression, symbol, fraction

    def __call__(self, T: Floats, f: float) -> Floats:
        values = [self.expression((), {self.symbol: float(t), self.fraction: f}) for t in T.reshape(-1)]
        return np.reshape(np.array(values, dtype=np.float64), T.shape)


# ---- by quadrature, no table ---------------------------------------------------------------------------------------


def _over_kelvin(material: Material) -> float:
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


def _electrons(material: Material, T: float) -> float:
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


def _yosida(d: float) -> float:
    """Share of the electrons that is not condensed, 2 int -df/dE dy."""

    def integrand(y: float) -> float:
        energy = np.hypot(y, d)
        return float(2 * np.exp(d - energy) / (1 + np.exp(-energy)) ** 2)

    return float(
        np.exp(-d) * quad(integrand, 0, 60 + 10 * np.sqrt(d), points=[1.0], limit=400, epsabs=0, epsrel=1e-12)[0]
    )


def _conduction(d: float) -> float:
    """(3 / 2 pi^2) times the integral of x^2 sech^2(x/2) from d to infinity (Bardeen, Rickayzen, Tewordt)."""

    def integrand(x: float) -> float:
        return float(x * x * 4 * np.exp(d - x) / (1 + np.exp(-x)) ** 2)

    return float(1.5 / np.pi**2 * np.exp(-d) * quad(integrand, d, d + 80, limit=400, epsabs=0, epsrel=1e-11)[0])
