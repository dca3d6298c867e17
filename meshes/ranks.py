"""What only one rank can find out, told to all."""

from __future__ import annotations

from mpi4py import MPI


def raise_on_all_ranks(comm: MPI.Intracomm, error: Exception | None) -> None:
    """Raise everywhere what went wrong on rank 0 (collective).

    Raises:
        RuntimeError: There was an error on rank 0.
    """
    message = comm.bcast(None if error is None else f"{type(error).__name__}: {error}", root=0)
    if message is not None:
        raise RuntimeError(f"building the mesh failed: {message}") from error
