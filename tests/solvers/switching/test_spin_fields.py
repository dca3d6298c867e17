"""Nuclear spins in the heat problem and in runs: accuracy, balances, demagnetisation, and the magnetised film."""

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from mpi4py import MPI
from scipy.integrate import solve_ivp
from scipy.optimize import brentq

from fem.interfaces.laws import TunnelJunction
from fem.materials.library import get_material
from fem.materials.two_temperatures import electrons, lattice
from meshes.boxes import Slab, layered_box
from solvers.case.model import load_case
from solvers.cycles.run import run as run_case
from solvers.heat import spin_energy
from solvers.heat.problem import Bath, Contact, HeatLayer, HeatProblem
from solvers.heat.stepper import HeatStepper
from solvers.heat.two_temperatures import coupling
from solvers.output import checkpoint
from solvers.simulation.events import PhaseEnded, Stepped
from solvers.simulation.simulation import Simulation
from tests.solvers.conftest import CHIP_CELLS

CASES = Path(__file__).parents[3] / "cases"
CU, TA = get_material("Cu"), get_material("Ta")
MAGNETISED = replace(CU, spin_field=0.083)
MU0, KB, MAGNETON = 1.25663706212e-6, 1.380649e-23, 5.0507837461e-27
SIZE, HEIGHT, VOLUME = (1e-2, 1e-2), 3e-3, 3e-7  # 0.3 cm^3 of copper on 1 cm^2
SIGMA = 2.443003e-8 / (2 * 0.02)  # W/K^2 of 20 mOhm


def block(comm, material, baths=(), **mesh):
    tagged = layered_box(comm, [Slab("cu", HEIGHT, 2)], SIZE, (3, 3), **mesh)
    return HeatProblem(tagged, {"cu": HeatLayer(material, ["cu"])}, (), baths)


def levels(T, B):
    """Energy (J/m^3) and heat capacity of the spins of copper, from their four levels."""
    energy = capacity = 0.0
    for share, moment in ((0.6915, 2.2273), (0.3085, 2.3816)):
        m = np.array([-1.5, -0.5, 0.5, 1.5])[:, None] * moment / 1.5 * MAGNETON * np.atleast_1d(B)
        weight = np.exp(m / (KB * np.atleast_1d(T)))
        weight /= weight.sum(axis=0)
        n = share * 6.02214076e23 / 7.11e-6
        mean = (weight * m).sum(axis=0)
        energy = energy - n * mean
        capacity = capacity + n * (weight * (m - mean) ** 2).sum(axis=0) / (KB * np.atleast_1d(T) ** 2)
    return energy[0], capacity[0]


@pytest.mark.mpi
@pytest.mark.parametrize(
    ("hot", "cold", "field", "duration", "coarse"),
    [(0.1, 1e-6, 0.083, 300.0, 1e-3), (5e-4, 1e-4, 1.0, 1e9, 2e-3), (0.002, 1e-6, 1e-3, 200.0, 1e-3)],
)
def test_cool_down_through_a_junction(comm, hot, cold, field, duration, coarse):
    """0.3 cm^3 of copper through 20 mOhm, against an ordinary differential equation (LSODA).

    The second ends with the spins polarised: their energy is -970 J/m^3, that of the electrons 5e-7.
    """
    bare = replace(CU, nuclei=replace(CU.nuclei, dipole_field=0.0), spin_field=field)
    baths = [Bath("film", "cu", cold, ["bottom"], TunnelJunction(CU, CU, 2e-6))]
    heat = block(comm, bare, baths)

    def rate(_, T):
        capacity = levels(T, field)[1] + CU.gamma * T + CU.beta * T**3
        return -SIGMA * (T**2 - cold**2) / (capacity * VOLUME)

    exact = solve_ivp(rate, (0, duration), [hot], "LSODA", rtol=1e-10, atol=1e-14).y[0, -1]
    assert exact < 0.6 * hot
    for rtol, error in ((1e-3, coarse), (1e-5, 1e-4)):
        u = np.full(heat.space.n_local, hot**2)
        f = np.ones_like(u)
        steps = []
        end = HeatStepper(heat.activate(), rtol).advance(u, f, duration, steps.append)
        np.testing.assert_allclose(np.sqrt(end.u), exact, rtol=error)
        lost = float(heat.space.layer_sums(heat.energy(u, f)[0] - heat.energy(end.u, f)[0])[0])
        assert end.bath["film"] == pytest.approx(lost, rel=1e-10)
        assert end.entropy["film"] > 0
        if rtol == 1e-3:
            assert len(steps) < 60


