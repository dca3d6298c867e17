"""A run from case to output folder, through all its cycles."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from mpi4py import MPI

from solvers.case.model import Case
from solvers.cycles.ending import CycleEnd
from solvers.cycles.stopping import Interrupted, stop_signals
from solvers.errors import ComputationError, on_first_rank
from solvers.output.folder import OutputFolder, refuse_existing
from solvers.output.log import RunLog, log
from solvers.output.recorder import Recorder
from solvers.output.result import Result
from solvers.output.summary import summarise, write_summary
from solvers.output.terminal import Progress, header, print_result, temperature
from solvers.simulation.events import CycleEnded, PhaseEnded, PhaseStarted, Stepped
from solvers.simulation.memory import check_memory
from solvers.simulation.simulation import Simulation

SAVING_SHARE = 0.05  # of the time may be spent on checkpoints


def run(
    case: Case,
    output: Path | str,
    comm: MPI.Intracomm = MPI.COMM_WORLD,
    resume: bool = False,
    source: Path | None = None,
    quiet: bool = False,
) -> Result:
    """Compute a case and write its output folder (collective).

    SIGINT (Ctrl-C), SIGTERM, SIGHUP and SIGUSR1 make it save its state and stop.

    Args:
        case: what to compute.
        output: new folder, or with `resume` that of an interrupted run of the same case.
        comm: MPI communicator.
        resume: go on from the checkpoint in the folder.
        source: the case file, for messages.
        quiet: print no header, progress or table.

    Returns:
        The results, as `Result.load(output)` reads them.

    Raises:
        InputError: the folder does not fit the case, or there is too little memory.
        ComputationError: no solution; the last good state is in the folder.
        KeyboardInterrupt: stopped by a signal; the state is in the folder.
    """
    path, start = Path(output), time.perf_counter()
    if not resume:
        on_first_rank(comm, lambda: refuse_existing(path))
    sim = Simulation(case, comm)
    check_memory(sim)
    driven = _Run(sim, path, quiet or comm.rank > 0)
    if resume:
        driven.resume()
    else:
        driven.folder.create()
    again = f"; go on with: coldstack run {source or 'CASE'} --output {path} --resume"
    run_log = RunLog(comm, path / "log.txt")
    with run_log.kept():
        if comm.rank == 0:
            header(sim, driven.quiet)
        try:
            driven.advance()
        except ComputationError as error:
            driven.save()
            at = f"{error} (cycle {sim.clock.cycle + 1}, {sim.clock.time:.6g} s)"
            raise ComputationError(f"{at}; the last good state is in {driven.folder.checkpoint}{again}") from None
        except Interrupted:
            driven.save()
            if comm.rank == 0:
                log.warning("interrupted; the state is in %s%s", driven.folder.checkpoint, again)
            raise
        driven.save()
        ends, seconds = driven.ends, time.perf_counter() - start
        logged = run_log.warnings()
        summary = summarise(sim, driven.recorder, ends.report(), ends.counts(), logged, seconds)
        if comm.rank == 0:
            for warning in summary["warnings"]:
                if warning not in logged:
                    log.warning(warning)
        on_first_rank(comm, lambda: _finish(case, path, summary, driven.quiet))
    return Result(path, summary)


def _finish(case: Case, path: Path, summary: dict[str, object], quiet: bool) -> None:
    """Write summary and figures, print the table (rank 0)."""
    write_summary(path / "summary.json", summary)
    if case.output.figures:
        from solvers.figures.plot import plot_result

        plot_result(path)
    if not quiet:
        print_result(summary, str(path))


class _Run:
    """A simulation, and what records, saves, shows and ends it."""

    def __init__(self, sim: Simulation, path: Path, quiet: bool) -> None:
        self.sim, self.quiet = sim, quiet
        self.recorder = Recorder(sim)
        self.ends = CycleEnd(sim, self.recorder)
        self.folder = OutputFolder(path, sim, self.recorder)

    def resume(self) -> None:
        """Go on from the folder (collective)."""
        states, more = self.folder.resume()
        self.ends.restore(more["ends"], states.get("before_jump"))

    def save(self) -> None:
        """Write all that the run needs to go on (collective)."""
        before = self.ends.before
        self.folder.save({} if before is None else {"before_jump": before}, {"ends": self.ends.state()})

    def advance(self) -> None:
        """Run to the end, recording and saving on the way."""
        if self.ends.finished:
            return
        sim = self.sim
        saving = _Saving(sim.comm, self.save)
        phases = sim.case.cycle.phases
        total, done = len(phases) * sim.case.cycle.repeat, len(phases) * sim.clock.cycle + sim.clock.phase
        progress = Progress(total, done, self.quiet)
        try:
            with stop_signals() as stop:
                for event in sim.run():
                    match event:
                        case PhaseStarted():
                            self.recorder.start_of_phase(event)
                            continue
                        case Stepped():
                            self.recorder.step(event)
                            self._show(progress, event)
                        case PhaseEnded():
                            self.recorder.end_of_phase(event)
                            self._write_fields(event)
                            saving.at_end_of_phase()
                        case CycleEnded():
                            self._end_of_cycle(event)
                            if self.ends.finished:
                                break
                    # A signal may have reached one rank only; all must stop at the same event.
                    if sim.comm.allreduce(len(stop), op=MPI.MAX):
                        raise Interrupted
        finally:
            progress.close()

    def _end_of_cycle(self, event: CycleEnded) -> None:
        sim, accounts = self.sim, self.recorder.accounts
        self.recorder.end_of_cycle()
        if sim.comm.rank == 0:
            cold = temperature(accounts.cycles[-1]["T_cold_K"])
            log.info("cycle %d: %s at %s, %d steps", event.cycle, accounts.cold, cold, sim.counters.steps)
        self.ends.end_of_cycle()
        if sim.comm.rank == 0 and sim.clock.cycle != event.cycle:
            log.info("from cycle %d to %d: %d jumps taken back", event.cycle, sim.clock.cycle, self.ends.refused)
        if self.ends.finished and sim.case.output.fields == "end" and event.cycle < sim.case.cycle.repeat:
            self.folder.write_fields(event.cycle, sim.case.cycle.phases[-1].name)

    def _write_fields(self, event: PhaseEnded) -> None:
        """Write the fields at the end of a phase: of all cycles, or of the last one (collective)."""
        fields = self.sim.case.output.fields
        if fields == "cycles" or (fields == "end" and event.cycle == self.sim.case.cycle.repeat):
            self.folder.write_fields(event.cycle, event.phase.name)

    def _show(self, progress: Progress, event: Stepped) -> None:
        if self.sim.comm.rank > 0:
            return
        clock, cold = self.sim.clock, self.recorder.accounts.cold
        settings = self.sim.case.cycle
        done = clock.cycle * len(settings.phases) + clock.phase + clock.in_phase / event.phase.duration
        text = temperature(float(self.recorder.history.rows[-1][f"T_{cold}_K"]))
        place = f"cycle {event.cycle}/{settings.repeat} {event.phase.name} {clock.time:.4g} s"
        progress.show(done, f"{place}: {cold} {text}")


class _Saving:
    """Saves at ends of phases, but not so often that it takes more than a part of the run: files grow with it."""

    def __init__(self, comm: MPI.Intracomm, save: Callable[[], None]) -> None:
        self.comm, self.save = comm, save
        self.wait, self.last = 0.0, -np.inf

    def at_end_of_phase(self) -> None:
        """Save if it is time (collective)."""
        start = time.perf_counter()
        if self.comm.bcast(start - self.last > self.wait):
            self.save()
            self.last = time.perf_counter()
            self.wait = (self.last - start) / SAVING_SHARE
