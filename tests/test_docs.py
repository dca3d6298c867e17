"""The documentation names files that are there, and Python names that coldstack has."""

import re
from pathlib import Path

import pytest

import coldstack as cs

ROOT = Path(__file__).parents[1]
PAGES = ["README.md", "CONTRIBUTING.md", *(f"docs/{name}.md" for name in ("guide", "limits", "studies", "theory"))]


@pytest.mark.parametrize("page", PAGES)
def test_files_are_there(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    named = re.findall(r"`((?:fem|meshes|solvers|tests|docs|scripts|cases|\.ci)/[\w./-]*)", text)
    missing = [path for path in named if not (ROOT / path).exists()]
    linked = [link for link in re.findall(r"\]\(([\w./-]+)\)", text) if not ((ROOT / page).parent / link).exists()]
    assert not missing + linked


@pytest.mark.parametrize("page", PAGES)
def test_public_names_are_there(page):
    for name in re.findall(r"\bcs\.(\w+)", (ROOT / page).read_text(encoding="utf-8")):
        assert name in cs.__all__
