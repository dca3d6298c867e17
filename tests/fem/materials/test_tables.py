"""Tables of cubics against the functions that they stand for."""

import numpy as np
import pytest

from fem.materials.bcs_theory import SMALLEST_T, WEAK_COUPLING, reduced_superconductor
from fem.materials.tables import CubicTable

RANDOM = np.random.default_rng(5).uniform(SMALLEST_T, 1.0, 4000)


@pytest.mark.parametrize("alpha", [WEAK_COUPLING, 1.90])
def test_laws_as_their_series(alpha):
    """To 1e-12 of the fitted polynomial; those with a second derivative in them to 1e-10."""
    bcs = reduced_superconductor(alpha)
    pairs = [(bcs._minus_phi, 1e-12), (bcs._entropy, 1e-12), (bcs._energy, 1e-12), (bcs._yosida, 1e-12)]
    pairs += [(bcs._capacity, 1e-11), (bcs._conduction, 1e-11), (bcs._conduction.slope(), 1e-9)]
    for law, error in pairs:
        damping = np.exp(-alpha / RANDOM) * RANDOM**law.power
        kept = damping > 0.0
        np.testing.assert_allclose(law(RANDOM)[kept], (damping * law.series(RANDOM))[kept], rtol=error)


def test_fourth_order_between_the_ends():
    """A polynomial of degree 3 is exact, of another function the slopes are right too, and the ends are met."""
    t = np.array([[0.0, 0.3, 1.0], [1e-9, 0.7, 1.0 - 1e-9]])
    cubic = np.polynomial.chebyshev.Chebyshev([0.3, -1.0, 2.0, 0.7], domain=[0.0, 1.0])
    wave = np.polynomial.chebyshev.Chebyshev.interpolate(lambda x: np.sin(9.0 * x), 40, domain=[0.0, 1.0])
    first, second = CubicTable([cubic, wave])(t)
    np.testing.assert_allclose(first, cubic(t), rtol=0.0, atol=1e-15)
    np.testing.assert_allclose(second, np.sin(9.0 * t), rtol=0.0, atol=3e-14 / 384 * 9**4)
    np.testing.assert_allclose(
        np.diff(CubicTable([wave])(np.array([0.4, 0.4 + 1e-6]))[0]) / 1e-6, 9 * np.cos(3.6), rtol=1e-5
    )
