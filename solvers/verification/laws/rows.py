"""The rows of the laws: materials and contacts."""

from __future__ import annotations

from fem.materials.library import get_material
from solvers.verification.laws.junctions import junction_rows
from solvers.verification.laws.materials import material_rows
from solvers.verification.report import Row

NAMES = ("Ta", "Nb", "Al")


def law_rows() -> list[Row]:
    """Every table of tantalum, niobium and aluminium, and the flow through contacts."""
    rows = [row for name in NAMES for row in material_rows(get_material(name))]
    return rows + junction_rows()
