"""The BCS laws once more, by direct adaptive quadrature of their integrals: nothing shared with the package."""

import itertools
import math
from functools import lru_cache

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import brentq

KB = 1.380649e-23
E_CHARGE = 1.602176634e-19
ALPHA = math.pi * math.exp(-np.euler_gamma)


def _integral(function, low, high, epsabs=0.0):
    return quad(function, low, high, epsabs=epsabs, epsrel=1e-11, limit=400)[0]


def _fermi(energy):
    return 1.0 / (math.exp(min(energy, 700.0)) + 1.0)


class ExactBCS:
    """Reduced functions of t = T/Tc; `alpha` scales the BCS gap curve (alpha-model)."""

    @staticmethod
    @lru_cache(maxsize=4000)
    def gap(t):
        """Delta/Delta0 from int [tanh(y/2)/y - tanh(E/2)/E] dy + ln t = 0 (weak coupling)."""
        cut = 400.0

        def residual(d):
            def integrand(y):
                energy = math.hypot(y, d)
                return math.tanh(0.5 * y) / y - math.tanh(0.5 * energy) / energy

            edges = (1e-9, 4.0, 40.0, cut)
            body = sum(_integral(integrand, *ends, epsabs=1e-13) for ends in itertools.pairwise(edges))
            tail = math.log(0.5 * (1.0 + math.hypot(1.0, d / cut)))
            return body + tail + math.log(t)

        low = 1e-6
        high = 1.0001 * ALPHA / t
        return brentq(residual, low, high, xtol=1e-13, rtol=1e-13) * t / ALPHA

    @classmethod
    def argument(cls, t, alpha=ALPHA):
        return alpha * cls.gap(t) / t

    @staticmethod
    def _over_energies(function, d):
        """exp(d) int_0^inf function(E) exp(-E) dy, with E = sqrt(y^2 + d^2)."""
        end = math.sqrt(45.0 * (45.0 + 2.0 * d))

        def integrand(y):
            energy = math.hypot(y, d)
            return function(energy) * math.exp(-y * y / (energy + d))

        return _integral(integrand, 0.0, 0.2 * end) + _integral(integrand, 0.2 * end, end)

    @classmethod
    def log_entropy(cls, t, alpha=ALPHA):
        """ln of s_es/(gamma Tc)."""
        d = cls.argument(t, alpha)

        def function(energy):
            z = math.exp(-energy)
            return energy / (1.0 + z) + (math.log1p(z) / z if z > 1e-12 else 1.0)

        return math.log(6.0 / math.pi**2 * t * cls._over_energies(function, d)) - d

    @classmethod
    def entropy(cls, t, alpha=ALPHA):
        return math.exp(cls.log_entropy(t, alpha))

    @classmethod
    def yosida(cls, t):
        d = cls.argument(t)
        return math.exp(-d) * cls._over_energies(lambda energy: 2.0 / (1.0 + math.exp(-energy)) ** 2, d)

    @classmethod
    def conductivity_ratio(cls, t):
        d = cls.argument(t)
        integral = _integral(lambda x: x * x * math.exp(d - x) / (1.0 + math.exp(-x)) ** 2, d, d + 60.0)
        return 6.0 / math.pi**2 * math.exp(-d) * integral

    @classmethod
    def field_squared(cls, t):
        """int_t^1 (t' - sigma) dt'."""
        nodes, weights = np.polynomial.legendre.leggauss(20)
        points = t + 0.5 * (1.0 - t) * (nodes + 1.0)
        values = [point - cls.entropy(float(point)) for point in points]
        return 0.5 * (1.0 - t) * float(np.dot(weights, values))


class ExactJunction:
    """Tunnel heat flux times the resistance, int E N1 N2 (f1 - f2) dE with sharp densities of states."""

    @staticmethod
    def flux(T1, T2, gap1, gap2, resistance_area):
        """Heat flux (W/m^2) from T1 to T2 (K) with the gaps gap1, gap2 (J)."""
        unit = KB * max(T1, T2)
        a, b = sorted((gap1 / unit, gap2 / unit))
        x1, x2 = unit / (KB * T1), unit / (KB * T2)

        def integrand(x):
            # E = b + x^2 removes the singularity at the larger gap
            energy = b + x * x
            states = energy**3 / math.sqrt((energy - a) * (energy + a)) / math.sqrt(energy + b)
            return 2.0 * states * (_fermi(x1 * energy) - _fermi(x2 * energy))

        knee = math.sqrt(b - a) if b > a else 0.1
        parts = _integral(integrand, 0.0, 0.5 * knee) + _integral(integrand, 0.5 * knee, 2.0 * knee)
        parts += _integral(integrand, 2.0 * knee, 2.0 * knee + 10.0)
        return 2.0 * unit**2 / (E_CHARGE**2 * resistance_area) * parts


@pytest.fixture(scope="session")
def exact():
    return ExactBCS


@pytest.fixture(scope="session")
def exact_junction():
    return ExactJunction
