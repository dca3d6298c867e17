"""The look that all figures share: colours, sizes, axes and how quantities are written."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from meshes.arrays import Floats

INK, MUTED, GRID = "#1f2937", "#6b7280", "#e5e7eb"
# States of a superconductor, and what is neither.
NORMAL, SUPER, OTHER = "#c8553d", "#1f5f8b", "#6b7280"
# Heats and work, colour-blind safe, of different lightness.
DRAWN, REJECTED, WORK = "#4c78a8", "#c8553d", "#e8a33d"
PATH_SHADES = ("#111827", "#6b7280", "#a3a9b4")  # first cycle, those between, last
PHASE_TINTS = ("#e1eaf6", "#e4f1ea", "#ece6f4", "#f5ece8", "#edf0e2", "#e4eff2")
STYLE: dict[str, Any] = {
    "text.usetex": False,  # whatever the settings of the user: LaTeX need not be there
    "font.size": 11,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": MUTED,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.titlesize": 12,
    "grid.color": GRID,
    "lines.linewidth": 2.0,
    "legend.frameon": False,
    "legend.fontsize": 10,
}
DPI = 160
LOG_RANGE = 3.0  # values that differ by less get an ordinary axis


class PiecewiseAxis:
    """An axis of pieces end to end, linear inside each, with widths chosen to show them all.

    Args:
        ends: ascending coordinates of the ends of the pieces.
        widths: of the pieces.
    """

    def __init__(self, ends: Sequence[float], widths: Sequence[float]) -> None:
        self.ends = np.asarray(ends, dtype=np.float64)
        self.places = np.asarray(list(accumulate(widths, initial=0.0)))

    def __call__(self, values: npt.ArrayLike) -> Floats:
        """Places of coordinates on the axis."""
        return np.asarray(np.interp(np.asarray(values, dtype=np.float64), self.ends, self.places))

    def pieces(self) -> list[tuple[float, float]]:
        """Both ends of each piece, as places."""
        return [(float(a), float(b)) for a, b in pairwise(self.places)]


def readable_widths(lengths: Sequence[float]) -> list[float]:
    """Widths that grow with the logarithm of the lengths: 1 for the shortest, 1 more for each decade."""
    shortest = min(lengths)
    return [1.0 + float(np.log10(length / shortest)) for length in lengths]


def new_figure(width: float, height: float, title: str) -> Figure:
    """A figure of a size in inches with its title at the upper left."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title, fontsize=15, fontweight="bold", x=0.01, ha="left")
    return figure


def log_scale(axes: Axes, values: Floats, plain: bool) -> None:
    """Make the upright axis logarithmic if its values are positive and not too close together.

    Args:
        axes: where they are drawn.
        values: all that is drawn.
        plain: whether ticks are plain numbers rather than powers of ten.
    """
    if not (values.min() > 0 and values.max() > LOG_RANGE * values.min()):
        return
    axes.set_yscale("log")
    if plain:
        few_decades = values.max() < 30 * values.min()
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.yaxis.set_minor_formatter(FuncFormatter(lambda value, _: _sparse(value) if few_decades else ""))
    axes.grid(which="minor", visible=False)


def _sparse(value: float) -> str:
    """Label of a minor tick: 2 and 5 of a decade only."""
    leading = round(value / 10 ** np.floor(np.log10(value)))
    return f"{value:g}" if leading in (2, 5) else ""


def quantity(value: float, unit: str) -> str:
    """A value with an SI prefix, such as "0.3 s" as "300 ms"."""
    if value == 0 or not np.isfinite(value):
        return f"{value:g} {unit}"
    power = int(np.clip(np.floor(np.log10(abs(value) * (1 + 1e-9)) / 3), -5, 3))
    prefix = ("f", "p", "n", "µ", "m", "", "k", "M", "G")[power + 5]
    return f"{value / 1000.0**power:.3g} {prefix}{unit}"
