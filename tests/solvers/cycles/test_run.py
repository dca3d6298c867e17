"""The main job on a coarse mesh: balances, exact temperatures, parallel equality, resuming, failing steps."""

import json
import signal
from pathlib import Path

import numpy as np
import pytest
from mpi4py import MPI
from scipy.optimize import brentq

from fem.materials.library import get_material
from solvers.case.model import Case, case_sha256, load_case
from solvers.cycles import run as run_module
from solvers.cycles.run import run as run_case
from solvers.cycles.stopping import Interrupted
from solvers.errors import ComputationError, InputError, StepFailure
from solvers.heat.stepper import HeatStepper
from solvers.output.recorder import Recorder
from solvers.output.result import Result
from solvers.output.summary import finite, write_summary
from solvers.simulation.events import Stepped
from solvers.simulation.simulation import Simulation
from tests.solvers.conftest import CHIP_CELLS, NO_PICTURES

CASES = Path(__file__).parents[3] / "cases"
COARSE = [*CHIP_CELLS, *NO_PICTURES, "solver.ramp_step=0.25", "cycle.repeat=1"]
# Passes as soon as a step starts from the accepted pattern only, not from the nearest one solved before.


def coarse(*more):
    return load_case(CASES / "refrigerator.toml", [*COARSE, *more])


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    comm = MPI.COMM_WORLD
    folder = comm.bcast(tmp_path_factory.mktemp("run") / "out" if comm.rank == 0 else None)
    return run_case(coarse(), folder, comm, quiet=True)


def test_copper_cools_as_two_bodies_do(finished):
    # Independent: copper at 100 mK and tantalum magnetised from 100 mK share their energy.
    copper, tantalum = get_material("Cu"), get_material("Ta")
    cold = float(tantalum.temperature_from_entropy(tantalum.entropy(0.1, 0.0), 1.0))

    def excess(t):
        return 3.0 * float(copper.energy(t) - copper.energy(0.1)) + float(
            tantalum.energy(t, 1.0) - tantalum.energy(cold, 1.0)
        )

    exact = brentq(excess, 1e-3, 0.1)
    assert exact == pytest.approx(0.05908729, rel=2e-6)
    assert finished.summary["results"]["T_cold_final_K"] == pytest.approx(exact, rel=2e-3)


def test_cooling_power_of_a_normal_junction(finished):
    # (L0 / 2 R_A) (T_Cu^2 - T_Ta^2) over 14 um x 14 um, tantalum practically at zero.
    exact = 2.4430e-8 / (2 * 2e-6) * 0.1**2 * (14e-6) ** 2
    assert finished.summary["results"]["cooling_power_initial_W"] == pytest.approx(exact, rel=5e-3)


@pytest.mark.mpi
def test_balances_close(finished):
    cycle = finished.cycles[0]
    assert abs(cycle["first_law_residual"]) < 1e-8
    assert cycle["entropy_produced_J_per_K"] > 0
    assert finished.summary["results"]["entropy_lowest_step"] > -1e-12
    # The film is back at 100 mK, so what the niobium got is the work and the heat of the copper.
    assert cycle["Q_hot_J"] == pytest.approx(cycle["work_J"] + cycle["Q_cold_J"], rel=1e-6)
    assert finished.summary["results"]["fraction_at_full_drive"] > 0.99


def test_files_keep_the_contract(finished):
    summary = Result.load(finished.folder).summary
    assert summary == finished.summary
    case = finished.folder / "case.toml"
    assert case_sha256(load_case(case)) == summary["case_sha256"]
    for block, keys in {
        "results": "T_cold_final_K cooling_power_initial_W cycles",
        "unknowns": "field heat",
        "solver": "field_solves field_states field_eliminations field_solves_saved newton_max",
        "timings_s": "total mesh field heat",
    }.items():
        assert set(keys.split()) <= set(summary[block])
    assert set("memory_peak_MB ranks versions case case_sha256 options_left warnings".split()) <= set(summary)
    assert summary["ranks"] == MPI.COMM_WORLD.size
    assert summary["options_left"] == []
    history = finished.history()
    assert 20 < len(history["time_s"]) <= summary["solver"]["steps"]
    assert np.all(np.diff(history["time_s"]) > 0)
    assert history["time_s"][-1] == pytest.approx(0.402)
    assert history["T_load_K"][-1] == summary["results"]["T_cold_final_K"]
    # First law on every row of the file.
    energy = sum(history[name] for name in history if name.startswith("E_"))
    booked = history["work_J"] + history["load_J"] - history["heat_bath 1 (sink)_J"]
    assert np.ptp(energy - booked) < 1e-10 * np.ptp(history["work_J"])


