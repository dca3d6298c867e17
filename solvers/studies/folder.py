"""The folder of a study: one folder for each member, and what became of it.

study.json           what the study is, so that no other one is put into its folder
members/SHA/         member.toml, run/ (output folder), record.json (how it ended), its messages
engine/              log of libEnsemble
study.nc, study.csv  the dataset
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from solvers.errors import InputError
from solvers.studies.plan import Member

DONE, FAILED, TIMED_OUT, MISSING = "done", "failed", "timed out", "missing"
LOCK_WAIT = 20.0  # s that members of a run that was killed have to end


@dataclass(frozen=True)
class Record:
    """How a member ended.

    Attributes:
        status: done, failed, timed out or missing.
        error: one line, "" if it is done.
        run_time: s.
    """

    status: str
    error: str = ""
    run_time: float = float("nan")


class StudyFolder:
    """The folder of a study."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()

    def check(self, identity: str) -> None:
        """Whether the folder is new, empty or that of the study with this identity.

        Raises:
            InputError: it is another study's, or something else's.
        """
        if self.path.is_file():
            raise InputError(f"{self.path}: is a file; choose another folder with --output DIR")
        if not self.path.is_dir() or not any(self.path.iterdir()):
            parent = next(folder for folder in self.path.parents if folder.exists())
            if not parent.is_dir() or not os.access(parent, os.W_OK | os.X_OK):
                raise InputError(f"{self.path}: cannot be written, because of {parent}")
            return
        try:
            found = json.loads((self.path / "study.json").read_text(encoding="utf-8"))["identity"]
        except (OSError, ValueError, KeyError):
            raise InputError(f"{self.path}: holds something else; choose another folder with --output DIR") from None
        if found != identity:
            raise InputError(f"{self.path}: is the folder of another study; choose another one with --output DIR")

    def open(self, identity: str, file: Path) -> IO[str]:
        """Make the folder or go on in it; nobody else can until the returned file is closed.

        Raises:
            InputError: the study is running in it.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        lock = (self.path / "lock").open("w", encoding="utf-8")
        start = time.monotonic()
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                if time.monotonic() - start > LOCK_WAIT:
                    lock.close()
                    raise InputError(f"{self.path}: the study is running in this folder") from None
                time.sleep(0.2)
        text = file.read_text(encoding="utf-8-sig")
        write_text(self.path / "study.json", json.dumps({"identity": identity, "file": text}, indent=2))
        (self.path / "engine").mkdir(exist_ok=True)
        return lock

    def member(self, sha: str) -> Path:
        """Folder of a member."""
        return self.path / "members" / sha[:16]

    def prepare(self, member: Member) -> None:
        """Make the folder of a member with its case."""
        folder = self.member(member.sha)
        folder.mkdir(parents=True, exist_ok=True)
        write_text(folder / "member.toml", member.case.to_toml())

    def record(self, sha: str) -> Record:
        """How a member ended; missing if it has not."""
        try:
            return Record(**json.loads((self.member(sha) / "record.json").read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return Record(MISSING)

    def summary(self, sha: str) -> dict[str, Any]:
        """Summary of a member, empty if it has none."""
        try:
            summary: dict[str, Any] = json.loads(
                (self.member(sha) / "run" / "summary.json").read_text(encoding="utf-8")
            )
        except (OSError, ValueError):
            return {}
        return summary


def write_record(folder: Path, record: Record) -> None:
    """Say how the member in a folder ended."""
    write_text(folder / "record.json", json.dumps(asdict(record)))


def write_text(path: Path, text: str) -> None:
    """Write a file so that it is there as a whole or not at all."""
    partial = path.with_name(f"{path.name}.part")
    partial.write_text(text + "\n", encoding="utf-8")
    os.replace(partial, path)
