"""A whole run gives the same field and the same heat on any number of ranks, also where ranks own next to nothing.

On a quarter the film has nine columns of cells and the copper one: with three and four ranks the film is split
between two, and the others have no part of any interface.
"""

from pathlib import Path

import numpy as np
import pytest
from mpi4py import MPI

from solvers.case.model import load_case
from solvers.output.recorder import Recorder
from solvers.simulation.events import CycleEnded, PhaseEnded, Stepped
from solvers.simulation.simulation import Simulation
from tests.solvers.conftest import CHIP_CELLS

CASES = Path(__file__).parents[3] / "cases"
CHANGES = [
    "layer.working.size=[12e-6, 12e-6]",
    "layer.sink.size=[40e-6, 20e-6]",
    "layer.load.size=[4e-6, 4e-6]",
    *CHIP_CELLS,
    "mesh.interior_cell=10 um",
    "mesh.padding=20 um",
    "solver.ramp_step=0.5",
    "solver.rtol=1e-2",
    "cycle.repeat=1",
    # All kinds of exchange: a junction with a leak and phonons that is always open, a load, a bath on a face.
    "interface.working|load.dynes=1e-3",
    "interface.working|load.phonons=1e-3",
    "interface.working|load.conducts_in=['magnetise', 'cool', 'demagnetise', 'reject']",
    "load=[{layer='load', power=1e-15}]",
]
POINTS = [(3.1e-6, 2.2e-6, 0.6e-6), (12e-6, 7.3e-6, 0.2e-6), (1e-6, 9e-6, 2e-6), (15e-6, 20e-6, 1e-6)]


def small():
    return load_case(CASES / "refrigerator.toml", CHANGES)


def run(comm):
    """What a run gives at the ends of its phases, by name, the same on all ranks of `comm`."""
    sim = Simulation(small(), comm)
    recorder = Recorder(sim)
    out = {}
    for event in sim.run():
        if isinstance(event, Stepped):
            recorder.step(event)
        if isinstance(event, CycleEnded):
            recorder.end_of_cycle()
            keys = ("T_cold_K", "T_working_min_K", "Q_cold_J", "Q_hot_J", "work_J", "entropy_produced_J_per_K")
            out["cycle"] = np.array([recorder.accounts.cycles[-1][key] for key in keys])
        if isinstance(event, PhaseEnded):
            out |= {f"{event.phase.name}: {key}": value for key, value in state(sim).items()}
    return out, sim


def state(sim):
    """Field and heat of the present state."""
    switching, ledger = sim.switching, sim.ledger
    assert switching is not None
    assert switching.pattern is not None
    field = switching.pattern.solution
    totals = sim.totals()
    booked = [ledger.work, ledger.load, ledger.entropy_out]
    booked += [*ledger.contact.values(), *ledger.bath.values()]
    return {
        "energy of the field": np.array([field.energy()]),
        "B": field.flux_density_at(POINTS),
        "J": field.current_density_at(POINTS[:2]),
        "surface field": np.array([switching.largest_field("working", sim.drive_value())]),
        "normal fraction": np.array(list(switching.layer_fraction().values())),
        "energy": totals.energy,
        "entropy": totals.entropy,
        "temperature": totals.temperature,
        "nodal temperature": nodal(sim, np.sqrt(sim.u)),
        "nodal normal fraction": nodal(sim, sim.f),
        "ledger": np.array(booked),
    }


def nodal(sim, values):
    """A nodal array in the order of layer and place, each node once, on all ranks."""
    space = sim.heat.space
    n = space.n_owned
    keys = np.column_stack([space.layer[:n], np.round(space.x[:n] * 1e10)])
    table = np.concatenate(sim.comm.allgather(np.column_stack([keys, values[:n]])))
    assert len(table) == space.n_global
    return np.asarray(table[np.lexsort(table[:, :4].T), 4])


@pytest.mark.mpi
@pytest.mark.ranks4
def test_a_run_does_not_depend_on_the_number_of_ranks(comm):
    expected = comm.bcast(run(MPI.COMM_SELF)[0] if comm.rank == 0 else None)
    found, sim = run(comm)
    # What makes this case hard: layers split between ranks, fewer columns than ranks, a rank without an interface.
    owned = sim.tagged.mesh.topology.index_map(3).size_local
    cells = {name: sim.tagged.cells(name) for name in ("working", "load")}
    columns = {name: len(np.unique(sim.tagged.columns[mine[mine < owned]])) for name, mine in cells.items()}
    working, load = (comm.allgather(columns[name]) for name in ("working", "load"))
    assert (sum(working), sum(load)) == (9, 1)
    if comm.size > 2:
        assert sorted(working)[-2:] == [3, 6]
        assert min(working) == 0
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        # Components of vectors may be nothing, and so may fractions; of the ledger some entries are 1/300 of others.
        quantity = name.split(": ")[-1]
        largest = dict.fromkeys(("B", "J", "ledger"), float(np.abs(values).max())) | {"nodal normal fraction": 1.0}
        atol = 1e-8 * largest.get(quantity, 0.0)
        np.testing.assert_allclose(found[name], values, rtol=1e-8, atol=atol, err_msg=name)
