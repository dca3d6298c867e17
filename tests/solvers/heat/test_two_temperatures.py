"""Electrons and lattice with a temperature each: exact cooling and steady states, balances, limits, the case file."""

from dataclasses import replace

import numpy as np
import pytest
from mpi4py import MPI
from scipy.integrate import solve_ivp

from fem.interfaces.laws import PhononContact, TunnelJunction
from fem.materials.library import get_material
from fem.materials.two_temperatures import electrons, lattice
from meshes.boxes import Slab, layered_box
from solvers.case.model import load_case
from solvers.cycles.run import run as run_case
from solvers.errors import InputError
from solvers.heat.problem import Bath, Contact, HeatLayer, HeatProblem, Source
from solvers.heat.stepper import HeatStepper
from solvers.heat.two_temperatures import coupling
from solvers.output.paraview import temperature_functions
from solvers.simulation.simulation import Simulation

CU = get_material("Cu")
SIGMA, GAMMA, BETA = 2e9, CU.gamma, CU.beta
NOTHING = 1e-6  # K: next to 0 K
# 0.3 cm^3 of copper on 1 cm^2.
SIZE, HEIGHT, VOLUME = (1e-2, 1e-2), 3e-3, 3e-7


def by_half(x):
    """All but two ranks own one corner of the block; the others halves of the rest."""
    ranks = MPI.COMM_WORLD.size
    return np.where((x[:, 0] > 7.5e-3) & (x[:, 1] > 7.5e-3), ranks - 1, (x[:, 2] > 1.5e-3) * (ranks > 2))


def block(comm, contacts=(), baths=(), sources=(), material=CU, **mesh):
    """Copper with two temperatures, "cu" and "cu.lattice"."""
    tagged = layered_box(comm, [Slab("cu", HEIGHT, 3)], SIZE, (4, 4), **mesh)
    layers = {"cu": HeatLayer(electrons(material), ["cu"]), "cu.lattice": HeatLayer(lattice(material), ["cu"])}
    return HeatProblem(tagged, layers, [coupling("cu", material), *contacts], baths, sources)


def start(heat, hot, cold):
    return np.array([hot, cold])[heat.space.layer] ** 2


def mean(heat, u):
    sums, volumes = heat.space.layer_sums(np.sqrt(u) * heat.space.volume, heat.space.volume)
    return sums / volumes


# ---- exact -------------------------------------------------------------------------------------------------------


@pytest.mark.mpi
@pytest.mark.parametrize("rank_of", [None, by_half])
def test_cooling_to_a_lattice_at_zero(comm, rank_of):
    """1/T^3 - 1/T0^3 = 3 Sigma t / gamma: copper from 0.2 to 0.1 K in 14.173 us."""
    duration = GAMMA / (3 * SIGMA) * (0.1**-3 - 0.2**-3)
    assert duration == pytest.approx(14.173e-6, rel=1e-4)
    heat = block(comm, baths=[Bath("cold", "cu.lattice", NOTHING)], rank_of=rank_of)
    f = np.ones(heat.space.n_local)
    u, _, _ = heat.activate().equilibrate_ties(start(heat, 0.2, 0.2), f)
    step = HeatStepper(heat.activate(), 1e-7).advance(u, f, duration)
    T = np.sqrt(step.u[heat.space.nodes("cu")])
    np.testing.assert_allclose(T, 0.1, rtol=1e-5)
    lost = 0.5 * GAMMA * (0.2**2 - 0.1**2) * VOLUME
    assert step.bath["cold"] == pytest.approx(lost, rel=1e-5)
    assert step.contact["cu electron-phonon"] == pytest.approx(lost, rel=1e-5)


@pytest.mark.mpi
@pytest.mark.parametrize("power", [1e-9, 1e-15])
def test_heated_lattice_and_cooled_electrons(comm, power):
    """In the end Tp^5 - Te^5 = P / (Sigma V) and the junction carries P = sigma (Te^2 - T0^2)."""
    junction = TunnelJunction(CU, CU, 2e-6)
    baths = [Bath("cold", "cu", NOTHING, ["bottom"], junction)]
    heat = block(comm, baths=baths, sources=[Source("load", "cu.lattice", power)])
    f = np.ones(heat.space.n_local)
    u, flow = HeatStepper(heat.activate()).steady(start(heat, 0.01, 0.01), f)
    hot, cold = mean(heat, u)[::-1]
    assert hot**5 - cold**5 == pytest.approx(power / (SIGMA * VOLUME), rel=1e-6)
    # What the copper itself resists is 1e-4 of the junction.
    assert cold == pytest.approx(np.sqrt(power * 0.02 * 2 / 2.443003e-8 + NOTHING**2), rel=1e-4)
    assert flow.bath["cold"] == pytest.approx(power, rel=1e-9)
    assert flow.contact["cu electron-phonon"] == pytest.approx(-power, rel=1e-9)


