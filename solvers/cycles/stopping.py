"""When a run saves its state, and when it stops because a signal or its time asks for it."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from mpi4py import MPI

# Ctrl-C; what mpirun and batch systems send; a terminal that closes.
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1)

SAVING_SHARE = 0.05  # of the time may be spent on checkpoints at ends of phases
SAVE, TIME_OVER, SIGNAL = 1, 2, 100  # what a rank wishes; a signal: its number more


class Interrupted(KeyboardInterrupt):
    """The run was asked to stop; the message says by what, where its state is, and how to go on."""


def keep_broken_pipes() -> None:
    """Let Python deal with a pipe that nobody reads any more: PETSc, once started, would end the process."""
    handler = signal.getsignal(signal.SIGPIPE)
    if handler is not None and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGPIPE, handler)


@contextmanager
def stop_signals() -> Iterator[list[int]]:
    """A list that fills with the signals that ask the run to stop; outside the main thread it stays empty."""
    caught: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield caught
        return
    old = {number: signal.signal(number, lambda number, _: caught.append(number)) for number in SIGNALS}
    try:
        yield caught
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)


class Saving:
    """Saves a run on its way, and stops it; asked by all ranks at the same places.

    Ends of phases are saved, but where these follow each other fast only so many that it takes a small part of the
    time: the checkpoint grows with the history.

    Args:
        comm: ranks of the run.
        save: writes the checkpoint (collective).
        every: wall time between checkpoints at most, s; a step is not broken off.
        end: when to have stopped, on the clock of `time.perf_counter`.
    """

    def __init__(self, comm: MPI.Intracomm, save: Callable[[], None], every: float, end: float) -> None:
        self.comm, self.save, self.every, self.end = comm, save, every, end
        self.last = self.step = time.perf_counter()  # of the last checkpoint, of the last step
        self.taken, self.longest = 0.0, 0.0  # by a checkpoint, by a step, s

    def at_end_of_phase(self) -> None:
        """Save if it is time (collective)."""
        if self.comm.bcast(time.perf_counter() - self.last >= self.taken / SAVING_SHARE):
            self._save()

    def between_steps(self, signals: Sequence[int]) -> None:
        """Save if it is time (collective).

        Args:
            signals: that have come on this rank.

        Raises:
            Interrupted: one has come on any rank, or time is over.
        """
        now = time.perf_counter()
        self.longest, self.step = max(self.longest, now - self.step), now
        wish = SIGNAL + signals[0] if signals else 0
        if self.comm.rank == 0:
            wish = max(wish, SAVE if now - self.last > self.every else 0)
            # The next step, and the checkpoint behind it, shall not come too late.
            wish = max(wish, TIME_OVER if now + 1.5 * self.longest + 2.0 * self.taken > self.end else 0)
        # A signal may have reached one rank only; all must stop at the same event.
        wish = self.comm.allreduce(wish, op=MPI.MAX)
        if wish >= SIGNAL:
            raise Interrupted(f"stopped by {signal.Signals(wish - SIGNAL).name}")
        if wish == TIME_OVER:
            raise Interrupted("stopped because its time is over")
        if wish == SAVE:
            self._save()

    def _save(self) -> None:
        start = time.perf_counter()
        self.save()
        self.last = self.step = time.perf_counter()
        self.taken = self.last - start
