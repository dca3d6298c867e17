"""A mesh made with Gmsh, from its file or its model, with the physical groups as names."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from mpi4py import MPI

from meshes import compat
from meshes.tagged import TaggedMesh

KINDS = {3: "volumes", 2: "surfaces"}
SHAPES = {"Tetrahedron", "Hexahedron"}  # as Gmsh calls them, before the number of nodes


def read_gmsh(source: str | os.PathLike[str] | Any, comm: MPI.Intracomm, length_unit: float = 1.0) -> TaggedMesh:
    """Distribute a mesh of tetrahedra or hexahedra made with Gmsh (collective).

    Cells and facets get the names of the physical groups of volumes and surfaces. As in Gmsh's own files, volumes in
    no group are left out. Each rank also has the cells that share a facet with its own: heat needs them.

    Args:
        source: A file that Gmsh reads (.msh), or `gmsh.model` with a mesh in its current model on rank 0; other ranks
            do not look at it.
        comm: Ranks the mesh is distributed over.
        length_unit: Metres per unit of the coordinates.

    Returns:
        The mesh with its groups.

    Raises:
        FileNotFoundError: There is no such file; raised on all ranks, as all errors are.
        ValueError: Gmsh cannot read the file; there is no physical group of volumes; a group has no name, no elements
            or, of surfaces, none on the volumes; two groups of one dimension share a name or an entity; the cells are
            of other shapes, or of several; numbers of nodes have gaps.
    """
    path = Path(source) if isinstance(source, str | os.PathLike) else None
    where = "the Gmsh model" if path is None else str(path)
    model: Any = None
    names: tuple[dict[str, int], dict[str, int]] = {}, {}
    error: FileNotFoundError | ValueError | None = None
    with ExitStack() as session:
        if comm.rank == 0:
            try:
                model = source if path is None else session.enter_context(_opened(path))
                names = _checked_groups(model, 3), _checked_groups(model, 2)
                _check_elements(model)
            except FileNotFoundError as failure:
                error = failure
            except Exception as failure:  # whatever it is, the other ranks wait for it
                error = ValueError(f"{where}: {failure}")
        cell_names, facet_names, error = comm.bcast((*names, error))
        if error is not None:
            raise error
        mesh, cell_tags, facet_tags = compat.mesh_from_gmsh(model, comm, compat.facet_ghosts())
    found = [np.count_nonzero(facet_tags.values == tag) for tag in facet_names.values()]
    counts = comm.allreduce(np.array(found, dtype=np.int64))
    empty = [name for name, count in zip(facet_names, counts, strict=True) if count == 0]
    if empty:
        raise ValueError(f"{where}: no face of the mesh is in the groups {', '.join(empty)}")
    return TaggedMesh(mesh, cell_tags, facet_tags, cell_names, facet_names, length_unit)


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """A Gmsh model with the content of a file; a session that is open already stays as it was."""
    if not path.is_file():
        raise FileNotFoundError(f"{path}: there is no such file")
    import gmsh

    from meshes.gmsh_model import gmsh_session

    with gmsh_session(str(path)) as model:
        gmsh.merge(str(path))
        model.mesh.renumberNodes()
        yield model


def _checked_groups(model: Any, dimension: int) -> dict[str, int]:
    """Tag of each physical group of a dimension by its name."""
    names: dict[str, int] = {}
    group_of: dict[int, str] = {}
    kind = KINDS[dimension]
    for _, tag in model.getPhysicalGroups(dimension):
        name = model.getPhysicalName(dimension, tag)
        if not name:
            raise ValueError(f"the physical group {tag} of {kind} has no name")
        if name in names:
            raise ValueError(f"two physical groups of {kind} are called {name!r}")
        names[name] = tag
        for entity in model.getEntitiesForPhysicalGroup(dimension, tag):
            if entity in group_of:
                raise ValueError(f"{kind[:-1]} {entity} is in two physical groups, {group_of[entity]!r} and {name!r}")
            group_of[entity] = name
    if dimension == 3 and not names:
        raise ValueError("there is no physical group of volumes: name the parts, as with addPhysicalGroup(3, ...)")
    return names


def _check_elements(model: Any) -> None:
    """Only what DOLFINx can read: it ends the program where a surface is not on the volumes."""
    cell_types = set()
    nodes = model.mesh.getNodes()[0]
    if nodes.max(initial=0) != len(nodes):
        raise ValueError("numbers of nodes have gaps; call gmsh.model.mesh.renumberNodes() first")
    of_cells = np.zeros(len(nodes) + 1, dtype=bool)
    for dimension, tag in reversed(model.getPhysicalGroups()):  # volumes first
        name = model.getPhysicalName(dimension, tag)
        for entity in model.getEntitiesForPhysicalGroup(dimension, tag):
            types, _, corners = model.mesh.getElements(dimension, entity)
            if len(types) == 0:
                raise ValueError(f"there are no elements in the group {name!r}")
            if dimension == 3:
                cell_types |= {str(model.mesh.getElementProperties(kind)[0]) for kind in types}
                of_cells[np.concatenate(corners)] = True
            elif dimension == 2 and not of_cells[np.concatenate(corners)].all():
                raise ValueError(f"the surfaces of the group {name!r} are not on the volumes of the other groups")
    if len(cell_types) > 1 or not {kind.split()[0] for kind in cell_types} <= SHAPES:
        found = ", ".join(sorted(cell_types))
        raise ValueError(f"the cells must be all tetrahedra or all hexahedra, all of one order, but there are {found}")
