"""Changes of a raw case from the command line: "key=value" with a dotted key."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from typing import Any

from solvers.case.messages import Keys, label_of, path_text
from solvers.case.toml_text import DEEPEST, TOO_DEEP, check_values
from solvers.errors import InputError, choices


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
    if not equals or not all(parts) or len(parts) > DEEPEST:
        raise InputError(f'--set {override}: write key=value, such as "cycle.repeat=1"')
    return set_value(data, parts, _override_value(text.strip(), override), f"--set {override}")


def set_value(data: dict[str, Any], parts: Sequence[str], value: Any, prefix: str) -> Keys:
    """Set one value of a raw case in place.

    Args:
        data: raw values of the case.
        parts: of a dotted key, as for `apply_override`.
        value: raw value.
        prefix: start of the messages.

    Returns: the keys of the value.

    Raises:
        InputError: no such entry of a list, or a part of the key leads into a value.
    """
    keys: Keys = ()
    here: Any = data
    for number, part in enumerate(parts):
        step: str | int = part
        if isinstance(here, list):
            step = entry_number(here, part, prefix, path_text(keys))
        elif not isinstance(here, dict):
            raise InputError(f'{prefix}: {path_text(keys)} is a value and has no "{part}"')
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
        value = tomllib.loads(f"value = {text}")["value"]
    except RecursionError:
        raise InputError(f"--set {override}: {TOO_DEEP}") from None
    except ValueError:  # no TOML, or a number of thousands of digits
        if text[:1] in {"[", "{", '"', "'"} or "\n" in text or not text:
            raise InputError(f"--set {override}: the value is not valid TOML") from None
        value = text
    check_values(value, f"--set {override}")
    return value


def entry_number(entries: list[Any], part: str, prefix: str, where: str) -> int:
    """Number of the entry of a list that a part of a dotted key names.

    Args:
        entries: raw values of the list.
        part: a number from 0, or what `label_of` gives.
        prefix: start of the message.
        where: the list, for the message.

    Raises:
        InputError: no entry or several entries of that name.
    """
    if part.isdecimal() and len(part) < 9 and int(part) < len(entries):
        return int(part)
    labels = [label_of(entry) for entry in entries]
    if part not in labels:
        part_turned = "|".join(reversed(part.split("|")))  # an interface's two layers in either order
        part = part_turned if part_turned in labels else part
    if labels.count(part) == 1:
        return labels.index(part)
    known = [label for label in labels if label] or [str(i) for i in range(len(entries))]
    trouble = "several entries" if labels.count(part) > 1 else "no entry"
    raise InputError(f'{prefix}: {where} has {trouble} "{part}"; {choices(part, known)}')
