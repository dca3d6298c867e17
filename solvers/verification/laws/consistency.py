"""Laws of a superconductor against each other: Maxwell's relation in the transition, and s, e and c."""

from __future__ import annotations

import numpy as np

from fem.constants import MU0
from fem.materials.material import Material
from meshes.arrays import Floats
from solvers.verification.laws.samples import draws, worst
from solvers.verification.report import Row


def maxwell(material: Material, T: Floats, width: float) -> float:
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


def consistency_rows(material: Material) -> list[Row]:
    """The integrals of c and of c/T are the differences of e and of s, at three fractions."""
    assert material.critical_temperature is not None
    T = np.sort(draws(material))
    T = np.concatenate([T[T < material.critical_temperature], [material.critical_temperature * (1 - 1e-12)]])
    points, weights = np.polynomial.legendre.leggauss(12)
    lower = np.maximum(T / 1.1, 1e-3)  # steps short enough for the quadrature
    half = 0.5 * (T - lower)
    at = 0.5 * (T + lower)[:, None] + half[:, None] * points
    c, e, s = material.heat_capacity, material.energy, material.entropy
    largest = 0.0
    for f in (0.0, 0.3, 1.0):
        values = c(at, f)
        largest = max(
            largest,
            worst(half * (values @ weights), e(T, f) - e(lower, f)),
            worst(half * ((values / at) @ weights), s(T, f) - s(lower, f)),
        )
    return [Row(f"laws of {material.name}", "s, e and c", 0.0, largest, 1e-10)]
