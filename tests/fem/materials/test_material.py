"""Materials: known answers of the thermal cycle, consistency of the laws, the library."""

from __future__ import annotations

import math
from dataclasses import fields, replace

import numpy as np
import pytest

from fem.constants import LORENZ, MU0
from fem.materials.bcs_theory import WEAK_COUPLING
from fem.materials.library import LIBRARY, debye_beta, get_material
from fem.materials.material import Material

FRACTIONS = [0.0, 1e-12, 1e-3, 0.5, 0.999, 1.0]


@pytest.fixture(scope="module")
def ta():
    return get_material("Ta")


def random_temperatures(top, count=50):
    return np.exp(np.random.default_rng(3).uniform(math.log(1e-3), math.log(top), count))


# --- known answers of the cycle ---------------------------------------------------------------------------------------


def test_adiabatic_magnetisation(ta):
    start = np.array([0.2, 0.5, 1.0, 2.0])
    cold = ta.temperature_from_entropy(ta.entropy(start, 0.0), 1.0)
    np.testing.assert_allclose(cold, [51.157e-6, 0.80312e-3, 14.352e-3, 0.42548], rtol=2e-5)


def test_adiabatic_demagnetisation(ta):
    start = np.array([1.0, 10.0, 50.0, 100.0, 200.0]) * 1e-3
    hot = ta.temperature_from_entropy(ta.entropy(start, 1.0), 0.0)
    np.testing.assert_allclose(hot, [0.5368, 0.9365, 1.2548, 1.4371, 1.6673], atol=6e-5)


def test_round_trip_of_the_cycle(ta):
    cold = ta.temperature_from_entropy(ta.entropy(0.2, 0.0), 1.0)
    assert float(ta.temperature_from_entropy(ta.entropy(cold, 1.0), 0.0)) == pytest.approx(0.2, rel=2e-15)


def test_latent_heat(ta):
    T = np.array([0.2, 1.0, 2.0, 3.0])
    np.testing.assert_allclose(T * (ta.entropy(T, 1.0) - ta.entropy(T, 0.0)), [21.75, 539.5, 1767.5, 2401.9], rtol=1e-4)


def test_reversible_cycle_per_cubic_metre(ta):
    """Case 20: Ta normal at 0.1 K, demagnetised, dumps to 0 K; the area of the cycle is the difference of the heats."""
    hot = ta.temperature_from_entropy(ta.entropy(0.1, 1.0), 0.0)
    assert float(ta.energy(0.1, 1.0)) == pytest.approx(2.719, rel=2e-4)
    assert float(ta.energy(hot, 0.0)) == pytest.approx(65.52, rel=2e-4)


# --- consistency ------------------------------------------------------------------------------------------------------


def test_entropy_against_quadrature(ta, exact):
    T = random_temperatures(1.2 * ta.critical_temperature)
    electrons = []
    for value in T / ta.critical_temperature:
        # below t = 0.01 the electrons' entropy is below 1e-70
        electrons.append(0.0 if value < 0.01 else exact.entropy(float(value)) if value < 1.0 else float(value))
    expected = ta.gamma * ta.critical_temperature * np.array(electrons) + ta.beta * T**3 / 3.0
    np.testing.assert_allclose(ta.entropy(T, 0.0), expected, rtol=1e-6)
    np.testing.assert_allclose(ta.entropy(T, 1.0), ta.gamma * T + ta.beta * T**3 / 3.0, rtol=1e-14)


@pytest.mark.parametrize("f", FRACTIONS)
@pytest.mark.parametrize("name", ["Ta", "Nb"])
def test_entropy_energy_heat_capacity(name, f):
    """The integrals of c/T and of c are the differences of s and of e, to 1e-10."""
    material = get_material(name)
    edges = np.geomspace(1e-3, 1.0, 60) * (material.critical_temperature - 1e-9)
    nodes, weights = np.polynomial.legendre.leggauss(20)
    half = 0.5 * np.diff(edges)[:, None]
    T = 0.5 * (edges[1:] + edges[:-1])[:, None] + half * nodes
    c = half * weights * material.heat_capacity(T, f)
    np.testing.assert_allclose(c.sum(1), np.diff(material.energy(edges, f)), rtol=1e-10)
    np.testing.assert_allclose((c / T).sum(1), np.diff(material.entropy(edges, f)), rtol=1e-10)


def test_states_join_at_critical_temperature(ta):
    T = ta.critical_temperature * np.array([1.0 - 1e-14, 1.0, 1.2])
    np.testing.assert_allclose(ta.entropy(T, 0.0), ta.entropy(T, 1.0), rtol=1e-12)
    np.testing.assert_allclose(ta.energy(T, 0.0) - ta.condensation_energy, ta.energy(T, 1.0), rtol=1e-12)


