"""Weak-coupling BCS functions of the reduced temperature t = T/Tc.

Everything thermal (entropy, energy, heat capacity, critical field) comes from *one* fitted free energy of the
quasiparticles, ``phi(t) = -exp(-alpha/t) t^(3/2) P(t)`` with a polynomial P, whose derivatives are taken
analytically: the Maxwell relations then hold to rounding error, and nothing underflows before the result itself does.

Units: entropy and heat capacity in gamma Tc, energies in gamma Tc^2 (gamma: Sommerfeld constant per volume).

A ratio ``alpha = Delta(0)/(kB Tc)`` other than the weak-coupling one follows the alpha-model: the BCS gap *curve*
times a larger gap (H. Padamsee, J. E. Neighbor, C. A. Shiffman, J. Low Temp. Phys. 12, 387 (1973)).

Source of the integrals: M. Tinkham, Introduction to Superconductivity, chapter 3; the thermal conductivity is that of
J. Bardeen, G. Rickayzen, L. Tewordt, Phys. Rev. 113, 982 (1959). With y = sqrt(E^2 - Delta^2)/kT the integrands of
entropy and Yosida function are even and analytic in E, so the trapezoidal rule converges exponentially.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.polynomial.chebyshev import Chebyshev
from scipy.special import spence

from fem.materials.tables import CubicTable
from meshes.arrays import Floats

WEAK_COUPLING: Final = math.pi * math.exp(-np.euler_gamma)  # Delta(0)/(kB Tc) = 1.76388

# Below this t every quasiparticle property is exp(-882) = 0 in double precision.
SMALLEST_T: Final = 2e-3
_DEGREE: Final = 32
_NODES: Final = 80
_T = Chebyshev.identity(domain=[0.0, 1.0])


# --- direct integrals (used to build the tables) ---------------------------------------------------------------------


def _trapezoid(d: Floats, integrand: Callable[[Floats], Floats]) -> Floats:
    """Integrate exp(d) F(E) over y from 0 to infinity, E = sqrt(y^2 + d^2).

    ``integrand(E)`` gives exp(E) F(E), with F even and analytic in E.
    """
    d = d[:, None]
    step = 0.5 * np.sqrt(1.0 + d)
    y = np.arange(160) * step
    energy = np.hypot(y, d)
    values = np.exp(-y * y / (energy + d)) * integrand(energy)
    values[:, 0] *= 0.5
    return np.asarray(step[:, 0] * values.sum(axis=1), dtype=np.float64)


def scaled_entropy(d: Floats) -> Floats:
    """Return exp(d) s_es/(gamma T) for d = Delta/kT > 0, shape (n,)."""

    def integrand(energy: Floats) -> Floats:
        z = np.exp(-energy)
        logarithm = np.where(z > 1e-8, np.log1p(z) / np.maximum(z, 1e-300), 1.0)
        return np.asarray(energy / (1.0 + z) + logarithm)

    return np.asarray(6.0 / math.pi**2 * _trapezoid(d, integrand), dtype=np.float64)


def scaled_yosida(d: Floats) -> Floats:
    """Return exp(d) Y(d) with the Yosida function Y = int_0^inf dy sech^2(E/2)/2, shape (n,)."""
    return _trapezoid(d, lambda energy: np.asarray(2.0 / (1.0 + np.exp(-energy)) ** 2, dtype=np.float64))


def _gap_integrals(d: Floats) -> tuple[Floats, Floats]:
    """Return exp(d) I(d) and -exp(d) d I'(d): I = int dtheta f(E), E = d cosh(theta), f the Fermi function."""
    step = 0.05 * np.minimum(1.0, d**-0.5)[:, None]
    theta = np.arange(500) * step
    energy = d[:, None] * np.cosh(theta)
    occupied = 1.0 / (1.0 + np.exp(-energy))
    fermi = np.exp(-2.0 * d[:, None] * np.sinh(0.5 * theta) ** 2) * occupied
    fermi[:, 0] *= 0.5
    return step[:, 0] * fermi.sum(axis=1), step[:, 0] * (energy * fermi * occupied).sum(axis=1)


