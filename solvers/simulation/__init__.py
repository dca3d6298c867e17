"""A run: from a case to problems, and through the phases of its cycle."""

from typing import TYPE_CHECKING

from meshes.lazy import lazy_names

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

__getattr__, __all__ = lazy_names(
    __name__,
    {
        "solvers.simulation.events": ["CycleEnded", "Event", "PhaseEnded", "PhaseStarted", "Stepped"],
        "solvers.simulation.ledger": ["Ledger", "Totals"],
        "solvers.simulation.simulation": ["Simulation"],
        "solvers.simulation.state": ["Clock", "Counters", "RunState"],
    },
)
