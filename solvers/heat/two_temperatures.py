"""Layers whose electrons and lattice have a temperature each: two heat layers on the same cells.

The electrons keep the name of the case's layer; the lattice is a heat layer of its own, "NAME.lattice". Between them
passes Sigma (Te^5 - Tp^5) per volume (`fem.interfaces.laws.ElectronPhonon`).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from fem.interfaces.laws import ElectronPhonon
from fem.materials.material import Material
from solvers.heat.parts import Contact

LATTICE = ".lattice"  # no name of a case's layer has a dot


def lattice_name(layer: str) -> str:
    """Name of the lattice of a layer among the layers of the heat problem."""
    return layer + LATTICE


def layer_of(name: str) -> str:
    """The case's layer to which a layer of the heat problem belongs."""
    return name.removesuffix(LATTICE)


def obstacle(material: Material) -> str | None:
    """Why the electrons and the lattice of a material cannot have temperatures of their own, None if they can."""
    if material.superconducting:
        return "is a superconductor; the coupling is known for normal metals only"
    if material.constant_heat_capacity is not None or material.constant_conductivity is not None:
        return "has a constant heat capacity or conductivity, which cannot be divided between electrons and lattice"
    if material.gamma == 0.0 or material.resistivity is None:
        return "is an insulator: it lacks gamma or resistivity"
    if material.beta == 0.0:
        return "has a lattice without heat capacity: it lacks beta"
    if not material.electron_phonon:
        return "lacks electron_phonon, the coupling Sigma"
    return None


def electrons(material: Material) -> Material:
    """The electrons of a metal: heat capacity gamma T, conduction by electrons."""
    return replace(material, beta=0.0, phonon_mean_free_path=None)


def lattice(material: Material) -> Material:
    """The lattice of a metal: heat capacity beta T^3, conduction by phonons; nuclear spins go with the electrons."""
    return replace(material, gamma=0.0, resistivity=None, nuclei=None)


def coupling(layer: str, material: Material) -> Contact:
    """The contact between electrons and lattice, throughout the layer."""
    assert material.electron_phonon is not None  # the case has been checked
    law = ElectronPhonon(material.electron_phonon)
    return Contact(f"{layer} electron-phonon", layer, lattice_name(layer), (), law)


def reached(mechanism: str, layer: str, other: Material, divided: Collection[str]) -> tuple[str, ...]:
    """Which heat layers of a layer a mechanism of contact reaches.

    Phonons and all contacts with an insulator reach the lattice, junctions and fixed conductances the electrons, a
    perfect contact both; an ideal one always both.

    Args:
        mechanism: "junction", "conductance", "phonons", "perfect" or "ideal".
        layer: the layer touched.
        other: the material on the other side.
        divided: the layers with two temperatures.
    """
    if layer not in divided:
        return (layer,)
    if mechanism == "ideal":
        return (layer, lattice_name(layer))
    if mechanism == "phonons" or (other.gamma == 0.0 and other.resistivity is None):
        return (lattice_name(layer),)
    return (layer, lattice_name(layer)) if mechanism == "perfect" else (layer,)


def touching(lower: tuple[str, ...], upper: tuple[str, ...]) -> list[tuple[str, str]]:
    """Pairs of heat layers in contact: electrons with electrons, lattice with lattice, a single one with all."""
    count = max(len(lower), len(upper))
    return list(zip(lower * (count // len(lower)), upper * (count // len(upper)), strict=True))
