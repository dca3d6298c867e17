"""A run from case to output folder: header, progress, checkpoints, summary, figures."""

from __future__ import annotations

import json
import logging
import platform
import re
import resource
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dolfinx
import numpy as np
from mpi4py import MPI
from petsc4py import PETSc

from fem.interfaces.markers import Ideal
from solvers import __version__
from solvers.case.model import Case, case_sha256
from solvers.cycles.ending import CycleEnd
from solvers.errors import ComputationError, InputError
from solvers.output import checkpoint
from solvers.output.recorder import Recorder
from solvers.output.result import Result, write_cycles, write_history
from solvers.output.terminal import Progress, print_result, temperature
from solvers.simulation.events import CycleEnded, PhaseEnded, PhaseStarted, Stepped
from solvers.simulation.resolution import resolution
from solvers.simulation.simulation import Simulation
from solvers.simulation.validity import run_warnings

log = logging.getLogger("coldstack")

# Memory (byte) of the direct field solver: fitted to 20k ... 546k edges, 41 ... 4199 MB.
MEMORY_FACTOR, MEMORY_POWER = 25.0, 1.43
SAVING_SHARE = 0.05  # of the time may be spent on checkpoints


class Interrupted(KeyboardInterrupt):
    """The run was asked to stop; its state is saved."""


def run_case(
    case: Case,
    output: Path | str,
    comm: MPI.Intracomm = MPI.COMM_WORLD,
    resume: bool = False,
    source: Path | None = None,
    quiet: bool = False,
) -> Result:
    """Compute a case and write its output folder (collective).

    Args:
        case: what to compute.
        output: new folder, or with `resume` that of an interrupted run of the same case.
        comm: MPI communicator.
        resume: go on from the checkpoint in the folder.
        source: the case file, for messages.
        quiet: print nothing.

    Raises:
        InputError: the folder does not fit the case.
        ComputationError: no solution; the last good state is in the folder.
        KeyboardInterrupt: stopped by a signal; the state is in the folder.
    """
    folder = Path(output)
    start = time.perf_counter()
    sim = Simulation(case, comm)
    _check_memory(sim)
    recorder = Recorder(sim)
    ends = CycleEnd(sim, recorder)
    saved = folder / "checkpoint"
    if resume:
        _resume(sim, recorder, ends, folder)
    elif comm.rank == 0:
        folder.mkdir(parents=True)
    comm.barrier()
    if comm.rank == 0:
        _log_to(folder / "log.txt")
        _header(sim, quiet)
    again = f"; go on with: coldstack run {source or 'CASE'} --output {folder} --resume"
    try:
        _advance(sim, recorder, ends, folder, quiet)
    except ComputationError as error:
        _save(sim, recorder, ends, folder)
        at = f"{error} (cycle {sim.clock.cycle + 1}, {sim.clock.time:.6g} s)"
        raise ComputationError(f"{at}; the last good state is in {saved}{again}") from None
    except Interrupted:
        _save(sim, recorder, ends, folder)
        if comm.rank == 0:
            log.warning("interrupted; the state is in %s%s", saved, again)
        raise
    with sim.timed("output"):
        _save(sim, recorder, ends, folder)
    summary = _summary(sim, recorder, ends, time.perf_counter() - start)
    if comm.rank == 0:
        for warning in summary["warnings"]:
            log.warning(warning)
        text = json.dumps(summary, indent=2, default=float)
        (folder / "summary.json").write_text(text + "\n", encoding="utf-8")
        if case.output.figures:
            from solvers.figures.plot import plot_result

            plot_result(folder)
        if not quiet:
            print_result(summary, str(folder))
    comm.barrier()
    return Result(folder, summary)