def test_no_infinity_in_the_summary(tmp_path):
    # Where there is no film there is no temperature of it; and infinities that a run may give have no word in JSON.
    case = Case.model_validate(
        {
            "start": 0.1,
            "layer": [{"name": "block", "material": "Cu", "thickness": 1e-6, "size": (1e-5, 1e-5)}],
            "bath": [{"layer": "block", "face": "bottom", "temperature": 0.05, "conductance": 1.0}],
            "cycle": {"phases": [{"name": "cool", "hold": 0, "duration": 1e-9}]},
            "output": {"figures": False},
        }
    )
    result = run_case(case, tmp_path / "out", MPI.COMM_SELF)

    def refuse(name):
        raise AssertionError(name)

    summary = json.loads((tmp_path / "out" / "summary.json").read_text(encoding="utf-8"), parse_constant=refuse)
    assert summary == result.summary
    (cycle,) = result.cycles
    assert cycle["T_working_min_K"] is None
    assert cycle["T_working_max_K"] is None
    assert 0.05 < cycle["T_cold_K"] < 0.1
    write_summary(tmp_path / "summary.json", finite({"a": [np.float64("inf"), 1.0, (np.nan, 2)], "b": {"c": -np.inf}}))
    written = json.loads((tmp_path / "summary.json").read_text(encoding="utf-8"), parse_constant=refuse)
    assert written == {"a": [None, 1.0, [None, 2]], "b": {"c": None}}


@pytest.mark.mpi
def test_wrong_folders_are_refused_on_all_ranks(shared_tmp_path, comm):
    with pytest.raises(InputError, match="exists already"):
        run_case(coarse(), shared_tmp_path, comm)
    with pytest.raises(InputError, match="cannot be resumed"):
        run_case(coarse(), shared_tmp_path / "nothing", comm, resume=True)
    assert not list(shared_tmp_path.iterdir())


def _stop_after(monkeypatch, events):
    """Make the run believe that a signal came after some steps."""
    shown = run_module._Run._show
    count = 0

    def show(*args):
        nonlocal count
        count += 1
        shown(*args)  # type: ignore[arg-type]
        if count == events:
            raise Interrupted

    monkeypatch.setattr(run_module._Run, "_show", show)


def test_resume_gives_the_same(finished, shared_tmp_path, monkeypatch):
    folder = shared_tmp_path / "out"
    with monkeypatch.context() as patch:
        _stop_after(patch, 20)
        with pytest.raises(Interrupted):
            run_case(coarse(), folder, MPI.COMM_WORLD, quiet=True)
    assert not (folder / "summary.json").exists()
    with pytest.raises(InputError, match=r"start: the run began with 0\.1, not 0\.11"):
        run_case(coarse("start=0.11"), folder, MPI.COMM_WORLD, resume=True, quiet=True)
    result = run_case(coarse(), folder, MPI.COMM_WORLD, resume=True, quiet=True)
    for key, rel in {"T_cold_K": 1e-6, "Q_cold_J": 1e-6, "T_working_min_K": 1e-6, "work_J": 1e-6}.items():
        assert result.cycles[0][key] == pytest.approx(finished.cycles[0][key], rel=rel), key
    assert result.cycles[0]["T_cold_drawn_K"] == pytest.approx(finished.cycles[0]["T_cold_drawn_K"], rel=1e-6)
    assert abs(result.cycles[0]["first_law_residual"]) < 1e-8
    times = result.history()["time_s"]
    assert np.all(np.diff(times) > 0)
    assert times[-1] == pytest.approx(0.402)


