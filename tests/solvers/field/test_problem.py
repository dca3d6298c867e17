from dataclasses import replace

import dolfinx.mesh
import numpy as np
import pytest
from mpi4py import MPI
from petsc4py import PETSc

from fem.constants import MU0
from solvers.errors import StepFailure
from solvers.field.eddy import EddyProblem, NormalFront
from solvers.field.factorisation import Factorisation
from solvers.field.problem import AppliedField, FieldProblem, Imposed, TransportCurrent
from solvers.verification.field.meshes import brick_mesh

NM = 1e-9
H0 = 1e4


def slab(comm, unit=NM, cells=10, **kind):
    lines = [[0, 20 * NM, 50 * NM], [0, 30 * NM], np.linspace(0, 200 * NM, cells + 1)]
    halves = {"lower": (None, None, (0, 100 * NM)), "upper": (None, None, (100 * NM, 200 * NM))}
    return brick_mesh(comm, lines, halves, unit, **kind)


def parallel(comm, **kind):
    drive = Imposed(tangential_field={"z-": (0.0, H0, 0.0), "z+": (0.0, H0, 0.0)})
    problem = FieldProblem(slab(comm, **kind), ["lower", "upper"], drive, ["x-", "x+"])
    return problem.solve(problem.screening_of({"lower": 50 * NM, "upper": 50 * NM}))


def outputs(solution):
    point = [[11 * NM, 7 * NM, 73 * NM]]
    return {
        "B": solution.flux_density_at(point),
        "J": solution.current_density_at(point),
        "mean": solution.mean_flux_density("lower", "upper"),
        "through": solution.current_moment("upper"),
        "moment": solution.magnetic_moment("lower", "upper"),
        "energy": solution.energy(),
    }


@pytest.mark.mpi
def test_outputs_do_not_depend_on_the_unit_of_the_mesh(comm):
    fine, coarse = (outputs(parallel(comm, unit=unit)) for unit in (NM, 1e-6))
    for name, value in fine.items():
        assert coarse[name] == pytest.approx(value, rel=1e-9, abs=1e-9 * float(np.abs(value).max())), name


@pytest.mark.mpi
def test_outputs_fit_together(comm):
    area, d = 50 * NM * 30 * NM, 200 * NM
    found = outputs(parallel(comm, cells=64))
    mean, through, moment = found["mean"][1] / MU0, found["through"][0], found["moment"][1]
    # Ampere: the sheet current of the upper half is the step of H from the middle to the face.
    assert through == pytest.approx(-(H0 - H0 / np.cosh(2)) * area, rel=1e-3)
    # The currents along the faces make one half of the moment, those across the far ends would make the other.
    assert moment == pytest.approx(-(H0 - mean) * area * d / 2, rel=1e-3)
    # Work of the field at the faces: half of H0 times the flux, per area.
    assert found["energy"] == pytest.approx(MU0 * H0 * mean * area * d / 2, rel=1e-3)


@pytest.mark.mpi
def test_transport_current_flows_along_its_direction(comm):
    tagged = slab(comm)
    drive = TransportCurrent(["lower"], 50 * NM, (3.0, 0.0, 0.0))
    problem = FieldProblem(tagged, ["lower"], drive, ["x-", "x+", "z+"])
    solution = problem.solve(problem.screening_of({"lower": 50 * NM}))
    assert solution.per_drive() == pytest.approx(1 / solution.current())
    assert solution.current_moment("lower")[0] / (50 * NM) == pytest.approx(solution.current(), rel=1e-3)
    # Above a current along x the field is along -y.
    assert solution.flux_density_at([[25 * NM, 15 * NM, 150 * NM]])[0, 1] < 0


@pytest.mark.mpi
@pytest.mark.parametrize("direction", [(1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.6, 0.8)])
def test_applied_field_without_superconductors(comm, direction):
    tagged = slab(comm)
    problem = FieldProblem(tagged, [], AppliedField(direction), list(tagged.facet_names))
    solution = problem.solve(problem.screening_of({}))
    cells = tagged.cells("lower", "upper")
    assert solution.flux_density(cells) == pytest.approx(np.tile(direction, (len(cells), 1)), abs=2e-5)
    assert solution.mean_flux_density("upper") == pytest.approx(direction, abs=2e-5)