def _advance(sim: Simulation, recorder: Recorder, ends: CycleEnd, folder: Path, quiet: bool) -> None:
    """Run to the end, recording and saving on the way."""
    if ends.finished:
        return
    phases = sim.case.cycle.phases
    total = len(phases) * sim.case.cycle.repeat
    saving = _Saving(sim, lambda: _save(sim, recorder, ends, folder))
    progress = Progress(total, sim.clock.cycle * len(phases) + sim.clock.phase, quiet or sim.comm.rank > 0)
    try:
        with _stop_signals() as stop:
            for event in sim.run():
                match event:
                    case PhaseStarted():
                        recorder.start_of_phase(event)
                        continue
                    case Stepped():
                        recorder.step(event)
                        _show(sim, recorder, progress, event)
                    case PhaseEnded():
                        recorder.end_of_phase(event)
                        _end_of_phase(sim, folder, event)
                        saving.at_end_of_phase()
                    case CycleEnded():
                        _end_of_cycle(sim, recorder, ends)
                        if ends.finished:
                            if sim.case.output.fields == "end" and sim.clock.cycle < sim.case.cycle.repeat:
                                _write_fields(sim, folder, event.cycle, phases[-1].name)
                            break
                # A signal may have reached one rank only; all must stop at the same event.
                if sim.comm.allreduce(len(stop), op=MPI.MAX):
                    raise Interrupted
    finally:
        progress.close()


def _end_of_cycle(sim: Simulation, recorder: Recorder, ends: CycleEnd) -> None:
    recorder.end_of_cycle()
    cycle = recorder.cycles[-1]
    if sim.comm.rank == 0:
        cold = temperature(cycle["T_cold_K"])
        log.info("cycle %d: %s at %s, %d steps", sim.clock.cycle, recorder.cold, cold, sim.counters.steps)
    ends.end_of_cycle()
    if sim.comm.rank == 0 and sim.clock.cycle != cycle["cycle"]:
        log.info("from cycle %d to %d: %d jumps taken back", cycle["cycle"], sim.clock.cycle, ends.refused)


def _end_of_phase(sim: Simulation, folder: Path, event: PhaseEnded) -> None:
    """Write the fields: of all cycles, or of the last one (collective)."""
    fields = sim.case.output.fields
    if fields == "cycles" or (fields == "end" and event.cycle == sim.case.cycle.repeat):
        _write_fields(sim, folder, event.cycle, event.phase.name)


def _write_fields(sim: Simulation, folder: Path, cycle: int, phase: str) -> None:
    """Write the fields at the end of a phase of a cycle (from 1) (collective)."""
    from solvers.output.paraview import write_fields

    with sim.timed("output"):
        write_fields(sim, folder / "fields", f"cycle-{cycle:04d}-{phase}")


def _show(sim: Simulation, recorder: Recorder, progress: Progress, event: Stepped) -> None:
    if sim.comm.rank > 0:
        return
    phases, phase = sim.case.cycle.phases, event.phase
    done = sim.clock.cycle * len(phases) + sim.clock.phase + sim.clock.in_phase / phase.duration
    cold = temperature(float(recorder.rows[-1][f"T_{recorder.cold}_K"]))
    place = f"cycle {event.cycle}/{sim.case.cycle.repeat} {phase.name} {sim.clock.time:.4g} s"
    progress.show(done, f"{place}: {recorder.cold} {cold}")


@contextmanager
def _stop_signals() -> Iterator[list[int]]:
    """A list that fills with the signals asking the run to stop (Ctrl-C, and what mpirun makes of it)."""
    caught: list[int] = []
    old = {s: signal.signal(s, lambda number, _: caught.append(number)) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield caught
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)


class _Saving:
    """Saves at ends of phases, but not so often that it takes more than a part of the run: files grow with it."""

    def __init__(self, sim: Simulation, save: Callable[[], None]) -> None:
        self.sim, self.save = sim, save
        self.wait, self.last = 0.0, -np.inf

    def at_end_of_phase(self) -> None:
        """Save if it is time (collective)."""
        start = time.perf_counter()
        if self.sim.comm.bcast(start - self.last > self.wait):
            self.save()
            self.last = time.perf_counter()
            self.wait = (self.last - start) / SAVING_SHARE


