"""Studies computed by the engine, as a user starts them."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import xarray as xr

import coldstack as cs
from solvers.studies.collect import _CYCLE, SUMMARY

ROOT = Path(__file__).parents[3]
# What a launcher of MPI processes leaves in the environment would make a child part of its run.
ENVIRONMENT = {
    key: value
    for key, value in os.environ.items()
    if not key.startswith(("OMPI_COMM_", "PMIX_", "PMI_", "PRTE_LAUNCHED"))
} | {"PYTHONPATH": str(ROOT), "COLUMNS": "100"}
Write = Callable[[str], Path]


def start(folder, *arguments, python_path=""):
    return subprocess.Popen(
        [sys.executable, "-m", "solvers.command.main", "study", *arguments],
        cwd=folder,
        env=ENVIRONMENT | {"PYTHONPATH": f"{python_path}{os.pathsep}{ROOT}" if python_path else str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def study(folder, *arguments, python_path=""):
    process = start(folder, *arguments, python_path=python_path)
    output, errors = process.communicate(timeout=900)
    return process.returncode, output, errors


def test_a_small_study(write):
    text = """name = "two films"
[vary]
"layer.load.thickness" = ["1 um", "2 um"]
[collect]
T_cold = "results.T_cold_final_K"
Q_cold = "results.cycles.-1.Q_cold_J"
"""
    folder = write(text).parent
    code, output, errors = study(folder, "study.toml")
    assert (code, errors) == (0, "")
    assert "2 of 2 done, 0 failed, 0 running" in output
    found = cs.Study.load(folder / "results" / "study").dataset
    assert found["Q_cold"].dims == ("thickness",)
    assert found["thickness"].attrs["units"] == "m"
    assert found["Q_cold"].attrs["units"] == "J"
    # The copper cools down to the bath, so the heat goes with its volume.
    assert float(found["Q_cold"].sel(thickness=2e-6) / found["Q_cold"].sel(thickness=1e-6)) == pytest.approx(2, rel=0.1)
    assert list(found["status"].values) == ["done", "done"]
    assert float(found["first_law_residual"].max()) < 1e-8
    assert (folder / "results" / "study" / "figures" / "T_cold.png").is_file()
    lines = (folder / "results" / "study" / "study.csv").read_text().splitlines()
    assert lines[0].startswith("member,thickness (m),T_cold (K),Q_cold (J),first_law_residual")
    assert len(lines) == 3

    # What may be collected is what a summary has.
    run = folder / "results" / "study" / "members" / str(found["case_sha256"].values[0])[:16] / "run"
    summary = json.loads((run / "summary.json").read_text())
    assert set(SUMMARY) <= set(summary)
    assert set(summary["results"]) == set(SUMMARY["results"] or ())
    assert set(summary["results"]["cycles"][0]) == set(_CYCLE)

    # Again: nothing is computed; another study is refused in the folder.
    code, output, _ = study(folder, "study.toml")
    assert (code, "2 of 2 done" in output) == (0, True)
    write(text.replace('"2 um"', '"3 um"'))
    code, _, errors = study(folder, "study.toml")
    assert code == 2
    assert "is the folder of another study" in errors


def test_a_study_inside_one_mpi_job(write):
    text = """[[together]]
"layer.load.thickness" = ["1 um", "2 um", "3 um", "1 um"]
"solver.max_steps" = [1000, 2, 1000, 1000]
"""
    folder = write(text).parent
    command = [sys.executable, "-m", "solvers.command.main", "study", "study.toml"]
    done = subprocess.run(
        ["mpirun", "-n", "2", *command],
        cwd=folder,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    inside = cs.Study.load(folder / "results" / "study").dataset
    assert list(inside["status"].values) == ["done", "failed", "done", "done"]
    assert "max_steps" in str(inside["error"].values[1])
    code, _, errors = study(folder, "study.toml", "--output", "outside")
    assert (code, errors) == (0, "")
    outside = cs.Study.load(folder / "outside").dataset
    different = ["run_time", "memory", "error", "status"]
    xr.testing.assert_allclose(inside.drop_vars(different), outside.drop_vars(different), rtol=1e-9)


# Members are made to crash or hang where Python starts, by the thickness in their case.
FAULTS = """
import os, pathlib, re, signal, time
case = pathlib.Path("member.toml")
text = case.read_text() if case.is_file() else ""
if "thickness = 2e-06" in text:
    os.kill(os.getpid(), signal.SIGSEGV)
