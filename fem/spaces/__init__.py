"""Discrete spaces: layer by layer, double-valued at interfaces.

The names come when they are first used: they need DOLFINx.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fem.spaces.layerwise import LayerwiseSpace as LayerwiseSpace
    from fem.spaces.numbering import Edges as Edges

_HOMES = {"Edges": "numbering", "LayerwiseSpace": "layerwise"}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> object:
    """Import a public name when it is first used."""
    if name not in _HOMES:
        raise AttributeError(f"module 'fem.spaces' has no attribute {name!r}")
    return getattr(import_module(f"fem.spaces.{_HOMES[name]}"), name)
