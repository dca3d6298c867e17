"""The limits that CONTRIBUTING.md sets to modules, functions and classes, and that public names are described."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = [
    ROOT / "coldstack.py",
    *sorted(path for name in ("fem", "meshes", "solvers") for path in (ROOT / name).rglob("*.py")),
]
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def parsed(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def named(node, public=True):
    """Definitions in a module or class, and in its classes: (node, whether everything on the way there is public)."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (*FUNCTIONS, ast.ClassDef)):
            seen = public and not child.name.startswith("_")
            yield child, seen
            if isinstance(child, ast.ClassDef):
                yield from named(child, seen)


def attributes(node):
    """Names that a class gives to itself in its body or, as `self.name`, in its methods."""
    targets = [
        target
        for child in node.body
        if isinstance(child, (ast.Assign, ast.AnnAssign))
        for target in (child.targets if isinstance(child, ast.Assign) else [child.target])
    ]
    found = {target.id for target in targets if isinstance(target, ast.Name)}
    for child in ast.walk(node):
        if isinstance(child, ast.Attribute) and isinstance(child.ctx, ast.Store) and isinstance(child.value, ast.Name):
            found |= {child.attr} if child.value.id == "self" else set()
    return found


def is_block(node):
    """Whether a class is a block of a case file: its attributes are the keys that the file may have."""
    return any(isinstance(base, ast.Name) and base.id == "Block" for base in node.bases)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_module(path):
    tree = parsed(path)
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400
    assert ast.get_docstring(tree)
    for node, public in named(tree):
        is_overload = any(isinstance(d, ast.Name) and d.id == "overload" for d in node.decorator_list)
        assert ast.get_docstring(node) or not public or is_overload, f"{node.name} has no docstring"
        if isinstance(node, ast.ClassDef):
            assert len(attributes(node)) <= 20 or is_block(node), f"{node.name}: {sorted(attributes(node))}"
    for node in ast.walk(tree):
        if isinstance(node, FUNCTIONS):
            assert node.end_lineno - node.lineno < 80, f"{node.name} is too long"
