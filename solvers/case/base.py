"""What all blocks of a case file are made of: the base class, names, lists, and how problems are raised."""

from __future__ import annotations

import re
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict

from solvers.errors import CaseProblems, Problem

RESERVED_NAMES = ("vacuum", "box", "symmetry")


class Block(BaseModel):
    """Base of all blocks: unknown keys are errors, values cannot be changed afterwards.

    Attributes:
        alternatives: groups of keys that exclude each other; in a file that `extends` another one,
            a key of one group puts aside what the other file says in the other groups.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    alternatives: ClassVar[tuple[tuple[str, ...], ...]] = ()


def _name(value: str) -> str:
    # Names become names of mesh groups ("lower|upper", "NAME.top") and parts of --set keys.
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*", value):
        raise ValueError(f'"{value}" is no name: use letters, digits, "_" and "-", starting with a letter')
    if value.lower() in RESERVED_NAMES:
        raise ValueError(f'"{value}" is reserved for the mesh; choose another name')
    return value


def list_of(count: int, what: str) -> BeforeValidator:
    """Validator of a list with `count` entries, described in words by `what`."""

    def check(value: object) -> object:
        if value is not None and (not isinstance(value, list | tuple) or len(value) != count):
            raise ValueError(f"needs a list of {what}")
        return value

    return BeforeValidator(check)


def not_empty(what: str) -> AfterValidator:
    """Validator of a list that must not be empty; `what` says what to do."""

    def check(value: Any) -> Any:
        if value is not None and not len(value):
            raise ValueError(f"the list is empty; {what}")
        return value

    return AfterValidator(check)


def at_most(count: int, what: str) -> AfterValidator:
    """Validator of a list with at most `count` entries."""

    def check(value: Any) -> Any:
        if value is not None and len(value) > count:
            raise ValueError(f"{len(value)} {what} are too many: {count} at most")
        return value

    return AfterValidator(check)


def raise_problems(*problems: tuple[str, str]) -> None:
    """Raise for problems given as (key, message); an empty key stands for the block."""
    if problems:
        raise CaseProblems(Problem((key,) if key else (), message) for key, message in problems)


def exactly_one(block: Block, keys: tuple[str, ...]) -> list[tuple[str, str]]:
    """Problem, as (key, message), of a block that does not give just one of some keys."""
    given = [key for key in keys if getattr(block, key) is not None]
    if len(given) == 1:
        return []
    counted = f"{len(given)} are given" if given else "none is given"
    return [(given[1] if given else "", f"needs exactly one of {', '.join(keys)}; {counted}")]


Name = Annotated[str, AfterValidator(_name)]
