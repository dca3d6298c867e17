"""Checks that compare the blocks of a case with each other and with the material library."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from fem.materials import two_temperatures
from fem.materials.material import Material
from solvers.case.blocks import BathBlock, DriveBlock, InterfaceBlock, LayerBlock, LoadBlock, PhaseBlock
from solvers.case.geometry import contains, footprint, overlap, symmetry_obstacles
from solvers.case.materials import base_material, library_names
from solvers.case.settings import MaterialBlock, MeshSettings, PhysicsBlock
from solvers.errors import Problem, choices, nearest

_FULL_NAMES = {
    "tantalum": "Ta",
    "niobium": "Nb",
    "copper": "Cu",
    "aluminium": "Al",
    "aluminum": "Al",
    "vanadium": "V",
    "indium": "In",
    "tin": "Sn",
    "lead": "Pb",
    "silicon": "Si",
}


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


def case_problems(parts: CaseParts) -> list[Problem]:
    """All mistakes that lie between the blocks; those that follow from others are left out."""
    problems = [*_check_materials(parts), *_check_names(parts)]
    if any(problem.path[-1] == "name" for problem in problems):
        return problems  # with two layers of one name, no reference means anything
    stack = list(_check_stack(parts))
    return [
        *problems,
        *stack,
        *_check_interfaces(parts),
        *_check_drive(parts, stands=not stack),
        *_check_phases(parts),
        *_check_baths(parts),
        *_check_loads(parts),
        *_check_symmetry(parts),
        *_check_losses(parts),
    ]


def _known_layers(parts: CaseParts) -> list[str]:
    return [name for name in parts.layer_names if name is not None]


def _unknown_layer(parts: CaseParts, name: str, path: tuple[str | int, ...]) -> Iterator[Problem]:
    names = _known_layers(parts)
    if name not in names and len(names) == len(parts.layer_names) > 0:
        yield Problem(path, f'there is no layer "{name}"; {choices(name, names)}')


def _unknown_phases(parts: CaseParts, names: Sequence[str] | None, path: tuple[str | int, ...]) -> Iterator[Problem]:
    known = parts.phase_names
    if known is None or names is None:
        return
    for i, name in enumerate(names):
        if name not in known:
            yield Problem((*path, i), f'there is no phase "{name}"; {choices(name, known)}')


def _check_materials(parts: CaseParts) -> Iterator[Problem]:
    library = library_names()
    lower = {name.lower(): name for name in library}
    for name, block in parts.materials.items():
        if name.lower() in lower:
            yield Problem(
                ("material", name),
                f'"{lower[name.lower()]}" is in the library; take another name and like = "{lower[name.lower()]}"',
            )
        if block is not None and block.like is not None and block.like.lower() not in lower:
            yield Problem(
                ("material", name, "like"),
                f'the library has no material "{block.like}"; {choices(block.like, library)}',
            )
    allowed = [*library, *parts.materials]
    for i, layer in enumerate(parts.layers):
        if layer is None:
            continue
        if layer.material.lower() not in lower and layer.material not in parts.materials:
            meant = _FULL_NAMES.get(layer.material.lower(), layer.material)
            yield Problem(
                ("layer", i, "material"),
                f'unknown material "{layer.material}"; {choices(meant, allowed)}',
            )
            continue
        material = base_material(layer.material, parts.materials)
        if material is not None:
            parts.resolved[i] = material
            yield from _check_overrides(i, layer, material)


def _check_overrides(i: int, layer: LayerBlock, material: Material) -> Iterator[Problem]:
    if layer.electron_phonon and (obstacle := two_temperatures.obstacle(material)) is not None:
        yield Problem(
            ("layer", i, "electron_phonon"), f'not possible in layer "{layer.name}": "{layer.material}" {obstacle}'
        )
    if layer.penetration_depth is not None and not material.superconducting:
        yield Problem(
            ("layer", i, "penetration_depth"),
            f'the material "{layer.material}" is no superconductor',
        )
    for key in ("rrr", "resistivity"):
        if getattr(layer, key) is not None and material.resistivity is None:
            yield Problem(("layer", i, key), f'the material "{layer.material}" is an insulator')
        elif key == "rrr" and layer.rrr is not None and material.room_resistivity is None:
            yield Problem(("layer", i, key), f'"{layer.material}" lacks room_resistivity, which rrr refers to')


def _check_names(parts: CaseParts) -> Iterator[Problem]:
    lists = [("layer",), ("cycle", "phases")]
    for path, names in zip(lists, (parts.layer_names, parts.phase_names or ()), strict=True):
        for i, name in enumerate(names):
            if name is not None and name in names[:i]:
                yield Problem((*path, i, "name"), f'the name "{name}" is taken already')


def _check_stack(parts: CaseParts) -> Iterator[Problem]:
    for i, (lower, upper) in enumerate(pairwise(parts.layers), start=1):
        if lower is None or upper is None:
            continue
        if not overlap(footprint(lower), footprint(upper)):
            yield Problem(
                ("layer", i),
                f'layers "{lower.name}" and "{upper.name}" do not touch: '
                "change center or size so that their footprints overlap",
            )
            return
    given = {frozenset(block.between) for block in parts.interfaces if block is not None}
    touching = {frozenset(pair) for pair in pairwise(_known_layers(parts))}
    if None in parts.interfaces or not given <= touching:
        return  # the missing one may be among those that are wrong in themselves
    for i, (below, above) in enumerate(pairwise(parts.layer_names), start=1):
        if below is not None and above is not None and frozenset((below, above)) not in given:
            yield Problem(
                ("layer", i),
                f'layers "{below}" and "{above}" touch, but no [[interface]] with '
                f'between = ["{below}", "{above}"] says how',
            )


def _check_interfaces(parts: CaseParts) -> Iterator[Problem]:
    names = list(parts.layer_names)
    seen: set[frozenset[str]] = set()
    for i, block in enumerate(parts.interfaces):
        if block is None:
            continue
        path = ("interface", i)
        unknown = [
            problem
            for j, name in enumerate(block.between)
            for problem in _unknown_layer(parts, name, (*path, "between", j))
        ]
        yield from unknown
        yield from _unknown_phases(parts, block.conducts_in, (*path, "conducts_in"))
        yield from _unknown_phases(parts, block.phonons_in, (*path, "phonons_in"))
        if unknown or not set(names).issuperset(block.between):
            continue
        a, b = sorted(names.index(name) for name in block.between)
        if b != a + 1:
            between = " and ".join(f'"{name}"' for name in block.between)
            yield Problem((*path, "between"), f"layers {between} do not touch")
            continue
        pair = frozenset(block.between)
        if pair in seen:
            yield Problem((*path, "between"), "has an [[interface]] already; mechanisms add up in one block")
        seen.add(pair)
        yield from _check_mechanisms(parts, path, block, (a, b))
        if block.contact == "ideal":
            yield from _check_ideal(parts, path, block)


def _check_ideal(parts: CaseParts, path: tuple[str | int, ...], block: InterfaceBlock) -> Iterator[Problem]:
    """Whether a bath holds all of just one of the two layers wherever their ideal contact conducts."""
    if parts.phase_names is None or None in parts.baths:
        return
    for phase in block.conducts_in or parts.phase_names:
        held = [
            bath.layer
            for bath in parts.baths
            if bath is not None and bath.face == "all" and (bath.conducts_in is None or phase in bath.conducts_in)
        ]
        count = len({name for name in block.between if name in held})
        if count != 1:
            how = "none is" if count == 0 else "both are"
            yield Problem(
                (*path, "contact"),
                f'"ideal" needs a [[bath]] with face = "all" on just one of the layers; in phase "{phase}" {how} held',
            )
            return
        divided = [x.name for x in parts.layers if x is not None and x.electron_phonon and x.name in held]
        for name in set(divided) & set(block.between):
            yield Problem(
                (*path, "contact"),
                f'"ideal": a bath holds all of layer "{name}", which leaves no room for electron_phonon',
            )
            return


def _check_mechanisms(
    parts: CaseParts, path: tuple[str | int, ...], block: InterfaceBlock | BathBlock, layers: tuple[int, ...]
) -> Iterator[Problem]:
    """Whether the materials have what the mechanisms need."""
    materials = [parts.resolved[i] for i in layers if i in parts.resolved]
    for material in materials:
        if isinstance(block, InterfaceBlock) and block.resistance_area is not None:
            if material.resistivity is None and material.gamma == 0.0:
                yield Problem(
                    (*path, "resistance_area"),
                    f'a tunnel junction needs metals on both sides; "{material.name}" is none',
                )
        if block.phonons and (material.sound_speeds is None or material.density is None):
            yield Problem(
                (*path, "phonons"),
                f'the material "{material.name}" lacks sound_speeds or density for phonons',
            )


def _check_drive(parts: CaseParts, stands: bool) -> Iterator[Problem]:
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
        hint = nearest(name, _known_layers(parts))
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


def _check_phases(parts: CaseParts) -> Iterator[Problem]:
    if parts.drive_given:
        return
    for i, phase in enumerate(parts.phases):
        if phase is None:
            continue
        values = [phase.hold or 0.0, *(phase.ramp or ()), *(v for _, v in phase.table or ())]
        if any(values):
            key = next(key for key in ("hold", "ramp", "table") if getattr(phase, key) is not None)
            yield Problem(("cycle", "phases", i, key), "there is no [drive], so the drive can only be 0")


def _check_baths(parts: CaseParts) -> Iterator[Problem]:
    names = list(parts.layer_names)
    held: dict[str, list[str]] = {}
    for i, bath in enumerate(parts.baths):
        if bath is None:
            continue
        path = ("bath", i)
        yield from _unknown_phases(parts, bath.conducts_in, (*path, "conducts_in"))
        if bath.layer not in names:
            yield from _unknown_layer(parts, bath.layer, (*path, "layer"))
            continue
        faces = held.setdefault(bath.layer, [])
        if bath.face in faces or (faces and "all" in (bath.face, *faces)):
            yield Problem((*path, "face"), f'layer "{bath.layer}" has a bath there already')
        faces.append(bath.face)
        number = names.index(bath.layer)
        yield from _check_mechanisms(parts, path, bath, (number,))
        if bath.face != "all":
            yield from _check_free_face(parts, number, bath.face, (*path, "face"))


def _check_free_face(parts: CaseParts, number: int, face: str, path: tuple[str | int, ...]) -> Iterator[Problem]:
    """A face that is covered wholly by the neighbour is no outer face."""
    other_number = number + (1 if face == "top" else -1)
    if not 0 <= other_number < len(parts.layers):
        return
    layer, other = parts.layers[number], parts.layers[other_number]
    if layer is not None and other is not None and contains(footprint(other), footprint(layer)):
        yield Problem(path, f'the {face} of layer "{layer.name}" is covered by layer "{other.name}"')


def _check_loads(parts: CaseParts) -> Iterator[Problem]:
    names = list(parts.layer_names)
    for i, load in enumerate(parts.loads):
        if load is None:
            continue
        path = ("load", i)
        yield from _unknown_phases(parts, load.during, (*path, "during"))
        if load.layer not in names:
            yield from _unknown_layer(parts, load.layer, (*path, "layer"))
            continue
        number = names.index(load.layer)
        layer = parts.layers[number]
        if layer is not None and load.into is not None and not layer.electron_phonon:
            yield Problem((*path, "into"), f'layer "{load.layer}" has one temperature only: it lacks electron_phonon')
        if layer is None or load.face != "top":
            continue
        covered = list(_check_free_face(parts, number, "top", (*path, "face")))
        yield from covered
        if covered or load.patch is None:
            continue
        if not contains(footprint(layer), load.patch):
            yield Problem((*path, "patch"), f'reaches beyond the top face of layer "{load.layer}"')
        above = parts.layers[number + 1] if number + 1 < len(names) else None
        if above is not None and overlap(footprint(above), load.patch):
            yield Problem((*path, "patch"), f'lies partly under layer "{above.name}"')


def _check_symmetry(parts: CaseParts) -> Iterator[Problem]:
    if parts.mesh is None or parts.mesh.symmetry != "quarter":
        return
    for reason in symmetry_obstacles(parts.layers, parts.loads, parts.drive):
        yield Problem(("mesh", "symmetry"), f'"quarter" is not possible: {reason}')


def _check_losses(parts: CaseParts) -> Iterator[Problem]:
    if parts.physics is None or parts.physics.overshoot != "ramp":
        return
    for i, material in parts.resolved.items():
        if material.superconducting and material.resistivity is None:
            yield Problem(("physics", "overshoot"), f'"ramp" needs the resistivity of layer {i + 1}, "{material.name}"')
