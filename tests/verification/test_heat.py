"""The heat rows of the verification book must pass, on any number of ranks."""

from __future__ import annotations

import pytest
from mpi4py import MPI

from solvers.verification import heat_cases

KNOWN_ANSWERS = [
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
]
ALSO_IN_PARALLEL = [heat_cases.magnetisation, heat_cases.latent_heat, heat_cases.kirchhoff, heat_cases.kapitza_pair]


def check(rows):
    assert rows
    failed = [row for row in rows if not row.passed]
    assert not failed, "\n".join(f"{row}: error {row.error:.2e}" for row in failed)


@pytest.mark.parametrize("case", KNOWN_ANSWERS, ids=lambda case: case.__name__)
def test_known_answer(case):
    check(case(MPI.COMM_SELF))


@pytest.mark.mpi
@pytest.mark.parametrize("case", ALSO_IN_PARALLEL, ids=lambda case: case.__name__)
def test_in_parallel(case, comm):
    check(case(comm))
