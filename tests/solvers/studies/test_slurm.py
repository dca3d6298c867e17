"""Studies on a real Slurm with two virtual nodes (scripts/slurm), and what an allocation says of its nodes."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
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

    def __init__(self, folder: Path) -> None:
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

    def run(self, command: str, folder: Path) -> tuple[int, str, str]:
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

    def log(self, node: str) -> str:
        """What the daemon of a node has written."""
        return self.run(f'cat "${{SLURM_CONF%/*}}/{node}.log"', self.folder)[1]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
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


def test_room_of_an_allocation() -> None:
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
def test_shape_of_members(slots: tuple[int, ...], ranks: int, shape: tuple[int, int] | None, at_once: int) -> None:
    room = Room(slots, slurm=True)
    assert room.shape(ranks) == shape
    assert room.at_once(ranks) == at_once
    assert bool(room.problem(ranks)) == (shape is None)


def test_an_allocation_is_used_as_a_whole(cluster: Cluster, write: Write) -> None:
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
