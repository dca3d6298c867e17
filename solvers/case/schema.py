"""The JSON Schema of case files, for editors and for reading."""

from __future__ import annotations

import json
from typing import Any

from solvers.case.model import Case
from solvers.case.toml_text import FILE_KEYS


def case_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of a case file; quantities carry their SI unit as `x-unit`.

    A file that extends another one may leave out any key, so the keys a block needs are in
    `x-required`, those of the case in the branch of files that extend none.
    """
    schema = Case.model_json_schema()
    needed = schema.pop("required")
    for block in schema["$defs"].values():
        if "required" in block:
            block["x-required"] = block.pop("required")
    kinds: dict[str, dict[str, Any]] = {
        "extends": {"type": "string"},
        "remove": {"type": "array", "items": {"type": "string"}},
    }
    own = {key: {"description": text, **kinds[key]} for key, text in FILE_KEYS.items()}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "coldstack case",
        "properties": own | schema["properties"],
        "if": {"required": ["extends"]},
        "else": {"required": needed},
    }


def schema_text() -> str:
    """The schema as JSON text."""
    return json.dumps(case_schema(), indent=2, ensure_ascii=False)
