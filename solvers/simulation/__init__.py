"""A run: from a case to problems, and through the phases of its cycle."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from solvers.simulation.events import CycleEnded as CycleEnded
    from solvers.simulation.events import Event as Event
    from solvers.simulation.events import PhaseEnded as PhaseEnded
    from solvers.simulation.events import PhaseStarted as PhaseStarted
    from solvers.simulation.events import Stepped as Stepped
    from solvers.simulation.ledger import Ledger as Ledger
    from solvers.simulation.ledger import Totals as Totals
    from solvers.simulation.simulation import Simulation as Simulation
    from solvers.simulation.state import Clock as Clock
    from solvers.simulation.state import Counters as Counters
    from solvers.simulation.state import RunState as RunState

_NAMES = {
    "events": ("CycleEnded", "Event", "PhaseEnded", "PhaseStarted", "Stepped"),
    "ledger": ("Ledger", "Totals"),
    "simulation": ("Simulation",),
    "state": ("Clock", "Counters", "RunState"),
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
