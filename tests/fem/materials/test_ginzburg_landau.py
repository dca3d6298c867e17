import math
from dataclasses import replace

import pytest

from fem.constants import E_CHARGE, HBAR, KB, MU0
from fem.materials import ginzburg_landau as gl
from fem.materials.library import get_material

TA = get_material("Ta")
NB = get_material("Nb")


def test_goodman_against_gorkov():
    # Independent: kappa - kappa0 = 0.715 lambda_L/l with the London depth and the mean free path of free electrons:
    # lambda_L/l does not depend on the Fermi velocity.
    density = 3 * TA.gamma / (math.pi * KB) ** 2  # of states, both spins
    velocity = 3e5
    london = 1 / (velocity * E_CHARGE * math.sqrt(MU0 * density / 3))
    path = 3 / (E_CHARGE**2 * density * velocity * 5e-9)
    kappa = gl.kappa_of_resistivity(TA, 5e-9)
    assert kappa is not None
    assert kappa - 0.42 == pytest.approx(0.715 * london / path, rel=0.01)
    # By hand: 0.42 + 7.5e3 sqrt(5438 erg cm^-3 K^-2) 5e-7 Ohm cm.
    assert kappa == pytest.approx(0.42 + 7.5e3 * math.sqrt(5438) * 5e-7, rel=1e-4)
    assert kappa == pytest.approx(0.6965, abs=2e-4)
    assert gl.kappa_of_resistivity(replace(TA, kappa=None), 5e-9) is None


def test_resistivity_where_it_becomes_type_two():
    limit = gl.type_one_resistivity(TA)
    assert limit == pytest.approx((0.70711 - 0.42) / (2.3717e6 * math.sqrt(543.78)), rel=1e-4)  # 5.19e-9
    assert gl.kappa_of_resistivity(TA, limit) == pytest.approx(gl.TYPE_TWO)
    assert gl.type_one_resistivity(get_material("V")) == 0.0
    with pytest.raises(ValueError, match="kappa or gamma"):
        gl.type_one_resistivity(replace(TA, kappa=None))


def test_kappa_from_the_penetration_depth():
    # Clean tantalum: kappa = 0.96 lambda_L/xi0 (Tinkham), with the London depth of free electrons.
    velocity = math.pi * TA.gap0 * 90e-9 / HBAR
    london = math.pi * KB / (velocity * E_CHARGE * math.sqrt(MU0 * TA.gamma))
    assert london == pytest.approx(35.5e-9, rel=0.01)
    clean = replace(TA, penetration_depth0=london, penetration_law="clean")
    assert gl.kappa_of_penetration_depth(clean) == pytest.approx(0.96 * london / 90e-9, rel=0.01)
    # Dirty: lambda^2 = lambda0^2 2 kTc Delta0/Delta^2 and Delta^2 = 9.4 (kTc)^2 (1 - t), Hc = 1.737 Hc0 (1 - t).
    dirty = 2 * math.sqrt(2) * math.pi * 80.35e-3 * (60e-9) ** 2 / gl.FLUX_QUANTUM * 1.737 * 2 * 1.764 / 9.38
    assert gl.kappa_of_penetration_depth(TA) == pytest.approx(dirty, rel=5e-3)  # 0.81
    with pytest.raises(ValueError, match="does not superconduct"):
        gl.kappa_of_penetration_depth(get_material("Cu"))


def test_mean_free_path():
    # By hand: vF = 2.92e5 m/s, rho l = pi^2 kB^2/(gamma e^2 vF) = 4.62e-16 Ohm m^2.
    path = gl.mean_free_path(TA, 5e-9)
    assert path == pytest.approx(92.3e-9, rel=5e-3)
    assert gl.mean_free_path(TA, 1e-8) == pytest.approx(path / 2)
    assert gl.mean_free_path(replace(TA, coherence_length=None), 5e-9) is None


def test_largest_currents():
    # Niobium: mu0 Hc0 = 197.1 mT, lambda = 80 nm: (2/3)^1.5 0.1971/(mu0 80 nm).
    density = 0.54433 * 0.19712 / MU0 / 80e-9
    assert gl.depairing_current_density(NB, 0.0) == pytest.approx(density, rel=1e-4)
    assert gl.depairing_current_density(NB, 0.1) == pytest.approx(1.067e12, rel=1e-3)
    assert gl.depairing_current_density(NB, 10.0) == 0.0
    assert gl.largest_sheet_current(NB, 20e-9, 0.0) == pytest.approx(density * 20e-9, rel=1e-4)
    assert gl.largest_sheet_current(NB, 1e-6, 0.0) == pytest.approx(2 * 0.19712 / MU0, rel=1e-4)


def test_tantalum_of_the_library_is_clearly_type_one():
    assert TA.room_resistivity == pytest.approx(40 * TA.resistivity)
    assert gl.kappa_of_resistivity(TA, TA.resistivity) == pytest.approx(0.601, abs=1e-3)
