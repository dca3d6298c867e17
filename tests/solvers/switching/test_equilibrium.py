"""The equilibrium of films with the field: what is done where it is not found."""

from pathlib import Path

import numpy as np
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


TWO = [*CHIP_CELLS, *NO_PICTURES, "layer.load.thickness=1 um"]


def fractions(comm, hot, **materials):
    """Mean f of the tantalum that is at 100 mK, against the drive, with another layer beside it at 4.4 K."""
    changes = [f"layer.{layer}.material={material}" for layer, material in materials.items()]
    sim = Simulation(load_case(CASES / "refrigerator.toml", [*TWO, *changes]), comm)
    switching, numbers = sim.switching, sim.switching.equilibrium.numbers
    u = sim.u.copy()
    u[sim.heat.space.nodes(hot)] = 4.4**2
    mine = numbers.film == next(k for k, c in enumerate(switching.columns) if c.film.layer != hot)
    out = []
    for drive in (1.7, 1.8):
        switching.update(drive, 1.0, u, sim.f)
        f = switching.everywhere(switching.fraction)
        out.append(float(np.average(f[mine], weights=numbers.volume[mine])))
    return out


@pytest.mark.mpi
@pytest.mark.parametrize(
    ("hot", "metal"), [("load", {"load": "Cu"}), ("working", {"load": "Ta", "working": "Cu"})], ids=["below", "above"]
)
def test_a_cold_film_beside_a_hot_one_is_as_beside_copper(comm, hot, metal):
    # Near Tc tantalum is normal in a field that does not yet enter it at 100 mK. With one curve for all temperatures
    # the cold film counted on its neighbour to screen it: f was 0.14 to 0.63 off.
    assert fractions(comm, hot, load="Ta") == pytest.approx(fractions(comm, hot, **metal), abs=0.04)
