"""Run every case of cases/limits and write what each does to the refrigerator: figure and table of docs/limits.md.

    scripts/env python3 scripts/limits.py --results results/limits

A case whose results are there already is not run again, one that was interrupted goes on. Some 10 minutes on 2 cores.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator
from mpi4py import MPI

import coldstack as cs
from solvers.output.terminal import temperature

ROOT = Path(__file__).parents[1]
IDEAL = {0.2: "published-200mK", 0.01: "published-10mK"}
IDEAL_CYCLES = 20
BEGIN, END = "<!-- table: scripts/limits.py -->", "<!-- end -->"
# Successive differences that shrink by less than this tell of no floor.
SLOWEST = 0.95
SWING = 0.05  # a difference between cold phase and end of the cycle that is worth a line of its own
LATTICE = "T_load.lattice_K"


def results_of(path: Path, folder: Path, overrides: list[str]) -> cs.Result:
    """Results of a case, computed unless they are there (collective)."""
    comm = MPI.COMM_WORLD
    begun, done = comm.bcast((folder.exists(), (folder / "summary.json").is_file()))
    if done:
        return cs.Result.load(folder)
    if comm.rank == 0:
        print(f"{path.stem} ...", flush=True)
    result = cs.run(cs.load_case(path, overrides), folder, comm, resume=begun, quiet=True)
    if comm.rank == 0:
        print(f"    {result.summary['timings_s']['total']:.0f} s", flush=True)
    return result


def temperatures(result: cs.Result) -> np.ndarray:
    """Temperature of the copper at the start and after every cycle, K."""
    return np.array([result.summary["case"]["start"], *(cycle["T_cold_K"] for cycle in result.cycles)])


def cold_phase(result: cs.Result, name: str = "T_load_K") -> np.ndarray:
    """Temperature of the copper, or of its lattice, at the end of the cold phase of every cycle, K."""
    history = result.history()
    cold = history["phase"] == "cool"
    return np.array([history[name][cold & (history["cycle"] == n)][-1] for n in np.unique(history["cycle"])])


def floor(T: np.ndarray) -> float | None:
    """Where the cycles lead to: the limit of a geometric approach (Aitken), None where none is in sight."""
    before, last = T[-2] - T[-3], T[-1] - T[-2]
    if abs(last) < 1e-4 * T[-1]:
        return float(T[-1])
    ratio = last / before if before else 1.0
    return float(T[-1] + last * ratio / (1.0 - ratio)) if 0.0 < ratio < SLOWEST and T[-1] > abs(last) else None


def table(results: dict[str, cs.Result], ideal: dict[float, cs.Result]) -> str:
    """Markdown table of the cases."""
    lines = [
        "| what | case | start | cycles | copper then | goes to | at the end of the cold phase | ideal then |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, result in results.items():
        T = temperatures(result)
        start, n = result.summary["case"]["start"], len(T) - 1
        best = temperatures(ideal[start])[n]
        goes = floor(T)
        # No floor is told of a machine that has hardly left the ideal one, which falls by a constant factor for ever.
        to = temperature(goes) if goes is not None and goes > 2 * best * (T[-1] / T[-2]) else "still falling"
        title = result.summary["case"]["title"]
        link = f"[{name}](../cases/limits/{name}.toml)"
        cold = temperature(float(cold_phase(result)[-1]))
        if LATTICE in result.history():
            cold += f", lattice {temperature(float(cold_phase(result, LATTICE)[-1]))}"
        cells = (title, link, temperature(start), str(n), temperature(float(T[-1])), to, cold, temperature(float(best)))
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def panel(axes: Axes, start: float, results: dict[str, cs.Result], ideal: cs.Result) -> None:
    """Copper against cycles, one line for each case from a start temperature."""
    T = 1e3 * temperatures(ideal)
    axes.semilogy(np.arange(len(T)), T, color="black", linewidth=2.5, label="ideal")
    colours = ("#4c78a8", "#c8553d", "#e8a33d", "#54a24b", "#b279a2", "#72b7b2", "#9d755d", "#ff9da6")
    markers = "os^vDPX*"
    mine = [result for result in results.values() if result.summary["case"]["start"] == start]
    lowest = 1e3 * start
    for k, result in enumerate(mine):
        T, colour = 1e3 * temperatures(result), colours[k % len(colours)]
        title = result.summary["case"]["title"]
        axes.semilogy(np.arange(len(T)), T, color=colour, marker=markers[k % len(markers)], markersize=5, label=title)
        cold = 1e3 * cold_phase(result)
        lowest = min(lowest, T.min())
        if (np.abs(cold - T[1:]) > SWING * T[1:]).any():
            label = f"{title}: at the end of the cold phase"
            axes.semilogy(np.arange(1, len(T)), cold, "--", color=colour, linewidth=1.2, label=label)
            lowest = min(lowest, cold.min())
        if LATTICE in result.history():
            lattice = 1e3 * cold_phase(result, LATTICE)
            axes.semilogy(np.arange(1, len(T)), lattice, ":", color=colour, linewidth=2, label=f"{title}: the lattice")
    axes.set(xlabel="after cycle", ylabel="temperature of the copper (mK)", title=f"from {1e3 * start:g} mK")
    axes.set_ylim(bottom=lowest / 3)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.grid(color="#e5e7eb")
    axes.legend(frameon=False, fontsize=9, loc="upper center", bbox_to_anchor=(0.5, -0.12))


def main() -> None:
    """Run the cases, then write figure and table on rank 0."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=ROOT / "results" / "limits", help="folder for the runs")
    options = parser.parse_args()
    quiet = ["output.fields=none", "output.figures=false"]
    ideal = {
        start: results_of(
            ROOT / "cases" / f"{name}.toml", options.results / name, [*quiet, f"cycle.repeat={IDEAL_CYCLES}"]
        )
        for start, name in IDEAL.items()
    }
    paths = sorted((ROOT / "cases" / "limits").glob("*.toml"))
    results = {path.stem: results_of(path, options.results / path.stem, quiet) for path in paths}
    if MPI.COMM_WORLD.rank > 0:
        return
    figure = Figure(figsize=(13, 9), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle("What limits the base temperature", fontsize=15, fontweight="bold", x=0.01, ha="left")
    for axes, start in zip(figure.subplots(1, 2), ideal, strict=True):
        panel(axes, start, results, ideal[start])
    (ROOT / "docs" / "figures").mkdir(exist_ok=True)
    figure.savefig(ROOT / "docs" / "figures" / "limits.png", dpi=110)
    page = ROOT / "docs" / "limits.md"
    text = page.read_text(encoding="utf-8")
    inside = f"{BEGIN}\n{table(results, ideal)}\n{END}"
    page.write_text(re.sub(f"{BEGIN}.*?{END}", lambda _: inside, text, flags=re.DOTALL), encoding="utf-8")


if __name__ == "__main__":
    main()
