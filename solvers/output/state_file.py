"""The file of a checkpoint: arrays and plain data with a checksum; the last two are kept."""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from solvers.errors import InputError
from solvers.output.result import replace_file

Arrays = dict[str, npt.NDArray[Any]]

FILE, BEFORE, BROKEN = "state.npz", "state-before.npz", "state-broken.npz"
FORMAT = 1  # raise it when an older file cannot be gone on from
UNREADABLE = (
    OSError,
    EOFError,
    ValueError,
    KeyError,
    TypeError,
    MemoryError,
    NotImplementedError,
    zipfile.BadZipFile,
    zlib.error,
)


def write_state(folder: Path, arrays: Mapping[str, npt.NDArray[Any]], data: Mapping[str, Any]) -> None:
    """Write a checkpoint; at each moment the folder holds a complete one.

    Args:
        folder: of the checkpoint; made if needed.
        arrays: by name.
        data: plain data.

    Raises:
        OSError: the disk refuses; the checkpoint before is as it was.
    """
    text = json.dumps({"format": FORMAT, **data})
    folder.mkdir(exist_ok=True)
    named = {**arrays, "meta": np.array(text), "sha256": np.array(_digest(arrays, text))}
    with replace_file(folder / FILE, keep=folder / BEFORE) as partial, partial.open("wb") as stream:
        np.savez(stream, **named)  # type: ignore[arg-type]


def read_state(folder: Path) -> tuple[Arrays, dict[str, Any], str]:
    """Read the last checkpoint, or where it is damaged the one before.

    A damaged one is put aside, so that the next one written does not take the place of the good one.

    Returns:
        Arrays by name, data, and what was wrong with the last checkpoint, or "".

    Raises:
        InputError: there is none that can be gone on from.
    """
    if not folder.is_dir():
        raise InputError(f"{folder.parent}: cannot be resumed: it holds no checkpoint")
    troubles = []
    for name in (FILE, BEFORE):
        path = folder / name
        try:
            arrays, data = _read(path)
        except FileNotFoundError:
            continue
        except UNREADABLE as error:
            troubles.append(f"{path} is damaged ({type(error).__name__}: {error})")
            continue
        if data.get("format") != FORMAT:
            raise InputError(f"{path}: cannot be resumed: it is of another version of coldstack")
        if troubles:
            os.replace(folder / FILE, folder / BROKEN)
        return arrays, data, "".join(troubles)
    raise InputError(f"{folder.parent}: cannot be resumed: {'; '.join(troubles) or 'it holds no checkpoint'}")


def _read(path: Path) -> tuple[Arrays, dict[str, Any]]:
    """Arrays and data of a file; one of `UNREADABLE` if it is not as it was written."""
    size = path.stat().st_size
    with zipfile.ZipFile(path) as archive:
        if sum(entry.file_size for entry in archive.infolist()) > size:
            raise ValueError("its parts are larger than the file")
    with np.load(path, allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    text, digest = str(arrays.pop("meta")), str(arrays.pop("sha256"))
    if digest != _digest(arrays, text):
        raise ValueError("its checksum is wrong")
    data = json.loads(text)
    return arrays, data


def _digest(arrays: Mapping[str, npt.NDArray[Any]], text: str) -> str:
    digest = hashlib.sha256(text.encode())
    for name in sorted(arrays):
        values = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {values.dtype.str} {values.shape}".encode())
        digest.update(values.tobytes())
    return digest.hexdigest()