def test_junction_and_lattice_pull_equally_at_one_millikelvin():
    """Sigma V T^5 = sigma T^2 at 1.0 mK in 0.3 cm^3 with 20 mOhm: there the electrons are at T if Tp^5 = 2 T^5."""
    crossing = (2.443003e-8 / (2 * 0.02) / (SIGMA * VOLUME)) ** (1 / 3)
    assert crossing == pytest.approx(1.0e-3, rel=1e-2)
    baths = [
        Bath("film", "cu", NOTHING, ["bottom"], TunnelJunction(CU, CU, 2e-6)),
        Bath("warm", "cu.lattice", 2**0.2 * crossing),
    ]
    heat = block(MPI.COMM_SELF, baths=baths)
    f = np.ones(heat.space.n_local)
    u, _ = HeatStepper(heat.activate()).steady(start(heat, 0.01, 0.01), f)
    assert mean(heat, u)[0] == pytest.approx(crossing, rel=1e-5)


# ---- balances and limits -----------------------------------------------------------------------------------------


@pytest.mark.mpi
def test_balances_of_a_relaxation(comm):
    """Isolated: the energy stays, the final temperature follows from it, the entropy made is that which appeared."""
    heat = block(comm, rank_of=by_half)
    f = np.ones(heat.space.n_local)
    u = start(heat, 0.1, 1.0)
    before, entropy = (heat.space.layer_sums(v).sum() for v in (heat.energy(u, f)[0], heat.entropy(u, f)))
    # Energy density of the start, all at one temperature at last.
    common = float(CU.temperature_from_energy(0.5 * GAMMA * 0.1**2 + 0.25 * BETA))
    coarse, fine = (HeatStepper(heat.activate(), rtol).advance(u, f, 1e-3) for rtol in (1e-4, 1e-6))
    np.testing.assert_allclose(np.sqrt(fine.u), common, rtol=1e-9)
    after, last = (heat.space.layer_sums(v).sum() for v in (heat.energy(fine.u, f)[0], heat.entropy(fine.u, f)))
    assert after == pytest.approx(before, rel=1e-12)
    made = fine.entropy["cu electron-phonon"]
    assert made == pytest.approx(last - entropy, rel=1e-4)
    assert coarse.entropy["cu electron-phonon"] == pytest.approx(last - entropy, rel=1e-2)
    assert fine.entropy["conduction"] == pytest.approx(0.0, abs=1e-12 * made)


@pytest.mark.parametrize("conductance", ["junction", "phonons"])
def test_strong_coupling_is_one_temperature(conductance):
    """With a coupling 1e6 times that of copper, electrons and lattice are the layer with one temperature."""
    strong = replace(CU, electron_phonon=1e6 * SIGMA)
    law = TunnelJunction(CU, CU, 2e-6) if conductance == "junction" else PhononContact(130.0)
    touched = "cu" if conductance == "junction" else "cu.lattice"
    duration = 20.0 if conductance == "junction" else 2e-2
    two = block(MPI.COMM_SELF, baths=[Bath("cold", touched, 0.01, ["bottom"], law)], material=strong)
    layers = {"cu": HeatLayer(CU, ["cu"])}
    one = HeatProblem(two.space.tagged, layers, (), [Bath("cold", "cu", 0.01, ["bottom"], law)])
    ends = []
    for heat in (one, two):
        u = np.full(heat.space.n_local, 0.04)
        ends.append(HeatStepper(heat.activate(), 1e-6).advance(u, np.ones_like(u), duration))
    expected = mean(one, ends[0].u)[0]
    assert expected < 0.17
    np.testing.assert_allclose(mean(two, ends[1].u), expected, rtol=2e-5)
    assert ends[1].bath["cold"] == pytest.approx(ends[0].bath["cold"], rel=2e-5)


