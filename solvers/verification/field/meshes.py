"""Meshes for the field's known answers, with coordinates in units of their own size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import dolfinx.mesh
import numpy as np
import numpy.typing as npt
from mpi4py import MPI

from meshes.arrays import Bools, Floats
from meshes.tagged import Marker, TaggedMesh, tag_mesh

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

    def inside(intervals: Sequence[Interval | None]) -> Marker:
        """Marks points within intervals along the axes, m; None: any."""
        ends = [(k, *pair) for k, pair in enumerate(intervals) if pair is not None]

        def marker(x: Floats) -> Bools:
            within = np.ones(x.shape[1], dtype=bool)
            for k, low, high in ends:
                within &= (x[k] > low / unit) & (x[k] < high / unit)
            return within

        return marker

    def on(k: int, end: int) -> Marker:
        return lambda x: np.abs(x[k] - lines[k][end]) < 1e-6 * np.diff(lines[k]).min()

    cells = {name: inside(intervals) for name, intervals in groups.items()}
    return tag_mesh(mesh, cells, {name: on(k, end) for name, k, end in WALLS}, unit)
