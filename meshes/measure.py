"""Numbers of a mesh: how many cells, how large, how good."""

from __future__ import annotations

from dataclasses import dataclass

import dolfinx.mesh
import numpy as np
from mpi4py import MPI

from meshes.arrays import Floats, Ints
from meshes.quality import scaled_jacobians
from meshes.text import metres


@dataclass(frozen=True)
class MeshInfo:
    """Numbers of a mesh, the same on all ranks.

    Attributes:
        cells: Number of cells.
        vertices: Number of vertices.
        edges: Number of edges.
        smallest_thickness: Extent of the thinnest cell along z (m).
        largest_thickness: Extent of the thickest cell along z (m).
        smallest_lateral: Smallest extent of a cell along x or y (m).
        largest_lateral: Largest extent of a cell along x or y (m).
        quality_min: Smallest scaled Jacobian, 1 for a box.
        quality_mean: Mean over the cells of the smallest scaled Jacobian of each.
        group_cells: Number of cells of each named group.
        columns: Number of columns of cells.
    """

    cells: int
    vertices: int
    edges: int
    smallest_thickness: float
    largest_thickness: float
    smallest_lateral: float
    largest_lateral: float
    quality_min: float
    quality_mean: float
    group_cells: dict[str, int]
    columns: int

    def report(self) -> str:
        """The numbers as a few lines of text."""
        groups = ", ".join(f"{name} {count}" for name, count in self.group_cells.items())
        return "\n".join(
            [
                f"{self.cells} cells in {self.columns} columns, {self.vertices} vertices, {self.edges} edges",
                f"cells of each group: {groups}",
                f"thickness {metres(self.smallest_thickness)} to {metres(self.largest_thickness)}"
                f", lateral size {metres(self.smallest_lateral)}"
                f" to {metres(self.largest_lateral)}",
                f"scaled Jacobian: min {self.quality_min:.3f}, mean {self.quality_mean:.3f}",
            ]
        )


def measure(
    mesh: dolfinx.mesh.Mesh,
    cell_tags: dolfinx.mesh.MeshTags,
    cell_names: dict[str, int],
    length_unit: float,
    columns: Ints,
) -> MeshInfo:
    """Count and measure the cells of a mesh of columns of hexahedra (collective).

    Args:
        mesh: The mesh.
        cell_tags: Tag of every local cell.
        cell_names: Tag of each cell group.
        length_unit: Metres per unit of the mesh's coordinates.
        columns: Column of every local cell, ghosts included, shape (local cells,).

    Returns:
        The numbers, the same on all ranks.
    """
    comm, topology = mesh.comm, mesh.topology
    topology.create_entities(1)
    owned = topology.index_map(3).size_local
    shapes = np.asarray(mesh.geometry.x, dtype=np.float64)[mesh.geometry.dofmap[:owned]]
    extent = (shapes.max(axis=1) - shapes.min(axis=1)) * length_unit
    quality = scaled_jacobians(shapes)
    lateral = extent[:, :2]

    def smallest(values: Floats) -> float:
        return float(comm.allreduce(values.min(initial=np.inf), op=MPI.MIN))

    def largest(values: Floats) -> float:
        return float(comm.allreduce(values.max(initial=0.0), op=MPI.MAX))

    tags = cell_tags.values[cell_tags.indices < owned]
    counts = [int(np.count_nonzero(tags == tag)) for tag in cell_names.values()]
    cells = topology.index_map(3).size_global
    return MeshInfo(
        cells=cells,
        vertices=topology.index_map(0).size_global,
        edges=topology.index_map(1).size_global,
        smallest_thickness=smallest(extent[:, 2]),
        largest_thickness=largest(extent[:, 2]),
        smallest_lateral=smallest(lateral),
        largest_lateral=largest(lateral),
        quality_min=smallest(quality),
        quality_mean=comm.allreduce(float(quality.sum())) / cells,
        group_cells={name: comm.allreduce(n) for name, n in zip(cell_names, counts, strict=True)},
        columns=comm.allreduce(len(np.unique(columns[:owned]))),
    )
