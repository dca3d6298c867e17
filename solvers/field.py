"""The magnetic field of superconductors in vacuum: the London equation in the vector potential, on any tagged mesh.

curl curl A + screening (A + Phi grad chi) = 0, screening = (1 - f) / lambda^2 in superconductors and a small floor
elsewhere, which only fixes the gauge. While f and lambda stand still the problem is linear in the drive: it is solved
for a unit drive and scaled.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import dolfinx.fem
import dolfinx.fem.petsc
import numpy as np
import numpy.typing as npt
import ufl
from mpi4py import MPI
from petsc4py import PETSc

from fem import compat
from fem.constants import MU0
from meshes.tagged import TaggedMesh

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int32]

# Larger floors disturb the current (linearly), smaller ones break the factorisation down where cells are 2 nm thick.
FLOOR = 1e-4


@dataclass(frozen=True)
class TransportCurrent:
    """A current through a superconductor between two ends, by a phase gradient along a straight direction.

    Attributes:
        groups: cell groups of the conductor.
        direction: unit vector of the current.
        length: distance between the two ends in metres.
    """

    groups: Sequence[str]
    length: float
    direction: tuple[float, float, float] = (1.0, 0.0, 0.0)


@dataclass(frozen=True)
class AppliedField:
    """A uniform applied field: tangential A on the walls is that of the field without the stack.

    Attributes:
        direction: unit vector of the field.
    """

    direction: tuple[float, float, float]

    def potential(self, x: Floats) -> Floats:
        """A per tesla, (3, n), at points x (3, n) in metres.

        In this gauge a field along y has A along x alone: normal to the plane x = 0 and even about y = 0, as the
        quarter model needs.
        """
        bx, by, bz = self.direction
        return np.vstack([by * x[2], bz * x[0], bx * x[1]])


Drive = TransportCurrent | AppliedField


class FieldProblem:
    """Field of a unit drive, for any screening in the superconductors.

    Args:
        tagged: the mesh.
        superconductors: names of the cell groups where the screening may differ from zero.
        drive: what makes the field. Unit drive: a phase difference of 1 V s, or an applied field of 1 T.
        walls: facet groups with prescribed tangential A: zero for a current (walls carry the return current), that of
            the applied field otherwise. All other boundary facets are natural (tangential H = 0), as on the symmetry
            plane y = 0.
        degree: polynomial degree of the Nedelec space.

    Raises:
        ValueError: first order on tetrahedra, which does not converge on flat layers.
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
        self.tagged, self.drive = tagged, drive
        self.comm: MPI.Intracomm = mesh.comm
        self.unit = tagged.length_unit
        self.space = dolfinx.fem.functionspace(mesh, ("N1curl", degree))
        self.potential = dolfinx.fem.Function(self.space, name="A")
        constants = dolfinx.fem.functionspace(mesh, ("DG", 0))
        self.screening = dolfinx.fem.Function(constants)
        index_map = self.space.dofmap.index_map
        self.unknowns: int = index_map.size_global * self.space.dofmap.index_map_bs
        self.solves = 0
        self.timings = {"assemble": 0.0, "factor": 0.0, "solve": 0.0}

        low, high = mesh.geometry.x.min(axis=0, initial=np.inf), mesh.geometry.x.max(axis=0, initial=-np.inf)
        self.comm.Allreduce(MPI.IN_PLACE, low, op=MPI.MIN)
        self.comm.Allreduce(MPI.IN_PLACE, high, op=MPI.MAX)
        self._floor = FLOOR / float((high - low).max()) ** 2
        self._bcs = [self._wall_condition(walls)]
        self._build_forms(superconductors)
        self._ksp = self._direct_solver()

    # ---- set-up ----------------------------------------------------------------------------------
    def _wall_condition(self, walls: Sequence[str]) -> dolfinx.fem.DirichletBC:
        mesh = self.tagged.mesh
        mesh.topology.create_connectivity(2, 3)
        dofs = dolfinx.fem.locate_dofs_topological(self.space, 2, self.tagged.facets(*walls))
        value = dolfinx.fem.Function(self.space)
        if isinstance(self.drive, AppliedField):
            drive, unit = self.drive, self.unit
            # Edge values are fluxes per length: in mesh coordinates A is multiplied by the length unit.
            value.interpolate(lambda x: unit * drive.potential(x * unit))
        return dolfinx.fem.dirichletbc(value, dofs)

    def _build_forms(self, superconductors: Sequence[str]) -> None:
        mesh, tags = self.tagged.mesh, self.tagged.cell_tags
        a, v = ufl.TrialFunction(self.space), ufl.TestFunction(self.space)
        names = self.tagged.cell_names
        inside = tuple(names[name] for name in superconductors)
        outside = tuple(number for number in names.values() if number not in inside)
        dx = ufl.Measure("dx", domain=mesh, subdomain_data=tags)
        base = ufl.inner(ufl.curl(a), ufl.curl(v)) * dx
        if outside:
            base += self._floor * ufl.inner(a, v) * dx(outside)
        self._bilinear = [dolfinx.fem.form(base)]
        if inside:
            self._bilinear.append(dolfinx.fem.form(self.screening * ufl.inner(a, v) * dx(inside)))
        # Walls at A = 0 leave the right-hand side alone.
        self._lifted = self._bilinear if isinstance(self.drive, AppliedField) else []
        self._base = dolfinx.fem.petsc.assemble_matrix(self._bilinear[0], bcs=self._bcs)
        self._base.assemble()
        self._matrix = self._base.duplicate(copy=True)
        lift = np.zeros(3)
        conductor: tuple[int, ...] = ()
        if isinstance(self.drive, TransportCurrent):
            lift = np.asarray(self.drive.direction) * self.unit / self.drive.length
            conductor = tuple(names[name] for name in self.drive.groups)
        self._conductor = conductor
        grad_chi = dolfinx.fem.Constant(mesh, lift)
        self.grad_chi = lift
        load = ufl.inner(dolfinx.fem.Constant(mesh, np.zeros(3)), v) * dx
        if conductor:
            load = -self.screening * ufl.inner(grad_chi, v) * dx(conductor)
        self._load = dolfinx.fem.form(load)
        p = self.potential
        energy = ufl.inner(ufl.curl(p), ufl.curl(p)) * dx
        if inside:
            rest = tuple(number for number in inside if number not in conductor)
            if rest:
                energy += self.screening * ufl.inner(p, p) * dx(rest)
            if conductor:
                energy += self.screening * ufl.inner(p + grad_chi, p + grad_chi) * dx(conductor)
        self._energy = dolfinx.fem.form(energy)
        midpoint = compat.cell_midpoint(mesh)
        self._value = dolfinx.fem.Expression(p, midpoint)
        self._curl = dolfinx.fem.Expression(ufl.curl(p), midpoint)

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
        self._right = self._matrix.createVecRight()
        return ksp

    # ---- solve -----------------------------------------------------------------------------------
    def solve(self, screening: Floats) -> None:
        """Solve for a unit drive into `potential` (collective).

        Args:
            screening: (1 - f) / lambda^2 in 1/m^2 for every local cell (owned and ghost); where it is less than the
                floor that fixes the gauge, the floor is used.

        Raises:
            RuntimeError: the factorisation failed.
        """
        t0 = time.perf_counter()
        self.screening.x.array[:] = np.maximum(screening * self.unit**2, self._floor)
        self._base.copy(self._matrix, structure=PETSc.Mat.Structure.SAME_NONZERO_PATTERN)
        for form in self._bilinear[1:]:
            compat.add_to_matrix(self._matrix, form, self._bcs)
        self._matrix.assemble()
        right = dolfinx.fem.petsc.assemble_vector(self._load)
        for form in self._lifted:
            dolfinx.fem.petsc.apply_lifting(right, [form], bcs=[self._bcs])
        right.ghostUpdate(PETSc.InsertMode.ADD_VALUES, PETSc.ScatterMode.REVERSE)
        dolfinx.fem.petsc.set_bc(right, self._bcs)
        t1 = time.perf_counter()
        self._ksp.setOperators(self._matrix)
        self._ksp.setUp()
        t2 = time.perf_counter()
        solution = self._right
        self._ksp.solve(right, solution)
        if self._ksp.getConvergedReason() < 0:
            raise RuntimeError(f"field: MUMPS failed (PETSc reason {self._ksp.getConvergedReason()})")
        n = len(solution.array_r)
        self.potential.x.array[:n] = solution.array_r
        self.potential.x.scatter_forward()
        right.destroy()
        t3 = time.perf_counter()
        self.solves += 1
        for name, seconds in (("assemble", t1 - t0), ("factor", t2 - t1), ("solve", t3 - t2)):
            self.timings[name] += seconds

    # ---- results ---------------------------------------------------------------------------------
    def unit_energy(self) -> float:
        """Magnetic plus kinetic energy of the unit solution in joules (collective)."""
        local = dolfinx.fem.assemble_scalar(self._energy)
        return float(self.comm.allreduce(local)) / (2 * MU0 * self.unit)

    def unit_current(self) -> float:
        """Current of the unit solution in amperes: twice the energy over the phase difference of 1 V s (collective)."""
        return 2.0 * self.unit_energy()

    def per_drive(self, share: float = 1.0) -> float:
        """Unit solutions per ampere of the whole device, or per A/m of the applied field (collective).

        Args:
            share: part of the device's current that flows in this mesh.
        """
        return share / self.unit_current() if self._conductor else MU0

    def flux_density(self, cells: Ints) -> Floats:
        """B of the unit solution in tesla at the midpoints of local cells, (n_cells, 3)."""
        return self._at_midpoints(self._curl, cells) / self.unit**2

    def current_density(self, cells: Ints) -> Floats:
        """Supercurrent density of the unit solution in A/m^2 at the midpoints of local cells, (n_cells, 3)."""
        total = self._at_midpoints(self._value, cells)
        if self._conductor:
            driven = np.isin(self.tagged.cell_tags.values, self._conductor)
            total[np.isin(cells, self.tagged.cell_tags.indices[driven])] += self.grad_chi
        screening = self.screening.x.array[cells]
        screening = np.where(screening > self._floor, screening, 0.0)
        return -total * screening[:, None] / (MU0 * self.unit**3)

    def _at_midpoints(self, expression: dolfinx.fem.Expression, cells: Ints) -> Floats:
        return np.asarray(expression.eval(self.tagged.mesh, cells)).reshape(len(cells), 3)

    def destroy(self) -> None:
        """Free the PETSc objects."""
        for item in (self._ksp, self._matrix, self._base, self._right):
            item.destroy()

