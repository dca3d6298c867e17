"""The JSON Schema of case files, for editors and for reading."""

from __future__ import annotations

import json
from typing import Any

from solvers.case import Case


def case_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of a case file; quantities carry their SI unit as `x-unit`."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Case.model_json_schema(),
        "title": "coldstack case",
    }


def schema_text() -> str:
    """The schema as JSON text."""
    return json.dumps(case_schema(), indent=2, ensure_ascii=False)
