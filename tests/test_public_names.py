"""`import coldstack as cs`: what it costs, what it offers."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import coldstack as cs

ROOT = Path(__file__).parents[1]


def python(code):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    return done.stdout


def test_import_loads_nothing_heavy():
    loaded = set(
        python("import sys; before = set(sys.modules); import coldstack; print(*set(sys.modules) - before)").split()
    )
    ours = {"coldstack", "meshes", "meshes.lazy", "solvers"}
    assert ours <= loaded
    assert {name.split(".")[0] for name in loaded - ours} <= set(sys.stdlib_module_names)


def test_materials_need_no_dolfinx():
    code = "import sys, coldstack; coldstack.get_material('Ta'); print(*sys.modules)"
    assert not {"dolfinx", "mpi4py", "petsc4py", "pydantic", "matplotlib"} & set(python(code).split())


@pytest.mark.parametrize("name", cs.__all__)
def test_every_name_is_there_and_described(name):
    thing = getattr(cs, name)
    assert name in dir(cs)
    assert name in (cs.__doc__ or "") or name == "__version__"
    if callable(thing):
        assert thing.__doc__
        assert not thing.__doc__.startswith(f"{name}(")  # what a dataclass without a docstring has


def test_type_checkers_see_the_same_names_from_the_same_places():
    tree = ast.parse((ROOT / "coldstack.py").read_text(encoding="utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    seen = {
        alias.asname: node.module for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    assert seen == {name: home for home, names in cs._HOMES.items() for name in names}


def test_a_name_that_is_not_there():
    with pytest.raises(AttributeError, match=r"has no attribute 'FieldProblm'; it has .*FieldProblem"):
        cs.FieldProblm  # noqa: B018
