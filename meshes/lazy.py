"""Public names of a package that are imported when they are first used (PEP 562)."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping, Sequence


def lazy_names(package: str, homes: Mapping[str, Sequence[str]]) -> tuple[Callable[[str], object], list[str]]:
    """Make what a package needs to import its public names late: DOLFINx takes a second, pydantic a third of one.

    Args:
        package: its `__name__`.
        homes: module -> the public names that it defines.

    Returns:
        `__getattr__` and `__all__` of the package. The first raises an AttributeError that lists the names where there
        is none of the name asked for.
    """
    home_of = {name: home for home, names in homes.items() for name in names}
    public = sorted(home_of)

    def load(name: str) -> object:
        if name not in home_of:
            raise AttributeError(f"module {package!r} has no attribute {name!r}; it has {', '.join(public)}")
        value: object = getattr(importlib.import_module(home_of[name]), name)
        setattr(sys.modules[package], name, value)
        return value

    return load, public