def test_exchange_with_a_layer_without_spins():
    """Isolated: energy stays, the final temperature follows from it, the entropy made is that which appeared."""
    tagged = layered_box(MPI.COMM_SELF, [Slab("cu", HEIGHT, 2), Slab("ta", 1e-3, 2)], SIZE, (3, 3))
    layers = {"cu": HeatLayer(MAGNETISED, ["cu"]), "ta": HeatLayer(TA, ["ta"])}
    contact = Contact("cu|ta", "cu", "ta", ["cu|ta"], TunnelJunction(CU, TA, 2e-6))
    heat = HeatProblem(tagged, layers, [contact])
    f = np.ones(heat.space.n_local)
    u = np.array([0.05, 0.005])[heat.space.layer] ** 2
    end = HeatStepper(heat.activate(), 1e-5).advance(u, f, 3e4)
    before, after = (heat.space.layer_sums(heat.energy(v, f)[0]).sum() for v in (u, end.u))
    scale = heat.space.layer_sums(spin_energy.heat(heat, u, heat.energy(u, f)[0])).sum()
    assert abs(after - before) < 1e-12 * scale

    def excess(T):
        copper = MAGNETISED.energy(T) - MAGNETISED.energy(0.05)
        return float(3e-7 * copper + 1e-7 * (TA.energy(T, 1.0) - TA.energy(0.005, 1.0)))

    np.testing.assert_allclose(np.sqrt(end.u), brentq(excess, 0.005, 0.05, xtol=1e-16), rtol=1e-6)
    gained = heat.space.layer_sums(heat.entropy(end.u, f) - heat.entropy(u, f)).sum()
    assert sum(end.entropy.values()) == pytest.approx(gained, rel=1e-8)
    assert gained > 0


@pytest.mark.mpi
def test_adiabatic_demagnetisation_and_back(comm):
    """Entropy stays in every node, the work is the energy gained, and the way back ends at the start."""
    heat = block(comm, MAGNETISED)
    f = np.ones(heat.space.n_local)
    u = (0.01 + 0.3 * heat.space.x[:, 0]) ** 2
    entropy = heat.entropy(u, f)
    energy = heat.space.layer_sums(heat.energy(u, f)[0])[0]
    low, work = heat.magnetise(u, f, {"cu": 1e-3})
    np.testing.assert_allclose(heat.entropy(low, f), entropy, rtol=1e-11)
    assert float(np.sqrt(low).max(initial=0.0)) < 0.009
    assert work == pytest.approx(heat.space.layer_sums(heat.energy(low, f)[0])[0] - energy, rel=1e-12)
    back, returned = heat.magnetise(low, f, {"cu": 0.083})
    np.testing.assert_allclose(back, u, rtol=1e-11)
    assert returned == pytest.approx(-work, rel=1e-10)
    with pytest.raises(ValueError, match="no layer is called silver"):
        heat.set_spin_field({"silver": 0.1})


def test_work_is_that_of_the_magnetisation():
    """Work = -integral of M dB at constant entropy, in many small steps."""
    heat = block(MPI.COMM_SELF, MAGNETISED)
    u = np.full(heat.space.n_local, 0.02**2)
    f = np.ones_like(u)
    fields = np.linspace(0.083, 0.06, 60)
    total, by_moment = 0.0, 0.0
    for before, after in itertools.pairwise(fields):
        moments = [CU.nuclei.magnetisation(np.sqrt(u[0]), before)]
        u, work = heat.magnetise(u, f, {"cu": float(after)})
        moments.append(CU.nuclei.magnetisation(np.sqrt(u[0]), after))
        total += work
        by_moment -= float(np.mean(moments)) * (after - before) * VOLUME
    assert total == pytest.approx(by_moment, rel=1e-4)
    assert total > 0


def test_spins_of_a_layer_with_two_temperatures():
    """The electrons have them, the lattice has none."""
    tagged = layered_box(MPI.COMM_SELF, [Slab("cu", HEIGHT, 2)], SIZE, (2, 2))
    layers = {"cu": HeatLayer(electrons(MAGNETISED), ["cu"]), "cu.lattice": HeatLayer(lattice(MAGNETISED), ["cu"])}
    heat = HeatProblem(tagged, layers, [coupling("cu", MAGNETISED)])
    u = np.full(heat.space.n_local, 0.01**2)
    energy = heat.space.layer_sums(heat.energy(u, np.ones_like(u))[0]) / VOLUME
    spins = levels(0.01, np.hypot(0.083, CU.nuclei.dipole_field))[0]
    assert energy[0] == pytest.approx(0.5 * CU.gamma * 1e-4 + spins, rel=1e-9)
    assert energy[1] == pytest.approx(0.25 * CU.beta * 1e-8, rel=1e-12)


# ---- runs --------------------------------------------------------------------------------------------------------

COPPER = """
title = "copper in the field of a coil"
start = "20 mK"
[[layer]]
name = "load"
material = "Cu"
thickness = "3 um"
size = ["14 um", "14 um"]
[drive]
applied_field = "y"
amplitude = "83 mT"
{bath}
[cycle]
phases = [
  {{ name = "up", ramp = [0, 1], duration = "1 ms" }},
  {{ name = "rest", hold = 1, duration = "1 ms" }},
  {{ name = "down", ramp = [1, 0], duration = "1 ms" }},
]
[physics]
nuclear = true
[mesh]
edge_cell = "4 um"
interior_cell = "6 um"
padding = "15 um"
largest_cell = "3 um"
lateral_growth = 3
[solver]
ramp_step = 0.25
[output]
figures = false
fields = "none"
"""


