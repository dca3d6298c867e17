"""What a run says on the terminal: header, progress, result table. Rank 0 only."""

from __future__ import annotations

import io
import sys
import time
from contextlib import suppress
from typing import Any

from rich import box
from rich.console import Console
from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from rich.table import Table

from solvers.output.log import log
from solvers.simulation.memory import field_memory
from solvers.simulation.resolution import resolution
from solvers.simulation.simulation import Simulation

LINE_EVERY = 5.0  # s between two lines where there is no terminal
TABLE_WIDTH = 100


def say(*lines: str, error: bool = False) -> None:
    """Print lines; that nobody reads them any more, as behind `| head`, does not end a run.

    Args:
        lines: what to say.
        error: on the error stream.
    """
    with suppress(OSError, ValueError):
        print(*lines, sep="\n", file=sys.stderr if error else sys.stdout, flush=True)


def temperature(kelvin: float) -> str:
    """A temperature for reading: 59.09 mK, 6.43 uK, 1.42 K."""
    for factor, unit in ((1.0, "K"), (1e-3, "mK"), (1e-6, "uK"), (1e-9, "nK")):
        if kelvin >= factor:
            return f"{kelvin / factor:.5g} {unit}"
    return f"{kelvin:.3g} K"


class Progress:
    """A bar on a terminal, a line every few seconds elsewhere, nothing if quiet.

    Args:
        total: number of phases of all cycles.
        done: those finished already.
        quiet: say nothing.
    """

    def __init__(self, total: int, done: int, quiet: bool) -> None:
        self.total, self.quiet = total, quiet
        self._bar: Bar | None = None
        self._last, self._start, self._first = time.monotonic(), time.monotonic(), done
        if not quiet and sys.stderr.isatty():
            columns = TaskProgressColumn(), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn()
            text = TextColumn("{task.description}", markup=False)
            self._bar = Bar(*columns, text, console=Console(stderr=True), transient=True, refresh_per_second=4)
            self._bar.add_task("", total=total, completed=done)
            self._bar.start()

    def show(self, done: float, text: str) -> None:
        """Say where the run is: phases done (with a fraction for the present one), and a text."""
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], completed=done, description=text)
        elif not self.quiet and time.monotonic() - self._last > LINE_EVERY:
            self._last = time.monotonic()
            passed = self._last - self._start
            left = passed * (self.total - done) / max(done - self._first, 1e-9)
            say(f"{text}, {passed:.0f} s, about {left:.0f} s left", error=True)

    def close(self) -> None:
        """Remove the bar."""
        if self._bar is not None:
            self._bar.stop()


def header(sim: Simulation, quiet: bool) -> None:
    """Say what is computed, and log it.

    Args:
        sim: the run.
        quiet: log it only.
    """
    field = sim.switching.problem.unknowns if sim.switching else 0
    info = sim.tagged.info
    part = "a quarter of the stack" if sim.stack.quarter else "the whole stack"
    memory = field_memory(sim) / 1e6
    lines = [
        f"{sim.case.title}: {part}, {info.cells} cells",
        f"unknowns: field {field}, heat {sim.heat.space.n_global}; field solver about {memory:.0f} MB; "
        f"ranks {sim.comm.size}",
        *(layer.text for layer in resolution(sim.case, sim.stack)),
    ]
    for line in lines:
        log.info(line)
        if not quiet:
            say(line)
    log.info("mesh: %s", info.report().replace("\n", "; "))


def print_result(summary: dict[str, Any], folder: str) -> None:
    """Print the table of cycles and the headline figures."""
    results = summary["results"]
    # The table must not be cut, and mpirun makes the ranks believe in a terminal.
    console = Console(file=io.StringIO(), width=TABLE_WIDTH, color_system=None)
    table = Table(title=summary["case"]["title"], box=box.SIMPLE_HEAD, padding=0, title_justify="left")
    heads = ("cycle", "T cold\nmK", "film min\nmK", "film max\nmK", "Q cold\nJ", "Q hot\nJ", "work\nJ")
    for name in (*heads, "entropy\nJ/K", "COP of\nCarnot", "1st law\n"):
        table.add_column(name, justify="right", no_wrap=True)
    for c in results["cycles"]:
        cells = [_number(c[key], ".5g", 1e3) for key in ("T_cold_K", "T_working_min_K", "T_working_max_K")]
        cells += [_number(c[key], ".3e") for key in ("Q_cold_J", "Q_hot_J", "work_J", "entropy_produced_J_per_K")]
        cells.append(_number(c["cop_over_carnot"], ".3g", 100.0, " %"))
        table.add_row(str(c["cycle"]), *cells, f"{c['first_law_residual']:.0e}")
    console.print(table)
    assert isinstance(console.file, io.StringIO)
    say(console.file.getvalue())
    lines = [f"{summary['cold_layer']}: {temperature(results['T_cold_final_K'])}"]
    lines[0] += f", cooling power at the start {results['cooling_power_initial_W']:.4g} W"
    lines += _cycles_passed(summary)
    if results["fraction_at_full_drive"] is not None:
        half = results["half_switched_drive"]
        lines.append(
            f"normal fraction at full drive {100 * results['fraction_at_full_drive']:.2f} %"
            + (f", half switched at {half:.4g} {summary['drive']['unit']}" if half is not None else "")
        )
    lines.append(
        f"lowest entropy production of a step {results['entropy_lowest_step']:.0e} of the stack's entropy (round-off)"
        if results["entropy_lowest_step"] > -1e-12
        else f"entropy fell in a step, by {-results['entropy_lowest_step']:.0e} of the stack's"
    )
    if summary["contacts_ideal"]:
        lines.append(
            "ideal contacts (conduct in named phases only, or without limit): " + ", ".join(summary["contacts_ideal"])
        )
    lines += [f"warning: {text}" for text in summary["warnings"]]
    timings = summary["timings_s"]
    parts = ", ".join(f"{name} {value:.1f}" for name, value in timings.items() if name != "total" and value >= 0.05)
    lines.append(f"{timings['total']:.1f} s ({parts}), {summary['memory_peak_MB']:.0f} MB, ranks {summary['ranks']}")
    lines.append(f"results: {folder}")
    say(*lines)


def _number(value: float | None, form: str, factor: float = 1.0, unit: str = "") -> str:
    """A number for the table; a dash where there is none."""
    return "-" if value is None else f"{factor * value:{form}}{unit}"


def _cycles_passed(summary: dict[str, Any]) -> list[str]:
    """Whether the run ended early and why, and how many of its cycles were computed."""
    results, settings = summary["results"], summary["case"]["cycle"]
    passed, lines = results["cycles_passed"], []
    if settings["steady"] is not None:
        lines.append(f"{'steady' if results['steady_after'] else 'not yet steady'} after {passed} cycles")
    if settings["stop_at"] is not None:
        goal = f"{temperature(settings['stop_at'])} after {passed} cycles"
        lines.append(f"reached {goal}" if results["stop_at_after"] else f"has not reached {goal}")
    if results["jumps"]:
        lines.append(
            f"{passed} cycles, {summary['solver']['cycles_computed']} of them computed; the {len(results['jumps'])} "
            f"jumps are off by at most {100 * results['jump_error']:.2g} % of a temperature in all"
        )
    return lines
