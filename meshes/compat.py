"""The only module that knows which DOLFINx it runs on (0.9 to 0.11)."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import basix
import dolfinx
import dolfinx.fem
import dolfinx.fem.petsc
import dolfinx.graph
import dolfinx.la
import dolfinx.mesh
import numpy as np
import scipy.sparse
from mpi4py import MPI
from petsc4py import PETSc

from meshes.arrays import Floats, Ints

VERSION = tuple(int(part) for part in dolfinx.__version__.split(".")[:2])
BEFORE_0_10 = VERSION < (0, 10)


@dataclass(frozen=True)
class Submesh:
    """A mesh made of some cells of another.

    Attributes:
        mesh: the submesh.
        cell_map: parent cell of each of its cells.
        vertex_map: parent vertex of each of its vertices.
    """

    mesh: dolfinx.mesh.Mesh
    cell_map: Ints
    vertex_map: Ints


def create_submesh(parent: dolfinx.mesh.Mesh, dim: int, entities: Ints) -> Submesh:
    """Submesh of the given local entities, ghosts included (collective)."""
    parts: tuple[Any, ...] = dolfinx.mesh.create_submesh(parent, dim, entities)
    mesh, cells, vertices = parts[:3]
    if BEFORE_0_10:
        return Submesh(mesh, np.asarray(cells, dtype=np.int32), np.asarray(vertices, dtype=np.int32))
    maps = []
    for entity_map, d in ((cells, dim), (vertices, 0)):
        index_map = mesh.topology.index_map(d)
        number = np.arange(index_map.size_local + index_map.num_ghosts, dtype=np.int32)
        maps.append(np.asarray(entity_map.sub_topology_to_topology(number, False), dtype=np.int32))
    return Submesh(mesh, maps[0], maps[1])


def add_to_matrix(matrix: PETSc.Mat, form: dolfinx.fem.Form, bcs: Sequence[dolfinx.fem.DirichletBC]) -> None:
    """Add an assembled bilinear form to a matrix of the same space; constrained rows get 1 on the diagonal."""
    assemble: Any = dolfinx.fem.petsc.assemble_matrix  # its overload for a given matrix is not in its type
    assemble(matrix, form, bcs=list(bcs))


def local_matrix(form: dolfinx.fem.Form) -> dolfinx.la.MatrixCSR:
    """An empty matrix for `assemble_locally`."""
    return dolfinx.fem.create_matrix(form)


def assemble_locally(matrix: dolfinx.la.MatrixCSR, forms: Sequence[dolfinx.fem.Form]) -> scipy.sparse.csr_matrix:
    """What the owned cells add to a matrix, in rows of owned and ghost unknowns; nothing goes from rank to rank.

    Returns:
        A view of the matrix, (n_local, n): columns beyond the local unknowns are other ranks' and zero.
    """
    matrix.data[:] = 0.0
    for form in forms:
        dolfinx.fem.assemble_matrix(matrix, form)  # type: ignore[arg-type]  # dispatched on the first argument
    return matrix.to_scipy(ghosted=True)  # type: ignore[no-untyped-call]


def cell_midpoint(mesh: dolfinx.mesh.Mesh) -> Floats:
    """Midpoint of the reference cell, (1, 3)."""
    vertices = np.asarray(basix.geometry(basix.CellType[mesh.topology.cell_name()]), dtype=np.float64)
    return np.asarray(vertices.mean(axis=0)[None, :])


MeshWithTags = tuple[dolfinx.mesh.Mesh, dolfinx.mesh.MeshTags, dolfinx.mesh.MeshTags]


def mesh_from_gmsh(model: Any, comm: MPI.Intracomm, partitioner: Callable[..., Any] | None = None) -> MeshWithTags:
    """Distribute the three-dimensional mesh of the Gmsh model on rank 0 (collective).

    Args:
        model: `gmsh.model` on rank 0, anything on the others.
        comm: Ranks the mesh is distributed over.
        partitioner: Says which ranks each cell goes to (see `cell_destinations`); None for
            DOLFINx's own graph partitioner without ghosts.

    Returns:
        The mesh, its cell tags and its facet tags, which are the physical groups of the model.
    """
    # Both modules are not there in the same version, so a plain import would not pass the type check.
    reader = importlib.import_module("dolfinx.io.gmshio" if BEFORE_0_10 else "dolfinx.io.gmsh")
    data = reader.model_to_mesh(model, comm, 0, gdim=3, partitioner=partitioner)
    if BEFORE_0_10:
        mesh, cell_tags, facet_tags = data
        return mesh, cell_tags, facet_tags
    return data.mesh, data.cell_tags, data.facet_tags


def facet_ghosts() -> Callable[..., Any]:
    """DOLFINx's own graph partitioner, which gives each rank the cells that share a facet with its own as well."""
    partitioner: Callable[..., Any] = dolfinx.mesh.create_cell_partitioner(dolfinx.mesh.GhostMode.shared_facet)
    return partitioner


def cell_destinations(ranks: Ints, offsets: Ints) -> Any:
    """What a partitioner returns: cell i goes to ranks[offsets[i]:offsets[i + 1]], owner first."""
    destinations = dolfinx.graph.adjacencylist(np.asarray(ranks, dtype=np.int32), np.asarray(offsets, dtype=np.int32))
    return getattr(destinations, "_cpp_object", destinations)  # 0.9 hands out the C++ object itself


def interpolation_points(space: dolfinx.fem.FunctionSpace) -> Floats:
    """Reference points at which a function of a space is interpolated, (n, 3)."""
    points = space.element.interpolation_points
    return np.asarray(points() if callable(points) else points)
