"""An accepted step of the heat equation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from meshes.arrays import Floats


@dataclass
class Step:
    """An accepted step.

    Attributes:
        dt: its length in s.
        u: the new state, K^2, (n_local,).
        f: normal fraction at its end, (n_local,).
        work: work of the field on films that switched, losses included, J.
        contact: energy through each contact in the step, J, lower to upper, by name.
        bath: energy given to each bath, J, by name.
        source: energy put in by sources, J.
        entropy: entropy produced by conduction, contacts, baths and sources, J/K, by name.
        error: estimated error over tolerance.
        first: u at the end of the first of two implicit stages; None: there was one, or these are several steps.
    """

    dt: float
    u: Floats
    f: Floats
    work: float
    contact: dict[str, float]
    bath: dict[str, float]
    source: float
    entropy: dict[str, float]
    error: float
    first: Floats | None = None


def sum_of_steps(total: Step, step: Step) -> Step:
    """Two steps as one."""

    def add(a: Mapping[str, float], b: Mapping[str, float]) -> dict[str, float]:
        return {key: a.get(key, 0.0) + b.get(key, 0.0) for key in {**a, **b}}

    return Step(
        total.dt + step.dt,
        step.u,
        step.f,
        total.work + step.work,
        add(total.contact, step.contact),
        add(total.bath, step.bath),
        total.source + step.source,
        add(total.entropy, step.entropy),
        max(total.error, step.error),
    )
