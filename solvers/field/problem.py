"""The magnetic field of superconductors in vacuum: the London equation in the vector potential, on any tagged mesh.

curl curl A + screening (A + Phi grad chi) = mu0 J, screening = (1 - f) / lambda^2 in superconductors and a small mass
elsewhere, which only fixes the gauge. While f and lambda stand still the problem is linear in the drive: it is solved
for a unit drive and scaled.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import cached_property

import dolfinx.fem
import dolfinx.fem.petsc
import numpy as np
from mpi4py import MPI
from petsc4py import PETSc

from meshes import compat
from meshes.arrays import Floats, Ints
from meshes.tagged import TaggedMesh
from solvers.errors import StepFailure
from solvers.field.checks import LiftedPiece, check_input
from solvers.field.condensed import CondensedField
from solvers.field.drives import AppliedField, Drive, Imposed, TransportCurrent
from solvers.field.evaluation import Evaluation
from solvers.field.factorisation import Factorisation
from solvers.field.forms import FieldForms
from solvers.field.solution import FieldSolution

__all__ = ["AppliedField", "Drive", "FieldProblem", "FieldSolution", "Imposed", "TransportCurrent"]


class FieldProblem:
    """Field of a unit drive, for any screening in the superconductors.

    Args:
        tagged: the mesh.
        superconductors: names of the cell groups where the screening may differ from zero (for eddy currents also
            the groups that conduct).
        drive: what makes the field. Unit drive: a phase difference of 1 V s, an applied field of 1 T, or exactly what
            is `Imposed`.
        walls: facet groups with prescribed tangential A: zero for a current (walls carry the return current), that of
            the applied field or the imposed one otherwise. All other boundary facets are natural (tangential H = 0
            unless imposed), as on the symmetry plane y = 0.
        degree: polynomial degree of the Nedelec space. On hexahedra that are no parallelepipeds the first does not
            hold even a uniform field: with corners moved at random by up to 25 % of the cells' size, B in single cells
            is off by up to 9 % and by 1.5 % in the mean square (10 %: 1 and 0.2 %) however fine the mesh, while volume
            means are right; the second is exact there.
        films: those of the superconductors whose screening changes from solution to solution while all else stays:
            the rest is eliminated once.

    Attributes:
        forms: what is assembled and evaluated; for the modules of this package.
        space: of the unknowns of A.
        unknowns: how many, on all ranks together.
        solves, factorisations: how often a matrix was used and factored, the whole one or that of the films.
        timings: seconds spent to "assemble", "eliminate", "factor" and "solve".

    Raises:
        ValueError: cells other than hexahedra and tetrahedra; first order on tetrahedra, which does not converge on
            flat layers; a group without cells or facets, or a text for a list of groups; H imposed on a wall or on
            facets inside the mesh; cells in no group; an applied field without walls; a current through what is no
            superconductor, or through a piece that does not end on two planes normal to it.
        KeyError: a cell or facet group that the mesh has not.
    """

    def __init__(
        self,
        tagged: TaggedMesh,
        superconductors: Sequence[str],
        drive: Drive,
        walls: Sequence[str],
        degree: int = 1,
        films: Sequence[str] = (),
    ) -> None:
        check_input(tagged, superconductors, drive, walls, degree, films)
        self._piece: LiftedPiece | None = None
        if isinstance(drive, TransportCurrent):
            self._piece = LiftedPiece(tagged, superconductors, walls, drive)
        self.tagged, self.drive = tagged, drive
        self.comm: MPI.Intracomm = tagged.mesh.comm
        self._superconductors = frozenset(superconductors)
        self.forms = FieldForms(tagged, superconductors, drive, walls, degree, films)
        self._evaluation = Evaluation(self.forms)
        self.space = self.forms.space
        index_map = self.space.dofmap.index_map
        self.unknowns: int = index_map.size_global * self.space.dofmap.index_map_bs
        cell_map = tagged.mesh.topology.index_map(3)
        self.n_cells: int = cell_map.size_local + cell_map.num_ghosts
        self.solves = self.factorisations = 0
        self.timings = {"assemble": 0.0, "eliminate": 0.0, "factor": 0.0, "solve": 0.0}
        self._whole: _Whole | None = None

    @cached_property
    def condensed(self) -> CondensedField | None:
        """What solves for state after state of the films; None without films (collective when first asked for)."""
        return CondensedField(self.forms, self.timings) if self.forms.films else None

    @property
    def eliminations(self) -> int:
        """How often all but the films was eliminated."""
        found = self.__dict__.get("condensed")
        return found.eliminations if found is not None else 0

    def screening_of(self, depths: Mapping[str, float]) -> Floats:
        """Screening 1/lambda^2 (1/m^2) of every local cell, (n_cells,), from penetration depths (m) of cell groups.

        Raises:
            ValueError: a group that is none of the `superconductors`; a depth that is not positive.
        """
        others = set(depths) - self._superconductors
        if others:
            raise ValueError(f"not among the superconductors of this problem: {', '.join(sorted(others))}")
        out = np.zeros(self.n_cells)
        for name, depth in depths.items():
            if not depth > 0.0:
                raise ValueError(f"{name}: a penetration depth must be positive, got {depth} m")
            out[self.tagged.cells(name)] = 1.0 / depth**2
        return out

    def solve(self, screening: Floats) -> FieldSolution:
        """Solve for a unit drive (collective).

        Args:
            screening: (1 - f) / lambda^2 in 1/m^2 for every local cell (owned and ghost), (n_cells,); where it is less
                than the mass that fixes the gauge, that mass is used.

        Returns:
            The field of the unit drive.

        Raises:
            ValueError: the screening has another shape or is negative somewhere; that of a current's piece is zero
                everywhere, or another superconductor touches its sides.
            StepFailure: the screening or the solution is not finite, or the factorisation failed.
        """
        if self.condensed is None:
            self.factor(screening)
            return self.solution(self.back_substitute(self.right), 1.0, screening)
        self._check(screening)
        potential = self.condensed.solve(screening)
        self.factorisations += 1
        self.solves += 1
        return self.solution(potential, 1.0, screening)

    def solution(
        self, potential: Floats, phase: float, screening: Floats, gauge_mass: float | None = None
    ) -> FieldSolution:
        """A solution from its unknowns: one that is known already, or combined from others.

        Args:
            potential: unknowns of A, (n_local,).
            phase: phase difference of a transport current, V s.
            screening: 1/m^2, (n_cells,).
            gauge_mass: least screening, 1/m^2; None: the usual one.
        """
        mass = self.forms.gauge_mass if gauge_mass is None else gauge_mass
        return FieldSolution(self._evaluation, potential, phase, screening, mass)

    def _check(self, screening: Floats) -> None:
        wrong = screening.shape != (self.n_cells,)
        fault = 3 if wrong else 2 if not np.isfinite(screening).all() else 1 if (screening < 0.0).any() else 0
        carries = beside = 0
        if self._piece is not None and not wrong:
            mass = self.forms.gauge_mass
            carries, beside = (int((screening[c] > mass).any()) for c in (self._piece.cells, self._piece.beside))
        found = np.array([fault, carries, beside], dtype=np.int64)
        self.comm.Allreduce(MPI.IN_PLACE, found, op=MPI.MAX)
        fault, carries, beside = (int(value) for value in found)
        if fault == 2:
            raise StepFailure("field: the screening is not finite")
        if fault:
            raise ValueError(
                "the screening must have a value for every local cell" if fault == 3 else "the screening is negative"
            )
        if isinstance(self.drive, TransportCurrent):
            name = ", ".join(self.drive.groups)
            if not carries:
                raise ValueError(f"a current through {name}, which has no screening: it is no superconductor")
            if beside:
                raise ValueError(
                    f"another superconductor touches {name} on its sides, but has not the phase of the current: put "
                    "a barrier between them, or let the phase fall in a piece away from it"
                )

    def factor(self, screening: Floats, gauge_mass: float | None = None, more: Sequence[dolfinx.fem.Form] = ()) -> None:
        """Assemble and factor the matrix, and `right`, the right-hand side of the unit drive (collective).

        Args:
            screening: see `solve`.
            gauge_mass: see `solution`.
            more: bilinear forms to be added.

        Raises:
            ValueError, StepFailure: see `solve`.
        """
        t0 = time.perf_counter()
        self._check(screening)
        forms = self.forms
        forms.fill_cells(screening, 1.0, forms.gauge_mass if gauge_mass is None else gauge_mass)
        if self._whole is None:
            self._whole = _Whole(forms)
        self._whole.assemble(forms, more)
        right = dolfinx.fem.petsc.assemble_vector(forms.load)
        for form in (*forms.lifted, *more) if forms.lifted else ():
            dolfinx.fem.petsc.apply_lifting(right, [form], bcs=[forms.bcs])
        right.ghostUpdate(PETSc.InsertMode.ADD_VALUES, PETSc.ScatterMode.REVERSE)
        dolfinx.fem.petsc.set_bc(right, forms.bcs)
        right.copy(self._whole.right)
        right.destroy()
        t1 = time.perf_counter()
        self._whole.factorisation.factor()
        self.factorisations += 1
        self.timings["assemble"] += t1 - t0
        self.timings["factor"] += time.perf_counter() - t1

    def back_substitute(self, right: PETSc.Vec) -> Floats:
        """Unknowns of A, (n_local,), for any right-hand side with the matrix factored last (collective).

        Raises:
            StepFailure: the solution failed, or is not finite.
        """
        t0 = time.perf_counter()
        whole = self._factored
        whole.factorisation.solve(right, whole.answer)
        owned = whole.answer.array_r
        out = self.forms.potential
        out.x.array[: len(owned)] = owned
        out.x.scatter_forward()
        self.solves += 1
        self.timings["solve"] += time.perf_counter() - t0
        return np.array(out.x.array)

    def respond(self, rights: Floats, fronts: Sequence[int]) -> Floats:
        """The answers to right-hand sides on films, with the state of the films that was solved last (collective).

        Args:
            rights: what this rank has of them, (n_local, k), as many on all ranks.
            fronts: `CondensedField.fronts_of` the unknowns that are wanted.

        Returns:
            Unknowns of A, (n_local, k), zero on walls; those that are not wanted may be wrong.

        Raises:
            StepFailure: an answer is not finite.
        """
        assert self.condensed is not None
        self.solves += rights.shape[1]
        return self.condensed.respond(rights, fronts)

    def flux_densities(self, potentials: Floats, cells: Ints) -> Floats:
        """B in tesla at midpoints of local cells for many A, (n, n_cells, 3), from their unknowns, (n_local, n)."""
        return np.asarray(self._evaluation.fluxes(potentials, cells) / self.forms.unit**2)

    def volume(self, *groups: str) -> float:
        """Volume of cell groups in m^3 (collective).

        Raises:
            KeyError: a group that the mesh has not.
        """
        return self._evaluation.volume(self.tagged.cells(*groups)) * self.forms.unit**3

    @property
    def _factored(self) -> _Whole:
        assert self._whole is not None, "there is no factored matrix"
        return self._whole

    @property
    def right(self) -> PETSc.Vec:
        """Right-hand side of the unit drive, with the matrix factored last."""
        return self._factored.right

    def destroy(self) -> None:
        """Free the PETSc objects and the fronts of what was eliminated; solutions stay valid."""
        self.condensed = None
        if self._whole is not None:
            self._whole.destroy()


class _Whole:
    """The whole matrix of a field problem and its factors."""

    def __init__(self, forms: FieldForms) -> None:
        self._base = dolfinx.fem.petsc.assemble_matrix(forms.bilinear[0], bcs=forms.bcs)
        self._base.assemble()
        self._matrix = self._base.duplicate(copy=True)
        self.answer, self.right = self._matrix.createVecRight(), self._matrix.createVecLeft()
        self.factorisation = Factorisation(self._matrix, "field_")

    def assemble(self, forms: FieldForms, more: Sequence[dolfinx.fem.Form]) -> None:
        """Assemble with the forms' functions as they are, and with more forms (collective)."""
        self._base.copy(self._matrix, structure=PETSc.Mat.Structure.SAME_NONZERO_PATTERN)
        for form in (*forms.bilinear[1:], *more):
            compat.add_to_matrix(self._matrix, form, forms.bcs)
            self._matrix.assemble()  # PETSc passes over, in silence, what is added after the inserted diagonal

    def destroy(self) -> None:
        """Free the PETSc objects."""
        self.factorisation.destroy()
        for item in (self._matrix, self._base, self.answer, self.right):
            item.destroy()
