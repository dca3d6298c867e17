"""Whole columns of cells on one rank: the switching of a film and its field are read column by column."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse

from meshes import compat
from meshes.arrays import Bools, Floats, Ints, Longs

# A later choice of cut must be better by this share of the cells: a diagonal cut is a staircase with more ghosts.
DIAGONAL_COST = 0.02


def column_numbers(nodes: npt.NDArray[Any], coordinates: Floats) -> tuple[Ints, Longs]:
    """Find the columns of an extruded mesh of hexahedra.

    Args:
        nodes: The nodes of each cell in any order, shape (cells, 8).
        coordinates: Coordinates of the nodes, shape (nodes, 3); nodes above each other have
            bitwise equal x and y.

    Returns:
        The column of every cell, shape (cells,), numbered from 0, and the four plan points of
        every column, shape (columns, 4). Plan points are numbered by their (x, y).

    Raises:
        ValueError: A cell is no prism over a quadrangle with a vertical axis.
    """
    if len(nodes) == 0:
        return np.empty(0, dtype=np.int32), np.empty((0, 4), dtype=np.int64)
    _, plan_point = np.unique(coordinates[:, :2], axis=0, return_inverse=True)
    corners = np.sort(plan_point.reshape(-1)[nodes], axis=1)
    if np.any(corners[:, ::2] != corners[:, 1::2]):
        raise ValueError("the mesh is not extruded: the nodes of a cell are not above each other")
    columns, number = np.unique(corners[:, ::2], axis=0, return_inverse=True)
    return number.reshape(-1).astype(np.int32), columns


def partition_columns(centres: Floats, cells: Longs, film_cells: Longs, parts: int) -> Ints:
    """Recursive coordinate bisection of the columns.

    Each cut halves the work, which is one unit per cell (the field) and one more per cell of a
    film (the heat). Of the cuts across x, across y and along the two diagonals of the grid the one
    is taken that shares out all cells and the film cells most evenly: a film in a corner of a
    quarter is halved by a diagonal only.

    Args:
        centres: Centres of the columns, shape (columns, 2).
        cells: Number of cells of each column, shape (columns,).
        film_cells: Number of those that are in a layer, shape (columns,).
        parts: Number of parts, at most the number of columns.

    Returns:
        Part of each column, shape (columns,); no part is empty.

    Raises:
        ValueError: There are more parts than columns.
    """
    if parts > len(centres):
        raise ValueError(f"{parts} ranks for {len(centres)} columns of cells: every rank needs at least one")
    work = cells + film_cells
    part = np.zeros(len(centres), dtype=np.int32)
    # Places in the grid rather than coordinates: the outer cells are far wider than the inner ones.
    x, y = (np.unique(centres[:, axis], return_inverse=True)[1].reshape(-1) for axis in (0, 1))

    def bisect(members: Longs, first: int, count: int) -> None:
        """Share columns out among `count` ranks from the first, by halves of equal work."""
        if count == 1:
            part[members] = first
            return
        left = count // 2
        share = left / count
        least, order, cut = np.inf, members, left
        for across, along in ((x, y), (y, x), (x - y, x + y), (x + y, x - y)):
            line = members[np.lexsort((along[members], across[members]))]
            done = np.cumsum(work[line])
            place = int(np.argmin(np.abs(done - share * done[-1]))) + 1
            place = min(max(place, left), len(line) - (count - left))
            uneven = sum(
                abs(amount[line[:place]].sum() / amount[line].sum() - share)
                for amount in (cells, film_cells)
                if amount[line].any()
            )
            if uneven < least - DIAGONAL_COST:
                least, order, cut = uneven, line, place
        bisect(order[:cut], first, left)
        bisect(order[cut:], first + left, count - left)

    bisect(np.arange(len(centres)), 0, parts)
    return part


def column_partitioner(coordinates: Floats | None, is_film: Callable[[Floats], Bools]) -> Callable[..., Any]:
    """Partitioner for a mesh of hexahedra that is wholly on rank 0.

    Every cell goes to the rank of its column and, as a ghost, to the ranks of all columns that
    share a vertex with it.

    Args:
        coordinates: Coordinates of the nodes on rank 0, shape (nodes, 3); None elsewhere.
        is_film: Says of midpoints of cells, shape (cells, 3), which are inside a layer.

    Returns:
        A function for `dolfinx.mesh.create_mesh`.
    """

    def partitioner(comm: Any, parts: int, cell_types: Any, cells: Any) -> Any:
        """Destinations of the cells; all are on rank 0."""
        flat = np.asarray(cells[0])
        if coordinates is None or len(flat) == 0:
            return compat.cell_destinations(np.empty(0, np.int32), np.zeros(1, np.int32))
        nodes = flat.reshape(-1, 8)
        column, corners = column_numbers(nodes, coordinates)
        count = len(corners)
        midpoints = coordinates[nodes].mean(axis=1)
        total = np.bincount(column, minlength=count)
        film = np.bincount(column[is_film(midpoints)], minlength=count)
        centres = np.column_stack([np.bincount(column, weights=midpoints[:, axis]) / total for axis in (0, 1)])
        owner = partition_columns(centres, total, film, parts)
        ranks, offsets = _with_ghosts(owner, corners, parts)
        return compat.cell_destinations(*_per_cell(column, ranks, offsets))

    return partitioner


def _with_ghosts(owner: Ints, corners: Longs, parts: int) -> tuple[Ints, Ints]:
    """Ranks of every column, owner first, and where each column's ranks start."""
    count = len(owner)
    of_column = scipy.sparse.csr_array((np.ones(corners.size), (np.repeat(np.arange(count), 4), corners.reshape(-1))))
    rank = scipy.sparse.csr_array((np.ones(count), (np.arange(count), owner)), (count, parts))
    near = (of_column @ (of_column.T @ rank)).tocoo()
    column, other = near.coords
    order = np.lexsort((other, other != owner[column], column))
    offsets = np.concatenate([[0], np.cumsum(np.bincount(column, minlength=count))])
    return other[order].astype(np.int32), offsets.astype(np.int32)


def _per_cell(column: Ints, ranks: Ints, offsets: Ints) -> tuple[Ints, Ints]:
    """The list of ranks of every cell from those of the columns."""
    lengths = np.diff(offsets)[column]
    starts = np.concatenate([[0], np.cumsum(lengths)])
    within = np.arange(starts[-1]) - np.repeat(starts[:-1], lengths)
    return ranks[np.repeat(offsets[column], lengths) + within], starts.astype(np.int32)