@pytest.mark.parametrize("width", [1e-3, 1e-2])
def test_maxwell_relation(ta, width):
    """dB/dT at constant H = ds/dH at constant T, with B = f mu0 H, inside the transition."""
    for T in (0.05, 0.5, 1.0, 2.0, 3.5, 4.3):
        critical = float(ta.critical_field(T))
        half_width = width * float(ta.critical_field(0.0)) ** 2 / critical
        H = critical + half_width * np.array([-1.5, -0.4, 0.3, 1.2])
        # central differences small against the width of the transition in H and in T
        dh = 2e-4 * half_width
        slope = abs(float(ta.critical_field(T * 1.001)) - float(ta.critical_field(T * 0.999))) / (0.002 * T)
        dt = min(2e-4 * half_width / max(slope, 1e-30), 1e-3 * T)

        def induction(H, T):
            return MU0 * H * ta.normal_fraction(H, T, width)

        def entropy(H, T):
            return ta.entropy(T, ta.normal_fraction(H, T, width))

        left = (induction(H, T + dt) - induction(H, T - dt)) / (2.0 * dt)
        right = (entropy(H + dh, T) - entropy(H - dh, T)) / (2.0 * dh)
        np.testing.assert_allclose(left, right, rtol=2e-6)


def test_critical_field_is_derived_from_entropies():
    measured = {"Ta": 80.35, "Al": 10.417}
    for name, field in measured.items():
        assert MU0 * float(get_material(name).critical_field(0.0)) == pytest.approx(field * 1e-3, rel=1e-4)
    weak_nb = replace(get_material("Nb"), gap_ratio=WEAK_COUPLING)
    assert MU0 * float(weak_nb.critical_field(0.0)) == pytest.approx(0.1914, rel=3e-4)


def test_monotone_and_finite_from_nanokelvin(ta):
    T = np.geomspace(1e-9, 1.2 * ta.critical_temperature, 3000)
    with np.errstate(over="raise", divide="raise", invalid="raise"):
        for f in FRACTIONS:
            for law in (ta.entropy, ta.energy, ta.heat_capacity, ta.conductivity):
                assert np.isfinite(law(T, f)).all()
            assert (np.diff(ta.entropy(T, f)) > 0.0).all()
            assert (np.diff(ta.energy(T, f)) > 0.0).all()


# --- as functions of u = T^2 ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("f", FRACTIONS)
def test_energy_of_u(ta, f):
    T = np.geomspace(1e-9, 1.2 * ta.critical_temperature, 500)
    energy, slope = ta.energy_u(T * T, f)
    np.testing.assert_allclose(energy, ta.energy(T, f), rtol=1e-12)
    np.testing.assert_allclose(slope * 2.0 * T, ta.heat_capacity(T, f), rtol=1e-12)


def test_energy_of_negative_u(ta):
    u = np.array([-1e-4, -1e-12, -1e-18])
    energy, slope = ta.energy_u(u, 1.0)
    np.testing.assert_allclose(energy, 0.5 * ta.gamma * u, rtol=1e-5)
    np.testing.assert_allclose(slope, 0.5 * ta.gamma, rtol=1e-5)
    superconducting, slope = ta.energy_u(u, 0.0)
    assert (superconducting < 0.0).all()  # monotone through zero
    assert (slope > 0.0).all()
    with np.errstate(all="raise"):
        assert float(ta.energy_u(0.0, 0.5)[0]) == 0.0


def test_conductivity_of_u(ta):
    film = ta.with_overrides(mean_free_path=1e-6)
    T = np.geomspace(1e-3, 1.2 * ta.critical_temperature, 300)
    for f in FRACTIONS:
        np.testing.assert_allclose(film.conductivity_u(T * T, f) * 2.0 * T, film.conductivity(T, f), rtol=1e-13)
    assert np.isfinite(film.conductivity_u(np.array([-1e-3, 0.0, 1e-18]), 0.5)).all()


def test_slopes_of_conduction_potentials():
    """They are those of the potentials to rounding, and the conductivity to what that of each state was fitted to."""
    film = replace(get_material("Ta"), phonon_mean_free_path=1e-6)
    u = np.concatenate([np.geomspace(0.2, 4.4, 40), [6.0, 30.0]]) ** 2
    step = 1e-5 * u
    values = [film.conduction_potentials(u + sign * step)[0] for sign in (1.0, -1.0)]
    slopes = film.conduction_potentials(u)[1]
    np.testing.assert_allclose((values[0] - values[1]) / (2.0 * step), slopes, rtol=1e-7, atol=1e-9 * slopes.max())
    np.testing.assert_allclose(slopes[0] + slopes[1], film.conductivity_u(u, 1.0), rtol=1e-13)
    np.testing.assert_allclose(slopes[0] + slopes[2], film.conductivity_u(u, 0.0), rtol=2e-5)


