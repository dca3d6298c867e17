"""The field's part of the verification book."""

from __future__ import annotations

from collections.abc import Callable

from mpi4py import MPI

from solvers.verification.field import bodies, eddy, loops, manufactured, slabs, stack, strips
from solvers.verification.report import Row

Case = Callable[[MPI.Intracomm, bool], list[Row]]

CASES: dict[str, Case] = {
    "London slab": slabs.london_slab,
    "thick slabs": slabs.thick_slabs,
    "one-sided film": slabs.one_sided_film,
    "bilayer": slabs.bilayer,
    "slab with a current": slabs.transport_slab,
    "strip": strips.uniform_strip,
    "Meissner strip": strips.meissner_strip,
    "strip with a bend": loops.bent_strip,
    "ring": loops.ring,
    "cylinder": bodies.cylinder,
    "sphere": bodies.sphere,
    "transition field of films": slabs.transition_field,
    "eddy slab": eddy.eddy_slab,
    "magnetic Stefan front": eddy.stefan_front,
    "front in a ramped field": eddy.ramped_front,
    "manufactured": manufactured.manufactured,
    "barrier": stack.barrier,
    "quarter": stack.quarter,
    "ranks": stack.ranks,
}


def field_rows(quick: bool, comm: MPI.Intracomm = MPI.COMM_WORLD) -> list[Row]:
    """All field cases, or a quick subset (collective)."""
    return [row for case in CASES.values() for row in case(comm, quick)]
