"""The log of a run: log.txt in its folder, and the warnings of all ranks."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mpi4py import MPI

# What the packages log goes here; nothing is shown unless the user of the library, or a run, adds a handler.
log = logging.getLogger("coldstack")
log.addHandler(logging.NullHandler())


class _Warnings(logging.Handler):
    """Keeps the texts of warnings."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the text of a record."""
        self.texts.append(record.getMessage())


class _File(logging.FileHandler):
    """Writes to a file as long as the disk takes it: the log does not end a run."""

    def emit(self, record: logging.LogRecord) -> None:
        with suppress(OSError):
            super().emit(record)

    def handleError(self, record: logging.LogRecord) -> None:
        pass

    def close(self) -> None:
        with suppress(OSError):
            super().close()


class RunLog:
    """What is logged while a run goes on.

    Args:
        comm: ranks of the run.
        path: of the file, written by rank 0.
    """

    def __init__(self, comm: MPI.Intracomm, path: Path) -> None:
        self.comm, self.path = comm, path
        self._warnings = _Warnings()

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Write to the file while the block runs; afterwards the logger is as it was."""
        handlers: list[logging.Handler] = [self._warnings]
        if self.comm.rank == 0:
            handlers.append(_File(self.path, delay=True, encoding="utf-8"))
            handlers[-1].setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        level = log.level
        log.setLevel(logging.INFO)
        for handler in handlers:
            log.addHandler(handler)
        try:
            yield
        finally:
            log.setLevel(level)
            for handler in handlers:
                log.removeHandler(handler)
                handler.close()

    def warnings(self) -> list[str]:
        """What any rank has warned of so far, each once, sorted (collective)."""
        return sorted({text for texts in self.comm.allgather(self._warnings.texts) for text in texts})
