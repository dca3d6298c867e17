"""Checks of what touches what: interfaces and baths against layers, materials and phases."""

from __future__ import annotations

from collections.abc import Iterator

from solvers.case.blocks import BathBlock, InterfaceBlock
from solvers.case.geometry import contains, footprint
from solvers.case.parts import CaseParts, unknown_layer, unknown_phases
from solvers.errors import Problem


def interface_problems(parts: CaseParts) -> Iterator[Problem]:
    """Whether each interface lies between two layers that touch and have what its mechanisms need."""
    names = list(parts.layer_names)
    seen: set[frozenset[str]] = set()
    for i, block in enumerate(parts.interfaces):
        if block is None:
            continue
        path = ("interface", i)
        unknown = [
            problem
            for j, name in enumerate(block.between)
            for problem in unknown_layer(parts, name, (*path, "between", j))
        ]
        yield from unknown
        yield from unknown_phases(parts, block.conducts_in, (*path, "conducts_in"))
        yield from unknown_phases(parts, block.phonons_in, (*path, "phonons_in"))
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


def bath_problems(parts: CaseParts) -> Iterator[Problem]:
    """Whether each bath touches a free face of its layer, and no other bath."""
    names = list(parts.layer_names)
    held: dict[str, list[str]] = {}
    for i, bath in enumerate(parts.baths):
        if bath is None:
            continue
        path = ("bath", i)
        yield from unknown_phases(parts, bath.conducts_in, (*path, "conducts_in"))
        if bath.layer not in names:
            yield from unknown_layer(parts, bath.layer, (*path, "layer"))
            continue
        faces = held.setdefault(bath.layer, [])
        if bath.face in faces or (faces and "all" in (bath.face, *faces)):
            yield Problem((*path, "face"), f'layer "{bath.layer}" has a bath there already')
        faces.append(bath.face)
        number = names.index(bath.layer)
        yield from _check_mechanisms(parts, path, bath, (number,))
        if bath.face != "all":
            yield from covered_face(parts, number, bath.face, (*path, "face"))


def covered_face(parts: CaseParts, number: int, face: str, path: tuple[str | int, ...]) -> Iterator[Problem]:
    """A face that is covered wholly by the neighbour is no outer face."""
    other_number = number + (1 if face == "top" else -1)
    if not 0 <= other_number < len(parts.layers):
        return
    layer, other = parts.layers[number], parts.layers[other_number]
    if layer is not None and other is not None and contains(footprint(other), footprint(layer)):
        yield Problem(path, f'the {face} of layer "{layer.name}" is covered by layer "{other.name}"')
