"""The field's part of the verification book."""

from __future__ import annotations

from collections.abc import Callable

from mpi4py import MPI

from solvers.verification import field_bodies, field_eddy, field_manufactured, field_slabs, field_stack, field_strips
from solvers.verification.report import Row

Case = Callable[[MPI.Intracomm, bool], list[Row]]

CASES: dict[str, Case] = {
    "London slab": field_slabs.london_slab,
    "thick slabs": field_slabs.thick_slabs,
    "one-sided film": field_slabs.one_sided_film,
    "bilayer": field_slabs.bilayer,
    "slab with a current": field_slabs.transport_slab,
    "strip": field_strips.uniform_strip,
    "Meissner strip": field_strips.meissner_strip,
    "cylinder": field_bodies.cylinder,
    "sphere": field_bodies.sphere,
    "transition field of films": field_slabs.transition_field,
    "eddy slab": field_eddy.eddy_slab,
    "magnetic Stefan front": field_eddy.stefan_front,
    "front in a ramped field": field_eddy.ramped_front,
    "manufactured": field_manufactured.manufactured,
    "barrier": field_stack.barrier,
    "quarter": field_stack.quarter,
    "ranks": field_stack.ranks,
}


def field_rows(quick: bool, comm: MPI.Intracomm = MPI.COMM_WORLD) -> list[Row]:
    """All field cases, or a quick subset (collective)."""
    return [row for case in CASES.values() for row in case(comm, quick)]
