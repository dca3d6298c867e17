"""The layer-wise continuous space: continuous inside each layer, double-valued at interfaces.

One node per (layer, mesh vertex). Storage, conduction and interface flux all use the quadrature whose points are the
vertices (Gauss-Lobatto-Legendre of degree 1), so that the discrete heat equation is a network: nodes with a volume,
edges with a conductance weight, pairs of nodes with a contact area. Every nonlinearity is then a nodal numpy function
and, on boxes of any aspect ratio, conduction is an M-matrix.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import dolfinx.fem
import dolfinx.mesh
import numpy as np
import numpy.typing as npt
import ufl
from mpi4py import MPI
from petsc4py import PETSc

from fem.spaces.points import mean_at, owned_cells_at
from meshes import compat
from meshes.arrays import Bools, Floats, Ints, Longs
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
class _Part:
    """One layer's own P1 numbering, before it is placed in the common one."""

    cells: Ints  # parent cells
    dofs: Ints  # (n_cells, vertices per cell)
    vertex: Ints  # parent vertex of each dof
    n_owned: int
    range_start: int
    ghosts: Longs
    owners: Ints
    edges: Edges


class LayerwiseSpace:
    """Piecewise (tri)linear functions, continuous in each layer and free to jump between layers.

    Works on any mesh of hexahedra or tetrahedra, in parallel, where a rank may own no cell of a layer.

    Args:
        tagged: the mesh and its groups; coordinates times ``tagged.length_unit`` are metres.
        layers: layer name -> names of the cell groups that belong to it (a barrier belongs to the layer above it).

    Raises:
        ValueError: in parallel, a rank has no cell of the mesh, or the mesh has no ghost cells.

    Attributes:
        names: layer names, in the order given.
        n_owned: nodes owned by this rank; they come first in every nodal array.
        n_local: nodes owned by this rank plus ghosts.
        x: node coordinates in metres, (n_local, 3).
        layer: layer number of each node, (n_local,).
        volume: nodal volumes in m^3, (n_local,); over owned nodes they sum to each layer's volume.
        edges: conduction edges of this rank's cells.
        cells: parent cells of the layers, ghosts included, (n_cells,).
        cell_nodes: nodes of those cells, (n_cells, corners per cell).
        corner_volumes: vertex-quadrature weights of those corners, m^3, (n_cells, corners per cell).
        key: (layer, input vertex) of each node, (n_local, 2): the same for any number of ranks.
    """

    def __init__(self, tagged: TaggedMesh, layers: Mapping[str, Sequence[str]]) -> None:
        self.tagged = tagged
        self.names: tuple[str, ...] = tuple(layers)
        mesh = tagged.mesh
        self.comm: MPI.Intracomm = mesh.comm
        dim = mesh.topology.dim
        cells = mesh.topology.index_map(dim)
        if self.comm.allreduce(cells.size_local + cells.num_ghosts, op=MPI.MIN) == 0:
            raise ValueError("a rank has no cell of the mesh: use fewer ranks")
        if self.comm.size > 1 and self.comm.allreduce(cells.num_ghosts) == 0:
            raise ValueError("the mesh has no ghost cells: make it with GhostMode.shared_facet")
        for pair in ((dim, 0), (dim - 1, 0), (dim - 1, dim), (0, dim)):
            mesh.topology.create_connectivity(*pair)
        vertex_map = mesh.topology.index_map(0)
        self._n_vertices = vertex_map.size_local + vertex_map.num_ghosts
        vertices = np.arange(self._n_vertices, dtype=np.int32)
        geometry = dolfinx.mesh.entities_to_geometry(mesh, 0, vertices).reshape(-1)
        self._vertex_x: Floats = np.multiply(mesh.geometry.x[geometry], tagged.length_unit, dtype=np.float64)

        parts = [self._part(tagged.cells(*layers[name])) for name in self.names]
        self._place(parts)
        self.x: Floats = self._vertex_x[self._vertex_of_node]
        input_vertex = np.asarray(mesh.geometry.input_global_indices)[geometry]
        self.key = np.column_stack([self.layer.astype(np.int64), input_vertex[self._vertex_of_node]])

        self.corner_volumes = _corner_volumes(self._vertex_x[self._cell_vertices])
        owned = self.cells < mesh.topology.index_map(dim).size_local
        self._owned_cells = owned
        self.volume = self.accumulate(self._spread(self.corner_volumes, owned))

    # ---- numbering -------------------------------------------------------------------------------
    def _part(self, cells: Ints) -> _Part:
        """P1 dofs and conduction edges of one layer, through a DOLFINx submesh of its cells."""
        dim = self.tagged.mesh.topology.dim
        sub = compat.create_submesh(self.tagged.mesh, dim, cells)
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
        return _Part(
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
                -data[keep] * self.tagged.length_unit ** (dim - 2),
            ),
        )

    def _place(self, parts: list[_Part]) -> None:
        """Concatenate the layers' numberings: owned nodes of all layers first, then all ghosts."""
        n_owned = np.array([p.n_owned for p in parts])
        n_ghosts = np.array([len(p.ghosts) for p in parts])
        self.n_owned = int(n_owned.sum())
        self.n_local = self.n_owned + int(n_ghosts.sum())
        first_owned = np.concatenate([[0], np.cumsum(n_owned)[:-1]])
        first_ghost = self.n_owned + np.concatenate([[0], np.cumsum(n_ghosts)[:-1]])

        # Where every rank put the first owned node of every layer, in the common and in the layer's own numbering.
        start = self.comm.exscan(self.n_owned) or 0
        common = np.array(self.comm.allgather(start + first_owned), dtype=np.int64)
        own = np.array(self.comm.allgather([p.range_start for p in parts]), dtype=np.int64)

        self.layer = np.empty(self.n_local, dtype=np.int32)
        self._vertex_of_node = np.empty(self.n_local, dtype=np.int32)
        self._node_of_vertex = np.full((len(parts), self._n_vertices), -1, dtype=np.int32)
        ghosts, cells, cell_nodes, edges = [], [], [], []
        for k, part in enumerate(parts):
            local = np.concatenate(
                [
                    first_owned[k] + np.arange(n_owned[k]),
                    first_ghost[k] + np.arange(n_ghosts[k]),
                ]
            ).astype(np.int32)
            self.layer[local] = k
            self._vertex_of_node[local] = part.vertex
            self._node_of_vertex[k, part.vertex] = local
            ghosts.append(part.ghosts - own[part.owners, k] + common[part.owners, k])
            cells.append(part.cells)
            cell_nodes.append(local[part.dofs])
            edges.append(Edges(local[part.edges.i], local[part.edges.j], part.edges.weight))
        self.ghosts: Longs = np.concatenate(ghosts)
        self.cells: Ints = np.concatenate(cells).astype(np.int32)
        self.cell_nodes: Ints = np.concatenate(cell_nodes)
        self._cell_vertices = self._vertex_of_node[self.cell_nodes]
        self.edges = Edges(
            np.concatenate([e.i for e in edges]),
            np.concatenate([e.j for e in edges]),
            np.concatenate([e.weight for e in edges]),
        )
        self.global_index: Longs = np.concatenate([start + np.arange(self.n_owned), self.ghosts])
        self.n_global: int = self.comm.allreduce(self.n_owned)
        self._exchange = PETSc.Vec().createGhost(
            self.ghosts.astype(PETSc.IntType), size=(self.n_owned, self.n_global), comm=self.comm
        )

    # ---- nodal arrays ----------------------------------------------------------------------------
    def update_ghosts(self, values: Floats) -> Floats:
        """Copy owned values to the ranks that see them as ghosts (collective, in place)."""
        with self._exchange.localForm() as local:
            local.array_w[:] = values
        self._exchange.ghostUpdate(PETSc.InsertMode.INSERT, PETSc.ScatterMode.FORWARD)
        with self._exchange.localForm() as local:
            values[:] = local.array_r
        return values

    def accumulate(self, values: Floats) -> Floats:
        """Add ghost values to their owners, then update the ghosts (collective, in place)."""
        with self._exchange.localForm() as local:
            local.array_w[:] = values
        self._exchange.ghostUpdate(PETSc.InsertMode.ADD_VALUES, PETSc.ScatterMode.REVERSE)
        values[: self.n_owned] = self._exchange.array_r
        return self.update_ghosts(values)

    def maximum(self, values: Floats) -> Floats:
        """Largest value that any rank gives for a node, on every rank that sees it (collective, in place)."""
        with self._exchange.localForm() as local:
            local.array_w[:] = values
        self._exchange.ghostUpdate(PETSc.InsertMode.MAX_VALUES, PETSc.ScatterMode.REVERSE)
        values[: self.n_owned] = self._exchange.array_r
        return self.update_ghosts(values)

    def layer_sums(self, *values: Floats) -> Floats:
        """Sums over each layer of nodal arrays, (n_layers,) or (n_arrays, n_layers) (collective)."""
        owned = self.layer[: self.n_owned]
        local = np.array([np.bincount(owned, v[: self.n_owned], minlength=len(self.names)) for v in values])
        local = local.astype(np.float64)  # numpy counts in integers on a rank that owns no node
        total = np.empty_like(local)
        self.comm.Allreduce(local, total)
        return total[0] if len(values) == 1 else total

    def mean(self, values: Floats) -> dict[str, float]:
        """Volume mean of a nodal array over each layer, by name (collective)."""
        sums, volumes = self.layer_sums(values * self.volume, self.volume)
        return {name: float(mean) for name, mean in zip(self.names, sums / volumes, strict=True)}

    def at(self, values: Floats, layer: str, points: npt.ArrayLike) -> Floats:
        """A nodal array as the piecewise (tri)linear function of one layer, at points (collective).

        Args:
            values: (n_local,).
            layer: on an interface the two layers have different values.
            points: (n, 3) in metres.

        Returns:
            (n,), the same on all ranks.

        Raises:
            ValueError: a point is outside the layer.
        """
        mesh, number = self.tagged.mesh, self.layer_number(layer)
        wanted: Floats = np.array(points, dtype=np.float64).reshape(-1, 3)
        wanted /= self.tagged.length_unit
        index, cells = owned_cells_at(mesh, wanted)
        inside = np.isin(cells, self.cells[self.layer[self.cell_nodes[:, 0]] == number])
        index, cells = index[inside], cells[inside]
        function = dolfinx.fem.Function(dolfinx.fem.functionspace(mesh, ("Lagrange", 1)))
        corners = mesh.topology.connectivity(mesh.topology.dim, 0).array.reshape(-1, self.cell_nodes.shape[1])
        dof: Ints = np.zeros(self._n_vertices, dtype=np.int32)
        dof[corners] = function.function_space.dofmap.list
        nodes = self.nodes(layer)
        function.x.array[dof[self._vertex_of_node[nodes]]] = values[nodes]
        here: Floats = np.zeros((len(cells), 1))
        if len(cells):
            here[:] = function.eval(wanted[index], cells).reshape(-1, 1)
        found, outside = mean_at(self.comm, len(wanted), index, here, np.ones(len(index)))
        if len(outside):
            point = tuple((wanted[outside[0]] * self.tagged.length_unit).tolist())
            raise ValueError(f"the point {point} m is outside layer {layer!r}")
        return found[:, 0]

    def layer_number(self, name: str) -> int:
        """Number of a layer in ``names``."""
        return self.names.index(name)

    def nodes(self, name: str) -> Ints:
        """Local nodes of a layer, ghosts included."""
        return np.flatnonzero(self.layer == self.layer_number(name)).astype(np.int32)

    def from_cells(self, values: Floats) -> Floats:
        """Volume-weighted nodal mean of a value given on every cell of the parent mesh (collective).

        Args:
            values: one value for each local parent cell.

        Returns:
            Nodal values (n_local,).
        """
        weighted = self._spread(self.corner_volumes * values[self.cells, None], self._owned_cells)
        return np.asarray(self.accumulate(weighted) / self.volume)

    def share_out(self, amounts: Floats, names: Collection[str]) -> Floats:
        """Nodal parts of what each cell of the parent mesh has, shared among its corners by volume (collective).

        Args:
            amounts: one value for each local parent cell; those of cells outside the layers are left out.
            names: the layers that get it.

        Returns:
            Nodal values (n_local,), which add up to the amounts in the layers.
        """
        share = self.corner_volumes / self.corner_volumes.sum(axis=1, keepdims=True)
        wanted = np.isin(self.layer[self.cell_nodes[:, 0]], [self.layer_number(name) for name in names])
        return self.accumulate(self._spread(share * amounts[self.cells, None], self._owned_cells & wanted))

    def _spread(self, corner: Floats, which: Bools) -> Floats:
        out = np.zeros(self.n_local)
        np.add.at(out, self.cell_nodes[which], corner[which])
        return out

    # ---- faces -----------------------------------------------------------------------------------
    def face(
        self, layer: str, facets: Ints, patch: tuple[float, float, float, float] | None = None
    ) -> tuple[Ints, Floats]:
        """Nodes of a layer on facets owned by this rank, with their areas.

        Args:
            layer: the layer whose side of the facets is meant.
            facets: local facet numbers; those of other ranks and of other layers are skipped.
            patch: (x0, x1, y0, y1) in metres: of horizontal facets, count only the part of the area inside.

        Returns:
            Local nodes and areas in m^2, one entry for each (facet, corner).
        """
        vertices, area = self._facet_corners(facets)
        if patch is not None:
            x = self._vertex_x[vertices]
            middle = x.mean(axis=1, keepdims=True)
            for axis, (low, high) in enumerate((patch[:2], patch[2:])):
                area = area * _share(x[..., axis], middle[..., axis], low, high)
        nodes = self._node_of_vertex[self.layer_number(layer)][vertices]
        touching = (nodes >= 0).all(axis=1)
        return nodes[touching].reshape(-1), area[touching].reshape(-1)

    def pairs(self, lower: str, upper: str, facets: Ints) -> tuple[Ints, Ints, Floats]:
        """Node pairs across an interface: (lower side, upper side, area in m^2) for each (facet, corner)."""
        vertices, area = self._facet_corners(facets)
        below = self._node_of_vertex[self.layer_number(lower)][vertices]
        above = self._node_of_vertex[self.layer_number(upper)][vertices]
        both = (below >= 0).all(axis=1) & (above >= 0).all(axis=1)
        return below[both].reshape(-1), above[both].reshape(-1), area[both].reshape(-1)

    def pairs_inside(self, first: str, second: str) -> tuple[Ints, Ints, Floats]:
        """Node pairs of two layers on the same cells: (first, second, volume in m^3), each pair on one rank only.

        Raises:
            ValueError: the layers are not on the same cells (on all ranks).
        """
        node = self._node_of_vertex[self.layer_number(first)]
        other = self._node_of_vertex[self.layer_number(second)]
        i = node[(node >= 0) & (node < self.n_owned) & (other >= 0)]
        j = other[self._vertex_of_node[i]]
        owned = np.bincount(self.layer[: self.n_owned], minlength=len(self.names))
        differ = np.array([len(i) - owned[self.layer_number(name)] for name in (first, second)])
        apart = float(np.abs(self.volume[i] - self.volume[j]).sum())
        differ, apart = self.comm.allreduce(differ), self.comm.allreduce(apart)
        if differ.any() or apart > 1e-9 * self.layer_sums(self.volume)[self.layer_number(first)]:
            raise ValueError(f"layers {first!r} and {second!r} are not on the same cells")
        return i, j, self.volume[i]

    def _facet_corners(self, facets: Ints) -> tuple[Ints, Floats]:
        """Parent vertices and vertex-quadrature areas of the owned ones among some facets."""
        topology = self.tagged.mesh.topology
        dim = topology.dim
        facets = facets[facets < topology.index_map(dim - 1).size_local]
        connectivity = topology.connectivity(dim - 1, 0)
        corners = 4 if topology.cell_name() == "hexahedron" else 3
        first = connectivity.offsets[facets]
        vertices = connectivity.array[first[:, None] + np.arange(corners)]
        x = self._vertex_x[vertices]
        if corners == 3:
            normal = np.cross(x[:, 1] - x[:, 0], x[:, 2] - x[:, 0])
            return vertices, np.repeat(np.linalg.norm(normal, axis=1)[:, None] / 6, 3, axis=1)
        k = np.arange(4)
        normal = np.cross(x[:, k ^ 1] - x, x[:, k ^ 2] - x)
        return vertices, np.linalg.norm(normal, axis=2) / 4