def reduced_gap_argument(t: Floats) -> Floats:
    """Solve the gap equation for d = Delta(T)/(kB T) at 0 < t < 1, shape (n,).

    Delta/Delta0 = exp(-2 I(d)) and t = alpha (Delta/Delta0)/d: Newton in ln d at given t.
    """
    grid = np.asarray(np.geomspace(1e-4, 60.0, 400), dtype=np.float64)
    reduced = np.exp(-2.0 * np.exp(-grid) * _gap_integrals(grid)[0])
    start = np.interp(-np.log(t), -np.log(WEAK_COUPLING * reduced / grid), np.log(grid))
    log_d = np.where(t < 0.03, np.log(WEAK_COUPLING / t), start)
    for _ in range(6):
        d = np.exp(log_d)
        integral, slope = _gap_integrals(d)
        residual = math.log(WEAK_COUPLING) - 2.0 * np.exp(-d) * integral - log_d - np.log(t)
        log_d = log_d - residual / (2.0 * np.exp(-d) * slope - 1.0)
    return np.asarray(np.exp(log_d))


# --- fitted functions ------------------------------------------------------------------------------------------------


def _power(t: Floats, power: float) -> Floats:
    """Whole or half power of t: products and a root cost a fifth of a general power."""
    whole = math.floor(power)
    factor = t if whole >= 0 else 1.0 / t
    result = np.ones_like(t) if power == whole else np.sqrt(t)
    for _ in range(abs(whole)):
        result = result * factor
    return np.asarray(result)


class DampedPolynomial:
    """The function exp(-alpha/t) t^power P(t) on 0 < t <= 1, with a polynomial P.

    Attributes:
        alpha: in the exponent.
        power: of the factor beside P.
        series: P as a Chebyshev series over 0 <= t <= 1.
    """

    def __init__(self, alpha: float, power: float, series: Chebyshev) -> None:
        """Keep the arguments (see the attributes)."""
        self.alpha = alpha
        self.power = power
        self.series = series
        self._table = CubicTable([series])

    def __call__(self, t: Floats) -> Floats:
        """Evaluate at t (any shape), SMALLEST_T <= t <= 1."""
        return np.asarray(np.exp(-self.alpha / t) * _power(t, self.power) * self._table(t)[0])

    def slope(self) -> DampedPolynomial:
        """The derivative in t, whose power is lower by two."""
        series = (self.alpha + self.power * _T) * self.series + _T**2 * self.series.deriv()
        return DampedPolynomial(self.alpha, self.power - 2.0, series)

    @classmethod
    def fit(cls, t: Floats, values: Floats, alpha: float, power: float) -> DampedPolynomial:
        """Fit P(t) to values, shape (n,), scaled so that the function is exactly 1 at t = 1."""
        series = Chebyshev.fit(t, values, _DEGREE, domain=[0.0, 1.0], w=1.0 / np.abs(values))
        return cls(alpha, power, series * (math.exp(alpha) / series(1.0)))


def _chebyshev_nodes() -> Floats:
    angle = np.pi * (np.arange(_NODES) + 0.5) / _NODES
    return np.asarray(0.5 * (1.0 + np.cos(angle)))


@lru_cache(maxsize=1)
def _gap_nodes() -> tuple[Floats, Floats]:
    """Fitting nodes t and d = Delta/kT there."""
    t = _chebyshev_nodes()
    return t, reduced_gap_argument(t)


@lru_cache(maxsize=1)
def _gap_deficit() -> tuple[DampedPolynomial, DampedPolynomial]:
    """1 - (Delta/Delta0)^2 of the BCS gap curve, and its derivative in t."""
    t, d = _gap_nodes()
    integral = _gap_integrals(d)[0]
    # exp(d) (1 - exp(-4 I)); for d > 30 the exponential is linear to rounding
    near = np.minimum(d, 30.0)
    ratio = np.where(d < 30.0, -np.expm1(-4.0 * np.exp(-near) * integral) * np.exp(near), 4.0 * integral)
    values = ratio * np.exp(WEAK_COUPLING / t - d) / np.sqrt(t)
    fit = DampedPolynomial.fit(t, values, WEAK_COUPLING, 0.5)
    return fit, fit.slope()


@lru_cache(maxsize=1)
def _conductivity_table() -> CubicTable:
    """ln(1+z)/z and -Li2(-z)/z for 0 <= z <= 1."""
    z = _chebyshev_nodes()
    logarithm = Chebyshev.fit(z, np.log1p(z) / z, 18, domain=[0.0, 1.0])
    dilogarithm = Chebyshev.fit(z, -spence(1.0 + z) / z, 18, domain=[0.0, 1.0])
    return CubicTable([logarithm, dilogarithm])