if "thickness = 3e-06" in text:
    time.sleep(1000)
"""
HANGS = 60  # s after which a member counts as hanging; the others take a few


@pytest.mark.slow
@pytest.mark.timeout(1500)
@pytest.mark.parametrize("members", [7, 100])
def test_members_that_crash_hang_or_fail_are_rows_and_a_killed_study_goes_on(write, tmp_path, members):
    # One crashes, one hangs, one fails, two are the same.
    thicknesses = [1.0, 2.0, 3.0, 4.0, 1.0, *(5.0 + 0.1 * k for k in range(members - 5))]
    text = f"""[[together]]
"layer.load.thickness" = {[f"{thickness:.1f} um" for thickness in thicknesses]}
"solver.max_steps" = {[2 if thickness == 4.0 else 1000 for thickness in thicknesses]}
"""
    folder = write(text).parent
    (folder / "faults").mkdir()
    (folder / "faults" / "sitecustomize.py").write_text(FAULTS)
    faults = str(folder / "faults")
    arguments = ("study.toml", "--member-time", f"{HANGS} s", "--output")
    code, output, errors = study(folder, *arguments, "whole", python_path=faults)
    assert (code, errors) == (0, "")
    assert f"{members - 4} of {members - 1} done, 3 failed, 0 running" in output
    whole = cs.Study.load(folder / "whole").dataset
    assert list(whole["status"].values) == ["done", "failed", "timed out", "failed", *["done"] * (members - 4)]
    messages = whole["error"].values
    assert "egmentation fault" in str(messages[1])
    assert f"stopped after {HANGS} s" in str(messages[2])
    assert "max_steps" in str(messages[3])
    assert whole["case_sha256"].values[0] == whole["case_sha256"].values[4]

    done_before = {}
    for _ in range(2):
        process = start(folder, *arguments, "killed", python_path=faults)
        wait_for_more(folder / "killed", process, 1 + members // 5)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        assert {path: path.stat().st_mtime_ns for path in done_before} == done_before
        done_before = {p: p.stat().st_mtime_ns for p in (folder / "killed").glob("members/*/record.json")}
        assert 0 < len(done_before) < members - 1
    code, _, errors = study(folder, *arguments, "killed", python_path=faults)
    assert (code, errors) == (0, "")
    assert {path: path.stat().st_mtime_ns for path in done_before} == done_before
    killed = cs.Study.load(folder / "killed").dataset
    different = ["run_time", "memory"]
    xr.testing.assert_allclose(
        whole.drop_vars([*different, "error", "status"]), killed.drop_vars([*different, "error", "status"]), rtol=1e-9
    )
    assert list(whole["status"].values) == list(killed["status"].values)


def wait_for_more(folder, process, count):
    """Until some more members have ended."""
    before = len(list(folder.glob("members/*/record.json")))
    while len(list(folder.glob("members/*/record.json"))) < before + count:
        assert process.poll() is None
        time.sleep(0.05)


def ended(process):
    """Whether a process ends within ten seconds; where nobody waits for it, it stays as a zombie."""
    for _ in range(100):
        try:
            if Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z":
                return True
        except OSError:
            return True
        time.sleep(0.1)
    return False


def test_sigterm_stops_the_members_at_once(write):
    folder = write('[vary]\n"layer.load.thickness" = ["1 um", "2 um"]\n').parent
    lines = [
        "import os, pathlib, sys, time",
        "if 'member.toml' in sys.orig_argv:",
        f"    pathlib.Path({str(folder)!r}, f'member.{{os.getpid()}}').touch()",
        "    time.sleep(200)",
    ]
    (folder / "sitecustomize.py").write_text("\n".join(lines), encoding="utf-8")
    process = start(folder, "study.toml", python_path=str(folder))
    while not list(folder.glob("member.*")):
        time.sleep(0.1)
        assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (130, "coldstack: interrupted\n")
    for path in folder.glob("member.*"):
        assert ended(int(path.suffix[1:]))
    found = cs.Study.load(folder / "results" / "study").dataset
    assert list(found["status"].values) == ["missing"] * 2
