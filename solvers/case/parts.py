"""The blocks of a case that checks compare, some of them wrong in themselves, and names that no block has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from fem.materials.material import Material
from solvers.case.blocks import BathBlock, DriveBlock, InterfaceBlock, LayerBlock, LoadBlock, PhaseBlock
from solvers.case.settings import MaterialBlock, MeshSettings, PhysicsBlock
from solvers.errors import Problem, choices


@dataclass
class CaseParts:
    """The blocks of a case; None stands for a block that is wrong in itself or not there.

    Attributes:
        layer_names: names of all layers, also of those that are wrong in themselves.
        phase_names: names of all phases; None if they are unknown.
        drive_given: whether the case has a drive, right or wrong.
    """

    layers: Sequence[LayerBlock | None]
    layer_names: Sequence[str | None]
    interfaces: Sequence[InterfaceBlock | None]
    drive: DriveBlock | None
    drive_given: bool
    phases: Sequence[PhaseBlock | None]
    phase_names: Sequence[str] | None
    baths: Sequence[BathBlock | None]
    loads: Sequence[LoadBlock | None]
    materials: Mapping[str, MaterialBlock | None]
    mesh: MeshSettings | None
    physics: PhysicsBlock | None
    resolved: dict[int, Material] = field(default_factory=dict)  # material of each layer


def known_layers(parts: CaseParts) -> list[str]:
    """The names of the layers that have one."""
    return [name for name in parts.layer_names if name is not None]


def unknown_layer(parts: CaseParts, name: str, path: tuple[str | int, ...]) -> Iterator[Problem]:
    """Problem of a name that no layer has; none where the names of all layers are not known."""
    names = known_layers(parts)
    if name not in names and len(names) == len(parts.layer_names) > 0:
        yield Problem(path, f'there is no layer "{name}"; {choices(name, names)}')


def unknown_phases(parts: CaseParts, names: Sequence[str] | None, path: tuple[str | int, ...]) -> Iterator[Problem]:
    """Problems of names that no phase has; none where the names of the phases are not known."""
    known = parts.phase_names
    if known is None or names is None:
        return
    for i, name in enumerate(names):
        if name not in known:
            yield Problem((*path, i), f'there is no phase "{name}"; {choices(name, known)}')
