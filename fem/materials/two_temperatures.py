"""Metals whose electrons and lattice have a temperature each: which can, what each part is, and its name.

The electrons keep the name of the layer; the lattice is a layer of its own, "NAME.lattice".
"""

from __future__ import annotations

from dataclasses import replace

from fem.materials.material import Material

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
