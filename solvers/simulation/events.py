"""What happens in a run, in order: each event says where it happened, for the clock has moved on by then."""

from __future__ import annotations

from dataclasses import dataclass

from solvers.case.blocks import PhaseBlock


@dataclass(frozen=True)
class PhaseStarted:
    """A phase begins, or a run that was resumed goes on in it.

    Attributes:
        cycle: number of the cycle, from 1.
        phase: the phase.
        resumed: whether part of it has passed already.
    """

    cycle: int
    phase: PhaseBlock
    resumed: bool


@dataclass(frozen=True)
class Stepped:
    """A step was accepted.

    Attributes:
        cycle: number of the cycle, from 1.
        phase: the phase.
        dt: time that it took, s.
    """

    cycle: int
    phase: PhaseBlock
    dt: float


@dataclass(frozen=True)
class PhaseEnded:
    """A phase is over; the clock stands at the start of the next one.

    Attributes:
        cycle: number of the cycle, from 1.
        phase: the phase.
    """

    cycle: int
    phase: PhaseBlock


@dataclass(frozen=True)
class CycleEnded:
    """A cycle is over.

    Attributes:
        cycle: its number, from 1.
    """

    cycle: int


Event = PhaseStarted | Stepped | PhaseEnded | CycleEnded
