"""The rows of the verification book about the states of films must pass, on any number of ranks."""

import pytest

from solvers.verification.cycles.states import field_across


@pytest.mark.mpi
def test_a_field_across_a_film(comm):
    failed = [f"{row}: {row.error:.2e}" for row in field_across(comm) if not row.passed]
    assert not failed, "\n".join(failed)
