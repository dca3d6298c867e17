"""How a stack becomes a mesh of columns of hexahedra."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np
from mpi4py import MPI

from meshes import compat
from meshes.arrays import Ints
from meshes.measure import MeshInfo, measure
from meshes.partition import column_numbers, column_partitioner
from meshes.plan import LENGTH_UNIT, plan_stack
from meshes.ranks import raise_on_all_ranks
from meshes.stack import StackGeometry
from meshes.tagged import TaggedMesh


@dataclass(frozen=True, kw_only=True)
class StackMesh(TaggedMesh):
    """The tagged mesh of a stack, which consists of columns of cells.

    Attributes:
        columns: Column of every local cell, ghosts included, numbered from 0 on each rank, shape (local cells,).
        info: Numbers of the mesh.
        stack: What the mesh was made from.
    """

    columns: Ints
    info: MeshInfo
    stack: StackGeometry


def of_a_stack(tagged: TaggedMesh) -> StackMesh:
    """The mesh, which must be that of a stack.

    Raises:
        ValueError: It is not.
    """
    if not isinstance(tagged, StackMesh):
        raise ValueError("this needs the mesh of a stack, with its columns of cells")
    return tagged


def build_stack_mesh(stack: StackGeometry, comm: MPI.Intracomm) -> StackMesh:
    """Mesh a stack: hexahedra, whole columns on each rank (collective).

    The mesh is built on rank 0 in micrometres and distributed. Every rank also has the cells
    that share a vertex with its own.

    Cell groups are the layers' names, "NAME.barrier" for the barrier below layer NAME, and
    "vacuum". Facet groups, each facet in at most one, and only groups that have facets:

    - "LOWER|UPPER": where two layers meet; with a barrier between them its lower face, and
      "LOWER|UPPER.barrier" its upper face;
    - "NAME.bottom", "NAME.top", "NAME.side": the rest of a layer's surface; the sides of the
      barrier below a layer are its own;
    - "NAME.end-", "NAME.end+": ends of layers, and of their barriers, at the walls across x;
    - "box.x-" ... "box.z+": the walls of the box beside vacuum;
    - "symmetry.x", "symmetry.y": the planes x = 0 and y = 0 of a quarter.

    Args:
        stack: Layers and box.
        comm: Ranks the mesh is distributed over.

    Returns:
        The mesh with its columns and numbers.

    Raises:
        ValueError: There are more ranks than columns of cells.
        RuntimeError: Gmsh failed; raised on all ranks.
    """
    plan = plan_stack(stack)
    if comm.size > plan.columns:
        raise ValueError(f"{comm.size} ranks for {plan.columns} columns of cells: every rank needs at least one")
    with ExitStack() as session:
        error, coordinates, facet_names, model = None, None, {}, None
        if comm.rank == 0:
            try:
                from meshes.gmsh_model import build_model, gmsh_session, node_coordinates

                model = session.enter_context(gmsh_session())
                facet_names = build_model(plan)
                coordinates = node_coordinates()
            except Exception as failure:  # any failure must reach the waiting ranks
                error = failure
        raise_on_all_ranks(comm, error)
        facet_names = comm.bcast(facet_names, root=0)
        partitioner = column_partitioner(coordinates, plan.in_film)
        mesh, cell_tags, facet_tags = compat.mesh_from_gmsh(model, comm, partitioner)
    columns, _ = column_numbers(mesh.geometry.dofmap, np.asarray(mesh.geometry.x, dtype=np.float64))
    cell_names = plan.cell_names()
    info = measure(mesh, cell_tags, cell_names, LENGTH_UNIT, columns)
    return StackMesh(
        mesh, cell_tags, facet_tags, cell_names, facet_names, LENGTH_UNIT, columns=columns, info=info, stack=stack
    )
