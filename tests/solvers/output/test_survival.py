"""Runs that are killed, stopped and damaged go on to the same result, or say in one line why not."""

import json
import logging
import os
import random
import re
import shlex
import shutil
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from mpi4py import MPI

from solvers.case.model import Case, load_case
from solvers.command.run import repeat_command
from solvers.cycles.run import run
from solvers.cycles.stopping import Interrupted
from solvers.errors import ComputationError, InputError
from solvers.output.lock import FolderLock
from solvers.output.provenance import commit, mesh_sha256
from solvers.output.result import Result, replace_file
from solvers.output.state_file import BEFORE, BROKEN, FILE, read_state, write_state
from solvers.simulation.simulation import Simulation
from tests.solvers.command.test_main import ENVIRONMENT, coldstack

KILLED = Path(__file__).with_name("killed.py")
BLOCKS = """
start = "100 mK"
layer = [
  { name = "cold", material = "Cu", thickness = "1 um", size = ["10 um", "10 um"] },
  { name = "hot", material = "Cu", thickness = "1 um", size = ["10 um", "10 um"] },
]
interface = [{ between = ["cold", "hot"], resistance_area = "2e-6 ohm m^2", conducts_in = ["cool"] }]
bath = [{ layer = "hot", face = "top", temperature = "50 mK", conductance = "1e3 W/m^2/K", conducts_in = ["reject"] }]
cycle = { repeat = 3, phases = [
  { name = "cool", hold = 0, duration = "1e-3 s" }, { name = "reject", hold = 0, duration = "1e-3 s" }] }
mesh = { growth = 3, edge_cell = "5 um", interior_cell = "5 um", lateral_growth = 3 }
output = { fields = "none", figures = false }
solver = { rtol = 1e-5 }
"""


def blocks(folder, *changes):
    """Two blocks of copper that cool to a bath in two steps of a cycle."""
    (folder / "blocks.toml").write_text(BLOCKS, encoding="utf-8")
    return load_case(folder / "blocks.toml", changes)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    return run(blocks(folder), folder / "out", MPI.COMM_SELF, quiet=True)


def assert_same(result, whole, rel=1e-10):
    history, expected = result.history(), whole.history()
    assert list(history) == list(expected)
    assert list(history["phase"]) == list(expected["phase"])
    for name, values in expected.items():
        if name != "phase":
            np.testing.assert_allclose(history[name], values, rtol=rel, err_msg=name)
    for ours, theirs in zip(result.cycles, whole.cycles, strict=True):
        for key in ("T_cold_K", "Q_cold_J", "entropy_produced_J_per_K"):
            assert ours[key] == pytest.approx(theirs[key], rel=rel), key


