"""Energy, entropy and performance of each cycle against exact cycles and the laws of thermodynamics."""

import csv
import math

import pytest
from mpi4py import MPI

from solvers.case.model import Case
from solvers.cycles.run import run as run_case
from solvers.simulation.ledger import Ledger
from solvers.simulation.simulation import Simulation

AREA = (14e-6, 14e-6)
MESH = {"surface_cell": 1.0, "growth": 3.0, "edge_cell": 5e-6, "interior_cell": 5e-6}
MESH |= {"padding": 30e-6, "lateral_growth": 3.0}


def machine(cool=0.3, **changes):
    """A tantalum film on sapphire under copper, in the field of a coil that is far above the transition."""
    values = {
        "start": 0.1,
        "layer": [
            {"name": "sink", "material": "sapphire", "thickness": 2e-6, "size": AREA},
            {"name": "working", "material": "Ta", "thickness": 1e-6, "size": AREA},
            {"name": "load", "material": "Cu", "thickness": 3e-6, "size": AREA},
        ],
        "interface": [
            {"between": ["sink", "working"], "contact": "ideal", "conducts_in": ["reject"]},
            {"between": ["working", "load"], "resistance_area": 2e-6, "conducts_in": ["cool"]},
        ],
        "bath": [{"layer": "sink", "face": "all", "temperature": 0.1}],
        "drive": {"applied_field": "y", "amplitude": 3e5},
        "cycle": {
            "phases": [
                {"name": "magnetise", "ramp": [0, 1], "duration": 1e-3},
                {"name": "cool", "hold": 1, "duration": cool},
                {"name": "demagnetise", "ramp": [1, 0], "duration": 1e-3},
                {"name": "reject", "hold": 0, "duration": 0.1},
            ]
        },
        "mesh": MESH,
        "solver": {"ramp_step": 1.0},
        "output": {"fields": "none", "figures": False},
    }
    return Case.model_validate(values | changes)


def test_the_reversible_cycle_of_a_cubic_metre(tmp_path):
    # Known answer: tantalum magnetised near 0 K, warmed to 0.1 K by what it is to cool, demagnetised to 1.4371 K and
    # emptied into a bath near 0 K takes 2.719 J and gives 65.52 J for each cubic metre. The copper is held by a bath.
    cold = {"layer": "load", "face": "all", "temperature": 0.1}
    sink = {"layer": "sink", "face": "all", "temperature": 1e-3}
    cycle = run_case(machine(1.0, start=1e-3, bath=[sink, cold]), tmp_path / "out", MPI.COMM_SELF, quiet=True).cycles[0]
    volume = AREA[0] * AREA[1] * 1e-6
    assert cycle["Q_cold_J"] / volume == pytest.approx(2.719, rel=2e-4)
    assert cycle["Q_hot_J"] / volume == pytest.approx(65.52, rel=2e-4)
    assert cycle["work_J"] / volume == pytest.approx(65.52 - 2.719, rel=2e-4)
    assert cycle["T_working_max_K"] == pytest.approx(1.4371, rel=1e-4)
    assert cycle["cop"] == pytest.approx(2.719 / 62.801, rel=3e-4)
    assert cycle["T_cold_drawn_K"] == pytest.approx(0.1, rel=1e-12)
    assert cycle["T_bath_K"] == pytest.approx(1e-3, rel=1e-12)
    assert cycle["cop_over_carnot"] is None  # heat goes down to the bath by itself: there is no Carnot value
    # The switching is reversible: entropy is produced where the copper meets the film, and the film the cold bath.
    made = cycle["entropy_by_mechanism_J_per_K"]
    gamma = 543.8
    assert made["working|load"] / volume == pytest.approx(gamma * 0.1 - 2.719 / 0.1, rel=1e-3)
    assert made["sink|working"] / volume == pytest.approx(65.52 / 1e-3 - gamma * 0.1, rel=1e-3)


def everything():
    """Baths and contacts of all kinds, loads, a film that is welded to its sink in one phase and a starting jump."""
    return machine(
        interface=[
            {"between": ["sink", "working"], "contact": "perfect", "conducts_in": ["reject"]},
            {"between": ["working", "load"], "resistance_area": 2e-6, "dynes": 1e-3, "phonons": 1e-3},
        ],
        bath=[
            {"layer": "sink", "face": "bottom", "temperature": 0.09},
            {"layer": "load", "face": "top", "temperature": 0.2, "phonons": 1e-6},
        ],
        load=[{"layer": "load", "power": 1e-15, "face": "volume"}, {"layer": "sink", "power": 1e-14, "face": "volume"}],
    )


