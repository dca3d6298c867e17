"""What a run writes: history, accounts, profiles, fields, checkpoint, summary."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from solvers.output.accounts import Accounts as Accounts
    from solvers.output.case_file import write_case as write_case
    from solvers.output.folder import OutputFolder as OutputFolder
    from solvers.output.history import History as History
    from solvers.output.paraview import to_paraview as to_paraview
    from solvers.output.profiles import Profiles as Profiles
    from solvers.output.recorder import Recorder as Recorder
    from solvers.output.result import Result as Result

_NAMES = {
    "accounts": ("Accounts",),
    "case_file": ("write_case",),
    "folder": ("OutputFolder",),
    "history": ("History",),
    "paraview": ("to_paraview",),
    "profiles": ("Profiles",),
    "recorder": ("Recorder",),
    "result": ("Result",),
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
