"""Nuclear spins against sums over their levels in 60 digits, and the thermodynamics of materials that have them."""

import math
from dataclasses import replace
from decimal import Decimal, localcontext

import numpy as np
import pytest

from fem.constants import KB
from fem.materials.library import LIBRARY, get_material
from fem.materials.material import Material
from fem.materials.nuclear_spins import Nuclei, Spins, dipole_field

MAGNETON = 5.0507837461e-27
CU, TA = get_material("Cu"), get_material("Ta")


def exact(spin, x):
    """Mean quantum number, order ln(2 I + 1) - s, and heat capacity of one spin, from its levels."""
    with localcontext() as context:
        context.prec = 60
        step = Decimal(x)
        levels = [Decimal(spin) - k for k in range(int(2 * spin) + 1)]
        weights = [(-step * (levels[0] - m)).exp() for m in levels]
        total = sum(weights)
        mean = sum(w * m for w, m in zip(weights, levels, strict=True)) / total
        square = sum(w * (m - mean) ** 2 for w, m in zip(weights, levels, strict=True)) / total
        entropy = total.ln() + step * (levels[0] - mean)
        return float(mean), float(Decimal(len(levels)).ln() - entropy), float(square * step * step)


@pytest.mark.parametrize("spin", [0.5, 1.5, 3.5, 4.5])
def test_levels(spin):
    """From x = 1e-9 to 600, relative: nothing cancels."""
    nuclei = Nuclei((Spins(spin, 2.0, 1.0),))
    spacing = 2.0 * MAGNETON / (spin * KB)
    x = np.concatenate([np.geomspace(1e-9, 600.0, 140), [0.2, 0.25, 0.5, 1.0, 2.0]])
    T = spacing * 0.3 / x
    mean, order, capacity = np.array([exact(spin, float(spacing * 0.3 / t)) for t in T]).T
    np.testing.assert_allclose(nuclei.energy(T, 0.3) / (-KB * spacing * 0.3), mean, rtol=2e-14)
    np.testing.assert_allclose(nuclei.entropy(T, 0.3) / -KB, order, rtol=2e-14)
    # The exponential of x itself has that much error.
    np.testing.assert_allclose(nuclei.heat_capacity(T, 0.3) / KB, capacity, rtol=2e-14 + 1e-15 * 600)


@pytest.mark.parametrize("material", [m for m in LIBRARY.values() if m.nuclei], ids=lambda m: m.name)
def test_ends(material):
    """At T = 0 and without a field; all orders of magnitude without warnings."""
    nuclei = material.nuclei
    T = np.array([0.0, 1e-30, 1e-9, 1.0, 1e30])
    for B in (0.0, 1e-12, 0.08, 10.0):
        entropy, energy = nuclei.entropy(T, B), nuclei.energy(T, B)
        assert entropy[0] == pytest.approx(nuclei.lowest_entropy(B), rel=1e-14)
        assert energy[0] == pytest.approx(nuclei.lowest_energy(B), rel=1e-14)
        assert nuclei.heat_capacity(T, B)[0] == 0.0
        assert (np.diff(entropy) >= -1e-15 * np.abs(entropy[0])).all()
        assert (np.diff(energy) >= -1e-15 * np.abs(energy[0])).all()
        assert (np.abs([entropy[-1], energy[-1]]) < 1e-20).all()
    bare = replace(nuclei, dipole_field=0.0)
    for law in (bare.energy, bare.entropy, bare.heat_capacity, bare.magnetisation):
        assert not law(T, 0.0).any()


def test_high_temperature_capacity():
    """At 83 mT lambda B^2 / T^2 passes gamma T at about 31 mK in copper and 15 mK in tantalum."""
    for material, expected in ((CU, 31.7e-3), (TA, 14.6e-3)):
        crossing = (material.nuclei.curie_constant() * 0.083**2 / material.gamma) ** (1 / 3)
        assert crossing == pytest.approx(expected, rel=5e-3)
        bare = replace(material.nuclei, dipole_field=0.0)
        assert float(bare.heat_capacity(crossing, 0.083)) == pytest.approx(material.gamma * crossing, rel=1e-4)
    # Measured in copper: 4.03e-12 K m^3 / mol in units of B^2 / mu0.
    assert CU.nuclei.curie_constant() * 7.11e-6 * 4e-7 * math.pi == pytest.approx(4.03e-12, rel=5e-3)


def test_dipole_field():
    """Copper: 0.34 mT. A sum over the spins of an fcc crystal gives the same as the formula."""
    assert CU.nuclei.dipole_field == pytest.approx(0.34e-3, rel=1e-2)
    k = np.arange(-12, 13)
    place = np.stack(np.meshgrid(k, k, k), -1).reshape(-1, 3)
    place = place[(place.sum(axis=1) % 2 == 0) & place.any(axis=1)]
    edge = 3.61e-10
    distance = 0.5 * edge * np.linalg.norm(place, axis=1)
    spins = Spins(1.5, 2.2273, 4 / edge**3)
    # Each pair has Tr Hd^2 = 6 (mu0/4 pi)^2 g^4 muN^4 [I(I+1)/3]^2 / r^6, a spin in b g^2 muN^2 b^2 I(I+1)/3.
    g = 2.2273 / 1.5 * MAGNETON
    square = 1e-14 * 3.0 * g**2 * (1.5 * 2.5 / 3) * (distance**-6.0).sum()
    assert dipole_field(4 / edge**3, [spins]) == pytest.approx(math.sqrt(square), rel=2e-3)


