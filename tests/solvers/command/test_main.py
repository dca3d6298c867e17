import json
import os
import shutil
import subprocess
import sys
import types
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest

from solvers import __version__
from solvers.command import main
from solvers.errors import ComputationError, InputError

ROOT = Path(__file__).parents[3]
DEFAULT = ROOT / "cases" / "refrigerator.toml"
TEXT = DEFAULT.read_text(encoding="utf-8")
# What a launcher of MPI processes leaves in the environment would make a child part of its run.
ENVIRONMENT = {
    key: value
    for key, value in os.environ.items()
    if not key.startswith(("OMPI_COMM_", "PMIX_", "PMI_", "PRTE_LAUNCHED"))
} | {"PYTHONPATH": str(ROOT), "COLUMNS": "100"}


def coldstack(*arguments, folder, ranks=0):
    launcher = ["mpirun", "-n", str(ranks)] if ranks else []
    return subprocess.run(
        [*launcher, sys.executable, "-m", "solvers.command.main", *arguments],
        cwd=folder,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def content(folder):
    return {str(p): p.read_bytes() if p.is_file() else b"" for p in folder.rglob("*")}


# ---- wrong input: one clear line, exit code 2, nothing written -----------------------------------


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("repeat = 3", "repeats = 3", 'cycle.repeats: unknown key; did you mean "repeat"?'),
        ('"1 um"', '"3 mT"', '"3 mT" is a magnetic field; it needs a length such as "50 nm"'),
        ('"1 um"', '"-1 um"', "must be greater than zero"),
        ('"Ta"', '"Tantalum"', 'unknown material "Tantalum"; did you mean "Ta"?'),
        ('"3 um"', '"3 um"\ncenter = ["20 um", 0]', 'layers "working" and "load" do not touch'),
        ('through = "sink"', 'through = "load"', "the drive has no conductor"),
    ],
    ids=["unknown key", "wrong unit", "negative", "unknown material", "apart", "no conductor"],
)
def test_wrong_case(tmp_path, old, new, words):
    (tmp_path / "case.toml").write_text(TEXT.replace(old, new, 1), encoding="utf-8")
    before = content(tmp_path)
    done = coldstack("run", "case.toml", folder=tmp_path)
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert line.startswith("case.toml:")
    assert words in line
    assert done.stdout == ""
    assert content(tmp_path) == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "none.toml"], "none.toml: no such case file"),
        (["mesh", "none.toml"], "none.toml: no such case file"),
        (["run", "case.toml", "--output", "old"], "old: the output folder exists already"),
        (["mesh", "case.toml", "--output", "old"], "old: the output folder exists already"),
        (["run", "case.toml", "--output", "case.toml/x"], "is a file"),
        (["run", "--resume", "new"], "new: cannot be resumed: no such folder"),
        (["run", "--resume", "old"], "old: cannot be resumed: holds no checkpoint"),
        (["run", "--resume", "old", "--output", "old"], "--resume names the folder already"),
        (["run", "case.toml", "--max-time", "-1 s"], "--max-time: "),
        (["run", "case.toml", "--set", "cycle.repeat=0"], "needs a whole number"),
        (["plot", "old"], "old: holds no results"),
        (["materials", "Tantal"], "Tantal"),
        (["materials", "--plot", "Ta.png"], "name the material"),
        (["materials", "Ta", "--plot", "Ta.xyz"], "a picture ends in"),
        (["run"], "give a case file, or --resume DIR; see coldstack run --help"),
        (["mesh"], "Missing argument 'CASE'; see coldstack mesh --help"),
        (["run", "case.toml", "--ouput", "x"], "--output"),
        (["rnu"], "No such command 'rnu'"),
    ],
)
def test_wrong_arguments(tmp_path, arguments, words, monkeypatch, capfd):
    shutil.copy(DEFAULT, tmp_path / "case.toml")
    (tmp_path / "old").mkdir()
    before = content(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert in_process(monkeypatch, *arguments) == 2
    output = capfd.readouterr()
    [line] = output.err.splitlines()
    assert words in line
    assert output.out == ""
    assert content(tmp_path) == before


def test_all_ranks_leave_with_the_same_code_and_one_message(tmp_path):
    (tmp_path / "case.toml").write_text(TEXT.replace("repeat = 3", "repeats = 3"), encoding="utf-8")
    done = coldstack("run", "case.toml", folder=tmp_path, ranks=2)
    assert done.returncode == 2
    assert done.stderr.count("unknown key") == 1
    assert "Traceback" not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["case.toml"]


# ---- what the command does with good input -------------------------------------------------------


def in_process(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["coldstack", *arguments])
    with pytest.raises(SystemExit) as caught:
        main.main()
    assert isinstance(caught.value.code, int)
    return caught.value.code


def replace_run(monkeypatch, run_case):
    simulation = types.ModuleType("solvers.cycles.run")
    simulation.run = run_case
    monkeypatch.setitem(sys.modules, "solvers.cycles.run", simulation)


def test_run_hands_over_the_case(tmp_path, monkeypatch):
    calls = []
    replace_run(monkeypatch, lambda case, output, comm, **more: calls.append((case, output, more)))
    monkeypatch.chdir(tmp_path)
    assert in_process(monkeypatch, "run", str(DEFAULT), "--set", "cycle.repeat=1", "--quiet") == 0
    [(case, output, more)] = calls
    assert case.cycle.repeat == 1
    assert output == Path("results/refrigerator")
    assert more == {"resume": False, "quiet": True, "max_time": np.inf}
    (tmp_path / "there" / "checkpoint").mkdir(parents=True)
    shutil.copy(DEFAULT, tmp_path / "there" / "case.toml")
    changes = ["--set", "cycle.repeat=7", "--max-time", "2 h"]
    assert in_process(monkeypatch, "run", "--resume", "there", *changes) == 0
    assert calls[1][0].cycle.repeat == 7
    assert calls[1][1] == Path("there")
    assert calls[1][2] == {"resume": True, "quiet": False, "max_time": 7200.0}


def test_mesh(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    # An edge half an atom beside another one: only the geometry knows that it cannot be meshed.
    slip = ["--set", "layer.load.size=['14.0001 um', '14 um']"]
    assert in_process(monkeypatch, "mesh", str(DEFAULT), *slip) == 2
    assert "edges of layers load and working are 5e-11 m apart" in capfd.readouterr().err
    assert content(tmp_path) == {}
    assert in_process(monkeypatch, "mesh", str(DEFAULT)) == 0
    output = capfd.readouterr().out.splitlines()
    assert " cells in " in output[0]
    folder = Path("results/refrigerator-mesh")
    files = [folder / name for name in ("mesh.msh", "mesh.pvd", "mesh.png")]
    assert [Path(line) for line in output[-3:]] == files
    counted = int(output[0].split(" cells in ")[0].split()[-1].replace(",", ""))
    check = (
        "import sys, gmsh; gmsh.initialize(); gmsh.open(sys.argv[1]); model = gmsh.model; "
        "print(*sorted(model.getPhysicalName(*group) for group in model.getPhysicalGroups(3))); "
        "print(*map(len, model.mesh.getElements(3)[1]))"
    )
    read = subprocess.run([sys.executable, "-c", check, str(files[0])], capture_output=True, text=True, check=True)
    assert read.stdout.splitlines()[-2:] == ["load sink vacuum working working.barrier", str(counted)]
    (pieces,) = folder.glob("*.vtu")
    assert f'NumberOfCells="{counted}"' in pieces.read_bytes()[:1000].decode("latin-1")
    height, width, _ = matplotlib.image.imread(files[2]).shape
    assert (width, height) > (1000, 500)


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (InputError("first\nsecond"), 2, "first\nsecond\n"),
        (ComputationError("no convergence; resume with ..."), 3, "coldstack: no convergence"),
        (KeyboardInterrupt(), 130, "coldstack: interrupted\n"),
        (ZeroDivisionError("division"), 3, "ZeroDivisionError: division\n"),
    ],
)
def test_exit_codes(tmp_path, monkeypatch, capfd, error, code, words):
    def run_case(*_, **__):
        raise error

    replace_run(monkeypatch, run_case)
    monkeypatch.chdir(tmp_path)
    assert in_process(monkeypatch, "run", str(DEFAULT)) == code
    assert words in capfd.readouterr().err


