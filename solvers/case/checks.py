"""Checks that compare the blocks of a case with each other and with the material library."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from fem.materials import two_temperatures
from fem.materials.material import Material
from meshes.text import metres
from solvers.case.blocks import LayerBlock
from solvers.case.contact_checks import bath_problems, covered_face, interface_problems
from solvers.case.drive_checks import drive_problems, phase_problems
from solvers.case.geometry import contains, footprint, overlap, symmetry_obstacles
from solvers.case.materials import base_material, library_names
from solvers.case.parts import CaseParts, known_layers, unknown_layer, unknown_phases
from solvers.errors import Problem, choices

# Thinnest layer over the widest footprint. Gmsh made meshes of 0.3 nm on 30 mm and of 1 nm on 96 mm, 0.1 nm on 48 mm
# fails: its faces are then nearer than 2e-10 of the box.
THINNEST = 1e-8

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


def case_problems(parts: CaseParts) -> list[Problem]:
    """All mistakes that lie between the blocks; those that follow from others are left out."""
    problems = [*_check_materials(parts), *_check_names(parts)]
    if any(problem.path[-1] == "name" for problem in problems):
        return problems  # with two layers of one name, no reference means anything
    stack = list(_check_stack(parts))
    return [
        *problems,
        *stack,
        *interface_problems(parts),
        *drive_problems(parts, stands=not stack),
        *phase_problems(parts),
        *bath_problems(parts),
        *_check_loads(parts),
        *_check_thicknesses(parts),
        *_check_symmetry(parts),
        *_check_losses(parts),
    ]


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
    touching = {frozenset(pair) for pair in pairwise(known_layers(parts))}
    if None in parts.interfaces or not given <= touching:
        return  # the missing one may be among those that are wrong in themselves
    for i, (below, above) in enumerate(pairwise(parts.layer_names), start=1):
        if below is not None and above is not None and frozenset((below, above)) not in given:
            yield Problem(
                ("layer", i),
                f'layers "{below}" and "{above}" touch, but no [[interface]] with '
                f'between = ["{below}", "{above}"] says how',
            )


def _check_thicknesses(parts: CaseParts) -> Iterator[Problem]:
    """Whether the mesher can tell the faces of the layers apart."""
    widest = max((max(layer.size) for layer in parts.layers if layer is not None), default=0.0)
    least = THINNEST * widest
    for i, layer in enumerate(parts.layers):
        if layer is not None and layer.thickness < least:
            yield Problem(
                ("layer", i, "thickness"),
                f"{metres(layer.thickness)} beside a layer of {metres(widest)} is too thin for the mesh: at least "
                f"{metres(least)}",
            )
    if parts.mesh is not None and parts.mesh.barrier < least:
        yield Problem(("mesh", "barrier"), f"too thin beside a layer of {metres(widest)}: at least {metres(least)}")


def _check_loads(parts: CaseParts) -> Iterator[Problem]:
    names = list(parts.layer_names)
    for i, load in enumerate(parts.loads):
        if load is None:
            continue
        path = ("load", i)
        yield from unknown_phases(parts, load.during, (*path, "during"))
        if load.layer not in names:
            yield from unknown_layer(parts, load.layer, (*path, "layer"))
            continue
        number = names.index(load.layer)
        layer = parts.layers[number]
        if layer is not None and load.into is not None and not layer.electron_phonon:
            yield Problem((*path, "into"), f'layer "{load.layer}" has one temperature only: it lacks electron_phonon')
        if layer is None or load.face != "top":
            continue
        covered = list(covered_face(parts, number, "top", (*path, "face")))
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
