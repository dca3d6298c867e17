"""Line numbers of the keys of a TOML text, for error messages.

`tomllib` gives values without their places. This scanner walks over a text that `tomllib` has
accepted already, so it needs to find places only and to judge nothing.
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_left

Path = tuple[str | int, ...]


def key_lines(text: str) -> dict[Path, int]:
    """Line (from 1) of every key, table and list entry of a valid TOML text.

    Returns: lines by path, such as ``("layer", 2, "thickness") -> 17``; list entries count from 0.
    """
    scanner = _Scanner(text.replace("\r\n", "\n"))
    scanner.document()
    return scanner.lines


class _Scanner:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.line_ends = [match.start() for match in re.finditer("\n", text)]
        self.lines: dict[Path, int] = {}
        self.tables_in_array: dict[Path, int] = {}  # number of [[...]] headers met per path

    def document(self) -> None:
        """Read to the end."""
        prefix: Path = ()
        while self._skip():
            if self.text.startswith("[[", self.at):
                self.at += 2
                prefix = self._resolve(self._key())
                number = self.tables_in_array.get(prefix, 0)
                self.tables_in_array[prefix] = number + 1
                self._mark(prefix)
                prefix = (*prefix, number)
                self._mark(prefix)
                self._past("]]")
            elif self.text[self.at] == "[":
                self.at += 1
                prefix = self._inside(self._resolve(self._key()))
                self._mark(prefix)
                self._past("]")
            else:
                self._assignment(prefix)

    def _inside(self, path: Path) -> Path:
        count = self.tables_in_array.get(path)
        return path if count is None else (*path, count - 1)

    def _resolve(self, keys: list[str]) -> Path:
        """Path of a header: names of arrays of tables on the way stand for their last entry."""
        path: Path = ()
        for key in keys:
            path = (*self._inside(path), key)
            self._mark(path)
        return path

    def _assignment(self, prefix: Path) -> None:
        start = self.at
        path = prefix
        for key in self._key():
            path = (*path, key)
            self._mark(path, start)
        self._past("=")
        self._value(path)

    def _value(self, path: Path) -> None:
        self._skip()
        self._mark(path)
        first = self.text[self.at]
        if first in "\"'":
            self._string()
        elif first == "[":
            self.at += 1
            number = 0
            while self._skip() and self.text[self.at] != "]":
                self._value((*path, number))
                number += 1
                self._comma()
            self.at += 1
        elif first == "{":
            self.at += 1
            while self._skip() and self.text[self.at] != "}":
                self._assignment(path)
                self._comma()
            self.at += 1
        else:
            while self.at < len(self.text) and self.text[self.at] not in ",]}#\n":
                self.at += 1

    def _comma(self) -> None:
        if self._skip() and self.text[self.at] == ",":
            self.at += 1

    def _key(self) -> list[str]:
        keys = []
        while True:
            self._skip()
            start = self.at
            if self.text[self.at] in "\"'":
                self._string()
                literal = self.text[start : self.at]
                keys.append(str(tomllib.loads(f"key = {literal}")["key"]))
            else:
                while self.text[self.at].isalnum() or self.text[self.at] in "_-":
                    self.at += 1
                keys.append(self.text[start : self.at])
            self._skip()
            if self.text[self.at] != ".":
                return keys
            self.at += 1

    def _string(self) -> None:
        quote = self.text[self.at]
        if self.text.startswith(quote * 3, self.at):
            quote *= 3
        self.at += len(quote)
        while not self.text.startswith(quote, self.at):
            self.at += 2 if quote[0] == '"' and self.text[self.at] == "\\" else 1
        self.at += len(quote)
        # A text in triple quotes may end with up to two quotes of its own.
        while len(quote) == 3 and self.text.startswith(quote[0], self.at):
            self.at += 1

    def _skip(self) -> bool:
        """Go past blanks and comments; False at the end of the text."""
        while self.at < len(self.text):
            if self.text[self.at] == "#":
                end = self.text.find("\n", self.at)
                self.at = len(self.text) if end < 0 else end
            elif self.text[self.at].isspace():
                self.at += 1
            else:
                return True
        return False

    def _past(self, mark: str) -> None:
        self.at = self.text.index(mark, self.at) + len(mark)

    def _mark(self, path: Path, at: int | None = None) -> None:
        if path not in self.lines:
            self.lines[path] = bisect_left(self.line_ends, self.at if at is None else at) + 1
