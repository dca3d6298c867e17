"""Meshes that move: members of different lengths with the same cells, so that results follow the lengths smoothly."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from meshes.arrays import Longs
from meshes.plan import Plan, plan_stack
from solvers.case.model import Case
from solvers.case.settings import CellsBlock
from solvers.simulation.geometry import stack_geometry


class MovingMesh:
    """Numbers of cells for the members of a study, written into their cases.

    Members whose edges of layers follow each other in the same order have the same numbers: the largest that the first
    of them and the ends of the ranges ask for. Where edges pass each other, a segment vanishes and the mesh is another
    one.
    """

    def __init__(self, lowest: Case, highest: Case) -> None:
        """Of the cases with the lowest and the highest values of what varies."""
        self._counts: dict[str, list[Longs]] = {}
        self._ends = [_plan(lowest), _plan(highest)]
        self._moves = stack_geometry(lowest) != stack_geometry(highest)

    def fixed(self, case: Case, ends: Callable[[], list[Case]]) -> Case:
        """The case with its numbers of cells; as it is if it has some, or if no member differs in its geometry.

        Args:
            case: of a member.
            ends: makes the cases with its choices at the ends of the ranges.

        Raises:
            ValueError: its layers make no stack.
        """
        if not self._moves or case.mesh.cells is not None:
            return case
        plan = _plan(case)
        order = _order(plan)
        if order not in self._counts:
            others = [*self._ends, *map(_plan, ends())]
            alike = [plan, *(other for other in others if _order(other) == order)]
            counts = [(p.cells.x, p.cells.y, p.cells.z) for p in alike]
            self._counts[order] = [np.max(axis, axis=0) for axis in zip(*counts, strict=True)]
        x, y, z = ([int(count) for count in axis] for axis in self._counts[order])
        mesh = case.mesh.model_copy(update={"cells": CellsBlock(x=x, y=y, z=z)})
        return case.model_copy(update={"mesh": mesh})


def _plan(case: Case) -> Plan:
    return plan_stack(stack_geometry(case))


def _order(plan: Plan) -> str:
    """What is where between the edges, as a text."""
    return str(plan.groups.tolist())
