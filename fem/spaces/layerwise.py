"""The layer-wise continuous space: continuous inside each layer, double-valued at interfaces.

One node per (layer, mesh vertex). Storage, conduction and interface flux all use the quadrature whose points are the
vertices (Gauss-Lobatto-Legendre of degree 1), so that the discrete heat equation is a network: nodes with a volume,
edges with a conductance weight, pairs of nodes with a contact area. Every nonlinearity is then a nodal numpy function
and, on boxes of any aspect ratio, conduction is an M-matrix.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import dolfinx.fem
import dolfinx.mesh
import numpy as np
import numpy.typing as npt
from mpi4py import MPI
from petsc4py import PETSc

from fem.spaces.numbering import common_numbering, layer_part
from fem.spaces.points import mean_at, owned_cells_at
from meshes.arrays import Bools, Floats, Ints
from meshes.tagged import TaggedMesh


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
        n_global: nodes on all ranks.
        ghosts: global numbers of the ghosts, (n_local - n_owned,).
        global_index: global numbers of all nodes here, (n_local,).
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
        vertices = np.arange(vertex_map.size_local + vertex_map.num_ghosts, dtype=np.int32)
        geometry = dolfinx.mesh.entities_to_geometry(mesh, 0, vertices).reshape(-1)
        self._vertex_x: Floats = np.multiply(mesh.geometry.x[geometry], tagged.length_unit, dtype=np.float64)

        parts = [layer_part(tagged, tagged.cells(*layers[name])) for name in self.names]
        self._numbering = numbering = common_numbering(self.comm, parts, len(vertices))
        self.n_owned, self.n_local, self.n_global = numbering.n_owned, len(numbering.layer), numbering.n_global
        self.layer, self.edges = numbering.layer, numbering.edges
        self.cells, self.cell_nodes = numbering.cells, numbering.cell_nodes
        self.ghosts, self.global_index = numbering.ghosts, numbering.global_index
        self._exchange = PETSc.Vec().createGhost(
            self.ghosts.astype(PETSc.IntType), size=(self.n_owned, self.n_global), comm=self.comm
        )
        self.x: Floats = self._vertex_x[numbering.vertex_of_node]
        input_vertex = np.asarray(mesh.geometry.input_global_indices)[geometry]
        self.key = np.column_stack([self.layer.astype(np.int64), input_vertex[numbering.vertex_of_node]])

        self.corner_volumes = _corner_volumes(self._vertex_x[numbering.vertex_of_node[self.cell_nodes]])
        owned = self.cells < mesh.topology.index_map(dim).size_local
        self._owned_cells = owned
        self.volume = self.accumulate(self._spread(self.corner_volumes, owned))

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
        dof: Ints = np.zeros(len(self._vertex_x), dtype=np.int32)
        dof[corners] = function.function_space.dofmap.list
        nodes = self.nodes(layer)
        function.x.array[dof[self._numbering.vertex_of_node[nodes]]] = values[nodes]
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
        nodes = self._numbering.node_of_vertex[self.layer_number(layer)][vertices]
        touching = (nodes >= 0).all(axis=1)
        return nodes[touching].reshape(-1), area[touching].reshape(-1)

    def pairs(self, lower: str, upper: str, facets: Ints) -> tuple[Ints, Ints, Floats]:
        """Node pairs across an interface: (lower side, upper side, area in m^2) for each (facet, corner)."""
        vertices, area = self._facet_corners(facets)
        below = self._numbering.node_of_vertex[self.layer_number(lower)][vertices]
        above = self._numbering.node_of_vertex[self.layer_number(upper)][vertices]
        both = (below >= 0).all(axis=1) & (above >= 0).all(axis=1)
        return below[both].reshape(-1), above[both].reshape(-1), area[both].reshape(-1)

    def pairs_inside(self, first: str, second: str) -> tuple[Ints, Ints, Floats]:
        """Node pairs of two layers on the same cells: (first, second, volume in m^3), each pair on one rank only.

        Raises:
            ValueError: the layers are not on the same cells (on all ranks).
        """
        node = self._numbering.node_of_vertex[self.layer_number(first)]
        other = self._numbering.node_of_vertex[self.layer_number(second)]
        i = node[(node >= 0) & (node < self.n_owned) & (other >= 0)]
        j = other[self._numbering.vertex_of_node[i]]
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
