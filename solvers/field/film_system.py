"""What is left of a field problem when all but the films is eliminated: solved on one rank for state after state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse

from meshes.arrays import Bools, Floats, Ints, Longs
from solvers.field.elimination import Dissection, Elimination, backward, cholesky, forward, partial_cholesky


@dataclass(frozen=True)
class Share:
    """What one rank has of the unknowns that are left.

    Attributes:
        numbers: global numbers of its unknowns, (n,).
        kept: which of them belong to films, (n,).
        outer: those that are coupled with unknowns that the rank eliminated, (n_outer,).
        places: coordinates, (n, 3).
        rows, columns: of the entries of its matrix, among its unknowns, (n_entries,).
    """

    numbers: Longs
    kept: Bools
    outer: Ints
    places: Floats
    rows: Ints
    columns: Ints


class _Scatter:
    """Adds some of many values up in places of an array.

    Args:
        chosen: which values, (n,).
        place: where they go, (n,).
        size: of the array.
    """

    def __init__(self, chosen: Longs, place: Longs, size: int) -> None:
        self._chosen, self._place, self._size = chosen, place, size

    def __call__(self, values: Floats) -> Floats:
        out = np.zeros(self._size)
        np.add.at(out, self._place, values[self._chosen])
        return out


class FilmSystem:
    """The system of the unknowns of films, in which only the films' own part changes.

    Unknowns that ranks share and that are not of films lie "between" the ranks: they are eliminated with the rest
    (`prepare`). The inside of the films is eliminated for each state, onto their surface, whose block is dense.

    Args:
        shares: of all ranks.

    Attributes:
        n: number of unknowns.
        dense: how many of them have a dense matrix: those between ranks and the films' surface.
        maps: numbers of the unknowns of each rank among them.
    """

    def __init__(self, shares: Sequence[Share]) -> None:
        numbers = np.unique(np.concatenate([share.numbers for share in shares]))
        self.n = n = len(numbers)
        self.maps = [np.searchsorted(numbers, share.numbers) for share in shares]
        pairs = list(zip(shares, self.maps, strict=True))
        kept, tied, places = np.zeros(n, dtype=bool), np.zeros(n, dtype=bool), np.zeros((n, 3))
        for share, where in pairs:
            kept[where] |= share.kept
            tied[where[share.outer]] = True
            places[where] = share.places
        rows, columns = (np.concatenate([w[getattr(s, name)] for s, w in pairs]) for name in ("rows", "columns"))
        tied |= ~kept
        tied[rows[~kept[columns]]] = True
        self._between, self._surface = np.flatnonzero(~kept), np.flatnonzero(kept & tied)
        ends = np.concatenate([self._between, self._surface])
        self.dense = len(ends)
        dense = np.full(n, -1, dtype=np.int64)
        dense[ends] = np.arange(len(ends))
        self._outer_at = [dense[where[share.outer]] for share, where in pairs]
        # Entries go to the dense matrix, those of films also to its part of the surface; all others to a sparse one.
        first, size, inside = len(self._between), len(ends), tied[rows] & tied[columns]
        row, column = dense[rows], dense[columns]
        at_surface = np.flatnonzero((row >= first) & (column >= first))
        within = len(self._surface)
        self._to_dense = _Scatter(np.flatnonzero(inside), row[inside] * size + column[inside], size**2)
        place = (row[at_surface] - first) * within + column[at_surface] - first
        self._to_surface = _Scatter(at_surface, place, within**2)
        codes, place = np.unique(rows[~inside] * n + columns[~inside], return_inverse=True)
        self._to_sparse = _Scatter(np.flatnonzero(~inside), place, len(codes))
        starts = np.searchsorted(codes, np.arange(n + 1) * n)
        pattern = scipy.sparse.csr_matrix((np.ones(len(codes)), codes % n, starts), (n, n))
        self._dissection = Dissection(pattern, np.flatnonzero(~tied).astype(np.int32), places)
        self._at_surface = dense[self._dissection.outer] - first
        self._fixed_sparse: Floats = np.zeros(len(codes))

    def prepare(self, values: Sequence[Floats], updates: Sequence[Floats], right: Floats) -> None:
        """Take what does not change, and eliminate what lies between the ranks.

        Args:
            values: entries of the matrix of each rank.
            updates: what its elimination adds, (n_outer, n_outer) each.
            right: right-hand side of the unit drive, (n, 1).

        Raises:
            ArithmeticError: a pivot is not positive.
        """
        every, size = np.concatenate(values), len(self._between) + len(self._surface)
        dense, self._fixed_sparse = self._to_dense(every).reshape(size, size), self._to_sparse(every)
        for where, update in zip(self._outer_at, updates, strict=True):
            dense[np.ix_(where, where)] += update
        n = len(self._between)
        blocks = (np.array(dense[part]) for part in (np.s_[:n, :n], np.s_[:n, n:], np.s_[n:, n:]))
        self._factor_between, self._panel, self._fixed_surface = partial_cholesky(*blocks)
        self._half = forward(self._factor_between, right[self._between])
        self._right: Floats = right.copy()
        self._right[self._surface] -= self._panel @ self._half

    def factor(self, values: Sequence[Floats]) -> None:
        """Take what changes, entries of the matrix of each rank, and factor.

        Raises:
            ArithmeticError: a pivot is not positive.
        """
        every, where = np.concatenate(values), self._at_surface
        self._films = Elimination(self._dissection, self._fixed_sparse + self._to_sparse(every))
        surface = self._fixed_surface + self._to_surface(every).reshape(self._fixed_surface.shape)
        surface[np.ix_(where, where)] += self._films.update
        self._factor_surface = cholesky(surface)

    def solve_unit(self, more: Floats) -> Floats:
        """Solution of the unit drive, (n, 1), with something added to its right-hand side."""
        return self._solve(self._right + more, self._half)

    def solve(self, rights: Floats) -> Floats:
        """Solutions of right-hand sides that are zero between the ranks, (n, k)."""
        return self._solve(rights, np.zeros((len(self._between), rights.shape[1])))

    def _solve(self, right: Floats, half_between: Floats) -> Floats:
        added, half = self._films.condense(right)
        surface = right[self._surface]
        surface[self._at_surface] += added
        surface = backward(self._factor_surface, forward(self._factor_surface, surface))
        out = np.zeros_like(right)
        out[self._surface] = surface
        out[self._dissection.inner] = self._films.expand(surface[self._at_surface], half)
        out[self._between] = backward(self._factor_between, half_between - self._panel.T @ surface)
        return out
