"""The folder of a run is new, and no other run is at work in it."""

from __future__ import annotations

import fcntl
import os
import shlex
import socket
from pathlib import Path
from typing import TextIO

from solvers.errors import InputError

NAME = "lock"


class FolderLock:
    """A file with host and process of its owner, locked while that lives (rank 0).

    The system frees the lock of a process that dies, on whatever host, so a file that was left behind keeps nobody
    out. On a file system without locks the process named in the file is looked for.

    Args:
        folder: what it is for.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME
        self._stream: TextIO | None = None

    def take(self) -> None:
        """Take the lock.

        Raises:
            InputError: another run has it.
            OSError: the folder cannot be written.
        """
        while True:
            stream = self.path.open("a+", encoding="utf-8")
            try:
                self._claim(stream)
                # The owner before may have removed the file in the meantime.
                if self.path.exists() and os.path.samestat(os.fstat(stream.fileno()), self.path.stat()):
                    break
                stream.close()
            except BaseException:
                stream.close()
                raise
        stream.truncate(0)
        stream.write(f"{socket.gethostname()} {os.getpid()}\n")
        stream.flush()
        self._stream = stream

    def _claim(self, stream: TextIO) -> None:
        stream.seek(0)
        host, _, process = stream.read(300).strip().partition(" ")
        who = f"process {process} on {host}" if process.isdigit() else "another process"
        folder = self.path.parent
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(f"{folder}: a run is at work in it ({who}); wait for it, or stop it") from None
        except OSError:
            if process.isdigit() and (host != socket.gethostname() or _alive(int(process))):
                raise InputError(
                    f"{folder}: a run is at work in it ({who}); if it is not, delete {self.path}"
                ) from None

    def release(self) -> None:
        """Give it back; nothing if it was not taken."""
        if self._stream is not None:
            try:
                self.path.unlink(missing_ok=True)
            except OSError:  # the folder became read-only: the lock ends with the stream
                pass
            self._stream.close()
            self._stream = None


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def refuse_existing(path: Path) -> None:
    """Refuse an output folder that exists.

    Raises:
        InputError: it does, be it as a link that leads nowhere.
    """
    if path.exists():
        raise InputError(
            f"{path}: the output folder exists already; choose another with --output DIR, "
            f"or go on with the run in it: coldstack run --resume {shlex.quote(str(path))}"
        )
    if os.path.lexists(path):
        raise InputError(f"{path}: is a link to {os.readlink(path)}, which is not there; choose another folder")
