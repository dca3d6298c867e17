"""What a stack of layers in its vacuum box is: sizes and wanted cell sizes, in metres, and no mesh yet."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

# Two different edges or faces must be at least this far apart (m): an atom's diameter.
SMALLEST_DISTANCE = 1e-10


@dataclass(frozen=True, kw_only=True)
class LayerGeometry:
    """One layer: a rectangular plate and how finely to mesh it. All lengths in metres.

    Attributes:
        name: Name of the layer; names its cell group and, with a suffix, its facet groups.
        thickness: Thickness (m).
        size: Extent of the footprint along x (the current) and y (m).
        center: Centre of the footprint (m).
        bottom_cell: Wanted thickness of the lowest cell (m); lambda/4 in a superconductor.
        top_cell: Wanted thickness of the highest cell (m).
        growth: Largest ratio of the thicknesses of two cells of the layer on top of each other.
        largest_cell: Largest thickness of a cell (m).
        edge_cell: Lateral cell size at the edges of the footprint (m).
        interior_cell: Largest lateral cell size inside the footprint (m).
    """

    name: str
    thickness: float
    size: tuple[float, float]
    center: tuple[float, float] = (0.0, 0.0)
    bottom_cell: float
    top_cell: float
    growth: float = 1.5
    largest_cell: float
    edge_cell: float
    interior_cell: float

    def __post_init__(self) -> None:
        """Check names and numbers.

        Raises:
            ValueError: The name cannot name a group or a number is out of range.
        """
        if (
            not self.name.strip()
            or self.name in ("vacuum", "box", "symmetry")
            or any(character in self.name for character in '.|"\n')
        ):
            raise ValueError(
                f"layer name {self.name!r} is not allowed: not empty, not vacuum, box or symmetry, "
                'and none of . | " in it'
            )
        lengths = {
            "thickness": self.thickness,
            "size[0]": self.size[0],
            "size[1]": self.size[1],
            "bottom_cell": self.bottom_cell,
            "top_cell": self.top_cell,
            "largest_cell": self.largest_cell,
            "edge_cell": self.edge_cell,
            "interior_cell": self.interior_cell,
        }
        for key, value in lengths.items():
            if not (math.isfinite(value) and value > 0):
                raise ValueError(f"layer {self.name}: {key} must be positive, not {value:g} m")
        for key in ("thickness", "size[0]", "size[1]"):
            if lengths[key] < SMALLEST_DISTANCE:
                raise ValueError(
                    f"layer {self.name}: {key} = {lengths[key]:g} m is below an atom ({SMALLEST_DISTANCE:g} m)"
                )
        if not all(math.isfinite(value) for value in self.center):
            raise ValueError(f"layer {self.name}: center must be finite, not {self.center}")
        if not (math.isfinite(self.growth) and self.growth > 1):
            raise ValueError(f"layer {self.name}: growth must be above 1, not {self.growth:g}")

    def interval(self, axis: int) -> tuple[float, float]:
        """Lower and upper end of the footprint along an axis (0 for x, 1 for y) in metres."""
        return (
            self.center[axis] - self.size[axis] / 2,
            self.center[axis] + self.size[axis] / 2,
        )


@dataclass(frozen=True)
class CellCounts:
    """Numbers of cells that stay while lengths change.

    Attributes:
        x: Cells of each segment between two neighbouring edges along x, and between the outer ones and the walls.
        y: The same along y.
        z: Cells through each level from bottom to top: vacuum, layers and barriers, vacuum.
    """

    x: tuple[int, ...]
    y: tuple[int, ...]
    z: tuple[int, ...]


@dataclass(frozen=True)
class StackGeometry:
    """Layers on top of each other in a vacuum box. All lengths in metres.

    Attributes:
        layers: Bottom to top; each rests on the one below, so their footprints overlap. A layer may overhang.
        barriers: Thickness (m) of the insulating barrier between layers i and i+1, over their common footprint.
        conductor: Layer whose two ends in x are the walls x- and x+ of the box (a transport current passes through);
            None for vacuum on all sides.
        padding: Vacuum (m) between the footprints and the walls in y, in x without a conductor, below the stack, and
            above it without a return plane.
        return_plane: Distance (m) from the top face of the top layer to the lid of the box; None for padding.
        quarter: Keep x >= 0 and y >= 0 only; every centre must be the origin.
        lateral_growth: Largest ratio of the lateral sizes of neighbouring cells.
        cells: Numbers of cells, in place of those that the wanted sizes ask for.
    """

    layers: tuple[LayerGeometry, ...]
    barriers: Mapping[int, float]
    conductor: str | None
    padding: float
    return_plane: float | None
    quarter: bool
    lateral_growth: float = 1.6
    cells: CellCounts | None = None

    def __post_init__(self) -> None:
        """Check that the parts fit together.

        Raises:
            ValueError: Layers that do not touch, a conductor that does not pass the whole box, and the like.
        """
        names = [layer.name for layer in self.layers]
        if not names:
            raise ValueError("a stack needs at least one layer")
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two layers are called {name}")
        lengths = {"padding": self.padding}
        if self.return_plane is not None:
            lengths["return_plane"] = self.return_plane
        for index, thickness in self.barriers.items():
            if not 0 <= index < len(names) - 1:
                raise ValueError(f"barrier {index}: there is no pair of layers {index} and {index + 1}")
            lengths[f"barrier between {names[index]} and {names[index + 1]}"] = thickness
        for key, value in lengths.items():
            if not (math.isfinite(value) and value >= SMALLEST_DISTANCE):
                raise ValueError(f"{key} must be at least {SMALLEST_DISTANCE:g} m, not {value:g} m")
        if not (math.isfinite(self.lateral_growth) and self.lateral_growth > 1):
            raise ValueError(f"lateral_growth must be above 1, not {self.lateral_growth:g}")
        self._check_footprints()
        self._check_edges()

    def _check_footprints(self) -> None:
        for lower, upper in pairwise(self.layers):
            for axis in (0, 1):
                (a, b), (c, d) = lower.interval(axis), upper.interval(axis)
                if min(b, d) - max(a, c) < SMALLEST_DISTANCE:
                    raise ValueError(
                        f"layers {lower.name} and {upper.name} do not touch: footprints apart along {'xy'[axis]}"
                    )
        if self.quarter:
            for layer in self.layers:
                if layer.center != (0.0, 0.0):
                    raise ValueError(
                        f"a quarter needs every layer centred at the origin: {layer.name} is at {layer.center} m"
                    )
        if self.conductor is None:
            return
        conductor = next((layer for layer in self.layers if layer.name == self.conductor), None)
        if conductor is None:
            raise ValueError(f"the conductor {self.conductor} is not among the layers")
        a, b = conductor.interval(0)
        for layer in self.layers:
            c, d = layer.interval(0)
            if c < a - SMALLEST_DISTANCE or d > b + SMALLEST_DISTANCE:
                raise ValueError(
                    f"layer {layer.name} reaches beyond the ends of the conductor {self.conductor}, "
                    "which are the walls of the box"
                )

    def _check_edges(self) -> None:
        # Edges closer than an atom are a slip in somebody's arithmetic and would make cells of zero width.
        for axis in (0, 1):
            edges = sorted((edge, layer.name) for layer in self.layers for edge in layer.interval(axis))
            for (a, first), (b, second) in pairwise(edges):
                if 1e-15 < b - a < SMALLEST_DISTANCE:
                    raise ValueError(
                        f"edges of layers {first} and {second} are {b - a:.2g} m apart along {'xy'[axis]}: "
                        f"make them equal or {SMALLEST_DISTANCE:g} m apart"
                    )
