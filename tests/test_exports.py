"""The names that packages export."""

import importlib
import subprocess
import sys

import pytest

LAWS = ["fem.materials", "fem.interfaces"]
LAZY = ["meshes", "fem.spaces", *(f"solvers.{name}" for name in ("case", "cycles", "field", "output", "simulation"))]


@pytest.mark.parametrize("package", [*LAWS, *LAZY])
def test_all_names_are_there(package):
    module = importlib.import_module(package)
    for name in sorted({*module.__all__} - {"LIBRARY"}):
        assert getattr(getattr(module, name), "__name__", name) == name  # a union of types has none
    with pytest.raises(AttributeError, match="nothing"):
        _ = module.nothing


def test_laws_need_no_dolfinx():
    code = (
        "import sys; sys.modules['dolfinx'] = None; sys.modules['ufl'] = None; sys.modules['mpi4py'] = None\n"
        "import meshes, fem.spaces, fem.interfaces; from fem.materials import get_material; from meshes import "
        "StackGeometry; get_material('Ta')"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
