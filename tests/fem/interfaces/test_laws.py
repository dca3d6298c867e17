"""Interface laws against direct quadrature and known answers; signs, limits, derivatives."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from scipy.integrate import dblquad, quad

from fem.constants import E_CHARGE, KB, LORENZ
from fem.interfaces.laws import (
    Conductance,
    ElectronPhonon,
    PhononContact,
    Sum,
    TunnelJunction,
    phonon_boundary_conductance,
)
from fem.materials.bcs_theory import WEAK_COUPLING
from fem.materials.library import get_material

AREA = 1e-4  # m^2: 20 mOhm on one square centimetre
RA = 2e-6  # Ohm m^2
CU, TA, NB, AL = (get_material(name) for name in ("Cu", "Ta", "Nb", "Al"))
RNG = np.random.default_rng(11)


def laws():
    return {
        "N/S": TunnelJunction(CU, TA, RA),
        "S/S'": TunnelJunction(TA, NB, RA, dynes=1e-4),
        "S/S": TunnelJunction(TA, TA, RA, dynes=1e-3),
        "Al/Nb": TunnelJunction(AL, NB, 3e-7),
        "phonons": PhononContact(596.0, 0.4),
        "conductance": Conductance(25.0),
        "electrons": ElectronPhonon(2e9),
        "disordered": ElectronPhonon(1e10, 6.0),
        "sum": Sum((TunnelJunction(CU, TA, RA), PhononContact(596.0), Conductance(0.1))),
    }


def random_states(count, top=6.0):
    T1, T2 = RNG.uniform(0.01, top, (2, count))
    f1, f2 = RNG.choice([0.0, 1.0, 0.3, 0.99], (2, count))
    return T1, T2, f1, f2


def test_normal_junction_is_linear_in_u():
    law = TunnelJunction(CU, TA, RA)
    u1, u2 = RNG.uniform(-0.1, 9.0, (2, 100))
    q, by_1, by_2 = law.flux(u1, u2, 1.0, 1.0)
    np.testing.assert_allclose(q, LORENZ / (2.0 * RA) * (u1 - u2), rtol=1e-15)
    np.testing.assert_allclose(by_1, LORENZ / (2.0 * RA), rtol=1e-15)
    np.testing.assert_allclose(by_2, -LORENZ / (2.0 * RA), rtol=1e-15)


def test_headline_cooling_powers():
    """24.4 nW at 200 mK and 0.0611 nW at 10 mK into cold tantalum, for 20 mOhm."""
    q = TunnelJunction(CU, TA, RA).flux(np.array([0.2, 0.01]) ** 2, 0.0, 1.0, 1.0)[0] * AREA
    np.testing.assert_allclose(q, [24.43e-9, 0.06107e-9], rtol=1e-3)


def test_normal_superconductor_known_answers():
    T = np.array([0.5, 1.0, 2.0])
    q = TunnelJunction(CU, TA, RA).flux(0.0, T * T, 1.0, 0.0)[0] * AREA
    np.testing.assert_allclose(q, [-2.184e-12, -8.689e-9, -7.458e-7], rtol=2e-4)


def test_superconductors_known_answer():
    """Case 19 (niobium in weak coupling)."""
    law = TunnelJunction(TA, replace(NB, gap_ratio=WEAK_COUPLING), RA)
    assert float(law.flux(1.0, 0.04, 0.0, 0.0)[0]) * AREA == pytest.approx(6.0129e-12, rel=2e-5)


def test_normal_superconductor_against_quadrature(exact_junction):
    law = TunnelJunction(CU, TA, RA)
    for T1, T2 in RNG.uniform(0.15, 4.4, (25, 2)):
        direct = exact_junction.flux(T1, T2, 0.0, float(TA.gap(T2)), RA)
        assert float(law.flux(T1 * T1, T2 * T2, 1.0, 0.0)[0]) == pytest.approx(direct, rel=1e-7)


@pytest.mark.parametrize(("lower", "upper"), [(TA, NB), (AL, TA), (NB, TA)], ids=["Ta/Nb", "Al/Ta", "Nb/Ta"])
def test_superconductors_against_quadrature(exact_junction, lower, upper):
    law = TunnelJunction(lower, upper, RA)
    for x1, x2 in RNG.uniform(0.1, 0.97, (20, 2)):
        T1, T2 = x1 * lower.critical_temperature, x2 * upper.critical_temperature
        gap1, gap2 = float(lower.gap(T1)), float(upper.gap(T2))
        if abs(gap1 / gap2 - 1.0) < 0.05:
            continue  # the sharp integral is singular there
        direct = exact_junction.flux(T1, T2, gap1, gap2, RA)
        assert float(law.flux(T1 * T1, T2 * T2, 0.0, 0.0)[0]) == pytest.approx(direct, rel=1e-4)


def broadened_quadrature(T1, T2, gap1, gap2, eta):
    """Heat between two Dynes superconductors: adaptive quadrature between many points, energies in K."""
    gap1, gap2 = gap1 / KB, gap2 / KB

    def density(E, gap):
        z = E - 1j * eta * gap
        return (z / np.sqrt(z - gap) / np.sqrt(z + gap)).real

    def integrand(E):
        occupied = [1.0 / (1.0 + np.exp(min(E / T, 700.0))) for T in (T1, T2)]
        return E * density(E, gap1) * density(E, gap2) * (occupied[0] - occupied[1])

    top = max(gap1, gap2) + 60.0 * max(T1, T2)
    away = 10.0 ** np.arange(-8, 1)
    points = [0.0, top, *(x * T for T in (T1, T2) for x in (0.1, 1.0, 3.0, 10.0, 30.0))]
    points += [gap * (1.0 + side * x) for gap in (gap1, gap2) for x in (0.0, *away) for side in (-1, 1)]
    points = sorted({point for point in points if 0.0 <= point <= top})
    pieces = [quad(integrand, low, high, epsabs=0.0, epsrel=1e-8, limit=200)[0] for low, high in pairwise(points)]
    return 2.0 * (KB / E_CHARGE) ** 2 / RA * sum(pieces)


@pytest.mark.filterwarnings("ignore::scipy.integrate.IntegrationWarning")
@pytest.mark.parametrize("eta", [1e-6, 1e-4, 1e-3, 1e-2, 1e-1])
@pytest.mark.parametrize(("lower", "upper"), [(TA, TA), (NB, TA), (AL, NB)], ids=["Ta/Ta", "Nb/Ta", "Al/Nb"])
def test_two_broadened_gaps_against_quadrature(lower, upper, eta):
    """Nb|Ta at 0.5 and 0.3 K is the product of the densities in the gap; Ta|Ta at 0.8 and 0.6 K has equal gaps."""
    law = TunnelJunction(lower, upper, RA, dynes=eta)
    for T1, T2 in ((0.5, 0.3), (0.8, 0.6), (1.0, 0.1), (0.02, 0.01), (3.0, 1.1)):
        for warm, cold in ((T1, T2), (T2, T1)):
            if lower is AL and warm >= AL.critical_temperature:
                continue
            direct = broadened_quadrature(warm, cold, float(lower.gap(warm)), float(upper.gap(cold)), eta)
            assert float(law.flux(warm**2, cold**2, 0.0, 0.0)[0]) == pytest.approx(direct, rel=2e-4)


def test_two_broadened_gaps_known_answer():
    law = TunnelJunction(NB, TA, 0.02, dynes=1e-4)
    assert float(law.flux(0.25, 0.09, 0.0, 0.0)[0]) == pytest.approx(1.37e-15, rel=3e-3)


def test_equal_gaps_diverge_logarithmically():
    """Between equal gaps the flux grows by the same amount for each decade less of broadening."""
    T1, T2 = 0.3, 0.299999  # equal gaps
    fluxes = [
        float(TunnelJunction(TA, TA, RA, dynes=width).flux(T1**2, T2**2, 0.0, 0.0)[0]) for width in (1e-4, 1e-5, 1e-6)
    ]
    first, second = np.diff(fluxes)
    assert first > 0.1 * fluxes[0]
    assert second == pytest.approx(first, rel=1e-3)


def test_mixed_state_is_the_weighted_sum():
    law = TunnelJunction(TA, NB, RA)
    u1, u2 = 4.0, 0.25
    pure = {(a, b): float(law.flux(u1, u2, a, b)[0]) for a in (0.0, 1.0) for b in (0.0, 1.0)}
    f1, f2 = 0.3, 0.6
    expected = sum((f1 if a else 1.0 - f1) * (f2 if b else 1.0 - f2) * value for (a, b), value in pure.items())
    assert float(law.flux(u1, u2, f1, f2)[0]) == pytest.approx(expected, rel=1e-12)


def test_dynes_leak():
    """Far below the gap only the leak is left: dynes times the normal flux, N/N itself unchanged."""
    law, sharp = TunnelJunction(CU, TA, RA, dynes=1e-4), TunnelJunction(CU, TA, RA)
    normal = LORENZ / (2.0 * RA) * (0.01 - 0.0025)
    assert float(law.flux(0.01, 0.0025, 1.0, 0.0)[0]) == pytest.approx(1e-4 * normal, rel=1e-9)
    assert float(law.flux(0.01, 0.0025, 1.0, 1.0)[0]) == pytest.approx(normal, rel=1e-14)
    assert 0.0 <= float(sharp.flux(0.01, 0.0025, 1.0, 0.0)[0]) < 1e-20 * normal


@pytest.mark.parametrize(("normal", "paired"), [(0.3, 1.5), (2.0, 3.0), (4.0, 4.4), (4.6, 4.4699)])
def test_dynes_leak_is_what_passes_inside_the_gap(normal, paired):
    law, sharp = TunnelJunction(CU, TA, RA, dynes=1e-2), TunnelJunction(CU, TA, RA)
    gap = float(TA.gap(paired)) / KB

    def inside(E):
        return E / (1.0 + np.exp(E / normal)) - E / (1.0 + np.exp(E / paired))

    def leak(u1, u2):
        return float(law.flux(u1, u2, 1.0, 0.0)[0] - sharp.flux(u1, u2, 1.0, 0.0)[0])

    u1, u2 = normal**2, paired**2
    exact = 1e-2 * 2.0 * (KB / E_CHARGE) ** 2 / RA * quad(inside, 0.0, gap, epsrel=1e-10)[0]
    assert leak(u1, u2) == pytest.approx(exact, rel=1e-7)
    slopes = [
        float(a - b) for a, b in zip(law.flux(u1, u2, 1.0, 0.0)[1:], sharp.flux(u1, u2, 1.0, 0.0)[1:], strict=True)
    ]
    step = 1e-5
    assert (leak(u1 * (1 + step), u2) - leak(u1 * (1 - step), u2)) / (2 * step * u1) == pytest.approx(
        slopes[0], rel=1e-4
    )
    assert (leak(u1, u2 * (1 + step)) - leak(u1, u2 * (1 - step))) / (2 * step * u2) == pytest.approx(
        slopes[1], rel=1e-2
    )


def test_above_tc_a_broadened_junction_is_one_of_normal_metals():
    metals = LORENZ / (2.0 * RA) * (36.0 - 25.0)
    for law in (TunnelJunction(CU, TA, RA, dynes=1e-2), TunnelJunction(TA, TA, RA, dynes=1e-2)):
        assert float(law.flux(36.0, 25.0, 1.0, 0.0)[0]) == pytest.approx(metals, rel=1e-12)


def test_gaps_close_above_critical_temperature():
    q = TunnelJunction(TA, AL, RA).flux(5.0**2, 4.8**2, 0.0, 0.0)[0]
    assert float(q) == pytest.approx(LORENZ / (2.0 * RA) * (25.0 - 4.8**2), rel=1e-12)
    just_below = (TA.critical_temperature * (1.0 - 1e-9)) ** 2
    q = TunnelJunction(CU, TA, RA).flux(25.0, just_below, 1.0, 0.0)[0]
    assert float(q) == pytest.approx(LORENZ / (2.0 * RA) * (25.0 - just_below), rel=1e-6)


@pytest.mark.parametrize("name", list(laws()))
def test_zero_at_equal_temperatures_and_downhill(name):
    law = laws()[name]
    T1, T2, f1, f2 = random_states(2000)
    np.testing.assert_array_equal(law.flux(T1**2, T1**2, f1, f2)[0], 0.0)
    q, by_1, by_2 = law.flux(T1**2, T2**2, f1, f2)
    assert (q * (T1 - T2) >= 0.0).all()
    assert (q[T1 > T2] > 0.0).any()
    # a normal side is heated by nothing but its own temperature
    assert (by_1[(f1 == 1.0)] >= 0.0).all()
    assert (by_2[(f2 == 1.0)] <= 0.0).all()


@pytest.mark.parametrize(("lower", "upper"), [(CU, TA), (TA, NB), (AL, NB)], ids=["Cu/Ta", "Ta/Nb", "Al/Nb"])
def test_swapped_sides_give_the_negative_flux(lower, upper):
    T1, T2, f1, f2 = random_states(500)
    q, by_1, by_2 = TunnelJunction(lower, upper, RA, 1e-3).flux(T1**2, T2**2, f1, f2)
    swapped, swapped_2, swapped_1 = TunnelJunction(upper, lower, RA, 1e-3).flux(T2**2, T1**2, f2, f1)
    np.testing.assert_array_equal(swapped, -q)
    np.testing.assert_allclose(swapped_1, -by_1, rtol=1e-14)
    np.testing.assert_allclose(swapped_2, -by_2, rtol=1e-14)


@pytest.mark.parametrize("name", list(laws()))
def test_derivatives_against_differences(name):
    law = laws()[name]
    T1, T2, f1, f2 = random_states(1500)
    u1, u2 = T1**2, T2**2
    _, by_1, by_2 = law.flux(u1, u2, f1, f2)
    step = 1e-6
    first = (law.flux(u1 * (1 + step), u2, f1, f2)[0] - law.flux(u1 * (1 - step), u2, f1, f2)[0]) / (2 * step * u1)
    second = (law.flux(u1, u2 * (1 + step), f1, f2)[0] - law.flux(u1, u2 * (1 - step), f1, f2)[0]) / (2 * step * u2)
    rounding = 5e-9 * (np.abs(law.flux(u1, 0.0, f1, f2)[0]) + np.abs(law.flux(0.0, u2, f1, f2)[0]))
    near = 2e-3 if name.startswith("S/S") else 1e-5  # the nodes of the quadrature of broadened gaps move with them
    assert (np.abs(first - by_1) <= near * np.abs(by_1) + rounding / u1).all()
    assert (np.abs(second - by_2) <= near * np.abs(by_2) + rounding / u2).all()


@pytest.mark.parametrize("name", list(laws()))
def test_no_trouble_near_zero(name):
    law = laws()[name]
    u = np.array([-1e-6, 0.0, 1e-18, 1e-10, 1e-4, 1.0])
    u1, u2 = np.meshgrid(u, u)
    with np.errstate(over="raise", divide="raise", invalid="raise"):
        for f1 in (0.0, 0.5, 1.0):
            for f2 in (0.0, 0.5, 1.0):
                for part in law.flux(u1, u2, f1, f2):
                    assert np.isfinite(part).all()


def test_cold_junction_shuts_monotonically():
    T = np.geomspace(1e-3, 4.4, 4000)
    q = TunnelJunction(CU, TA, RA).flux(T * T, 1e-18, 1.0, 0.0)[0]
    assert (np.diff(q) >= 0.0).all()
    assert q[0] == 0.0
    q = TunnelJunction(TA, NB, RA).flux(T * T, 1e-18, 0.0, 0.0)[0]
    assert (np.diff(q)[T[1:] < 2.0] >= 0.0).all()
    assert q[0] == 0.0


def test_phonon_contacts_in_series():
    """Case 17: between two equal contacts the layer takes ((T1^4 + T2^4)/2)^(1/4)."""
    law = PhononContact(596.0, 0.5)
    T1, T2 = 0.3, 0.1
    middle = ((T1**4 + T2**4) / 2.0) ** 0.25
    arriving = float(law.flux(T1**2, middle**2, 1.0, 1.0)[0])
    assert arriving == pytest.approx(float(law.flux(middle**2, T2**2, 1.0, 1.0)[0]), rel=1e-13)
    assert arriving == pytest.approx(596.0 * 0.5 * (T1**4 - T2**4) / 2.0, rel=1e-13)


def test_electrons_and_phonons():
    for exponent in (5.0, 6.0):
        flow = float(ElectronPhonon(2e9, exponent).flux(0.04, 0.01, 1.0, 1.0)[0])
        assert flow == pytest.approx(2e9 * (0.2**exponent - 0.1**exponent), rel=1e-13)
    with pytest.raises(ValueError, match="exponent"):
        ElectronPhonon(2e9, 1.5)


@pytest.mark.parametrize(("material", "tau", "known"), [(TA, 1.78e-9, 2.6e10), (NB, 0.149e-9, 4.6e10)])
def test_electron_phonon_constant_from_the_scattering_time(material, tau, known):
    """The power that electrons of temperature T lose, with Kaplan's rates of emission, integrated numerically.

    dQ/dt = 2 N(0) int dE int dW W^3/(tau0 (kTc)^3) f(E) [1 - f(E - W)] into an empty lattice at 0 K.
    """
    emission = dblquad(
        lambda w, e: w**3 / (np.exp(e) + 1.0) / (np.exp(w - e) + 1.0), -45.0, 60.0, 0.0, 90.0, epsrel=1e-7
    )[0]
    density = 3.0 * material.gamma / (2.0 * np.pi**2 * KB**2)
    sigma = 2.0 * density * KB**2 * emission / (tau * material.critical_temperature**3)
    assert material.electron_phonon == pytest.approx(sigma, rel=1e-5)
    assert material.electron_phonon == pytest.approx(known, rel=0.02)


def test_conductance():
    law = Conductance(25.0)
    assert float(law.flux(0.09, 0.04, 1.0, 0.0)[0]) == pytest.approx(2.5, rel=1e-14)


def test_phonon_boundary_conductance_table():
    table = {
        ("Ta", "Cu"): 596, ("Ta", "Nb"): 658, ("Cu", "Nb"): 576, ("Ta", "sapphire"): 130,
        ("Nb", "sapphire"): 129, ("Cu", "sapphire"): 127, ("Cu", "Si"): 176,
    }  # fmt: skip
    for (first, second), expected in table.items():
        found = phonon_boundary_conductance(get_material(first), get_material(second))
        assert found == pytest.approx(expected, abs=0.6)
        assert found == phonon_boundary_conductance(get_material(second), get_material(first))
    with pytest.raises(ValueError, match="sound_speeds"):
        phonon_boundary_conductance(CU, replace(TA, sound_speeds=None))


def test_bad_constants():
    with pytest.raises(ValueError, match="resistance_area"):
        TunnelJunction(CU, TA, 0.0)
    with pytest.raises(ValueError, match="dynes"):
        TunnelJunction(CU, TA, RA, dynes=-1e-3)
    with pytest.raises(ValueError, match="sapphire is a dielectric"):
        TunnelJunction(CU, get_material("sapphire"), RA)
    with pytest.raises(ValueError, match="transmission"):
        PhononContact(596.0, -0.5)
    with pytest.raises(ValueError, match="h must not"):
        Conductance(-1.0)


def test_every_phase_pair_counts_once():
    """At a junction of one metal with itself far above Tc all four phase pairs carry the normal flux."""
    law = TunnelJunction(AL, AL, RA)
    expected = LORENZ / (2.0 * RA) * (9.0 - 4.0)
    for f1, f2 in ((0.0, 0.0), (0.2, 0.7), (1.0, 0.0), (1.0, 1.0)):
        assert float(law.flux(9.0, 4.0, f1, f2)[0]) == pytest.approx(expected, rel=1e-12)
