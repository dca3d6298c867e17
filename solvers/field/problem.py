"""The magnetic field of superconductors in vacuum: the London equation in the vector potential, on any tagged mesh.

curl curl A + screening (A + Phi grad chi) = mu0 J, screening = (1 - f) / lambda^2 in superconductors and a small floor
elsewhere, which only fixes the gauge. While f and lambda stand still the problem is linear in the drive: it is solved
for a unit drive and scaled.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import dolfinx.fem
import dolfinx.fem.petsc
import dolfinx.mesh
import numpy as np
import numpy.typing as npt
import ufl
from mpi4py import MPI
from petsc4py import PETSc

from fem.constants import MU0
from meshes import compat
from meshes.tagged import TaggedMesh
from solvers.field.drives import AppliedField, Drive, Imposed, TransportCurrent, evaluate
from solvers.field.solution import FieldResults

__all__ = ["AppliedField", "Drive", "FieldProblem", "Imposed", "TransportCurrent"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int32]

# Larger floors disturb the current (linearly), smaller ones break the factorisation down where cells are 2 nm thick.
FLOOR = 1e-4
# Errors of MUMPS that call for more workspace (users' guide, INFOG(1)).
MUMPS_TOO_SMALL = (-8, -9, -14, -15, -17, -20)


class FieldProblem(FieldResults):
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
        degree: polynomial degree of the Nedelec space.

    Attributes:
        potential: unit solution A; its values are in mesh coordinates, so read it through the methods.
        screening: (1 - f) / lambda^2 per cell in mesh coordinates, at least the floor.
        floor: mass term that fixes the gauge, in mesh coordinates.
        everywhere, screened, outside: measures over all cells, those whose screening may differ from zero, and the
            others (None if there are none).
        factorisations: how often the matrix was factored.

    Raises:
        ValueError: first order on tetrahedra, which does not converge on flat layers; H imposed on a wall or on facets
            inside the mesh; cells in no group.
        KeyError: a cell or facet group that the mesh has not.
    """

    def __init__(
        self,
        tagged: TaggedMesh,
        superconductors: Sequence[str],
        drive: Drive,
        walls: Sequence[str],
        degree: int = 1,
    ) -> None:
        mesh = tagged.mesh
        if mesh.topology.cell_name() == "tetrahedron" and degree < 2:
            raise ValueError(
                "first-order Nedelec elements on tetrahedra do not converge on flat layers: use degree 2 or hexahedra"
            )
        self.tagged, self.drive, self.degree = tagged, drive, degree
        self._superconductors = frozenset(superconductors)
        self.comm: MPI.Intracomm = mesh.comm
        self.unit = tagged.length_unit
        self.space = dolfinx.fem.functionspace(mesh, ("N1curl", degree))
        self.potential = dolfinx.fem.Function(self.space, name="A")
        self.screening = dolfinx.fem.Function(dolfinx.fem.functionspace(mesh, ("DG", 0)))
        index_map = self.space.dofmap.index_map
        self.unknowns: int = index_map.size_global * self.space.dofmap.index_map_bs
        self.solves = self.factorisations = 0
        self.timings = {"assemble": 0.0, "factor": 0.0, "solve": 0.0}

        low, high = mesh.geometry.x.min(axis=0, initial=np.inf), mesh.geometry.x.max(axis=0, initial=-np.inf)
        self.comm.Allreduce(MPI.IN_PLACE, low, op=MPI.MIN)
        self.comm.Allreduce(MPI.IN_PLACE, high, op=MPI.MAX)
        self.floor = FLOOR / float((high - low).max()) ** 2
        self._bcs = [self._wall_condition(walls)]
        # Exact on boxes and on flat tetrahedra; the estimate of UFL is twice that, and far more on curved cells.
        curved = mesh.geometry.cmap.degree - 1
        self._quadrature = {"quadrature_degree": 2 * (degree + curved)}
        self._phase_gradient()
        self._build_forms(superconductors, walls)
        self._relaxation = 20  # workspace of MUMPS over its estimate in per cent, its default
        self._solution, self.right = self._matrix.createVecRight(), self._matrix.createVecLeft()
        self._ksp = self._direct_solver()

    # ---- set-up ----------------------------------------------------------------------------------
    def _wall_condition(self, walls: Sequence[str]) -> dolfinx.fem.DirichletBC:
        self.tagged.mesh.topology.create_connectivity(2, 3)
        dofs = dolfinx.fem.locate_dofs_topological(self.space, 2, self.tagged.facets(*walls))
        value = dolfinx.fem.Function(self.space)
        if not isinstance(self.drive, TransportCurrent):
            given, unit = self.drive.potential, self.unit
            # Edge values are fluxes per length: in mesh coordinates A is multiplied by the length unit.
            value.interpolate(lambda x: unit * evaluate(given, x * unit))
        return dolfinx.fem.dirichletbc(value, dofs)

    def _phase_gradient(self) -> None:
        """Phi grad chi per cell: zero outside the conductor of a transport current, whose phase falls along it."""
        self.lift = dolfinx.fem.Function(dolfinx.fem.functionspace(self.tagged.mesh, ("DG", 0, (3,))))
        self.grad_chi: Floats = np.zeros(3)
        if isinstance(self.drive, TransportCurrent):
            self.grad_chi[:] = -np.asarray(self.drive.direction) * self.unit / self.drive.length
        self.set_phase(1.0)

    def set_phase(self, phase: float) -> None:
        """Set the phase difference (V s) that goes with `potential`: 1 for the unit solution of a transport current."""
        if isinstance(self.drive, TransportCurrent):
            self.lift.x.array.reshape(-1, 3)[self.tagged.cells(*self.drive.groups)] = phase * self.grad_chi

    def _build_forms(self, superconductors: Sequence[str], walls: Sequence[str]) -> None:
        mesh, tags = self.tagged.mesh, self.tagged.cell_tags
        a, v = ufl.TrialFunction(self.space), ufl.TestFunction(self.space)
        names = self.tagged.cell_names
        self.tagged.cells(*superconductors)  # raises KeyError for an unknown name
        owned = mesh.topology.index_map(3).size_local
        named = np.isin(tags.values, list(names.values())) & (tags.indices < owned)
        if self.comm.allreduce(owned - int(np.count_nonzero(named))):
            raise ValueError("there are cells in no cell group: the field needs all of them")
        inside = tuple(names[name] for name in superconductors)
        outside = tuple(number for number in names.values() if number not in inside)
        # All integrals of one type share one measure: DOLFINx 0.9 mixes up the data of several.
        dx = ufl.Measure("dx", domain=mesh, subdomain_data=tags, metadata=self._quadrature)
        self.everywhere, self.screened, self.outside = dx, dx(inside), dx(outside) if outside else None
        base = ufl.inner(ufl.curl(a), ufl.curl(v)) * dx
        if outside:
            base += self.floor * ufl.inner(a, v) * dx(outside)
        self._bilinear = [dolfinx.fem.form(base)]
        load = ufl.inner(dolfinx.fem.Constant(mesh, np.zeros(3)), v) * dx
        p = self.potential
        energy = ufl.inner(ufl.curl(p), ufl.curl(p)) * dx
        if inside:
            self._bilinear.append(dolfinx.fem.form(self.screening * ufl.inner(a, v) * dx(inside)))
            total = p + self.lift
            energy += self.screening * ufl.inner(total, total) * dx(inside)
            if isinstance(self.drive, TransportCurrent):
                load -= self.screening * ufl.inner(self.lift, v) * dx(inside)
        if isinstance(self.drive, Imposed):
            load += self._imposed_load(self.drive, v, dx, walls)
        # Walls at A = 0 leave the right-hand side alone.
        self.lifted = [] if isinstance(self.drive, TransportCurrent) else self._bilinear
        self._base = dolfinx.fem.petsc.assemble_matrix(self._bilinear[0], bcs=self._bcs)
        self._base.assemble()
        self._matrix = self._base.duplicate(copy=True)
        self._load = dolfinx.fem.form(load)
        self._energy = dolfinx.fem.form(energy)
        midpoint = compat.cell_midpoint(mesh)
        self._value = dolfinx.fem.Expression(p, midpoint)
        self._curl = dolfinx.fem.Expression(ufl.curl(p), midpoint)

    def _imposed_load(self, drive: Imposed, v: ufl.Argument, dx: ufl.Measure, walls: Sequence[str]) -> ufl.Form:
        """Weak form of a given current density and of the tangential field on faces."""
        mesh, tagged, unit = self.tagged.mesh, self.tagged, self.unit
        vectors = dolfinx.fem.functionspace(mesh, ("DG", self.degree, (3,)))
        source = dolfinx.fem.Function(vectors)
        for name, current in drive.current_density.items():
            source.interpolate(
                lambda x, current=current: MU0 * unit**3 * evaluate(current, x * unit), cells0=tagged.cells(name)
            )
        source.x.scatter_forward()
        load = ufl.inner(source, v) * dx
        ds = ufl.Measure("ds", domain=mesh, subdomain_data=tagged.facet_tags, metadata=self._quadrature)
        exterior = dolfinx.mesh.exterior_facet_indices(mesh.topology)
        owned = mesh.topology.index_map(2).size_local
        for name, given in drive.tangential_field.items():
            facets = tagged.facets(name)
            covered = int(np.isin(facets[facets < owned], exterior).all())
            if name in walls or not self.comm.allreduce(covered, op=MPI.MIN):
                raise ValueError(f"H cannot be imposed on {name}: it is a wall of given A or lies inside the mesh")
            flux = dolfinx.fem.Function(vectors)
            flux.interpolate(lambda x, given=given: MU0 * unit**2 * evaluate(given, x * unit))
            load -= ufl.inner(ufl.cross(ufl.FacetNormal(mesh), flux), v) * ds(tagged.facet_names[name])
        return load

    def _direct_solver(self) -> PETSc.KSP:
        ksp = PETSc.KSP().create(self.comm)
        ksp.setOptionsPrefix("field_")
        ksp.setType("preonly")
        pc = ksp.getPC()
        pc.setType("cholesky")
        pc.setFactorSolverType("mumps")
        self._matrix.setOption(PETSc.Mat.Option.SPD, True)
        ksp.setOperators(self._matrix)
        ksp.setFromOptions()
        pc.setFactorSetUpSolverType()
        pc.getFactorMatrix().setMumpsIcntl(14, self._relaxation)
        return ksp

    # ---- solve -----------------------------------------------------------------------------------
    def screening_of(self, depths: Mapping[str, float]) -> Floats:
        """Screening 1/lambda^2 (1/m^2) of every local cell from the penetration depths (m) of cell groups.

        Raises:
            ValueError: a group that is none of the `superconductors`.
        """
        others = set(depths) - self._superconductors
        if others:
            raise ValueError(f"not among the superconductors of this problem: {', '.join(sorted(others))}")
        out = np.zeros(len(self.screening.x.array))
        for name, depth in depths.items():
            out[self.tagged.cells(name)] = 1.0 / depth**2
        return out

    def solve(self, screening: Floats) -> None:
        """Solve for a unit drive into `potential` (collective).

        Args:
            screening: (1 - f) / lambda^2 in 1/m^2 for every local cell (owned and ghost); where it is less than the
                floor that fixes the gauge, the floor is used.

        Raises:
            RuntimeError: the factorisation failed.
        """
        self.factor(screening)
        self.solve_right(self.right)

    def set_screening(self, screening: Floats, floor: float | None = None) -> None:
        """Set the screening (1/m^2, every local cell) that goes with a known solution, without solving.

        Args:
            screening: (n,).
            floor: least value, in mesh coordinates; None: the one that fixes the gauge.
        """
        self.screening.x.array[:] = np.maximum(screening * self.unit**2, self.floor if floor is None else floor)

    def factor(self, screening: Floats, floor: float | None = None, more: Sequence[dolfinx.fem.Form] = ()) -> None:
        """Assemble and factor the matrix, and `right`, the right-hand side of the unit drive (collective).

        Args:
            screening: see `solve`.
            floor: see `set_screening`.
            more: bilinear forms to be added.

        Raises:
            RuntimeError: the factorisation failed.
        """
        t0 = time.perf_counter()
        self.set_screening(screening, floor)
        self.set_phase(1.0)
        self._base.copy(self._matrix, structure=PETSc.Mat.Structure.SAME_NONZERO_PATTERN)
        for form in (*self._bilinear[1:], *more):
            compat.add_to_matrix(self._matrix, form, self._bcs)
            self._matrix.assemble()  # PETSc passes over, in silence, what is added after the inserted diagonal
        right = dolfinx.fem.petsc.assemble_vector(self._load)
        for form in (*self.lifted, *more) if self.lifted else ():
            dolfinx.fem.petsc.apply_lifting(right, [form], bcs=[self._bcs])
        right.ghostUpdate(PETSc.InsertMode.ADD_VALUES, PETSc.ScatterMode.REVERSE)
        dolfinx.fem.petsc.set_bc(right, self._bcs)
        right.copy(self.right)
        right.destroy()
        t1 = time.perf_counter()
        self._factor_matrix()
        self.factorisations += 1
        self.timings["assemble"] += t1 - t0
        self.timings["factor"] += time.perf_counter() - t1

    def _factor_matrix(self) -> None:
        """Factor; where MUMPS has estimated its workspace too small, give it more from then on.

        Raises:
            RuntimeError: the factorisation failed.
        """
        while True:
            self._ksp.setOperators(self._matrix)
            self._ksp.setUp()
            factor = self._ksp.getPC().getFactorMatrix()
            failure, detail = factor.getMumpsInfog(1), factor.getMumpsInfog(2)
            if failure >= 0:
                return
            hopeless = failure not in MUMPS_TOO_SMALL or self._relaxation > 400
            if not hopeless:
                self._relaxation *= 2
            self._ksp.destroy()
            self._ksp = self._direct_solver()
            if hopeless:
                raise RuntimeError(f"field: MUMPS failed (INFOG(1) = {failure}, INFOG(2) = {detail})")

    def solve_right(self, right: PETSc.Vec) -> None:
        """Solve with the factored matrix for any right-hand side into `potential` (collective).

        Raises:
            RuntimeError: the factorisation failed.
        """
        t0 = time.perf_counter()
        solution = self._solution
        self._ksp.solve(right, solution)
        if self._ksp.getConvergedReason() < 0:
            raise RuntimeError(f"field: MUMPS failed (PETSc reason {self._ksp.getConvergedReason()})")
        n = len(solution.array_r)
        self.potential.x.array[:n] = solution.array_r
        self.potential.x.scatter_forward()
        self.solves += 1
        self.timings["solve"] += time.perf_counter() - t0

    @property
    def wall_unknowns(self) -> Ints:
        """Owned unknowns whose values the walls prescribe."""
        dofs, owned = self._bcs[0].dof_indices()
        return np.asarray(dofs[:owned], dtype=np.int32)

    def destroy(self) -> None:
        """Free the PETSc objects."""
        for item in (self._ksp, self._matrix, self._base, self._solution, self.right):
            item.destroy()
