from pathlib import Path

import pytest

from meshes.stack_mesh import build_stack_mesh
from solvers.case.model import load_case
from solvers.simulation import build
from solvers.simulation.geometry import stack_geometry
from solvers.verification.field import manufactured as manufactured_rows
from solvers.verification.field import stack as stack_rows
from solvers.verification.field.rows import CASES

REFRIGERATOR = Path(__file__).resolve().parents[3] / "cases" / "refrigerator.toml"


def check(rows):
    failed = [f"{row} error {row.error:.2e}" for row in rows if not row.passed]
    assert not failed, "\n".join(failed)


@pytest.mark.mpi
@pytest.mark.parametrize("name", CASES)
def test_known_answer(name, comm):
    rows = CASES[name](comm, True)
    assert rows or (name, comm.size) == ("ranks", 1)
    check(rows)


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_known_answer_in_full(name, comm):
    check(CASES[name](comm, False))


@pytest.mark.mpi
def test_no_net_current_in_the_tantalum_of_the_refrigerator(comm):
    coarse = ["mesh.edge_cell=3um", "mesh.interior_cell=6um", "mesh.growth=3", "mesh.lateral_growth=3"]
    case = load_case(REFRIGERATOR, coarse)
    stack = stack_geometry(case)
    problem = build.field_problem(case, build_stack_mesh(stack, comm), stack)
    depths = {f.group: float(f.material.penetration_depth(case.start)) for f in build.films(case, stack)}
    assert set(depths) == {"sink", "working"}
    solution = problem.solve(problem.screening_of(depths))
    assert stack_rows.barrier_leak(solution, "working") < 1e-4
    assert stack_rows.section_currents(solution, "sink") == pytest.approx(solution.current(), rel=1e-4)


@pytest.mark.mpi
def test_without_a_barrier_the_phase_of_the_current_is_wanted_in_the_film_too(comm):
    with pytest.raises(ValueError, match="another superconductor touches Nb on its sides"):
        stack_rows.stack_field(comm, stack_rows.coarse_stack(barrier=False))


@pytest.mark.mpi
def test_solver_takes_more_workspace_when_its_estimate_fails(comm):
    # On two ranks MUMPS estimates too little for this one.
    depths = manufactured_rows.DEPTHS
    solution = manufactured_rows.solve(comm, depths, 8, 2, False)
    assert max(manufactured_rows.errors(solution, depths).values()) < 0.01