@pytest.mark.mpi
@pytest.mark.parametrize("phase", ["cool", "demagnetise"])
def test_history_goes_on_as_if_uninterrupted(finished, phase, shared_tmp_path, comm, monkeypatch):
    ended = Recorder.end_of_phase

    def stop(recorder, event):
        ended(recorder, event)
        if event.phase.name == phase and comm.rank == comm.size - 1:
            signal.raise_signal(signal.SIGTERM)

    folder = shared_tmp_path / "out"
    with monkeypatch.context() as patch:
        patch.setattr(Recorder, "end_of_phase", stop)
        with pytest.raises(Interrupted):
            run_case(coarse(), folder, comm, quiet=True)
    result = run_case(coarse(), folder, comm, resume=True, quiet=True)
    rel = 1e-10
    history, whole = result.history(), finished.history()
    assert list(history) == list(whole)
    for name, values in whole.items():
        if name == "phase":
            assert list(history[name]) == list(values)
        else:
            np.testing.assert_allclose(history[name], values, rtol=rel, atol=0.0, err_msg=name)
    for key, value in finished.cycles[0].items():
        if isinstance(value, float) and key != "first_law_residual":
            assert result.cycles[0][key] == pytest.approx(value, rel=rel), key


@pytest.mark.mpi
def test_resume_on_another_number_of_ranks(shared_tmp_path):
    from solvers.output import checkpoint

    sim = Simulation(coarse(), MPI.COMM_WORLD)
    for _ in sim.run():
        if sim.clock.phase == 1:
            break
    checkpoint.save(sim, shared_tmp_path / "checkpoint", {"now": sim.state()}, {})
    MPI.COMM_WORLD.barrier()
    alone = Simulation(coarse(), MPI.COMM_SELF)
    alone.restore(checkpoint.load(alone, shared_tmp_path / "checkpoint")[0]["now"])
    assert alone.clock == sim.clock
    np.testing.assert_allclose(alone.totals().temperature, sim.totals().temperature, rtol=1e-12)
    np.testing.assert_allclose(alone.totals().entropy, sim.totals().entropy, rtol=1e-12)


def test_steps_may_fail(finished, shared_tmp_path, monkeypatch):
    good = HeatStepper.step
    count = 0

    def fail_every_fifth(stepper, u, f, dt, change):
        nonlocal count
        count += 1
        result = good(stepper, u, f, dt, change)
        if count % 5 == 0:
            raise StepFailure("forced")
        return result

    monkeypatch.setattr(HeatStepper, "step", fail_every_fifth)
    result = run_case(coarse(), shared_tmp_path / "out", MPI.COMM_WORLD, quiet=True)
    assert result.summary["solver"]["steps_rejected"] >= count // 5
    assert result.cycles[0]["T_cold_K"] == pytest.approx(finished.cycles[0]["T_cold_K"], rel=2e-4)
    assert abs(result.cycles[0]["first_law_residual"]) < 1e-8


@pytest.mark.mpi
def test_too_large_for_the_memory_stops_first(shared_tmp_path):
    folder = shared_tmp_path / "out"
    with pytest.raises(InputError, match="memory_limit"):
        run_case(coarse("solver.memory_limit=1 MB"), folder, MPI.COMM_WORLD, quiet=True)
    assert not folder.exists()


def test_normal_conductor_stops_with_a_message():
    sim = Simulation(coarse("bath.sink.temperature=10 K"), MPI.COMM_SELF)
    with pytest.raises(ComputationError, match="sink: at 10 K it is normal"):
        next(event for event in sim.run() if isinstance(event, Stepped))


@pytest.mark.mpi
def test_hopeless_step_leaves_the_last_good_state(shared_tmp_path, monkeypatch):
    def fail(*_):
        raise StepFailure("forced")

    monkeypatch.setattr("solvers.heat.stepper.HeatStepper.step", fail)
    freed = []
    destroy = Simulation.destroy
    monkeypatch.setattr(Simulation, "destroy", lambda sim: (freed.append(sim), destroy(sim)))
    folder = shared_tmp_path / "out"
    with pytest.raises(ComputationError, match=r"--resume"):
        run_case(coarse(), folder, MPI.COMM_WORLD, quiet=True)
    assert len(freed) == 1
    MPI.COMM_WORLD.barrier()
    assert (folder / "checkpoint" / "state.npz").is_file()
    with np.load(folder / "checkpoint" / "state.npz") as archive:
        assert np.all(archive["now.nodes.u"] > 0)
        assert json.loads(str(archive["meta"]))["states"]["now"]["clock"]["cycle"] == 0