def _conductivity_of_argument(d: Floats, z: Floats) -> Floats:
    """Quasiparticle heat conductivity over the normal one, (3/2 pi^2) int_d^inf x^2 sech^2(x/2) dx.

    Args:
        d: Delta/kT, any shape.
        z: exp(-d).
    """
    logarithm, dilogarithm = _conductivity_table()(z)
    bracket = d * d / (1.0 + z) + 2.0 * d * logarithm + 2.0 * dilogarithm
    return np.asarray(6.0 / math.pi**2 * z * bracket)


def gap_squared(t: Floats) -> tuple[Floats, Floats]:
    """Return (Delta/Delta0)^2 and its derivative in t; both zero from t = 1 on (any shape)."""
    deficit, slope = _gap_deficit()
    inside = np.clip(t, SMALLEST_T, 1.0)
    below = t < 1.0
    value = np.where(below, np.maximum(1.0 - deficit(inside), 0.0), 0.0)
    return value, np.where(below, -slope(inside), 0.0)


def reduced_gap(t: Floats) -> Floats:
    """Return Delta(T)/Delta(0) at t = T/Tc (any shape); zero from t = 1 on."""
    return np.asarray(np.sqrt(gap_squared(t)[0]))


class ReducedSuperconductor:
    """Thermal functions of the superconducting electrons for one gap ratio, in units of gamma and Tc.

    From t = 1 on they continue as those of the normal state; entropy, free energy and energy are continuous there and
    the heat capacity jumps down (by 1.426 in weak coupling).
    """

    def __init__(self, alpha: float = WEAK_COUPLING) -> None:
        """Fit the free energy.

        Args:
            alpha: Delta(0)/(kB Tc).
        """
        self.alpha = alpha
        t, d_weak = _gap_nodes()
        d = d_weak * (alpha / WEAK_COUPLING)
        damping = np.exp(alpha / t - d)
        # Collocation of sigma = -dphi/dt = exp(-alpha/t) t^(-1/2) [(alpha + 3t/2) P + t^2 dP/dt]
        target = t**1.5 * scaled_entropy(d) * damping
        basis = [Chebyshev.basis(k, domain=[0.0, 1.0]) for k in range(_DEGREE + 1)]
        columns = [(alpha + 1.5 * t) * term(t) + t**2 * term.deriv()(t) for term in basis]
        system = np.stack(columns, axis=1) / target[:, None]
        solution = np.linalg.lstsq(system, np.ones_like(t), rcond=None)[0]
        series = Chebyshev(solution, domain=[0.0, 1.0])
        phi = DampedPolynomial(alpha, 1.5, series)
        series = series / float(phi.slope()(np.ones(1))[0])  # sigma(1) = 1 exactly
        self._minus_phi = DampedPolynomial(alpha, 1.5, series)
        self._entropy = self._minus_phi.slope()
        self._energy = DampedPolynomial(alpha, 0.5, self._entropy.series - _T * series)  # phi + t sigma
        slope = self._entropy.slope()
        self._capacity = DampedPolynomial(alpha, slope.power + 1.0, slope.series)  # t dsigma/dt
        self._energy_and_capacity = CubicTable([self._energy.series, self._capacity.series])
        self.condensation = 0.5 - float(self._minus_phi(np.ones(1))[0])
        """(F_N - F_S)/(gamma Tc^2) at T = 0, = mu0 Hc0^2/(2 gamma Tc^2); 0.23643 in weak coupling."""
        self._conduction = self._fit_conduction(t, d, damping)
        self._conduction_table = CubicTable([self._conduction.series, self._conduction.slope().series])
        self._yosida = DampedPolynomial.fit(t, np.sqrt(t) * scaled_yosida(d) * damping, alpha, -0.5)

    def _fit_conduction(self, t: Floats, d: Floats, damping: Floats) -> DampedPolynomial:
        """Integral of t' times the conductivity ratio: its derivative is collocated as that of the free energy is."""
        z = np.maximum(np.exp(-d), 1e-300)
        target = t**2 * _conductivity_of_argument(d, z) / z * damping
        basis = [Chebyshev.basis(k, domain=[0.0, 1.0]) for k in range(_DEGREE + 1)]
        columns = [(self.alpha + t) * term(t) + t**2 * term.deriv()(t) for term in basis]
        system = np.stack(columns, axis=1) / target[:, None]
        solution = np.linalg.lstsq(system, np.ones_like(t), rcond=None)[0]
        return DampedPolynomial(self.alpha, 1.0, Chebyshev(solution, domain=[0.0, 1.0]))

    def conduction(self, t: Floats) -> tuple[Floats, Floats]:
        """Integral of t' k_s/k_n dt' from 0 to t, and its derivative over t; above Tc k_s = k_n.

        The derivative over t is `conductivity_ratio`, to the 1e-5 at which the integral is fitted near Tc.
        """
        inside = np.clip(t, SMALLEST_T, 1.0)
        integral, slope = self._conduction_table(inside)
        damping = np.exp(-self.alpha / inside)
        integral *= damping * inside
        slope *= damping / (inside * inside)
        above = t >= 1.0
        if above.any():
            integral = np.where(above, integral + 0.5 * (t * t - 1.0), integral)
            slope = np.where(above, 1.0, slope)
        return integral, slope

    def entropy(self, t: Floats) -> Floats:
        """s/(gamma Tc) at t = T/Tc >= 0 (any shape)."""
        return np.where(t < 1.0, self._entropy(np.clip(t, SMALLEST_T, 1.0)), t)

    def energy(self, t: Floats) -> Floats:
        """Thermal energy e/(gamma Tc^2), zero at t = 0; above Tc it is t^2/2 + `condensation`."""
        below = self._energy(np.clip(t, SMALLEST_T, 1.0))
        return np.where(t < 1.0, below, 0.5 * t * t + self.condensation)

    def heat_capacity(self, t: Floats) -> Floats:
        """c/(gamma Tc) = t dsigma/dt = d(energy)/dt."""
        return np.where(t < 1.0, self._capacity(np.clip(t, SMALLEST_T, 1.0)), t)

    def energy_and_capacity(self, t: Floats) -> tuple[Floats, Floats]:
        """`energy` and `heat_capacity` together (one exponential, one look into the table)."""
        inside = np.clip(t, SMALLEST_T, 1.0)
        energy, capacity = self._energy_and_capacity(inside)
        root = np.sqrt(inside)
        damping = np.exp(-self.alpha / inside)
        energy *= damping * root
        capacity *= damping / (root * inside)
        above = t >= 1.0
        if above.any():
            energy = np.where(above, 0.5 * t * t + self.condensation, energy)
            capacity = np.where(above, t, capacity)
        return energy, capacity

    def field_squared(self, t: Floats) -> Floats:
        """(F_N - F_S)/(gamma Tc^2) = int_t^1 (t' - sigma) dt' = mu0 Hc^2/(2 gamma Tc^2); zero from t = 1 on."""
        inside = np.clip(t, SMALLEST_T, 1.0)
        value = self.condensation - 0.5 * inside**2 + self._minus_phi(inside)
        value = np.where(t < SMALLEST_T, self.condensation - 0.5 * t * t, value)
        return np.where(t < 1.0, np.maximum(value, 0.0), 0.0)

    def gap_argument(self, t: Floats) -> Floats:
        """Delta(T)/(kB T); zero from t = 1 on, finite (alpha/SMALLEST_T) at t = 0."""
        return np.asarray(self.alpha * reduced_gap(t) / np.maximum(t, SMALLEST_T))

    def conductivity_ratio(self, t: Floats) -> Floats:
        """Quasiparticle heat conductivity over the normal one at the same T."""
        d = self.gap_argument(t)
        return np.asarray(_conductivity_of_argument(d, np.exp(-d)))

    def superfluid_fraction(self, t: Floats, law: str) -> Floats:
        """[lambda(0)/lambda(T)]^2; zero from t = 1 on.

        Args:
            t: T/Tc, any shape.
            law: "dirty" (Delta/Delta0 tanh(Delta/2kT)), "clean" (local BCS, 1 - Yosida function) or "two-fluid"
                (Gorter-Casimir, 1 - t^4).

        Raises:
            ValueError: for another law.
        """
        inside = np.clip(t, SMALLEST_T, 1.0)
        if law == "dirty":
            value = reduced_gap(inside) * np.tanh(0.5 * self.gap_argument(inside))
        elif law == "clean":
            value = 1.0 - self._yosida(inside)
        elif law == "two-fluid":
            value = 1.0 - np.clip(t, 0.0, 1.0) ** 4
        else:
            raise ValueError(f"penetration law {law!r} is none of dirty, clean, two-fluid")
        return np.where(t < 1.0, np.maximum(value, 0.0), 0.0)


@lru_cache(maxsize=64)
def reduced_superconductor(alpha: float = WEAK_COUPLING) -> ReducedSuperconductor:
    """Return the (cached) reduced functions for a gap ratio."""
    return ReducedSuperconductor(alpha)