def test_conductivity_laws(ta, exact):
    film = ta.with_overrides(mean_free_path=1e-6, resistivity=4e-9)
    T = 0.4 * ta.critical_temperature
    normal, phonons = LORENZ * T / 4e-9, film.beta * T**3 * 2300.0 * 1e-6 / 3.0
    assert float(film.conductivity(T, 1.0)) == pytest.approx(normal + phonons, rel=1e-12)
    paired = exact.conductivity_ratio(0.4) * normal
    assert float(film.conductivity(T, 0.0)) == pytest.approx(paired + phonons, rel=1e-6)
    assert float(film.conductivity(T, 0.3)) == pytest.approx(0.3 * normal + 0.7 * paired + phonons, rel=1e-6)
    sapphire = replace(get_material("sapphire"), phonon_speed=7000.0, phonon_mean_free_path=2e-4)
    assert float(sapphire.conductivity(0.5)) == pytest.approx(sapphire.beta * 0.125 * 7000.0 * 2e-4 / 3.0, rel=1e-12)


# --- inversion --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["Ta", "Nb", "Cu", "Al", "Pb", "sapphire"])
@pytest.mark.parametrize("f", FRACTIONS)
def test_temperature_from_entropy_and_energy(name, f):
    material = get_material(name)
    T = np.geomspace(1e-9, 1.2 * (material.critical_temperature or 10.0), 700)
    np.testing.assert_allclose(material.temperature_from_entropy(material.entropy(T, f), f), T, rtol=1e-13)
    np.testing.assert_allclose(material.temperature_from_energy(material.energy(T, f), f), T, rtol=1e-13)


def test_inversion_mixed_array(ta):
    rng = np.random.default_rng(7)
    T = np.exp(rng.uniform(math.log(1e-7), math.log(5.0), (40, 50)))
    f = rng.choice(FRACTIONS, T.shape)
    np.testing.assert_allclose(ta.temperature_from_entropy(ta.entropy(T, f), f), T, rtol=1e-13)
    np.testing.assert_allclose(ta.temperature_from_energy(ta.energy(T, f), f), T, rtol=1e-13)


def test_inversion_without_phonons():
    material = Material("bare", gamma=500.0, beta=0.0, critical_temperature=4.0)
    T = np.linspace(0.1, 4.5, 100)
    np.testing.assert_allclose(material.temperature_from_entropy(material.entropy(T, 0.0), 0.0), T, rtol=1e-12)
    np.testing.assert_allclose(material.temperature_from_energy(material.energy(T, 0.0), 0.0), T, rtol=1e-12)


def test_inversion_ends(ta):
    for f in (0.0, 0.5, 1.0):
        assert float(ta.temperature_from_entropy(0.0, f)) == 0.0
        assert float(ta.temperature_from_energy(0.0, f)) == 0.0
    with pytest.raises(ValueError, match="Ta"):
        ta.temperature_from_entropy(-1e-20, 0.0)
    with pytest.raises(ValueError, match="Ta"):
        ta.temperature_from_energy(np.array([1.0, -1.0]), 1.0)


# --- field ------------------------------------------------------------------------------------------------------------


def test_normal_fraction(ta):
    assert float(ta.normal_fraction(ta.critical_field(1.0), 1.0)) == pytest.approx(0.5, abs=1e-12)
    with np.errstate(all="raise", under="ignore"):
        ends = ta.normal_fraction(np.array([0.0, 1e8]), 0.0)
    np.testing.assert_allclose(ends, [math.exp(-500.0), 1.0], rtol=1e-9)
    above = float(ta.normal_fraction(1e5, 5.0))
    assert above > 0.999
    scaled = ta.normal_fraction(2.0 * ta.critical_field(1.0), 1.0, field_factor=2.0)
    assert float(scaled) == pytest.approx(0.5, abs=1e-12)
    np.testing.assert_array_equal(get_material("Cu").normal_fraction(np.zeros(3), 0.1), np.ones(3))


def test_transition_width(ta):
    """Half a width eps/(mu0 Hc^2) above Hc(0) the fraction is 1/(1 + exp(-1/2))."""
    H = float(ta.critical_field(0.0)) * math.sqrt(1.0 + 2e-3 * 0.5)
    assert float(ta.normal_fraction(H, 0.0, 1e-3)) == pytest.approx(1.0 / (1.0 + math.exp(-0.5)), rel=1e-9)


def test_penetration_depth(ta):
    np.testing.assert_allclose(
        ta.penetration_depth(np.array([0.0, 0.5, 0.8, 1.1]) * ta.critical_temperature) / 60e-9,
        [1.0, 1.0579, 1.4654, np.inf],
        rtol=5e-5,
    )
    clean = replace(ta, penetration_law="clean")
    assert float(clean.penetration_depth(0.8 * ta.critical_temperature)) == pytest.approx(60e-9 * 1.6184, rel=5e-5)
    assert float(get_material("Cu").penetration_depth(1.0)) == math.inf
    with pytest.raises(ValueError, match="penetration_depth0"):
        replace(ta, penetration_depth0=None).penetration_depth(1.0)


