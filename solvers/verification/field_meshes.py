"""Meshes for the field's known answers, with coordinates in units of their own size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import dolfinx.mesh
import numpy as np
import numpy.typing as npt
from mpi4py import MPI

from meshes.tagged import TaggedMesh

Floats = npt.NDArray[np.float64]
Interval = tuple[float, float]
WALLS = tuple((f"{axis}{side}", k, end) for k, axis in enumerate("xyz") for side, end in (("-", 0), ("+", -1)))


def brick_mesh(
    comm: MPI.Intracomm,
    nodes: Sequence[npt.ArrayLike],
    groups: Mapping[str, Sequence[Interval | None]],
    unit: float,
    tetrahedra: bool = False,
) -> TaggedMesh:
    """Mesh a brick on a graded grid (collective).

    Args:
        comm: ranks the mesh is distributed over.
        nodes: ascending coordinates along x, y and z in metres.
        groups: for each cell group its intervals along x, y and z in metres (None: all along that axis); a later group
            takes cells from an earlier one.
        unit: metres per unit of the mesh's coordinates.
        tetrahedra: cut every cell into six tetrahedra.

    Returns:
        The mesh; facet groups are the six walls "x-", "x+", "y-", "y+", "z-" and "z+".

    Raises:
        ValueError: a cell is in no group.
    """
    lines: list[Floats] = [np.asarray(np.asarray(line, dtype=np.float64) / unit) for line in nodes]
    shape = dolfinx.mesh.CellType.tetrahedron if tetrahedra else dolfinx.mesh.CellType.hexahedron
    counts = [len(line) - 1 for line in lines]
    # A grid of unit cells first: the graded coordinates are then put in exactly.
    mesh = dolfinx.mesh.create_box(comm, [[0.0, 0.0, 0.0], [float(n) for n in counts]], counts, shape)
    for k, line in enumerate(lines):
        mesh.geometry.x[:, k] = line[np.rint(mesh.geometry.x[:, k]).astype(np.int64)]
    cell_map = mesh.topology.index_map(3)
    cells = np.arange(cell_map.size_local + cell_map.num_ghosts, dtype=np.int32)
    middle = dolfinx.mesh.compute_midpoints(mesh, 3, cells)
    values = np.zeros(len(cells), dtype=np.int32)
    for tag, intervals in enumerate(groups.values(), start=1):
        inside = np.ones(len(cells), dtype=bool)
        for k, interval in enumerate(intervals):
            if interval is not None:
                inside &= (middle[:, k] > interval[0] / unit) & (middle[:, k] < interval[1] / unit)
        values[inside] = tag
    if comm.allreduce(int((values == 0).any())):
        raise ValueError("there are cells in no group: do the groups end at nodes?")
    names = {name: tag for tag, name in enumerate(groups, start=1)}
    facet_tags, facet_names = _walls(mesh, lines)
    return TaggedMesh(mesh, dolfinx.mesh.meshtags(mesh, 3, cells, values), facet_tags, names, facet_names, unit)


def _walls(mesh: dolfinx.mesh.Mesh, lines: Sequence[Floats]) -> tuple[dolfinx.mesh.MeshTags, dict[str, int]]:
    """Tag the facets of the six walls by their midpoints; by vertices wrong ones pass where one cell is across."""
    mesh.topology.create_connectivity(2, 3)
    facet_map = mesh.topology.index_map(2)
    facets = np.arange(facet_map.size_local + facet_map.num_ghosts, dtype=np.int32)
    middle = dolfinx.mesh.compute_midpoints(mesh, 2, facets)
    values = np.zeros(len(facets), dtype=np.int32)
    for tag, (_, k, end) in enumerate(WALLS, start=1):
        values[np.abs(middle[:, k] - lines[k][end]) < 1e-6 * np.diff(lines[k]).min()] = tag
    marked = values > 0
    tags = dolfinx.mesh.meshtags(mesh, 2, facets[marked], values[marked])
    return tags, {name: tag for tag, (name, _, _) in enumerate(WALLS, start=1)}
