"""A DOLFINx mesh whose cells and facets have names, and how a stack becomes one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field

import dolfinx
import dolfinx.mesh
import numpy as np
from mpi4py import MPI

from meshes import compat
from meshes.arrays import Bools, Floats, Ints
from meshes.partition import column_numbers, column_partitioner
from meshes.plan import LENGTH_UNIT, plan_stack
from meshes.quality import scaled_jacobians
from meshes.stack import StackGeometry

# Marks points x (3, n) in the mesh's own coordinates; (n,).
Marker = Callable[[Floats], Bools]


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
        columns: Number of columns of cells; None for a mesh that is not extruded.
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
    group_cells: dict[str, int] = field(default_factory=dict)
    columns: int | None = None

    def report(self) -> str:
        """The numbers as a few lines of text."""
        columns = "" if self.columns is None else f" in {self.columns} columns"
        groups = ", ".join(f"{name} {count}" for name, count in self.group_cells.items())
        return "\n".join(
            [
                f"{self.cells} cells{columns}, {self.vertices} vertices, {self.edges} edges",
                f"cells of each group: {groups}",
                f"thickness {metres(self.smallest_thickness)} to {metres(self.largest_thickness)}"
                f", lateral size {metres(self.smallest_lateral)}"
                f" to {metres(self.largest_lateral)}",
                f"scaled Jacobian: min {self.quality_min:.3f}, mean {self.quality_mean:.3f}",
            ]
        )


def metres(value: float) -> str:
    """A length for reading: 12 nm, 0.4 um, 3 mm."""
    for unit, factor in (("nm", 1e-9), ("um", 1e-6), ("mm", 1e-3)):
        if value < 999.5 * factor:
            return f"{value / factor:.3g} {unit}"
    return f"{value:.3g} m"


@dataclass(frozen=True)
class TaggedMesh:
    """A mesh with named groups of cells and facets.

    Attributes:
        mesh: The distributed mesh.
        cell_tags: Tag of every local cell, ghosts included.
        facet_tags: Tags of the named facets.
        cell_names: Cell tag of each group name, the same on all ranks.
        facet_names: Facet tag of each group name, the same on all ranks.
        length_unit: Metres per unit of the mesh's coordinates.
        columns: Column of every local cell, ghosts included, numbered from 0 on each rank, shape
            (local cells,); None for a mesh that is not extruded.
        info: Numbers of the mesh.
        stack: What the mesh was made from; None for any other mesh.
    """

    mesh: dolfinx.mesh.Mesh
    cell_tags: dolfinx.mesh.MeshTags
    facet_tags: dolfinx.mesh.MeshTags
    cell_names: dict[str, int]
    facet_names: dict[str, int]
    length_unit: float = 1.0
    columns: Ints | None = None
    info: MeshInfo | None = None
    stack: StackGeometry | None = None

    def cells(self, *names: str) -> Ints:
        """Local cells (owned and ghost, ascending) of the named groups.

        Raises:
            KeyError: There is no group of that name.
        """
        return _members(self.cell_tags, self.cell_names, names, "cell")

    def facets(self, *names: str) -> Ints:
        """Local facets (owned and ghost, ascending) of the named groups.

        Raises:
            KeyError: There is no group of that name.
        """
        return _members(self.facet_tags, self.facet_names, names, "facet")


def _members(tags: dolfinx.mesh.MeshTags, known: dict[str, int], names: tuple[str, ...], kind: str) -> Ints:
    for name in names:
        if name not in known:
            raise KeyError(f"no {kind} group {name!r}; there are: {', '.join(known)}")
    found = np.isin(tags.values, [known[name] for name in names])
    return np.asarray(tags.indices[found], dtype=np.int32)


def tag_mesh(
    mesh: dolfinx.mesh.Mesh,
    cells: Mapping[str, Marker],
    facets: Mapping[str, Marker],
    length_unit: float = 1.0,
) -> TaggedMesh:
    """Name cells and facets of any mesh by where they are (collective).

    Args:
        mesh: Hexahedra or tetrahedra. For heat in parallel it needs ghost cells (`GhostMode.shared_facet`).
        cells: By group name, marks midpoints of cells. A later group takes cells from an earlier one.
        facets: By group name, marks corners: a facet belongs to the group if all its corners are marked. Facets
            inside the mesh are found as well. Where one cell lies between two opposite faces, give each face a group
            of its own, or the facets that join them belong to it too.
        length_unit: Metres per unit of the mesh's coordinates. (Coordinates of about 1 suit `numpy.isclose`.)

    Returns:
        The mesh with its groups.

    Raises:
        ValueError: A cell is in no group, a facet is in two groups, or a group is empty.
    """
    topology = mesh.topology
    index_map = topology.index_map(3)
    local = np.arange(index_map.size_local + index_map.num_ghosts, dtype=np.int32)
    middle = dolfinx.mesh.compute_midpoints(mesh, 3, local).T
    tags = np.zeros(len(local), dtype=np.int32)
    for tag, marker in enumerate(cells.values(), start=1):
        tags[np.asarray(marker(middle), dtype=bool)] = tag
    found = [dolfinx.mesh.locate_entities(mesh, 2, marker) for marker in facets.values()]
    numbers = np.concatenate([np.zeros(0, dtype=np.int32), *found]).astype(np.int32)
    facet_tags = np.repeat(np.arange(1, len(found) + 1, dtype=np.int32), [len(f) for f in found])
    problems = {
        "there are cells in no group": bool((tags == 0).any()),
        "there are facets in two groups": len(np.unique(numbers)) < len(numbers),
    }
    for problem, here in problems.items():
        if mesh.comm.allreduce(int(here)):
            raise ValueError(problem)
    counts = [np.count_nonzero(tags == tag) for tag in range(1, len(cells) + 1)] + [len(f) for f in found]
    counts = mesh.comm.allreduce(np.array(counts, dtype=np.int64))
    empty = [name for name, count in zip([*cells, *facets], counts, strict=True) if count == 0]
    if empty:
        raise ValueError(f"there is nothing in the groups {', '.join(empty)}")
    order = np.argsort(numbers)
    return TaggedMesh(
        mesh,
        dolfinx.mesh.meshtags(mesh, 3, local, tags),
        dolfinx.mesh.meshtags(mesh, 2, numbers[order], facet_tags[order]),
        {name: tag for tag, name in enumerate(cells, start=1)},
        {name: tag for tag, name in enumerate(facets, start=1)},
        length_unit,
    )


def build_stack_mesh(stack: StackGeometry, comm: MPI.Intracomm) -> TaggedMesh:
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
    return TaggedMesh(mesh, cell_tags, facet_tags, cell_names, facet_names, LENGTH_UNIT, columns, info, stack)


def raise_on_all_ranks(comm: MPI.Intracomm, error: Exception | None) -> None:
    """Raise everywhere what went wrong on rank 0 (collective).

    Raises:
        RuntimeError: There was an error on rank 0.
    """
    message = comm.bcast(None if error is None else f"{type(error).__name__}: {error}", root=0)
    if message is not None:
        raise RuntimeError(f"building the mesh failed: {message}") from error


def measure(
    mesh: dolfinx.mesh.Mesh,
    cell_tags: dolfinx.mesh.MeshTags,
    cell_names: dict[str, int],
    length_unit: float,
    columns: Ints | None = None,
) -> MeshInfo:
    """Count and measure the cells of a mesh of hexahedra (collective)."""
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
    own_columns = None if columns is None else len(np.unique(columns[:owned]))
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
        columns=None if own_columns is None else comm.allreduce(own_columns),
    )
