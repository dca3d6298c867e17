"""What a finished run left in its folder, read for drawing."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fem.constants import MU0
from fem.materials.material import Material
from meshes.arrays import Floats
from meshes.picture import LAYER_COLOURS
from solvers.case.materials import layer_material
from solvers.case.model import Case
from solvers.errors import InputError
from solvers.output.result import Result

CYCLES_IN_FULL = 6  # more than these: the first and the last ones are drawn
MOST_PHASES = 24


@dataclass(frozen=True)
class RunLayer:
    """A layer as the summary tells it.

    Attributes:
        name: of the layer.
        label: name and material, for legends.
        material: its laws.
        bottom: height of its lower face above that of the stack, m.
        thickness: m.
        size: along x and y, m.
        center: of its footprint, m.
        colour: the same in all figures.
    """

    name: str
    label: str
    material: Material
    bottom: float
    thickness: float
    size: tuple[float, float]
    center: tuple[float, float]
    colour: str

    @property
    def top(self) -> float:
        """Height of the upper face, m."""
        return self.bottom + self.thickness


class RunData:
    """The results of a run.

    Args:
        folder: output folder with summary.json and history.csv, and profiles.npz if there are profiles.

    Attributes:
        case: what was computed.
        layers: from bottom to top.
        history: columns of history.csv by name, text for the phase and numbers for the others.
        profiles: arrays of profiles.npz.
        cycles: what the summary says of each cycle.
        cold: the layer to be cooled.

    Raises:
        InputError: a file is missing or is not what a run writes.
    """

    def __init__(self, folder: Path) -> None:
        try:
            result = Result.load(folder)
            summary = result.summary
            self.case = Case.model_validate(summary["case"])
            bottoms = {entry["name"]: float(entry["z_bottom_m"]) for entry in summary["layers"]}
            self.cycles = result.cycles
            self.history = result.history()
            if not self.history:
                raise ValueError("history.csv has no rows")
            path = folder / "profiles.npz"
            self.profiles: dict[str, npt.NDArray[Any]] = dict(np.load(path)) if path.is_file() else {}
            self.layers = [self._layer(k, bottoms) for k in range(len(self.case.layer))]
            self.cold = next(layer for layer in self.layers if layer.name == summary["cold_layer"])
        except (OSError, ValueError, LookupError, StopIteration, TypeError, EOFError, zipfile.BadZipFile) as error:
            raise InputError(f"{folder}: cannot read the results of a run: {error!r}") from error

    def _layer(self, k: int, bottoms: dict[str, float]) -> RunLayer:
        block = self.case.layer[k]
        return RunLayer(
            name=block.name,
            label=f"{block.name} ({block.material})",
            material=layer_material(block, self.case.material, self.case.physics),
            bottom=bottoms[block.name],
            thickness=block.thickness,
            size=block.size,
            center=block.center,
            colour=LAYER_COLOURS[k % len(LAYER_COLOURS)],
        )

    @property
    def films(self) -> list[RunLayer]:
        """The layers that switch."""
        return [layer for layer in self.layers if f"f_{layer.name}" in self.history]

    @property
    def drive(self) -> Floats | None:
        """Drive after each step in A or A/m; None without a drive."""
        for name in ("drive_A", "drive_A_per_m"):
            if name in self.history and self.case.drive is not None:
                return self.history[name]
        return None

    def volume(self, layer: RunLayer) -> float:
        """Volume (m^3) of a layer of the whole device, with the barrier below it, which belongs to it thermally."""
        k = self.layers.index(layer)
        volume = layer.thickness * layer.size[0] * layer.size[1]
        if k > 0:
            below = self.layers[k - 1]
            (x0, x1), (y0, y1) = footprint(layer, below)
            volume += max(layer.bottom - below.top, 0.0) * (x1 - x0) * (y1 - y0)
        return volume

    def transition_field(self, layer: RunLayer) -> float:
        """Field (T) at which a film of the case becomes normal at the start temperature; 0 where it is normal."""
        factor = 1.0
        if self.case.physics.film_transition:
            factor = float(layer.material.film_critical_field_factor(layer.thickness, self.case.start))
        return MU0 * factor * float(layer.material.critical_field(self.case.start))

    def shown_cycles(self) -> list[int]:
        """Numbers (from 1) of the cycles that fit into a figure: all, or the first and the last ones."""
        cycles = [int(number) for number in np.unique(self.history["cycle"])]
        room = min(CYCLES_IN_FULL, max(MOST_PHASES // len(self.case.cycle.phases), 1))
        if len(cycles) <= room:
            return cycles
        first = (room + 1) // 2
        return cycles[:first] + cycles[len(cycles) - (room - first) :]

    def phase_ends(self, cycle: int) -> list[float]:
        """Times (s) at which the phases of a cycle (from 1) begin, and the end of the last."""
        durations = [phase.duration for phase in self.case.cycle.phases]
        return [(cycle - 1) * sum(durations) + t for t in accumulate(durations, initial=0.0)]


def footprint(*layers: RunLayer) -> list[tuple[float, float]]:
    """Intervals in x and y (m) that the footprints of layers have in common."""
    intervals = []
    for axis in (0, 1):
        low = max(layer.center[axis] - layer.size[axis] / 2 for layer in layers)
        high = min(layer.center[axis] + layer.size[axis] / 2 for layer in layers)
        intervals.append((low, max(low, high)))
    return intervals
