"""The superconducting layers of a field problem and the columns of cells in which they switch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import dolfinx.mesh
import numpy as np

from fem.materials.material import Material
from fem.spaces.layerwise import LayerwiseSpace
from meshes.arrays import Floats, Ints
from meshes.stack_mesh import StackMesh, of_a_stack
from solvers.field.problem import FieldProblem


@dataclass(frozen=True)
class Film:
    """A superconducting layer in the field problem.

    Attributes:
        layer: its name in the heat problem.
        material: its material.
        group: its cell group in the field problem.
        groups: its cell groups in the heat problem (with the barrier below it).
        thickness: m.
        switches: whether the field can drive it normal (a conductor stays superconducting).
    """

    layer: str
    material: Material
    group: str
    groups: Sequence[str]
    thickness: float
    switches: bool


def reading_cells(tagged: StackMesh, inside: Ints, screened: Ints) -> Ints:
    """Local cells where the field of a film is read: the film and its neighbours above and below.

    Args:
        tagged: mesh of columns.
        inside: cells of the film.
        screened: cells of all superconductors; these are no neighbours.
    """
    columns = tagged.columns
    sides = _sides(tagged)
    is_film, is_screened = (np.zeros(len(columns), dtype=bool) for _ in range(2))
    is_film[inside], is_screened[screened] = True, True
    same = columns[sides[:, 0]] == columns[sides[:, 1]]
    outside = [sides[same & is_film[sides[:, k]] & ~is_screened[sides[:, 1 - k]], 1 - k] for k in (0, 1)]
    return np.asarray(np.unique(np.concatenate([inside, *outside])), dtype=np.int32)


def _sides(tagged: StackMesh) -> Ints:
    """The two local cells of every facet that has two, (n, 2)."""
    topology = tagged.mesh.topology
    topology.create_connectivity(2, 3)
    pairs = topology.connectivity(2, 3)
    two = np.flatnonzero(np.diff(pairs.offsets) == 2)
    return np.asarray(pairs.array[pairs.offsets[two][:, None] + np.arange(2)])


class Columns:
    """Columns of cells through one film, on this rank (ghost columns included).

    Attributes:
        n: how many there are.
        cells: cells of the film, and `column_of_cell` their columns.
        heat_cells: cells that belong to the layer thermally, among those of the heat space; `parent_cells` the same in
            the mesh, and `column_of_heat_cell` their columns.
        reading: cells where the field of the film is read; `column_of_reading`.
        deciding: cells whose field decides about a column: those, and the cells of the film beside the column, of which
            only the field across the film counts (`beside`): the screened middle of a film in a perpendicular field
            sees nothing else; `deciding_column`.
        volume: m^3, (n,).
        owned: whether the column is this rank's, (n,).
    """

    def __init__(self, film: Film, problem: FieldProblem, space: LayerwiseSpace, screened: Ints) -> None:
        tagged = of_a_stack(problem.tagged)
        self.film, self._mesh = film, tagged.mesh
        inside = tagged.cells(film.group)
        numbers, self.column_of_cell = np.unique(tagged.columns[inside], return_inverse=True)
        self.n = len(numbers)
        self.cells = inside
        local = np.full(int(tagged.columns.max(initial=-1)) + 1, -1, dtype=np.int32)
        local[numbers] = np.arange(self.n)

        thermal = np.isin(space.cells, tagged.cells(*film.groups))
        self.heat_cells = np.flatnonzero(thermal)
        self.column_of_heat_cell = local[tagged.columns[space.cells[thermal]]]
        self.parent_cells = space.cells[thermal]

        self.reading = reading_cells(tagged, inside, screened)
        self.column_of_reading = local[tagged.columns[self.reading]]
        sides = _sides(tagged)
        is_film = np.zeros(len(tagged.columns), dtype=bool)
        is_film[inside] = True
        beside = sides[is_film[sides].all(axis=1) & (np.diff(tagged.columns[sides], axis=1)[:, 0] != 0)]
        self.deciding = np.concatenate([self.reading, beside[:, 1], beside[:, 0]]).astype(np.int32)
        neighbours = local[tagged.columns[np.concatenate([beside[:, 0], beside[:, 1]])]]
        self.deciding_column = np.concatenate([self.column_of_reading, neighbours])
        self.beside = np.arange(len(self.deciding)) >= len(self.reading)

        volume = space.corner_volumes[self.heat_cells].sum(axis=1)
        self.volume = np.bincount(self.column_of_heat_cell, volume, minlength=self.n)
        owned_cells = self.parent_cells < tagged.mesh.topology.index_map(3).size_local
        self.owned = np.bincount(self.column_of_heat_cell, owned_cells, minlength=self.n) > 0

    def centres(self) -> Floats:
        """Places of the columns in mesh coordinates, (n, 2)."""
        middle = dolfinx.mesh.compute_midpoints(self._mesh, 3, self.cells)
        out = np.zeros((self.n, 2))
        out[self.column_of_cell] = middle[:, :2]
        return out

    def mean(self, nodal: Floats, space: LayerwiseSpace) -> Floats:
        """Volume mean of a nodal array over each column."""
        corner = space.corner_volumes[self.heat_cells] * nodal[space.cell_nodes[self.heat_cells]]
        return np.bincount(self.column_of_heat_cell, corner.sum(axis=1), minlength=self.n) / self.volume