def killed(folder, when, number, ranks=1):
    launcher = ["mpirun", "-n", str(ranks)] if ranks > 1 else []
    command = [*launcher, sys.executable, str(KILLED), str(folder / "blocks.toml"), str(folder / "out")]
    done = subprocess.run(
        [*command, when, str(number)], env=ENVIRONMENT, capture_output=True, text=True, timeout=120, check=False
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode


# ---- killed --------------------------------------------------------------------------------------


def test_killed_inside_each_write(tmp_path, whole):
    # A checkpoint and its tables are put in place by six calls; each life begins with one and dies in a later one.
    case = blocks(tmp_path)
    for when, number in (("replace", 3), ("sync", 2), ("replace", 2), ("replace", 8), ("sync", 9), ("replace", 10)):
        assert killed(tmp_path, when, number) < 0
    result = run(case, tmp_path / "out", MPI.COMM_SELF, resume=True, quiet=True)
    assert_same(result, whole)
    assert not list((tmp_path / "out").rglob("*.part"))


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("ranks", [1, 2])
def test_killed_at_random_moments(tmp_path, whole, ranks):
    chance = random.Random(ranks)
    # Another number of ranks adds in another order: lengths of steps differ by some 1e-8.
    case, died, rel = blocks(tmp_path), 0, 1e-10 if ranks == 1 else 1e-6
    while died < 20:
        when = chance.choice(["replace", "sync", "after"])
        number = chance.uniform(0.0, 0.3) if when == "after" else chance.randint(1, 40)
        if when != "after" and not (tmp_path / "out" / "checkpoint").is_dir():
            number = max(number, 3)  # before the first checkpoint there is nothing to go on from
        if killed(tmp_path, when, number, ranks):
            died += 1
        else:  # it came to its end: the next one begins anew
            assert_same(Result.load(tmp_path / "out"), whole, rel)
            shutil.rmtree(tmp_path / "out")
    if (tmp_path / "out" / "checkpoint").is_dir():
        assert_same(run(case, tmp_path / "out", MPI.COMM_SELF, resume=True, quiet=True), whole, rel)


# ---- damaged -------------------------------------------------------------------------------------


@pytest.fixture
def stopped(tmp_path):
    """Folder of a run that used up its steps in the second cycle; two checkpoints are there."""
    with pytest.raises(ComputationError, match="max_steps"):
        run(blocks(tmp_path, "solver.max_steps=60", "cycle.repeat=3"), tmp_path / "out", MPI.COMM_SELF, quiet=True)
    assert {path.name for path in (tmp_path / "out" / "checkpoint").iterdir()} == {FILE, BEFORE}
    return tmp_path / "out"


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "lost"])
def test_damaged_checkpoint_falls_back(stopped, whole, damage, caplog):
    file = stopped / "checkpoint" / FILE
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    match damage:
        case "lost":
            file.unlink()
        case "cut" | "empty":
            file.write_bytes(data[: len(data) // 3] if damage == "cut" else b"")
        case _:
            file.write_bytes(data)
    for name in ("history.csv", "cycles.csv", "profiles.npz"):  # the checkpoint does without
        (stopped / name).write_bytes(b"cut, 1\n")
    (stopped / "history.csv").unlink()
    with caplog.at_level(logging.WARNING, "coldstack"):
        result = run(blocks(stopped.parent), stopped, MPI.COMM_SELF, resume=True, quiet=True)
    assert_same(result, whole)
    if damage != "lost":
        assert "is damaged" in caplog.text
        assert "goes on from the checkpoint before" in caplog.text
        assert (stopped / "checkpoint" / BROKEN).is_file()
        assert any("is damaged" in text for text in result.summary["warnings"])


def test_no_good_checkpoint_is_one_line(stopped):
    for name in (FILE, BEFORE):
        (stopped / "checkpoint" / name).write_bytes(b"PK\x03\x04nothing")
    before = {path: path.stat().st_mtime_ns for path in stopped.rglob("*")}
    done = coldstack("run", "--resume", "out", folder=stopped.parent)
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert "cannot be resumed: out/checkpoint/state.npz is damaged" in line
    assert {path: path.stat().st_mtime_ns for path in stopped.rglob("*") if path.name != "log.txt"} == {
        path: time for path, time in before.items() if path.name != "log.txt"
    }


def test_state_file_of_another_format(tmp_path, monkeypatch):
    monkeypatch.setattr("solvers.output.state_file.FORMAT", 999)
    write_state(tmp_path / "checkpoint", {"a": np.arange(3.0)}, {"b": 1})
    monkeypatch.undo()
    with pytest.raises(InputError, match="of another version of coldstack"):
        read_state(tmp_path / "checkpoint")


def test_failed_write_leaves_what_was_there(tmp_path):
    file = tmp_path / "file"
    file.write_text("before", encoding="utf-8")

    def fail():
        with replace_file(file) as partial:
            partial.write_text("half", encoding="utf-8")
            raise OSError("full")

    with pytest.raises(OSError, match="full"):
        fail()
    assert file.read_text(encoding="utf-8") == "before"
    assert list(tmp_path.iterdir()) == [file]


# ---- stopped, and gone on with other settings ----------------------------------------------------


def test_other_settings(stopped, whole):
    with pytest.raises(InputError) as caught:
        run(blocks(stopped.parent, "start=0.2", "layer.hot.thickness=2um"), stopped, MPI.COMM_SELF, resume=True)
    assert "start: the run began with 0.1, not 0.2" in caught.value.lines[0]
    assert "layer.hot.thickness: the run began with 1e-06, not 2e-06" in caught.value.lines[1]
    with pytest.raises(InputError, match=r"cycle\.repeat: 1, but 2 cycles have begun"):
        run(blocks(stopped.parent, "cycle.repeat=1"), stopped, MPI.COMM_SELF, resume=True)
    case = blocks(stopped.parent, "cycle.repeat=4", "solver.memory_limit=2 GB", "title='longer'")
    result = run(case, stopped, MPI.COMM_SELF, resume=True, quiet=True)
    first, second = result.summary["sessions"]
    assert first["changed"] == {}
    assert second["changed"] == {
        "title": ["untitled", "longer"],
        "cycle.repeat": [3, 4],
        "solver.max_steps": [60, 100_000],
        "solver.memory_limit": [None, 2e9],
    }
    assert second["from_time_s"] > 0
    assert second["host"] == socket.gethostname()
    assert load_case(stopped / "case.toml") == case
    assert len(result.cycles) == 4
    for ours, theirs in zip(result.cycles, whole.cycles, strict=False):
        assert ours["T_cold_K"] == pytest.approx(theirs["T_cold_K"], rel=1e-10)


def test_the_advice_works(tmp_path, whole):
    blocks(tmp_path)
    changes = ["--set", "cycle.repeat=3", "--set", "solver.rtol=1e-5"]
    done = coldstack("run", "blocks.toml", "--output", "a b", *changes, "--max-time", "1 us", folder=tmp_path)
    assert done.returncode == 130
    [line] = done.stderr.splitlines()
    assert "stopped because its time is over" in line
    program, *arguments = shlex.split(line.split("go on with: ")[1])
    assert program == "coldstack"
    assert arguments == ["run", "--resume", "a b"]
    done = coldstack(*arguments, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert_same(Result.load(tmp_path / "a b"), whole)


def test_checkpoint_every(tmp_path, monkeypatch):
    # With no time between checkpoints there is one behind each step.
    saved = []
    monkeypatch.setattr("solvers.output.checkpoint.write_state", lambda _, arrays, data: saved.append(data))
    case = blocks(tmp_path, "output.checkpoint_every=1e-9", "cycle.repeat=1", "solver.rtol=1e-3")
    result = run(case, tmp_path / "out", MPI.COMM_SELF, quiet=True)
    steps = [data["states"]["now"]["counters"]["steps"] for data in saved]
    assert set(steps) == set(range(result.summary["solver"]["steps"] + 1))
    assert {data["more"]["case_sha256"] for data in saved} == {result.summary["case_sha256"]}


# ---- two runs, one folder ------------------------------------------------------------------------


def test_lock(tmp_path):
    lock = FolderLock(tmp_path)
    lock.take()
    with pytest.raises(InputError, match=f"at work in it .process {os.getpid()} on {socket.gethostname()}"):
        FolderLock(tmp_path).take()
    lock.release()
    assert not list(tmp_path.iterdir())
    # What a killed run leaves behind keeps nobody out.
    (tmp_path / "lock").write_text(f"{socket.gethostname()} 999999999\n", encoding="utf-8")
    again = FolderLock(tmp_path)
    again.take()
    assert (tmp_path / "lock").read_text(encoding="utf-8") == f"{socket.gethostname()} {os.getpid()}\n"
    again.release()


def test_lock_without_locks_of_the_system(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("fcntl.flock", refuse)
    FolderLock(tmp_path).take()
    with pytest.raises(InputError, match="at work in it"):
        FolderLock(tmp_path).take()
    (tmp_path / "lock").write_text(f"{socket.gethostname()} 999999999\n", encoding="utf-8")
    FolderLock(tmp_path).take()
    (tmp_path / "lock").write_text("elsewhere 12\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"process 12 on elsewhere\); if it is not, delete"):
        FolderLock(tmp_path).take()


@pytest.mark.mpi
def test_folder_in_use_on_all_ranks(shared_tmp_path, comm, monkeypatch):
    inside = []

    def second(*_):
        with pytest.raises(InputError) as caught:
            run(case, shared_tmp_path / "out", comm, resume=True, quiet=True)
        inside.append(str(caught.value))
        raise Interrupted("stopped by the test")

    case = Case.model_validate(comm.bcast(blocks(shared_tmp_path).model_dump() if comm.rank == 0 else None))
    monkeypatch.setattr("solvers.cycles.run._Run._show", second)
    with pytest.raises(Interrupted, match="go on with: "):
        run(case, shared_tmp_path / "out", comm, quiet=True)
    assert "a run is at work in it" in inside[0]
    comm.barrier()
    assert not (shared_tmp_path / "out" / "lock").exists()


# ---- surroundings --------------------------------------------------------------------------------


# MPI has files of its own that must not fail: the limit comes behind it.
NO_LARGER = """
import resource, sys
from mpi4py import MPI
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]),) * 2)
del sys.argv[1]
from solvers.command.main import main
main()
"""


def started(folder, prefix="", suffix="", program="-m solvers.command.main", **environment):
    """`coldstack run` of the two blocks, with figures, in a shell."""
    (folder / "blocks.toml").write_text(BLOCKS.replace("figures = false", "figures = true"), encoding="utf-8")
    changes = "--set cycle.repeat=1 --set solver.rtol=1e-2 --set title=µ"
    command = f"{prefix} {shlex.quote(sys.executable)} {program} run blocks.toml --output out {changes}"
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", f"{command} {suffix}"],
        cwd=folder,
        env=ENVIRONMENT | environment,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
        errors="replace",
    )


def test_reader_who_leaves_ascii_and_no_home(tmp_path):
    done = started(tmp_path, "env -u HOME", "| true", PYTHONIOENCODING="ascii", MPLBACKEND="module://nowhere")
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert (tmp_path / "out" / "figures" / "history.png").is_file()


def test_figures_never_fail_a_run(tmp_path):
    (tmp_path / "matplotlibrc").write_text("text.usetex: true\n", encoding="utf-8")
    done = started(tmp_path, MPLBACKEND="no-such-backend")
    assert done.returncode == 0, done.stderr
    assert "warning: the figures could not be drawn (" in done.stdout or not done.stderr
    shutil.rmtree(tmp_path / "out")
    done = started(tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "figures" / "history.png").is_file()
    assert "could not be drawn" not in done.stdout


def test_full_disk_is_one_line_and_leaves_the_checkpoint(tmp_path, whole):
    # No file may become larger than this: nothing can be written; then the history outgrows it on the way.
    done = started(tmp_path, program=f"-c {shlex.quote(NO_LARGER)} 3000")
    assert done.returncode == 3
    [line] = done.stderr.splitlines()
    assert "the disk refuses: [Errno 27] File too large" in line
    assert not (tmp_path / "out").exists()
    often = "--quiet --set solver.rtol=1e-6 --set output.checkpoint_every=1e-9"
    done = started(tmp_path, "", often, f"-c {shlex.quote(NO_LARGER)} 30000")
    assert done.returncode == 3
    [line] = done.stderr.splitlines()
    assert "the disk refuses: [Errno 27] File too large" in line
    assert "go on with: coldstack run --resume out" in line
    settings = ["solver.rtol=1e-2", "cycle.repeat=1", "output.figures=false"]
    result = run(blocks(tmp_path, *settings), tmp_path / "out", MPI.COMM_SELF, resume=True, quiet=True)
    assert result.cycles[0]["T_cold_K"] == pytest.approx(whole.cycles[0]["T_cold_K"], rel=1e-3)


def test_vanished_folder(tmp_path, monkeypatch):
    case = blocks(tmp_path, "output.checkpoint_every=1e-9")
    monkeypatch.setattr("solvers.cycles.run._Run._show", lambda *_: shutil.rmtree(tmp_path / "out"))
    with pytest.raises(ComputationError, match=r"the disk refuses: .*No such file or directory"):
        run(case, tmp_path / "out", MPI.COMM_SELF, quiet=True)
    assert [path.name for path in tmp_path.iterdir()] == ["blocks.toml"]


def test_folder_that_appears_and_link_to_nowhere(tmp_path, monkeypatch):
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"is a link to .*nowhere, which is not there"):
        run(blocks(tmp_path), tmp_path / "link", MPI.COMM_SELF, quiet=True)
    monkeypatch.setattr("solvers.output.folder.refuse_existing", lambda path: path.mkdir())
    with pytest.raises(InputError, match="exists already"):
        run(blocks(tmp_path), tmp_path / "out", MPI.COMM_SELF, quiet=True)
    assert not list((tmp_path / "out").iterdir())


def test_in_a_thread(tmp_path):
    case = blocks(tmp_path, "cycle.repeat=1", "solver.rtol=1e-2")
    with ThreadPoolExecutor(1) as pool:
        result = pool.submit(run, case, tmp_path / "out", MPI.COMM_SELF, quiet=True).result()
    assert len(result.cycles) == 1


# ---- repeated ------------------------------------------------------------------------------------


def test_summary_repeats_its_run(whole, tmp_path):
    summary = json.loads((whole.folder / "summary.json").read_text(encoding="utf-8"))
    names = "coldstack dolfinx petsc hypre mumps mpi gmsh blas numpy python"
    assert set(summary["versions"]) == set(names.split())
    assert "unknown" not in summary["versions"].values()
    file = tmp_path / "summary.json"
    file.write_text(json.dumps(summary), encoding="utf-8")
    done = coldstack("run", "--repeat", "summary.json", "--output", "again", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "repeated summary.json: cycles differ by at most 0.0e+00; all versions are the same" in done.stdout
    assert json.loads((tmp_path / "again" / "summary.json").read_text())["mesh_sha256"] == summary["mesh_sha256"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda s: s["case"].update(start=0.2), "the hashes differ"),
        (lambda s: s.pop("results"), "is no summary of a run (KeyError)"),
        (lambda s: s["case"].update(start="hot"), "needs a temperature"),
    ],
)
def test_changed_summary_is_refused(whole, tmp_path, change, words):
    summary = json.loads((whole.folder / "summary.json").read_text(encoding="utf-8"))
    change(summary)
    (tmp_path / "summary.json").write_text(json.dumps(summary), encoding="utf-8")
    with pytest.raises(InputError, match=re.escape(words)):
        repeat_command(MPI.COMM_SELF, tmp_path / "summary.json", [], tmp_path / "out", quiet=True)


@pytest.mark.mpi
def test_mesh_hash_on_any_ranks(shared_tmp_path, comm):
    case = Case.model_validate(comm.bcast(blocks(shared_tmp_path).model_dump() if comm.rank == 0 else None))
    finer = case.model_copy(update={"mesh": case.mesh.model_copy(update={"edge_cell": 4e-6})})
    together, alone = (mesh_sha256(Simulation(case, ranks)) for ranks in (comm, MPI.COMM_SELF))
    assert together == alone
    assert mesh_sha256(Simulation(finer, comm)) != alone


def test_commit_of_a_checkout(tmp_path, monkeypatch):
    monkeypatch.setattr("solvers.output.provenance.ROOT", tmp_path / "tree")
    git, first, second = tmp_path / "tree" / ".git", "1" * 40, "2" * 40
    (git / "refs" / "heads").mkdir(parents=True)
    assert commit() is None
    (git / "HEAD").write_text("ref: refs/heads/main\n", encoding="utf-8")
    (git / "packed-refs").write_text(f"# packed\n{first} refs/heads/main\n", encoding="utf-8")
    assert commit() == first
    (git / "refs" / "heads" / "main").write_text(f"{second}\n", encoding="utf-8")
    assert commit() == second
    git.rename(tmp_path / "common")  # and now a worktree beside it
    side = tmp_path / "common" / "worktrees" / "side"
    side.mkdir(parents=True)
    git.write_text(f"gitdir: {side}\n", encoding="utf-8")
    (side / "commondir").write_text("../..\n", encoding="utf-8")
    (side / "HEAD").write_text("ref: refs/heads/main\n", encoding="utf-8")
    assert commit() == second
    (side / "HEAD").write_text(f"{first}\n", encoding="utf-8")
    assert commit() == first
