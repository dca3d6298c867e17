"""The verification book: all rows as a table, as JSON, as a page and as a figure of errors."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mpi4py import MPI
from rich import box
from rich.console import Console
from rich.table import Table

from solvers.verification.cycles.rows import cycle_rows
from solvers.verification.field.rows import field_rows
from solvers.verification.heat.rows import heat_rows
from solvers.verification.laws.rows import law_rows
from solvers.verification.report import Row

WIDTH = 150  # columns that the table needs
SMALLEST = 1e-17  # error that the figure shows for none
HEAD = """\
Written by `coldstack verify --output docs`; with `mpirun -n 2` before it there are rows that compare 2 ranks with one.
Errors are relative, absolute where the exact value is zero; orders are observed ones. `solvers/verification/` holds the
cases: each is also an example of the Python interface on a mesh of its own. `errors.png` shows the errors allowed; rows
"as published" allow for the digits of the published figure.

What a table cannot show, and the same rows, are tests:

- whole runs on 1 to 4 ranks against one rank to 1e-8, with ranks that own no interface and fewer columns than ranks:
  `tests/solvers/test_ranks.py`; rows of field and heat on 1 to 3 ranks: `tests/verification/`;
- cases posed from outside, with constant properties, on hexahedra and tetrahedra: `tests/solvers/test_posed.py`;
- what is refused, such as first order on tetrahedra: `tests/solvers/test_field.py`, `tests/solvers/test_posed.py`;
- the examples of the guide: `tests/test_examples.py`.
"""


def all_rows(quick: bool, comm: MPI.Intracomm) -> list[Row]:
    """Rows of laws, field, heat and whole cycles (collective)."""
    return [*law_rows(), *field_rows(quick, comm), *heat_rows(quick, comm), *cycle_rows(comm)]


def as_json(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Rows as plain data: {case, quantity, exact, computed, error, order, passed}."""
    return [
        {
            "case": row.case,
            "quantity": row.quantity,
            "exact": float(row.exact),
            "computed": float(row.computed),
            "error": float(row.error),
            "order": None if row.order is None else float(row.order),
            "passed": bool(row.passed),
        }
        for row in rows
    ]


def write_json(rows: Sequence[Row], path: Path) -> None:
    """Write the rows as a JSON list."""
    path.write_text(json.dumps(as_json(rows), indent=1) + "\n", encoding="utf-8")


def _cells(row: Row) -> list[str]:
    order = "" if row.order is None else f"{row.order:.2f}"
    return [row.case, row.quantity, f"{row.exact:.7g}", f"{row.computed:.7g}", f"{row.error:.1e}", order]


def print_rows(rows: Sequence[Row]) -> None:
    """Print the table and how many rows passed."""
    console = Console(width=None if sys.stdout.isatty() and shutil.get_terminal_size().columns > WIDTH else WIDTH)
    table = Table(box=box.SIMPLE_HEAD, padding=0)
    for name in ("case", "quantity"):
        table.add_column(name)
    for name in ("exact", "computed", "error", "order"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("passed")
    for row in rows:
        table.add_row(*_cells(row), "yes" if row.passed else "[bold red]NO[/]")
    console.print(table)
    print(f"{sum(row.passed for row in rows)} of {len(rows)} passed")


def write_book(rows: Sequence[Row], folder: Path) -> list[Path]:
    """Write verification.json, verification.md and errors.png into a new or existing folder; returns the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    data, page, picture = (folder / name for name in ("verification.json", "verification.md", "errors.png"))
    write_json(rows, data)
    lines = [
        "# Verification",
        "",
        HEAD,
        "| case | quantity | exact | computed | error | order | passed |",
        "|---|---|--:|--:|--:|--:|---|",
        *("| " + " | ".join([*_cells(row), "yes" if row.passed else "**no**"]) + " |" for row in rows),
        "",
        "![errors](errors.png)",
        "",
    ]
    page.write_text("\n".join(lines), encoding="utf-8")
    _draw(rows, picture)
    return [data, page, picture]


def _draw(rows: Sequence[Row], path: Path) -> None:
    """Error of every row beside the largest that passes."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    half = (len(rows) + 1) // 2
    fig, axes = plt.subplots(1, 2, figsize=(18, 0.16 * half + 1.5), layout="constrained", sharex=True)
    for ax, part in zip(axes, (rows[:half], rows[half:]), strict=True):
        place = range(len(part))
        ax.hlines(place, SMALLEST, [max(row.tolerance, SMALLEST) for row in part], color="0.85", lw=4, label="allowed")
        ax.plot([max(row.error, SMALLEST) for row in part], place, "o", ms=4, color="#0072B2", label="found")
        ax.set_yticks(list(place), [f"{row.case}: {row.quantity}" for row in part], fontsize=6)
        ax.set(xscale="log", xlim=(SMALLEST / 3, 3.0), ylim=(half - 0.5, -0.5), xlabel="error")
    fig.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
    fig.savefig(path, dpi=130)
    plt.close(fig)
