"""The thermal laws of `fem.materials.material.Material` as UFL expressions, from the same fitted polynomials.

T (K) and the normal fraction f are UFL expressions of a form; T must not be negative. Nuclear spins have no such form.
UFL is imported where it is used: materials need none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fem.constants import LORENZ
from fem.materials.bcs_theory import reduced_superconductor

if TYPE_CHECKING:
    from fem.materials.material import Material


def entropy(material: Material, T: Any, f: Any) -> Any:
    """Entropy, J/(m^3 K)."""
    import ufl

    if material.constant_heat_capacity is not None:
        return material.constant_heat_capacity * ufl.ln(T)
    return _electrons(material, T, f, material.gamma * T, "ufl_entropy", 1) + material.beta * T**3 / 3.0


def energy(material: Material, T: Any, f: Any) -> Any:
    """Thermal energy, J/m^3."""
    if material.constant_heat_capacity is not None:
        return material.constant_heat_capacity * T
    normal = 0.5 * material.gamma * T**2
    return _electrons(material, T, f, normal, "ufl_energy", 2) + 0.25 * material.beta * T**4


def heat_capacity(material: Material, T: Any, f: Any) -> Any:
    """Heat capacity at fixed f, J/(m^3 K)."""
    import ufl

    if material.constant_heat_capacity is not None:
        return ufl.as_ufl(material.constant_heat_capacity)
    return _electrons(material, T, f, material.gamma * T, "ufl_heat_capacity", 1) + material.beta * T**3


def conductivity(material: Material, T: Any, f: Any) -> Any:
    """Heat conductivity, W/(m K)."""
    import ufl

    if material.constant_conductivity is not None:
        return ufl.as_ufl(material.constant_conductivity)
    phonons = 2.0 * material.phonon_coefficient * T**3
    if material.resistivity is None:
        return phonons
    normal = LORENZ * T / material.resistivity
    if material.critical_temperature is None:
        return phonons + normal
    reduced = reduced_superconductor(material.gap_ratio)
    ratio = reduced.ufl_conductivity_ratio(T / material.critical_temperature)
    return phonons + normal * (f + (1.0 - f) * ratio)


def _electrons(material: Material, T: Any, f: Any, normal: Any, quantity: str, power: int) -> Any:
    """Return f normal + (1 - f) gamma Tc^power quantity(T/Tc)."""
    if material.spins is not None:
        raise ValueError(f"material {material.name}: nuclear spins cannot be written in UFL")
    if material.paired is None:
        return normal
    reduced, critical = material.paired
    part = material.gamma * critical**power * getattr(reduced, quantity)(T / critical)
    return f * normal + (1.0 - f) * part
