"""Discrete spaces: layer by layer, double-valued at interfaces.

The names come when they are first used: they need DOLFINx.
"""

from typing import TYPE_CHECKING

from meshes.lazy import lazy_names

if TYPE_CHECKING:
    from fem.spaces.layerwise import LayerwiseSpace as LayerwiseSpace
    from fem.spaces.numbering import Edges as Edges

__getattr__, __all__ = lazy_names(
    __name__,
    {
        "fem.spaces.layerwise": ["LayerwiseSpace"],
        "fem.spaces.numbering": ["Edges"],
    },
)
