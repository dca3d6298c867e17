"""Nodes that share one temperature: merged by perfect contacts, or held by a bath through them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from mpi4py import MPI

from fem.spaces.layerwise import LayerwiseSpace
from meshes.arrays import Bools, Floats, Ints, Longs
from solvers.heat.matrix import NetworkMatrix

_UNSET = -2.0
_ITERATIONS = 100


class Ties:
    """The trees that perfect contacts make of nodes.

    The root of a tree is a held node, or the free node of lowest number. Heat that a node gives away passes through
    the perfect contacts on its way to the root.

    Args:
        space: numbering of the nodes.
        contacts: (lower nodes, upper nodes) of each perfect contact on this rank, (n_pairs,) each.
        bath: number of the bath that holds a node, -1 for free nodes; consistent on all ranks, (n_local,).

    Attributes:
        bath: the same, where now a node tied to a held one is held too.
        held: nodes held by a bath, (n_local,).
        root: global number of the unknown of each node: its own, or for merged nodes that of their root, (n_local,).
    """

    def __init__(self, space: LayerwiseSpace, contacts: Sequence[tuple[Ints, Ints]], bath: Ints) -> None:
        self.space = space
        label = space.global_index.astype(np.float64)
        while self._lower_labels(label, contacts, bath < 0):
            pass
        # Held nodes first: what they reach is held and has nothing to merge with.
        held = bath >= 0
        carried = np.where(held, bath, _UNSET).astype(np.float64)
        path = [np.where(held, 0.0, _UNSET) for _ in contacts]
        self._spread(carried, path, contacts)
        self.bath = np.where(carried >= 0, carried, -1).astype(np.int32)
        self.held = self.bath >= 0
        free_root = ~self.held & (label == space.global_index)
        # A tree without a held node has no held node in it at all, so the labels found above are those of free trees.
        carried[free_root] = 0.0
        for steps in path:
            steps[free_root] = 0.0
        self._spread(carried, path, contacts)
        self.root: Longs = np.where(self.held, space.global_index, label).astype(np.int64)
        self._path = path

    def _lower_labels(self, label: Floats, contacts: Sequence[tuple[Ints, Ints]], free: Bools) -> bool:
        """Give both nodes of every pair the lower label (in place); whether anything changed on any rank."""
        before = label.copy()
        for i, j in contacts:
            both = free[i] & free[j]
            low = np.minimum(label[i], label[j])[both]
            np.minimum.at(label, i[both], low)
            np.minimum.at(label, j[both], low)
            label[:] = -self.space.maximum(-label)
        return self._any(bool((label != before).any()))

    def _spread(self, carried: Floats, path: list[Floats], contacts: Sequence[tuple[Ints, Ints]]) -> None:
        """Reach every node that can be reached from those that carry a value; note the way (in place)."""
        going = bool(contacts)
        while going:
            before = carried.copy()
            for number, (i, j) in enumerate(contacts):
                for start, end, sign in ((i, j, -1.0), (j, i, 1.0)):
                    new = (carried[start] >= 0) & (carried[end] < 0)
                    a, b = start[new], end[new]
                    carried[b] = carried[a]
                    for other, steps in enumerate(path):
                        steps[b] = sign if other == number else steps[a]
                    # Another rank may see these nodes without the facet through which they are tied.
                    for values in (carried, *path):
                        self.space.maximum(values)
            going = self._any(bool((carried != before).any()))

    def _any(self, here: bool) -> bool:
        return bool(self.space.comm.allreduce(int(here)))

    def through(self, given: Floats) -> Floats:
        """What passes each perfect contact, lower to upper, if every node of this rank gives an amount to its root.

        Args:
            given: by node, (n_local,).

        Returns:
            One sum for each contact, over the owned nodes.
        """
        n = self.space.n_owned
        return np.array([float(steps[:n] @ given[:n]) for steps in self._path])

    def equalise(self, matrix: NetworkMatrix, energy: Callable[[Floats], tuple[Floats, Floats]], u: Floats) -> Floats:
        """Give merged nodes the temperature at which they have the energy that they have now (collective).

        Args:
            matrix: the matrix in which these nodes are merged.
            energy: nodal energies (J) and their slopes in u (J/K^2).
            u: T^2, K^2, (n_local,).

        Returns:
            The new u.
        """
        space, n = self.space, self.space.n_owned
        merged = matrix.share(matrix.combine(np.ones(n))) != 1.0
        span = [u[:n][merged].max(initial=0.0), -u[:n][merged].min(initial=np.inf)]
        differ = float((matrix.share(u[:n]) != u[:n]).any())
        extremes = np.empty(3)
        space.comm.Allreduce(np.array([*span, differ]), extremes, op=MPI.MAX)
        top, bottom, differ = extremes
        if not differ:
            return u
        low: Floats = np.full(n, -bottom)
        high: Floats = np.full(n, top)

        def sums(nodal: Floats) -> Floats:
            return np.asarray(matrix.share(matrix.combine(nodal[:n])))

        e, slope = energy(u)
        target, weight = sums(e), sums(slope)
        start = np.divide(sums(slope * u), weight, out=0.5 * (low + high), where=weight > 0)
        new = u.copy()
        new[:n] = np.where(merged, start, u[:n])
        for _ in range(_ITERATIONS):
            space.update_ghosts(new)
            e, slope = energy(new)
            excess = sums(e) - target
            low, high = np.where(excess <= 0, new[:n], low), np.where(excess >= 0, new[:n], high)
            with np.errstate(divide="ignore", invalid="ignore"):
                guess = new[:n] - excess / sums(slope)
            guess = np.where((guess > low) & (guess < high), guess, 0.5 * (low + high))
            guess = np.where(merged, guess, u[:n])
            change = float((np.abs(guess - new[:n]) > 1e-15 * guess).any())
            new[:n] = guess
            if not space.comm.allreduce(change, op=MPI.MAX):
                break
        return space.update_ghosts(new)
