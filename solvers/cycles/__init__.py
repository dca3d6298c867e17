"""Many cycles: a run from case to folder, when it ends, and jumps over cycles that change slowly."""

from typing import TYPE_CHECKING

from meshes.lazy import lazy_names

if TYPE_CHECKING:
    from solvers.cycles.ending import CycleEnd as CycleEnd
    from solvers.cycles.jump import CycleJumper as CycleJumper
    from solvers.cycles.stopping import Interrupted as Interrupted

__getattr__, __all__ = lazy_names(
    __name__,
    {
        "solvers.cycles.ending": ["CycleEnd"],
        "solvers.cycles.jump": ["CycleJumper"],
        "solvers.cycles.stopping": ["Interrupted"],
    },
)
