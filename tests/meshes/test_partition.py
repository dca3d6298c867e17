import numpy as np
import pytest

from meshes.partition import column_numbers, column_partitioner, partition_columns


def extruded(nx, ny, nz):
    """Hexahedra of a grid with shuffled nodes, and coordinates."""
    x, y, z = np.meshgrid(np.arange(nx + 1) ** 1.5, np.arange(ny + 1) / 3, np.arange(nz + 1) / 7, indexing="ij")
    coordinates = np.stack([x.ravel(), y.ravel(), z.ravel()], axis=1)
    number = np.arange(len(coordinates)).reshape(x.shape)
    cells = [number[i : i + 2, j : j + 2, k : k + 2].ravel() for k in range(nz) for i in range(nx) for j in range(ny)]
    order = np.random.default_rng(1).permutation(len(coordinates))
    return np.argsort(order)[np.array(cells)], coordinates[order]


def test_columns_of_a_grid():
    nodes, coordinates = extruded(3, 4, 5)
    column, corners = column_numbers(nodes, coordinates)
    assert corners.shape == (12, 4)
    middle = coordinates[nodes].mean(axis=1)
    for number in range(12):
        members = column == number
        assert members.sum() == 5
        assert np.ptp(middle[members, :2], axis=0).max() < 1e-12
    assert len(np.unique(corners)) == 20


def test_leaning_cells_are_refused():
    nodes, coordinates = extruded(2, 2, 2)
    coordinates[:, 0] += 0.1 * coordinates[:, 2]
    with pytest.raises(ValueError, match="not extruded"):
        column_numbers(nodes, coordinates)


@pytest.mark.parametrize("parts", [1, 2, 3, 4, 5, 7, 12])
def test_parts_share_the_work(parts):
    x, y = np.meshgrid(np.arange(18.0) ** 2, np.arange(18.0), indexing="ij")
    centres = np.stack([x.ravel(), y.ravel()], axis=1)
    film = np.where((x < 50) & (y < 8), 9, 0).ravel()
    cells = np.full(324, 20)
    part = partition_columns(centres, cells, film, parts)
    work = np.bincount(part, weights=cells + film, minlength=parts)
    assert work.max() - work.min() < 5 * (20 + 9)
    if parts == 2:  # the film is in a corner, as in a quarter of a stack: a diagonal cut halves it
        shares = np.bincount(part, weights=film)
        assert shares.min() > 0.4 * film.sum()


def test_as_many_parts_as_columns():
    centres = np.random.default_rng(3).random((7, 2))
    part = partition_columns(centres, np.ones(7, int), np.array([5, 0, 0, 0, 0, 0, 0]), 7)
    assert sorted(part) == list(range(7))
    with pytest.raises(ValueError, match="8 ranks for 7 columns"):
        partition_columns(centres, np.ones(7, int), np.zeros(7, int), 8)


@pytest.mark.parametrize("parts", [1, 2, 3, 5])
def test_ghosts_are_the_ranks_of_cells_that_share_a_vertex(parts):
    nodes, coordinates = extruded(5, 4, 2)
    partitioner = column_partitioner(coordinates, lambda points: points[:, 0] < 3)
    destinations = partitioner(None, parts, None, [nodes.ravel()])
    owner = np.array([destinations.links(i)[0] for i in range(len(nodes))])
    assert set(owner) == set(range(parts))
    for i, mine in enumerate(nodes):
        near = np.isin(nodes, mine).any(axis=1)
        # in an extruded mesh a column's cells above and below are on the same rank, so cells near are enough
        assert set(destinations.links(i)) == set(owner[near])
        assert len(set(destinations.links(i))) == len(destinations.links(i))
