"""Bookkeeping of energy and entropy: what went where, per cycle and in all."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from solvers.heat.step import Step


@dataclass
class Ledger:
    """Sums since some moment, of the whole device. Energies in J, entropies in J/K.

    Attributes:
        contact: energy through each contact, lower to upper.
        bath: energy given to each bath.
        work: magnetic work done on the films when they switch.
        load: energy put in by loads.
        entropy_out: entropy given to the baths; infinite once a bath at 0 K got heat.
        produced: entropy produced by conduction, contacts, baths, loads and losses, by name.
        lost: energy of the field turned into heat while it changed (part of `work`), by mechanism.
    """

    contact: dict[str, float] = field(default_factory=dict)
    bath: dict[str, float] = field(default_factory=dict)
    work: float = 0.0
    load: float = 0.0
    entropy_out: float = 0.0
    produced: dict[str, float] = field(default_factory=dict)
    lost: dict[str, float] = field(default_factory=dict)

    def add_step(self, step: Step, temperatures: Mapping[str, float], scale: float) -> None:
        """Book a step of the heat problem; `scale` is devices per mesh (4 on a quarter model)."""
        self.load += scale * step.source
        self.add_produced(step.entropy, scale)
        self.add_flow(step.bath, step.contact, temperatures, scale)

    def add_flow(
        self,
        bath: Mapping[str, float],
        contact: Mapping[str, float],
        temperatures: Mapping[str, float],
        scale: float,
    ) -> None:
        """Book energy that went into baths and through contacts."""
        _add(self.bath, bath, scale)
        _add(self.contact, contact, scale)
        self.entropy_out += sum(_over(scale * energy, temperatures[name]) for name, energy in bath.items())

    def add_produced(self, entropy: Mapping[str, float], scale: float) -> None:
        """Book entropy produced (J/K), by name."""
        _add(self.produced, entropy, scale)

    def add_loss(self, mechanism: str, heat: float, entropy: float, scale: float) -> None:
        """Book heat (J) that the field made, and the entropy (J/K) produced by it."""
        self.work += scale * heat
        _add(self.lost, {mechanism: heat}, scale)
        _add(self.produced, {mechanism: entropy}, scale)

    def add(self, other: Ledger) -> None:
        """Add what another one booked."""
        for name, value in vars(other).items():
            if isinstance(value, dict):
                _add(getattr(self, name), value, 1.0)
            else:
                setattr(self, name, getattr(self, name) + value)

    def copy(self) -> Ledger:
        """An independent copy."""
        return Ledger(**_plain(self))

    def since(self, start: Ledger) -> Ledger:
        """What was booked after `start`, an earlier copy."""
        return Ledger(
            _difference(self.contact, start.contact),
            _difference(self.bath, start.bath),
            self.work - start.work,
            self.load - start.load,
            self.entropy_out - start.entropy_out,
            _difference(self.produced, start.produced),
            _difference(self.lost, start.lost),
        )

    def to_json(self) -> dict[str, Any]:
        """Plain numbers, for the checkpoint."""
        return _plain(self)


def _plain(ledger: Ledger) -> dict[str, Any]:
    return {k: dict(v) if isinstance(v, dict) else v for k, v in vars(ledger).items()}


def _over(energy: float, temperature: float) -> float:
    """Energy over temperature; infinite at 0 K unless the energy is 0."""
    if temperature > 0:
        return energy / temperature
    return math.copysign(math.inf, energy) if energy else 0.0


def _add(total: dict[str, float], more: Mapping[str, float], scale: float) -> None:
    for name, value in more.items():
        total[name] = total.get(name, 0.0) + scale * value


def _difference(now: Mapping[str, float], then: Mapping[str, float]) -> dict[str, float]:
    return {name: value - then.get(name, 0.0) for name, value in now.items()}


@dataclass(frozen=True)
class Totals:
    """Energy and entropy stored in each layer of the whole device, and its mean temperature."""

    energy: np.ndarray[Any, np.dtype[np.float64]]
    entropy: np.ndarray[Any, np.dtype[np.float64]]
    temperature: np.ndarray[Any, np.dtype[np.float64]]
