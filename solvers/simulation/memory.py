"""Memory: what is left on the machine, and what a run will need. Imports nothing heavy."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from solvers.errors import InputError

if TYPE_CHECKING:
    from mpi4py import MPI

    from solvers.simulation.simulation import Simulation

# Memory (byte) of the direct field solver: fitted to 20k ... 546k edges, 41 ... 4199 MB.
FACTOR, POWER = 25.0, 1.43
DENSE = 64.0  # byte for each entry of the dense matrix on one rank, in all its copies: 5 GB for 8911 on two ranks


def available_memory() -> float | None:
    """Memory that this process can still get, in bytes; None where the system does not tell."""
    limits = []
    try:
        meminfo = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
        limits.append(1024.0 * float(meminfo["MemAvailable"].split()[0]))
    except (OSError, KeyError):
        pass
    cgroup = Path("/sys/fs/cgroup")
    try:  # a container's limit; "max" (no number) where there is none
        most, used = (float((cgroup / f"memory.{name}").read_text()) for name in ("max", "current"))
        statistics = dict(line.split() for line in (cgroup / "memory.stat").read_text().splitlines())
        # Copies of files that have not been used lately are given up when memory is needed.
        limits.append(most - used + float(statistics["inactive_file"]))
    except (OSError, ValueError, KeyError):
        pass
    return min(limits, default=None)


def available_everywhere(comm: MPI.Intracomm) -> float | None:
    """Memory that the nodes of all ranks can still give, in bytes; None where one does not tell (collective)."""
    from mpi4py import MPI

    node = comm.Split_type(MPI.COMM_TYPE_SHARED)
    first = node.rank == 0
    node.Free()
    nodes: list[float | None] = comm.allgather(available_memory() if first else 0.0)
    known = [memory for memory in nodes if memory is not None]
    return sum(known) if len(known) == len(nodes) else None


def field_memory(sim: Simulation) -> float:
    """Memory that the field solver of a run is expected to use on all ranks together, byte.

    Collective when first asked for: what lies between the ranks is counted.
    """
    if sim.switching is None:
        return 0.0
    problem = sim.switching.problem
    dense = 0 if problem.condensed is None else problem.condensed.dense
    return FACTOR * float(float(problem.unknowns) ** POWER) + DENSE * float(dense) ** 2


def check_memory(sim: Simulation) -> None:
    """Stop before the first factorisation would run out of memory (collective).

    Raises:
        InputError: it would; on all ranks.
    """
    limit, source = sim.case.solver.memory_limit, "solver.memory_limit"
    if limit is None:
        limit, source = available_everywhere(sim.comm), "what is free here"
    needed = field_memory(sim)
    if limit is not None and needed > limit:
        raise InputError(
            f"the field solver needs about {needed / 1e9:.3g} GB, more than {limit / 1e9:.3g} GB ({source}): "
            "coarsen [mesh], take fewer ranks, or set solver.memory_limit"
        )
