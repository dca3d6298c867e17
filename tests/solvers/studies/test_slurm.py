"""Studies on a real Slurm with two virtual nodes (scripts/slurm), and what an allocation says of its nodes."""

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import coldstack as cs
from solvers.errors import ComputationError
from solvers.studies.room import Room, find_room

ROOT = Path(__file__).parents[3]
STUDY = f"{shlex.quote(sys.executable)} -m solvers.command.main study"
NO_SLURM = 69
Write = Callable[[str], Path]


class Cluster:
    """A shell beside a Slurm, as on its login node."""

    def __init__(self, folder):
        launcher = ("OMPI_COMM_", "PMIX_", "PMI_", "PRTE_LAUNCHED")
        environment = {key: value for key, value in os.environ.items() if not key.startswith(launcher)}
        self.folder = folder
        self.shell = subprocess.Popen(
            [str(ROOT / "scripts" / "slurm"), "bash"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment | {"PYTHONPATH": str(ROOT), "COLUMNS": "100"},
        )

    def run(self, command, folder):
        """Exit code, output and errors of a command in a folder."""
        assert self.shell.stdin is not None
        assert self.shell.stdout is not None
        out, err = self.folder / "out", self.folder / "err"
        line = f"(cd {shlex.quote(str(folder))} && {command}) >{out} 2>{err} </dev/null; echo $?\n"
        try:
            self.shell.stdin.write(line)
            self.shell.stdin.flush()
            code = self.shell.stdout.readline()
        except BrokenPipeError:
            code = ""
        if not code:
            raise EOFError
        return int(code), out.read_text(encoding="utf-8"), err.read_text(encoding="utf-8")

    def log(self, node):
        """What the daemon of a node has written."""
        return self.run(f'cat "${{SLURM_CONF%/*}}/{node}.log"', self.folder)[1]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    found = Cluster(tmp_path_factory.mktemp("cluster"))
    try:
        found.run("sinfo", found.folder)
    except EOFError:
        _, errors = found.shell.communicate(timeout=60)
        if found.shell.returncode == NO_SLURM:
            pytest.skip(f"no Slurm on this machine: {errors.strip()}")
        raise AssertionError(errors) from None
    yield found
    assert found.shell.stdin is not None
    found.shell.stdin.close()
    found.shell.wait(timeout=60)


def test_room_of_an_allocation():
    asked = {"SLURM_JOB_ID": "1", "SLURM_NTASKS": "7", "SLURM_JOB_CPUS_PER_NODE": "64(x4)"}
    assert find_room(asked | {"SLURM_TASKS_PER_NODE": "2(x3),1"}) == Room((2, 2, 2, 1), slurm=True)
    del asked["SLURM_NTASKS"]  # no number of tasks was asked for: all CPUs
    assert find_room(asked | {"SLURM_TASKS_PER_NODE": "1(x4)"}) == Room((64,) * 4, slurm=True)
    with pytest.raises(ComputationError, match="SLURM_JOB_CPUS_PER_NODE"):
        find_room({"SLURM_JOB_ID": "1"})
    assert not find_room({}).slurm


@pytest.mark.parametrize(
    ("slots", "ranks", "shape", "at_once"),
    [
        ((4,), 1, (1, 1), 4),
        ((4, 4), 3, (1, 3), 2),  # never over two nodes if one is enough
        ((4, 4), 8, (2, 4), 1),
        ((4, 4, 4), 6, (2, 3), 1),
        ((4, 4, 4, 4), 6, (2, 3), 2),
        ((8, 4, 4), 10, None, 1),  # 5 and 5 do not fit
        ((9, 2, 2), 4, (1, 4), 2),
        ((12, 2, 2), 14, None, 1),
        ((6, 6, 3, 3), 12, (2, 6), 1),
    ],
)
def test_shape_of_members(slots, ranks, shape, at_once):
    room = Room(slots, slurm=True)
    assert room.shape(ranks) == shape
    assert room.at_once(ranks) == at_once
    assert bool(room.problem(ranks)) == (shape is None)


def test_an_allocation_is_used_as_a_whole(cluster, write):
    folder = write('[vary]\n"layer.load.thickness" = ["1 um", "2 um", "3 um", "4 um"]\n').parent
    (folder / "job.sh").write_text(f"#!/bin/bash\n#SBATCH --nodes=2 --ntasks-per-node=2\n{STUDY} study.toml\n")
    code, _, errors = cluster.run("sbatch --wait --output=job.txt job.sh", folder)
    said = (folder / "job.txt").read_text()
    assert (code, errors) == (0, "")
    assert "0 of 4 done, 0 failed, 4 running" in said
    assert "4 of 4 done, 0 failed, 0 running" in said
    for node in ("n1", "n2"):  # steps 0, 1, ... of the job
        assert "launch task StepId=1." in cluster.log(node)
    # the same in an interactive allocation, two ranks for each member
    text = 'ranks = 2\n[vary]\n"layer.load.thickness" = ["2 um", "4 um"]\n'
    (folder / "ranks.toml").write_text(f'case = "case.toml"\n{text}')
    code, said, errors = cluster.run(f"salloc --quiet --nodes=2 --exclusive {STUDY} ranks.toml", folder)
    assert (code, errors) == (0, "")
    assert "0 of 2 done, 0 failed, 2 running" in said
    one = cs.Study.load(folder / "results" / "study").dataset
    two = cs.Study.load(folder / "results" / "ranks").dataset
    assert list(one["status"].values) == ["done"] * 4
    np.testing.assert_allclose(two["T_cold"], one["T_cold"][1::2], rtol=1e-8)
    assert np.unique(one["T_cold"]).size == 4


SITE = 'partition = "main"\ntime = "2 min"\nnodes = 2\ntasks_per_node = 2\n'
FOUR = '[vary]\n"layer.load.thickness" = ["1 um", "2 um", "3 um", "4 um"]\n'


def wait_for_the_end(cluster, folder):
    while cluster.run("squeue --noheader", folder)[1]:
        time.sleep(0.5)


def test_a_study_is_submitted(cluster, write):
    folder = write(FOUR).parent
    (folder / "site.toml").write_text(
        f"{SITE}prologue = [\"echo prologue on $(hostname)\"]\noptions = ['--comment=a b']\n"
    )
    code, said, errors = cluster.run(f"{STUDY} study.toml --slurm site.toml", folder)
    assert (code, errors) == (0, "")
    job = said.split()[2].rstrip(";")
    assert said == f"submitted job {job}; how far it is: coldstack study study.toml --output results/study --status\n"
    # a second job would wait for the first one's folder
    code, said, errors = cluster.run(f"{STUDY} study.toml --slurm site.toml", folder)
    assert (code, said) == (2, "")
    assert errors.startswith(f"results/study: the study is in the queue already (job {job}: ")
    code, said, _ = cluster.run(f"{STUDY} study.toml --status", folder)
    assert code == 0
    assert said.splitlines()[0].startswith("study: 4 members: ")
    assert said.splitlines()[1].startswith(f"job {job}: ")
    assert " of 2:00, " in said
    wait_for_the_end(cluster, folder)
    written = (folder / "results" / "study" / "slurm" / f"{job}.txt").read_text()
    assert written.startswith("prologue on n1\n0 of 4 done, 0 failed, 4 running\n")
    found = cs.Study.load(folder / "results" / "study").dataset
    assert list(found["status"].values) == ["done"] * 4
    assert np.isfinite(found["T_cold"]).all()
    assert np.unique(found["T_cold"]).size == 4
    code, said, _ = cluster.run(f"{STUDY} study.toml --status", folder)
    assert code == 0
    assert said.startswith("study: 4 members: 4 done, 0 failed, 0 timed out, 0 missing\n")
    assert f"job {job}, the last of 1, has ended; in " in said
    code, said, _ = cluster.run(f"{STUDY} study.toml --slurm site.toml", folder)
    assert (code, said) == (0, "nothing is missing in results/study; nothing was submitted\n")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('partition = "main"', 'partiton = "main"', 'site.toml:1: partiton: unknown key; did you mean "partition"?'),
        ('partition = "main"', "", "site.toml: partition: is missing: Partition of the cluster"),
        ('partition = "main"', 'partition = ""', 'site.toml:1: partition: needs a name that Slurm knows, not ""'),
        ('"main"', '"a b"', 'site.toml:1: partition: needs a name that Slurm knows, not "a b"'),
        ('"2 min"', '"-2 min"', 'site.toml:2: time: must be greater than zero, not "-2 min"'),
        ('"2 min"', '"20 s"', 'site.toml:2: time: needs a time such as "4 h", at least 120 s, not "20 s"'),
        ("nodes = 2", "nodes = 0", "site.toml:3: nodes: needs a whole number from 1 on, not 0"),
        (
            "nodes = 2",
            'prologue = ["a\\nb"]',
            r"site.toml: '\n' in the text 'a\nb': texts hold no control characters",
        ),
        ("nodes = 2", 'options = ["qos"]', 'site.toml:3: options[0]: needs an option of sbatch such as "--qos=long"'),
        ('"main"', '"nowhere"', "--slurm: nothing was submitted: sbatch: error: invalid partition specified: nowhere"),
    ],
)
def test_wrong_site_files(cluster, write, old, new, message):
    folder = write(FOUR).parent
    assert old in SITE
    (folder / "site.toml").write_text(SITE.replace(old, new))
    code, said, errors = cluster.run(f"{STUDY} study.toml --slurm site.toml", folder)
    assert (code, said) == (2, "")
    assert errors.startswith(message)
    assert errors.count("\n") == 1
    assert cluster.run("squeue --noheader", folder)[1] == ""
    assert not list(folder.glob("results/study/slurm/jobs"))


