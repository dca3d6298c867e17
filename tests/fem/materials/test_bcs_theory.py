"""Reduced BCS functions against direct quadrature, tables and exact values."""

import math

import numpy as np
import pytest

from fem.materials.bcs_theory import WEAK_COUPLING, gap_squared, reduced_gap, reduced_superconductor

RANDOM = np.random.default_rng(20).uniform(0.02, 0.998, 50)


@pytest.fixture(scope="module")
def bcs():
    return reduced_superconductor()


def test_gap_table():
    table = {0.3: 0.99712, 0.5: 0.95688, 0.7: 0.82877, 0.9: 0.52634, 0.95: 0.38032}
    np.testing.assert_allclose(reduced_gap(np.array(list(table))), list(table.values()), atol=6e-6)


def test_gap_against_quadrature(exact):
    np.testing.assert_allclose(reduced_gap(RANDOM), [exact.gap(float(t)) for t in RANDOM], rtol=1e-6)


def test_gap_ends():
    np.testing.assert_array_equal(reduced_gap(np.array([0.0, 1e-10, 1.0, 1.2])), [1.0, 1.0, 0.0, 0.0])


def test_gap_slope_matches_value():
    t = np.linspace(0.05, 0.999, 200)
    step = 1e-6
    difference = (gap_squared(t + step)[0] - gap_squared(t - step)[0]) / (2.0 * step)
    np.testing.assert_allclose(gap_squared(t)[1], difference, rtol=1e-6, atol=1e-9)


def test_gap_near_critical_temperature():
    # (Delta/Delta0)^2 -> (8 pi^2/(7 zeta(3) alpha^2)) (1 - t): the Ginzburg-Landau limit
    zeta3 = 1.2020569031595942
    value, slope = gap_squared(np.array([1.0 - 1e-7]))
    expected = 8.0 * math.pi**2 / (7.0 * zeta3 * WEAK_COUPLING**2)
    assert value[0] / 1e-7 == pytest.approx(expected, rel=1e-5)
    assert -slope[0] == pytest.approx(expected, rel=1e-5)


def test_entropy_table(bcs):
    table = {0.2: 7.221e-4, 0.3: 1.236e-2, 0.5: 0.12852, 0.8: 0.56434, 0.9: 0.76941}
    np.testing.assert_allclose(bcs.entropy(np.array(list(table))), list(table.values()), rtol=4e-4)


@pytest.mark.parametrize("alpha", [WEAK_COUPLING, 1.90, 2.19])
def test_entropy_against_quadrature(exact, alpha):
    fitted = np.log(reduced_superconductor(alpha).entropy(RANDOM))
    direct = [exact.log_entropy(float(t), alpha) for t in RANDOM]
    np.testing.assert_allclose(fitted - direct, 0.0, atol=1e-6)


def test_condensation_energy_and_specific_heat_jump(bcs):
    assert bcs.condensation == pytest.approx(3.0 * WEAK_COUPLING**2 / (4.0 * math.pi**2), rel=1e-7)
    jump = bcs.heat_capacity(np.array([1.0 - 1e-12]))[0] - bcs.heat_capacity(np.array([1.0]))[0]
    assert jump == pytest.approx(12.0 / (7.0 * 1.2020569031595942), rel=1e-5)


@pytest.mark.parametrize("alpha", [WEAK_COUPLING, 1.90])
def test_entropy_energy_heat_capacity_consistent(alpha):
    """Integrals of c and c/t reproduce the differences of e and s to 1e-10."""
    bcs = reduced_superconductor(alpha)
    edges = np.linspace(0.05, 1.0 - 1e-9, 40)
    nodes, weights = np.polynomial.legendre.leggauss(20)
    half = 0.5 * np.diff(edges)[:, None]
    t = 0.5 * (edges[1:] + edges[:-1])[:, None] + half * nodes
    c = bcs.heat_capacity(t)
    np.testing.assert_allclose((half * weights * c).sum(1), np.diff(bcs.energy(edges)), rtol=1e-10)
    np.testing.assert_allclose((half * weights * c / t).sum(1), np.diff(bcs.entropy(edges)), rtol=1e-10)
    gain = (half * weights * (t - bcs.entropy(t))).sum(1)
    np.testing.assert_allclose(gain, -np.diff(bcs.field_squared(edges)), rtol=1e-10, atol=1e-14)
    together = bcs.energy_and_capacity(t)
    np.testing.assert_allclose(together[0], bcs.energy(t), rtol=1e-13)
    np.testing.assert_allclose(together[1], c, rtol=1e-13)


