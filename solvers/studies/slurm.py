"""A study as jobs of Slurm, each of which submits the next one before its time is up, until nothing is missing.

slurm/job.sh   the script of all jobs
slurm/jobs     number of each job, in order
slurm/N.txt    what job N has written
"""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from solvers.errors import InputError
from solvers.studies.folder import DONE, FAILED, MISSING, TIMED_OUT, StudyFolder, write_text
from solvers.studies.plan import Plan
from solvers.studies.run import Keeper
from solvers.studies.site import Site

_LEAD = 60  # s before the end of a job in which it stops its members and submits the next one; a quarter of short ones
_QUEUE = ("number", "state", "used", "limit", "reason")
_FORMAT = "%i|%T|%M|%l|%R"  # %R: its nodes, or why it waits

_SCRIPT = """#!/bin/bash
{options}
# Written by coldstack study --slurm. Each job submits the next one while members are missing; scancel ends that.
{prologue}
export PYTHONPATH={packages}${{PYTHONPATH:+:$PYTHONPATH}}
again= study=
trap 'again=yes; kill -TERM $study' USR1 # Slurm sends it shortly before the time limit
trap 'kill -TERM $study' TERM # scancel
touch {folder}/started
{command} &
study=$!
wait $study
code=$?
while kill -0 $study 2>/dev/null; do # a signal ends `wait`
  wait $study
  code=$?
done
case $again$code in yes130 | yes143) ;; *) exit $code ;; esac # stopped, and not by scancel
new=$(find {folder}/../members -newer {folder}/started '(' -name record.json -o -path '*/checkpoint*' ')' -print -quit)
if [ -z "$new" ]; then
  echo 'coldstack: no member got on in this job, so there is no next one; give it more time'
  exit 1
fi
sbatch --parsable {folder}/job.sh >>{folder}/jobs
"""


@dataclass(frozen=True)
class Job:
    """A job in the queue, in words of Slurm: number, state, time used and allowed, its nodes or why it waits."""

    number: str
    state: str
    used: str
    limit: str
    reason: str

    def __str__(self) -> str:
        where = self.reason if self.reason.startswith("(") else f"on {self.reason}"
        return f"job {self.number}: {self.state.lower()}, {self.used} of {self.limit}, {where}"


def submit(plan: Plan, site: Site, output: Path, member_time: str | None) -> str | None:
    """Write the script of a study and submit its first job.

    Args:
        plan: the study.
        site: what the cluster wants to know.
        output: new folder, or that of this study.
        member_time: after which a member is stopped, such as "10 min".

    Returns: number of the job; None if nothing is missing.

    Raises:
        InputError: there is no Slurm, it refuses the job, or the study is in its queue; or the folder is another's.
    """
    if shutil.which("sbatch") is None:
        raise InputError("--slurm: there is no sbatch on PATH; start it on a login node of a Slurm cluster")
    folder = StudyFolder(output)
    folder.check(plan.identity)
    queued = queue(folder)
    if queued:
        raise InputError(f"{output}: the study is in the queue already ({queued[-1]}); scancel {queued[-1].number}")
    with folder.open(plan.identity, plan.study.path):
        if not Keeper(folder, plan).missing:
            return None
        place = folder.path / "slurm"
        place.mkdir(exist_ok=True)
        write_text(place / "job.sh", job_script(plan, site, folder, member_time))
    done = _ask(["sbatch", "--parsable", str(place / "job.sh")])
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise InputError(f"--slurm: nothing was submitted: {said[0]}")
    with (place / "jobs").open("a", encoding="utf-8") as stream:
        stream.write(done.stdout.strip() + "\n")
    return _numbers(folder)[-1]


def job_script(plan: Plan, site: Site, folder: StudyFolder, member_time: str | None) -> str:
    """The script of all jobs of a study."""
    place = folder.path / "slurm"
    options = [
        f"--job-name={shlex.quote(plan.study.path.stem)}",
        f"--partition={site.partition}",
        *([f"--account={site.account}"] if site.account else []),
        f"--time={int(site.time // 60)}",
        f"--nodes={site.nodes}",
        f"--ntasks-per-node={site.tasks_per_node}",
        f"--signal=B:USR1@{min(_LEAD, int(site.time // 4))}",
        f"--output={shlex.quote(str(place))}/%j.txt",
        *map(shlex.quote, site.options),
    ]
    command = [sys.executable, "-m", "solvers.command.main", "study", str(plan.study.path.absolute())]
    command += ["--output", str(folder.path), *(["--member-time", member_time] if member_time else [])]
    return _SCRIPT.format(
        options="\n".join(f"#SBATCH {option}" for option in options),
        prologue="\n".join(site.prologue),
        packages=shlex.quote(str(Path(__file__).parents[2])),
        folder=shlex.quote(str(place)),
        command=shlex.join(command),
    ).rstrip()


def queue(folder: StudyFolder) -> list[Job]:
    """The jobs of a study that are queued or running; none where there is no Slurm."""
    numbers = _numbers(folder)
    if not numbers or shutil.which("squeue") is None:
        return []
    lines = _ask(["squeue", "--me", "--noheader", f"--format={_FORMAT}"]).stdout.splitlines()
    jobs = [Job(**dict(zip(_QUEUE, line.strip().split("|", len(_QUEUE) - 1), strict=True))) for line in lines]
    return [job for job in jobs if job.number in numbers]


def status(plan: Plan, output: Path) -> list[str]:
    """How far a study is, and which job computes it, as lines.

    Args:
        plan: the study.
        output: its folder.

    Raises:
        InputError: the folder is another study's.
    """
    folder = StudyFolder(output)
    folder.check(plan.identity)
    states = [folder.record(sha).status for sha in {member.sha for member in plan.members}]
    counts = [f"{states.count(state)} {state}" for state in (DONE, FAILED, TIMED_OUT, MISSING)]
    lines = [f"{plan.study.name}: {len(states)} members: {', '.join(counts)}"]
    numbers, jobs = _numbers(folder), queue(folder)
    lines += [str(job) for job in jobs]
    if numbers and not jobs:
        lines.append(f"job {numbers[-1]}, the last of {len(numbers)}, has ended{_last_words(folder, numbers[-1])}")
    return lines


def _last_words(folder: StudyFolder, number: str) -> str:
    path = folder.path / "slurm" / f"{number}.txt"
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    except OSError:
        return ""
    return f"; in {path}: {lines[-1]}" if lines else ""


def _numbers(folder: StudyFolder) -> list[str]:
    """Numbers of the jobs so far (`sbatch --parsable` says "number" or "number;cluster")."""
    try:
        text = (folder.path / "slurm" / "jobs").read_text(encoding="utf-8")
    except OSError:
        return []
    return [line.split(";")[0] for line in text.split()]


def _ask(command: Sequence[str]) -> subprocess.CompletedProcess[Any]:
    return subprocess.run(command, capture_output=True, text=True)