def _save(sim: Simulation, recorder: Recorder, ends: CycleEnd, folder: Path) -> None:
    """Write checkpoint, history and profiles (collective)."""
    with sim.timed("output"):
        case = case_sha256(sim.case)
        more = {"recorder": recorder.state(), "ends": ends.state(), "case_sha256": case}
        states = {"now": sim.state()} | ({} if ends.before is None else {"before_jump": ends.before})
        checkpoint.save(sim, folder / "checkpoint", states, more)
        if sim.comm.rank == 0:
            write_history(folder / "history.csv", recorder.rows)
            write_cycles(folder / "cycles.csv", recorder.cycles)
            np.savez(folder / "profiles.npz", **recorder.profiles)  # type: ignore[arg-type]


def _resume(sim: Simulation, recorder: Recorder, ends: CycleEnd, folder: Path) -> None:
    try:
        states, more = checkpoint.load(sim, folder / "checkpoint")
    except ValueError as error:
        raise InputError(f"{folder}: cannot be resumed: {error}") from None
    if more["case_sha256"] != case_sha256(sim.case):
        raise InputError(f"{folder}: its checkpoint is of another case; resume with the same case and --set values")
    sim.restore(states["now"])
    recorder.restore(more["recorder"])
    ends.restore(more["ends"], states.get("before_jump"))
    if sim.comm.rank == 0:
        history = Result(folder, {}).history()
        rows = [dict(zip(history, values, strict=True)) for values in zip(*history.values(), strict=True)]
        recorder.rows = [row for row in rows if row["time_s"] <= sim.clock.time * (1 + 1e-12)]
        with np.load(folder / "profiles.npz") as archive:
            recorder.profiles = {name: archive[name] for name in archive.files}
    recorder.profiles = sim.comm.bcast(recorder.profiles, root=0)


# ---- texts and numbers ---------------------------------------------------------------------------
def _log_to(path: Path) -> None:
    for handler in log.handlers[:]:
        handler.close()
        log.removeHandler(handler)
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False


def _field_memory(sim: Simulation) -> float:
    """Memory that the field solver is expected to use, byte."""
    return MEMORY_FACTOR * sim.switching.problem.unknowns**MEMORY_POWER if sim.switching else 0.0


def _check_memory(sim: Simulation) -> None:
    """Stop before the first factorisation would run out of memory (collective)."""
    limit, source = sim.case.solver.memory_limit, "solver.memory_limit"
    meminfo = Path("/proc/meminfo")
    if limit is None and meminfo.is_file():
        found = re.search(r"MemAvailable:\s*(\d+) kB", meminfo.read_text())
        limit, source = (1024.0 * int(found[1]) if found else None), "what is free here"
    limit = sim.comm.bcast(limit, root=0)
    needed = _field_memory(sim)
    if limit is not None and needed > limit:
        raise InputError(
            f"the field solver needs about {needed / 1e9:.3g} GB, more than {limit / 1e9:.3g} GB ({source}): "
            "coarsen [mesh], or set solver.memory_limit"
        )


def _header(sim: Simulation, quiet: bool) -> None:
    field = sim.switching.problem.unknowns if sim.switching else 0
    memory = _field_memory(sim) / 1e6
    part = "a quarter of the stack" if sim.stack.quarter else "the whole stack"
    lines = [
        f"{sim.case.title}: {part}, {sim.tagged.info.cells} cells",
        f"unknowns: field {field}, heat {sim.heat.space.n_global}; field solver about {memory:.0f} MB; "
        f"ranks {sim.comm.size}",
        *(layer.text for layer in resolution(sim.case, sim.stack)),
    ]
    for line in lines:
        log.info(line)
        if not quiet:
            print(line, flush=True)
    log.info("mesh: %s", sim.tagged.info.report().replace("\n", "; "))


