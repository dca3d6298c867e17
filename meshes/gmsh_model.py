"""A planned stack as a Gmsh model: pure hexahedra with every volume and interface named."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import gmsh
import numpy as np

from meshes.arrays import Floats
from meshes.plan import Plan

HEXAHEDRON, QUADRILATERAL = 5, 3  # Gmsh element types
DimTags = list[tuple[int, int]]

# A session that is already open may have other values; they are put back afterwards.
OPTIONS = {
    "General.Terminal": 0,
    "Geometry.AutoCoherence": 0,  # shared faces are merged once per axis, not once per block
    # Relative to the size of the model: 2 nm must not be merged in a box of centimetres.
    "Geometry.Tolerance": 1e-11,
    "Mesh.ElementOrder": 1,
    "Mesh.MeshOnlyVisible": 0,
    "Mesh.RecombineAll": 0,
    "Mesh.SubdivisionAlgorithm": 0,
    "Mesh.SaveAll": 0,
}


@contextmanager
def gmsh_session(name: str = "coldstack") -> Iterator[Any]:
    """A silent Gmsh with an empty current model; leaves an already open session as it was.

    Yields:
        `gmsh.model`.
    """
    opened = not gmsh.isInitialized()
    if opened:
        gmsh.initialize(readConfigFiles=False, interruptible=False)
    previous = None if opened else gmsh.model.getCurrent()
    saved = {option: gmsh.option.getNumber(option) for option in OPTIONS}
    try:
        for option, value in OPTIONS.items():
            gmsh.option.setNumber(option, value)
        gmsh.model.add(name)
        yield gmsh.model
    finally:
        if opened:
            gmsh.finalize()
        else:
            gmsh.model.setCurrent(name)
            gmsh.model.remove()
            for option, value in saved.items():
                gmsh.option.setNumber(option, value)
            if previous in gmsh.model.list():
                gmsh.model.setCurrent(previous)


def build_model(plan: Plan) -> dict[str, int]:
    """Mesh a plan in the current Gmsh model and name its physical groups.

    A corner of the box is drawn out along x into lines, these along y into rectangles of
    recombined quadrangles, and these along z into hexahedra, level by level.

    Args:
        plan: Nodes along each axis (um) and the group of each block.

    Returns:
        Tags of the facet groups by name; those of the cells are `plan.cell_names()`.

    Raises:
        RuntimeError: The mesh is not made of hexahedra only, or not of as many as planned.
    """
    corner = gmsh.model.geo.addPoint(plan.x[0][0], plan.y[0][0], plan.slabs[0].nodes[0])
    lines = _draw_out([(0, corner)], plan.x, axis=0)
    rectangles = _draw_out(lines, plan.y, axis=1)
    _draw_out(rectangles, [slab.nodes for slab in plan.slabs], axis=2)
    gmsh.model.geo.synchronize()
    facet_names = _name_groups(plan)
    gmsh.model.mesh.generate(3)
    _check_hexahedra(plan)
    return facet_names


def node_coordinates() -> Floats:
    """Coordinates of the nodes of the current model, node n of Gmsh in row n - 1."""
    tags, coordinates, _ = gmsh.model.mesh.getNodes()
    ordered = np.empty((len(tags), 3))
    ordered[tags - 1] = coordinates.reshape(-1, 3)
    return ordered


def _draw_out(entities: DimTags, segments: list[Floats], axis: int) -> DimTags:
    """Extrude entities through all segments of an axis; the new ones of one dimension more."""
    dim = entities[0][0]
    made: DimTags = []
    for nodes in segments:
        shift = [0.0, 0.0, 0.0]
        shift[axis] = nodes[-1] - nodes[0]
        extruded = gmsh.model.geo.extrude(
            entities,
            *shift,
            numElements=[1] * (len(nodes) - 1),
            heights=list((nodes[1:] - nodes[0]) / shift[axis]),
            recombine=True,
        )
        # For each entity Gmsh lists its far copy, then the new entity, then the sides of that.
        positions = [i for i, (d, _) in enumerate(extruded) if d == dim + 1]
        made += [extruded[i] for i in positions]
        entities = [extruded[i - 1] for i in positions]
    gmsh.model.geo.removeAllDuplicates()  # neighbours share a face; the copies on the far side keep their tags
    return made


def _name_groups(plan: Plan) -> dict[str, int]:
    """Put every volume and every named surface into its physical group."""
    lines = [
        np.array([segments[0][0], *(nodes[-1] for nodes in segments)])
        for segments in (plan.x, plan.y, [slab.nodes for slab in plan.slabs])
    ]

    def middle(dim: int, tag: int) -> Floats:
        box = np.array(gmsh.model.getBoundingBox(dim, tag))
        return np.asarray((box[:3] + box[3:]) / 2)

    block: dict[int, tuple[int, ...]] = {}
    volumes: dict[str, list[int]] = {name: [] for name in plan.cell_names()}
    for dim, tag in gmsh.model.getEntities(3):
        place = enumerate(middle(dim, tag))
        block[tag] = tuple(int(np.searchsorted(lines[axis], z)) - 1 for axis, z in place)
        volumes[plan.groups[block[tag]]].append(tag)
    for group, number in plan.cell_names().items():
        gmsh.model.addPhysicalGroup(3, volumes[group], number, group)

    surfaces: dict[str, list[int]] = {}
    for dim, tag in gmsh.model.getEntities(2):
        blocks = sorted(block[volume] for volume in gmsh.model.getAdjacencies(dim, tag)[0])
        groups = [plan.groups[index] for index in blocks]
        if len(blocks) == 2:
            axis = int(np.flatnonzero(np.not_equal(blocks[0], blocks[1]))[0])
            name = plan.facet_name(axis, *groups)
        else:
            name = _wall(plan, lines, middle(dim, tag), groups[0])
        if name is not None:
            surfaces.setdefault(name, []).append(tag)
    facet_names = {name: tag for tag, name in enumerate(sorted(surfaces), start=1)}
    for surface_group, number in facet_names.items():
        gmsh.model.addPhysicalGroup(2, surfaces[surface_group], number, surface_group)
    return facet_names


def _wall(
    plan: Plan,
    lines: list[Floats],
    middle: Floats,
    group: str,
) -> str | None:
    """Name of a surface on a wall of the box, with the given cell group inside."""
    for axis in range(3):
        # The middle of a surface is at least half a segment away from the walls it is not on.
        near = 0.25 * np.diff(lines[axis]).min()
        if middle[axis] < lines[axis][0] + near:
            return plan.facet_name(axis, None, group)
        if middle[axis] > lines[axis][-1] - near:
            return plan.facet_name(axis, group, None)
    raise RuntimeError("a surface of the Gmsh model has one volume only but lies on no wall")


def _check_hexahedra(plan: Plan) -> None:
    types = [gmsh.model.mesh.getElementTypes(dim).tolist() for dim in (2, 3)]
    if types != [[QUADRILATERAL], [HEXAHEDRON]]:
        raise RuntimeError(f"Gmsh made other elements than hexahedra (its types: {types})")
    planned = plan.columns * sum(len(slab.nodes) - 1 for slab in plan.slabs)
    made = len(gmsh.model.mesh.getElementsByType(HEXAHEDRON)[0])
    if made != planned:
        raise RuntimeError(f"Gmsh made {made} hexahedra where {planned} were planned")
