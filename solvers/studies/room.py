"""Where members are computed: on the cores of this machine, or on the nodes of a Slurm allocation.

In an allocation (`SLURM_JOB_ID` in the environment) each member is a job step of `srun`, and Slurm finds its node.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from solvers.errors import ComputationError

# A step takes no memory away from other steps, reads nothing, and ends as a whole if one of its ranks does.
STEP_OPTIONS = "--mem=0 --input=none --kill-on-bad-exit=1"
STEP_WAIT = 30  # s that an allocation has to start the first step
_PROBE = "from mpi4py import MPI; print(MPI.COMM_WORLD.size)"
_MPI_TYPES = ("", "--mpi=pmix", "--mpi=pmi2")  # what the site has set first


@dataclass(frozen=True)
class Room:
    """Room for the ranks of members.

    Attributes:
        slots: how many ranks each node holds; one entry for a machine of its own.
        slurm: whether it is a Slurm allocation.
    """

    slots: tuple[int, ...]
    slurm: bool = False

    def shape(self, ranks: int) -> tuple[int, int] | None:
        """Number of nodes and of ranks on each that a member takes, as few nodes as can be; None: it does not fit."""
        for nodes in range(1, len(self.slots) + 1):
            if ranks % nodes == 0 and sum(slots >= ranks // nodes for slots in self.slots) >= nodes:
                return nodes, ranks // nodes
        return None

    def at_once(self, ranks: int) -> int:
        """How many members of so many ranks run at the same time, at least 1."""
        nodes, on_each = self.shape(ranks) or (1, ranks)
        shares = [slots // on_each for slots in self.slots]
        members = sum(shares) // nodes
        while sum(min(share, members) for share in shares) < members * nodes:  # a member takes a node once
            members -= 1
        return max(1, members)

    def problem(self, ranks: int) -> str:
        """Why a member of so many ranks has no place, "" if it has."""
        if ranks > sum(self.slots):
            return f"a member needs {ranks} cores, and there are {sum(self.slots)}"
        if self.shape(ranks) is None:
            return f"a member of {ranks} ranks cannot be split evenly over nodes of {self.slots} ranks"
        return ""


def find_room(environment: Mapping[str, str] = os.environ) -> Room:
    """The room there is for members, as the environment says.

    Raises:
        ComputationError: Slurm has said nothing of its nodes.
    """
    if "SLURM_JOB_ID" not in environment:
        return Room((cores(),))
    # as many ranks as tasks were asked for; if none were, as many as there are CPUs
    name = "SLURM_TASKS_PER_NODE" if "SLURM_NTASKS" in environment else "SLURM_JOB_CPUS_PER_NODE"
    parts = [re.fullmatch(r"(\d+)(?:\(x(\d+)\))?", part) for part in environment.get(name, "").split(",")]
    if not all(parts):
        raise ComputationError(f"a Slurm allocation (SLURM_JOB_ID), but {name} does not say what it holds")
    return Room(tuple(int(part[1]) for part in parts if part for _ in range(int(part[2] or 1))), slurm=True)


def cores() -> int:
    """Cores that this process may use."""
    with contextlib.suppress(AttributeError):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@functools.lru_cache
def step_options(ranks: int, nodes: int) -> str:
    """Options of `srun` by which the ranks of a member find each other, tried out once.

    Args:
        ranks: of a member.
        nodes: it runs on.

    Raises:
        ComputationError: no step can be started, or its ranks do not find each other.
    """
    said = ""
    for kind in _MPI_TYPES:
        options = f"{STEP_OPTIONS} {kind}".strip()
        shape = [f"--ntasks={ranks}", f"--nodes={nodes}", f"--ntasks-per-node={ranks // nodes}"]
        command = [
            "srun",
            *shape,
            "--exact",
            f"--immediate={STEP_WAIT}",
            *options.split(),
            sys.executable,
            "-c",
            _PROBE,
        ]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=4 * STEP_WAIT)
        except FileNotFoundError:
            raise ComputationError("this is a Slurm allocation (SLURM_JOB_ID), but there is no srun on PATH") from None
        except subprocess.TimeoutExpired:
            said = f"nothing for {4 * STEP_WAIT} s"
            continue
        if done.returncode == 0 and done.stdout.split() == [str(ranks)] * ranks:
            return options
        lines = done.stderr.strip().splitlines() or [f"{ranks} tasks of {' '.join(done.stdout.split())} ranks"]
        said = lines[0]
    raise ComputationError(
        f"srun cannot start a member of {ranks} ranks in this allocation ({said}); see docs/studies.md, Slurm"
    )
