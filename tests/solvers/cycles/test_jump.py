"""Steady cycles, stopping at a temperature and passing over cycles, against the map of a cycle between two bodies."""

from pathlib import Path

import numpy as np
import pytest
from mpi4py import MPI

from fem.materials.library import get_material
from solvers.case.model import Case, load_case
from solvers.cycles import run as run_module
from solvers.cycles.ending import Steadiness
from solvers.cycles.jump import CycleJumper, passed_sum
from solvers.cycles.run import run as run_case
from solvers.cycles.stopping import Interrupted
from solvers.errors import InputError
from solvers.verification.heat.block import entropy_super
from tests.solvers.conftest import NO_PICTURES, SQUARE_CELLS

FILM = Path(__file__).parents[3] / "cases" / "thin-film-decade.toml"
COARSE = [*SQUARE_CELLS, *NO_PICTURES, "mesh.padding=5 mm", "mesh.largest_cell=1.5 mm"]
COPPER, TANTALUM = 0.3e-6, 1e-10  # m^3


def film(*more):
    return load_case(FILM, [*COARSE, *more])


def two_bodies(cycles, heat=0.0, start=0.2):
    """Copper (K) after each cycle: tantalum magnetised from 200 mK shares its energy, then the copper gets `heat` (J).

    Both are normal, with energies gamma u / 2 + beta u^2 / 4 of u = T^2 for each cubic metre.
    """
    cu, ta = get_material("Cu"), get_material("Ta")
    magnetised = entropy_super(ta, 0.2) / ta.gamma  # far below 1 mK, where gamma T is all of the entropy
    given = TANTALUM * 0.5 * ta.gamma * magnetised**2

    def root(energy, a, b):
        return float(2.0 * energy / (a + np.sqrt(a * a + 4.0 * b * energy)))  # of a u + b u^2 = energy

    of_copper = (COPPER * cu.gamma / 2, COPPER * cu.beta / 4)
    of_both = (of_copper[0] + TANTALUM * ta.gamma / 2, of_copper[1] + TANTALUM * ta.beta / 4)

    def energy(u):
        return of_copper[0] * u + of_copper[1] * u * u

    u = [start**2]
    for _ in range(cycles):
        together = root(energy(u[-1]) + given, *of_both)
        u.append(root(energy(together) + heat, *of_copper) if heat else together)
    return np.sqrt(u)


def run(folder, case, comm=MPI.COMM_SELF):
    return run_case(case, folder, comm, quiet=True)


# ---- formulas ------------------------------------------------------------------------------------


def test_sums_over_cycles_passed():
    # Exact for geometric series, seen from both sides, and for arithmetic ones.
    n = np.arange(1, 51)
    series = 3.0 * 0.97**n
    first = np.array([3.0])
    for gap in (60, -20):
        assert passed_sum(first, first * 0.97**gap, gap, 50) == pytest.approx(series.sum(), rel=1e-12)
    assert passed_sum(np.array([1.0]), np.array([-5.0]), 60, 50) == pytest.approx((1.0 - 0.1 * n).sum(), rel=1e-12)
    # Beyond what is known a growing series goes on along a straight line.
    assert passed_sum(np.array([2.0]), np.array([1.0]), -10, 50) == pytest.approx((2.0 + 0.1 * n).sum(), rel=1e-12)
    np.testing.assert_allclose(passed_sum(np.zeros(2), np.array([0.0, 1.0]), 10, 4), [0.0, 1.0])


@pytest.mark.parametrize("ratio", [0.5, 0.99])
def test_steady_means_near_the_end_and_not_slow(ratio):
    # Layers that go to 1 like 1 + ratio^n: at the cycle found the way left must be below the tolerance, not the step.
    steady = Steadiness(1e-4)
    level = [np.log(1.0 + 0.3 * ratio**n) for n in range(3000)]
    found = next(n for n in range(1, 3000) if steady.settled(n, np.array([level[n] - level[n - 1], 0.0])))
    reached = next(n for n in range(3000) if level[n] < 1e-4)
    assert reached <= found <= reached + 3
    # Free cooling at a constant rate never settles, however slow.
    steady = Steadiness(1e-4)
    assert not any(steady.settled(n, np.array([-1e-6])) for n in range(1, 100))


