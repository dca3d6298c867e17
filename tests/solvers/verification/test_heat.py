"""The heat rows of the verification book must pass, on any number of ranks."""

import pytest
from mpi4py import MPI

from fem.interfaces.laws import Conductance
from solvers.verification.heat import manufactured, rows

CASES = [
    rows.cool_down,
    rows.two_bodies,
    rows.magnetisation,
    rows.latent_heat,
    rows.reversible_cycle,
    rows.kirchhoff,
    rows.robin_transient,
    rows.kapitza_pair,
    rows.electron_phonon,
    rows.unlike_superconductors,
    manufactured.jump_convergence,
    manufactured.contact_limits,
    manufactured.layers_in_series,
    manufactured.time_convergence,
    manufactured.slab_estimate,
]
ALSO_IN_PARALLEL = [rows.magnetisation, rows.latent_heat, rows.kirchhoff, rows.kapitza_pair]
ALSO_IN_PARALLEL += [manufactured.jump_convergence, manufactured.layers_in_series]


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
    check(manufactured.jump_convergence(MPI.COMM_SELF, quick=False))


def test_a_wrong_conductance_fails():
    """The rows notice an interface 10 % off."""
    exact = manufactured.Solution((0.3, 2.0), 1e6)
    wrong = manufactured._solve(MPI.COMM_SELF, exact, Conductance(1.1e6), 8, False)
    assert abs(wrong[2] / (exact.flux / 1e6) - 1) > 0.05
