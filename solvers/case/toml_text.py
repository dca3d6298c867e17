"""The text of a case file and the raw values in it."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from solvers.errors import InputError, nearest

# Keys of a case file that are no part of the case, with their descriptions; see `solvers.case.extends`.
FILE_KEYS = {
    "extends": "Another case file, its path relative to this one: this file takes all of it and says only what "
    "differs. Blocks merge key by key: [[layer]] and phases by name, [[interface]] by between, [[bath]] by layer and "
    "face; those that the other file has not are added at the end, and so is every [[load]]. Other lists are "
    "replaced. A key puts aside those that exclude it: resistance_area a perfect contact, hold a ramp (no unit)",
    "remove": "Keys and blocks of the other file to leave out, written as for --set: "
    '["interface.working|load.conducts_in", "drive.return_plane", "load"] (no unit); only with extends',
}


def read_text(path: Path) -> str:
    """Text of a case file.

    Raises:
        InputError: there is no such file, or it cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        folder = path.parent
        stems = [entry.stem for entry in sorted(folder.glob("*.toml"))] if folder.is_dir() else []
        hint = nearest(path.stem, stems)
        end = f'; did you mean "{folder / hint}.toml"?' if hint else ""
        raise InputError(f"{path}: no such case file{end}") from None
    except IsADirectoryError:
        raise InputError(f"{path}: is a folder, not a case file") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: is not a text file in UTF-8") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None


def parse_toml(text: str, source: str) -> dict[str, Any]:
    """The raw values of a TOML text.

    Args:
        text: the text.
        source: name of the file, for the message.

    Raises:
        InputError: it is no valid TOML; one line with the line number.
    """
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        message = str(error)
        match = re.search(r" \(at line (\d+), column (\d+)\)$", message)
        lines = text.splitlines()
        number = int(match[1]) if match else max(len(lines), 1)
        reason = re.sub(r" \(at (line|end).*\)$", "", message)
        where = f", column {match[2]}" if match else ", at the end of the file"
        line = lines[number - 1] if number <= len(lines) else ""
        hint = ""
        if re.search(r"[=\[,]\s*[+-]?[\d.]+(e[+-]?\d+)?\s*[^\W\d_]", line, re.IGNORECASE):
            hint = '; a value with a unit stands in quotes, such as "50 nm"'
        raise InputError(f"{source}:{number}: not valid TOML: {reason}{where}{hint}") from None
