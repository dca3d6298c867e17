"""Nuclear spins in a run: the field that the spins of each layer are in.

They all see one field, the root of the volume mean of B^2 over the layer: entropy and energy of spins go with B^2 as
long as these are not polarised.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from fem.spaces.layerwise import LayerwiseSpace
from solvers.switching.pattern import Pattern
from solvers.switching.switching import Switching

Floats = npt.NDArray[np.float64]


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
        self._pattern: Pattern | None = None
        self._unit: Floats = np.zeros(len(layers))

    def at(self, switching: Switching, drive: float) -> dict[str, float]:
        """Field of each layer at the present pattern, T, by name (collective).

        Args:
            switching: the films, their pattern solved if the drive is not 0.
            drive: A, or A/m of an applied field.
        """
        pattern = switching.pattern
        if pattern is not None and pattern is not self._pattern:
            local = np.zeros((2, len(self.layers)))
            for k, (cells, volumes) in enumerate(zip(self._cells, self._volumes, strict=True)):
                field = pattern.solution.flux_density(cells)
                local[:, k] = (volumes * (field**2).sum(axis=1)).sum(), volumes.sum()
            squares, volume = self.space.comm.allreduce(local)
            self._unit, self._pattern = np.sqrt(squares / volume), pattern
        amplitude = abs(pattern.amplitude(drive)) if pattern is not None else 0.0
        return {name: amplitude * float(unit) for name, unit in zip(self.layers, self._unit, strict=True)}
