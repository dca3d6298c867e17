"""Laws of the heat flow through interfaces."""

from fem.interfaces.laws import (
    Conductance,
    ElectronPhonon,
    InterfaceLaw,
    PhononContact,
    Sum,
    TunnelJunction,
    phonon_boundary_conductance,
)
from fem.interfaces.markers import Ideal, Perfect

__all__ = [
    "Conductance",
    "ElectronPhonon",
    "Ideal",
    "InterfaceLaw",
    "Perfect",
    "PhononContact",
    "Sum",
    "TunnelJunction",
    "phonon_boundary_conductance",
]