def test_weak_link_against_an_independent_integration():
    """Phonons cool the lattice, the coupling the electrons: two ordinary differential equations (Radau)."""
    area, transmission, sigma = 1e-4, 12.7, 1e-4 * SIGMA
    weak = replace(CU, electron_phonon=sigma, phonon_mean_free_path=10 * HEIGHT)
    baths = [Bath("cold", "cu.lattice", 0.02, ["bottom"], PhononContact(transmission))]
    heat = block(MPI.COMM_SELF, baths=baths, material=weak)
    f = np.ones(heat.space.n_local)
    duration = 1.0
    step = HeatStepper(heat.activate(), 1e-6).advance(start(heat, 0.2, 0.2), f, duration)

    def rates(_, T):
        coupled = sigma * VOLUME * (T[0] ** 5 - T[1] ** 5)
        out = transmission * area * (T[1] ** 4 - 0.02**4)
        return [-coupled / (GAMMA * T[0] * VOLUME), (coupled - out) / (BETA * T[1] ** 3 * VOLUME)]

    exact = solve_ivp(rates, (0, duration), [0.2, 0.2], "Radau", rtol=1e-9, atol=1e-12).y[:, -1]
    assert exact[0] > 1.02 * exact[1]
    # The lattice conducts by its phonons only: its bottom is a little colder than its mean.
    np.testing.assert_allclose(mean(heat, step.u), exact, rtol=3e-3)


def test_layers_on_other_cells_are_refused():
    tagged = layered_box(MPI.COMM_SELF, [Slab("a", 1e-3, 1), Slab("b", 1e-3, 1)], SIZE, (2, 2))
    layers = {name: HeatLayer(CU, [name]) for name in "ab"}
    law = coupling("a", CU).law
    with pytest.raises(ValueError, match="'a' and 'b' are not on the same cells"):
        HeatProblem(tagged, layers, [Contact("inside", "a", "b", (), law)])


# ---- the case file -----------------------------------------------------------------------------------------------

STACK = """
title = "copper with two temperatures"
start = "100 mK"
[[layer]]
name = "base"
material = "{base}"
thickness = "3 um"
size = ["14 um", "14 um"]
electron_phonon = {base_divided}
[[layer]]
name = "load"
material = "{load}"
thickness = "3 um"
size = ["14 um", "14 um"]
electron_phonon = {load_divided}
[[interface]]
between = ["base", "load"]
{interface}
[[bath]]
layer = "base"
face = "{face}"
temperature = "20 mK"
{bath}
[[load]]
layer = "load"
power = "1 pW"
{into}
[cycle]
phases = [{{ name = "rest", hold = 0, duration = "2 ms" }}]
[mesh]
edge_cell = "3 um"
interior_cell = "5 um"
padding = "10 um"
largest_cell = "2 um"
[output]
figures = false
"""
DEFAULTS = {
    "base": "sapphire",
    "load": "Cu",
    "base_divided": "false",
    "load_divided": "true",
    "interface": "phonons = 1",
    "bath": "phonons = 1",
    "face": "bottom",
    "into": 'into = "electrons"',
}


def stack(folder, more="", **changes):
    path = folder / "case.toml"
    path.write_text(STACK.format(**DEFAULTS | changes) + more)
    return load_case(path)


@pytest.mark.parametrize(
    ("changes", "contacts"),
    [
        ({}, {"base|load": ("base", "load.lattice")}),
        # An insulator has no electrons to touch those of the copper.
        ({"interface": 'contact = "perfect"'}, {"base|load": ("base", "load.lattice")}),
        (
            {"interface": "conductance = 1\nphonons = 1"},
            {
                "base|load conductance": ("base", "load.lattice"),
                "base|load phonons": ("base", "load.lattice"),
            },
        ),
        (
            {"base": "Cu", "interface": "resistance_area = 1e-6\nphonons = 1"},
            {"base|load junction": ("base", "load"), "base|load phonons": ("base", "load.lattice")},
        ),
        ({"base": "Cu", "interface": "conductance = 1"}, {"base|load": ("base", "load")}),
        (
            {"base": "Ta", "interface": 'contact = "perfect"'},
            {"base|load": ("base", "load"), "base|load lattice": ("base", "load.lattice")},
        ),
        (
            {"base": "Cu", "base_divided": "true", "interface": 'contact = "perfect"'},
            {"base|load": ("base", "load"), "base|load lattice": ("base.lattice", "load.lattice")},
        ),
        (
            {"interface": 'contact = "ideal"', "bath": 'contact = "perfect"', "face": "all"},
            {"base|load": ("base", "load"), "base|load lattice": ("base", "load.lattice")},
        ),
        (
            {"base": "Cu", "base_divided": "true", "interface": "phonons = 1"},
            {"base|load": ("base.lattice", "load.lattice")},
        ),
    ],
)
def test_what_contacts_reach(tmp_path, changes, contacts):
    heat = Simulation(stack(tmp_path, **changes), MPI.COMM_SELF).heat
    found = {c.name: (c.lower, c.upper) for c in heat.contacts if c.facets}
    assert found == contacts


