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
    """A current through a superconductor, by a phase that falls along one straight piece of it.

    The whole of a straight conductor between two walls may be that piece. A conductor that bends has a group of its
    own for a straight piece, which ends inside the conductor or at a wall on planes normal to `direction`; the rest of
    it is among the superconductors only. A closed loop gets a fluxoid in the same way: its ends are those of the piece.

    Attributes:
        groups: cell groups of the piece.
        length: distance between its two ends in metres.
        direction: along which the phase falls, and the current flows; any length, normalised.

    Raises:
        ValueError: a text for the groups, or none; a direction of no length; a length that is not positive.
    """

    groups: Sequence[str]
    length: float
    direction: tuple[float, float, float] = (1.0, 0.0, 0.0)

    def __post_init__(self) -> None:
        """Normalise the direction."""
        if isinstance(self.groups, str) or not self.groups:
            raise ValueError(f"the groups of a current must be a list of cell groups, got {self.groups!r}")
        object.__setattr__(self, "groups", tuple(self.groups))
        object.__setattr__(self, "direction", unit_vector(self.direction))
        if not 0.0 < self.length < np.inf:
            raise ValueError(f"the length of a current's piece must be positive, got {self.length} m")


@dataclass(frozen=True)
class AppliedField:
    """A uniform applied field: tangential A on the walls is that of the field without the stack.

    Attributes:
        direction: of the field; any length, normalised.

    Raises:
        ValueError: a direction of no length.
    """

    direction: tuple[float, float, float]

    def __post_init__(self) -> None:
        """Normalise the direction."""
        object.__setattr__(self, "direction", unit_vector(self.direction))

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


def unit_vector(direction: tuple[float, float, float]) -> tuple[float, float, float]:
    """A direction of length 1.

    Raises:
        ValueError: it has not three components, or no length.
    """
    vector = np.asarray(direction, dtype=np.float64)
    length = float(np.linalg.norm(vector))
    if vector.shape != (3,) or not 0.0 < length < np.inf:
        raise ValueError(f"a direction must have three components and a length, got {direction}")
    x, y, z = (float(part) / length for part in vector)
    return x, y, z


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
