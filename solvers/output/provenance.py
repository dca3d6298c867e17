"""What a run was computed with: commit, versions of the libraries, options of PETSc, the mesh."""

from __future__ import annotations

import hashlib
import platform
import re
import sys
from pathlib import Path
from typing import Any

import dolfinx
import dolfinx.mesh
import numpy as np
from mpi4py import MPI
from petsc4py import PETSc

from solvers import __version__
from solvers.errors import on_first_rank
from solvers.simulation.simulation import Simulation

ROOT = Path(__file__).parents[2]
# Libraries that are known by the names of their files only.
FILES = {
    "hypre": re.compile(r"libHYPRE[-_.\w]*\.so[.\d]*"),
    "mumps": re.compile(r"libdmumps[-_.\w]*\.so[.\d]*"),
    "blas": re.compile(r"lib(?:\w*openblas|mkl_rt|blis|flexiblas|blas)[-_.\w]*\.so[.\d]*"),
}


def provenance(sim: Simulation) -> dict[str, Any]:
    """What the summary says of how a run was computed (collective)."""
    options = PETSc.Options()
    return {
        "versions": on_first_rank(sim.comm, versions),
        "commit": on_first_rank(sim.comm, commit),
        "source_sha256": on_first_rank(sim.comm, source_sha256),
        "mesh_sha256": mesh_sha256(sim),
        "options": options.getAll(),
        "options_left": [key for key in options.getAll() if not options.used(key)],
        "seeds": {},  # nothing in a run is drawn by lot
    }


def versions() -> dict[str, str]:
    """Versions of all that computes; of a library loaded from a file its name, which has the version."""
    gmsh = sys.modules.get("gmsh")
    found = {
        "coldstack": __version__,
        "dolfinx": dolfinx.__version__,
        "petsc": ".".join(str(part) for part in PETSc.Sys.getVersion()),
        "mpi": MPI.Get_library_version().split(",")[0].splitlines()[0].strip(),
        "gmsh": str(gmsh.GMSH_API_VERSION) if gmsh else "not used",
        "numpy": np.__version__,
        "python": platform.python_version(),
    }
    maps = Path("/proc/self/maps")
    text = maps.read_text(encoding="utf-8", errors="replace") if maps.exists() else ""
    for name, pattern in FILES.items():
        files = {Path(line.split()[-1]).resolve().name for line in text.splitlines() if pattern.search(line)}
        found[name] = ", ".join(sorted(files)) or "unknown"
    return found


def commit() -> str | None:
    """Commit of the checkout that runs, read without git, which need not be there; None: it is no checkout."""
    git = ROOT / ".git"
    try:
        if git.is_file():  # of another worktree
            git = ROOT / git.read_text(encoding="utf-8").removeprefix("gitdir:").strip()
        head = (git / "HEAD").read_text(encoding="utf-8").strip()
        if not head.startswith("ref: "):
            return head
        name, common = head.removeprefix("ref: "), git / "commondir"
        folder = git / common.read_text(encoding="utf-8").strip() if common.is_file() else git
        if (folder / name).is_file():
            return (folder / name).read_text(encoding="utf-8").strip()
        lines = (folder / "packed-refs").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    return next((line.split()[0] for line in lines if line.endswith(f" {name}")), None)


def source_sha256() -> str:
    """Hash of the modules that run: of a commit, with what was changed since."""
    digest = hashlib.sha256()
    for path in sorted(file for name in ("fem", "meshes", "solvers") for file in (ROOT / name).rglob("*.py")):
        digest.update(f"{path.relative_to(ROOT)}\n".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def mesh_sha256(sim: Simulation) -> str:
    """Hash of the cells' midpoints (to 1e-9 of the largest) and groups, the same on any ranks (collective)."""
    mesh, tags = sim.tagged.mesh, sim.tagged.cell_tags
    owned = np.arange(mesh.topology.index_map(3).size_local, dtype=np.int32)
    middle = dolfinx.mesh.compute_midpoints(mesh, 3, owned)
    group = np.zeros(len(owned) + mesh.topology.index_map(3).num_ghosts)
    group[tags.indices] = tags.values
    parts = sim.comm.gather(np.column_stack([middle, group[: len(owned)]]))

    def digest() -> str:
        assert parts is not None
        rows = np.concatenate(parts)
        rows[:, :3] = np.round(rows[:, :3] / np.abs(rows[:, :3]).max() * 1e9)
        rows = rows[np.lexsort(rows.T)].astype(np.int64)
        return hashlib.sha256(rows.tobytes()).hexdigest()

    return on_first_rank(sim.comm, digest)
