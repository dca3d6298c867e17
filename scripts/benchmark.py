"""Measure coldstack: against NGSolve on the same mesh, over ranks, and whole runs.

    scripts/env python3 scripts/benchmark.py [--quick] [--json FILE] [--docs]

An otherwise idle machine is needed. NGSolve is installed into an environment of its own when it is first needed
(`COLDSTACK_CACHE`). --quick: small meshes, under a minute. --docs: write the tables of docs/performance.md.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PARTS = ROOT / "scripts/benchmarks"
CACHE = Path(os.environ.get("COLDSTACK_CACHE", Path.home() / ".cache/coldstack"))
NGSOLVE = "ngsolve==6.2.2608"
ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
CHIP = ["mesh.surface_cell=1", "mesh.growth=3", "mesh.edge_cell=2 um", "mesh.interior_cell=5 um", "cycle.repeat=1"]
FINE = ["mesh.surface_cell=0.35", "mesh.edge_cell=0.3 um", "mesh.interior_cell=0.9 um"]
FIELDS = {"quick": {"coarse": CHIP[:-1]}, "full": {"default": [], "fine": FINE}}
CUBES = {"quick": [30], "full": [36, 79]}
BEGIN, END = "<!-- table: scripts/benchmark.py --docs -->", "<!-- end -->"


class Bench:
    """Runs the measurements, each in processes of its own.

    Args:
        scratch: folder for their results.
    """

    def __init__(self, scratch: Path) -> None:
        self.scratch = scratch
        self._ngsolve: Path | None = None

    def run(self, script: str, *arguments: str, ranks: int = 1, python: Path | None = None) -> dict[str, Any]:
        """What a script of scripts/benchmarks writes; those lines of its arguments after the file."""
        out = self.scratch / f"{Path(script).stem}.json"
        out.unlink(missing_ok=True)
        command = [str(python or sys.executable), str(PARTS / script), str(out), *arguments]
        if ranks > 1:
            command = ["mpirun", "-n", str(ranks), *command]
        done = subprocess.run(command, cwd=ROOT, env=os.environ | ONE_THREAD, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"{' '.join(command)}\n{done.stderr}")
        return dict(json.loads(out.read_text()))

    @property
    def ngsolve(self) -> Path:
        """A Python that has NGSolve."""
        if self._ngsolve is None:
            home = CACHE / "ngsolve"
            self._ngsolve = home / "bin/python"
            tried = [str(self._ngsolve), "-c", "import ngsolve"]
            if not home.exists() or subprocess.run(tried, capture_output=True).returncode:
                shutil.rmtree(home, ignore_errors=True)
                print("installing NGSolve ...", flush=True)
                subprocess.run([sys.executable, "-m", "venv", "--system-site-packages", str(home)], check=True)
                subprocess.run([str(self._ngsolve), "-m", "pip", "install", "-q", NGSOLVE, "mkl"], check=True)
        return self._ngsolve


def field(bench: Bench, meshes: dict[str, list[str]]) -> list[dict[str, Any]]:
    """Field of a half-switched film: coldstack, and NGSolve on the same hexahedra."""
    rows = []
    for name, changes in meshes.items():
        file = str(bench.scratch / "mesh.npz")
        sets = [word for change in changes for word in ("--set", change)]
        own = bench.run("field.py", file, *sets)
        other = bench.run("ngsolve_field.py", file, python=bench.ngsolve)
        rows.append(
            {
                "mesh": name,
                "edges": own["unknowns"],
                "first_s": own["first"],
                "state_s": own["again"],
                "refactored_s": own["refactored"],
                "refactored_energy": own["refactored_energy"],
                "ngsolve_s": other["seconds"],
                "ngsolve": f"{other['solver']} {other['version']}",
                "energies": abs(own["energy"] / other["energy"] - 1),
            }
        )
    return rows


def heat(bench: Bench, cubes: list[int]) -> list[dict[str, Any]]:
    """One step of heat in a cube: coldstack on one and two ranks, and NGSolve on the same hexahedra."""
    import coldstack as cs

    copper, rows = cs.get_material("Cu"), []
    laws = [str(float(law(0.2)) / 0.2) for law in (copper.heat_capacity, copper.conductivity)]
    for cells in cubes:
        file = str(bench.scratch / "cube.npz")
        one = bench.run("heat.py", str(cells), file)
        two = bench.run("heat.py", str(cells), ranks=2)
        other = bench.run("ngsolve_heat.py", file, *laws, python=bench.ngsolve)
        rows.append(
            {
                "nodes": one["unknowns"],
                "step_s": one["again"],
                "ngsolve_s": other["seconds"],
                "ngsolve": other["solver"],
                "means": abs(one["mean_u"] / other["mean_u"] - 1),
                "iterations": [one["iterations"], two["iterations"]],
                "two_ranks": one["wall"] / two["wall"],
            }
        )
    return rows


def cycles(cases: dict[str, list[str]], scratch: Path) -> list[dict[str, Any]]:
    """Whole runs on one and two ranks: seconds of the clock and where they went."""
    import coldstack as cs

    rows = []
    for name, changes in cases.items():
        sets = [word for change in changes for word in ("--set", change)]
        for ranks in (1, 2):
            out = scratch / f"{name}-{ranks}"
            command = ["mpirun", "-n", str(ranks), sys.executable, "-m", "solvers.command.main", "run"]
            command += [f"cases/{name}.toml", "--output", str(out), "--quiet", *sets]
            subprocess.run(command, cwd=ROOT, env=os.environ | ONE_THREAD, check=True)
            summary = json.loads((out / "summary.json").read_text())
            rows.append(
                {
                    "case": name,
                    "ranks": ranks,
                    "cycles": len(cs.Result.load(out).cycles),
                    **{part: summary["timings_s"].get(part, 0.0) for part in ("total", "field", "heat", "output")},
                }
            )
    return rows


def measure(quick: bool) -> dict[str, Any]:
    """All measurements and the figures drawn from them."""
    kind = "quick" if quick else "full"
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder))
        bandwidth = [bench.run("bandwidth.py", ranks=n)["bytes_per_s"] for n in (1, 2)]
        fields = field(bench, FIELDS[kind])
        cubes = heat(bench, CUBES[kind])
        whole = (
            {"refrigerator": [*CHIP, "output.fields=none", "output.figures=false"]}
            if quick
            else {
                "refrigerator": [],
                "published-200mK": [],
            }
        )
        runs = cycles(whole, Path(folder))
    gain = bandwidth[1] / bandwidth[0]
    return {
        "field_vs_ngsolve": [row["ngsolve_s"] / row["first_s"] for row in fields],
        "field_state_vs_refactor": [row["refactored_s"] / row["state_s"] for row in fields],
        "field_state_vs_ngsolve": [row["ngsolve_s"] / row["state_s"] for row in fields],
        "heat_vs_ngsolve": [row["ngsolve_s"] / row["step_s"] for row in cubes],
        "krylov_over_bandwidth": [row["two_ranks"] / gain for row in cubes],
        "scaling_2_ranks": [runs[k]["total"] / runs[k + 1]["total"] for k in range(0, len(runs), 2)],
        "stream_2_ranks": gain,
        "iterations": {str(row["nodes"]): row["iterations"] for row in cubes},
        "cycle_cpu_s": {row["case"]: row["total"] / row["cycles"] for row in runs if row["ranks"] == 1},
        "bandwidth": bandwidth,
        "field": fields,
        "heat": cubes,
        "runs": runs,
    }


def tables(found: dict[str, Any]) -> str:
    """The measurements as tables of Markdown."""
    out = [
        "| mesh | edges | first, s | new state, s | refactored, s | NGSolve, s | ratio | energies differ by |",
        "|---|" + "---:|" * 7,
    ]
    for row in found["field"]:
        out.append(
            f"| {row['mesh']} | {row['edges']:,} | {row['first_s']:.2f} | {row['state_s']:.2f} | "
            f"{row['refactored_s']:.2f} | {row['ngsolve_s']:.2f} ({row['ngsolve']}) | "
            f"{row['ngsolve_s'] / row['first_s']:.1f}, new state {row['ngsolve_s'] / row['state_s']:.1f} | "
            f"{row['energies']:.0e}, refactored {row['refactored_energy']:.0e} |"
        )
    out += ["", "| nodes | step, s | NGSolve, s | ratio | Krylov iterations on 1, 2 ranks | 1 to 2 ranks |"]
    out.append("|---:|" + "---:|" * 5)
    for row in found["heat"]:
        out.append(
            f"| {row['nodes']:,} | {row['step_s']:.2f} | {row['ngsolve_s']:.2f} ({row['ngsolve']}) | "
            f"{row['ngsolve_s'] / row['step_s']:.1f} | {row['iterations'][0]}, {row['iterations'][1]} | "
            f"{row['two_ranks']:.2f} |"
        )
    out += ["", "| case | ranks | cycles | total, s | field, s | heat, s | output, s |", "|---|" + "---:|" * 6]
    for row in found["runs"]:
        parts = " | ".join(f"{row[name]:.1f}" for name in ("total", "field", "heat", "output"))
        out.append(f"| {row['case']} | {row['ranks']} | {row['cycles']} | {parts} |")
    out += ["", f"Memory bandwidth of two ranks over that of one: {found['stream_2_ranks']:.2f}."]
    return "\n".join(out)


def main() -> None:
    """Measure, print, and write what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="small meshes, under a minute")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures to this file")
    parser.add_argument("--docs", action="store_true", help="write the tables of docs/performance.md")
    options = parser.parse_args()
    found = measure(options.quick)
    text = tables(found)
    print(text)
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n")
    if options.docs:
        page = ROOT / "docs/performance.md"
        between = re.compile(re.escape(BEGIN) + ".*?" + re.escape(END), re.S)
        page.write_text(between.sub(lambda _: f"{BEGIN}\n\n{text}\n\n{END}", page.read_text()))


main()
