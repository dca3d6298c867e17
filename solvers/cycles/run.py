"""A run from case to output folder, through all its cycles."""

from __future__ import annotations

import math
import shlex
import time
from pathlib import Path
from typing import Any

from mpi4py import MPI

from solvers.case.model import Case
from solvers.cycles.ending import CycleEnd
from solvers.cycles.stopping import Interrupted, Saving, keep_broken_pipes, stop_signals
from solvers.errors import ComputationError, on_first_rank
from solvers.output.folder import OutputFolder
from solvers.output.lock import refuse_existing
from solvers.output.log import RunLog, log
from solvers.output.recorder import Recorder
from solvers.output.result import Result
from solvers.output.summary import summarise, write_summary
from solvers.output.terminal import Progress, header, print_result, temperature
from solvers.simulation.events import CycleEnded, PhaseEnded, PhaseStarted, Stepped
from solvers.simulation.memory import check_memory
from solvers.simulation.simulation import Simulation


def run(
    case: Case,
    output: Path | str,
    comm: MPI.Intracomm = MPI.COMM_WORLD,
    resume: bool = False,
    quiet: bool = False,
    max_time: float = math.inf,
) -> Result:
    """Compute a case and write its output folder (collective).

    SIGINT (Ctrl-C), SIGTERM, SIGHUP and SIGUSR1 make it save its state and stop.

    Args:
        case: what to compute.
        output: new folder, or with `resume` that of a run of the same case.
        comm: MPI communicator.
        resume: go on from the checkpoint in the folder. Number of cycles, accuracy, limits and output of the case may
            differ from before; what differs is recorded.
        quiet: print no header, progress or table.
        max_time: save and stop before this wall time, s.

    Returns:
        The results, as `Result.load(output)` reads them.

    Raises:
        InputError: the folder does not fit the case, another run is at work in it, or there is too little memory.
        ComputationError: no solution; the last good state is in the folder.
        Interrupted: stopped by a signal or by `max_time`; the state is in the folder.
    """
    path, start = Path(output), time.perf_counter()
    keep_broken_pipes()
    if not resume:
        on_first_rank(comm, lambda: refuse_existing(path))
    sim = Simulation(case, comm)
    check_memory(sim)
    driven = _Run(sim, path, quiet or comm.rank > 0)
    run_log = RunLog(comm, path / "log.txt")
    with driven.folder.opened(new=not resume), run_log.kept():
        if resume:
            driven.resume()
        else:
            try:
                driven.save()
            except ComputationError:
                driven.folder.discard()
                raise
        if comm.rank == 0:
            header(sim, driven.quiet)
        try:
            driven.advance(start + max_time)
        except ComputationError as error:
            failure = driven.failed(error)
            sim.destroy()
            raise failure from None
        except Interrupted as stop:
            driven.save()
            sim.destroy()
            text = f"{stop}; the state is in {driven.folder.checkpoint}; go on with: {driven.folder.again}"
            if comm.rank == 0:
                log.warning(text)
            raise Interrupted(text) from None
        driven.save()
        ends, seconds = driven.ends, time.perf_counter() - start
        logged = run_log.warnings()
        summary = summarise(sim, driven.recorder, ends.report(), ends.counts(), logged, seconds)
        summary["sessions"] = driven.folder.sessions
        if comm.rank == 0:
            for warning in summary["warnings"]:
                if warning not in logged:
                    log.warning(warning)
        sim.destroy()
        summary = on_first_rank(comm, lambda: _finish(case, path, summary, driven.quiet))
    return Result(path, summary)


def _finish(case: Case, path: Path, summary: dict[str, Any], quiet: bool) -> dict[str, Any]:
    """Write summary and figures, print the table; returns the summary with what went wrong (rank 0)."""
    write_summary(path / "summary.json", summary)
    if case.output.figures:
        try:
            from solvers.figures.plot import plot_result

            plot_result(path)
        except Exception as error:  # whatever the surroundings do to a picture, the run is computed
            trouble = " ".join(f"{type(error).__name__}: {error}".split())[:300]
            text = f"the figures could not be drawn ({trouble}); try: coldstack plot {shlex.quote(str(path))}"
            log.warning(text)
            summary["warnings"].append(text)
            write_summary(path / "summary.json", summary)
    if not quiet:
        print_result(summary, str(path))
    return summary


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

    def failed(self, error: ComputationError) -> ComputationError:
        """Save the last good state after an error; returns the error with place, state and what to do (collective)."""
        clock, folder = self.sim.clock, self.folder
        phases = self.sim.case.cycle.phases
        phase = phases[min(clock.phase, len(phases) - 1)].name
        text = f"{error} (cycle {clock.cycle + 1}, phase {phase}, {clock.time:.6g} s)"
        try:
            self.save()
        except ComputationError as trouble:
            again = f"{trouble}" if str(trouble) not in str(error) else "nothing can be saved"
            return ComputationError(f"{text}; {again}; once that is mended, go on with: {folder.again}")
        return ComputationError(f"{text}; the last good state is in {folder.checkpoint}; go on with: {folder.again}")

    def advance(self, end: float) -> None:
        """Run to the end, recording and saving on the way.

        Args:
            end: when to have stopped, on the clock of `time.perf_counter`.
        """
        if self.ends.finished:
            return
        sim = self.sim
        saving = Saving(sim.comm, self.save, sim.case.output.checkpoint_every, end)
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
                    saving.between_steps(stop)
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
