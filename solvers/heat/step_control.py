"""How long the steps in time are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class StepControl:
    """Length of the next step from the error of the last one, for a method of second order.

    Attributes:
        safety: part of the length at which the error would just be allowed.
        growth: largest factor from step to step.
        shrink: smallest factor from step to step.
        failed: factor after a step that found no solution.
        shortest: steps shorter than this part of the whole time mean that there is no solution to be found.
    """

    safety: float = 0.9
    growth: float = 5.0
    shrink: float = 0.2
    failed: float = 0.25
    shortest: float = 1e-18

    def accepts(self, error: float) -> bool:
        """Whether a step may stand, by its error over tolerance; no number may not."""
        return error <= 1.0

    def after(self, dt: float, error: float) -> float:
        """Length (s) for the next step, or for another try of one that may not stand: always shorter.

        Args:
            dt: length of the step, s.
            error: its error over tolerance.
        """
        if not np.isfinite(error):
            return dt * self.shrink
        factor = self.growth if error == 0.0 else self.safety / np.cbrt(error)
        return dt * float(np.clip(factor, self.shrink, self.growth))

    def after_failure(self, dt: float) -> float:
        """Length (s) for another try of a step of dt that found no solution."""
        return self.failed * dt

    def hopeless(self, dt: float, duration: float) -> bool:
        """Whether steps of dt (s) lead nowhere in a time of `duration` (s)."""
        return not dt >= self.shortest * duration