@pytest.mark.parametrize(
    ("bath", "touched"),
    [
        ('contact = "perfect"', {"base", "base.lattice"}),
        ("conductance = 1", {"base"}),
        ("phonons = 1", {"base.lattice"}),
    ],
)
def test_what_baths_and_loads_reach(tmp_path, bath, touched):
    case = stack(tmp_path, base="Cu", base_divided="true", bath=bath, into='into = "lattice"')
    heat = Simulation(case, MPI.COMM_SELF).heat
    assert {b.layer for b in heat.baths} == touched
    assert [s.layer for s in heat.sources] == ["load.lattice"]
    without = stack(tmp_path, into="")
    assert [s.layer for s in Simulation(without, MPI.COMM_SELF).heat.sources] == ["load"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"load": "Ta"}, '"Ta" is a superconductor; the coupling is known for normal metals only'),
        ({"load": "sapphire"}, "is an insulator"),
        ({"load": "mine"}, "lacks electron_phonon, the coupling Sigma"),
        ({"load": "flat"}, "has a constant heat capacity or conductivity"),
        (
            {
                "base": "Cu",
                "base_divided": "true",
                "interface": 'contact = "ideal"',
                "bath": 'contact = "perfect"',
                "face": "all",
            },
            'a bath holds all of layer "base", which leaves no room for electron_phonon',
        ),
        ({"load_divided": "false"}, 'layer "load" has one temperature only: it lacks electron_phonon'),
    ],
)
def test_what_is_refused(tmp_path, changes, message):
    own = """
[material.mine]
gamma = 100
beta = 7
resistivity = 1e-9
sound_speeds = [4000, 2000]
density = 9000
[material.flat]
like = "Cu"
constant_heat_capacity = 10
"""
    with pytest.raises(InputError, match=message):
        stack(tmp_path, own, **changes)


@pytest.mark.mpi
@pytest.mark.parametrize("into", ["electrons", "lattice"])
def test_run_with_two_temperatures(shared_tmp_path, into):
    """Steady at the end: power through the coupling, the boundary and the bath; the same on any number of ranks."""
    comm = MPI.COMM_WORLD
    changes = {"into": f'into = "{into}"\nface = "volume"'}
    case = stack(shared_tmp_path, **changes) if comm.rank == 0 else None
    case = comm.bcast(case)
    result = run_case(case, shared_tmp_path / "out", comm, quiet=True)
    alone = Simulation(case, MPI.COMM_SELF)
    for _ in alone.run():
        pass
    history = result.history()
    hot, cold = history["T_load_K"][-1], history["T_load.lattice_K"][-1]
    np.testing.assert_allclose([hot, cold], alone.totals().temperature[1:], rtol=1e-7)
    # A pW in 588 um^3 of copper; the temperatures are those of volume means of T^2, even to 1e-5.
    difference = 1e-12 / (SIGMA * 588e-18) if into == "electrons" else 0.0
    assert hot**5 - cold**5 == pytest.approx(difference, rel=1e-3, abs=1e-3 * cold**5)
    assert abs(result.cycles[0]["first_law_residual"]) < 1e-10
    # What left the copper: its load and the heat it had, electrons and lattice.
    energy = [history[f"E_{name}_J"][-1] for name in ("load", "load.lattice")]
    had = (0.5 * GAMMA * 0.1**2 + 0.25 * BETA * 0.1**4) * 588e-18
    assert result.cycles[0]["Q_cold_J"] == pytest.approx(had + 2e-15 - sum(energy), rel=1e-8)
    assert result.cycles[0]["T_cold_K"] == hot
    assert result.summary["cold_layer"] == "load"


@pytest.mark.mpi
def test_fields_have_both_temperatures(shared_tmp_path):
    """Integrals of both temperatures over the solids are those of the heat layers; materials are the case's layers."""
    comm = MPI.COMM_WORLD
    case = comm.bcast(stack(shared_tmp_path) if comm.rank == 0 else None)
    sim = Simulation(case, comm)
    sim.u[:] = np.array([0.1, 0.2, 0.3])[sim.heat.space.layer] ** 2
    functions = {function.name: function.x.array for function in temperature_functions(sim.heat.space, sim.u, sim.f)}
    number = functions["material_number"]
    assert set(np.unique(number)) <= {1.0, 2.0}
    np.testing.assert_allclose(functions["temperature_K"], np.where(number == 2, 0.2, 0.1), rtol=1e-14)
    np.testing.assert_allclose(functions["lattice_temperature_K"], np.where(number == 2, 0.3, 0.1), rtol=1e-14)
