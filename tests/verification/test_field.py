from __future__ import annotations

from pathlib import Path

import pytest
from mpi4py import MPI

from meshes.tagged import build_stack_mesh
from solvers import setup
from solvers.case import load_case
from solvers.verification import field_manufactured, field_stack
from solvers.verification.field_cases import CASES
from solvers.verification.report import Row

REFRIGERATOR = Path(__file__).resolve().parents[2] / "cases" / "refrigerator.toml"


def check(rows: list[Row]) -> None:
    failed = [f"{row} error {row.error:.2e}" for row in rows if not row.passed]
    assert not failed, "\n".join(failed)


@pytest.mark.mpi
@pytest.mark.parametrize("name", CASES)
def test_known_answer(name: str, comm: MPI.Intracomm) -> None:
    rows = CASES[name](comm, True)
    assert rows or (name, comm.size) == ("ranks", 1)
    check(rows)


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_known_answer_in_full(name: str, comm: MPI.Intracomm) -> None:
    check(CASES[name](comm, False))


@pytest.mark.mpi
def test_no_net_current_in_the_tantalum_of_the_refrigerator(comm: MPI.Intracomm) -> None:
    coarse = ["mesh.edge_cell=3um", "mesh.interior_cell=6um", "mesh.growth=3", "mesh.lateral_growth=3"]
    case = load_case(REFRIGERATOR, coarse)
    stack = setup.stack_geometry(case)
    problem = setup.field_problem(case, build_stack_mesh(stack, comm), stack)
    depths = {f.group: float(f.material.penetration_depth(case.start)) for f in setup.films(case, stack)}
    assert set(depths) == {"sink", "working"}
    problem.solve(problem.screening_of(depths))
    assert field_stack.barrier_leak(problem, "working") < 1e-4
    assert field_stack.section_currents(problem, "sink") == pytest.approx(problem.unit_current(), rel=1e-4)


@pytest.mark.mpi
def test_without_a_barrier_the_film_takes_the_current(comm: MPI.Intracomm) -> None:
    problem = field_stack.stack_problem(comm, field_stack.coarse_stack(barrier=False))
    assert field_stack.barrier_leak(problem, "Ta") > 0.1


@pytest.mark.mpi
def test_solver_takes_more_workspace_when_its_estimate_fails(comm: MPI.Intracomm) -> None:
    # On two ranks MUMPS estimates too little for this one.
    depths = field_manufactured.DEPTHS
    problem = field_manufactured.solve(comm, depths, 8, 2, False)
    assert max(field_manufactured.errors(problem, depths).values()) < 0.01
