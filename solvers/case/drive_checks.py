"""Checks of the drive: its conductor, and what the phases ask of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fem.materials.material import Material
from solvers.case.blocks import PhaseBlock
from solvers.case.geometry import footprint
from solvers.case.parts import CaseParts, known_layers
from solvers.errors import Problem, nearest


def drive_problems(parts: CaseParts, stands: bool) -> Iterator[Problem]:
    """Whether the drive has a conductor with free ends; `stands`: the layers touch."""
    drive = parts.drive
    if drive is None or drive.current_through is None:
        return
    path = ("drive", "current_through")
    name = drive.current_through
    if name not in parts.layer_names:
        if None in parts.layer_names or not parts.layer_names:
            return
        superconductors = [
            layer.name
            for i, layer in enumerate(parts.layers)
            if layer is not None and _superconducts(parts.resolved.get(i))
        ]
        listed = ", ".join(superconductors) or "none in this case"
        hint = nearest(name, known_layers(parts))
        end = f'did you mean "{hint}"?' if hint else f"superconducting layers: {listed}"
        yield Problem(path, f'the drive has no conductor: there is no layer "{name}"; {end}')
        return
    number = list(parts.layer_names).index(name)
    layer = parts.layers[number]
    if layer is None:
        return
    material = parts.resolved.get(number)
    if material is not None and not _superconducts(material):
        yield Problem(
            path,
            f'the drive has no conductor: layer "{name}" is {material.name}, which is no '
            "superconductor (critical_temperature and penetration depth)",
        )
        return
    left, right, _, _ = footprint(layer)
    longer = [
        f'"{other.name}"'
        for other in parts.layers
        if other is not None and other is not layer
        if footprint(other)[0] <= left or footprint(other)[1] >= right
    ]
    if longer and stands:
        yield Problem(
            path,
            f'layer "{name}" must reach further in x than {" and ".join(longer)} at both ends, '
            "where the current enters and leaves",
        )


def _superconducts(material: Material | None) -> bool:
    return material is not None and material.superconducting and material.penetration_depth0 is not None


def phase_problems(parts: CaseParts) -> Iterator[Problem]:
    """Whether there is a drive for what the phases ask."""
    if parts.drive_given:
        return
    for i, phase in enumerate(parts.phases):
        if phase is None:
            continue
        values = [phase.hold or 0.0, *(phase.ramp or ()), *(v for _, v in phase.table or ())]
        if any(values):
            key = next(key for key in ("hold", "ramp", "table") if getattr(phase, key) is not None)
            yield Problem(("cycle", "phases", i, key), "there is no [drive], so the drive can only be 0")


def drive_jumps(phases: Sequence[PhaseBlock], repeated: bool) -> list[str]:
    """Warnings where the drive stands elsewhere at the start of a phase than at the end of the one before.

    Args:
        phases: of a cycle, in order; before the first one of the first cycle the drive is 0.
        repeated: whether the first phase follows the last one.
    """
    out = []
    start, what = 0.0, "at the start of the run"
    for number, phase in enumerate([*phases, *phases[: int(repeated)]]):
        first, last = phase.drive_ends
        if first != start and not (number == len(phases) and first == 0.0 == phases[0].drive_ends[0] == start):
            out.append(
                f'the drive jumps from {start:g} to {first:g} of its amplitude {what} of phase "{phase.name}": films '
                "switch and layers are heated as if the field changed at once. Let a ramp lead there"
            )
        start, what = last, f'from the end of phase "{phase.name}" to the start'
    return list(dict.fromkeys(out))
