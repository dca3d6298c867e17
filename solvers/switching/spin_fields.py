"""Nuclear spins in a run: the field that the spins of each layer are in.

They all see one field, the root of the volume mean of B^2 over the layer: entropy and energy of spins go with B^2 as
long as these are not polarised.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fem.spaces.layerwise import LayerwiseSpace
from meshes.arrays import Floats
from solvers.field.solution import FieldSolution
from solvers.switching.switching import Switching


class SpinFields:
    """Field of the spins of each layer, from the field solution.

    Args:
        space: the heat space.
        layers: the layers whose spins count.
    """

    def __init__(self, space: LayerwiseSpace, layers: Sequence[str]) -> None:
        self.space, self.layers = space, layers
        owned = space.cells < space.tagged.mesh.topology.index_map(space.tagged.mesh.topology.dim).size_local
        number = space.layer[space.cell_nodes[:, 0]]
        parts = [np.flatnonzero(owned & (number == space.layer_number(name))) for name in layers]
        self._cells = [space.cells[part] for part in parts]
        self._volumes = [space.corner_volumes[part].sum(axis=1) for part in parts]

    def observe(self, solution: FieldSolution, per_drive: float) -> Floats:
        """Field of each layer in a solution of which so many make a unit of the drive, T, (n_layers,) (collective)."""
        local = np.zeros((2, len(self.layers)))
        for k, (cells, volumes) in enumerate(zip(self._cells, self._volumes, strict=True)):
            field = solution.flux_density(cells)
            local[:, k] = (volumes * (field**2).sum(axis=1)).sum(), volumes.sum()
        squares, volume = self.space.comm.allreduce(local)
        return np.asarray(abs(per_drive) * np.sqrt(squares / volume))

    def at(self, switching: Switching, drive: float) -> dict[str, float]:
        """Field of each layer in the present field, T, by name (collective).

        Args:
            switching: the films, whose observer this is.
            drive: A, or A/m of an applied field.
        """
        if switching.pattern is None:
            return dict.fromkeys(self.layers, 0.0)
        return dict(zip(self.layers, map(float, switching.observed(drive)), strict=True))