# ---- runs ----------------------------------------------------------------------------------------


def test_a_decade_by_jumps(tmp_path):
    result = run(tmp_path / "out", film())
    exact = two_bodies(2600)
    summary, results = result.summary, result.summary["results"]
    for cycle in result.cycles:
        assert cycle["T_cold_K"] == pytest.approx(exact[cycle["cycle"]], rel=2e-3)
        assert abs(cycle["first_law_residual"]) < 1e-9
    error = abs(result.cycles[-1]["T_cold_K"] / exact[result.cycles[-1]["cycle"]] - 1)
    assert error < results["jump_error"] < 1e-2
    assert results["stop_at_after"] == results["cycles_passed"] == pytest.approx(int(np.argmax(exact < 0.02)), abs=2)
    assert summary["solver"]["cycles_computed"] * 50 < results["cycles_passed"]
    # Time and sums over the whole run: what was passed over is in them.
    history = result.history()
    assert history["time_s"][-1] == pytest.approx(1.3 * results["cycles_passed"], rel=1e-9)
    assert np.all(np.diff(history["time_s"]) > 0)
    energy = sum(history[name] for name in history if name.startswith("E_"))
    cu = get_material("Cu")
    lost = COPPER * float(cu.energy(0.2) - cu.energy(results["T_cold_final_K"]))
    assert -history["heat_working|load_J"][-1] == pytest.approx(lost, rel=2e-3)
    given = history["heat_bath 1 (sink)_J"][-1]
    assert given == pytest.approx(history["work_J"][-1] + lost, rel=2e-3)
    assert np.ptp(energy - history["work_J"] + history["heat_bath 1 (sink)_J"]) < 2e-3 * given
    assert sum(j["to_cycle"] - j["from_cycle"] for j in results["jumps"]) + len(result.cycles) == 2473


@pytest.mark.slow
@pytest.mark.timeout(1200)  # hundreds of cycles, six minutes on one core
def test_jumps_against_every_cycle(tmp_path):
    # The same run cycle by cycle: temperatures of the same cycles, and what was booked in all.
    jumped = run(tmp_path / "jumped", film("cycle.stop_at=150 mK"))
    values = film("cycle.stop_at=150 mK").model_dump()
    values["cycle"]["jump"] = None
    every = run(tmp_path / "every", Case.model_validate(values))
    assert len(jumped.cycles) * 20 < len(every.cycles)
    assert jumped.summary["results"]["stop_at_after"] == pytest.approx(len(every.cycles), abs=1)
    for cycle in jumped.cycles[:-1]:
        same = every.cycles[cycle["cycle"] - 1]
        for key, rel in {"T_cold_K": 1e-3, "Q_cold_J": 2e-3, "work_J": 2e-3, "cop_over_carnot": 5e-3}.items():
            assert cycle[key] == pytest.approx(same[key], rel=rel), key
    a, b = jumped.history(), every.history()
    for name in ("heat_working|load_J", "work_J", "heat_bath 1 (sink)_J", "entropy_to_baths_J_per_K"):
        assert a[name][-1] == pytest.approx(b[name][-1], rel=5e-3), name


@pytest.mark.mpi
def test_jumps_on_any_number_of_ranks(shared_tmp_path, comm):
    result = run(shared_tmp_path / "out", film("cycle.stop_at=150 mK", "cycle.jump=1e-4"), comm)
    exact = two_bodies(400)
    assert len(result.summary["results"]["jumps"]) > 1
    assert result.cycles[-1]["T_cold_K"] == pytest.approx(exact[result.cycles[-1]["cycle"]], rel=5e-4)
    assert result.cycles[-1]["T_cold_K"] <= 0.15 < result.cycles[-2]["T_cold_K"]


def loaded(*more):
    """With heat put into the copper in each cycle, so that it comes to rest at 54 mK."""
    values = film(*more).model_dump()
    del values["cycle"]["stop_at"]
    load = {"layer": "load", "power": 8e-10, "face": "volume", "during": ["demagnetise"]}
    return Case.model_validate(values | {"load": [load]})


