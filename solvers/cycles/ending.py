"""What happens between cycles: is the run steady, has it reached its goal, may it pass over cycles?"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from meshes.arrays import Floats
from solvers.cycles.jump import CycleJumper
from solvers.output.recorder import Recorder
from solvers.simulation.simulation import Simulation
from solvers.simulation.state import RunState

PASSES = 2  # times in a row that the run must look steady: one ratio of growths may be small by chance


class Steadiness:
    """Estimates how far temperatures are from those that they settle at.

    Successive differences d of ln T that shrink by a factor r from cycle to cycle leave d r / (1 - r) to go. So a
    layer that creeps is not taken for one that has arrived.

    Args:
        tolerance: distance in ln T at which a layer counts as settled.
    """

    def __init__(self, tolerance: float) -> None:
        self.tolerance = tolerance
        self.passes = 0
        self.last: tuple[int, list[float]] | None = None

    def settled(self, cycle: int, growth: Floats) -> bool:
        """Whether all layers have settled, told after a cycle in which ln T grew by (n_layers,)."""
        last, self.last = self.last, (cycle, [float(value) for value in growth])
        if last is None:
            return False
        d, before = np.abs(growth), np.abs(np.array(last[1]))
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = (d / before) ** (1.0 / (cycle - last[0]))
            left = np.where(ratio < 1.0, d * ratio / (1.0 - ratio), np.inf)
        left = np.where(d == 0.0, 0.0, np.maximum(left, d))
        self.passes = self.passes + 1 if (left < self.tolerance).all() else 0
        return self.passes >= PASSES


class CycleEnd:
    """Ends a run early, or lets it pass over cycles, as the case wants.

    Args:
        sim: the run.
        recorder: what it records.

    Attributes:
        steady_after: cycle after which it was found steady, or None.
        computed: cycles computed, those of jumps taken back included.
        goal_after: cycle after which the cold layer had reached `stop_at`, or None.
    """

    def __init__(self, sim: Simulation, recorder: Recorder) -> None:
        self.sim, self.recorder = sim, recorder
        settings = sim.case.cycle
        self.steady = Steadiness(settings.steady) if settings.steady is not None else None
        self.jumper = CycleJumper(sim, recorder, settings.jump) if settings.jump is not None else None
        self.steady_after: int | None = None
        self.goal_after: int | None = None
        self.computed = 0
        self._last: Floats | None = None  # ln T after the last cycle

    @property
    def finished(self) -> bool:
        """Whether the run may stop before its last cycle."""
        return self.steady_after is not None or self.goal_after is not None

    def end_of_cycle(self) -> None:
        """Look at the cycle just recorded; may change the run (collective)."""
        self.computed += 1
        cycle, settings = self.sim.clock.cycle, self.sim.case.cycle
        status = "ready" if self.jumper is None else self.jumper.end_of_cycle()
        if status == "wait":
            return
        if status == "ready":
            growth = self._growth()
            if self.steady is not None and growth is not None and self.steady.settled(cycle, growth):
                self.steady_after = cycle
            if settings.stop_at is not None and self.recorder.accounts.cycles[-1]["T_cold_K"] <= settings.stop_at:
                self.goal_after = cycle
        looks_steady = self.steady is not None and self.steady.passes > 0  # the next cycle shall tell
        if self.jumper is not None and not self.finished and not looks_steady:
            self.jumper.jump(settings.repeat - self.sim.clock.cycle, self._goal())

    def _growth(self) -> Floats | None:
        """Change of ln T of each layer in the last cycle; None for the first, which began in another way."""
        if self.jumper is not None:
            return self.jumper.growth
        levels = np.asarray(np.log(self.sim.totals().temperature))
        last, self._last = self._last, levels
        return None if last is None else np.asarray(levels - last)

    def _goal(self) -> tuple[int, float] | None:
        stop = self.sim.case.cycle.stop_at
        layer = self.sim.heat.space.layer_number(self.recorder.accounts.cold)
        return None if stop is None else (layer, math.log(stop))

    def report(self) -> dict[str, Any]:
        """What the summary says."""
        jumps = [] if self.jumper is None else self.jumper.jumps
        return {
            "cycles_passed": self.sim.clock.cycle,
            "steady_after": self.steady_after,
            "stop_at_after": self.goal_after,
            "jumps": jumps,
            "jump_error": sum(jump["error"] for jump in jumps),
        }

    def counts(self) -> dict[str, int]:
        """What the summary says of the solver."""
        return {"cycles_computed": self.computed, "jumps_refused": self.refused}

    @property
    def refused(self) -> int:
        """Jumps taken back because they were too long."""
        return 0 if self.jumper is None else self.jumper.refused

    @property
    def before(self) -> RunState | None:
        """State of the run before a jump that may be taken back."""
        return None if self.jumper is None else self.jumper.before

    def state(self) -> dict[str, Any]:
        """Plain numbers, for the checkpoint."""
        return {
            "steady_after": self.steady_after,
            "goal_after": self.goal_after,
            "computed": self.computed,
            "_last": None if self._last is None else self._last.tolist(),
            "steady": None if self.steady is None else vars(self.steady),
            "jumper": None if self.jumper is None else self.jumper.state(),
        }

    def restore(self, state: dict[str, Any], before: RunState | None) -> None:
        """Go on from a checkpoint: what `state` gave, and `before`."""
        for name in ("steady_after", "goal_after", "computed"):
            setattr(self, name, state[name])
        self._last = None if state["_last"] is None else np.array(state["_last"])
        if self.steady is not None:
            vars(self.steady).update(state["steady"])
        if self.jumper is not None:
            self.jumper.restore(state["jumper"], before)
