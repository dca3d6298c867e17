"""The field of state after state of films, all else eliminated once, against the whole matrix factored each time."""

from pathlib import Path

import dolfinx.mesh
import numpy as np
import pytest
import scipy.sparse
from mpi4py import MPI

from meshes.stack_mesh import build_stack_mesh
from solvers.case.model import load_case
from solvers.errors import StepFailure
from solvers.field import condensed
from solvers.field.elimination import Dissection, Elimination
from solvers.field.problem import AppliedField, FieldProblem, Imposed, TransportCurrent
from solvers.field.response import ScreeningResponse
from solvers.simulation import build
from solvers.simulation.geometry import stack_geometry
from solvers.verification.field.meshes import brick_mesh

CASE = Path(__file__).parents[3] / "cases" / "refrigerator.toml"
COARSE = ["mesh.edge_cell=3um", "mesh.interior_cell=6um", "mesh.growth=3", "mesh.lateral_growth=3"]
NM = 1e-9
DEPTH = 40 * NM
FILMS = ["first", "second"]
GROUPS = {
    "vacuum": (None, None, None),
    "strip": (None, (0.0, 52 * NM), (0.0, 45 * NM)),
    "first": ((0.0, 31 * NM), (0.0, 65 * NM), (75 * NM, 145 * NM)),
    "second": ((31 * NM, 60 * NM), (0.0, 40 * NM), (155 * NM, 200 * NM)),
}
ALL = ["x-", "x+", "y-", "y+", "z-", "z+"]
DRIVES = {
    "current": (TransportCurrent(["strip"], 60 * NM), ["x-", "x+", "z+", "y+"]),
    "applied": (AppliedField((0.0, 3.0, 4.0)), ALL),  # the walls are faces of the films too
    "imposed": (Imposed(tangential_field={"z-": (0.0, 1e4, 0.0)}), ["x-", "x+"]),
}


def bricks(comm, drive, *films):
    """Problems on one mesh, each with other films."""
    lines = [np.linspace(0, 60 * NM, 7), np.linspace(0, 90 * NM, 8), np.linspace(0, 200 * NM, 21)]
    mesh = brick_mesh(comm, lines, GROUPS, NM)
    return [FieldProblem(mesh, ["strip", *FILMS], *DRIVES[drive], films=names) for names in films]


def middles(problem):
    mesh = problem.tagged.mesh
    return np.asarray(dolfinx.mesh.compute_midpoints(mesh, 3, np.arange(problem.n_cells, dtype=np.int32)))


def state(problem, films, full, number):
    """A screening that varies within the films, without and with parts that are wholly normal."""
    screening, cells = full.copy(), problem.tagged.cells(*films)
    x = middles(problem)[cells]
    extent = problem.comm.allreduce(float(np.abs(problem.tagged.mesh.geometry.x).max(initial=0.0)), op=MPI.MAX)
    wave = np.cos(7.0 * number + 9.0 * x / extent).prod(axis=1)
    screening[cells] *= np.clip(0.5 + 0.6 * wave, 0.0, 1.0) if number else 1.0
    return screening


def same(one, other, comm):
    """Largest difference of B in all cells over the largest B; energies are compared to 1e-12."""
    assert one.energy() == pytest.approx(other.energy(), rel=1e-12)
    every = np.arange(len(one.screening), dtype=np.int32)
    fields = [solution.flux_density(every) for solution in (one, other)]
    off = comm.allreduce(float(np.abs(fields[0] - fields[1]).max(initial=0.0)), op=MPI.MAX)
    return off / comm.allreduce(float(np.abs(fields[1]).max(initial=0.0)), op=MPI.MAX)


@pytest.mark.mpi
@pytest.mark.ranks4
@pytest.mark.parametrize("drive", DRIVES)
def test_states_of_two_films(comm, drive):
    problem, whole = bricks(comm, drive, FILMS, [])
    full = whole.screening_of(dict.fromkeys(["strip", *FILMS], DEPTH))
    for number in range(3):
        screening = state(problem, FILMS, full, number)
        assert same(problem.solve(screening), whole.solve(screening), comm) < 1e-12
    assert (problem.eliminations, problem.factorisations, problem.solves) == (1, 3, 3)
    # Another depth of the conductor, and back to a state that was there before.
    full[problem.tagged.cells("strip")] *= 1.1
    for number in (1, 2):
        screening = state(problem, FILMS, full, number)
        assert same(problem.solve(screening), whole.solve(screening), comm) < 1e-12
    assert (problem.eliminations, problem.factorisations, problem.solves) == (2, 5, 5)


@pytest.mark.mpi
@pytest.mark.parametrize("symmetry", ["auto", "full"])
def test_states_of_the_refrigerator(comm, symmetry):
    case = load_case(CASE, [*COARSE, f"mesh.symmetry={symmetry}"])
    stack = stack_geometry(case)
    tagged = build_stack_mesh(stack, comm)
    problem = build.field_problem(case, tagged, stack)
    depths = {f.group: float(f.material.penetration_depth(case.start)) for f in build.films(case, stack)}
    whole = FieldProblem(tagged, list(depths), problem.drive, problem.forms.walls)
    for number in range(2):
        screening = state(problem, ["working"], whole.screening_of(depths), number)
        # In vacuum beside cells of 2 nm round-off of the gauge is left in B, in both of them.
        assert same(problem.solve(screening), whole.solve(screening), comm) < 1e-10
    assert problem.eliminations == 1


