"""The command `coldstack run`: which case, into which folder, from the start or from a checkpoint."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from solvers.command.paths import check_output
from solvers.errors import InputError, Stopped, on_first_rank

if TYPE_CHECKING:
    from mpi4py import MPI

    from solvers.case.model import Case


def run_command(
    comm: MPI.Intracomm,
    file: Path | None,
    changes: list[str],
    output: Path | None,
    resume: Path | None,
    max_time: str | None,
    quiet: bool,
) -> None:
    """Compute a case, or go on with a run (collective).

    Args:
        comm: all ranks.
        file: case file; None: that in the folder of the run to resume.
        changes: of the case, "key=value".
        output: new folder; None: results/CASE.
        resume: folder of a run to go on with, or None.
        max_time: wall time before which to stop, such as "10 min", or None.
        quiet: print no header, progress or table.

    Raises:
        InputError: the input is wrong; nothing was written.
        ComputationError: the computation failed.
        Stopped: a signal, or the time, has stopped it.
    """
    if resume is not None and output is not None:
        raise InputError("--output: --resume names the folder already")
    if file is None and resume is None:
        raise InputError("coldstack run: give a case file, or --resume DIR; see coldstack run --help")
    seconds = math.inf if max_time is None else seconds_of(max_time, "--max-time")
    folder = resume or output or Path("results") / (file.stem if file is not None else "")
    case = checked_case(comm, file or folder / "case.toml", changes, folder, resume is not None)
    from solvers.cycles.run import run
    from solvers.cycles.stopping import Interrupted

    try:
        run(case, folder, comm, resume=resume is not None, quiet=quiet, max_time=seconds)
    except Interrupted as stop:
        raise Stopped(str(stop)) from None


def checked_case(comm: MPI.Intracomm, file: Path, changes: list[str], folder: Path, resume: bool = False) -> Case:
    """Read a case and check all that can be known to be wrong before anything is written (collective).

    Args:
        comm: all ranks.
        file: case file.
        changes: "key=value".
        folder: where output goes.
        resume: to go on with the run in it.

    Raises:
        InputError: something is wrong; on all ranks.
    """

    def check() -> Case:
        check_output(folder, resume)
        from solvers.case.model import load_case

        return load_case(file, changes)

    case = on_first_rank(comm, check)
    from solvers.simulation.geometry import stack_geometry

    try:
        stack_geometry(case)
    except ValueError as error:
        raise InputError(f"{file}: {error}") from None
    return case


def seconds_of(text: str, option: str) -> float:
    """A time such as "10 min", in s.

    Args:
        text: as given.
        option: that gave it, for the message.

    Raises:
        InputError: it is no time above zero.
    """
    from solvers.case.quantities import Duration, Quantity

    quantity = next(part for part in get_args(Duration) if isinstance(part, Quantity))
    try:
        return float(quantity.parse(text))
    except ValueError as error:
        raise InputError(f"{option}: {error}") from None
