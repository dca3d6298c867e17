"""What makes a magnetic field: a transport current, an applied field, or anything imposed on faces and in volumes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from meshes.arrays import Floats

# A vector field: one vector, or a function of points (3, n) in metres that gives vectors (3, n).
VectorField = tuple[float, float, float] | Callable[[Floats], Floats]


@dataclass(frozen=True)
class TransportCurrent:
    """A current through a superconductor between two ends, by a phase gradient along a straight direction.

    Attributes:
        groups: cell groups of the conductor.
        direction: unit vector of the current.
        length: distance between the two ends in metres.
    """

    groups: Sequence[str]
    length: float
    direction: tuple[float, float, float] = (1.0, 0.0, 0.0)


@dataclass(frozen=True)
class AppliedField:
    """A uniform applied field: tangential A on the walls is that of the field without the stack.

    Attributes:
        direction: unit vector of the field.
    """

    direction: tuple[float, float, float]

    def potential(self, x: Floats) -> Floats:
        """A per tesla, (3, n), at points x (3, n) in metres.

        In this gauge a field along y has A along x alone: normal to the plane x = 0 and even about y = 0, as the
        quarter model needs.
        """
        bx, by, bz = self.direction
        return np.vstack([by * x[2], bz * x[0], bx * x[1]])


@dataclass(frozen=True)
class Imposed:
    """Whatever is given on faces and in volumes; the unit drive is exactly this.

    Attributes:
        potential: A in T m; its tangential part is held on the walls.
        tangential_field: H in A/m by facet group on the boundary (none of them a wall); its tangential part is held.
        current_density: given current density in A/m^2 by cell group.
    """

    potential: VectorField = (0.0, 0.0, 0.0)
    tangential_field: Mapping[str, VectorField] = field(default_factory=dict)
    current_density: Mapping[str, VectorField] = field(default_factory=dict)


Drive = TransportCurrent | AppliedField | Imposed


def evaluate(given: VectorField, x: Floats) -> Floats:
    """A vector field at points x (3, n) in metres; (3, n).

    Raises:
        ValueError: what is given has not three components.
    """
    values = np.asarray(given(x) if callable(given) else given, dtype=np.float64)
    if values.shape == (3,):
        values = values[:, None]
    if values.shape not in ((3, 1), x.shape):
        raise ValueError(f"a vector field must be (3,) or give (3, n) for n points, got the shape {values.shape}")
    return np.array(np.broadcast_to(values, x.shape))
