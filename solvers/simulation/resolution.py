"""What the mesh resolves of the penetration depth of each superconducting layer."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from meshes.plan import LENGTH_UNIT, Plan, plan_stack
from meshes.stack import LayerGeometry, StackGeometry
from meshes.text import metres
from solvers.case.model import Case
from solvers.simulation import geometry

COARSE = 0.5  # cells thicker than this part of the penetration depth do not show how the field falls


@dataclass(frozen=True)
class Resolution:
    """Cells of a superconducting layer against its penetration depth. Lengths in metres.

    Attributes:
        layer: name of the layer.
        thickness: of the layer.
        penetration_depth: at the temperature at which the run starts.
        surface_cell: height of the thicker of its lowest and highest cells.
        edge_cell: largest lateral size of its cells at an edge.
    """

    layer: str
    thickness: float
    penetration_depth: float
    surface_cell: float
    edge_cell: float

    @property
    def through_thickness(self) -> bool:
        """Whether the penetration depth is resolved through the thickness."""
        return self.surface_cell <= COARSE * self.penetration_depth

    @property
    def text(self) -> str:
        """What is resolved and what is not, in words."""
        depth, cell = metres(self.penetration_depth), metres(self.surface_cell)
        words = "resolved" if self.through_thickness else "not resolved"
        text = f"{self.layer}: penetration depth {depth} {words} through the thickness of {metres(self.thickness)}"
        text += f" (cells at the faces {cell}); laterally cells at the edges of {metres(self.edge_cell)}"
        if self.edge_cell <= COARSE * self.penetration_depth:
            return f"{text}, resolved too"
        return f"{text}: fields within a cell of the edges are not resolved"

    def to_json(self) -> dict[str, Any]:
        """For summary.json."""
        lengths = {key: value for key, value in asdict(self).items() if key != "layer"}
        values: dict[str, Any] = {f"{key}_m": value for key, value in lengths.items()}
        resolved = {"resolved_through_thickness": self.through_thickness, "text": self.text}
        return {"layer": self.layer} | values | resolved


def resolution(case: Case, stack: StackGeometry) -> list[Resolution]:
    """Resolution of each superconducting layer, bottom to top.

    Args:
        case: the case.
        stack: its geometry.
    """
    plan = plan_stack(stack)
    out = []
    for layer, material in zip(stack.layers, geometry.materials(case), strict=True):
        if not material.superconducting:
            continue
        heights = np.diff(next(slab.nodes for slab in plan.slabs if slab.group == layer.name))
        out.append(
            Resolution(
                layer=layer.name,
                thickness=layer.thickness,
                penetration_depth=geometry.design_depth(material, case.start),
                surface_cell=LENGTH_UNIT * float(max(heights[0], heights[-1])),
                edge_cell=_edge_cell(plan, stack, layer),
            )
        )
    return out


def _edge_cell(plan: Plan, stack: StackGeometry, layer: LayerGeometry) -> float:
    """Largest lateral size (m) of a layer's cells at its edges; ends at walls and symmetry planes are no edges."""
    sizes = []
    for axis, segments in enumerate((plan.x, plan.y)):
        if axis == 0 and layer.name == stack.conductor:
            continue
        nodes = np.unique(np.concatenate(segments)) * LENGTH_UNIT
        low, high = layer.interval(axis)
        above = int(np.abs(nodes - high).argmin())
        sizes.append(nodes[above] - nodes[above - 1])
        if not stack.quarter:
            below = int(np.abs(nodes - low).argmin())
            sizes.append(nodes[below + 1] - nodes[below])
    return float(max(sizes))
