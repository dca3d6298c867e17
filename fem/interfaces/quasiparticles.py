"""Heat carried by quasiparticles through tunnel junctions: dimensionless integrals, tabulated once.

With both gaps given, the heat that states filled at temperature T send across is Phi = (kT)^2 W(d, q), where
d = Delta/kT belongs to the larger gap and q^2 = 1 - (smaller gap/larger gap)^2. Substituting
E = d sqrt(1 + q^2 sinh^2 theta) removes every singularity of the two densities of states,

    W(d, q) = int_0^inf E^2/(exp(E) + 1) dtheta,

so one smooth table over (ln d, ln q) serves every pair of superconductors at every pair of temperatures: only the
logarithmic divergence at equal gaps (q -> 0) is left, and it is linear in ln q. q = 1 is the N/S junction (one gap
zero), which has its own finer table.

Source of the integrals: F. Giazotto et al., Rev. Mod. Phys. 78, 217 (2006); K. Maki, A. Griffin, Phys. Rev. Lett. 15,
921 (1965).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.interpolate import BSpline, RectBivariateSpline, make_interp_spline
from scipy.special import spence

from fem.constants import KB
from meshes.arrays import Floats

_LARGEST_D = 745.0  # exp(-745) is the last positive double
_SMALLEST_D = 1e-4
_SMALLEST_D_PAIR = 1e-3
_SMALLEST_Q = 1e-3
_W_NORMAL = math.pi**2 / 12.0  # W at zero gap


@dataclass(frozen=True)
class Potential:
    """Phi (J^2) and its derivatives; all of one shape.

    Attributes:
        value: Phi, J^2.
        by_u: d Phi/d(T^2) at fixed gaps, J^2/K^2.
        by_a: d Phi/d(larger gap squared), dimensionless.
        by_b: d Phi/d(difference of the squared gaps), dimensionless (zero for N/S).
    """

    value: Floats
    by_u: Floats
    by_a: Floats
    by_b: Floats


def _theta_grid(d: Floats, q: Floats, nodes: int) -> tuple[Floats, Floats, Floats]:
    """Nodes theta up to where exp(d - E) = exp(-42), E there, and the step; shapes (..., nodes) and (...)."""
    end = np.arcsinh(np.sqrt((1.0 + 42.0 / d) ** 2 - 1.0) / q)
    step = end / (nodes - 1)
    theta = step[..., None] * np.arange(nodes)
    energy = d[..., None] * np.sqrt(1.0 + (q[..., None] * np.sinh(theta)) ** 2)
    return theta, energy, step


def _scaled_pair_integral(d: Floats, q: Floats) -> Floats:
    """Return exp(d) W(d, q) by the trapezoidal rule (exponentially convergent here)."""
    _, energy, step = _theta_grid(d, q, 240)
    values = energy**2 * np.exp(d[..., None] - energy) / (1.0 + np.exp(-energy))
    values[..., 0] *= 0.5
    return np.asarray(step * values.sum(axis=-1), dtype=np.float64)


def _scaled_gap_slope(d: Floats) -> Floats:
    """Return exp(d) M(d), M = 2 dW/d(d^2) at q = 1: int dtheta [f(E) + E f'(E)], E = d cosh(theta)."""
    _, energy, step = _theta_grid(d, np.ones_like(d), 400)
    occupied = 1.0 / (1.0 + np.exp(-energy))
    values = np.exp(d[..., None] - energy) * occupied * (1.0 - energy * occupied)
    values[..., 0] *= 0.5
    return np.asarray(step * values.sum(axis=-1), dtype=np.float64)


@lru_cache(maxsize=1)
def _single_gap_tables() -> tuple[BSpline, BSpline]:
    """Splines over ln d of ln(exp(d) W(d, 1)) and of exp(d) M(d)/sqrt(1 + d)."""
    x = np.linspace(math.log(_SMALLEST_D), math.log(_LARGEST_D) + 0.02, 800)
    d = np.exp(x)
    value = make_interp_spline(x, np.log(_scaled_pair_integral(d, np.ones_like(d))), k=5)
    slope = make_interp_spline(x, _scaled_gap_slope(d) / np.sqrt(1.0 + d), k=5)
    return value, slope


@lru_cache(maxsize=1)
def _pair_table() -> RectBivariateSpline:
    """Spline over (ln d, ln q) of ln(exp(d) W)."""
    x = np.linspace(math.log(_SMALLEST_D_PAIR), math.log(_LARGEST_D) + 0.1, 140)
    y = np.linspace(math.log(_SMALLEST_Q), 0.01, 64)
    # row by row: the nodes of the integrals fill only a few MB at a time
    rows = [np.log(_scaled_pair_integral(np.full(y.shape, math.exp(value)), np.exp(y))) for value in x]
    return RectBivariateSpline(x, y, np.array(rows), kx=5, ky=5, s=0)


def _live(u: Floats, gap_squared: Floats) -> tuple[Floats, Floats]:
    """Return a mask of the points whose exp(-d) is not zero, and d there."""
    with np.errstate(divide="ignore", invalid="ignore"):
        d = np.sqrt(gap_squared / np.maximum(u, 0.0)) / KB
    live = (u > 0.0) & (d < _LARGEST_D)
    return live, d[live]


def single_gap_potential(u: Floats, gap_squared: Floats) -> Potential:
    """Phi of an N/S junction for states filled at temperature sqrt(u).

    Args:
        u: T^2, K^2, shape (n,); zero flux for u <= 0.
        gap_squared: Delta^2, J^2, shape (n,); where it is zero Phi is exactly (pi^2/12)(kT)^2.
    """
    value, by_u, by_a = np.zeros_like(u), np.zeros_like(u), np.zeros_like(u)
    live, d = _live(u, gap_squared)
    if live.any():
        inside = np.maximum(d, _SMALLEST_D)
        x = np.log(inside)
        table, slope_table = _single_gap_tables()
        damping = np.exp(-inside)
        integral = np.where(d > 0.0, damping * np.exp(table(x)), _W_NORMAL)
        slope = damping * np.sqrt(1.0 + inside) * slope_table(x)
        value[live] = KB**2 * u[live] * integral
        by_u[live] = KB**2 * (integral - 0.5 * d * d * slope)
        by_a[live] = 0.5 * slope
    return Potential(value, by_u, by_a, np.zeros_like(u))


def gap_potential(u: Floats, gap_squared: Floats) -> Potential:
    """Phi of the states inside a gap were they those of a normal metal, int_0^Delta E f(E/kT) dE.

    In closed form, (kT)^2 [pi^2/12 - d ln(1 + exp(-d)) + Li2(-exp(-d))] with d = Delta/kT: all of a normal metal's Phi
    far below Tc, nothing above it.

    Args:
        u: T^2, K^2, shape (n,); for u <= 0 (a Newton iterate) it goes on as a straight line.
        gap_squared: Delta^2, J^2, shape (n,).
    """
    with np.errstate(divide="ignore"):
        d = np.minimum(np.sqrt(gap_squared / np.maximum(u, 1e-300)) / KB, _LARGEST_D)
    decay = np.exp(-d)
    occupied = decay / (1.0 + decay)
    integral = np.where(d > 0.0, _W_NORMAL - d * np.log1p(decay) + spence(1.0 + decay), 0.0)
    return Potential(
        KB**2 * u * integral, KB**2 * (integral - 0.5 * d * d * occupied), 0.5 * occupied, np.zeros_like(u)
    )


def pair_potential(u: Floats, larger_squared: Floats, difference: Floats) -> Potential:
    """Phi of an S/S' junction for states filled at temperature sqrt(u).

    Args:
        u: T^2, K^2, shape (n,); zero flux for u <= 0.
        larger_squared: squared larger gap, J^2, shape (n,), positive.
        difference: its difference to the squared smaller gap, J^2, shape (n,), positive (see `split_gaps`).
    """
    arrays = [np.zeros_like(u) for _ in range(4)]
    live, d = _live(u, larger_squared)
    if live.any():
        inside = np.maximum(d, _SMALLEST_D_PAIR)
        x = np.log(inside)
        y = 0.5 * np.log(difference[live] / larger_squared[live])
        y = np.clip(y, math.log(_SMALLEST_Q), 0.01)
        table = _pair_table()
        value = KB**2 * u[live] * np.exp(table.ev(x, y) - inside)
        by_x = table.ev(x, y, dx=1) - inside
        by_y = table.ev(x, y, dy=1)
        derivatives = (
            value,
            value * (1.0 - 0.5 * by_x) / u[live],
            value * 0.5 * (by_x - by_y) / larger_squared[live],
            value * 0.5 * by_y / difference[live],
        )
        for array, part in zip(arrays, derivatives, strict=True):
            array[live] = part
    return Potential(*arrays)


def split_gaps(first: Floats, second: Floats, width: float) -> tuple[Floats, ...]:
    """Smooth larger gap and gap difference of two squared gaps.

    The difference B = sqrt((a - b)^2 + width^2 (a + b)^2) never vanishes, which rounds the logarithmic singularity at
    equal gaps as a broadening Gamma = width Delta of the densities of states does.

    Args:
        first: a = Delta1^2, J^2, shape (n,).
        second: b = Delta2^2, J^2, shape (n,).
        width: Gamma/Delta.

    Returns:
        A = (a + b + B)/2, B, dA/da, dA/db, dB/da, dB/db.
    """
    total, gap = first + second, first - second
    difference = np.sqrt(gap * gap + (width * total) ** 2)
    by_first = (gap + width**2 * total) / difference
    by_second = (width**2 * total - gap) / difference
    return (
        0.5 * (total + difference),
        difference,
        0.5 * (1.0 + by_first),
        0.5 * (1.0 + by_second),
        by_first,
        by_second,
    )
