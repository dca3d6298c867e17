"""A stack and its mesh in one picture: from above, across to scale, across with every cell equally high."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from meshes.arrays import Bools, Floats, Ints
from meshes.plan import BARRIER, VACUUM

# Neighbours differ in lightness, so that the colour-blind can tell them apart.
LAYER_COLOURS = ("#4c78a8", "#e8a33d", "#c8553d", "#7fc9bd", "#8e6fb1", "#a8b545", "#5d4037")
BARRIER_COLOUR, VACUUM_COLOUR, LINE_COLOUR = "#111111", "#f4f6f8", "#30343b"
MARGIN = 0.12  # of the size of the stack, shown around it
VACUUM_CELLS = 4  # shown below and above in the stretched section


class StackPicture:
    """Draws the cells of an extruded stack.

    Args:
        boxes: Smallest and largest x, y, z (um) of each cell, shape (cells, 3, 2).
        tags: Group of each cell, shape (cells,).
        names: Tag of each group, the layers from bottom to top.
        quarter: Whether only the quarter x >= 0, y >= 0 is there.
    """

    def __init__(self, boxes: Floats, tags: Ints, names: dict[str, int], quarter: bool) -> None:
        """Sort out colours and the part to show."""
        self.boxes, self.tags, self.quarter = boxes, tags, quarter
        self.names = names
        self.layers = [name for name in names if name != VACUUM and not name.endswith(BARRIER)]
        colours = {VACUUM: VACUUM_COLOUR}
        for i, name in enumerate(self.layers):
            colours[name] = LAYER_COLOURS[i % len(LAYER_COLOURS)]
            colours[name + BARRIER] = BARRIER_COLOUR
        self.colours = {tag: colours[name] for name, tag in names.items()}
        self.solid = tags != names.get(VACUUM, -1)
        extent = boxes[self.solid]
        self.low, self.high = extent[:, :, 0].min(axis=0), extent[:, :, 1].max(axis=0)

    @matplotlib.rc_context({"text.usetex": False})  # whatever the settings of the user: LaTeX need not be there
    def save(self, path: Path, dpi: int) -> None:
        """Draw the three views into a file."""
        figure = Figure(figsize=(13, 7.5), layout="constrained")
        FigureCanvasAgg(figure)
        grid = figure.add_gridspec(2, 2, width_ratios=[1, 1.25], height_ratios=[1.5, 1])
        self._plan(figure.add_subplot(grid[0, 0]))
        x = self._cut_position()
        cut = (self.boxes[:, 0, 0] <= x) & (x < self.boxes[:, 0, 1])
        self._section(figure.add_subplot(grid[1, 0]), cut, x)
        self._stretched(figure.add_subplot(grid[:, 1]), cut)
        handles = [
            Patch(facecolor=self.colours[self.names[name]], edgecolor=LINE_COLOUR, label=self._label(name))
            for name in self.layers
        ]
        if any(name.endswith(BARRIER) for name in self.names):
            handles.append(Patch(facecolor=BARRIER_COLOUR, label="barrier"))
        handles.append(Patch(facecolor=VACUUM_COLOUR, edgecolor=LINE_COLOUR, label="vacuum"))
        figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), frameon=False)
        box = self.boxes[:, :, 1].max(axis=0) - self.boxes[:, :, 0].min(axis=0)
        part = "a quarter of the stack" if self.quarter else "the whole stack"
        figure.suptitle(
            f"{len(self.boxes)} hexahedra: {part} in a box of {box[0]:.4g} x {box[1]:.4g} x {box[2]:.4g} µm",
            fontsize=12,
        )
        figure.savefig(path, dpi=dpi)

    def _label(self, name: str) -> str:
        boxes = self.boxes[self.tags == self.names[name]]
        size = boxes[:, :, 1].max(axis=0) - boxes[:, :, 0].min(axis=0)
        x, y = size[:2] * (2 if self.quarter else 1)
        return f"{name}  {x:.4g} x {y:.4g} x {size[2]:.4g} µm"

    def _cut_position(self) -> float:
        """An x (um) that passes through as many layers as possible, near their middle."""
        if self.quarter:
            return 0.0
        spans = []
        for name in self.layers:
            x = self.boxes[self.tags == self.names[name], 0]
            spans.append((x[:, 0].min(), x[:, 1].max()))
        low, high = max(a for a, _ in spans), min(b for _, b in spans)
        return float((low + high) / 2 if low < high else np.mean(spans[-1]))

    def _draw(self, axes: Axes, cells: Floats, tags: Ints, width: float) -> None:
        """Rectangles (u, v intervals: shape (n, 2, 2)) in the colours of their groups."""
        (u0, u1), (v0, v1) = cells[:, 0].T, cells[:, 1].T
        corners = np.stack([np.stack(pair, axis=1) for pair in ((u0, v0), (u1, v0), (u1, v1), (u0, v1))], axis=1)
        faces = [self.colours[int(tag)] for tag in tags]
        axes.add_collection(PolyCollection(list(corners), facecolors=faces, edgecolors=LINE_COLOUR, linewidths=width))

    def _limits(self, axis: int) -> tuple[float, float]:
        margin = MARGIN * (self.high[axis] - self.low[axis])
        low, high = self.boxes[:, axis, 0].min(), self.boxes[:, axis, 1].max()
        return max(low, self.low[axis] - margin), min(high, self.high[axis] + margin)

    def _plan(self, axes: Axes) -> None:
        # The highest solid cell of each column; columns without one show vacuum.
        order = np.lexsort((self.boxes[:, 2, 1], self.solid))
        _, last = np.unique(self.boxes[order][::-1, :2, 0], axis=0, return_index=True)
        top = order[::-1][last]
        self._draw(axes, self.boxes[top][:, :2], self.tags[top], 0.4)
        axes.set(xlim=self._limits(0), ylim=self._limits(1), aspect="equal", xlabel="x (µm)", ylabel="y (µm)")
        axes.set_title("from above", fontsize=10)

    def _section(self, axes: Axes, cut: Bools, x: float) -> None:
        self._draw(axes, self.boxes[cut][:, 1:], self.tags[cut], 0.15)
        axes.set(xlim=self._limits(1), ylim=self._limits(2), aspect="equal", xlabel="y (µm)", ylabel="z (µm)")
        axes.set_title(f"across at x = {x:.4g} µm, to scale", fontsize=10)

    def _stretched(self, axes: Axes, cut: Bools) -> None:
        cells, tags = self.boxes[cut][:, 1:], self.tags[cut]
        levels = np.unique(cells[:, 1])
        stretched = cells.copy()
        stretched[:, 1] = np.searchsorted(levels, cells[:, 1])
        self._draw(axes, stretched, tags, 0.4)
        solid = cells[self.solid[cut]]
        faces: list[float] = []
        for name, tag in self.names.items():
            group = cells[tags == tag]
            if name == VACUUM or len(group) == 0:
                continue
            low, high = float(group[:, 1, 0].min()), float(group[:, 1, 1].max())
            faces += [low, high]
            place = ((group[:, 0].min() + group[:, 0].max()) / 2, np.searchsorted(levels, [low, high]).mean())
            text = f"{1e3 * (high - low):.4g} nm" if name.endswith(BARRIER) else f"{name} {high - low:.4g} µm"
            colour, size = ("white", 7) if name.endswith(BARRIER) else ("black", 11)
            # A patch of the layer's colour keeps the lines of the mesh out of the letters.
            box = {"facecolor": self.colours[tag], "edgecolor": "none", "pad": 1.5} if size > 7 else None
            axes.text(*place, text, color=colour, size=size, ha="center", va="center", bbox=box)
        heights = np.unique(faces)
        ticks = np.searchsorted(levels, heights)
        first, last = np.searchsorted(levels, [solid[:, 1].min(), solid[:, 1].max()])
        axes.set(
            xlim=self._limits(1),
            ylim=(max(0, first - VACUUM_CELLS), min(len(levels) - 1, last + VACUUM_CELLS)),
            xlabel="y (µm)",
            ylabel="height of the faces (µm)",
        )
        axes.set_yticks(ticks, [f"{z:.6g}" for z in heights], fontsize=8)
        for label, up, down in zip(
            axes.get_yticklabels(), np.diff(ticks, append=99), np.diff(ticks, prepend=-99), strict=True
        ):
            label.set_verticalalignment(
                "top" if up == 1 else "bottom" if down == 1 else "center"
            )  # do not print over each other
        axes.set_title("the same with every cell equally high", fontsize=10)