FAILING_RANKS = """
import sys, types
from mpi4py import MPI
rank = MPI.COMM_WORLD.rank
import solvers.case.model
from solvers.command import main
from solvers.errors import ComputationError
if rank != 0:
    solvers.case.model.load_case = None  # only rank 0 may read the file
def run_case(case, output, comm, **more):
    sys.stdout.write(f"rank {comm.rank} of {comm.size} {case.title}\\n")
    raise ComputationError("did not converge")
simulation = types.ModuleType("solvers.cycles.run")
simulation.run = run_case
sys.modules["solvers.cycles.run"] = simulation
main.main()
"""


def test_rank_0_reads_and_speaks_for_all(tmp_path):
    done = subprocess.run(
        ["mpirun", "-n", "2", sys.executable, "-c", FAILING_RANKS, "run", str(DEFAULT)],
        cwd=tmp_path,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 3
    title = "Nb/Ta/Cu refrigerator on a chip"
    assert sorted(done.stdout.splitlines()) == [f"rank {rank} of 2 {title}" for rank in (0, 1)]
    assert done.stderr.count("coldstack: did not converge") == 1


def test_help_is_instant():
    code = "import sys; from solvers.command import main; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], env=ENVIRONMENT, capture_output=True, text=True, check=True)
    slow = {"dolfinx", "gmsh", "matplotlib", "mpi4py", "numpy", "pint", "pydantic", "ufl"}
    assert not slow & set(done.stdout.split())
    done = coldstack("--help", folder=ROOT)
    assert done.returncode == 0
    for command in ("run", "mesh", "plot", "materials", "schema", "doctor"):
        assert f" {command} " in done.stdout


def test_version_is_that_of_the_package_and_said_once(tmp_path):
    assert coldstack("--version", folder=tmp_path).stdout == f"coldstack {__version__}\n"
    command = ["mpirun", "-n", "2", sys.executable, "-m", "solvers.command.main", "--version"]
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == f"coldstack {__version__}\n"


def test_schema_is_json(monkeypatch, capfd):
    assert in_process(monkeypatch, "schema") == 0
    schema = json.loads(capfd.readouterr().out)
    assert schema["title"] == "coldstack case"
    assert schema["$defs"]["LayerBlock"]["properties"]["thickness"]["x-unit"] == "m"
