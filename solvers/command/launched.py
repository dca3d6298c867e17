"""The ranks that a launcher such as mpirun started: how many, which one this is, and how all of them end together.

MPI itself is started only when it is needed: --help and wrong options are answered at once.
"""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mpi4py import MPI

PATIENCE = 60.0  # s that a rank which ends with an error waits for the others


def leave(code: int, message: str, alone: bool = False) -> None:
    """Say the message once, then end all ranks with the same code.

    A rank that exits with an error makes mpirun kill the others, so all wait until rank 0 has
    spoken. If the others do not come, they have not met the error: this rank speaks and ends all.
    """
    comm = world() if code and launched_rank() is not None else None
    if message and (alone or comm is None or comm.rank == 0):
        with suppress(OSError):
            print(message, file=sys.stderr, flush=True)
    try:
        sys.stdout.flush()
    except OSError:  # nobody reads any more, as behind `| head`: Python shall not try again at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if comm is not None and comm.size > 1:
        if alone:
            comm.Abort(code)
        request, started = comm.Ibarrier(), time.monotonic()
        while not request.Test():
            if time.monotonic() - started > PATIENCE:
                print(f"[rank {comm.rank}] {message}", file=sys.stderr, flush=True)
                comm.Abort(code)
            time.sleep(0.002)
    sys.exit(code)


def launched_rank() -> int | None:
    """The rank a launcher such as mpirun told in the environment, known before MPI starts."""
    names = ("OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK", "SLURM_PROCID")
    return next((int(text) for name in names if (text := os.environ.get(name, "")).isdigit()), None)


def launched_ranks() -> int:
    """How many ranks a launcher started, told in the environment (in a batch script of Slurm there is one)."""
    names = ("OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS")
    return next((int(text) for name in names if (text := os.environ.get(name, "")).isdigit()), 1)


def world() -> MPI.Intracomm:
    """All ranks; MPI starts here if it has not yet."""
    from mpi4py import MPI

    return MPI.COMM_WORLD
