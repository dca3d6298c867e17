"""The drive of a phase against time."""

from __future__ import annotations

from solvers.case.blocks import PhaseBlock


def drive_points(phase: PhaseBlock) -> list[tuple[float, float]]:
    """Corners (time in the phase in s, drive in units of the amplitude) of a phase's drive, from 0 to its duration."""
    if phase.hold is not None:
        return [(0.0, phase.hold), (phase.duration, phase.hold)]
    if phase.ramp is not None:
        return [(0.0, phase.ramp[0]), (phase.duration, phase.ramp[1])]
    assert phase.table is not None
    return [*phase.table[:-1], (phase.duration, phase.table[-1][1])]
