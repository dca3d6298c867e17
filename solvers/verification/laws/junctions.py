"""Laws of contacts: junctions against direct quadrature, and what holds for every law."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from scipy.integrate import quad

from fem.constants import E_CHARGE, KB, LORENZ
from fem.interfaces.laws import Conductance, ElectronPhonon, InterfaceLaw, PhononContact, Sum, TunnelJunction
from fem.materials.bcs_theory import WEAK_COUPLING
from fem.materials.library import get_material
from fem.materials.material import Material
from meshes.arrays import Floats
from solvers.verification.report import Row

SEED, PAIRS, STATES = 20261, 50, 2000
RESISTANCE_AREA = 2e-6  # Ohm m^2
CU, TA, NB, AL = (get_material(name) for name in ("Cu", "Ta", "Nb", "Al"))

# Made from the materials of its two sides, so that it can be turned round.
LAWS: dict[str, tuple[Material, Material, Callable[[Material, Material], InterfaceLaw]]] = {
    "N/N": (CU, CU, lambda a, b: TunnelJunction(a, b, RESISTANCE_AREA)),
    "N/S": (CU, TA, lambda a, b: TunnelJunction(a, b, RESISTANCE_AREA)),
    "S/S'": (TA, NB, lambda a, b: TunnelJunction(a, b, RESISTANCE_AREA)),
    "S/S' with a leak": (AL, TA, lambda a, b: TunnelJunction(a, b, RESISTANCE_AREA, 1e-3)),
    "phonons": (CU, TA, lambda a, b: PhononContact(596.0, 0.5)),
    "conductance": (CU, TA, lambda a, b: Conductance(25.0)),
    "electron-phonon": (CU, CU, lambda a, b: ElectronPhonon(2e9)),
    "sum": (CU, TA, lambda a, b: Sum((TunnelJunction(a, b, RESISTANCE_AREA), PhononContact(596.0)))),
}


def junction_rows() -> list[Row]:
    """Flow through junctions by quadrature, its limits, and the laws that every contact obeys."""
    rows = [
        _against_quadrature("N/S", CU, TA, 1e-6),
        _against_quadrature("N/S", CU, NB, 1e-6),
        _against_quadrature("S/S'", TA, NB, 1e-4),
        _against_quadrature("S/S'", AL, TA, 1e-4),
    ]
    return [*rows, *_limits(), *_for_every_law()]


def _flux(law: InterfaceLaw, T1: npt.ArrayLike, T2: npt.ArrayLike, f1: npt.ArrayLike, f2: npt.ArrayLike) -> Floats:
    return np.asarray(law.flux(np.square(T1), np.square(T2), f1, f2)[0])


def _against_quadrature(kind: str, lower: Material, upper: Material, tolerance: float) -> Row:
    """A junction between 50 random pairs of temperatures from 1 mK to 1.2 Tc of its colder superconductor."""
    random = np.random.default_rng(SEED)
    top = 1.2 * min(m.critical_temperature for m in (lower, upper) if m.critical_temperature is not None)
    T1, T2 = random.uniform(1e-3, top, (2, 4 * PAIRS))
    gaps = [np.zeros_like(T1) if m is CU else m.gap(T) for m, T in ((lower, T1), (upper, T2))]
    # The sharp integral is singular at equal gaps.
    apart = np.flatnonzero(np.abs(gaps[0] - gaps[1]) >= 0.05 * np.maximum(*gaps))[:PAIRS]
    law = TunnelJunction(lower, upper, RESISTANCE_AREA)
    found = _flux(law, T1[apart], T2[apart], 0.0, 0.0)
    exact = [_quadrature(T1[k], T2[k], gaps[0][k], gaps[1][k]) for k in apart]
    error = float(np.abs(found / exact - 1).max())
    name = f"{kind} junction {lower.name}/{upper.name}"
    return Row(name, f"flow against quadrature, {len(apart)} pairs of temperatures", 0.0, error, tolerance)


def _quadrature(T1: float, T2: float, gap1: float, gap2: float) -> float:
    """(2/e^2 R_A) int E N1 N2 (f1 - f2) dE over E > both gaps, W/m^2."""
    unit = KB * max(T1, T2)
    a, b = sorted((gap1 / unit, gap2 / unit))

    def fermi(x: float) -> float:
        return float(1 / (np.exp(min(x, 700.0)) + 1))

    def integrand(x: float) -> float:
        energy = b + x * x  # removes the singularity at the larger gap
        rise = np.sqrt((energy - a) * (energy + a)) * np.sqrt(energy + b) if b > 0 else energy**1.5
        states = 2 * energy**3 / rise
        return float(states * (fermi(unit * energy / (KB * T1)) - fermi(unit * energy / (KB * T2))))

    knee = np.sqrt(b - a) if b > a else 1.0
    edges = (0.0, 0.5 * knee, 2 * knee, 2 * knee + 3, 2 * knee + 10)
    parts = [quad(integrand, *edges[k : k + 2], limit=400, epsabs=0, epsrel=1e-10)[0] for k in range(4)]
    return float(2 * unit**2 / (E_CHARGE**2 * RESISTANCE_AREA) * sum(parts))


def _limits() -> list[Row]:
    """Above both Tc that of metals, far below the leak alone, near zero the asymptote of the excitations."""
    normal = 0.5 * LORENZ / RESISTANCE_AREA
    above = float(_flux(TunnelJunction(TA, AL, RESISTANCE_AREA), 5.0, 4.8, 0.0, 0.0))
    leak = float(_flux(TunnelJunction(CU, TA, RESISTANCE_AREA, 1e-4), 0.1, 0.05, 1.0, 0.0))
    ta = replace(TA, gap_ratio=WEAK_COUPLING)
    T = 0.02
    d = ta.gap0 / (KB * T)
    # g = Delta^2 sqrt(pi/2d) exp(-d) (1 + 7/8d + 57/128 d^2) from the series of K0 + K1/d for large d.
    asymptote = np.sqrt(np.pi / (2 * d)) * np.exp(-d) * (1 + 7 / (8 * d) + 57 / (128 * d * d))
    cold = float(_flux(TunnelJunction(CU, ta, RESISTANCE_AREA), T, 1e-9, 1.0, 0.0))
    mixed = TunnelJunction(TA, NB, RESISTANCE_AREA)
    pure = {(a, b): float(_flux(mixed, 2.0, 0.5, a, b)) for a in (0.0, 1.0) for b in (0.0, 1.0)}
    weighted = sum((0.3 if a else 0.7) * (0.6 if b else 0.4) * q for (a, b), q in pure.items())
    case = "limits of junctions"
    return [
        Row(case, "both sides above Tc (W/m^2)", normal * (5.0**2 - 4.8**2), above, 1e-12),
        Row(case, "leak of 1e-4 far below Tc (W/m^2)", 1e-4 * normal * (0.1**2 - 0.05**2), leak, 1e-9),
        Row(case, "Cu at 20 mK into cold Ta (W/m^2)", 2 * ta.gap0**2 / E_CHARGE**2 / RESISTANCE_AREA * asymptote, cold,
            1e-6),
        Row(case, "mixed state by area (W/m^2)", weighted, float(_flux(mixed, 2.0, 0.5, 0.3, 0.6)), 1e-12),
    ]  # fmt: skip


def _for_every_law() -> list[Row]:
    """Sides swapped, equal temperatures, heat that flows uphill, at random temperatures and normal fractions."""
    random = np.random.default_rng(SEED)
    T1, T2 = random.uniform(1e-3, 6.0, (2, STATES))
    f1, f2 = random.choice([0.0, 1.0, 0.3, 0.99], (2, STATES))
    rows = []
    for name, (lower, upper, made) in LAWS.items():
        q = _flux(made(lower, upper), T1, T2, f1, f2)
        swapped = _flux(made(upper, lower), T2, T1, f2, f1)
        equal = _flux(made(lower, upper), T1, T1, f1, f2)
        case = f"law of a contact, {name}"
        rows += [
            Row(case, "flow with the sides swapped, sum over flow", 0.0, float(np.abs(q + swapped).max() / q.max()),
                1e-14),
            Row(case, "flow at equal temperatures", 0.0, float(np.abs(equal).max()), 0.0),
            Row(case, f"flows uphill, of {STATES}", 0.0, int((q * (T1 - T2) < 0).sum() + (q == 0).all()), 0.0),
        ]  # fmt: skip
    return rows
