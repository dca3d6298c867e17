"""Signals that ask a run to stop: it saves its state first."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

# Ctrl-C; what mpirun and batch systems send; a terminal that closes.
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1)


class Interrupted(KeyboardInterrupt):
    """The run was asked to stop; its state is saved."""


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
