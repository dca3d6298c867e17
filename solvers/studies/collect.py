"""What is collected from the summaries of the members."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from solvers.case.model import Case
from solvers.case.overrides import entry_number
from solvers.errors import InputError, choices
from solvers.studies.file import Located

_CYCLE = (
    *("cycle", "T_cold_K", "T_working_min_K", "T_working_max_K", "Q_cold_J", "Q_hot_J", "work_J"),
    *("entropy_produced_J_per_K", "first_law_residual", "T_cold_drawn_K", "T_bath_K", "cop", "cop_over_carnot"),
    *("ramp_loss_J", "lost_by_mechanism_J", "entropy_by_mechanism_J_per_K"),
)
# The numbers in summary.json that are there before it is written; None: what is inside depends on the case.
# tests/solvers/studies/test_engine.py compares this with the summary of a run.
SUMMARY: dict[str, tuple[str, ...] | None] = {
    "results": (
        *("T_cold_final_K", "cooling_power_initial_W", "half_switched_drive", "fraction_at_full_drive"),
        *("entropy_lowest_step", "cycles", "cycles_passed", "steady_after", "stop_at_after", "jumps", "jump_error"),
    ),
    "drive": None,
    "layers": None,
    "mesh": None,
    "unknowns": ("field", "heat"),
    "solver": None,
    "timings_s": None,
    "memory_peak_MB": (),
    "ranks": (),
    "case": None,
}


def check_collected(study: Located[Any], case: Case) -> None:
    """Whether all that is collected will be in the summary of a run, as far as can be known before.

    Args:
        study: the study file.
        case: that of one member.

    Raises:
        InputError: a key that no summary has; one line for each.
    """
    lines = []
    for name, key in study.file.collect.items():
        trouble = _trouble(key, case) or _name_trouble(name)
        if trouble:
            lines.append(f"{study.place(('collect', name))}: collect.{name}: {trouble}")
    if lines:
        raise InputError("\n".join(lines))


def _name_trouble(name: str) -> str | None:
    return None if name.isidentifier() else f'"{name}" is no name: use letters, digits and "_"'


def _trouble(key: str, case: Case) -> str | None:
    """Why a key can be in no summary."""
    top, *rest = key.split(".")
    if top not in SUMMARY:
        return f'summary.json has no "{top}"; {choices(top, SUMMARY)}'
    known = SUMMARY[top]
    if top == "case":
        try:
            find(case.model_dump(mode="json"), rest)
        except KeyError as error:
            return str(error.args[0])
    if known is None or (not known and not rest):
        return None
    if not rest:
        return f"is a block; name one of its values: {', '.join(known)}"
    if rest[0] not in known:
        return f'{top} has no "{rest[0]}"; {choices(rest[0], known)}' if known else f"{top} is a number, not a block"
    if rest[0] == "cycles":
        if len(rest) < 3:
            return "name a cycle and a value, such as results.cycles.-1.work_J for the last one"
        if not rest[1].removeprefix("-").isdecimal():
            return f'"{rest[1]}" is no number of a cycle: 0 is the first computed, -1 the last one'
        if rest[2] not in _CYCLE:
            return f'a cycle has no "{rest[2]}"; {choices(rest[2], _CYCLE)}'
    return None


def find(values: Any, parts: Iterable[str]) -> Any:
    """A value in nested tables and lists; entries of lists by number (-1: the last), name or layers.

    Raises:
        KeyError: there is none; one line.
    """
    here, done = values, "it"
    for part in parts:
        if isinstance(here, Mapping) and part in here:
            here = here[part]
        elif isinstance(here, list) and part.removeprefix("-").isdecimal() and -len(here) <= int(part) < len(here):
            here = here[int(part)]
        elif isinstance(here, list):
            try:
                here = here[entry_number(here, part, "", done)]
            except InputError as error:
                raise KeyError(str(error).removeprefix(": ")) from None
        elif isinstance(here, Mapping):
            raise KeyError(f'{done} has no "{part}"; {choices(part, map(str, here))}')
        else:
            raise KeyError(f'{done} is a value and has no "{part}"')
        done = part
    return here


def number(summary: Mapping[str, Any], key: str) -> float:
    """A collected number; what a member does not have, or has as null, is not a number (NaN)."""
    try:
        value = find(summary, key.split("."))
    except KeyError:
        return float("nan")
    return float(value) if isinstance(value, int | float) else float("nan")
