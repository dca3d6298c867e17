"""From names in a case file to materials: the library, own materials, and a layer's overrides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from fem.materials.library import LIBRARY, debye_beta, get_material
from fem.materials.material import Material
from solvers.case.blocks import LayerBlock
from solvers.case.settings import MaterialBlock, PhysicsBlock


def library_names() -> list[str]:
    """Names of the materials in the library."""
    return list(LIBRARY)


def user_material(name: str, block: MaterialBlock) -> Material:
    """The material of a [material.NAME] block.

    Args:
        name: its name in the case.
        block: library material to start from and the constants given.

    Raises:
        KeyError: the library has no material `block.like`.
    """
    given = block.model_dump(exclude_none=True, exclude={"like", "debye_temperature", "molar_volume"})
    if block.debye_temperature is not None and block.molar_volume is not None:
        given["beta"] = debye_beta(block.debye_temperature, block.molar_volume)
    sources = {key: "case file" for key in given}
    if block.like is None:
        return Material(**{"gamma": 0.0, "beta": 0.0, **given, "name": name, "sources": sources})
    base = get_material(block.like)
    return replace(base, **given, name=name, sources={**base.sources, **sources})


def base_material(name: str, blocks: Mapping[str, MaterialBlock | None]) -> Material | None:
    """The material a layer names, before the layer's overrides.

    Returns: None if the block of an own material is wrong in itself or starts from nothing known.

    Raises:
        KeyError: no such material.
    """
    if name not in blocks:
        return get_material(name)
    block = blocks[name]
    if block is None:
        return None
    try:
        return user_material(name, block)
    except KeyError:
        return None


def layer_material(layer: LayerBlock, own_materials: Mapping[str, MaterialBlock], physics: PhysicsBlock) -> Material:
    """The material of a layer of a checked case, with its overrides and the case's laws.

    Args:
        layer: the layer.
        own_materials: materials of the case, by name.
        physics: the laws the case chooses.
    """
    material = base_material(layer.material, own_materials)
    assert material is not None  # the case has been checked
    overrides = {
        key: value
        for key in ("rrr", "resistivity", "penetration_depth", "mean_free_path")
        if (value := getattr(layer, key)) is not None
    }
    if material.phonon_mean_free_path is None:
        # Phonons of a clean film scatter at its faces.
        overrides.setdefault("mean_free_path", layer.thickness)
    if overrides:
        material = material.with_overrides(**overrides)
    return replace(material, penetration_law=physics.penetration)
