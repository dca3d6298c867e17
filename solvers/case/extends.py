"""Case files that take all of another one and change or add a few keys: `extends` and `remove`.

The values of a file are kept with the place where each was written, so that a message about the
merged case names the right file and line.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from solvers.case.base import Block
from solvers.case.messages import Keys, block_at, path_text
from solvers.case.overrides import entry_number
from solvers.case.toml_lines import key_lines
from solvers.case.toml_text import FILE_KEYS, parse_toml, read_text
from solvers.errors import InputError, choices

# What makes two entries of a list the same one: the values of these keys.
_IDENTITY: dict[Keys, tuple[str, ...]] = {
    ("layer",): ("name",),
    ("interface",): ("between",),
    ("bath",): ("layer", "face"),
    ("load",): (),
    ("cycle", "phases"): ("name",),
}
LONGEST_CHAIN = 20  # files that extend each other


@dataclass
class _Located:
    """A raw value and where it was written; tables and lists hold more of these."""

    value: Any
    place: str


def read_case_file(path: Path, model: type[BaseModel]) -> tuple[dict[str, Any], dict[Keys, str]]:
    """The raw values of a case file and of the files it extends, as one.

    Args:
        path: TOML file.
        model: the case, for the keys that exclude each other.

    Returns: raw values, and where each key was written, such as "case.toml:12".

    Raises:
        InputError: a file cannot be read, or files extend each other in a circle.
    """
    merged = _read(path, read_text(path), (), model)
    places: dict[Keys, str] = {}
    data = _plain(merged, (), places)
    del places[()]
    return data, places


def _read(path: Path, text: str, chain: tuple[Path, ...], model: type[BaseModel]) -> _Located:
    """A file with this text, merged with those it extends; `chain`: the files that extend this one."""
    top = _located(parse_toml(text, str(path)), key_lines(text), str(path))
    extends, remove = (top.value.pop(key, None) for key in FILE_KEYS)
    if extends is None:
        if remove is not None:
            raise InputError(f"{remove.place}: remove: only with extends: there is nothing to remove from")
        return top
    if not isinstance(extends.value, str):
        raise InputError(f'{extends.place}: extends: needs the name of a case file in quotes, such as "base.toml"')
    base_path = path.parent / extends.value
    chain = (*chain, path)
    if len(chain) > LONGEST_CHAIN:
        raise InputError(f"{extends.place}: extends: more than {LONGEST_CHAIN} files extend each other")
    if base_path.resolve() in [file.resolve() for file in chain]:
        circle = " -> ".join(map(str, (*chain, base_path)))
        raise InputError(f"{extends.place}: extends: the files extend each other in a circle: {circle}")
    try:
        base_text = read_text(base_path)
    except InputError as error:
        raise InputError(f"{extends.place}: extends: {error}") from None
    base = _read(base_path, base_text, chain, model)
    if remove is not None:
        _remove(base, remove, str(base_path))
    return _merge(base, top, (), model)


def _located(value: Any, lines: dict[Keys, int], source: str, path: Keys = ()) -> _Located:
    if isinstance(value, dict):
        value = {key: _located(inner, lines, source, (*path, key)) for key, inner in value.items()}
    elif isinstance(value, list):
        value = [_located(inner, lines, source, (*path, i)) for i, inner in enumerate(value)]
    return _Located(value, f"{source}:{lines[path]}" if path else source)


def _plain(node: _Located, path: Keys, places: dict[Keys, str]) -> Any:
    """The raw value without its places, which are put into `places`."""
    places[path] = node.place
    if isinstance(node.value, dict):
        return {key: _plain(inner, (*path, key), places) for key, inner in node.value.items()}
    if isinstance(node.value, list):
        return [_plain(inner, (*path, i), places) for i, inner in enumerate(node.value)]
    return node.value


def _remove(base: _Located, remove: _Located, source: str) -> None:
    """Take keys and entries out of the base; `source`: its file, for the message."""
    keys = remove.value if isinstance(remove.value, list) else [remove]
    found: list[tuple[Any, str | int]] = []  # the table or list, and the key or number in it
    for key in keys:
        if not isinstance(key.value, str) or keys is not remove.value:
            raise InputError(f'{key.place}: remove: needs a list of keys in quotes, such as ["drive.return_plane"]')
        prefix = f"{key.place}: remove: {key.value}"
        here = base.value
        done: Keys = ()
        steps = key.value.split(".")
        for number, part in enumerate(steps):
            step: str | int = part
            if isinstance(here, list):
                step = entry_number([_plain(entry, (), {}) for entry in here], part, prefix, path_text(done))
            elif not isinstance(here, dict) or part not in here:
                known = choices(part, here) if isinstance(here, dict) else f"{path_text(done)} is a value"
                raise InputError(f'{prefix}: {source} has no "{part}" there; {known}')
            if number == len(steps) - 1:
                found.append((here, step))
            else:
                here, done = here[step].value, (*done, step)
    # All are found first, and the last of a list goes first: numbers are those of the other file.
    for here, step in sorted(found, key=lambda place: place[1] if isinstance(place[1], int) else 0, reverse=True):
        if isinstance(here, dict):
            here.pop(step, None)
        else:
            del here[step]


def _merge(base: _Located, top: _Located, path: Keys, model: type[BaseModel]) -> _Located:
    """The base with what the extending file says; `path`: keys from the top, without list numbers."""
    if isinstance(base.value, dict) and isinstance(top.value, dict):
        merged = {key: inner for key, inner in base.value.items() if key not in _put_aside(top.value, path, model)}
        for key, inner in top.value.items():
            merged[key] = _merge(merged[key], inner, (*path, key), model) if key in merged else inner
        return _Located(merged, top.place)
    keys = _IDENTITY.get(path)
    if keys is None or not isinstance(base.value, list) or not isinstance(top.value, list):
        return top
    entries = list(base.value)
    # Each entry of the base is changed once: two blocks of one name in a file stay two, a mistake to be told.
    number = {name: i for i, entry in enumerate(base.value) if (name := _identity(entry, keys)) is not None}
    for entry in top.value:
        i = number.pop(_identity(entry, keys) or "", None)
        if i is None:
            entries.append(entry)
        else:
            entries[i] = _merge(entries[i], entry, path, model)
    return _Located(entries, top.place)


def _identity(entry: _Located, keys: tuple[str, ...]) -> str | None:
    """A text that is the same for two entries that mean the same thing; None: the entry stands for itself."""
    if not keys or not isinstance(entry.value, dict) or not entry.value.keys() >= set(keys):
        return None
    values = [_plain(entry.value[key], (), {}) for key in keys]
    return repr([sorted(map(str, value)) if isinstance(value, list) else value for value in values])


def _put_aside(table: dict[str, _Located], path: Keys, model: type[BaseModel]) -> set[str]:
    """Keys of the base that the keys of an extending table exclude."""
    block = block_at(model, path)
    if block is None or not issubclass(block, Block):
        return set()
    return {
        key
        for group in block.alternatives
        if table.keys() & set(group)
        for other in block.alternatives
        if other is not group
        for key in other
    }
