"""Runs that leave the temperatures at which materials' laws hold."""

import numpy as np
import pytest
from mpi4py import MPI

from solvers.case.model import Case
from solvers.cycles.run import run as run_case
from solvers.errors import ComputationError
from solvers.simulation.law_limits import hottest


def heated_copper(power, **phase):
    """A block of copper alone, 100 um wide and 10 um thick, heated for a microsecond."""
    return Case.model_validate(
        {
            "start": 1.0,
            "layer": [{"name": "block", "material": "Cu", "thickness": 1e-5, "size": [1e-4, 1e-4]}],
            "load": [{"layer": "block", "power": power, "face": "volume"}],
            "cycle": {"phases": [{"name": "heat", "duration": 1e-6, "hold": 0}]},
            "mesh": {"edge_cell": 5e-5, "interior_cell": 5e-5, "largest_cell": 5e-6},
            "output": {"fields": "none", "figures": False},
        }
    )


def test_hottest_layer():
    assert hottest(["a", "b"], np.array([1.0, 99.0])) == 99.0
    with pytest.raises(ComputationError, match='layer "a" is at 101 K'):
        hottest(["a", "b"], np.array([101.0, 2.0]))


@pytest.mark.parametrize("warned", [False, True])
def test_warning_above_30_kelvin(warned, tmp_path):
    # gamma T^2/2 + beta T^4/4 of copper is 1.14e6 J/m^3 at 28 K and 2.27e6 J/m^3 at 34 K; the block has 1e-13 m^3.
    result = run_case(heated_copper(0.227 if warned else 0.114), tmp_path / "run", MPI.COMM_SELF, quiet=True)
    final = result.summary["results"]["T_cold_final_K"]
    assert final == pytest.approx(34 if warned else 28, abs=1.5)
    told = [text for text in result.summary["warnings"] if "T^3" in text]
    assert len(told) == warned


def test_stop_where_the_laws_end(tmp_path):
    with pytest.raises(ComputationError, match="the laws of materials end"):
        run_case(heated_copper(1e4), tmp_path / "run", MPI.COMM_SELF, quiet=True)
