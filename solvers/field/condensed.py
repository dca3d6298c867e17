"""The field of a unit drive for one state of the films after the other: all but the films is eliminated once."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import dolfinx.fem
import dolfinx.la
import dolfinx.mesh
import numpy as np
import scipy.sparse
from mpi4py import MPI

from meshes import compat
from meshes.arrays import Bools, Floats, Ints
from solvers.errors import StepFailure
from solvers.field.elimination import Dissection, Elimination
from solvers.field.film_system import FilmSystem, Share
from solvers.field.forms import FieldForms

ROOT = 0  # the rank that solves what is left


class CondensedField:
    """Solves for a unit drive where the screening changes in some groups of cells, the films.

    Each rank eliminates the unknowns that only it has and that no film touches, when anything but the films has
    changed. What is left goes to one rank, which solves it for each state; the ranks recover the rest from that.

    Args:
        forms: of the field problem, with films.
        timings: seconds spent to "assemble", "eliminate", "factor" and "solve", to be added to.

    Attributes:
        eliminations: how often everything else was eliminated.
        dense: size of the dense matrix on the rank that solves.
    """

    def __init__(self, forms: FieldForms, timings: dict[str, float]) -> None:
        self.forms, self.timings = forms, timings
        self.eliminations = 0
        space, self._map = forms.space, forms.space.dofmap.index_map
        self._dofs = space.dofmap.list
        owned = forms.tagged.mesh.topology.index_map(3).size_local
        films = forms.tagged.cells(*forms.films)
        touching, of_films = (self._count(cells) for cells in (np.arange(owned), films[films < owned]))
        wall = np.zeros(len(touching), dtype=bool)
        wall[forms.bcs[0].dof_indices()[0]] = True
        free = np.zeros(len(touching), dtype=bool)
        free[self._dofs[:owned].ravel()] = True
        free &= ~wall
        left = free & ((touching > 1.0) | (of_films > 0.0))
        self._left: Ints = np.flatnonzero(left).astype(np.int32)
        # A matrix of what the owned cells add, nothing added from rank to rank.
        self._matrix = compat.local_matrix(forms.bilinear[0])
        pattern = compat.assemble_locally(self._matrix, ())
        places = self._places()
        self._take_inner(pattern, np.flatnonzero(free).astype(np.int32), left, places)
        share = self._share(pattern, of_films > 0.0, places)
        shares = self.forms.comm.gather(share, root=ROOT)
        self._system = None if shares is None else FilmSystem(shares)
        self.dense: int = self.forms.comm.bcast(0 if self._system is None else self._system.dense, root=ROOT)
        self._walls = np.zeros((len(touching), 1))
        self._walls[wall, 0] = forms.wall_values[wall]
        self._is_fixed = np.ones(len(forms.screening.x.array), dtype=bool)
        self._is_fixed[films] = False
        self._fixed: Floats | None = None
        self._inner_part: Elimination | None = None
        self._half: Floats = np.zeros((0, 1))

    # ---- setting up ------------------------------------------------------------------------------
    def _count(self, cells: Ints) -> Floats:
        """Number of ranks on which one of the cells has an unknown, of each local one (collective)."""
        vector = dolfinx.la.vector(self._map, dtype=np.float64)
        vector.array[:] = 0.0
        vector.array[np.unique(self._dofs[cells])] = 1.0
        vector.scatter_reverse(dolfinx.la.InsertMode.add)
        vector.scatter_forward()
        return np.array(vector.array)

    def _places(self) -> Floats:
        """Mean of the middles of the cells that have each unknown: in a plane of a mesh of bricks all have one."""
        mesh, times = self.forms.tagged.mesh, self._dofs.shape[1]
        middles = dolfinx.mesh.compute_midpoints(mesh, 3, np.arange(len(self._dofs), dtype=np.int32))
        flat, n = self._dofs.ravel(), self._map.size_local + self._map.num_ghosts
        sums = [np.bincount(flat, np.repeat(middles[:, axis], times), minlength=n) for axis in range(3)]
        return np.asarray(np.column_stack(sums) / np.maximum(np.bincount(flat, minlength=n), 1)[:, None])

    def _take_inner(self, pattern: scipy.sparse.csr_matrix, free: Ints, left: Bools, places: Floats) -> None:
        """Order what this rank eliminates."""
        own = _part(pattern, free)
        self._own_entries = own.data
        self._dissection = Dissection(own, np.flatnonzero(~left[free]).astype(np.int32), places[free])
        self._free, self._inner = free, free[self._dissection.inner]

    def _share(self, pattern: scipy.sparse.csr_matrix, of_films: Bools, places: Floats) -> Share:
        """What this rank leaves to the one that solves."""
        left = _part(pattern, self._left)
        self._left_entries = left.data
        self._outer: Ints = np.searchsorted(self._left, self._free[self._dissection.outer]).astype(np.int32)
        rows = np.repeat(np.arange(len(self._left), dtype=np.int32), np.diff(left.indptr))
        numbers = self._map.local_to_global(self._left).astype(np.int64)
        return Share(numbers, of_films[self._left], self._outer, places[self._left], rows, left.indices)

    # ---- from rank to rank -----------------------------------------------------------------------
    def _on_root(self, work: Callable[[FilmSystem, list[Any]], list[Any] | None], mine: Any) -> Any:
        """Give what is mine to the rank that solves; what its work gives back to me (collective).

        Raises:
            StepFailure: the matrix is not positive definite.
        """
        given, failed = self.forms.comm.gather(mine, root=ROOT), False
        back: list[Any] | None = None
        if self._system is not None and given is not None:
            try:
                back = work(self._system, given)
            except ArithmeticError:
                failed = True
        self._agree(failed)
        return self.forms.comm.scatter([None] * self.forms.comm.size if back is None else back, root=ROOT)

    def _agree(self, failed: bool) -> None:
        if self.forms.comm.allreduce(int(failed), op=MPI.MAX):
            raise StepFailure("field: the factorisation failed, the matrix is not positive definite")

    # ---- states ----------------------------------------------------------------------------------
    def solve(self, screening: Floats) -> Floats:
        """Unknowns of A of the unit drive, (n_local,), for a screening that has been checked (collective).

        Raises:
            StepFailure: the factorisation failed, or the solution is not finite.
        """
        forms = self.forms
        forms.fill_cells(screening, 1.0, forms.gauge_mass)
        fixed = screening[self._is_fixed]
        same = self._fixed is not None and np.array_equal(fixed, self._fixed)
        if not self.forms.comm.allreduce(int(same), op=MPI.MIN):
            self._fixed = None
            self._eliminate()
            self._fixed = fixed
        start = time.perf_counter()
        values, lifted = self._assembled([forms.of_films.screening])
        self.timings["assemble"] += time.perf_counter() - start
        start = time.perf_counter()

        def factor(system: FilmSystem, given: list[Any]) -> None:
            system.factor(given)

        self._on_root(factor, values[self._left_entries])
        self.timings["factor"] += time.perf_counter() - start
        start = time.perf_counter()

        def unit(system: FilmSystem, given: list[Any]) -> list[Any]:
            return _shared_out(system, system.solve_unit(_gathered(system, given)))

        left = self._on_root(unit, lifted[self._left])
        assert self._inner_part is not None
        potential: Floats = self._walls.copy()
        potential[self._left] = left
        potential[self._inner] = self._inner_part.expand(left[self._outer], self._half)
        potential = self._spread(potential)
        self.timings["solve"] += time.perf_counter() - start
        return potential[:, 0]

    def fronts_of(self, unknowns: Ints) -> list[int]:
        """What this rank must solve for, so that all ranks know the local unknowns that they want (collective)."""
        wanted = dolfinx.la.vector(self._map, dtype=np.float64)
        wanted.array[:] = 0.0
        wanted.array[unknowns] = 1.0
        wanted.scatter_reverse(dolfinx.la.InsertMode.add)
        return self._dissection.reached(wanted.array[self._free] > 0.0)

    def respond(self, rights: Floats, fronts: Sequence[int]) -> Floats:
        """Unknowns for right-hand sides on films, with the state factored last and A = 0 on the walls (collective).

        Args:
            rights: what this rank has of them, (n_local, k), as many on all ranks.
            fronts: `fronts_of` the unknowns that are wanted.

        Returns:
            (n_local, k); others than those wanted and those of films may be wrong.

        Raises:
            StepFailure: a solution is not finite.
        """
        start = time.perf_counter()

        def answer(system: FilmSystem, given: list[Any]) -> list[Any]:
            return _shared_out(system, system.solve(_gathered(system, given)))

        left = self._on_root(answer, rights[self._left])
        assert self._inner_part is not None
        out = np.zeros_like(rights)
        out[self._left] = left
        out[self._inner] = self._inner_part.expand(left[self._outer], only=fronts)
        out = self._spread(out)
        self.timings["solve"] += time.perf_counter() - start
        return out

    def _assembled(self, forms: Sequence[dolfinx.fem.Form]) -> tuple[Floats, Floats]:
        """Entries of the matrix, and how the walls act on the right-hand side, (n_local, 1)."""
        matrix = compat.assemble_locally(self._matrix, forms)
        return np.asarray(matrix.data), -(matrix @ padded(self._walls, matrix.shape[1]))

    def _eliminate(self) -> None:
        """Eliminate all that is this rank's alone, with the forms' functions filled (collective)."""
        start = time.perf_counter()
        forms = self.forms
        values, lifted = self._assembled(forms.of_films.fixed)
        right = lifted + dolfinx.fem.assemble_vector(forms.load).array[:, None]
        failed = False
        update: Floats = np.zeros((0, 0))
        added: Floats = np.zeros((0, 1))
        try:
            self._inner_part = Elimination(self._dissection, values[self._own_entries])
            update = self._inner_part.update
            added, self._half = self._inner_part.condense(right[self._free])
        except ArithmeticError:
            failed = True
        self._agree(failed)
        right = right[self._left]
        right[self._outer] += added

        def prepare(system: FilmSystem, given: list[Any]) -> None:
            system.prepare(
                [part[0] for part in given], [part[1] for part in given], _gathered(system, [part[2] for part in given])
            )

        self._on_root(prepare, (values[self._left_entries], update, right))
        self.eliminations += 1
        self.timings["eliminate"] += time.perf_counter() - start

    def _spread(self, values: Floats) -> Floats:
        """The same with the values of ghosts from their owners, (n_local, k) (collective).

        Raises:
            StepFailure: a value is not finite.
        """
        vector = dolfinx.la.vector(self._map, dtype=np.float64)
        for k in range(values.shape[1] if self.forms.comm.size > 1 else 0):
            vector.array[:] = values[:, k]
            vector.scatter_forward()
            values[:, k] = vector.array
        if self.forms.comm.allreduce(int(not np.isfinite(values).all()), op=MPI.MAX):
            raise StepFailure("field: the solution is not finite")
        return values


def padded(values: Floats, n: int) -> Floats:
    """Values with rows of zeros behind them, (n, k)."""
    return np.pad(values, ((0, n - len(values)), (0, 0)))


def _part(pattern: scipy.sparse.csr_matrix, chosen: Ints) -> scipy.sparse.csr_matrix:
    """Part of a pattern with the chosen rows and columns; its values are the places in that of the whole."""
    numbers = np.arange(1, pattern.nnz + 1)
    out = scipy.sparse.csr_matrix((numbers, pattern.indices, pattern.indptr), pattern.shape)[chosen][:, chosen]
    out.sort_indices()
    out.data -= 1
    return out


def _gathered(system: FilmSystem, parts: Sequence[Floats]) -> Floats:
    """Sum of what the ranks have of vectors, (n, k)."""
    out = np.zeros((system.n, parts[0].shape[1]))
    for where, part in zip(system.maps, parts, strict=True):
        out[where] += part
    return out


def _shared_out(system: FilmSystem, values: Floats) -> list[Any]:
    """What each rank needs of vectors, (n, k)."""
    return [values[where] for where in system.maps]
