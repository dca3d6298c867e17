"""The London equation in the vector potential as compiled forms, over functions that are filled for each use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import dolfinx.fem
import dolfinx.mesh
import numpy as np
import ufl
from mpi4py import MPI

from fem.constants import MU0
from meshes.arrays import Floats, Ints
from meshes.tagged import TaggedMesh
from solvers.field.drives import Drive, Imposed, TransportCurrent, evaluate

# Larger masses disturb the current (linearly), smaller ones break the factorisation down where cells are 2 nm thick.
GAUGE_MASS = 1e-4


@dataclass(frozen=True)
class FilmForms:
    """Forms of the matrix with the screening of films apart.

    Attributes:
        fixed: what stays from solution to solution.
        screening: the screening of the films.
        measure: over the films.
    """

    fixed: Sequence[dolfinx.fem.Form]
    screening: dolfinx.fem.Form
    measure: ufl.Measure


class FieldForms:
    """Forms of a field problem, and the functions that they are made of; private to `solvers.field`.

    In mesh coordinates: lengths are over the length unit, A is multiplied by it (edge values are fluxes per length) and
    the screening by its square. Whoever assembles or evaluates fills the functions first.

    Args:
        tagged: the mesh.
        superconductors: cell groups whose screening may differ from zero.
        drive: what makes the field.
        walls: facet groups with prescribed tangential A.
        degree: of the Nedelec space.
        films: those of the superconductors whose screening changes from solution to solution while the rest stays.

    Attributes:
        potential: A.
        screening: (1 - f) / lambda^2 per cell, at least the mass that fixes the gauge.
        carrying: the same where there is supercurrent, zero elsewhere.
        phase_gradient: gradient of the phase per cell in the lifted piece of a conductor.
        gauge_mass: least screening, 1/m^2.
        everywhere, screened, outside: measures over all cells, those whose screening may differ from zero, and the
            others (None if there are none).
        bilinear: forms of the matrix: what never changes, and the screening.
        of_films: the same with the screening of films apart; without films it is not there.
        load: right-hand side of the unit drive.
        energy: twice the energy, times mu0.

    Raises:
        ValueError: H imposed on a wall or on facets inside the mesh; cells in no group.
        KeyError: a cell or facet group that the mesh has not.
    """

    def __init__(
        self,
        tagged: TaggedMesh,
        superconductors: Sequence[str],
        drive: Drive,
        walls: Sequence[str],
        degree: int,
        films: Sequence[str] = (),
    ) -> None:
        mesh = tagged.mesh
        self.films = tuple(films)
        self.tagged, self.drive, self.degree, self.walls = tagged, drive, degree, tuple(walls)
        self.space = dolfinx.fem.functionspace(mesh, ("N1curl", degree))
        self.potential = dolfinx.fem.Function(self.space, name="A")
        self.screening, self.carrying = (
            dolfinx.fem.Function(dolfinx.fem.functionspace(mesh, ("DG", 0))) for _ in range(2)
        )
        self.phase_gradient = dolfinx.fem.Function(dolfinx.fem.functionspace(mesh, ("DG", 0, (3,))))
        self.gauge_mass = GAUGE_MASS / (self._extent() * self.unit) ** 2
        self.bcs = [self._wall_condition()]
        self._build(superconductors)

    @property
    def comm(self) -> MPI.Intracomm:
        """Communicator of the mesh."""
        comm: MPI.Intracomm = self.tagged.mesh.comm
        return comm

    @property
    def unit(self) -> float:
        """Length unit of the mesh, m."""
        return self.tagged.length_unit

    @property
    def quadrature(self) -> dict[str, int]:
        """Metadata of the measures: degree of the quadrature."""
        # Exact on boxes and on flat tetrahedra; the estimate of UFL is twice that, and far more on curved cells.
        return {"quadrature_degree": 2 * (self.degree + self.tagged.mesh.geometry.cmap.degree - 1)}

    def _extent(self) -> float:
        """Largest extent of the mesh in its own coordinates."""
        x = self.tagged.mesh.geometry.x
        low, high = x.min(axis=0, initial=np.inf), x.max(axis=0, initial=-np.inf)
        self.comm.Allreduce(MPI.IN_PLACE, low, op=MPI.MIN)
        self.comm.Allreduce(MPI.IN_PLACE, high, op=MPI.MAX)
        return float((high - low).max())

    def _wall_condition(self) -> dolfinx.fem.DirichletBC:
        self.tagged.mesh.topology.create_connectivity(2, 3)
        dofs = dolfinx.fem.locate_dofs_topological(self.space, 2, self.tagged.facets(*self.walls))
        value = self._given = dolfinx.fem.Function(self.space)
        if not isinstance(self.drive, TransportCurrent):
            given, unit = self.drive.potential, self.unit
            value.interpolate(lambda x: unit * evaluate(given, x * unit))
        return dolfinx.fem.dirichletbc(value, dofs)

    def _build(self, superconductors: Sequence[str]) -> None:
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
        dx = ufl.Measure("dx", domain=mesh, subdomain_data=tags, metadata=self.quadrature)
        self.everywhere, self.screened, self.outside = dx, dx(inside), dx(outside) if outside else None
        base = ufl.inner(ufl.curl(a), ufl.curl(v)) * dx
        if outside:
            mass = dolfinx.fem.Constant(mesh, np.float64(self.gauge_mass * self.unit**2))
            base += mass * ufl.inner(a, v) * dx(outside)
        self.bilinear = [dolfinx.fem.form(base)]
        load = ufl.inner(dolfinx.fem.Constant(mesh, np.zeros(3)), v) * dx
        p = self.potential
        energy = ufl.inner(ufl.curl(p), ufl.curl(p)) * dx
        if inside:
            london = self.screening * ufl.inner(a, v)
            self.bilinear.append(dolfinx.fem.form(london * dx(inside)))
            if self.films:
                of_films = tuple(names[name] for name in self.films)
                others = tuple(number for number in inside if number not in of_films)
                fixed = [self.bilinear[0], *([dolfinx.fem.form(london * dx(others))] if others else [])]
                self.of_films = FilmForms(fixed, dolfinx.fem.form(london * dx(of_films)), dx(of_films))
            total = p + self.phase_gradient
            energy += self.screening * ufl.inner(total, total) * dx(inside)
            if isinstance(self.drive, TransportCurrent):
                load -= self.screening * ufl.inner(self.phase_gradient, v) * dx(inside)
        if isinstance(self.drive, Imposed):
            load += self._imposed_load(self.drive, v)
        self.load = dolfinx.fem.form(load)
        self.energy = dolfinx.fem.form(energy)

    def _imposed_load(self, drive: Imposed, v: ufl.Argument) -> ufl.Form:
        """Weak form of a given current density and of the tangential field on faces."""
        mesh, tagged, unit = self.tagged.mesh, self.tagged, self.unit
        vectors = dolfinx.fem.functionspace(mesh, ("DG", self.degree, (3,)))
        source = dolfinx.fem.Function(vectors)
        for name, current in drive.current_density.items():
            source.interpolate(
                lambda x, current=current: MU0 * unit**3 * evaluate(current, x * unit), cells0=tagged.cells(name)
            )
        source.x.scatter_forward()
        load = ufl.inner(source, v) * self.everywhere
        ds = ufl.Measure("ds", domain=mesh, subdomain_data=tagged.facet_tags, metadata=self.quadrature)
        exterior = dolfinx.mesh.exterior_facet_indices(mesh.topology)
        owned = mesh.topology.index_map(2).size_local
        for name, given in drive.tangential_field.items():
            facets = tagged.facets(name)
            covered = int(np.isin(facets[facets < owned], exterior).all())
            if name in self.walls or not self.comm.allreduce(covered, op=MPI.MIN):
                raise ValueError(f"H cannot be imposed on {name}: it is a wall of given A or lies inside the mesh")
            flux = dolfinx.fem.Function(vectors)
            flux.interpolate(lambda x, given=given: MU0 * unit**2 * evaluate(given, x * unit))
            load -= ufl.inner(ufl.cross(ufl.FacetNormal(mesh), flux), v) * ds(tagged.facet_names[name])
        return load

    @property
    def lifted(self) -> list[dolfinx.fem.Form]:
        """Forms through which the walls act on the right-hand side; none where A = 0 on them."""
        return [] if isinstance(self.drive, TransportCurrent) else self.bilinear

    @property
    def wall_unknowns(self) -> Ints:
        """Owned unknowns whose values the walls prescribe, (n,)."""
        dofs, owned = self.bcs[0].dof_indices()
        return np.asarray(dofs[:owned], dtype=np.int32)

    @property
    def wall_values(self) -> Floats:
        """What the walls prescribe, at every local unknown, (n_local,); elsewhere it means nothing."""
        return np.array(self._given.x.array)

    def fill_cells(self, screening: Floats, phase: float, gauge_mass: float) -> None:
        """Set what the cells are.

        Args:
            screening: (1 - f) / lambda^2 of every local cell, 1/m^2, (n,).
            phase: phase difference of a transport current, V s.
            gauge_mass: least screening, 1/m^2.
        """
        scale = self.unit**2
        self.screening.x.array[:] = np.maximum(screening, gauge_mass) * scale
        self.carrying.x.array[:] = np.where(screening > gauge_mass, screening, 0.0) * scale
        if isinstance(self.drive, TransportCurrent):
            gradient = -np.asarray(self.drive.direction) * self.unit / self.drive.length
            self.phase_gradient.x.array.reshape(-1, 3)[self.tagged.cells(*self.drive.groups)] = phase * gradient