def vertex_quadrature(mesh: dolfinx.mesh.Mesh) -> dict[str, object]:
    """UFL measure metadata for quadrature at the vertices of the cells of a mesh."""
    if mesh.topology.cell_name() == "hexahedron":
        return {"quadrature_rule": "GLL", "quadrature_degree": 1}
    return {"quadrature_rule": "vertex", "quadrature_degree": 1}


def _corner_volumes(x: Floats) -> Floats:
    """Vertex-quadrature weights of cells with corners x (n_cells, 8 or 4, 3)."""
    if x.shape[1] == 4:
        volume = np.abs(np.linalg.det(x[:, 1:] - x[:, :1])) / 6
        return np.repeat(volume[:, None] / 4, 4, axis=1)
    k = np.arange(8)
    jacobian = np.stack([x[:, k ^ bit] - x for bit in (1, 2, 4)], axis=-1)
    return np.asarray(np.abs(np.linalg.det(jacobian)) / 8)


def _share(a: Floats, b: Floats, low: float, high: float) -> Floats:
    """Share of the stretch between a and b that lies between low and high."""
    first, last = np.minimum(a, b), np.maximum(a, b)
    inside = np.maximum(np.minimum(last, high) - np.maximum(first, low), 0.0)
    within = ((a >= low) & (a <= high)).astype(np.float64)
    return np.asarray(np.divide(inside, last - first, out=within, where=last > first))
