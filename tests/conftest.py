"""Tests under MPI: one report from rank 0, and all ranks agree on every outcome.

Each phase (setup, call, teardown) of each test ends with an exchange between the ranks. A failure
on any rank fails the test on all of them, and the report names the ranks. Since the outcomes
agree, all ranks go on to the same next test: one that fails on one rank only does not leave the
others waiting in the next one's collective calls.
"""

import os
import sys
import time

import pytest
from mpi4py import MPI

# The exchanges must not be mistaken for collective calls of a test that went out of step.
EXCHANGE = MPI.COMM_WORLD.Dup()
PATIENCE = 60.0  # s that a rank whose test failed waits for the others before it ends the run

collection_errors = []


@pytest.fixture(scope="session")
def comm():
    """All ranks of the run."""
    return MPI.COMM_WORLD


@pytest.fixture
def shared_tmp_path(tmp_path):
    """An empty temporary folder, the same one on all ranks (`tmp_path` is each rank's own)."""
    return EXCHANGE.bcast(tmp_path)


@pytest.hookimpl(trylast=True)  # after the terminal reporter has been made
def pytest_configure(config):
    if EXCHANGE.rank > 0:
        reporter = config.pluginmanager.getplugin("terminalreporter")
        reporter._tw._file = open(os.devnull, "w")  # until the end of the run


def pytest_unconfigure():
    """Lets rank 0 print its report: the first rank that ends a failed run ends it for all."""
    sys.stdout.flush()
    _wait_for_all_ranks(give_up_after=PATIENCE)


def pytest_collectreport(report):
    if report.failed:
        collection_errors.append(f"{report.nodeid}\n{report.longreprtext}")


def pytest_collection_finish(session):
    """Ends the run where the ranks would not run the same tests."""
    if EXCHANGE.size == 1:
        return
    everyone = EXCHANGE.allgather((collection_errors, [item.nodeid for item in session.items]))
    if any(other != everyone[0] for other in everyone):
        errors = [f"[rank {r}] {text}" for r, (texts, _) in enumerate(everyone) for text in texts]
        message = "the ranks have not collected the same tests"
        pytest.exit("\n\n".join([message, *errors]), returncode=1)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(item):
    report = yield
    if EXCHANGE.size == 1:
        return report
    if not _wait_for_all_ranks(give_up_after=PATIENCE if report.failed else None):
        print(
            f"[rank {EXCHANGE.rank}] {report.nodeid} failed here, and the other ranks hang:",
            report.longreprtext,
            sep="\n",
            file=sys.__stderr__,
            flush=True,
        )
        EXCHANGE.Abort(1)
    mine = (report.outcome, report.longreprtext if report.failed else "")
    everyone = EXCHANGE.allgather(mine)
    outcomes = [outcome for outcome, _ in everyone]
    if "failed" in outcomes:
        report.outcome = "failed"
        report.longrepr = "\n\n".join(
            f"[rank {rank}] {text}" for rank, (outcome, text) in enumerate(everyone) if outcome == "failed"
        )
    elif len(set(outcomes)) > 1:
        report.outcome = "failed"
        report.longrepr = f"the ranks disagree: {', '.join(outcomes)}"
    return report


def _wait_for_all_ranks(give_up_after):
    """Waits without spinning, at most `give_up_after` seconds; True if all ranks have come."""
    request = EXCHANGE.Ibarrier()
    started = time.monotonic()
    while not request.Test():
        if give_up_after is not None and time.monotonic() - started > give_up_after:
            return False
        time.sleep(0.002)
    return True