def _summary(sim: Simulation, recorder: Recorder, ends: CycleEnd, seconds: float) -> dict[str, Any]:
    """Everything in summary.json (collective)."""
    case, switching = sim.case, sim.switching
    problem = switching.problem if switching else None
    memory = sim.comm.allreduce(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) / 1024
    info = sim.tagged.info
    heights = [layer.thickness + sim.stack.barriers.get(k, 0.0) for k, layer in enumerate(sim.stack.layers)]
    bottom = np.cumsum([0.0, *heights[:-1]])
    timings = {"total": seconds} | sim.timings
    if problem is not None:
        timings |= {f"field_{name}": value for name, value in problem.timings.items()}
    cold = sim.totals().temperature[sim.heat.space.layer_number(recorder.cold)]
    ideal = [contact.name for contact in sim.heat.contacts if isinstance(contact.law, Ideal)]
    options = PETSc.Options()
    return {
        "results": {
            "T_cold_final_K": float(cold),
            "cooling_power_initial_W": recorder.power_initial,
            "half_switched_drive": recorder.half_switched,
            "fraction_at_full_drive": recorder.fraction_at_full_drive,
            "entropy_lowest_step": sim.counters.entropy_worst,
            "cycles": recorder.cycles,
        }
        | ends.report(),
        "cold_layer": recorder.cold,
        "working_layer": recorder.working,
        "contacts_ideal": [gate.name for gate in sim.gates if gate.phases is not None or gate.name in ideal],
        "drive": {"unit": "A/m" if case.drive and case.drive.applied_field else "A"} | recorder.limits.to_json(),
        "layers": [
            {
                "name": layer.name,
                "material": block.material,
                "thickness_m": layer.thickness,
                "size_m": layer.size,
                "z_bottom_m": float(z),
            }
            for layer, block, z in zip(sim.stack.layers, case.layer, bottom, strict=True)
        ],
        "mesh": {"cells": info.cells, "smallest_m": info.smallest_thickness, "largest_m": info.largest_lateral}
        | {"quarter": sim.stack.quarter, "resolution": [part.to_json() for part in resolution(case, sim.stack)]},
        "unknowns": {"field": problem.unknowns if problem else 0, "heat": sim.heat.space.n_global},
        "solver": {
            "cycles_computed": ends.computed,
            "jumps_refused": ends.refused,
            "steps": sim.counters.steps,
            "steps_rejected": sim.counters.rejected,
            "field_solves": problem.solves if problem else 0,
            "field_solves_saved": switching.saved if switching else 0,
            "field_iterations_max": 0,  # the field solver is direct
            "heat_solves": sim.heat.solves.solves,
            "heat_iterations_max": sim.heat.solves.iterations_max,
            "newton_max": sim.stepper.newton_max,
        }
        | _eddy_counts(sim),
        "timings_s": timings,
        "memory_peak_MB": memory,
        "ranks": sim.comm.size,
        "versions": _versions(),
        "options_left": [key for key in options.getAll() if not options.used(key)],
        "warnings": run_warnings(sim, recorder.limits),
        "case": case.model_dump(mode="json"),
        "case_sha256": case_sha256(case),
    }


def _eddy_counts(sim: Simulation) -> dict[str, Any]:
    """How often the field was followed, and what energy was left whenever that ended."""
    eddy = sim.eddy
    if eddy is None:
        return {}
    return {"eddy_steps": eddy.steps, "eddy_stops": eddy.stops, "eddy_left_J": sim.scale * eddy.left}


def _versions() -> dict[str, str]:
    return {
        "coldstack": __version__,
        "dolfinx": dolfinx.__version__,
        "petsc": ".".join(str(part) for part in PETSc.Sys.getVersion()),
        "numpy": np.__version__,
        "python": platform.python_version(),
    }
