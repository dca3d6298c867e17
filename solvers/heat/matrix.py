"""The linear system of the heat network: a PETSc matrix filled from nodes and pairs, and its solver."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from mpi4py import MPI
from petsc4py import PETSc

from fem.spaces.layerwise import LayerwiseSpace
from meshes.arrays import Bools, Floats, Ints, Longs
from solvers.errors import StepFailure

# Hypre's settings for heat-like operators (HMIS coarsening, ext+i interpolation): 6-7 iterations up to 50k unknowns.
AMG_OPTIONS = {
    "pc_type": "hypre",
    "pc_hypre_type": "boomeramg",
    "pc_hypre_boomeramg_strong_threshold": "0.5",
    "pc_hypre_boomeramg_coarsen_type": "HMIS",
    "pc_hypre_boomeramg_interp_type": "ext+i",
    "pc_hypre_boomeramg_P_max": "4",
}
TOLERANCE = 1e-10
# Up to this many free unknowns a factorisation, which every rank makes for itself, costs less than AMG.
DIRECT_LIMIT = 2000
DIRECT_OPTIONS = {"pc_type": "lu", "pc_factor_mat_ordering_type": "amd"}
REDUNDANT_OPTIONS = {"pc_type": "redundant", "redundant_ksp_type": "preonly"} | {
    f"redundant_{key}": value for key, value in DIRECT_OPTIONS.items()
}
# Iterations with a reused preconditioner that call for a new one at the next filling, and those that are not exceeded:
# a new one is made at once.
REBUILD_AFTER = 5
REUSE_LIMIT = 10
FRESH_LIMIT = 100


@dataclass
class SolveCounts:
    """Linear solves done, and the iterations that the longest of them took."""

    solves: int = 0
    iterations_max: int = 0


class NetworkMatrix:
    """Jacobian of a network of nodes, in which some nodes may share one unknown (collective).

    Symmetric only where all conductances are constant in u.

    Args:
        space: numbering of the nodes.
        root: global number of the node whose unknown each node uses, mostly its own, (n_local,).
        held: nodes whose value is fixed; every rank that sees a node must say the same, (n_local,).
        i: local node numbers of all pairs that may conduct, (n_pairs,).
        j: their partners, (n_pairs,).
        counts: where its solves are counted.
    """

    def __init__(self, space: LayerwiseSpace, root: Longs, held: Bools, i: Ints, j: Ints, counts: SolveCounts) -> None:
        self.space, self.counts = space, counts
        self.i, self.j, self._held = i, j, held
        self.dropped: Bools = root != self.space.global_index
        self._unknown = root.astype(PETSc.IntType)
        self._merges = self.space.comm.allreduce(int(self.dropped.any()), op=MPI.MAX) > 0
        free = ~(held | self.dropped)[: space.n_owned]
        self._build(direct=space.comm.allreduce(int(free.sum())) <= DIRECT_LIMIT)

    def _build(self, direct: bool) -> None:
        n = self.space.n_owned
        unknown = self._unknown
        mat = PETSc.Mat().create(self.space.comm)
        sizes = (n, self.space.n_global)
        mat.setSizes((sizes, sizes))
        mat.setType("aij")
        # A dropped node keeps an identity row of its own; its pairs move to the root.
        own = self.space.global_index[:n]
        rows = np.concatenate([unknown, own, unknown[self.i], unknown[self.j]]).astype(np.int64)
        columns = np.concatenate([unknown, own, unknown[self.j], unknown[self.i]])
        entries, self._entry = np.unique(rows * self.space.n_global + columns, return_inverse=True)
        row, column = np.divmod(entries, self.space.n_global)
        filled, starts = np.unique(row, return_index=True)
        self._pattern = tuple(x.astype(PETSc.IntType) for x in (filled, np.append(starts, len(row)), column))
        mat.setUp()
        self._mat = mat
        self._right, self._solution = mat.createVecs()
        self._gathered = self._right.duplicate()
        indices = PETSc.IS().createGeneral(unknown[:n], comm=self.space.comm)
        self._scatter = PETSc.Scatter().create(self._solution, indices, self._gathered, None)
        indices.destroy()

        ksp = PETSc.KSP().create(self.space.comm)
        ksp.setOptionsPrefix("heat_")
        ksp.setOperators(mat)
        ksp.setType("gmres")
        ksp.setTolerances(rtol=TOLERANCE, atol=1e-300)
        defaults = REDUNDANT_OPTIONS if self.space.comm.size > 1 else DIRECT_OPTIONS
        if not direct:
            defaults = AMG_OPTIONS
        options = PETSc.Options("heat_")
        defaults = {key: value for key, value in defaults.items() if not options.hasName(key)}
        for key, value in defaults.items():
            options.setValue(key, value)
        ksp.setFromOptions()
        for key in defaults:
            options.delValue(key)
        self._ksp = ksp
        self._reused, self._scale = False, 1.0
        self.forget()

    def forget(self) -> None:
        """Set up a new preconditioner at the next `fill`, whatever has been filled before."""
        self._stale = True

    def destroy(self) -> None:
        """Free the PETSc objects (collective)."""
        for item in (self._ksp, self._scatter, self._gathered, self._solution, self._right, self._mat):
            item.destroy()

    def fill(self, diagonal: Floats, of_i: Floats, of_j: Floats) -> None:
        """Set the values (collective).

        Args:
            diagonal: this rank's contributions to the diagonal, (n_local,).
            of_i: flow from i to j per unit of u_i, (n_pairs,).
            of_j: flow from j to i per unit of u_j, (n_pairs,).
        """
        if self._stale:
            local = float(np.abs(diagonal).max(initial=0.0))
            self._scale = 1.0 / (self.space.comm.allreduce(local, op=MPI.MAX) or 1.0)
        diagonal = np.where(self._held, 0.0, diagonal * self._scale)
        fixed = self._held[self.i] | self._held[self.j]
        of_i, of_j = (np.where(fixed, 0.0, x * self._scale) for x in (of_i, of_j))
        rows, offsets, columns = self._pattern
        identity = (self._held | self.dropped)[: self.space.n_owned].astype(np.float64)
        values = np.concatenate([diagonal, identity, -of_j, -of_i])
        values = np.bincount(self._entry, values, minlength=len(columns))
        self._mat.zeroEntries()
        add = PETSc.InsertMode.ADD_VALUES
        self._mat.setValuesIJV(offsets, columns, values, add, rowmap=rows)
        self._mat.assemble()
        self._reused = not self._stale
        self._stale = False
        self._ksp.getPC().setReusePreconditioner(self._reused)

    def diagonal(self) -> Floats:
        """The diagonal, with those of dropped nodes added to their roots and something positive in their place."""
        self._mat.getDiagonal(self._gathered)
        return np.asarray(self._gathered.array_r / self._scale)

    def solve(self, right: Floats, rtol: float = TOLERANCE) -> Floats:
        """Solve for owned values; dropped nodes get the value of their root (collective).

        Args:
            right: right-hand side at owned nodes; those of dropped nodes are added to their roots.
            rtol: residual at which to stop, relative to the first.

        Returns:
            Solution at owned nodes, (n_owned,).

        Raises:
            StepFailure: the iteration did not converge.
        """
        self._ksp.setTolerances(rtol=rtol, max_it=REUSE_LIMIT if self._reused else FRESH_LIMIT)
        x = self._iterate(right)
        if self._ksp.getConvergedReason() <= 0 and self._reused:
            self._reused = False
            self._ksp.getPC().setReusePreconditioner(False)
            self._ksp.setTolerances(max_it=FRESH_LIMIT)
            x = self._iterate(right)
        reason, iterations = self._ksp.getConvergedReason(), self._ksp.getIterationNumber()
        if reason <= 0:
            self._stale = True
            raise StepFailure(f"heat: linear solver gave up (PETSc reason {reason})")
        self._stale |= iterations > REBUILD_AFTER
        self.counts.iterations_max = max(self.counts.iterations_max, iterations)
        self.counts.solves += 1
        return x

    def _iterate(self, right: Floats) -> Floats:
        self._right.array_w[:] = self.combine(right) * self._scale
        self._ksp.solve(self._right, self._solution)
        return self._spread()

    def combine(self, values: Floats) -> Floats:
        """Owned values with those of dropped nodes added to their roots, and 0 in their place (collective)."""
        if not self._merges:
            return values
        n = self.space.n_owned
        self._right.set(0.0)
        self._right.setValues(self._unknown[:n], values, addv=PETSc.InsertMode.ADD_VALUES)
        self._right.assemble()
        return np.array(self._right.array_r)

    def share(self, values: Floats) -> Floats:
        """Owned values with those of dropped nodes replaced by their root's (collective)."""
        if not self._merges:
            return values
        self._solution.array_w[:] = values
        return self._spread()

    def _spread(self) -> Floats:
        if not self._merges:
            return np.array(self._solution.array_r)
        self._scatter.scatter(self._solution, self._gathered)
        return np.array(self._gathered.array_r)
