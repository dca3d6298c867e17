"""What a field problem needs of its mesh, its groups and its drive; each mistake is one error on all ranks."""

from __future__ import annotations

from collections.abc import Sequence

import dolfinx.la
import dolfinx.mesh
import numpy as np
from mpi4py import MPI

from meshes.arrays import Floats, Ints
from meshes.tagged import TaggedMesh
from solvers.field.drives import AppliedField, Drive, Imposed, TransportCurrent

PLANE = 1e-6  # of the length between its ends: how flat they have to be


def check_input(
    tagged: TaggedMesh,
    superconductors: Sequence[str],
    drive: Drive,
    walls: Sequence[str],
    degree: int,
    films: Sequence[str],
) -> None:
    """Refuse what cannot be posed (collective).

    Raises:
        ValueError: a cell that is neither hexahedron nor tetrahedron; first order on tetrahedra; a text where a list
            of names is meant; a group without cells or facets; an applied field without walls; a transport current
            through what is no superconductor or is among the films; films that are no superconductors.
        KeyError: a group that the mesh has not.
    """
    shape = tagged.mesh.topology.cell_name()
    if shape not in ("hexahedron", "tetrahedron"):
        raise ValueError(f"the field needs hexahedra or tetrahedra, the mesh is of the cell type {shape}")
    if shape == "tetrahedron" and degree < 2:
        raise ValueError(
            "first-order Nedelec elements on tetrahedra do not converge on flat layers: use degree 2 or hexahedra"
        )
    for what, names in (("superconductors", superconductors), ("walls", walls), ("films", films)):
        if isinstance(names, str):
            raise ValueError(f"{what} must be a list of group names, got the text {names!r}")
    cells, facets = list(superconductors), list(walls)
    if isinstance(drive, Imposed):
        cells += drive.current_density
        facets += drive.tangential_field
    if isinstance(drive, TransportCurrent):
        cells += drive.groups
        others = [name for name in drive.groups if name not in superconductors]
        if others:
            raise ValueError(f"a current through {', '.join(others)}, which is not among the superconductors")
        films_too = [name for name in drive.groups if name in films]
        if films_too:
            raise ValueError(
                f"a current through {', '.join(films_too)}, whose screening is to change as that of a film"
            )
    unknown = [name for name in films if name not in superconductors]
    if unknown:
        raise ValueError(f"films that are not among the superconductors: {', '.join(unknown)}")
    if isinstance(drive, AppliedField) and not facets:
        raise ValueError("an applied field is what the walls hold: there are no walls")
    comm, topology = tagged.mesh.comm, tagged.mesh.topology
    for dim, names, members in ((3, cells, tagged.cells), (2, facets, tagged.facets)):
        owned = topology.index_map(dim).size_local if names else 0
        counts = np.array([np.count_nonzero(members(name) < owned) for name in names], dtype=np.int64)
        comm.Allreduce(MPI.IN_PLACE, counts)
        empty = [name for name, count in zip(names, counts, strict=True) if count == 0]
        if empty:
            kind = "cells" if dim == 3 else "facets"
            raise ValueError(f"there are no {kind} in the groups {', '.join(empty)}: are their tags those of the mesh?")


class LiftedPiece:
    """The piece of a conductor along which the phase of a transport current falls (collective).

    The gradient of the phase is given in the piece and zero in the rest of the conductor. So that it is the gradient
    of a phase, the piece may meet the rest and the walls only on two planes normal to its direction.

    Args:
        tagged: the mesh.
        superconductors: cell groups of all superconductors.
        walls: facet groups of the walls.
        drive: the current.

    Attributes:
        cells: local cells of the piece.
        beside: local cells of other superconductors on its sides; no supercurrent may flow in them.

    Raises:
        ValueError: the piece has no such ends, or they are not as far apart as the drive says.
    """

    def __init__(
        self, tagged: TaggedMesh, superconductors: Sequence[str], walls: Sequence[str], drive: TransportCurrent
    ) -> None:
        self._tagged, self._drive = tagged, drive
        self.cells = tagged.cells(*drive.groups)
        others = np.setdiff1d(tagged.cells(*superconductors), self.cells)
        facets_of_cell = self._facets_of_cells()
        touched = self._count(facets_of_cell, self.cells) > 0
        meets = self._count(facets_of_cell, others) > 0
        walled = np.zeros(len(touched), dtype=bool)
        walled[tagged.facets(*walls)] = True
        end, place = self._ends(np.flatnonzero(touched & (meets | walled)).astype(np.int32))
        is_end = np.zeros(len(touched), dtype=bool)
        is_end[end] = True
        comm = tagged.mesh.comm
        name, axis = ", ".join(drive.groups), tuple(round(part, 6) for part in drive.direction)
        if comm.allreduce(int((touched & walled & ~is_end).any())):
            raise ValueError(
                f"the phase of a current falls along {axis} in {name}, which meets a wall on faces that are not normal "
                "to that: let it fall in one straight piece of the conductor only"
            )
        low = comm.allreduce(float(place.min(initial=np.inf)), op=MPI.MIN)
        high = comm.allreduce(float(place.max(initial=-np.inf)), op=MPI.MAX)
        slack = PLANE * drive.length
        between = comm.allreduce(int((np.minimum(place - low, high - place) > slack).any()))
        if between or not abs(high - low - drive.length) < slack:
            found = "there are no two of them"
            if high > low + slack:
                found = f"they are at {low:.6g} and {high:.6g} m" + (", and some between" if between else "")
            raise ValueError(
                f"the phase of a current falls along {axis} in {name}: its ends must be two planes normal to that, "
                f"{drive.length:.6g} m apart; {found}"
            )
        side = touched & meets & ~is_end
        self.beside = others[side[facets_of_cell[others]].any(axis=1)]

    def _facets_of_cells(self) -> Ints:
        topology = self._tagged.mesh.topology
        topology.create_entities(2)
        topology.create_connectivity(3, 2)
        cell_map, table = topology.index_map(3), topology.connectivity(3, 2)
        return np.asarray(table.array.reshape(cell_map.size_local + cell_map.num_ghosts, -1))

    def _count(self, facets_of_cell: Ints, cells: Ints) -> Floats:
        """How many of some cells, those of all ranks together, each local facet has."""
        topology = self._tagged.mesh.topology
        owned = cells[cells < topology.index_map(3).size_local]
        count = dolfinx.la.vector(topology.index_map(2), 1)
        np.add.at(count.array, facets_of_cell[owned].reshape(-1), 1.0)
        count.scatter_reverse(dolfinx.la.InsertMode.add)
        count.scatter_forward()
        return np.array(count.array)

    def _ends(self, facets: Ints) -> tuple[Ints, Floats]:
        """Those of some facets that are normal to the direction, and where along it they are, m."""
        mesh = self._tagged.mesh
        mesh.topology.create_connectivity(2, 3)
        if not len(facets):  # DOLFINx 0.9 divides by their number
            return facets, np.zeros(0)
        corners = dolfinx.mesh.entities_to_geometry(mesh, 2, facets)
        along = (mesh.geometry.x[corners] @ np.array(self._drive.direction)) * self._tagged.length_unit
        along = along.reshape(len(facets), -1)
        flat = np.ptp(along, axis=1) < PLANE * self._drive.length
        return facets[flat], along[flat].mean(axis=1)
