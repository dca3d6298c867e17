"""Many cycles: a run from case to folder, when it ends, and jumps over cycles that change slowly."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from solvers.cycles.ending import CycleEnd as CycleEnd
    from solvers.cycles.jump import CycleJumper as CycleJumper
    from solvers.cycles.stopping import Interrupted as Interrupted

_NAMES = {
    "ending": ("CycleEnd",),
    "jump": ("CycleJumper",),
    "stopping": ("Interrupted",),
}
_HOME_OF = {name: module for module, names in _NAMES.items() for name in names}
__all__ = sorted(_HOME_OF)


def __getattr__(name: str) -> object:
    """The public names, loaded when first used: DOLFINx takes a second."""
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(importlib.import_module(f"{__name__}.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value