# ---- materials ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("material", "f"), [(CU, 1.0), (TA, 1.0), (TA, 0.0), (TA, 0.4)])
@pytest.mark.parametrize("B", [0.0, 1e-3, 0.083])
def test_consistent_laws(material, f, B):
    """At fixed field T ds = de = c dT by differences, de/du likewise, and the inversions go back."""
    material = replace(material, spin_field=B)
    T = np.geomspace(2e-5, 3.0, 60)
    step = 1e-4
    ratio = {-2: 1 / 12, -1: -8 / 12, 1: 8 / 12, 2: -1 / 12}

    def slope(law, x):
        return sum(w * law(x * (1 + k * step)) for k, w in ratio.items()) / (x * step)

    c = material.heat_capacity(T, f)
    np.testing.assert_allclose(T * slope(lambda t: material.entropy(t, f), T), c, rtol=1e-8)
    np.testing.assert_allclose(slope(lambda t: material.energy(t, f), T), c, rtol=1e-8)
    e, by_u = material.energy_u(T**2, f)
    np.testing.assert_allclose(e, material.energy(T, f), rtol=1e-12, atol=1e-14 * np.abs(e).max())
    np.testing.assert_allclose(by_u, c / (2 * T), rtol=1e-12)
    np.testing.assert_allclose(material.temperature_from_entropy(material.entropy(T, f), f), T, rtol=1e-13)
    np.testing.assert_allclose(material.temperature_from_energy(material.energy(T, f), f), T, rtol=1e-13)


def test_magnetisation_is_minus_the_slope_of_the_free_energy():
    """M = -dF/dB, and the Maxwell relation dM/dT = ds/dB, in copper with its dipole field."""
    nuclei, h = CU.nuclei, 1e-4
    T = np.geomspace(3e-6, 0.1, 40)

    def free(B):
        return nuclei.energy(T, B) - T * nuclei.entropy(T, B)

    for B in (1e-3, 0.083):
        M = -(free(B * (1 + h)) - free(B * (1 - h))) / (2 * B * h)
        np.testing.assert_allclose(nuclei.magnetisation(T, B), M, rtol=3e-7)
        by_T = (nuclei.magnetisation(T * (1 + h), B) - nuclei.magnetisation(T * (1 - h), B)) / (2 * T * h)
        by_B = (nuclei.entropy(T, B * (1 + h)) - nuclei.entropy(T, B * (1 - h))) / (2 * B * h)
        np.testing.assert_allclose(by_T, by_B, rtol=3e-7)


def test_adiabatic_demagnetisation():
    """Spins alone, without dipole field: T / B stays, from 6 T and 10 mK to 1 mT."""
    bare = Material("spins", 0.0, 0.0, nuclei=replace(CU.nuclei, dipole_field=0.0), spin_field=6.0)
    T = np.array([1e-3, 1e-2, 0.1])
    new = replace(bare, spin_field=1e-3).temperature_from_entropy(bare.entropy(T))
    np.testing.assert_allclose(new, T * 1e-3 / 6.0, rtol=1e-12)
    # With it, sqrt(B^2 + b^2) takes the place of B: the lowest temperature is T b / B.
    real = replace(bare, nuclei=CU.nuclei)
    b = CU.nuclei.dipole_field
    new = replace(real, spin_field=0.0).temperature_from_entropy(real.entropy(T))
    np.testing.assert_allclose(new, T * b / math.hypot(6.0, b), rtol=1e-12)


def test_copper_warms_when_magnetised():
    """Copper magnetised from 0: gamma T + beta T^3 / 3 - lambda B^2 / (2 T^2) stays (high temperature)."""
    start = 0.02
    new = replace(CU, spin_field=0.083)
    T = float(new.temperature_from_entropy(CU.entropy(start)))
    left = CU.gamma * T + CU.beta * T**3 / 3 - CU.nuclei.curie_constant() * 0.083**2 / (2 * T**2)
    assert left == pytest.approx(CU.gamma * start + CU.beta * start**3 / 3, rel=1e-3)
    assert T == pytest.approx(0.0337, abs=2e-4)


def test_no_spins_no_change():
    T = np.geomspace(1e-6, 3, 20)
    for other in (replace(CU, spin_field=0.0, nuclei=replace(CU.nuclei, dipole_field=0.0)), replace(CU, nuclei=None)):
        np.testing.assert_array_equal(other.entropy(T), CU.entropy(T))
        np.testing.assert_array_equal(other.energy_u(T * T), CU.energy_u(T * T))


def test_impossible_requests():
    with pytest.raises(ValueError, match="no temperature has the entropy"):
        replace(CU, spin_field=0.083).temperature_from_entropy(CU.nuclei.lowest_entropy(0.083) * 1.01)
    with pytest.raises(ValueError, match="no temperature has the energy"):
        replace(CU, spin_field=0.083).temperature_from_energy(CU.nuclei.lowest_energy(0.083) * 1.01)
    with pytest.raises(ValueError, match="impossible"):
        Spins(1.3, 2.0, 1e28)