def test_no_room_and_no_slurm(write):
    folder = write(f"ranks = 5\n{FOUR}").parent
    (folder / "site.toml").write_text(SITE)
    (folder / "small.toml").write_text('case = "case.toml"\n' + FOUR)
    environment = os.environ | {"PATH": "/nowhere", "PYTHONPATH": str(ROOT)}
    for arguments, message in (
        ("study.toml --slurm site.toml", "study.toml:2: ranks: a member needs 5 cores, and there are 4"),
        ("small.toml --slurm site.toml", "--slurm: there is no sbatch on PATH; start it on a login node"),
        ("small.toml --slurm none.toml", "none.toml: no such site file"),
        ("small.toml --slurm site.toml --status", "coldstack study: choose one of --slurm, --status and --dry-run"),
        ("small.toml --status", "results/small: holds no study"),
    ):
        done = subprocess.run(
            [sys.executable, "-m", "solvers.command.main", "study", *arguments.split()],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
        )
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith(message)
        assert done.stderr.count("\n") == 1
    assert not (folder / "results").exists()


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_jobs_submit_the_next_one_until_nothing_is_missing(cluster, write):
    """Twelve members of 8 s and more, one at a time, in jobs that Slurm warns after 30 to 90 s; one that never ends."""
    points = ", ".join(f'"{1 + i / 10} um"' for i in range(12))
    folder = write(f'[vary]\n"layer.load.thickness" = [{points}]\n').parent
    (folder / "stuck.toml").write_text('case = "case.toml"\n[vary]\n"layer.load.thickness" = ["1 um", "2 um"]\n')
    for name, seconds in (("study", 8), ("stuck", 900)):
        (folder / name).mkdir()
        pause = f"import sys, time\nif 'member.toml' in sys.orig_argv:\n    time.sleep({seconds})\n"
        (folder / name / "sitecustomize.py").write_text(pause)
        site = SITE.replace("nodes = 2\ntasks_per_node = 2", "tasks_per_node = 1")
        (folder / f"{name}.site.toml").write_text(f'{site}prologue = ["export PYTHONPATH={folder / name}"]\n')
        code, _, errors = cluster.run(f"{STUDY} {name}.toml --slurm {name}.site.toml", folder)
        assert (code, errors) == (0, "")
    wait_for_the_end(cluster, folder)
    found = cs.Study.load(folder / "results" / "study").dataset
    assert list(found["status"].values) == ["done"] * 12
    assert np.isfinite(found["T_cold"]).all()
    jobs = (folder / "results" / "study" / "slurm" / "jobs").read_text().split()
    assert len(jobs) >= 2
    first = (folder / "results" / "study" / "slurm" / f"{jobs[0]}.txt").read_text()
    assert first.endswith("coldstack: interrupted\n")
    code, said, _ = cluster.run(f"{STUDY} stuck.toml --status", folder)
    assert said.startswith("stuck: 2 members: 0 done, 0 failed, 0 timed out, 2 missing\n")
    assert "the last of 1, has ended" in said
    assert said.endswith("coldstack: no member got on in this job, so there is no next one; give it more time\n")


