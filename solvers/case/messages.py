"""One clear line for each mistake in a case: where it stands, which key, what is wrong, what is allowed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError

from solvers.case.quantities import show
from solvers.case.toml_text import FILE_KEYS
from solvers.errors import CaseProblems, Problem, choices, nearest

MOST_READ, MOST_TOLD = 200, 20  # mistakes of a file, so that a file of nonsense is told in time

Keys = tuple[str | int, ...]
Places = Mapping[Keys, str]


def label_of(entry: object) -> str | None:
    """What a reader calls an entry of a list: its name, its two layers or its layer."""
    if not isinstance(entry, Mapping):
        return None
    between = entry.get("between")
    if isinstance(between, list) and all(isinstance(name, str) for name in between):
        return "|".join(between)
    label = entry.get("name", entry.get("layer"))
    return label if isinstance(label, str) else None


def problems_of(error: ValidationError, model: type[BaseModel]) -> list[Problem]:
    """The mistakes pydantic found, the first 200 of them, in words of the case file."""
    problems: list[Problem] = []
    misspelled = set()
    found = error.errors(include_url=False)[:MOST_READ]
    for details in found:
        if details["type"] == "extra_forbidden":
            block = block_at(model, details["loc"][:-1])
            meant = nearest(str(details["loc"][-1]), block.model_fields if block else ())
            misspelled.add((*details["loc"][:-1], meant))
    for details in found:
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
                label = label_of(here) or label
        name = path_text(path) + (f" ({label})" if label else "")
        lines.append(f"{known}: {name}: {problem.message}" if name else f"{known}: {problem.message}")
    told = list(dict.fromkeys(" ".join(line.split()) for line in lines))
    more = [f"{source}: only the first {MOST_TOLD} mistakes are told"] if len(told) > MOST_TOLD else []
    return "\n".join([*told[:MOST_TOLD], *more])