@pytest.mark.mpi
def test_entropy_by_mechanism_closes(shared_tmp_path):
    # Sums over the stages of steps against the difference of two states: only exact bookkeeping makes them equal.
    result = run_case(everything(), shared_tmp_path / "out", MPI.COMM_WORLD, quiet=True)
    cycle = result.cycles[0]
    made = cycle["entropy_by_mechanism_J_per_K"]
    names = "conduction sink|working working|load_junction working|load_phonons"
    names += " bath_1_(sink) bath_2_(load) load_1_(load) load_2_(sink)"
    assert set(made) == {name.replace("_", " ") for name in names.split()}
    assert all(value > 0 for value in made.values())
    assert sum(made.values()) == pytest.approx(cycle["entropy_produced_J_per_K"], rel=1e-6)
    with (result.folder / "cycles.csv").open(encoding="utf-8") as stream:
        (row,) = csv.DictReader(stream)
    assert float(row["entropy_conduction_J_per_K"]) == made["conduction"]
    assert float(row["cop"]) == cycle["cop"]


@pytest.mark.mpi
def test_lost_performance_is_entropy_produced(shared_tmp_path):
    # Gouy and Stodola: a film that comes back to where it began, and a bath at T, so work - work of Carnot = T S.
    # What conduction makes inside the copper is not counted by the ratio: it is 1e-4 of the whole here.
    cycle = run_case(machine(), shared_tmp_path / "out", MPI.COMM_WORLD, quiet=True).cycles[0]
    assert cycle["T_bath_K"] == pytest.approx(0.1, rel=1e-12)
    assert cycle["cop_over_carnot"] == pytest.approx(
        1 - 0.1 * cycle["entropy_produced_J_per_K"] / cycle["work_J"], rel=1e-3
    )
    assert 0 < cycle["cop_over_carnot"] < 0.1
    assert cycle["work_J"] == pytest.approx(cycle["Q_hot_J"] - cycle["Q_cold_J"], rel=1e-9)


def test_losses_are_part_of_the_balance(tmp_path, monkeypatch):
    # Heat made by the field, put into the copper as a loss would be: the balances of the cycle must contain it.
    heat = 1e-17
    switch = Simulation._switch

    def lossy(sim, drive, *more, **others):
        if drive == 1.0 and sim.clock.in_phase == 0.0 and sim.clock.phase == 1:
            space = sim.heat.space
            copper = space.nodes("load")
            before, s0 = sim.heat.energy(sim.u, sim.f)[0], sim.heat.entropy(sim.u, sim.f)
            slope = sim.heat.energy(sim.u, sim.f)[1][copper].sum()
            sim.u = sim.u.copy()
            sim.u[copper] += heat / sim.scale / slope
            gained = space.layer_sums(sim.heat.energy(sim.u, sim.f)[0] - before, sim.heat.entropy(sim.u, sim.f) - s0)
            sim.ledger.add_loss("test", float(gained[0].sum()), float(gained[1].sum()), sim.scale)
        return switch(sim, drive, *more, **others)

    monkeypatch.setattr(Simulation, "_switch", lossy)
    cycle = run_case(machine(), tmp_path / "out", MPI.COMM_SELF, quiet=True).cycles[0]
    assert cycle["ramp_loss_J"] == cycle["lost_by_mechanism_J"]["test"] == pytest.approx(heat, rel=0.05)
    assert abs(cycle["first_law_residual"]) < 1e-9
    made = cycle["entropy_by_mechanism_J_per_K"]
    assert made["test"] == pytest.approx(heat / 0.1, rel=0.1)
    assert sum(made.values()) == pytest.approx(cycle["entropy_produced_J_per_K"], rel=1e-6)


def test_a_bath_at_absolute_zero_takes_infinite_entropy():
    ledger = Ledger()
    ledger.add_flow({"zero": 0.0}, {}, {"zero": 0.0}, 1.0)
    assert ledger.entropy_out == 0.0
    ledger.add_flow({"zero": 1e-9}, {}, {"zero": 0.0}, 1.0)
    assert ledger.entropy_out == math.inf
    assert ledger.bath == {"zero": 1e-9}
