"""The equilibrium of films with the field: what is done where it is not found."""

from pathlib import Path

import pytest

from solvers.case.model import load_case
from solvers.errors import ComputationError
from solvers.simulation.simulation import Simulation
from solvers.switching import curve
from tests.solvers.conftest import CHIP_CELLS, NO_PICTURES

CASES = Path(__file__).parents[3] / "cases"


@pytest.mark.mpi
def test_films_that_do_not_settle_end_the_run(comm, monkeypatch):
    # One field per point of the curve is not enough for Newton's method: no state may be taken for settled.
    monkeypatch.setattr(curve, "SOLVES", 1)
    case = load_case(CASES / "refrigerator.toml", [*CHIP_CELLS, *NO_PICTURES, "solver.fraction_tolerance=1e-4"])
    sim = Simulation(case, comm)
    start = sim.totals()
    with pytest.raises(ComputationError, match=r"films: f is still .* from equilibrium .*fraction_tolerance"):
        for _ in sim.run():
            pass
    # The last good state: nothing of the failed step is in its balance.
    now, ledger = sim.totals(), sim.ledger
    energy = float((now.energy - start.energy).sum())
    assert 0.0 < sim.clock.drive < 2.0
    assert abs(energy - ledger.work + sum(ledger.bath.values())) < 1e-12 * float(start.energy.sum())
