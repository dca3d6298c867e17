"""Graded nodes on a line: fine where asked for, growing by at most a given ratio up to a largest cell."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from meshes.arrays import Floats

ROUNDING = 1e-9  # of a number of cells
Piece = tuple[float, float, float, float]  # from, to, cell size at from, slope of the cell size


def graded_nodes(
    length: float,
    first: float | None = None,
    last: float | None = None,
    growth: float = 1.5,
    cap: float = math.inf,
    give: float = 1.0,
    cells: int | None = None,
) -> Floats:
    """Nodes on [0, length].

    The cell size follows h(s) = min(h_first + g s, h_last + g (length - s), cap) with g = ln(growth): nodes at equal
    steps of the integral of ds/h. With steps of 1 the cells on a ramp grow by exactly `growth`; the integral is
    rounded up to a whole number of cells, so that every bound holds as an upper bound.

    Args:
        length: Length of the line.
        first: Largest size of the first cell; None where the cells may grow freely toward this end.
        last: The same for the last cell.
        growth: Largest ratio of two neighbouring cells, above 1.
        cap: Largest cell.
        give: Factor by which the first and the last cell may be larger if that saves a cell; growth and cap still
            hold.
        cells: Number of cells, in place of the one that the bounds ask for: these are then met as far as it allows,
            and the nodes follow the length and the bounds without a jump.

    Returns:
        Ascending nodes, shape (cells + 1,), from exactly 0 to exactly `length`.
    """
    bounds = [bound for bound in (first, last) if bound is not None]
    if cells is None and length <= min([give * bound for bound in bounds] + [cap]):
        return np.array([0.0, length])
    slope = math.log(growth)
    to_ramp = slope / (growth - 1)  # the ramp starts below the size of its first cell

    def ramps(factor: float) -> tuple[list[Piece], Floats]:
        start, end = (math.inf if h is None else factor * h * to_ramp for h in (first, last))
        pieces = _pieces(length, start, end, slope, cap)
        # Number of cells up to the ends of the pieces: the integral of ds/h in closed form
        counts = [(b - a) / h if g == 0 else math.log1p(g * (b - a) / h) / g for a, b, h, g in pieces]
        return pieces, np.concatenate([[0.0], np.cumsum(counts)])

    pieces, total = ramps(1.0)
    if cells is None:
        cells = max(1, math.ceil(total[-1] - ROUNDING))
        if cells > 1 and ramps(give)[1][-1] <= cells - 1:
            cells -= 1
    if total[-1] - ROUNDING > cells:
        low, high = 1.0, give
        while high - low > ROUNDING:
            middle = (low + high) / 2
            low, high = (low, middle) if ramps(middle)[1][-1] <= cells else (middle, high)
        pieces, total = ramps(high)
    nodes = np.empty(cells + 1)
    for k in range(1, cells):
        wanted = total[-1] * k / cells
        i = min(int(np.searchsorted(total, wanted, side="right")) - 1, len(pieces) - 1)
        a, _, h, g = pieces[i]
        step = wanted - total[i]
        nodes[k] = a + (h * step if g == 0 else h * math.expm1(g * step) / g)
    nodes[0], nodes[-1] = 0.0, length
    return nodes


def _pieces(length: float, start: float, end: float, slope: float, cap: float) -> list[Piece]:
    """Linear pieces of the cell size; one cell where it is infinite."""
    if math.isinf(start) and math.isinf(end):
        return [(0.0, length, min(cap, length), 0.0)]

    def clip(s: float) -> float:
        return min(max(s, 0.0), length)

    up = clip((cap - start) / slope) if start < cap else 0.0
    down = clip(length - (cap - end) / slope) if end < cap else length
    if up > down:  # the ramps meet below the cap
        up = down = clip((length + (end - start) / slope) / 2)
    pieces = [
        (0.0, up, start, slope),
        (up, down, cap, 0.0),
        (down, length, end + slope * (length - down), -slope),
    ]
    return [piece for piece in pieces if piece[1] > piece[0]]


def graded_axis(
    lines: Floats,
    sizes: Floats,
    caps: Floats,
    growth: float,
    give: float,
    cells: Sequence[int] | None = None,
) -> list[Floats]:
    """Nodes of an axis that is cut into segments by lines, graded from every line.

    Args:
        lines: Ascending coordinates of the lines, the two ends of the axis included, shape (n,).
        sizes: Wanted cell size at each line, infinity where there is no demand, shape (n,).
        caps: Largest cell of each segment, infinity where there is none, shape (n - 1,).
        growth: Largest ratio of neighbouring cells within a segment.
        give: Factor by which a cell at a line may exceed its wanted size if that saves a cell.
        cells: Number of cells of each segment, shape (n - 1,); None: as many as the sizes ask for.

    Returns:
        For every segment its ascending nodes, ends included and bitwise equal to the lines.
    """
    lengths = np.diff(lines)
    # A short segment or a small cap asks for small cells beside it as well...
    limits = np.minimum(caps, np.where(np.isfinite(sizes[:-1]) | np.isfinite(sizes[1:]), lengths, np.inf))
    at_lines = np.minimum(sizes, np.minimum(np.append(limits, np.inf), np.insert(limits, 0, np.inf)))
    # ...and every line limits the others by the ramp between them.
    distance = np.abs(lines[:, None] - lines[None, :])
    at_lines = np.min(at_lines[None, :] + (growth - 1) * distance, axis=1)
    at_lines = np.where(np.isfinite(sizes), at_lines, np.inf)
    segments = []
    for i, length in enumerate(lengths):
        first, last = (float(h) if np.isfinite(h) else None for h in at_lines[i : i + 2])
        count = None if cells is None else cells[i]
        nodes = lines[i] + graded_nodes(float(length), first, last, growth, float(caps[i]), give, count)
        nodes[-1] = lines[i + 1]
        segments.append(nodes)
    return segments
