"""The figures of a finished run, drawn from its output folder alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from meshes.picture import StackPicture
from meshes.plan import BARRIER, VACUUM
from solvers.figures.history import draw_history
from solvers.figures.penetration import draw_penetration
from solvers.figures.power import draw_power, write_tables
from solvers.figures.run_data import RunData, footprint
from solvers.figures.states import draw_ts_diagram
from solvers.figures.style import DPI, DRAWN, INK, REJECTED, STYLE, WORK, log_scale, new_figure

MANY_CYCLES = 12  # more than these carry no numbers beside their points


def plot_result(folder: Path) -> list[Path]:
    """Draw the figures of a finished run, with tables, into its folder `figures`; those there are replaced.

    What a run does not have is left out: a run without a field has no penetration figure, for instance.

    Args:
        folder: output folder of the run.

    Returns:
        The pictures and tables written.

    Raises:
        InputError: the folder does not hold the results of a run.
    """
    run = RunData(folder)
    target = folder / "figures"
    target.mkdir(exist_ok=True)
    written = []
    picture = stack_picture(run)
    if picture is not None:
        picture.save(target / "geometry.png", DPI)
        written.append(target / "geometry.png")
    with matplotlib.rc_context(STYLE):
        for name, figure in figures_of(run).items():
            figure.savefig(target / f"{name}.png", dpi=DPI)
            written.append(target / f"{name}.png")
    return written + write_tables(run, target)


def figures_of(run: RunData) -> dict[str, Figure]:
    """The figures of a run by name, those left out that it has nothing for."""
    drawings: dict[str, Callable[[RunData], Figure | None]] = {
        "history": draw_history,
        "ts_diagram": draw_ts_diagram,
        "penetration": draw_penetration,
        "cycles": draw_cycles,
        "cooling_power": draw_power,
    }
    drawn = {name: draw(run) for name, draw in drawings.items()}
    return {name: figure for name, figure in drawn.items() if figure is not None}


# ---- the stack and its mesh ----------------------------------------------------------------------
def stack_picture(run: RunData) -> StackPicture | None:
    """The stack and its mesh, put together again from the node lines of the mesh and the layers."""
    names = ("plan_x_m", "plan_y_m", "lines_z_m")
    if any(name not in run.profiles for name in names):
        return None
    lines = [1e6 * run.profiles[name] for name in names]
    cells = np.meshgrid(*(np.arange(len(line) - 1) for line in lines), indexing="ij")
    boxes = np.stack(
        [np.stack([line[i.ravel()], line[i.ravel() + 1]], axis=1) for line, i in zip(lines, cells, strict=True)], axis=1
    )
    middle = boxes.mean(axis=2)
    names_of_groups: dict[str, int] = {}
    tags = np.zeros(len(boxes), dtype=np.int32)

    def add(name: str, plan: list[tuple[float, float]], low: float, high: float) -> None:
        inside = np.ones(len(boxes), dtype=np.bool_)
        for axis, (a, b) in enumerate([*plan, (low, high)]):
            inside &= (middle[:, axis] > 1e6 * a) & (middle[:, axis] < 1e6 * b)
        names_of_groups[name] = len(names_of_groups) + 1
        tags[inside] = names_of_groups[name]

    for k, layer in enumerate(run.layers):
        below = run.layers[k - 1] if k else None
        if below is not None and layer.bottom > below.top + 1e-6 * layer.thickness:
            add(layer.name + BARRIER, footprint(below, layer), below.top, layer.bottom)
        add(layer.name, footprint(layer), layer.bottom, layer.top)
    names_of_groups[VACUUM] = len(names_of_groups) + 1
    tags[tags == 0] = names_of_groups[VACUUM]
    quarter = bool(lines[0][0] > -1e-9 * np.ptp(lines[0]) and lines[1][0] > -1e-9 * np.ptp(lines[1]))
    return StackPicture(boxes, tags, names_of_groups, quarter)


# ---- what each cycle did -------------------------------------------------------------------------
def draw_cycles(run: RunData) -> Figure | None:
    """Temperature of the cold layer after each cycle; heat drawn, heat rejected and work of each cycle."""
    if not run.cycles:
        return None
    figure = new_figure(12.5, 5.2, "Cooling cycle by cycle")
    left, right = figure.subplots(1, 2)
    number = np.array([cycle["cycle"] for cycle in run.cycles])
    gaps = int(number[-1]) > len(number)  # cycles passed over: the computed ones are marked, however many
    few = gaps or len(number) <= MANY_CYCLES
    temperature = np.array([run.case.start, *(cycle["T_cold_K"] for cycle in run.cycles)]) * 1e3
    left.plot([0, *number], temperature, "o-" if few else "-", color=DRAWN, markersize=7)
    if few and not gaps:
        for n, value in zip([0, *number], temperature, strict=True):
            left.annotate(f"{value:.4g}", (n, value), (7, 6), textcoords="offset points", color=INK)
    left.set(title=f"Temperature of {run.cold.label}", ylabel="T (mK)", xlabel="after cycle")
    log_scale(left, temperature, plain=True)
    left.margins(x=0.12, y=0.15)

    series = (
        ("Q_hot_J", "heat rejected by the working film", REJECTED, "s"),
        ("work_J", "magnetic work", WORK, "^"),
        ("Q_cold_J", "heat drawn from the cold layer", DRAWN, "o"),
    )
    values = {key: np.array([cycle[key] for cycle in run.cycles]) for key, *_ in series}
    for key, label, colour, marker in series:
        # The work is nearly the heat rejected: dashed, so that both are seen where they meet.
        dashes = "--" if key == "work_J" else "-"
        face = "none" if key == "work_J" else colour
        size = 11 if key == "work_J" else 7
        right.plot(
            number,
            values[key],
            dashes,
            marker=marker if few else None,
            markersize=size,
            markerfacecolor=face,
            markeredgewidth=1.8,
            color=colour,
            label=label,
        )
    right.set(title="Energy in each cycle", xlabel="cycle", ylabel="energy (J)")
    log_scale(right, np.concatenate(list(values.values())), plain=False)
    right.margins(x=0.12, y=0.15)
    figure.legend(*right.get_legend_handles_labels(), loc="outside lower right", ncols=3)
    for axes in (left, right):
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axes.grid(which="minor", visible=False)
    return figure
