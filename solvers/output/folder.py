"""The output folder of a run: what is written when, and how a run goes on from it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from solvers.case.model import case_sha256
from solvers.errors import InputError, on_first_rank
from solvers.output import checkpoint
from solvers.output.case_file import write_case
from solvers.output.paraview import write_fields
from solvers.output.recorder import Recorder
from solvers.output.result import Result
from solvers.simulation.simulation import Simulation
from solvers.simulation.state import RunState


class OutputFolder:
    """Writes and reads the files of a run.

    Args:
        path: of the folder.
        sim: the run.
        recorder: what it records.
    """

    def __init__(self, path: Path, sim: Simulation, recorder: Recorder) -> None:
        self.path, self.sim, self.recorder = path, sim, recorder
        self.checkpoint = path / "checkpoint"

    def create(self) -> None:
        """Make the folder, with the case in it (collective).

        Raises:
            InputError: there is such a folder; on all ranks.
            ComputationError: it cannot be written; on all ranks.
        """

        def make() -> None:
            refuse_existing(self.path)
            self.path.mkdir(parents=True)
            write_case(self.sim.case, self.path / "case.toml")

        on_first_rank(self.sim.comm, make)

    def save(self, states: Mapping[str, RunState], more: Mapping[str, Any]) -> None:
        """Write tables and checkpoint (collective).

        Args:
            states: besides the present one, by name.
            more: plain data to keep with them.
        """

        def write() -> None:
            self.recorder.history.write(self.path / "history.csv")
            self.recorder.accounts.write(self.path / "cycles.csv")
            np.savez(self.path / "profiles.npz", **self.recorder.profiles.arrays)  # type: ignore[arg-type]

        with self.sim.timed("output"):
            # A run goes on from the checkpoint: rows that are later than it do no harm, missing ones would.
            on_first_rank(self.sim.comm, write)
            data = {"recorder": self.recorder.state(), "case_sha256": case_sha256(self.sim.case), **more}
            checkpoint.save(self.sim, self.checkpoint, {"now": self.sim.state(), **states}, data)

    def resume(self) -> tuple[dict[str, RunState], dict[str, Any]]:
        """Set run and recorder to what is in the folder; returns the states and data saved (collective).

        Raises:
            InputError: it holds nothing that this case can go on from; on all ranks.
        """
        try:
            states, more = checkpoint.load(self.sim, self.checkpoint)
        except ValueError as error:
            raise InputError(f"{self.path}: cannot be resumed: {error}") from None
        if more["case_sha256"] != case_sha256(self.sim.case):
            raise InputError(f"{self.path}: its checkpoint is of another case; resume with the same case and changes")
        self.sim.restore(states["now"])
        self.recorder.restore(more["recorder"])

        def read() -> dict[str, Any]:
            try:
                self.recorder.history.read(Result(self.path, {}).history(), self.sim.clock.time)
                with np.load(self.path / "profiles.npz") as archive:
                    return {name: archive[name] for name in archive.files}
            except (OSError, ValueError) as error:
                raise InputError(f"{self.path}: cannot be resumed: {error}") from None

        self.recorder.profiles.arrays = on_first_rank(self.sim.comm, read)
        return states, more

    def write_fields(self, cycle: int, phase: str) -> None:
        """Write the present fields, those at the end of a phase of a cycle (from 1) (collective)."""
        with self.sim.timed("output"):
            write_fields(self.sim, self.path / "fields", f"cycle-{cycle:04d}-{phase}")


def refuse_existing(path: Path) -> None:
    """Refuse an output folder that exists.

    Raises:
        InputError: it does.
    """
    if path.exists():
        raise InputError(f"{path}: the output folder exists already; choose another, or go on with the run in it")
