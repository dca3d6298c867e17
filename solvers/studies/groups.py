"""A study inside one MPI job: its ranks split into groups, and each group takes the next member when it is free.

Where no launcher can start members (a job of many ranks on a cluster). An error of a member is a row, as long as all
ranks of its group meet it; a crash ends the whole job, which goes on where it was when it is started again.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import cast

from mpi4py import MPI

from solvers.cycles.run import run
from solvers.errors import ComputationError, InputError, on_first_rank
from solvers.studies.folder import DONE, FAILED, MISSING, Record, StudyFolder, write_record
from solvers.studies.plan import Member, Plan
from solvers.studies.run import Keeper
from solvers.studies.study import Study


def run_in_groups(plan: Plan, output: Path, comm: MPI.Intracomm, quiet: bool = False) -> Study | None:
    """Compute what is missing of a study on the ranks of a communicator (collective).

    Args:
        plan: the study, the same on all ranks.
        output: new folder, or that of this study.
        comm: its ranks make groups of as many as a member has; what is left over is idle.
        quiet: print nothing.

    Returns:
        The study on rank 0, None on the others.

    Raises:
        InputError: the folder is another study's, or there are too few ranks.
        ComputationError: no member could be computed.
        KeyboardInterrupt: stopped by a signal.
    """
    ranks = plan.study.file.ranks
    if comm.size < ranks:
        raise InputError(f"{plan.study.place(('ranks',))}: ranks: a member needs {ranks}, and there are {comm.size}")
    folder = StudyFolder(output)

    def start() -> list[Member]:
        """Lay the folder out; the members that are missing."""
        folder.check(plan.identity)
        locks.append(folder.open(plan.identity, plan.study.path))
        shutil.rmtree(folder.path / "claims", ignore_errors=True)
        (folder.path / "claims").mkdir()
        members = {member.sha: member for member in plan.members}.values()
        missing = [member for member in members if folder.record(member.sha).status == MISSING]
        for member in missing:
            folder.prepare(member)
        return missing

    locks: list[object] = []  # held by rank 0 until the end
    missing = on_first_rank(comm, start)
    keeper = Keeper(folder, plan) if comm.rank == 0 else None
    number = comm.rank // ranks
    colour = number if number < comm.size // ranks else MPI.UNDEFINED
    group = cast(MPI.Intracomm, comm.Split(colour, comm.rank))
    stopped = False
    if group != MPI.COMM_NULL:
        try:
            for member in _claimed(folder, missing, group):
                record = _compute(folder, member, group)
                if group.rank == 0:
                    write_record(folder.member(member.sha), record)
                    if not quiet:
                        print(f"member {member.index}: {record.status} {record.error}".rstrip(), flush=True)
                if keeper is not None:
                    keeper.look(last=True)
        except KeyboardInterrupt:
            stopped = True
        group.Free()
    stopped = bool(comm.allreduce(int(stopped), op=MPI.MAX))

    def end() -> Study:
        assert keeper is not None
        keeper.look(last=True)
        keeper.write()
        shutil.rmtree(folder.path / "claims", ignore_errors=True)
        return Study.load(output)

    study = end() if comm.rank == 0 else None
    if stopped:
        raise KeyboardInterrupt
    if not comm.bcast(study is not None and bool((study.dataset["status"] == DONE).any())):
        raise ComputationError("no member of the study could be computed")
    return study


def _claimed(folder: StudyFolder, members: Sequence[Member], group: MPI.Intracomm) -> Iterator[Member]:
    """The members that this group is the first to take: a file made by one group alone says so."""
    for member in members:
        mine = False
        if group.rank == 0:
            try:
                (folder.path / "claims" / member.sha[:16]).touch(exist_ok=False)
                mine = True
            except FileExistsError:
                pass
        if group.bcast(mine):
            yield member


def _compute(folder: StudyFolder, member: Member, group: MPI.Intracomm) -> Record:
    start, path = time.perf_counter(), folder.member(member.sha) / "run"
    resume = on_first_rank(group, lambda: (path / "checkpoint").is_dir())
    if not resume:
        on_first_rank(group, lambda: shutil.rmtree(path, ignore_errors=True))
    status, error = DONE, ""
    try:
        run(member.case, path, group, resume=resume, quiet=True)
    except Exception as trouble:  # an error of one member is a row, whatever it is
        status, error = FAILED, " ".join(f"{type(trouble).__name__}: {trouble}".split())
    return Record(status, error, time.perf_counter() - start)
