"""Where the nodes of a stack go and what every part of it is called; in micrometres from here on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from meshes.arrays import Bools, Floats
from meshes.grading import graded_axis, graded_nodes
from meshes.stack import CellCounts, LayerGeometry, StackGeometry

LENGTH_UNIT = 1e-6  # m per unit of the mesh: 2 nm beside 100 um stays clear of Gmsh's tolerances
VACUUM = "vacuum"
BARRIER = ".barrier"
VACUUM_GROWTH = 2.0  # of the cells above and below the stack, away from it
# Along its own length, where nothing lies on it, the conductor's field does not change: its cells
# may grow beyond its interior_cell, up to this fraction of its length.
CONDUCTOR_CELL = 1 / 8
LATERAL_GIVE = 1.25  # a cell at an edge may be larger by this if that saves a plane of cells


@dataclass(frozen=True)
class Slab:
    """One level of the box: a layer, a barrier, or the vacuum above or below, over the whole plan.

    Attributes:
        group: Cell group of the patches inside the footprint.
        footprint: x and y intervals (um); None where the whole level is vacuum.
        nodes: Ascending z coordinates (um).
    """

    group: str
    footprint: tuple[tuple[float, float], tuple[float, float]] | None
    nodes: Floats


@dataclass(frozen=True)
class Plan:
    """Blocks of cells that fill the box, cut by all footprint edges and all layer faces.

    Attributes:
        x: Nodes (um) of each segment between two neighbouring edges along x.
        y: The same along y.
        slabs: The levels from bottom to top.
        groups: Cell group of each block, shape (len(x), len(y), len(slabs)).
        names: Names of the layers from bottom to top.
        quarter: Whether the planes x = 0 and y = 0 are symmetry planes.
    """

    x: list[Floats]
    y: list[Floats]
    slabs: list[Slab]
    groups: npt.NDArray[np.object_]
    names: list[str]
    quarter: bool

    @property
    def columns(self) -> int:
        """Number of columns of cells."""
        return sum(len(s) - 1 for s in self.x) * sum(len(s) - 1 for s in self.y)

    @property
    def cells(self) -> CellCounts:
        """Numbers of cells of the segments and levels."""
        x, y, z = (
            tuple(len(nodes) - 1 for nodes in axis) for axis in (self.x, self.y, [slab.nodes for slab in self.slabs])
        )
        return CellCounts(x, y, z)

    def cell_names(self) -> dict[str, int]:
        """Tags of the cell groups: layers and barriers from bottom to top, then the vacuum."""
        present = [slab.group for slab in self.slabs if slab.footprint is not None] + [VACUUM]
        return {name: tag for tag, name in enumerate(present, start=1)}

    def in_film(self, points: Floats) -> Bools:
        """Which points (um), shape (points, 3), are in a layer or a barrier; shape (points,)."""
        index = [
            np.searchsorted([nodes[-1] for nodes in axis[:-1]], points[:, i])
            for i, axis in enumerate((self.x, self.y, [slab.nodes for slab in self.slabs]))
        ]
        return np.asarray(self.groups[tuple(index)] != VACUUM, dtype=np.bool_)

    def facet_name(self, axis: int, below: str | None, above: str | None) -> str | None:
        """Group of a facet.

        Args:
            axis: Direction of its normal, 0 to 2.
            below: Cell group on the side of smaller coordinates, None outside the box.
            above: Cell group on the other side.

        Returns:
            Name of the facet group, None for a facet in the interior of a group.
        """
        if below is None:
            return None if above is None else self._wall_name(axis, "-", above)
        if above is None:
            return self._wall_name(axis, "+", below)
        if below == above:
            return None
        if axis < 2:  # one of the two is vacuum: a level holds one layer only
            inside = below if above == VACUUM else above
            return f"{inside.removesuffix(BARRIER)}.side"
        if above == VACUUM:
            return f"{below.removesuffix(BARRIER)}.top"
        if below == VACUUM:
            return f"{above.removesuffix(BARRIER)}.bottom"
        if below.endswith(BARRIER):
            upper = below.removesuffix(BARRIER)
            return f"{self.names[self.names.index(upper) - 1]}|{upper}.barrier"
        return f"{below}|{above.removesuffix(BARRIER)}"

    def _wall_name(self, axis: int, side: str, inside: str) -> str:
        if self.quarter and axis < 2 and side == "-":
            return f"symmetry.{'xy'[axis]}"
        if inside == VACUUM:
            return f"box.{'xyz'[axis]}{side}"
        layer = inside.removesuffix(BARRIER)
        return f"{layer}.end{side}" if axis == 0 else f"{layer}.{'side' if axis == 1 else 'top'}"


def plan_stack(stack: StackGeometry) -> Plan:
    """Choose the nodes along x, y and z and name the blocks between them.

    Raises:
        ValueError: The stack's numbers of cells are for another number of segments or levels.
    """
    x, y = (_lateral_nodes(stack, axis) for axis in (0, 1))
    slabs = _slabs(stack)
    groups = np.full((len(x), len(y), len(slabs)), VACUUM, dtype=object)
    for k, slab in enumerate(slabs):
        if slab.footprint is not None:
            (x0, x1), (y0, y1) = slab.footprint
            inside_x = [x0 <= segment.mean() <= x1 for segment in x]
            inside_y = [y0 <= segment.mean() <= y1 for segment in y]
            groups[np.ix_(inside_x, inside_y, [k])] = slab.group
    return Plan(x, y, slabs, groups, [layer.name for layer in stack.layers], stack.quarter)


def _um(metres: float) -> float:
    # Rounded to 1e-15 m, so that 14e-6 m and 2 * 7e-6 m are the same edge, bit by bit.
    return round(metres / LENGTH_UNIT, 9)


def _interval(layer: LayerGeometry, axis: int, quarter: bool) -> tuple[float, float]:
    low, high = layer.interval(axis)
    return (0.0 if quarter else _um(low)), _um(high)


def _box(stack: StackGeometry, axis: int) -> tuple[float, float]:
    intervals = [_interval(layer, axis, stack.quarter) for layer in stack.layers]
    low, high = min(a for a, _ in intervals), max(b for _, b in intervals)
    if axis == 0 and stack.conductor is not None:
        return low, high
    padding = _um(stack.padding)
    return (low if stack.quarter else low - padding), high + padding


def _lateral_nodes(stack: StackGeometry, axis: int) -> list[Floats]:
    low, high = _box(stack, axis)
    intervals = [_interval(layer, axis, stack.quarter) for layer in stack.layers]
    edges = {low, high, *(edge for pair in intervals for edge in pair)}
    centres = {_um(layer.center[axis]) for layer in stack.layers}
    if len(centres) == 1:
        edges |= centres  # a symmetric stack gets a symmetric mesh, four times that of its quarter
    lines = np.array(sorted(edges))
    counts = None if stack.cells is None else (stack.cells.x, stack.cells.y)[axis]
    _check_counts(counts, len(lines) - 1, "xy"[axis], "segments between edges")
    sizes = np.full(len(lines), np.inf)
    caps = np.full(len(lines) - 1, np.inf)
    middles = (lines[:-1] + lines[1:]) / 2
    for layer, (a, b) in zip(stack.layers, intervals, strict=True):
        at_edge = (lines == a) | (lines == b)
        at_edge &= (lines > low) & (lines < high)  # an end at a wall is no edge of a film
        sizes[at_edge] = np.minimum(sizes[at_edge], layer.edge_cell / LENGTH_UNIT)
        cap = layer.interior_cell / LENGTH_UNIT
        if axis == 0 and layer.name == stack.conductor:
            cap = max(cap, CONDUCTOR_CELL * layer.size[0] / LENGTH_UNIT)
        inside = (middles > a) & (middles < b)
        caps[inside] = np.minimum(caps[inside], cap)
    return graded_axis(lines, sizes, caps, stack.lateral_growth, LATERAL_GIVE, counts)


def _check_counts(counts: Sequence[int] | None, wanted: int, axis: str, what: str) -> None:
    if counts is not None and len(counts) != wanted:
        raise ValueError(f"{len(counts)} numbers of cells along {axis} for {wanted} {what}")


def _vacuum_nodes(depth: float, neighbour: float, cells: int | None) -> Floats:
    """Nodes (um) from a face of the stack outward, beside a cell of thickness `neighbour` (m); two cells or more."""
    first = VACUUM_GROWTH * neighbour / LENGTH_UNIT
    return graded_nodes(depth, first, growth=VACUUM_GROWTH, cap=depth / 2, give=VACUUM_GROWTH, cells=cells)


def _slabs(stack: StackGeometry) -> list[Slab]:
    """Levels from bottom to top; z = 0 is the lowest face of the stack."""
    lowest, highest = stack.layers[0], stack.layers[-1]
    levels = 2 + len(stack.layers) + len(stack.barriers)
    counts = None if stack.cells is None else stack.cells.z
    _check_counts(counts, levels, "z", "levels, the vacuum below and above included")

    def count() -> int | None:
        return None if counts is None else counts[len(slabs)]

    slabs: list[Slab] = []
    depth = _um(stack.padding)
    below = _vacuum_nodes(depth, lowest.bottom_cell, count())
    slabs.append(Slab(VACUUM, None, -below[::-1]))
    z = 0.0

    def add(group: str, footprint: list[tuple[float, float]], nodes: Floats) -> None:
        nonlocal z
        heights = z + nodes
        slabs.append(Slab(group, (footprint[0], footprint[1]), heights))
        z = heights[-1]

    previous: list[tuple[float, float]] = []
    for i, layer in enumerate(stack.layers):
        footprint = [_interval(layer, axis, stack.quarter) for axis in (0, 1)]
        if i - 1 in stack.barriers:
            common = [(max(a, c), min(b, d)) for (a, b), (c, d) in zip(previous, footprint, strict=True)]
            add(layer.name + BARRIER, common, graded_nodes(_um(stack.barriers[i - 1]), cells=count()))
        nodes = graded_nodes(
            _um(layer.thickness),
            layer.bottom_cell / LENGTH_UNIT,
            layer.top_cell / LENGTH_UNIT,
            layer.growth,
            layer.largest_cell / LENGTH_UNIT,
            cells=count(),
        )
        add(layer.name, footprint, nodes)
        previous = footprint
    gap = _um(stack.padding if stack.return_plane is None else stack.return_plane)
    above = _vacuum_nodes(gap, highest.top_cell, count())
    slabs.append(Slab(VACUUM, None, z + above))
    return slabs
