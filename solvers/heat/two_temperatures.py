"""Contacts of layers whose electrons and lattice have a temperature each: two heat layers on the same cells.

Between them passes Sigma (Te^5 - Tp^5) per volume (`fem.interfaces.laws.ElectronPhonon`); what each is:
`fem.materials.two_temperatures`.
"""

from __future__ import annotations

from collections.abc import Collection

from fem.interfaces.laws import ElectronPhonon
from fem.materials.material import Material
from fem.materials.two_temperatures import lattice_name
from solvers.heat.parts import Contact


def coupling(layer: str, material: Material) -> Contact:
    """The contact between electrons and lattice, throughout the layer."""
    assert material.electron_phonon is not None  # the case has been checked
    law = ElectronPhonon(material.electron_phonon, material.electron_phonon_exponent)
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