def test_states_join_at_critical_temperature(bcs):
    below, above = np.array([1.0 - 1e-15]), np.array([1.0])
    assert bcs.entropy(below)[0] == pytest.approx(1.0, abs=1e-12)
    assert bcs.energy(below)[0] == pytest.approx(bcs.energy(above)[0], abs=1e-12)
    np.testing.assert_array_equal(bcs.entropy(np.array([1.0, 1.2])), [1.0, 1.2])
    assert bcs.conductivity_ratio(np.array([1.0 - 1e-14]))[0] == pytest.approx(1.0, abs=1e-6)


def test_critical_field_against_quadrature(bcs, exact):
    t = np.array([0.2, 0.5, 0.7, 0.9])
    ratio = np.sqrt(bcs.field_squared(t) / bcs.condensation)
    direct = np.sqrt([exact.field_squared(float(value)) / (3.0 * WEAK_COUPLING**2 / (4.0 * math.pi**2)) for value in t])
    np.testing.assert_allclose(ratio, direct, rtol=1e-6)
    np.testing.assert_allclose(ratio[:3], [0.95680, 0.72308, 0.47321], atol=5e-5)


def test_penetration_table(bcs):
    t = np.array([0.5, 0.8])
    expected = {"two-fluid": (1.0328, 1.3014), "clean": (1.0950, 1.6184), "dirty": (1.0579, 1.4654)}
    for law, values in expected.items():
        np.testing.assert_allclose(bcs.superfluid_fraction(t, law) ** -0.5, values, atol=6e-5)


def test_penetration_against_quadrature(bcs, exact):
    t = RANDOM[:20]
    clean = [1.0 - exact.yosida(float(value)) for value in t]
    np.testing.assert_allclose(bcs.superfluid_fraction(t, "clean"), clean, rtol=1e-5)
    dirty = [exact.gap(float(value)) * math.tanh(0.5 * exact.argument(float(value))) for value in t]
    np.testing.assert_allclose(bcs.superfluid_fraction(t, "dirty"), dirty, rtol=1e-6)


def test_unknown_penetration_law(bcs):
    with pytest.raises(ValueError, match="dirty, clean, two-fluid"):
        bcs.superfluid_fraction(np.array([0.5]), "dusty")


def test_conductivity_ratio(bcs, exact):
    table = {0.2: 8.76e-3, 0.3: 0.0830, 0.5: 0.4083, 0.8: 0.8602}
    np.testing.assert_allclose(bcs.conductivity_ratio(np.array(list(table))), list(table.values()), rtol=1e-3)
    direct = [exact.conductivity_ratio(float(t)) for t in RANDOM]
    np.testing.assert_allclose(bcs.conductivity_ratio(RANDOM), direct, rtol=2e-6)


def test_nothing_overflows(bcs):
    t = np.geomspace(1e-10, 1.2, 2000)
    with np.errstate(over="raise", divide="raise", invalid="raise"):
        laws = [bcs.entropy(t), bcs.energy(t), bcs.heat_capacity(t), bcs.field_squared(t), bcs.conductivity_ratio(t)]
        laws += [bcs.superfluid_fraction(t, law) for law in ("dirty", "clean", "two-fluid")]
    for values in laws:
        assert np.isfinite(values).all()
        assert (values >= 0.0).all()
    assert (np.diff(laws[0]) >= 0.0).all()
    assert (np.diff(laws[1]) >= 0.0).all()