def copper(comm, folder, bath=""):
    path = folder / "case.toml"
    if comm.rank == 0:
        path.write_text(COPPER.format(bath=bath))
    comm.barrier()
    return load_case(path)


@pytest.mark.mpi
def test_copper_warms_in_a_field_and_cools_back(comm, shared_tmp_path):
    """The field in copper is that of the coil; up and down are reversible, and the balances close."""
    result = run_case(copper(comm, shared_tmp_path), shared_tmp_path / "out", comm, quiet=True)
    history = result.history()
    np.testing.assert_allclose(history["B_spins_load_T"], 0.083 * history["drive_A_per_m"] / (0.083 / MU0), rtol=1e-3)
    top = replace(CU, spin_field=float(history["B_spins_load_T"][4]))
    expected = float(top.temperature_from_entropy(replace(CU, spin_field=0.0).entropy(0.02)))
    assert history["T_load_K"][4] == pytest.approx(expected, rel=1e-9)
    assert expected > 0.033
    assert history["T_load_K"][-1] == pytest.approx(0.02, rel=1e-9)
    work = history["work_J"]
    assert abs(work[-1]) < 1e-9 * np.abs(work).max()
    np.testing.assert_allclose(history["E_load_J"] - work, history["E_load_J"][0] - work[0], rtol=1e-9)
    assert result.summary["results"]["entropy_lowest_step"] > -1e-12
    np.testing.assert_allclose(history["S_load_J_per_K"], history["S_load_J_per_K"][0], rtol=1e-9)


def test_isothermal_magnetisation_warms_the_bath(tmp_path):
    """Held at 20 mK the spins give T times their loss of entropy to the bath, if the ramp is slow."""
    bath = '[[bath]]\nlayer = "load"\nface = "all"\ntemperature = "20 mK"'
    case = copper(MPI.COMM_SELF, tmp_path, bath)
    heats = []
    for steps in (0.05, 0.025):
        settings = case.solver.model_copy(update={"ramp_step": steps})
        sim = Simulation(case.model_copy(update={"solver": settings}), MPI.COMM_SELF)
        for event in sim.run():
            if isinstance(event, PhaseEnded) and sim.clock.phase == 1:
                break
        heats.append(sim.ledger.bath["bath 1 (load)"])
    B = sim.heat.spin_field["load"]
    loss = float(CU.nuclei.entropy(0.02, 0.0) - CU.nuclei.entropy(0.02, B))
    exact = 0.02 * loss * 588e-18
    assert heats[1] == pytest.approx(exact, rel=0.05)
    assert abs(heats[1] - exact) < 0.6 * abs(heats[0] - exact)


@pytest.mark.mpi
def test_state_with_spins_is_kept(comm, shared_tmp_path):
    case = copper(comm, shared_tmp_path)
    sim = Simulation(case, comm)
    for _ in sim.run():
        if sim.clock.phase == 1:
            break
    checkpoint.save(sim, shared_tmp_path / "checkpoint", {"now": sim.state()}, {})
    comm.barrier()
    again = Simulation(case, MPI.COMM_SELF)
    again.restore(checkpoint.load(again, shared_tmp_path / "checkpoint")[0]["now"])
    assert again.heat.spin_field == sim.heat.spin_field
    assert again.heat.spin_field["load"] == pytest.approx(0.083, rel=1e-3)
    np.testing.assert_allclose(again.totals().entropy, sim.totals().entropy, rtol=1e-12)
    np.testing.assert_allclose(again.totals().energy, sim.totals().energy, rtol=1e-12)


def test_magnetised_film_is_warm():
    """Tantalum from 100 mK does not come below 12 mK: its spins give their heat of magnetisation to the electrons."""
    small = [*CHIP_CELLS, "physics.nuclear=true", "solver.ramp_step=1"]
    sim = Simulation(load_case(CASES / "refrigerator.toml", small), MPI.COMM_SELF)
    next(event for event in sim.run() if isinstance(event, Stepped))
    assert sim.switching is not None
    assert sim.switching.layer_fraction()["working"] > 0.998
    film = replace(TA, spin_field=sim.heat.spin_field["working"])
    start = float(replace(TA, spin_field=0.0).entropy(0.1, 0.0))
    expected = float(film.temperature_from_entropy(start, 1.0))
    names = sim.heat.space.names
    assert sim.totals().temperature[names.index("working")] == pytest.approx(expected, rel=1e-3)
    assert 0.011 < expected < 0.013
    # Without the dipole field: gamma T - lambda B^2 / (2 T^2) = beta T0^3 / 3.
    left = TA.gamma * expected - TA.nuclei.curie_constant() * film.spin_field**2 / (2 * expected**2)
    assert left == pytest.approx(TA.beta * 0.1**3 / 3, abs=2e-3 * TA.gamma * expected)
    # The niobium keeps its spins out of the field.
    assert sim.heat.spin_field["sink"] < 0.05
