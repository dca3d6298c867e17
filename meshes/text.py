"""Lengths as text for reading."""

from __future__ import annotations


def metres(value: float) -> str:
    """A length for reading: 12 nm, 0.4 um, 3 mm."""
    for unit, factor in (("nm", 1e-9), ("um", 1e-6), ("mm", 1e-3)):
        if value < 999.5 * factor:
            return f"{value / factor:.3g} {unit}"
    return f"{value:.3g} m"