@pytest.mark.mpi
@pytest.mark.parametrize(("degree", "worst"), [(1, 0.09), (2, 1e-4)])
def test_uniform_field_in_distorted_hexahedra(comm, degree, worst):
    tagged = brick_mesh(comm, [np.linspace(0, 6 * NM, 7)] * 3, {"all": (None, None, None)}, NM)
    x = tagged.mesh.geometry.x
    inside = ((x > 0.5) & (x < 5.5)).all(axis=1)
    x[inside] += 0.25 * np.sin(1e3 * np.column_stack([x @ (1, 2, 3), x @ (3, 5, 2), x @ (7, 1, 4)])[inside])
    problem = FieldProblem(tagged, [], AppliedField((0.0, 3.0, 4.0)), list(tagged.facet_names), degree)
    solution = problem.solve(problem.screening_of({}))
    assert solution.mean_flux_density("all") == pytest.approx((0.0, 0.6, 0.8), abs=1e-9)
    off = np.abs(solution.flux_density(tagged.cells("all")) - (0.0, 0.6, 0.8)).max(initial=0.0)
    off = comm.allreduce(float(off), op=MPI.MAX)
    assert off < worst
    assert (off > 1e-2) == (degree == 1)


@pytest.mark.mpi
def test_what_cannot_be_posed_is_refused(comm):
    with pytest.raises(ValueError, match="use degree 2 or hexahedra"):
        FieldProblem(slab(comm, tetrahedra=True), ["lower"], Imposed(), ["x-"])
    tagged = slab(comm)
    with pytest.raises(ValueError, match="H cannot be imposed on x-"):
        FieldProblem(tagged, ["lower"], Imposed(tangential_field={"x-": (0.0, 1.0, 0.0)}), ["x-"])
    with pytest.raises(KeyError, match="no facet group 'lid'"):
        FieldProblem(tagged, ["lower"], Imposed(tangential_field={"lid": (0.0, 1.0, 0.0)}), ["x-"])
    with pytest.raises(ValueError, match="outside the mesh"):
        parallel(comm).flux_density_at([[0.0, 0.0, 1.0]])
    with pytest.raises(ValueError, match="superconductors must be a list of group names, got the text 'lower'"):
        FieldProblem(tagged, "lower", Imposed(), ["x-"])
    with pytest.raises(ValueError, match="an applied field is what the walls hold"):
        FieldProblem(tagged, ["lower"], AppliedField((0.0, 1.0, 0.0)), [])
    empty = replace(tagged, cell_names=tagged.cell_names | {"film": 7}, facet_names=tagged.facet_names | {"lid": 8})
    with pytest.raises(ValueError, match="no cells in the groups film"):
        FieldProblem(empty, ["lower", "film"], Imposed(), ["x-"])
    with pytest.raises(ValueError, match="no facets in the groups lid"):
        FieldProblem(empty, ["lower"], Imposed(), ["x-", "lid"])
    prisms = dolfinx.mesh.create_box(comm, [[0, 0, 0], [1, 1, 1]], [2, 2, 2], dolfinx.mesh.CellType.prism)
    with pytest.raises(ValueError, match="hexahedra or tetrahedra, the mesh is of the cell type prism"):
        FieldProblem(replace(tagged, mesh=prisms), ["lower"], Imposed(), ["x-"])


@pytest.mark.mpi
def test_currents_that_cannot_flow_are_refused(comm):
    with pytest.raises(ValueError, match="must be a list of cell groups, got 'lower'"):
        TransportCurrent("lower", 50 * NM)
    with pytest.raises(ValueError, match="a direction must have"):
        TransportCurrent(["lower"], 50 * NM, (0.0, 0.0, 0.0))
    with pytest.raises(ValueError, match="length of a current's piece must be positive"):
        TransportCurrent(["lower"], 0.0)
    tagged, ends = slab(comm), ["x-", "x+"]
    current = TransportCurrent(["lower"], 50 * NM)
    with pytest.raises(ValueError, match="through lower, which is not among the superconductors"):
        FieldProblem(tagged, ["upper"], current, ends)
    with pytest.raises(ValueError, match="meets a wall on faces that are not normal"):
        FieldProblem(tagged, ["lower"], current, [*ends, "z-"])
    with pytest.raises(ValueError, match="there are no two of them"):
        FieldProblem(tagged, ["lower"], current, ["x-"])
    with pytest.raises(ValueError, match=r"4e-08 m apart; they are at 0 and 5e-08 m"):
        FieldProblem(tagged, ["lower"], TransportCurrent(["lower"], 40 * NM), ends)
    problem = FieldProblem(tagged, ["lower", "upper"], current, ends)
    with pytest.raises(ValueError, match="through lower, which has no screening"):
        problem.solve(problem.screening_of({"upper": 50 * NM}))
    with pytest.raises(ValueError, match="another superconductor touches lower on its sides"):
        problem.solve(problem.screening_of({"lower": 50 * NM, "upper": 50 * NM}))
    problem.solve(problem.screening_of({"lower": 50 * NM}))


