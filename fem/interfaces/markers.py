"""Contacts without a law of heat flux: what they make of the temperatures on their two sides."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Perfect:
    """No jump of temperature: the two sides have one temperature where they touch."""


@dataclass(frozen=True)
class Ideal:
    """No resistance at all: the whole layer on one side takes the temperature of the other, held throughout."""
