"""Temperatures, field and normal fraction against time, on an axis where every phase can be seen."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from fem.constants import MU0
from fem.materials.two_temperatures import lattice_name
from meshes.arrays import Floats
from solvers.figures.run_data import RunData
from solvers.figures.style import (
    INK,
    MUTED,
    PHASE_TINTS,
    PiecewiseAxis,
    log_scale,
    new_figure,
    quantity,
    readable_widths,
)

WIDTH = 13.0  # inches
PLOT_SHARE = 0.75  # of the width, beside labels and legends
CHARACTER = 0.085  # inches of a letter of the phase names
GAP = 0.5  # width of the cycles left out, in those of the shortest phase


class PhaseAxis:
    """The time axis: pieces of the phases shown, and cycles left out between them.

    Args:
        run: the results.

    Attributes:
        place: from time (s) to place on the axis.
        rows: which rows of the history are in a cycle shown, shape (rows,).
        phases: number of the phase of each piece, None for cycles left out.
    """

    def __init__(self, run: RunData) -> None:
        self.run = run
        durations = [phase.duration for phase in run.case.cycle.phases]
        widths = readable_widths(durations)
        ends: list[float] = []
        all_widths: list[float] = []
        self.cycles = run.shown_cycles()
        self.phases: list[int | None] = []
        for before, cycle in pairwise([0, *self.cycles]):
            times = run.phase_ends(cycle)
            if cycle > before + 1:
                all_widths.append(GAP)
                self.phases.append(None)
                ends.append(times[0])
            elif not ends:
                ends.append(times[0])
            ends += times[1:]
            all_widths += widths
            self.phases += range(len(durations))
        self.place = PiecewiseAxis(ends, all_widths)
        self.rows = np.isin(run.history["cycle"], self.cycles)

    def broken(self, name: str, start: float) -> tuple[Floats, Floats]:
        """Places and values of a column of the history from its start value on; a gap (nan) for cycles left out."""
        history = self.run.history
        time = np.concatenate([[0.0], history["time_s"][self.rows]])
        values = np.concatenate([[start], history[name][self.rows]])
        cycle = np.concatenate([[1], history["cycle"][self.rows]])
        cut = np.flatnonzero(np.diff(cycle) > 1) + 1
        return np.insert(self.place(time), cut, np.nan), np.insert(values, cut, np.nan)

    def shade(self, axes: Axes) -> None:
        """Tint the phases."""
        for phase, (a, b) in zip(self.phases, self.place.pieces(), strict=True):
            if phase is not None:
                axes.axvspan(a, b, color=PHASE_TINTS[phase % len(PHASE_TINTS)], linewidth=0, zorder=0)
        axes.set_xlim(self.place.places[0], self.place.places[-1])
        axes.grid(axis="x", visible=False)
        axes.spines[["left", "bottom"]].set_visible(True)

    def label(self, axes: Axes) -> None:
        """Ticks and times at the ends of the cycles, of the phases too if there is one cycle only."""
        ends, places = self.place.ends, self.place.places
        if len(self.cycles) > 1:
            last = len(self.run.case.cycle.phases) - 1
            starts = [0, *(i + 1 for i, phase in enumerate(self.phases) if phase == last)]
            ends, places = ends[starts], places[starts]
        unit, factor = ("s", 1.0) if ends[-1] >= 1 else ("ms", 1e3) if ends[-1] >= 1e-3 else ("µs", 1e6)
        axes.set_xticks(places, [f"{factor * t:.5g}" for t in ends])
        more = "; linear in each phase, short phases widened" if len(self.run.case.cycle.phases) > 1 else ""
        axes.set_xlabel(f"time ({unit}){more}")


def draw_history(run: RunData) -> Figure:
    """Temperatures of all layers, field at the films, drive and normal fraction against time."""
    axis = PhaseAxis(run)
    fields = [film for film in run.films if f"B_{film.name}_T" in run.history]
    heights = [0.24, 3.2, *([1.25] if fields else []), *([1.25] if run.drive is not None else [])]
    figure = new_figure(WIDTH, 1.7 + sum(heights), run.case.title)
    panels = list(
        figure.subplots(len(heights), 1, sharex=True, squeeze=False, gridspec_kw={"height_ratios": heights})[:, 0]
    )
    keys = _phase_strip(panels[0], axis)
    _temperatures(panels[1], axis)
    if fields:
        for film in fields:
            place, value = axis.broken(f"B_{film.name}_T", 0.0)
            panels[2].plot(place, 1e3 * value, color=film.colour, label=f"largest at {film.label}")
            transition = 1e3 * run.transition_field(film)
            panels[2].axhline(
                transition,
                color=film.colour,
                linestyle=(0, (4, 2)),
                linewidth=1.2,
                label=f"transition of {film.material.name}",
            )
        panels[2].set(ylabel="B (mT)", ylim=(0, None))
    if run.drive is not None:
        _fractions(panels[-1], axis)
    for panel in panels[1:]:
        axis.shade(panel)
        panel.legend(loc="upper left", bbox_to_anchor=(1.005, 1.03), borderaxespad=0.0)
    figure.align_ylabels(panels[1:])
    axis.label(panels[-1])
    if keys:
        figure.legend(handles=keys, loc="outside lower left", ncols=min(len(keys), 4), fontsize=10)
    return figure


def _phase_strip(axes: Axes, axis: PhaseAxis) -> list[Patch]:
    """Name the phases above the panels, by numbers where names do not fit; returns the key to the numbers."""
    phases = axis.run.case.cycle.phases
    axes.set_ylim(0, 1)
    axis.shade(axes)
    axes.axis("off")
    inches = WIDTH * PLOT_SHARE / axis.place.places[-1]
    names = [phase.name for phase in phases]
    pieces = list(zip(axis.phases, axis.place.pieces(), strict=True))
    fits = all(phase is None or len(names[phase]) * CHARACTER < (b - a) * inches for phase, (a, b) in pieces)
    for phase, (a, b) in pieces:
        text = "…" if phase is None else names[phase] if fits else str(phase + 1)
        axes.text((a + b) / 2, 0.5, text, ha="center", va="center", fontsize=10, color=INK)
    if fits:
        return []
    return [
        Patch(
            facecolor=PHASE_TINTS[i % len(PHASE_TINTS)],
            edgecolor=MUTED,
            linewidth=0.5,
            label=f"{i + 1} {phase.name}, {quantity(phase.duration, 's')}",
        )
        for i, phase in enumerate(phases)
    ]


def _temperatures(axes: Axes, axis: PhaseAxis) -> None:
    run = axis.run
    for layer in run.layers:
        place, value = axis.broken(f"T_{layer.name}_K", run.case.start)
        axes.plot(place, 1e3 * value, color=layer.colour, label=layer.label)
    columns = [f"T_{layer.name}_K" for layer in run.layers]
    for layer, block in zip(run.layers, run.case.layer, strict=True):
        if block.electron_phonon:
            columns.append(f"T_{lattice_name(layer.name)}_K")
            place, value = axis.broken(columns[-1], run.case.start)
            axes.plot(place, 1e3 * value, "--", color=layer.colour, label=f"lattice of {layer.name}")
    axes.set(ylabel="temperature (mK)")
    shown = [run.history[name][axis.rows] for name in columns]
    log_scale(axes, 1e3 * np.concatenate([[run.case.start], *shown]), plain=True)


def _fractions(axes: Axes, axis: PhaseAxis) -> None:
    """Drive in units of its amplitude, and normal fraction of the films."""
    run = axis.run
    assert run.case.drive is not None
    name = "drive_A" if "drive_A" in run.history else "drive_A_per_m"
    place, drive = axis.broken(name, 0.0)
    amplitude = run.case.drive.amplitude or 1.0
    if name == "drive_A":
        label = f"current / {quantity(amplitude, 'A')}"
    else:
        label = f"applied field / {quantity(MU0 * amplitude, 'T')}"
    axes.fill_between(place, drive / amplitude, color=MUTED, alpha=0.25, linewidth=0)
    axes.plot(place, drive / amplitude, color=MUTED, linewidth=1.2, label=label)
    for film in run.films:
        place, value = axis.broken(f"f_{film.name}", 0.0)
        axes.plot(place, value, color=film.colour, label=f"normal fraction of {film.name}")
    axes.set(ylabel="fraction", ylim=(min(0.0, float(np.nanmin(drive / amplitude))) - 0.04, 1.08))
