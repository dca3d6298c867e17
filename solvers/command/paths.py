"""Where a command may write: checked before any work.

Raises `InputError` where it may not.
"""

from __future__ import annotations

import os
from pathlib import Path

from solvers.errors import InputError
from solvers.output.lock import refuse_existing


def check_output(folder: Path, resume: bool) -> None:
    """Whether the output folder is new, or holds what is to be resumed."""
    if resume:
        if not (folder / "checkpoint").is_dir():
            what = "holds no checkpoint" if folder.is_dir() else "no such folder"
            raise InputError(f"{folder}: cannot be resumed: {what}")
        return
    refuse_existing(folder)
    check_writable(folder)


def check_picture(picture: Path) -> None:
    """Whether a picture can be written there."""
    formats = (".png", ".pdf", ".svg")
    if picture.suffix.lower() not in formats:
        raise InputError(f"{picture}: a picture ends in {', '.join(formats)}")
    if not picture.parent.is_dir():
        raise InputError(f"{picture}: there is no folder {picture.parent}")
    check_writable(picture)


def check_writable(path: Path) -> None:
    """Whether a file or folder can be made there."""
    parent = next(folder for folder in path.absolute().parents if folder.exists())
    if not parent.is_dir():
        raise InputError(f"{path}: cannot be written, because {parent} is a file")
    if not os.access(parent, os.W_OK | os.X_OK):
        raise InputError(f"{path}: cannot be written, because {parent} is write-protected")
