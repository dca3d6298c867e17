"""Members computed at once by libEnsemble, each by an own `mpirun -n RANKS coldstack run`, or `srun` under Slurm.

The manager gives members to workers (processes) through libEnsemble; a worker starts a member, waits for it and writes
into its folder how it ended. So all that is known is on disk, whatever ends: workers stop their member and leave when
the manager is gone, and the lock of the study's folder, which they inherit, is free only after that.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from solvers.errors import ComputationError
from solvers.studies.folder import DONE, FAILED, TIMED_OUT, Record, StudyFolder, write_record
from solvers.studies.room import Room, step_options

TERM_WAIT = 5.0  # s between asking a member to stop and killing it
LOOK = 0.05  # s between looks of the manager at its workers
WATCH = 0.5  # s between looks at whether the manager is still there
_APP = "coldstack"
_INTERRUPTED = (130, 143, -signal.SIGINT, -signal.SIGTERM)  # exit codes of a member that was asked to stop


def run_members(
    folder: StudyFolder,
    shas: Sequence[str],
    ranks: int,
    room: Room,
    member_time: float | None,
    ended: Callable[[], None],
) -> None:
    """Compute members whose folders are prepared.

    Args:
        folder: of the study.
        shas: which members.
        ranks: MPI ranks of each.
        room: where they run; as many at the same time as it holds.
        member_time: s after which a member is stopped; None: never.
        ended: called now and then, and after the end of each member.

    Raises:
        ComputationError: the engine itself failed; what is done is on disk.
        KeyboardInterrupt: stopped by a signal; members that were running are stopped too.
    """
    try:
        from libensemble import Ensemble
        from libensemble.alloc_funcs.give_pregenerated_work import give_pregenerated_sim_work
        from libensemble.executors.mpi_executor import MPIExecutor
        from libensemble.specs import AllocSpecs, ExitCriteria, LibeSpecs, SimSpecs
    except ImportError as error:
        raise ComputationError(f'studies need libEnsemble: pip install "coldstack[studies]" ({error})') from None

    def allocate(*arguments: Any) -> Any:
        ended()
        if not arguments[-1]["any_idle_workers"]:
            time.sleep(LOOK)  # the manager would look again at once, and take a core from the members
        return give_pregenerated_sim_work(*arguments)

    kinds = [("sha", "U64"), ("sim_id", int), ("sim_started", bool), ("sim_ended", bool)]
    points = np.zeros(len(shas), dtype=kinds)
    points["sha"], points["sim_id"] = list(shas), range(len(shas))
    launch = _launch(room, ranks)
    with _in_folder(folder.path / "engine"), _stopped_by_signals(), _environment():
        executor = MPIExecutor(custom_info={"mpi_runner": "srun"} if room.slurm else {})
        executor.register_app(full_path=sys.executable, app_name=_APP)
        ensemble = Ensemble(
            parse_args=False,
            executor=executor,
            libE_specs=LibeSpecs(
                nworkers=min(room.at_once(ranks), len(shas)),
                comms="local",
                disable_resource_manager=True,
                save_every_k_sims=0,
                save_H_and_persis_on_abort=False,
                safe_mode=False,
                worker_timeout=1,
                disable_log_files=False,
            ),
            sim_specs=SimSpecs(
                sim_f=_member,
                inputs=["sha"],
                out=[("code", int)],
                user={
                    "root": str(folder.path),
                    "launch": launch,
                    "member_time": member_time,
                    "manager": os.getpid(),
                },
            ),
            alloc_specs=AllocSpecs(alloc_f=allocate),
            exit_criteria=ExitCriteria(sim_max=len(shas)),
            H0=points,
        )
        try:
            ensemble.run()
        except KeyboardInterrupt:
            raise
        except Exception as error:
            log = folder.path / "engine" / "ensemble.log"
            raise ComputationError(
                f"the engine of the study failed: {error} (see {log}); start it again to go on"
            ) from error


def _launch(room: Room, ranks: int) -> dict[str, Any]:
    """How a member is started, in words of libEnsemble's executor."""
    if not room.slurm:
        return {"num_procs": ranks}
    shape = room.shape(ranks)
    assert shape is not None  # Room.problem was asked
    nodes, on_each = shape
    return {
        "num_procs": ranks,
        "num_nodes": nodes,
        "procs_per_node": on_each,
        "extra_args": step_options(ranks, nodes),
    }


