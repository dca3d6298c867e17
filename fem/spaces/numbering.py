"""Numbers of the nodes of a layer-wise space: each layer's own P1 numbering, and the common one."""

from __future__ import annotations

from dataclasses import dataclass

import dolfinx.fem
import dolfinx.mesh
import numpy as np
import ufl
from mpi4py import MPI

from meshes import compat
from meshes.arrays import Floats, Ints, Longs
from meshes.tagged import TaggedMesh


@dataclass(frozen=True)
class Edges:
    """Conduction edges of this rank's own cells: power from i to j = weight * kappa * (u_i - u_j).

    Attributes:
        i: local node numbers, (n_edges,).
        j: local node numbers, (n_edges,).
        weight: area / length summed over the cells at the edge, in metres, (n_edges,).
    """

    i: Ints
    j: Ints
    weight: Floats


@dataclass(frozen=True)
class LayerPart:
    """One layer's own P1 numbering, before it is placed in the common one.

    Attributes:
        cells: Parent cells, (n_cells,).
        dofs: Dofs of each cell, (n_cells, vertices per cell).
        vertex: Parent vertex of each dof.
        n_owned: Dofs that this rank owns; they come first.
        range_start: Global number of the first of them, in the layer's own numbering.
        ghosts: Global numbers of the other dofs.
        owners: Ranks that own those.
        edges: Conduction edges between dofs.
    """

    cells: Ints
    dofs: Ints
    vertex: Ints
    n_owned: int
    range_start: int
    ghosts: Longs
    owners: Ints
    edges: Edges


@dataclass(frozen=True)
class Numbering:
    """The common numbering on one rank: owned nodes of all layers first, then all ghosts.

    Attributes:
        n_owned: Nodes that this rank owns.
        n_global: Nodes on all ranks.
        layer: Layer number of each node, (n_local,).
        vertex_of_node: Parent vertex of each node, (n_local,).
        node_of_vertex: Node of each parent vertex in each layer, -1 where there is none, (n_layers, n_vertices).
        ghosts: Global numbers of the ghosts.
        global_index: Global numbers of all nodes, (n_local,).
        cells: Parent cells of the layers, ghosts included, (n_cells,).
        cell_nodes: Nodes of those cells, (n_cells, corners per cell).
        edges: Conduction edges between nodes.
    """

    n_owned: int
    n_global: int
    layer: Ints
    vertex_of_node: Ints
    node_of_vertex: Ints
    ghosts: Longs
    global_index: Longs
    cells: Ints
    cell_nodes: Ints
    edges: Edges


def layer_part(tagged: TaggedMesh, cells: Ints) -> LayerPart:
    """P1 dofs and conduction edges of one layer, through a DOLFINx submesh of its cells (collective).

    Args:
        tagged: The mesh; coordinates times its length unit are metres.
        cells: Local cells of the layer, ghosts included.
    """
    dim = tagged.mesh.topology.dim
    sub = compat.create_submesh(tagged.mesh, dim, cells)
    space = dolfinx.fem.functionspace(sub.mesh, ("Lagrange", 1))
    dofs = np.asarray(space.dofmap.list)
    vertex = np.empty(len(sub.vertex_map), dtype=np.int32)
    sub.mesh.topology.create_connectivity(dim, 0)
    corners = sub.mesh.topology.connectivity(dim, 0).array.reshape(dofs.shape)
    vertex[dofs] = sub.vertex_map[corners]

    u, v = ufl.TrialFunction(space), ufl.TestFunction(space)
    dx = ufl.dx(domain=sub.mesh, metadata=vertex_quadrature(sub.mesh))
    stiffness = dolfinx.fem.form(ufl.inner(ufl.grad(u), ufl.grad(v)) * dx)
    # Ghost rows are not accumulated: each rank keeps exactly the edges of its own cells.
    matrix = dolfinx.fem.assemble_matrix(stiffness)
    rows = np.repeat(np.arange(len(matrix.indptr) - 1), np.diff(matrix.indptr))
    columns, data = np.asarray(matrix.indices), np.asarray(matrix.data)[: len(rows)]
    keep = (columns > rows) & (np.abs(data) > 1e-14 * np.abs(data).max(initial=0.0))
    index_map = space.dofmap.index_map
    return LayerPart(
        cells=sub.cell_map,
        dofs=dofs,
        vertex=vertex,
        n_owned=index_map.size_local,
        range_start=index_map.local_range[0],
        ghosts=np.asarray(index_map.ghosts, dtype=np.int64),
        owners=np.asarray(index_map.owners, dtype=np.int32),
        edges=Edges(
            rows[keep].astype(np.int32),
            columns[keep].astype(np.int32),
            -data[keep] * tagged.length_unit ** (dim - 2),
        ),
    )


def common_numbering(comm: MPI.Intracomm, parts: list[LayerPart], n_vertices: int) -> Numbering:
    """Concatenate the layers' numberings (collective).

    Args:
        comm: Ranks of the mesh.
        parts: The layers, in order.
        n_vertices: Local vertices of the parent mesh.
    """
    n_owned = np.array([p.n_owned for p in parts])
    n_ghosts = np.array([len(p.ghosts) for p in parts])
    owned = int(n_owned.sum())
    local_size = owned + int(n_ghosts.sum())
    first_owned = np.concatenate([[0], np.cumsum(n_owned)[:-1]])
    first_ghost = owned + np.concatenate([[0], np.cumsum(n_ghosts)[:-1]])

    # Where every rank put the first owned node of every layer, in the common and in the layer's own numbering.
    start = comm.exscan(owned) or 0
    common = np.array(comm.allgather(start + first_owned), dtype=np.int64)
    own = np.array(comm.allgather([p.range_start for p in parts]), dtype=np.int64)

    layer = np.empty(local_size, dtype=np.int32)
    vertex_of_node = np.empty(local_size, dtype=np.int32)
    node_of_vertex = np.full((len(parts), n_vertices), -1, dtype=np.int32)
    ghosts, cells, cell_nodes, edges = [], [], [], []
    for k, part in enumerate(parts):
        local = np.concatenate(
            [
                first_owned[k] + np.arange(n_owned[k]),
                first_ghost[k] + np.arange(n_ghosts[k]),
            ]
        ).astype(np.int32)
        layer[local] = k
        vertex_of_node[local] = part.vertex
        node_of_vertex[k, part.vertex] = local
        ghosts.append(part.ghosts - own[part.owners, k] + common[part.owners, k])
        cells.append(part.cells)
        cell_nodes.append(local[part.dofs])
        edges.append(Edges(local[part.edges.i], local[part.edges.j], part.edges.weight))
    outer: Longs = np.concatenate(ghosts)
    return Numbering(
        n_owned=owned,
        n_global=comm.allreduce(owned),
        layer=layer,
        vertex_of_node=vertex_of_node,
        node_of_vertex=node_of_vertex,
        ghosts=outer,
        global_index=np.concatenate([start + np.arange(owned), outer]),
        cells=np.concatenate(cells).astype(np.int32),
        cell_nodes=np.concatenate(cell_nodes),
        edges=Edges(
            np.concatenate([e.i for e in edges]),
            np.concatenate([e.j for e in edges]),
            np.concatenate([e.weight for e in edges]),
        ),
    )


def vertex_quadrature(mesh: dolfinx.mesh.Mesh) -> dict[str, object]:
    """UFL measure metadata for quadrature at the vertices of the cells of a mesh."""
    if mesh.topology.cell_name() == "hexahedron":
        return {"quadrature_rule": "GLL", "quadrature_degree": 1}
    return {"quadrature_rule": "vertex", "quadrature_degree": 1}
