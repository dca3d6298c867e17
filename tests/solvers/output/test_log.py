"""What a run logs: its file, warnings of all ranks, and loggers left as they were."""

import logging

import pytest

from solvers.output.log import RunLog, log


@pytest.mark.mpi
def test_warnings_of_any_rank_are_kept_once(shared_tmp_path, comm):
    before, level, root = list(log.handlers), log.level, list(logging.getLogger().handlers)
    run_log = RunLog(comm, shared_tmp_path / "log.txt")
    with run_log.kept():
        log.info("no warning")
        log.warning("of all")
        if comm.rank == comm.size - 1:
            logging.getLogger("coldstack.heat").warning("of the last")
        assert run_log.warnings() == ["of all", "of the last"]
    log.warning("too late")
    assert run_log.warnings() == ["of all", "of the last"]
    assert log.handlers == before
    assert log.level == level
    assert logging.getLogger().handlers == root
    comm.barrier()
    text = (shared_tmp_path / "log.txt").read_text(encoding="utf-8")
    assert text.count("INFO no warning\n") == text.count("WARNING of all\n") == 1
    assert "too late" not in text
