"""A study from file to dataset: what is missing is computed, the dataset written as members end."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from solvers.errors import ComputationError, InputError
from solvers.studies.collect import check_collected
from solvers.studies.engine import run_members
from solvers.studies.file import read_study
from solvers.studies.folder import DONE, MISSING, StudyFolder
from solvers.studies.plan import Plan, make_plan
from solvers.studies.progress import StudyProgress, duration
from solvers.studies.room import Room, find_room
from solvers.studies.study import Study, check_names, member_results, write_study

LOOK = 0.5  # s between looks at the members' folders
WRITING_SHARE = 0.02  # of the time may be spent on the dataset


def checked_plan(path: Path, room: Room | None = None, anywhere: bool = False) -> Plan:
    """The plan of a study file, with all checked that can be known before anything starts.

    Args:
        path: the study file.
        room: where its members will run; None: here.
        anywhere: do not ask whether they have room.

    Raises:
        InputError: one line for each mistake.
    """
    study = read_study(path)
    plan = make_plan(study)
    check_collected(study, plan.members[0].case)
    check_names(study, plan.variables)
    problem = "" if anywhere else (room or find_room()).problem(study.file.ranks)
    if problem:
        raise InputError(f"{study.place(('ranks',))}: ranks: {problem}")
    return plan


def run_study(
    plan: Plan, output: Path, member_time: float | None = None, only: int | None = None, quiet: bool = False
) -> Study:
    """Compute what is missing of a study.

    Args:
        plan: the study.
        output: new folder, or that of this study.
        member_time: s after which a member is stopped; None: never.
        only: compute the first members only, this many.
        quiet: print nothing.

    Raises:
        InputError: the folder is another study's, or the study is running in it.
        ComputationError: the engine failed, or no member at all could be computed.
        KeyboardInterrupt: stopped by a signal.
    """
    folder = StudyFolder(output)
    folder.check(plan.identity)
    with folder.open(plan.identity, plan.study.path):
        keeper = Keeper(folder, plan)
        members = list({member.sha: member for member in plan.members[:only]}.values())
        missing = [member for member in members if keeper.results[member.sha]["status"] == MISSING]
        for member in missing:
            folder.prepare(member)
        ranks, room = plan.study.file.ranks, find_room()
        progress = StudyProgress(len(members), len(members) - len(missing), room.at_once(ranks), quiet)

        def ended(last: bool = False) -> None:
            if not keeper.look(last):
                return
            states = [keeper.results[member.sha]["status"] for member in members]
            done = states.count(DONE)
            progress.show(done, len(states) - states.count(MISSING) - done)

        try:
            ended(last=True)
            if missing:
                run_members(folder, [member.sha for member in missing], ranks, room, member_time, ended)
        finally:
            ended(last=True)
            progress.close()
            keeper.write()
        if not any(result["status"] == DONE for result in keeper.results.values()):
            first = keeper.results[members[0].sha]["error"]
            raise ComputationError(f"no member of the study could be computed; the first: {first}")
    return Study.load(output)


class Keeper:
    """Keeps the dataset on disk up to date with the members."""

    def __init__(self, folder: StudyFolder, plan: Plan) -> None:
        self.folder, self.plan = folder, plan
        self.collect = plan.study.file.collect
        self.results: dict[str, Mapping[str, Any]] = {}
        for member in plan.members:
            if member.sha not in self.results:
                self.results[member.sha] = member_results(folder, member.sha, self.collect)
        self.missing = {sha for sha, result in self.results.items() if result["status"] == MISSING}
        self.wait, self.last, self.looked = 0.0, float("-inf"), float("-inf")
        self.write()

    def look(self, last: bool = False) -> bool:
        """Read what has ended and write if it is time; False if the last look (`last`: whenever) was just now."""
        if time.monotonic() - self.looked < LOOK and not last:
            return False
        self.looked = time.monotonic()
        ended = [sha for sha in self.missing if (self.folder.member(sha) / "record.json").is_file()]
        for sha in ended:
            self.results[sha] = member_results(self.folder, sha, self.collect)
            self.missing.discard(sha)
        self.changed |= bool(ended)
        if self.changed and time.monotonic() - self.last > self.wait:
            self.write()
        return True

    def write(self) -> None:
        """Write the dataset."""
        start = time.monotonic()
        write_study(self.folder.path, self.plan, [self.results[member.sha] for member in self.plan.members])
        self.last = time.monotonic()
        self.wait = (self.last - start) / WRITING_SHARE
        self.changed = False


def describe_plan(plan: Plan) -> list[str]:
    """The members as lines of a table."""
    inputs = [f"{v.name} ({v.unit})" if v.unit else v.name for v in plan.variables]
    rows = [["member", *inputs]]
    for count, member in enumerate(plan.members):
        rows.append([str(count), *(f"{v:.6g}" if isinstance(v, float) else str(v) for v in member.values)])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(text.rjust(width) for text, width in zip(row, widths, strict=True)) for row in rows]


def estimate(plan: Plan, study: Study) -> str:
    """Time and memory of a study, from its first member."""
    first = study.dataset.isel({name: 0 for name in study.dataset.sizes})
    seconds, memory = float(first["run_time"]), float(first["memory"])
    at_once = find_room().at_once(plan.study.file.ranks)
    count = len({member.sha for member in plan.members})
    batches = -(-count // at_once)
    return (
        f"{count} members, {min(at_once, count)} at once: about {duration(batches * seconds)} "
        f"and {memory * min(at_once, count) / 1e3:.2g} GB, from member 0 ({duration(seconds)}, {memory:.0f} MB)"
    )