def _member(points: Any, persis_info: Any, specs: dict[str, Any], info: dict[str, Any]) -> Any:
    """Run one member (in a worker)."""
    from libensemble.executors import Executor

    user = specs["user"]
    folder = StudyFolder(Path(user["root"])).member(str(points["sha"][0]))
    watch = _Watch(user["manager"])
    start = time.monotonic()
    arguments = "-m solvers.command.main run member.toml --quiet"
    if (folder / "run" / "checkpoint").is_dir():
        arguments += " --resume run"
    else:
        arguments += " --output run"
        shutil.rmtree(folder / "run", ignore_errors=True)
    out = np.zeros(1, dtype=specs["out"])
    if _Watch.leaving:
        return out, persis_info
    with _in_folder(folder):
        watch.task = Executor.executor.submit(
            app_name=_APP, app_args=arguments, stdout="out.txt", stderr="err.txt", **user["launch"]
        )
        if _Watch.leaving:  # asked in between
            _Watch.stop_member()
        record = _outcome(watch.task, folder, user["member_time"])
    asked = watch.task.errcode in _INTERRUPTED and not _crashes(_said(folder))
    interrupted = record.status == FAILED and (_Watch.leaving or asked)
    watch.task = None
    if not interrupted:
        write_record(folder, Record(record.status, record.error, time.monotonic() - start))
    out["code"] = record.status != DONE
    return out, persis_info


def _outcome(task: Any, folder: Path, member_time: float | None) -> Record:
    """Wait for a member."""
    from libensemble.executors.executor import TimeoutExpired

    try:
        task.wait(member_time)
    except TimeoutExpired:
        task.kill(wait_time=TERM_WAIT)
        return Record(TIMED_OUT, f"stopped after {member_time:g} s (--member-time)")
    if task.errcode == 0 and (folder / "run" / "summary.json").is_file():
        return Record(DONE)
    return Record(FAILED, _reason(folder, task.errcode))


def _reason(folder: Path, code: int) -> str:
    """What a failed member said last: its own message if there is one, else what its launcher or code says."""
    lines = _said(folder)
    ours = [line for line in lines if line.startswith(("coldstack:", "member.toml"))]
    died = [line for line in lines if "signal" in line.lower()]
    error = [line for line in lines if "Error" in line]
    return next((found[-1] for found in (ours, died, error, _crashes(lines), lines) if found), f"exit code {code}")


def _said(folder: Path) -> list[str]:
    """Lines of a member's messages."""
    try:
        text = (folder / "err.txt").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    return [" ".join(line.split()) for line in text.splitlines() if line.strip(" -\t")]


def _crashes(lines: Sequence[str]) -> list[str]:
    """What srun says of ranks that ended by themselves; it then stops the others, and its exit code may be theirs."""
    asked = ("Terminated", "Killed", "exit code 130", "exit code 143")
    return [line for line in lines if line.startswith("srun: error:") and not line.endswith(asked)]


class _Watch:
    """Stops the member of a worker when the study is stopped, and the worker too when the manager is gone."""

    _thread: threading.Thread | None = None
    _current: _Watch | None = None
    leaving = False

    def __init__(self, manager: int) -> None:
        self.task: Any = None
        _Watch._current = self
        if _Watch._thread is None:
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the manager, which ends the workers
            signal.signal(signal.SIGTERM, lambda *_: self._asked())
            parent = os.getppid()
            _Watch._thread = threading.Thread(target=self._look, args=(parent,), daemon=True)
            _Watch._thread.start()

    def _look(self, parent: int) -> None:
        while os.getppid() == parent:
            time.sleep(WATCH)
        self._leave()

    @staticmethod
    def _asked() -> None:
        if _Watch.leaving:  # a second time: libEnsemble ends its workers
            _Watch._leave()
        _Watch.leaving = True
        _Watch.stop_member()

    @staticmethod
    def _leave() -> None:
        _Watch.leaving = True
        _Watch.stop_member()
        os._exit(1)

    @staticmethod
    def stop_member() -> None:
        process = getattr(_Watch._current.task if _Watch._current is not None else None, "process", None)
        if process is not None:
            _stop(process.pid)


def _stop(pid: int) -> None:
    """Ask a child to end, and kill it after some time; it is waited for by somebody else."""
    with contextlib.suppress(OSError):  # it is gone
        os.kill(pid, signal.SIGTERM)
        start = time.monotonic()
        while time.monotonic() - start < TERM_WAIT:
            if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
                return
            time.sleep(0.02)
        os.kill(pid, signal.SIGKILL)


@contextlib.contextmanager
def _in_folder(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


@contextlib.contextmanager
def _stopped_by_signals() -> Iterator[None]:
    """SIGTERM and Ctrl-C end the study: all members at once, as libEnsemble would wait for those that run."""

    def stop(*_: object) -> None:
        for worker in multiprocessing.active_children():
            worker.terminate()
        raise KeyboardInterrupt

    old = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _environment() -> Iterator[None]:
    """Members find this package wherever they start."""
    before = os.environ.get("PYTHONPATH")
    root = str(Path(__file__).parents[2])
    os.environ["PYTHONPATH"] = root if before is None else f"{root}{os.pathsep}{before}"
    try:
        yield
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before
