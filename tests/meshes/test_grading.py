import math

import numpy as np
import pytest

from meshes.grading import graded_axis, graded_nodes


def test_exact_geometric_series():
    """Where the length is a whole number of cells of the series, these are the cells."""
    assert np.diff(graded_nodes(1 + 1.5 + 2.25, first=1.0, growth=1.5)) == pytest.approx([1, 1.5, 2.25])
    assert np.diff(graded_nodes(5.0, first=1.0, last=1.0, growth=1.5)) == pytest.approx([1, 1.5, 1.5, 1])
    assert np.diff(graded_nodes(7.0, last=1.0, growth=2.0)) == pytest.approx([4, 2, 1])
    assert np.diff(graded_nodes(1.0, cap=0.3)) == pytest.approx([0.25] * 4)
    assert graded_nodes(3.0).tolist() == [0.0, 3.0]


@pytest.mark.parametrize("seed", range(60))
def test_bounds_hold(seed):
    random = np.random.default_rng(seed)
    length = 10 ** random.uniform(-3, 3)
    first, last = (length * 10 ** random.uniform(-4, 0.3) if random.random() < 0.8 else None for _ in range(2))
    growth, cap = random.uniform(1.05, 3), length * 10 ** random.uniform(-1.5, 0.5)
    give = random.choice([1.0, 1.25, 2.0])
    nodes = graded_nodes(length, first, last, growth, cap, give)
    cells = np.diff(nodes)
    assert nodes[0] == 0
    assert nodes[-1] == length
    assert np.all(cells > 0)
    assert cells.max() <= cap * (1 + 1e-7)
    ratio = np.exp(np.abs(np.diff(np.log(cells))))
    assert ratio.max(initial=1) <= growth * (1 + 1e-7)
    for wanted, cell in ((first, cells[0]), (last, cells[-1])):
        assert cell <= (wanted or math.inf) * give * (1 + 1e-7)
    # No more cells than needed: as many, plus one, of the greedy series from the finer end fill at least the length.
    ends = [end for end in (first, last) if end is not None]
    if len(ends) == 1 and len(cells) > 2:
        series = np.minimum(min(ends[0], cap) * growth ** np.arange(len(cells) - 2), cap)
        assert series.sum() < length * (1 + 1e-7)


def test_first_cell_is_not_needlessly_small():
    for length in np.linspace(20, 21, 50):
        cells = np.diff(graded_nodes(length, 0.1, 0.1, 1.5, 5.0))
        assert 0.08 < cells[0] <= 0.1 * (1 + 1e-9)
        assert cells[0] == pytest.approx(cells[-1])


def test_give_saves_a_cell():
    strict, relaxed = (graded_nodes(7.0, 0.5, None, 1.6, 2.0, give) for give in (1.0, 1.25))
    assert len(relaxed) == len(strict) - 1
    assert 0.5 < relaxed[1] <= 0.625


def test_axis_is_graded_from_every_line():
    lines = np.array([-50.0, -7.0, -6.9, 8.0, 60.0])
    sizes = np.array([np.inf, 0.5, 0.5, 0.5, np.inf])
    caps = np.array([np.inf, 2.0, 2.0, np.inf])
    segments = graded_axis(lines, sizes, caps, 1.6, 1.25)
    for segment, a, b, cap in zip(segments, lines, lines[1:], caps, strict=False):
        assert segment[0] == a
        assert segment[-1] == b
        assert np.diff(segment).max() <= cap
    # The short segment is one cell; its neighbours are no larger than it is.
    assert len(segments[1]) == 2
    assert np.diff(segments[0])[-1] <= 0.125
    assert np.diff(segments[2])[0] <= 0.125
    assert np.diff(segments[2])[-1] <= 0.625
    assert np.diff(segments[3])[-1] > 10


def test_nodes_follow_a_length_where_the_number_of_cells_is_given():
    ways = [
        {"first": 0.1, "last": 0.2},
        {"first": 0.3, "last": None, "give": 2.0},
        {"first": None, "last": None, "cap": 0.6},
    ]
    for way in ways:
        base = graded_nodes(7.0, growth=1.6, **({"cap": 2.0} | way))  # type: ignore[arg-type]
        count = len(base) - 1
        lengths = 7.0 + 0.01 * np.arange(-300, 301)
        moved = np.array([graded_nodes(s, growth=1.6, cells=count, **({"cap": 2.0} | way)) for s in lengths])  # type: ignore[arg-type]
        np.testing.assert_array_equal(moved[300], base)
        np.testing.assert_array_equal(moved[:, -1], lengths)
        assert np.all(np.diff(moved, axis=1) > 0)
        # No node jumps: none moves by more than the end of the line does (and a little for the grading).
        assert np.abs(np.diff(moved, axis=0)).max() <= 0.01 * 1.5
        free = [len(graded_nodes(s, growth=1.6, **({"cap": 2.0} | way))) - 1 for s in lengths]  # type: ignore[arg-type]
        assert min(free) < count < max(free)