@pytest.mark.slow
def test_scancel_ends_the_study(cluster, write):
    folder = write(FOUR).parent
    (folder / "sitecustomize.py").write_text(
        "import sys, time\nif 'member.toml' in sys.orig_argv:\n    time.sleep(900)\n"
    )
    (folder / "site.toml").write_text(f'{SITE}prologue = ["export PYTHONPATH={folder}"]\n')
    assert cluster.run(f"{STUDY} study.toml --slurm site.toml", folder)[0] == 0
    while "StepId=" not in cluster.run("scontrol show steps", folder)[1]:
        time.sleep(0.5)
    time.sleep(3)  # members run
    assert cluster.run("scancel --me", folder)[0] == 0
    wait_for_the_end(cluster, folder)
    code, said, errors = cluster.run(f"{STUDY} study.toml --status", folder)
    assert (code, errors) == (0, "")
    assert said.startswith("study: 4 members: 0 done, 0 failed, 0 timed out, 4 missing\n")
    assert "the last of 1, has ended" in said


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_crash_and_a_hang_are_rows(cluster, write):
    """One member of two ranks crashes, one hangs whatever it is asked, one is computed where they were."""
    folder = write('ranks = 2\n[vary]\n"layer.load.thickness" = ["1 um", "2 um", "3 um"]\n').parent
    lines = [
        "import os, pathlib, signal, sys, time",
        "case = pathlib.Path('member.toml')",
        "text = case.read_text() if 'member.toml' in sys.orig_argv else ''",
        "if 'thickness = 2e-06' in text and os.environ['SLURM_PROCID'] == '1':",
        "    os.kill(os.getpid(), signal.SIGSEGV)",
        "if 'thickness = 3e-06' in text:",
        "    signal.signal(signal.SIGTERM, signal.SIG_IGN)",
        "    time.sleep(900)",
    ]
    (folder / "sitecustomize.py").write_text("\n".join(lines))
    site = SITE.replace("nodes = 2", "nodes = 1").replace("2 min", "10 min")
    (folder / "site.toml").write_text(f'{site}prologue = ["export PYTHONPATH={folder}"]\n')
    limit = '--member-time "100 s"'
    assert cluster.run(f"{STUDY} study.toml --slurm site.toml {limit}", folder)[0] == 0
    wait_for_the_end(cluster, folder)
    found = cs.Study.load(folder / "results" / "study").dataset
    assert list(found["status"].values) == ["done", "failed", "timed out"]
    assert str(found["error"].values[1]) == "srun: error: n1: task 1: Segmentation fault"
    assert str(found["error"].values[2]) == "stopped after 100 s (--member-time)"
