"""The case of a run as a file: every default filled in, so that it gives the same run by itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tomli_w

from solvers import __version__
from solvers.case.model import Case
from solvers.output.result import replace_file


def write_case(case: Case, path: Path) -> None:
    """Write a case with all its defaults, numbers in SI units.

    Args:
        case: the case.
        path: of the file.
    """
    text = tomli_w.dumps(_without_none(case.model_dump(mode="json")))
    with replace_file(path) as partial:
        partial.write_text(
            f"# All values of the case, in SI units; coldstack {__version__}\n\n{text}", encoding="utf-8"
        )


def _without_none(value: Any) -> Any:
    """Without what is left out: TOML has no word for it."""
    if isinstance(value, dict):
        return {key: _without_none(item) for key, item in value.items() if item is not None}
    return [_without_none(item) for item in value] if isinstance(value, list) else value
