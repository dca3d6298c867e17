"""Boxes of flat layers on regular grids, of hexahedra or tetrahedra, shared out among the ranks as one likes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise, permutations
from typing import Any

import basix.ufl
import dolfinx.mesh
import numpy as np
from mpi4py import MPI

from meshes import compat
from meshes.arrays import Floats, Ints, Longs
from meshes.tagged import Marker, TaggedMesh, tag_mesh


@dataclass(frozen=True)
class Slab:
    """A layer of a box.

    Attributes:
        name: of its cell group.
        thickness: m.
        cells: number of cells through it.
    """

    name: str
    thickness: float
    cells: int


def layered_box(
    comm: MPI.Intracomm,
    slabs: Sequence[Slab],
    size: tuple[float, float],
    cells: tuple[int, int] = (1, 1),
    tetrahedra: bool = False,
    rank_of: Callable[[Floats], Ints] | None = None,
) -> TaggedMesh:
    """Mesh a pile of layers of one footprint, from z = 0 upwards, x and y from 0 (collective).

    Cell groups are the names of the slabs; facet groups "LOWER|UPPER" between neighbours, and "bottom", "top", "x-",
    "x+", "y-", "y+" around the box.

    Args:
        comm: ranks the mesh is distributed over.
        slabs: bottom to top.
        size: footprint, m.
        cells: number of cells along x and y.
        tetrahedra: cut every box into six tetrahedra.
        rank_of: rank of each cell from the midpoints of the cells (n, 3) in metres; None: equal shares along the
            longest direction of the grid.

    Returns:
        The mesh, every rank with the cells that share a vertex with its own.
    """
    heights = [np.linspace(0.0, slab.thickness, slab.cells + 1) for slab in slabs]
    floors = np.concatenate([[0.0], np.cumsum([slab.thickness for slab in slabs])])
    z = np.concatenate([[0.0], *(floor + height[1:] for floor, height in zip(floors[:-1], heights, strict=True))])
    lines = [np.linspace(0.0, length, n + 1) for length, n in zip(size, cells, strict=True)] + [z]
    first = np.cumsum([0, *(slab.cells for slab in slabs)])

    nodes, x = _grid(lines, tetrahedra) if comm.rank == 0 else (np.zeros((0, 4 if tetrahedra else 8), np.int64), None)
    shape = "tetrahedron" if tetrahedra else "hexahedron"
    element = basix.ufl.element("Lagrange", shape, 1, shape=(3,), dtype=np.float64)
    owner: Ints = np.zeros(0, dtype=np.int32)
    if x is not None:
        midpoints = x[nodes].mean(axis=1)
        owner = np.asarray(rank_of(midpoints) if rank_of else _shares(midpoints, lines, comm.size), dtype=np.int32)
    coordinates = x if x is not None else np.zeros((0, 3))
    mesh = dolfinx.mesh.create_mesh(comm, nodes, coordinates, element, _partitioner(owner))

    planes = {f"{a.name}|{b.name}": (2, z[k]) for (a, b), k in zip(pairwise(slabs), first[1:-1], strict=True)}
    planes |= {"bottom": (2, 0.0), "top": (2, z[-1])}
    for axis, line in enumerate(lines[:2]):
        planes |= {f"{'xy'[axis]}-": (axis, line[0]), f"{'xy'[axis]}+": (axis, line[-1])}

    def above(floor: float) -> Marker:
        return lambda x: x[2] > floor

    def on(axis: int, where: float) -> Marker:
        slack = 1e-6 * np.diff(lines[axis]).min()
        return lambda x: np.abs(x[axis] - where) < slack

    groups = {slab.name: above(floor) for slab, floor in zip(slabs, z[first[:-1]], strict=True)}
    return tag_mesh(mesh, groups, {name: on(*plane) for name, plane in planes.items()})


def _grid(lines: list[Floats], tetrahedra: bool) -> tuple[Longs, Floats]:
    """Nodes of every cell, corners in tensor-product order, and coordinates of every node."""
    shape = [len(line) for line in lines]
    x = np.stack(np.meshgrid(*lines, indexing="ij"), axis=-1).reshape(-1, 3)
    number = np.arange(len(x)).reshape(shape)
    corner = [number[i : shape[0] - 1 + i, j : shape[1] - 1 + j, k : shape[2] - 1 + k].reshape(-1)
              for k in (0, 1) for j in (0, 1) for i in (0, 1)]  # fmt: skip
    boxes = np.stack(corner, axis=1)
    if not tetrahedra:
        return boxes, x
    # One tetrahedron for each way from corner 0 to corner 7 along three edges.
    paths = [np.cumsum([0, *steps]) for steps in permutations((1, 2, 4))]
    return boxes[:, np.array(paths)].reshape(-1, 4), x


def _shares(midpoints: Floats, lines: list[Floats], parts: int) -> Ints:
    along = int(np.argmax([len(line) for line in lines]))
    _, place = np.unique(np.round(midpoints[:, along] / lines[along][-1], 12), return_inverse=True)
    place = place.reshape(-1)
    return np.asarray(place * parts // (place.max() + 1), dtype=np.int32)


def _partitioner(owner: Ints) -> Callable[..., Any]:
    """Every cell to its owner and, as a ghost, to the owners of cells that share a vertex with it."""

    def partitioner(comm: Any, parts: int, cell_types: Any, cells: Any) -> Any:
        """Destinations of the cells of this rank."""
        if len(owner) == 0:
            return compat.cell_destinations(np.empty(0, np.int32), np.zeros(1, np.int32))
        corners = np.asarray(cells[0]).reshape(len(owner), -1)
        seen = np.zeros((corners.max() + 1, parts), dtype=bool)
        seen[corners, owner[:, None]] = True
        wanted = seen[corners].any(axis=1)
        wanted[np.arange(len(owner)), owner] = False
        ranks = [np.append(rank, np.flatnonzero(row)) for rank, row in zip(owner, wanted, strict=True)]
        offsets = np.cumsum([0, *(len(r) for r in ranks)])
        return compat.cell_destinations(np.concatenate(ranks).astype(np.int32), offsets.astype(np.int32))

    return partitioner
