"""Reading a case file: TOML, changes from the command line, and one clear line per mistake."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError

from solvers.case.quantities import show
from solvers.errors import CaseProblems, InputError, Problem, choices, nearest

# Keys of a case file that are no part of the case, with their descriptions; see `solvers.case.extends`.
FILE_KEYS = {
    "extends": "Another case file, its path relative to this one: this file takes all of it and says only what "
    "differs. Blocks merge key by key: [[layer]] and phases by name, [[interface]] by between, [[bath]] by layer and "
    "face; those that the other file has not are added at the end, and so is every [[load]]. Other lists are "
    "replaced. A key puts aside those that exclude it: resistance_area a perfect contact, hold a ramp (no unit)",
    "remove": "Keys and blocks of the other file to leave out, written as for --set: "
    '["interface.working|load.conducts_in", "drive.return_plane", "load"] (no unit); only with extends',
}

Keys = tuple[str | int, ...]
Places = Mapping[Keys, str]


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


def apply_override(data: dict[str, Any], override: str) -> Keys:
    """Change one value of a raw case in place.

    Args:
        data: raw values of the case.
        override: "key=value" with a dotted key. An entry of a list is named by its number from 0,
            its name, its two layers ("working|load") or its layer: "layer.load.thickness=2um".

    Returns: the keys of the value.

    Raises:
        InputError: no "=", no such entry of a list, or a value that cannot be read.
    """
    key, equals, text = override.partition("=")
    parts = key.strip().split(".")
    if not equals or not all(parts):
        raise InputError(f'--set {override}: write key=value, such as "cycle.repeat=1"')
    value = _override_value(text.strip(), override)
    keys: Keys = ()
    here: Any = data
    for number, part in enumerate(parts):
        step: str | int = part
        if isinstance(here, list):
            step = entry_number(here, part, f"--set {override}", path_text(keys))
        elif not isinstance(here, dict):
            raise InputError(f'--set {override}: {path_text(keys)} is a value and has no "{part}"')
        keys = (*keys, step)
        if number == len(parts) - 1:
            here[step] = value
        elif isinstance(here, dict):
            here = here.setdefault(step, {})
        else:
            here = here[step]
    return keys


def _override_value(text: str, override: str) -> Any:
    """A TOML value; anything that is none is a text, so that 2um needs no quotes."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        if text[:1] in {"[", "{", '"', "'"} or "\n" in text or not text:
            raise InputError(f"--set {override}: the value is not valid TOML") from None
        return text


def entry_number(entries: list[Any], part: str, prefix: str, where: str) -> int:
    """Number of the entry of a list that a part of a dotted key names.

    Args:
        entries: raw values of the list.
        part: a number from 0, or what `_label` gives.
        prefix: start of the message.
        where: the list, for the message.

    Raises:
        InputError: no entry or several entries of that name.
    """
    if part.isdecimal() and int(part) < len(entries):
        return int(part)
    labels = [_label(entry) for entry in entries]
    if labels.count(part) == 1:
        return labels.index(part)
    known = [label for label in labels if label] or [str(i) for i in range(len(entries))]
    trouble = "several entries" if labels.count(part) > 1 else "no entry"
    raise InputError(f'{prefix}: {where} has {trouble} "{part}"; {choices(part, known)}')


def _label(entry: object) -> str | None:
    """What a reader calls an entry of a list: its name, its two layers or its layer."""
    if not isinstance(entry, Mapping):
        return None
    between = entry.get("between")
    if isinstance(between, list) and all(isinstance(name, str) for name in between):
        return "|".join(between)
    label = entry.get("name", entry.get("layer"))
    return label if isinstance(label, str) else None


def problems_of(error: ValidationError, model: type[BaseModel]) -> list[Problem]:
    """The mistakes pydantic found, in words of the case file."""
    problems: list[Problem] = []
    misspelled = set()
    for details in error.errors():
        if details["type"] == "extra_forbidden":
            block = block_at(model, details["loc"][:-1])
            meant = nearest(str(details["loc"][-1]), block.model_fields if block else ())
            misspelled.add((*details["loc"][:-1], meant))
    for details in error.errors():
        path = tuple(details["loc"])
        if details["type"] == "missing" and path in misspelled:
            continue  # one mistake, one line
        cause = details.get("ctx", {}).get("error")
        if isinstance(cause, CaseProblems):
            problems += [Problem((*path, *p.path), p.message) for p in cause.problems]
        elif isinstance(cause, ValueError):
            problems.append(Problem(path, str(cause)))
        else:
            problems.append(Problem(path, _message(path, dict(details), model)))
    return problems


def _message(path: Keys, details: dict[str, Any], model: type[BaseModel]) -> str:
    """Words for an error found by pydantic itself."""
    kind, value = details["type"], details.get("input")
    key = str(path[-1]) if path else ""
    if kind == "extra_forbidden":
        return _unknown_key(path, model)
    if kind == "missing":
        block = block_at(model, path[:-1])
        field = block.model_fields.get(key) if block else None
        description = f": {field.description}" if field and field.description else ""
        return f"is missing{description}"
    if kind == "literal_error":
        allowed = re.findall(r"'([^']*)'", details["ctx"]["expected"])
        return f"{show(value)} is not allowed; {choices(str(value), allowed)}"
    if kind == "string_type":
        return f"needs a text in quotes, not {show(value)}"
    if kind in {"bool_type", "bool_parsing"}:
        return f"needs true or false, not {show(value)}"
    if kind == "list_type":
        write = f"write [[{key}]] for each entry" if isinstance(value, dict) else "write [ ... ]"
        return f"needs a list, not {show(value)}; {write}"
    if kind in {"model_type", "model_attributes_type", "dict_type"}:
        name = ".".join(str(part) for part in path if isinstance(part, str))
        return f"needs a block of keys, not {show(value)}; write [{name}]"
    return str(details["msg"])


def _unknown_key(path: Keys, model: type[BaseModel]) -> str:
    key = str(path[-1])
    block = block_at(model, path[:-1])
    allowed = list(block.model_fields) if block else []
    if len(path) == 1:
        allowed += FILE_KEYS
    if nearest(key, allowed) is None:
        for name, field in model.model_fields.items():
            inner = _model_in(field.annotation)
            if inner is not None and inner is not block and key in inner.model_fields:
                return f"unknown key; {key} belongs into the block [{name}]"
    return f"unknown key; {choices(key, allowed)}"


def block_at(model: type[BaseModel], path: Keys) -> type[BaseModel] | None:
    """The model of the block at a path in a model, if there is a block."""
    block: type[BaseModel] | None = model
    named = False  # the next key is a name chosen by the user, as in material.NAME
    for key in path:
        if isinstance(key, int):
            continue
        if named:
            named = False
            continue
        if block is None or key not in block.model_fields:
            return None
        annotation = block.model_fields[key].annotation
        named = get_origin(annotation) is dict
        block = _model_in(annotation)
    return block


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((m for m in map(_model_in, get_args(annotation)) if m is not None), None)


def path_text(path: Keys) -> str:
    """A path as written in messages: ``layer[2].thickness``, entries counted from 0."""
    text = ""
    for key in path:
        text += f"[{key}]" if isinstance(key, int) else f".{key}" if text else key
    return text


def describe(problems: Iterable[Problem], data: Any, places: Places, source: str) -> str:
    """One line per mistake: where it is, which key, what is wrong, what is allowed.

    Args:
        problems: the mistakes.
        data: raw values of the case, for the names of the blocks.
        places: where each key was written, such as "case.toml:12".
        source: name of the file, for what is nowhere in it.
    """
    lines = []
    for problem in problems:
        path = problem.path
        known = next((places[path[:n]] for n in range(len(path), 0, -1) if path[:n] in places), source)
        label = None
        here = data
        for key in path:
            try:
                here = here[key]
            except (KeyError, IndexError, TypeError):
                break
            if isinstance(key, int):
                label = _label(here) or label
        name = path_text(path) + (f" ({label})" if label else "")
        lines.append(f"{known}: {name}: {problem.message}" if name else f"{known}: {problem.message}")
    return "\n".join(dict.fromkeys(" ".join(line.split()) for line in lines))
