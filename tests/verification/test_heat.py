"""The heat rows of the verification book must pass, on any number of ranks."""

from __future__ import annotations

import pytest
from mpi4py import MPI

from fem.interfaces import Conductance
from solvers.verification import heat_cases, heat_manufactured

CASES = [
    heat_cases.cool_down,
    heat_cases.two_bodies,
    heat_cases.magnetisation,
    heat_cases.latent_heat,
    heat_cases.reversible_cycle,
    heat_cases.kirchhoff,
    heat_cases.robin_transient,
    heat_cases.kapitza_pair,
    heat_cases.electron_phonon,
    heat_cases.unlike_superconductors,
    heat_manufactured.jump_convergence,
    heat_manufactured.contact_limits,
    heat_manufactured.layers_in_series,
    heat_manufactured.time_convergence,
    heat_manufactured.slab_estimate,
]
ALSO_IN_PARALLEL = [heat_cases.magnetisation, heat_cases.latent_heat, heat_cases.kirchhoff, heat_cases.kapitza_pair]
ALSO_IN_PARALLEL += [heat_manufactured.jump_convergence, heat_manufactured.layers_in_series]


def check(rows):
    assert rows
    failed = [row for row in rows if not row.passed]
    assert not failed, "\n".join(f"{row}: error {row.error:.2e}" for row in failed)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_case(case):
    check(case(MPI.COMM_SELF))


@pytest.mark.mpi
@pytest.mark.parametrize("case", ALSO_IN_PARALLEL, ids=lambda case: case.__name__)
def test_in_parallel(case, comm):
    check(case(comm))


@pytest.mark.slow
def test_fine_meshes():
    check(heat_manufactured.jump_convergence(MPI.COMM_SELF, quick=False))


def test_a_wrong_conductance_fails():
    """The rows notice an interface 10 % off."""
    exact = heat_manufactured.Solution((0.3, 2.0), 1e6)
    wrong = heat_manufactured._solve(MPI.COMM_SELF, exact, Conductance(1.1e6), 8, False)
    assert abs(wrong[2] / (exact.flux / 1e6) - 1) > 0.05
