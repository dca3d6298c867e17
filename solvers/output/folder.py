"""The output folder of a run: what is written when, and how a run goes on from it."""

from __future__ import annotations

import shlex
import shutil
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from solvers.case.changes import Changes, allowed_changes
from solvers.case.model import case_sha256
from solvers.errors import InputError, on_first_rank
from solvers.output import checkpoint
from solvers.output.case_file import write_case
from solvers.output.lock import FolderLock, refuse_existing
from solvers.output.log import log
from solvers.output.paraview import write_fields
from solvers.output.recorder import Recorder
from solvers.output.result import replace_file
from solvers.output.state_file import Arrays
from solvers.simulation.simulation import Simulation
from solvers.simulation.state import RunState

HISTORY, PROFILES = "history.", "profiles."


class OutputFolder:
    """Writes and reads the files of a run.

    The checkpoint holds all that the tables do, so that a run that is killed at any moment goes on from it alone.

    Args:
        path: of the folder.
        sim: the run.
        recorder: what it records.

    Attributes:
        sessions: from where to where the run was computed at one go, on what, with which settings changed.
    """

    def __init__(self, path: Path, sim: Simulation, recorder: Recorder) -> None:
        self.path, self.sim, self.recorder = path, sim, recorder
        self.checkpoint = path / "checkpoint"
        self._lock = FolderLock(path)
        self._start = time.perf_counter()
        self.sessions: list[dict[str, Any]] = []

    @property
    def again(self) -> str:
        """The command that goes on with the run."""
        size = self.sim.comm.size
        launcher = f"mpirun -n {size} " if size > 1 else ""
        return f"{launcher}coldstack run --resume {shlex.quote(str(self.path))}"

    @contextmanager
    def opened(self, new: bool) -> Iterator[None]:
        """Make the folder, with the case in it, or find it there; no other run can use it in the block (collective).

        Args:
            new: make it.

        Raises:
            InputError: it exists, or does not, or another run is at work in it; on all ranks.
            ComputationError: it cannot be written; on all ranks.
        """
        comm = self.sim.comm
        on_first_rank(comm, self._create if new else self._find)
        try:
            if new:
                self._begin_session({})
            yield
        finally:
            if comm.rank == 0:
                self._lock.release()

    def _create(self) -> None:
        refuse_existing(self.path)
        try:
            self.path.mkdir(parents=True)
        except FileExistsError:  # made since
            raise InputError(f"{self.path}: the output folder exists already; choose another") from None
        try:
            self._lock.take()
            write_case(self.sim.case, self.path / "case.toml")
        except OSError:
            shutil.rmtree(self.path, ignore_errors=True)
            raise

    def discard(self) -> None:
        """Remove a new folder in which nothing could be written: it would be in the next try's way (collective)."""
        on_first_rank(self.sim.comm, lambda: shutil.rmtree(self.path, ignore_errors=True))

    def _find(self) -> None:
        if not self.checkpoint.is_dir():
            raise InputError(f"{self.path}: cannot be resumed: it holds no checkpoint")
        self._lock.take()

    def _begin_session(self, changed: Changes) -> None:
        host = self.sim.comm.bcast(socket.gethostname())
        clock = self.sim.clock
        self.sessions.append(
            {
                "host": host,
                "ranks": self.sim.comm.size,
                "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
                "from_cycle": clock.cycle + 1,
                "from_time_s": clock.time,
                "changed": changed,
                "wall_time_s": 0.0,
            }
        )

    def save(self, states: Mapping[str, RunState], more: Mapping[str, Any]) -> None:
        """Write checkpoint and tables (collective).

        Args:
            states: besides the present one, by name.
            more: plain data to keep with them.

        Raises:
            ComputationError: the disk refuses; the checkpoint before is as it was. On all ranks.
        """
        sim, recorder = self.sim, self.recorder
        with sim.timed("output"):
            self.sessions[-1]["wall_time_s"] = time.perf_counter() - self._start
            case = sim.case.model_dump(mode="json")
            data = {"case": case, "case_sha256": case_sha256(sim.case), "sessions": self.sessions}
            tables: Arrays = {}
            if sim.comm.rank == 0:
                tables |= {f"{HISTORY}{name}": values for name, values in recorder.history.arrays().items()}
                tables |= {f"{PROFILES}{name}": values for name, values in recorder.profiles.arrays.items()}
            whole = {"now": sim.state(), **states}
            checkpoint.save(sim, self.checkpoint, whole, {"recorder": recorder.state(), **data, **more}, tables)
            on_first_rank(sim.comm, self._write_tables)

    def _write_tables(self) -> None:
        self.recorder.history.write(self.path / "history.csv")
        self.recorder.accounts.write(self.path / "cycles.csv")
        with replace_file(self.path / "profiles.npz") as partial, partial.open("wb") as stream:
            np.savez(stream, **self.recorder.profiles.arrays)  # type: ignore[arg-type]

    def resume(self) -> tuple[dict[str, RunState], dict[str, Any]]:
        """Set run, recorder and tables to the checkpoint; returns the states and data saved (collective).

        Raises:
            InputError: it holds nothing that this case can go on from; on all ranks.
        """
        sim, recorder = self.sim, self.recorder
        states, more, tables = checkpoint.load(sim, self.checkpoint)
        changed = allowed_changes(more["case"], sim.case)
        clock = states["now"].clock
        begun = clock.cycle + (clock.phase > 0 or clock.in_phase > 0.0)
        if sim.case.cycle.repeat < begun:
            raise InputError(f"cycle.repeat: {sim.case.cycle.repeat}, but {begun} cycles have begun already")
        sim.restore(states["now"])
        recorder.restore(more["recorder"])
        self.sessions = more["sessions"]
        self._begin_session(changed)
        arrays = {n.removeprefix(PROFILES): tables[n] for n in tables if n.startswith(PROFILES)}
        recorder.profiles.arrays = sim.comm.bcast(arrays)

        def rewrite() -> None:
            rows = {n.removeprefix(HISTORY): tables[n] for n in tables if n.startswith(HISTORY)}
            recorder.history.restore(rows)
            for key, (old, new) in changed.items():
                log.info("%s is %s from here on, was %s", key, new, old)
            if changed:
                write_case(sim.case, self.path / "case.toml")
            self._write_tables()

        on_first_rank(sim.comm, rewrite)
        return states, more

    def write_fields(self, cycle: int, phase: str) -> None:
        """Write the present fields, those at the end of a phase of a cycle (from 1) (collective)."""
        with self.sim.timed("output"):
            write_fields(self.sim, self.path / "fields", f"cycle-{cycle:04d}-{phase}")
