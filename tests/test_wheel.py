"""The wheel, built and installed into an empty virtual environment beside NumPy and SciPy."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import scipy

import coldstack as cs

ROOT = Path(__file__).parents[1]
PARTS = ("coldstack.py", "fem", "meshes", "solvers", "pyproject.toml", "README.md", "LICENSE")
USE = """
import importlib.util, coldstack, solvers
assert not [m for m in ("dolfinx", "mpi4py", "petsc4py", "ufl", "pydantic", "rich") if importlib.util.find_spec(m)]
tantalum = coldstack.get_material("Ta")
law = coldstack.TunnelJunction(tantalum, coldstack.get_material("Cu"), 2e-6)
print(coldstack.__version__, float(tantalum.entropy(0.1, 1.0)).hex(), coldstack.__file__)
"""


def run(*command, folder):
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=250, env={"PATH": "/usr/bin:/bin"}
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_wheel_in_an_empty_environment(tmp_path):
    source, built, empty = (tmp_path / name for name in ("source", "built", "empty"))
    source.mkdir()
    for part in PARTS:
        copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
        copy(ROOT / part, source / part)
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", built, source, folder=tmp_path)
    (wheel,) = built.glob("coldstack-*.whl")
    content = {name for name in zipfile.ZipFile(wheel).namelist() if name.endswith(".py")}
    packaged = {str(f.relative_to(ROOT)) for part in PARTS[1:4] for f in (ROOT / part).rglob("*.py")}
    assert content == packaged | {"coldstack.py"}
    run(sys.executable, "-m", "venv", "--without-pip", empty, folder=tmp_path)
    python = empty / "bin" / "python"
    run(sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index", wheel, folder=tmp_path)
    installed = next(empty.glob("lib/python*/site-packages"))
    for package in (np, scipy):  # as pip would install them, but not from a network
        for found in Path(package.__file__).parents[1].glob(f"{package.__name__}*"):
            (installed / found.name).symlink_to(found)
    version, entropy, place = run(python, "-c", USE, folder=tmp_path).split()
    assert version == cs.__version__
    assert float.fromhex(entropy) == cs.get_material("Ta").entropy(0.1, 1.0)
    assert Path(place).parent == installed
