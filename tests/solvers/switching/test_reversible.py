"""A film on a chip goes through its transition reversibly: column by column, whatever the cells and the steps.

The film is alone; nothing but its entropy and the laws of tantalum says what its temperature and the work must be.
"""

from pathlib import Path

import numpy as np
import pytest
from mpi4py import MPI
from scipy.optimize import brentq

from fem.constants import MU0
from fem.materials.library import get_material
from solvers.case.model import load_case
from solvers.simulation.events import PhaseEnded, Stepped
from solvers.simulation.simulation import Simulation
from tests.solvers.conftest import CHIP_CELLS

REFRIGERATOR = Path(__file__).parents[3] / "cases" / "refrigerator.toml"
TA = get_material("Ta")
COOLED = 0.059059  # K, of the film when it has cooled the copper
VOLUME = 14e-6 * 14e-6 * 1.002e-6  # m^3; the 2 nm of the barrier count as film
PHASES = ", ".join(
    (
        "{name='up', ramp=[0, 1], duration=1e-3}",
        "{name='down', ramp=[1, 0], duration=1e-3}",
        "{name='wait', hold=0, duration=1e-15}",
    )
)
ALONE = [
    *CHIP_CELLS,
    "cycle.repeat=1",
    f"cycle.phases=[{PHASES}]",
    "interface.sink|working.conducts_in=['wait']",
    "interface.working|load.conducts_in=['wait']",
]
FINER = ["mesh.edge_cell=1.5 um", "mesh.interior_cell=4 um"]
COARSER = ["mesh.edge_cell=7 um", "mesh.interior_cell=7 um"]


def simulation(*more):
    return Simulation(load_case(REFRIGERATOR, [*ALONE, *more]), MPI.COMM_SELF)


def test_the_numbers_that_must_come_out():
    """Of the laws alone, by root finding."""
    cold = brentq(lambda T: TA.entropy(T, 1.0) - TA.entropy(0.1, 0.0), 1e-7, 0.1, xtol=1e-16)
    hot = brentq(lambda T: TA.entropy(T, 0.0) - TA.entropy(COOLED, 1.0), 0.5, 2.0)
    assert (cold, hot) == pytest.approx((6.3946e-6, 1.295180), rel=1e-5)
    assert float(TA.energy(hot, 0.0)) == pytest.approx(35.00295, rel=1e-6)


@pytest.mark.parametrize(
    ("columns", "changes"),
    [
        (2, [*COARSER, "solver.ramp_step=0.5"]),
        (4, ["solver.ramp_step=0.1"]),
        (9, [*FINER, "solver.ramp_step=0.25"]),
    ],
)
def test_temperature_and_work_of_a_cycle(columns, changes):
    sim = simulation(*changes)
    assert sim.switching is not None
    film = sim.heat.space.layer == sim.heat.space.names.index("working")
    assert sim.switching.equilibrium.numbers.n == columns
    temperature, work = {}, {}
    for event in sim.run():
        if isinstance(event, PhaseEnded):
            temperature[event.phase.name] = float(sim.totals().temperature[1])
            work[event.phase.name] = sim.ledger.work
            if event.phase.name == "up":
                sim.u = np.where(film, COOLED**2, sim.u)
    assert temperature["up"] == pytest.approx(6.3946e-6, rel=1e-3)
    assert temperature["down"] == pytest.approx(1.295180, rel=1e-4)
    # First law of the isolated film, from its energies in both states.
    up = TA.energy(temperature["up"], 1.0) - TA.energy(0.1, 0.0)
    down = TA.energy(1.295180, 0.0) - TA.energy(COOLED, 1.0)
    assert work["up"] == pytest.approx(float(up) * VOLUME, rel=1e-3)
    assert work["down"] - work["up"] == pytest.approx(float(down) * VOLUME, rel=1e-3)
    # The work of the field on a unit volume, H dM on both ways with M = -(1 - f) H and H = Hc at their temperatures.
    f = np.concatenate([[0.0], np.geomspace(1e-9, 1.0, 4001)])
    squares = [TA.critical_field(TA.temperature_from_entropy(np.full_like(f, s), f)) ** 2 for s in entropies()]
    magnetic = 0.5 * MU0 * float(np.trapezoid(squares[0] - squares[1], f))
    assert work["down"] == pytest.approx(magnetic * VOLUME, rel=2e-3)


def entropies():
    """Of the film on the way up and on the way down, J m^-3 K^-1."""
    return float(TA.entropy(0.1, 0.0)), float(TA.entropy(COOLED, 1.0))


def test_up_and_down_are_one_way():
    sim = simulation("solver.ramp_step=0.1")
    assert sim.switching is not None
    fractions = {"up": {}, "down": {}, "wait": {}}
    for event in sim.run():
        if isinstance(event, Stepped):
            fractions[event.phase.name][round(sim.clock.drive, 6)] = sim.switching.layer_fraction()["working"]
        if isinstance(event, PhaseEnded) and event.phase.name == "down":
            assert float(sim.totals().temperature[1]) == pytest.approx(0.1, rel=1e-6)
    up, down = ([np.array(v) for v in zip(*sorted(fractions[name].items()), strict=True)] for name in ("up", "down"))
    partly = [drive for drive in up[0] if drive in down[0] and 0.01 < fractions["up"][float(drive)] < 0.99]
    assert partly
    for drive in partly:
        tolerance = sim.case.solver.fraction_tolerance
        assert fractions["up"][float(drive)] == pytest.approx(fractions["down"][float(drive)], abs=tolerance)


def test_the_field_pays_for_the_condensation_energy():
    """At T = 0 the source of the current gives the film I^2/2 dL on the way up: field solver against thermodynamics.

    How the penetrating flux is shared over f is another matter: London's equation with few pairs screens nearly as with
    all of them, so that the flux comes in late, and the small difference of two such ways is not the work of a cycle.
    """
    sim = simulation()
    assert sim.switching is not None
    cold = np.full_like(sim.u, 1e-8)
    currents = np.linspace(1.75, 2.4, 27)
    inductance = []
    for current in currents:
        sim.switching.update(float(current), 1e-3, cold, sim.f)
        assert sim.switching.pattern is not None
        inductance.append(2 * sim.scale * sim.switching.pattern.solution.energy())
    assert sim.switching.layer_fraction()["working"] > 0.999
    work = float(np.trapezoid(0.5 * currents**2, inductance))
    # The coarse cells decide by their middles: 5 % here, 3 % with nine columns.
    assert work == pytest.approx(TA.condensation_energy * 14e-6 * 14e-6 * 1e-6, rel=0.08)
