"""The magnetic field: London equation with a normal fraction, eddy currents."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from solvers.field.drives import AppliedField as AppliedField
    from solvers.field.drives import Drive as Drive
    from solvers.field.drives import Imposed as Imposed
    from solvers.field.drives import TransportCurrent as TransportCurrent
    from solvers.field.eddy import EddyProblem as EddyProblem
    from solvers.field.problem import FieldProblem as FieldProblem
    from solvers.field.solution import FieldSolution as FieldSolution

_NAMES = {
    "drives": ("AppliedField", "Drive", "Imposed", "TransportCurrent"),
    "eddy": ("EddyProblem",),
    "problem": ("FieldProblem",),
    "solution": ("FieldSolution",),
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
