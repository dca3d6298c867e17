"""The command `coldstack run`: which case, into which folder, from the start or from a checkpoint."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from solvers.command.paths import check_output
from solvers.errors import ComputationError, InputError, Stopped, on_first_rank

if TYPE_CHECKING:
    from mpi4py import MPI

    from solvers.case.model import Case

REPEATED = 1e-5  # relative difference of a repeated run that other libraries, or other ranks, may make


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


def repeat_command(comm: MPI.Intracomm, file: Path, others: Sequence[object], output: Path | None, quiet: bool) -> None:
    """Compute the run of a summary again, and compare its cycles (collective).

    Args:
        comm: all ranks.
        file: summary.json of the run.
        others: arguments that do not go with it: nothing must have been given.
        output: new folder; None: results/NAME-repeat.
        quiet: print no header, progress, table or comparison.

    Raises:
        InputError: the file is no summary, or its case was changed.
        ComputationError: the computation failed, or a value differs by more than `REPEATED`.
        Stopped: a signal has stopped it.
    """
    if any(others):
        raise InputError("--repeat: the summary has case and settings; give --output and --quiet only")
    folder = output or Path("results") / f"{file.absolute().parent.name}-repeat"

    def read() -> tuple[Case, dict[str, Any]]:
        """The case of the summary, and the summary."""
        check_output(folder, resume=False)
        from solvers.case.model import case_sha256, check_case

        try:
            summary = json.loads(file.read_text(encoding="utf-8"))
            case = check_case(summary["case"], {}, str(file))
            wanted, _ = summary["case_sha256"], summary["results"]["cycles"][-1]["T_cold_K"]
        except (OSError, ValueError, KeyError, TypeError, IndexError, RecursionError) as error:
            raise InputError(f"{file}: is no summary of a run ({type(error).__name__})") from None
        if case_sha256(case) != wanted:
            raise InputError(f"{file}: its case is not the one that was computed: the hashes differ")
        return case, summary

    case, before = on_first_rank(comm, read)
    from solvers.cycles.run import run
    from solvers.cycles.stopping import Interrupted

    try:
        now = run(case, folder, comm, quiet=quiet).summary
    except Interrupted as stop:
        raise Stopped(str(stop)) from None
    worst, where = _difference(before, now)
    text = f"repeated {file}: cycles differ by at most {worst:.1e}{where}"
    other = [key for key in ("versions", "source_sha256", "mesh_sha256", "ranks") if before.get(key) != now[key]]
    text += f"; not the same: {', '.join(other)}" if other else "; all versions are the same"
    if worst > REPEATED:
        raise ComputationError(text)
    if comm.rank == 0 and not quiet:
        print(text)


def _difference(before: dict[str, Any], now: dict[str, Any]) -> tuple[float, str]:
    """Largest relative difference of a temperature, heat or work of a cycle, and where it is."""
    worst, where = 0.0, ""
    cycles = before["results"]["cycles"], now["results"]["cycles"]
    if len(cycles[0]) != len(cycles[1]):
        return math.inf, f" ({len(cycles[1])} cycles, not {len(cycles[0])})"
    for old, new in zip(*cycles, strict=True):
        for key in ("T_cold_K", "T_working_min_K", "T_working_max_K", "Q_cold_J", "Q_hot_J", "work_J"):
            a, b = old.get(key), new[key]
            apart = abs(a - b) / max(abs(a), abs(b)) if a and b else float(a != b)
            if apart > worst:
                worst, where = apart, f" ({key} of cycle {new['cycle']})"
    return worst, where


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