@pytest.mark.mpi
@pytest.mark.parametrize("drive", ["current", "applied"])
def test_derivatives_of_field_and_energy(comm, drive):
    (problem,) = bricks(comm, drive, FILMS)
    full = problem.screening_of(dict.fromkeys(["strip", *FILMS], DEPTH))
    screening = 0.5 * (full + state(problem, FILMS, full, 1))
    x, films = middles(problem), problem.tagged.cells(*FILMS)
    # Sets of cells that lie on several ranks; what is read lies in and around the films.
    sets = [films[x[films, 0] < 20.0], films[x[films, 2] > 100.0], films[:0]]
    slopes = np.array([2.0, -3.0, 1.0]) / DEPTH**2
    reading = np.flatnonzero(x[:, 2] > 60.0).astype(np.int32)
    response = ScreeningResponse(problem, reading)
    found, energies = response.of(problem.solve(screening), sets, slopes)
    step = 1e-4
    for cells, slope, field, energy in zip(sets, slopes, found, energies, strict=True):
        ends = []
        for sign in (-1, 1):
            moved = screening.copy()
            moved[cells] += sign * step * slope
            ends.append(problem.solve(moved))
        expected = (ends[1].flux_density(reading) - ends[0].flux_density(reading)) / (2 * step)
        scale = comm.allreduce(float(np.abs(expected).max(initial=0.0)), op=MPI.MAX)
        assert field == pytest.approx(expected, abs=1e-6 * scale + 1e-30)
        change = np.log(ends[1].energy() / ends[0].energy()) / (2 * step)
        # The mass that fixes the gauge counts in the equations, not in the energy.
        assert energy == pytest.approx(change, rel=1e-4, abs=1e-10)


@pytest.mark.mpi
def test_what_cannot_be_a_film_is_refused(comm):
    with pytest.raises(ValueError, match="films that are not among the superconductors: vacuum"):
        bricks(comm, "current", ["vacuum"])
    with pytest.raises(ValueError, match="a current through strip, whose screening is to change"):
        bricks(comm, "current", ["strip"])
    (problem,) = bricks(comm, "current", [])
    with pytest.raises(ValueError, match="for field problems with films only"):
        ScreeningResponse(problem, np.zeros(0, dtype=np.int32))


@pytest.mark.mpi
def test_a_failing_elimination_fails_on_all_ranks(comm, monkeypatch):
    (problem,) = bricks(comm, "current", FILMS)
    full = problem.screening_of(dict.fromkeys(["strip", *FILMS], DEPTH))

    def fails(dissection, values):
        return Elimination(dissection, -values if comm.rank == comm.size - 1 else values)

    with monkeypatch.context() as patched:
        patched.setattr(condensed, "Elimination", fails)
        with pytest.raises(StepFailure, match="not positive definite"):
            problem.solve(full)
    assert problem.solve(full).energy() > 0.0  # what failed is done again
    assert problem.eliminations == 1


@pytest.mark.parametrize("n_outer", [0, 40])
def test_elimination_of_a_grid(n_outer):
    places = np.stack(np.meshgrid(*[np.arange(9.0) ** 1.2] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    near = np.abs(np.rint(places ** (1 / 1.2))[:, None] - np.rint(places ** (1 / 1.2))[None]).sum(axis=2) <= 1
    random = np.random.default_rng(1)
    dense = near * random.uniform(-1.0, 0.0, near.shape)
    dense = dense + dense.T
    dense[np.diag_indices_from(dense)] = 0.1 - dense.sum(axis=1) + dense.diagonal()
    matrix = scipy.sparse.csr_matrix(dense)
    n = len(places)
    inner = np.setdiff1d(np.arange(n), random.permutation(n)[:n_outer]).astype(np.int32)
    dissection = Dissection(matrix, inner, places)
    elimination = Elimination(dissection, matrix.data)
    outer = dissection.outer
    assert len(dissection.fronts) > 9
    assert sorted(dissection.inner) == inner.tolist()
    coupling = dense[np.ix_(inner, outer)]
    block = dense[np.ix_(inner, inner)]
    assert elimination.update == pytest.approx(-coupling.T @ np.linalg.solve(block, coupling), abs=1e-12)
    right = random.normal(size=(n, 3))
    added, half = elimination.condense(right)
    given = random.normal(size=(len(outer), 3))
    expected = np.zeros((n, 3))
    expected[inner] = np.linalg.solve(block, right[inner] - coupling @ given)
    assert added == pytest.approx(-coupling.T @ np.linalg.solve(block, right[inner]), abs=1e-12)
    found = elimination.expand(given, half)
    assert found == pytest.approx(expected[dissection.inner], abs=1e-11)
    # Only what is needed for one unknown, with no right-hand side inside.
    wanted = np.arange(n) == inner[len(inner) // 3]
    fronts = dissection.reached(wanted)
    assert 0 < len(fronts) < len(dissection.fronts)
    partly = elimination.expand(given, only=fronts)[np.flatnonzero(wanted[dissection.inner])]
    assert partly == pytest.approx(np.linalg.solve(block, -coupling @ given)[[len(inner) // 3]], abs=1e-11)


def test_a_matrix_that_is_not_positive_definite_is_not_eliminated():
    matrix = scipy.sparse.csr_matrix(np.array([[1.0, 2.0], [2.0, 1.0]]))
    with pytest.raises(ArithmeticError, match="not positive definite"):
        Elimination(Dissection(matrix, np.arange(2, dtype=np.int32), np.zeros((2, 3))), matrix.data)
