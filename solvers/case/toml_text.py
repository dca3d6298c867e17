"""The text of a case file and the raw values in it."""

from __future__ import annotations

import re
import stat
import tomllib
import unicodedata
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


DEEPEST = 12  # tables and lists inside each other; a case has five
TOO_DEEP = f"tables and lists lie inside each other more than {DEEPEST} deep"
LARGEST_FILE = 1_000_000  # bytes


def read_text(path: Path, kind: str = "case file") -> str:
    """Text of a file.

    Args:
        path: the file.
        kind: what it is meant to be, for the messages.

    Raises:
        InputError: there is no such file, it is none or too large, or it cannot be read.
    """
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise InputError(f"{path}: is a folder, not a {kind}")
        if not stat.S_ISREG(status.st_mode):  # reading a pipe or a device may never end
            raise InputError(f"{path}: is a pipe or a device, not a {kind}")
        if status.st_size > LARGEST_FILE:
            raise InputError(f"{path}: has {status.st_size / 1e6:.1f} MB; a {kind} has {LARGEST_FILE / 1e6:g} at most")
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        folder = path.parent
        stems = [entry.stem for entry in sorted(folder.glob("*.toml"))] if folder.is_dir() else []
        hint = nearest(path.stem, stems)
        end = f'; did you mean "{folder / hint}.toml"?' if hint else ""
        raise InputError(f"{path}: no such {kind}{end}") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: is not a text file in UTF-8") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    except ValueError:  # a NUL byte, or a character that no file name has
        raise InputError(f"{path}: is no name of a file") from None


def parse_toml(text: str, source: str) -> dict[str, Any]:
    """The raw values of a TOML text.

    Args:
        text: the text.
        source: name of the file, for the message.

    Raises:
        InputError: it is no valid TOML; one line with the line number.
    """
    try:
        values = tomllib.loads(text)
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
    except RecursionError:
        raise InputError(f"{source}: {TOO_DEEP}") from None
    except ValueError:  # Python reads whole numbers of up to 4300 digits
        raise InputError(f"{source}: holds a whole number with thousands of digits") from None
    check_values(values, source)
    return values


def check_values(values: object, source: str) -> None:
    """Refuse raw values that no case has and that other code may not bear.

    Args:
        values: tables, lists and what is in them.
        source: where they were written, for the message.

    Raises:
        InputError: tables and lists too deep inside each other, or control characters or lone surrogates in a text.
    """
    waiting: list[tuple[object, int]] = [(values, 0)]
    while waiting:
        value, depth = waiting.pop()
        if depth > DEEPEST:
            raise InputError(f"{source}: {TOO_DEEP}")
        if isinstance(value, dict):
            waiting += [(inner, depth + 1) for pair in value.items() for inner in pair]
        elif isinstance(value, list):
            waiting += [(inner, depth + 1) for inner in value]
        elif isinstance(value, str) and not value.isprintable():
            bad = next((sign for sign in value if unicodedata.category(sign) in ("Cc", "Cs")), None)
            if bad is not None:
                raise InputError(f"{source}: {bad!a} in the text {ascii(value)[:60]}: texts hold no control characters")
