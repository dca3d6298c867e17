"""Elimination of most unknowns of a sparse system, so that the rest can be solved again and again.

The multifrontal method (Duff and Reid, ACM Trans. Math. Softw. 9 (1983) 302) on a geometric nested dissection (George,
SIAM J. Numer. Anal. 10 (1973) 345). Unlike the direct solvers that PETSc gives access to, it leaves chosen unknowns to
the end in a good order, gives their Schur complement, and solves in halves: down to what is left, and up from there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse
from scipy.linalg import blas, lapack

from meshes.arrays import Bools, Floats, Ints, Longs

# A part of so many unknowns is not divided: smaller ones cost calls, larger ones operations.
LEAF = 60
RESOLUTION = 1e-9  # of coordinates, over the extent: what is nearer is in one plane


@dataclass(frozen=True)
class Front:
    """Unknowns that are eliminated together.

    Attributes:
        first, last: their places in the order of elimination, `last` not included.
        rest: places of what they are coupled with and what comes later, ascending.
        children: numbers of the fronts whose rest goes into this one.
    """

    first: int
    last: int
    rest: Longs
    children: tuple[int, ...]


class Dissection:
    """An order of elimination; it depends on the pattern of the matrix only.

    Args:
        pattern: symmetric sparse matrix, (n, n).
        inner: unknowns to be eliminated, (n_inner,).
        places: coordinates of all unknowns, (n, 3).

    Attributes:
        n_inner: how many are eliminated.
        outer: unknowns that are left and coupled with those, (n_outer,).
        order: unknowns in the order of elimination, then the outer ones.
        inner: the former.
        fronts: in the order of elimination.
        roots: numbers of the fronts that go into no other.
        starts, columns, source: upper triangle of a matrix in this order: where the rows start, places of the columns,
            and places of the values among those of the pattern.
    """

    def __init__(self, pattern: scipy.sparse.csr_matrix, inner: Ints, places: Floats) -> None:
        self.n_inner = len(inner)
        number = np.full(pattern.shape[0], -1, dtype=np.int64)
        number[inner] = np.arange(len(inner))
        rows = np.repeat(number, np.diff(pattern.indptr))
        columns = number[pattern.indices]
        outside = np.zeros(len(number), dtype=bool)
        outside[pattern.indices[(rows >= 0) & (columns < 0)]] = True
        self.outer: Ints = np.flatnonzero(outside).astype(np.int32)
        inside = (columns >= 0) & (rows > columns)
        self._side = np.zeros(len(inner), dtype=np.int8)
        self._levels = [_levels(places[inner, axis]) for axis in range(3)]
        self._parts: list[tuple[Longs, tuple[int, ...]]] = []
        self.roots = self._divide(np.arange(len(inner)), np.stack([rows[inside], columns[inside]]))
        self.order: Ints = np.concatenate([*(inner[part] for part, _ in self._parts), self.outer]).astype(np.int32)
        self.inner = self.order[: self.n_inner]
        numbered = scipy.sparse.csr_matrix(
            (np.arange(1, pattern.nnz + 1), pattern.indices, pattern.indptr), pattern.shape
        )
        upper = scipy.sparse.triu(numbered[self.order][:, self.order], format="csr")
        self.starts, self.columns, self.source = upper.indptr, upper.indices, upper.data - 1
        self.fronts = self._fronts()

    def reached(self, wanted: Bools) -> list[int]:
        """Numbers of the fronts that must be solved upwards to know the wanted unknowns, (n,), ascending."""
        needed = wanted[self.order]
        out = []
        for number, front in enumerate(self.fronts):
            if needed[front.first : front.last].any():
                needed[front.rest] = True
                out.append(number)
        return out

    def _divide(self, members: Longs, pairs: Longs) -> tuple[int, ...]:
        """Make parts of members, coupled by pairs (2, n), children before parents; numbers of the uppermost parts."""
        if not len(members):
            return ()
        cut = self._cut(members, pairs) if len(members) > LEAF else None
        if cut is None:
            self._parts.append((members, ()))
            return (len(self._parts) - 1,)
        low, separator = cut
        side = self._side
        side[members] = np.where(low, 1, 2)
        side[separator] = 0
        sides, of_pairs = side[members], side[pairs]
        children: tuple[int, ...] = ()
        for half in (1, 2):
            children += self._divide(members[sides == half], pairs[:, (of_pairs == half).all(axis=0)])
            side[members] = sides
        if not len(separator):
            return children
        self._parts.append((separator, children))
        return (len(self._parts) - 1,)

    def _cut(self, members: Longs, pairs: Longs) -> tuple[Bools, Longs] | None:
        """Which members are on the low side of the plane that the fewest unknowns are needed to make, and these."""
        best = None
        for level in self._levels:
            here = level[members]
            middle = np.partition(here, len(here) // 2)[len(here) // 2]
            if middle == here.min():
                middle += 1
            if here.max() < middle:
                continue
            low = level[pairs] < middle
            crossing = low[0] != low[1]
            low, across = low[:, crossing], pairs[:, crossing]
            for ends in (across[low], across[~low]):
                separator = np.unique(ends)
                if best is None or len(separator) < len(best[1]):
                    best = here < middle, separator
        return best

    def _fronts(self) -> list[Front]:
        fronts: list[Front] = []
        first = 0
        for members, children in self._parts:
            last = first + len(members)
            coupled = [self.columns[self.starts[first] : self.starts[last]]]
            coupled += [fronts[child].rest for child in children]
            rest = np.unique(np.concatenate(coupled))
            fronts.append(Front(first, last, rest[rest >= last].astype(np.int64), children))
            first = last
        return fronts


def _levels(values: Floats) -> Longs:
    """Number of the plane that each value is in, from below."""
    step = RESOLUTION * float(np.ptp(values)) if len(values) else 1.0
    return np.unique(np.round(values / (step or 1.0)), return_inverse=True)[1].astype(np.int64)


class Elimination:
    """Factors of the unknowns that a dissection eliminates.

    Args:
        dissection: the order.
        values: of the pattern of the dissection; the matrix of the inner unknowns is positive definite.

    Attributes:
        update: what the elimination adds to the matrix of the outer unknowns, (n_outer, n_outer).

    Raises:
        ArithmeticError: a pivot is not positive.
    """

    def __init__(self, dissection: Dissection, values: Floats) -> None:
        self.dissection = dissection
        self._values = values[dissection.source]
        self._place = np.zeros(len(dissection.order), dtype=np.int64)
        self._factors: list[tuple[Floats, Floats]] = []
        pending: dict[int, Floats] = {}
        for number, front in enumerate(dissection.fronts):
            pending[number] = self._eliminate(front, pending)
        del self._values
        n_inner, n = dissection.n_inner, len(dissection.outer)
        half = np.zeros((n, n))
        for root in dissection.roots:
            where = dissection.fronts[root].rest - n_inner
            half[np.ix_(where, where)] += pending.pop(root)
        self.update: Floats = half + np.triu(half, 1).T  # nothing stands below the diagonal

    def _eliminate(self, front: Front, pending: dict[int, Floats]) -> Floats:
        """Factor a front; what it adds to its rest (upper triangle)."""
        first, last, place, of = front.first, front.last, self._place, self.dissection
        p, b = last - first, len(front.rest)
        place[first:last] = np.arange(p)
        place[front.rest] = np.arange(p, p + b)
        own, beside = np.zeros((p, p)), np.zeros((p, b))
        below: Floats = np.zeros((b, b))
        entries = slice(of.starts[first], of.starts[last])
        rows = np.repeat(np.arange(p), np.diff(of.starts[first : last + 1]))
        columns, values = place[of.columns[entries]], self._values[entries]
        inside = columns < p
        own[rows[inside], columns[inside]] = values[inside]
        beside[rows[~inside], columns[~inside] - p] = values[~inside]
        for child in front.children:
            where, given = place[of.fronts[child].rest], pending.pop(child)
            k = int(np.searchsorted(where, p))
            here, there = where[:k], where[k:] - p
            own[np.ix_(here, here)] += given[:k, :k]
            beside[np.ix_(here, there)] += given[:k, k:]
            below[np.ix_(there, there)] += given[k:, k:]
        factor, panel, below = partial_cholesky(own, beside, below)
        self._factors.append((factor, panel))
        return below

    def condense(self, right: Floats) -> tuple[Floats, Floats]:
        """Half a solution: what right-hand sides add to those of the outer unknowns, (n_outer, k), and the inner half.

        Args:
            right: of all unknowns, (n, k).
        """
        n = self.dissection.n_inner
        x = np.zeros((len(self.dissection.order), right.shape[1]))
        x[:n] = right[self.dissection.inner]
        for front, (factor, panel) in zip(self.dissection.fronts, self._factors, strict=True):
            x[front.first : front.last] = forward(factor, x[front.first : front.last])
            x[front.rest] -= panel @ x[front.first : front.last]
        return x[n:], x[:n]

    def expand(self, outer: Floats, half: Floats | None = None, only: Sequence[int] | None = None) -> Floats:
        """The other half: the inner unknowns in the order of elimination, (n_inner, k).

        Args:
            outer: the outer unknowns, (n_outer, k).
            half: what `condense` gave; None: zero.
            only: the fronts that are wanted (`Dissection.reached`); None: all.
        """
        n = self.dissection.n_inner
        x = np.concatenate([np.zeros((n, outer.shape[1])) if half is None else half, outer])
        for number in reversed(range(len(self._factors)) if only is None else only):
            front, (factor, panel) = self.dissection.fronts[number], self._factors[number]
            known = x[front.first : front.last] - panel.T @ x[front.rest]
            x[front.first : front.last] = backward(factor, known)
        return x[:n]


def partial_cholesky(own: Floats, beside: Floats, below: Floats) -> tuple[Floats, Floats, Floats]:
    """Eliminate the first unknowns of a dense symmetric matrix.

    Args:
        own: their block, (p, p), upper triangle; destroyed, as are the others.
        beside: their coupling with the rest, (p, b).
        below: block of the rest, (b, b), upper triangle.

    Returns:
        The factor L of their block, the panel L^-1 `beside` transposed, (b, p), and the Schur complement in the upper
        triangle.

    Raises:
        ArithmeticError: a pivot is not positive.
    """
    factor = cholesky(own)
    panel = beside.T
    if panel.size:
        panel = blas.dtrsm(1.0, factor, panel, side=1, lower=1, trans_a=1, overwrite_b=1)
        below = blas.dsyrk(-1.0, panel, beta=1.0, c=below.T, lower=1, overwrite_c=1).T
    return factor, panel, below


def cholesky(matrix: Floats) -> Floats:
    """The factor L of a dense symmetric matrix, of which the upper triangle is read; it is destroyed.

    Raises:
        ArithmeticError: a pivot is not positive.
    """
    # Row by row the upper triangle is what LAPACK, which counts by columns, takes for the lower one.
    if not matrix.size:
        return matrix
    factor, failed = lapack.dpotrf(matrix.T, lower=1, overwrite_a=1, clean=1)
    if failed:
        raise ArithmeticError("the matrix is not positive definite")
    return np.asarray(factor)


def forward(factor: Floats, right: Floats) -> Floats:
    """Solution of L x = right, (p, k)."""
    return np.asarray(blas.dtrsm(1.0, factor, right, lower=1)) if right.size else right


def backward(factor: Floats, right: Floats) -> Floats:
    """Solution of L^T x = right, (p, k)."""
    return np.asarray(blas.dtrsm(1.0, factor, right, lower=1, trans_a=1)) if right.size else right
