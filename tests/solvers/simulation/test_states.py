"""What is superconducting, and when: without a drive, above and through Tc, with a field on and off."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from mpi4py import MPI
from scipy.integrate import quad
from scipy.optimize import brentq

from fem.constants import KB, LORENZ
from fem.materials.library import get_material
from solvers.case.model import Case, load_case
from solvers.simulation.events import Stepped
from solvers.simulation.simulation import Simulation
from tests.solvers.conftest import CHIP_CELLS

REFRIGERATOR = Path(__file__).parents[3] / "cases" / "refrigerator.toml"
TA, AL = get_material("Ta"), get_material("Al")
TC = 4.47
# The film alone beside the niobium, which a bath holds at 100 mK.
FILM = [*CHIP_CELLS, "cycle.repeat=1", "start=5 K", "interface.working|load.conducts_in=['wait']"]


def chip(phases, contact, *more):
    phases = phases.removesuffix("]") + ", {name='wait', hold=0, duration=1e-15}]"
    changes = [*FILM, f"cycle.phases={phases}", f"interface.sink|working.conducts_in={contact}", *more]
    return Simulation(load_case(REFRIGERATOR, changes), MPI.COMM_SELF)


def film_nodes(sim):
    """Temperature and normal fraction of the nodes of the film."""
    mine = sim.heat.space.layer == sim.heat.space.names.index("working")
    return np.sqrt(sim.u[mine]), sim.f[mine]


def test_a_switch_of_aluminium_without_a_drive_is_superconducting():
    area, power, bath, thickness = (1e-4) ** 2, 1e-13, 0.05, 50e-6
    size = (1e-4, 1e-4)
    names = (("cold", "Cu", 10e-6), ("switch", "Al", thickness), ("stage", "Cu", 10e-6))
    layers = [{"name": n, "material": m, "thickness": t, "size": size} for n, m, t in names]
    case = Case.model_validate(
        {
            "start": bath,
            "layer": layers,
            "interface": [
                {"between": ["cold", "switch"], "contact": "perfect"},
                {"between": ["switch", "stage"], "contact": "perfect"},
            ],
            "bath": [{"layer": "cold", "face": "all", "temperature": bath, "contact": "perfect"}],
            "load": [{"layer": "stage", "power": power}],
            "cycle": {"phases": [{"name": "wait", "hold": 0, "duration": 1e4}]},
            "mesh": {"edge_cell": 5e-5, "interior_cell": 5e-5},
        }
    )
    sim = Simulation(case, MPI.COMM_SELF)
    for _ in sim.run():
        assert (sim.f[sim.heat.space.layer == 1] == 0.0).all()
    found = float(sim.totals().temperature[2]) - bath

    def superconducting(T):
        """Electrons by Bardeen, Rickayzen and Tewordt (1e-15 of the normal ones), and phonons, W/(m K)."""
        d = float(AL.gap(T)) / (KB * T)
        ratio = 1.5 / np.pi**2 * quad(lambda x: x**2 / np.cosh(x / 2) ** 2, d, d + 60.0, epsrel=1e-10)[0]
        return float(ratio * LORENZ * T / AL.resistivity) + AL.beta * T**3 * AL.phonon_speed * thickness / 3

    flux = power * thickness / area
    exact = brentq(lambda d: quad(superconducting, bath, bath + d, epsrel=1e-9)[0] - flux, 1e-9, 1e-2, rtol=1e-10)
    assert exact == pytest.approx(4.2e-5, rel=0.01)
    # Copper, 10 um of it, adds 2e-12 K.
    assert found == pytest.approx(exact, rel=1e-5)


def test_cooled_through_tc_in_no_field_a_film_becomes_superconducting_without_work():
    sim = chip("[{name='reject', hold=0, duration=1e-3}]", "['reject']")
    assert sim.switching is not None
    fractions = []
    for event in sim.run():
        if isinstance(event, Stepped):
            T, f = film_nodes(sim)
            assert (f == 0.0).all()
            # A step that ends at the bath may miss it by the tolerance of a step.
            assert T.min() > 0.1 * (1 - 1e-4)
            fractions.append((float(sim.totals().temperature[1]), sim.switching.layer_fraction()["working"]))
    assert sim.ledger.work == 0.0
    # It passes Tc once, as a whole, in a step that began there; it is far from even then.
    (before, _), (after, _) = next(pair for pair in pairwise(fractions) if pair[0][1] == 1.0 and pair[1][1] == 0.0)
    assert 0.9 * TC < after < before < 1.1 * TC
    assert {f for T, f in fractions if T >= before} == {1.0}
    assert fractions[-1][0] == pytest.approx(0.1, rel=1e-4)
    assert {f for T, f in fractions if T <= after} == {0.0}
    # No latent heat: the bath got the integral of the superconductor's heat capacity.
    heat = quad(lambda T: float(TA.heat_capacity(T, 0.0)), 0.1, 5.0, points=[TC], epsrel=1e-9)[0]
    given = sum(sim.ledger.bath.values())
    niobium = get_material("Nb")
    held = float(niobium.energy(5.0, 0.0) - niobium.energy(0.1, 0.0)) * 60e-6 * 20e-6 * 0.4e-6
    assert abs(given) == pytest.approx(heat * 14e-6 * 14e-6 * 1e-6 + held, rel=1e-6)


def test_above_tc_a_film_is_normal_and_no_field_works_on_it():
    phases = "[{name='up', ramp=[0, 1], duration=1e-4}, {name='down', ramp=[1, 0], duration=1e-4}]"
    sim = chip(phases, "['wait']", "solver.ramp_step=0.5")
    assert sim.switching is not None
    for event in sim.run():
        if isinstance(event, Stepped) and event.phase.name != "wait":
            assert sim.switching.layer_fraction()["working"] == 1.0
            assert sim.ledger.work == 0.0
            np.testing.assert_allclose(film_nodes(sim)[0], 5.0, rtol=1e-12)


def test_cooled_in_a_field_a_film_stays_normal_and_above_its_bath():
    phases = "[{name='up', ramp=[0, 1], duration=1e-4}, {name='reject', hold=1, duration=1e-6}]"
    sim = chip(phases, "['reject', 'wait']", "start=0.5 K", "solver.ramp_step=0.25")
    assert sim.switching is not None
    for event in sim.run():
        if isinstance(event, Stepped) and event.phase.name == "reject":
            T, f = film_nodes(sim)
            assert f.min() > 0.999
            assert T.max() < 0.1 * (1 + 1e-4)
    assert T.min() > 0.1 * (1 - 1e-6)


@pytest.mark.parametrize("eddy", ["false", "true"])
def test_a_run_that_starts_above_all_tc(eddy):
    sim = chip("[{name='reject', hold=0, duration=1e-6}]", "['reject']", "start=10 K", f"physics.eddy={eddy}")
    assert sim.switching is not None
    for _ in sim.run():
        pass
    assert sim.ledger.work == 0.0
    assert sim.switching.layer_fraction()["working"] == 0.0
    assert film_nodes(sim)[0].max() < 0.2