def test_jumps_come_to_rest_at_a_floor(tmp_path):
    # The first, straight jump must be refused: the load bends the way. Then the ratio of gains leads to the floor.
    result = run(tmp_path / "out", loaded("cycle.repeat=30000", "cycle.steady=1e-3"))
    results = result.summary["results"]
    exact = two_bodies(30000, heat=8e-11)
    assert result.summary["solver"]["jumps_refused"] >= 1
    assert results["steady_after"] == results["cycles_passed"] < 15000
    assert results["T_cold_final_K"] == pytest.approx(exact[-1], rel=1e-3)
    for cycle in result.cycles:
        assert cycle["T_cold_K"] == pytest.approx(exact[cycle["cycle"]], rel=2e-3)
    numbers = [cycle["cycle"] for cycle in result.cycles]
    assert numbers == sorted(set(numbers))
    assert result.summary["solver"]["cycles_computed"] > len(numbers)
    history = result.history()
    assert np.all(np.diff(history["time_s"]) > 0)
    assert sorted(set(history["cycle"])) == numbers
    assert history["load_J"][-1] == pytest.approx(8e-11 * results["cycles_passed"], rel=1e-9)


def test_resume_between_jump_and_confirmation(tmp_path, monkeypatch):
    case = loaded("cycle.repeat=200")
    whole = run(tmp_path / "whole", case)
    shown = run_module._Run._show
    pending = []
    end = CycleJumper.end_of_cycle

    def watch(jumper):
        pending.append(jumper._pending)
        return end(jumper)

    def show(*args):
        shown(*args)  # type: ignore[arg-type]
        if len(pending) == 3:  # in the cycle after the first jump, which will be taken back
            raise Interrupted

    with monkeypatch.context() as patch:
        patch.setattr(run_module._Run, "_show", show)
        patch.setattr(CycleJumper, "end_of_cycle", watch)
        with pytest.raises(Interrupted):
            run(tmp_path / "out", case)
    assert pending[2] is not None
    again = run_case(case, tmp_path / "out", MPI.COMM_SELF, resume=True, quiet=True)
    assert again.summary["solver"]["jumps_refused"] == whole.summary["solver"]["jumps_refused"] >= 1
    assert again.summary["solver"]["cycles_computed"] == whole.summary["solver"]["cycles_computed"]
    assert [c["cycle"] for c in again.cycles] == [c["cycle"] for c in whole.cycles]
    for a, b in zip(again.cycles, whole.cycles, strict=True):
        for key in ("T_cold_K", "Q_cold_J", "work_J", "T_cold_drawn_K"):
            assert a[key] == pytest.approx(b[key], rel=1e-9), key
    for key, values in whole.history().items():
        if key != "phase":
            assert again.history()[key][-1] == pytest.approx(values[-1], rel=1e-6, abs=1e-25), key
    # A run that has ended stays ended.
    ended = run_case(case, tmp_path / "out", MPI.COMM_SELF, resume=True, quiet=True)
    assert ended.cycles == again.cycles


def test_stops_when_steady_without_jumps(tmp_path):
    # A film of 1 mm takes two thirds of the copper's energy in each cycle; the load makes a floor.
    values = film("layer.working.thickness=1 mm").model_dump()
    values["cycle"] |= {"jump": None, "stop_at": None, "repeat": 40, "steady": 1e-3}
    values["cycle"]["phases"][1]["duration"] = 200.0
    load = {"layer": "load", "power": 1e-7, "face": "volume", "during": ["demagnetise"]}
    result = run(tmp_path / "out", Case.model_validate(values | {"load": [load]}))
    n = result.summary["results"]["steady_after"]
    assert n == len(result.cycles) < 40
    temperature = [cycle["T_cold_K"] for cycle in result.cycles]
    ratio = (temperature[-1] - temperature[-2]) / (temperature[-2] - temperature[-3])
    rest = temperature[-1] + (temperature[-1] - temperature[-2]) * ratio / (1 - ratio)
    assert temperature[-1] == pytest.approx(rest, rel=1e-3)
    assert abs(temperature[-5] / rest - 1) > 1e-3
    assert result.summary["results"]["jumps"] == []


@pytest.mark.parametrize("setting", ["cycle.jump=0", "cycle.jump=0.5", "cycle.steady=-1e-4", "cycle.stop_at=20 mT"])
def test_wrong_settings_are_told(setting):
    with pytest.raises(InputError, match=setting.split("=")[0].split(".")[1]):
        film(setting)
