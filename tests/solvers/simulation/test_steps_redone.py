"""A step that is taken back leaves nothing behind: each step forced to fail once and redone at the same size."""

from pathlib import Path

import numpy as np
import pytest
from mpi4py import MPI

from solvers.case.model import load_case
from solvers.cycles.run import run
from solvers.errors import ComputationError, StepFailure
from solvers.heat.step_control import StepControl
from solvers.heat.stepper import HeatStepper
from solvers.simulation.simulation import Simulation
from tests.solvers.conftest import NO_PICTURES, SQUARE_CELLS

CASES = Path(__file__).parents[3] / "cases"
COARSE = [*SQUARE_CELLS, *NO_PICTURES, "mesh.padding=5 mm", "mesh.largest_cell=1.5 mm", "solver.ramp_step=0.25"]
LOSSES = ["physics.hysteresis=[1.2, 0.9]", "physics.overshoot=1e-7"]


def film(*more):
    return load_case(CASES / "thin-film-decade.toml", [*COARSE, "cycle.repeat=1", *more])


def fail_each_heat_step_once(patch):
    good = HeatStepper.step
    failed = []
    again = False

    def step(stepper, u, f, dt, change):
        nonlocal again
        result = good(stepper, u, f, dt, change)
        again = not again
        if again:
            failed.append(dt)
            raise StepFailure("forced")
        return result

    patch.setattr(HeatStepper, "step", step)
    patch.setattr(StepControl, "after_failure", lambda _, dt: dt)
    return failed


def take_each_step_twice(patch):
    good = Simulation._step
    failed = []

    def step(sim, *place):
        before = sim.state()
        failed.append(good(sim, *place) or 0.0)  # type: ignore[arg-type]
        sim.restore(before)
        return good(sim, *place)  # type: ignore[arg-type]

    patch.setattr(Simulation, "_step", step)
    return failed


@pytest.mark.mpi
@pytest.mark.parametrize("changes", [pytest.param([], marks=pytest.mark.slow), LOSSES], ids=["ideal", "losses"])
def test_redone_steps(shared_tmp_path, comm, changes):
    case = film(*changes)
    plain = run(case, shared_tmp_path / "plain", comm, quiet=True)
    for name, harness in (("heat", fail_each_heat_step_once), ("whole", take_each_step_twice)):
        with pytest.MonkeyPatch.context() as patch:
            failed = harness(patch)
            redone = run(case, shared_tmp_path / name, comm, quiet=True)
        assert len(failed) >= len(plain.history()["time_s"])
        assert_equal(redone, plain)


def assert_equal(redone, plain):
    ours, theirs = redone.history(), plain.history()
    assert list(ours) == list(theirs)
    for name, values in theirs.items():
        if name != "phase":
            # Newton's method may go on with factors of the step that failed: to its tolerance it comes to the same.
            np.testing.assert_allclose(ours[name], values, rtol=1e-9, atol=1e-12 * np.abs(values).max(), err_msg=name)
    assert list(ours["phase"]) == list(theirs["phase"])


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        ("solvers.heat.stage.NEWTON_TOLERANCE", ["Newton did not converge", "layer ", "solver.rtol"]),
        ("solvers.field.problem.FieldProblem.solve", ["forced", "solver.ramp_step"]),
    ],
    ids=["newton", "field"],
)
def test_hopeless_steps_say_where_and_what_to_try(tmp_path, monkeypatch, broken, words):
    def fail(*_, **__):
        raise StepFailure("forced")

    monkeypatch.setattr(broken, -1.0 if "TOLERANCE" in broken else fail)
    monkeypatch.setattr(StepControl, "hopeless", lambda _, dt, duration: dt < 1e-3 * duration)
    with pytest.raises(ComputationError) as caught:
        run(film(), tmp_path / "out", MPI.COMM_SELF, quiet=True)
    for word in [*words, "cycle 1, phase magnetise, 0 s", "the last good state is in", "coldstack run --resume"]:
        assert word in str(caught.value)