def test_film_transition_field(ta):
    """Known answer 7."""
    for ratio, expected in {1.667: 2.349, 3.333: 1.505, 16.67: 1.066}.items():
        assert float(ta.film_critical_field_factor(ratio * 60e-9, 0.01)) == pytest.approx(expected, abs=1e-3)
    assert float(ta.film_critical_field_factor(1e-7, 5.0)) == 1.0


# --- constant laws -----------------------------------------------------------------------------------------------


def test_constant_laws():
    material = Material("block", constant_conductivity=3.0, constant_heat_capacity=7.0)
    T = np.array([1e-3, 0.2, 4.0])
    energy, slope = material.energy_u(T * T, 1.0)
    np.testing.assert_allclose(energy, 7.0 * T, rtol=1e-15)
    np.testing.assert_allclose(slope, 3.5 / T, rtol=1e-15)
    np.testing.assert_allclose(material.conductivity_u(T * T, 1.0), 1.5 / T, rtol=1e-15)
    np.testing.assert_array_equal(material.conductivity(T), 3.0)
    np.testing.assert_array_equal(material.heat_capacity(T), 7.0)
    np.testing.assert_allclose(material.entropy(T), 7.0 * np.log(T), rtol=1e-15)
    np.testing.assert_allclose(material.temperature_from_entropy(material.entropy(T)), T, rtol=1e-14)
    np.testing.assert_allclose(material.temperature_from_energy(material.energy(T)), T, rtol=1e-15)
    below = material.energy_u(np.array([0.99e-18, 1e-18, 1.01e-18, -1e-18]), 1.0)
    assert (np.diff(below[0][:3]) > 0.0).all()
    assert np.isfinite(below).all()


# --- library ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("material", LIBRARY.values(), ids=list(LIBRARY))
def test_every_constant_has_a_source(material):
    free = {"name", "sources", "penetration_law", "phonon_speed"}
    for entry in fields(Material):
        value = getattr(material, entry.name)
        if entry.name in free or value is None or (entry.name == "gap_ratio" and not material.superconducting):
            continue
        assert material.sources.get(entry.name), f"{material.name}.{entry.name} has no source"


def test_library_constants():
    expected = {"Ta": (543.8, 10.43), "Nb": (720.2, 8.54), "Cu": (97.19, 6.69)}
    for name, (gamma, beta) in expected.items():
        assert LIBRARY[name].gamma == pytest.approx(gamma, rel=1e-4)
        assert LIBRARY[name].beta == pytest.approx(beta, rel=1e-3)
    assert set(LIBRARY) == {"Ta", "Nb", "Cu", "Al", "V", "In", "Sn", "Pb", "sapphire", "Si"}
    assert debye_beta(258.0, 10.85e-6) == LIBRARY["Ta"].beta


def test_library_check_finds_a_wrong_critical_field(ta):
    for material in LIBRARY.values():
        assert material.check() == []
    (warning,) = replace(ta, measured_critical_field=75e-3).check()
    assert "Ta" in warning
    assert "80.35 mT" in warning
    assert replace(ta, measured_critical_field=77e-3).check() == []


def test_unknown_material_names_the_nearest():
    assert get_material("NB") is LIBRARY["Nb"]
    assert get_material("Sapphire") is LIBRARY["sapphire"]
    with pytest.raises(KeyError, match="did you mean sapphire"):
        get_material("saphire")


def test_overrides(ta):
    cu = get_material("Cu").with_overrides(rrr=50.0)
    assert cu.resistivity == pytest.approx(1.68e-8 / 50.0)
    film = ta.with_overrides(resistivity=3e-8, penetration_depth=100e-9, mean_free_path=5e-7)
    assert (film.resistivity, film.penetration_depth0, film.phonon_mean_free_path) == (3e-8, 100e-9, 5e-7)
    assert film.sources["resistivity"] == "given for the layer"
    assert ta.sources["resistivity"] != "given for the layer"
    with pytest.raises(ValueError, match="not both"):
        ta.with_overrides(rrr=10.0, resistivity=1e-9)
    with pytest.raises(ValueError, match="rrr"):
        get_material("Si").with_overrides(rrr=10.0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"gamma": -1.0}, "gamma"),
        ({"critical_temperature": 0.0}, "critical_temperature"),
        ({"gap_ratio": 9.0}, "gap_ratio"),
        ({"penetration_law": "dusty"}, "penetration_law"),
    ],
)
def test_bad_constants(ta, change, message):
    with pytest.raises(ValueError, match=f"Ta.*{message}"):
        replace(ta, **change)
