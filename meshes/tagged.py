"""A DOLFINx mesh whose cells and facets have names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import dolfinx
import dolfinx.mesh
import numpy as np

from meshes.arrays import Bools, Floats, Ints

# Marks points x (3, n) in the mesh's own coordinates; (n,).
Marker = Callable[[Floats], Bools]


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
    """

    mesh: dolfinx.mesh.Mesh
    cell_tags: dolfinx.mesh.MeshTags
    facet_tags: dolfinx.mesh.MeshTags
    cell_names: dict[str, int]
    facet_names: dict[str, int]
    length_unit: float = 1.0

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