@pytest.mark.mpi
def test_what_is_not_finite_is_not_taken(comm):
    problem = FieldProblem(slab(comm), ["lower", "upper"], Imposed(tangential_field={"z-": (0.0, H0, 0.0)}), ["x-"])
    screening = problem.screening_of({"lower": 50 * NM})
    with pytest.raises(ValueError, match="the screening is negative"):
        problem.solve(-screening)
    with pytest.raises(ValueError, match="a value for every local cell"):
        problem.solve(screening[1:])
    if comm.rank == 0:
        screening[0] = np.nan
    with pytest.raises(StepFailure, match="the screening is not finite"):
        problem.solve(screening)
    screening[:] = 0.0
    problem.factor(screening)
    problem.right.array_w[:] = np.nan
    with pytest.raises(StepFailure, match="the solution is not finite"):
        problem.back_substitute(problem.right)
    singular = PETSc.Mat().createAIJ((6, 6), nnz=1, comm=comm)
    for row in range(*singular.getOwnershipRange()):
        singular[row, row] = min(row, 1.0)
    singular.assemble()
    with pytest.raises(StepFailure, match=r"the factorisation failed, .* \(MUMPS INFOG\(1\) = -10"):
        Factorisation(singular, "test_").factor()
    singular.destroy()


@pytest.mark.mpi
def test_eddy_currents_of_a_conductor_with_a_superconductor_beside_it(comm):
    # After a long time the field is that of the superconductor alone, and no heat is left.
    tagged = slab(comm)
    drive = Imposed(tangential_field={"z-": (0.0, H0, 0.0), "z+": (0.0, H0, 0.0)})
    still, moving = (FieldProblem(tagged, ["lower", "upper"], drive, ["x-", "x+"]) for _ in range(2))
    screening = still.screening_of({"lower": 50 * NM})
    last = still.solve(screening)
    sigma = np.zeros(len(screening))
    sigma[tagged.cells("upper")] = 1e8
    eddy = EddyProblem(moving, sigma, screening)
    heat, lost = [], 0.0
    for dt in np.geomspace(1e-13, 1e-9, 25):
        before = eddy.solution
        after = eddy.step(dt)
        heat.append(eddy.power() * dt)
        lost += after.minus(before).energy()
    mean = after.mean_flux_density("upper")
    assert mean == pytest.approx(last.mean_flux_density("upper"), rel=1e-4, abs=1e-9)
    assert heat[-1] < 1e-6 * max(heat)
    # Switched on at once, the field at the faces does twice the work of what is stored in the end. It is stored, heats,
    # or is lost by backward Euler: the energy of each step's change.
    work = 2 * last.energy()
    assert sum(heat) > 0.1 * work
    assert lost > 0.1 * sum(heat)
    assert after.energy() + sum(heat) + lost == pytest.approx(work, rel=1e-5)


@pytest.mark.mpi
def test_front_stays_where_it_is_below_the_critical_field(comm):
    heights = np.linspace(0, 1e-4, 11)
    tagged = brick_mesh(comm, [[0, 1e-5], [0, 1e-5], heights], {"Ta": (None, None, None)}, 1e-6)
    field = FieldProblem(tagged, ["Ta"], Imposed(tangential_field={"z-": (0.0, 1.0, 0.0)}), ["x-", "x+"])
    front = NormalFront(field, heights, 5e-9, 50e-9, 6.4e4)
    front.step(1e-7, 6.3e4)
    assert front.normal == 0
    assert front.position() < 1e-7
    with pytest.raises(RuntimeError, match="far end"):
        front.step(1.0, 2 * 6.4e4)
