"""The state of a run on disk: keyed by (layer, input vertex), so that any number of ranks can go on with it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import dolfinx.mesh
import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from solvers.simulation.ledger import Ledger
from solvers.simulation.simulation import Clock, Simulation
from solvers.switching.eddy_currents import EddyCurrents, edge_keys

FILE = "state.npz"


def save(sim: Simulation, folder: Path, more: dict[str, Any]) -> None:
    """Write the state of a run, replacing the last one only when it is complete (collective).

    Args:
        sim: the run.
        folder: of the checkpoint; made if needed.
        more: plain data to keep with it.
    """
    n = sim.heat.space.n_owned
    nodes = sim.comm.gather((sim.heat.space.key[:n], sim.u[:n], sim.f[:n], _reached(sim)[:n]), root=0)
    columns = sim.comm.gather([(x, y) for _, x, y in _columns(sim)], root=0)
    edges = None
    if sim.eddy is not None:
        edge, sign, potential = _edges(sim.eddy)
        owned = sim.eddy.problem.field.space.dofmap.index_map.size_local
        edges = sim.comm.gather((edge[:owned], (sign * potential)[:owned]), root=0)
    if nodes is None or columns is None:
        return
    arrays = {name: np.concatenate([part[k] for part in nodes]) for k, name in enumerate(("key", "u", "f", "reached"))}
    for k in range(len(columns[0])):
        arrays[f"place_{k}"] = np.concatenate([part[k][0] for part in columns])
        arrays[f"level_{k}"] = np.concatenate([part[k][1] for part in columns])
    if edges is not None:
        arrays |= {"edge": np.concatenate([e for e, _ in edges]), "potential": np.concatenate([a for _, a in edges])}
    meta = {
        "clock": vars(sim.clock),
        "ledger": sim.ledger.to_json(),
        "eddy": sim.eddy.state() if sim.eddy is not None else None,
        "counters": {name: getattr(sim, name) for name in sim.COUNTERS},
        "more": more,
    }
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f"{FILE}.part"
    with partial.open("wb") as stream:
        np.savez(stream, meta=np.array(json.dumps(meta)), **arrays)
    os.replace(partial, folder / FILE)


def load(sim: Simulation, folder: Path) -> dict[str, Any]:
    """Set a new run to a saved state; returns what was kept with it (collective).

    Raises:
        ValueError: the checkpoint is of another mesh.
    """
    saved: dict[str, npt.NDArray[Any]] = {}
    if sim.comm.rank == 0:
        with np.load(folder / FILE) as archive:
            saved = {name: archive[name] for name in archive.files}
    saved = sim.comm.bcast(saved, root=0)
    meta = json.loads(str(saved["meta"]))
    space = sim.heat.space
    order = np.lexsort(saved["key"].T[::-1])
    base = int(saved["key"][:, 1].max()) + 1
    ours, theirs = (key[:, 0] * base + key[:, 1] for key in (space.key, saved["key"][order]))
    place = np.clip(np.searchsorted(theirs, ours), 0, len(theirs) - 1)
    wrong = len(theirs) != space.n_global or bool((theirs[place] != ours).any())
    if sim.comm.allreduce(int(wrong)):
        raise ValueError(f"{folder}: the checkpoint is of another mesh")
    sim.u, sim.f = saved["u"][order][place], saved["f"][order][place]
    _reached(sim)[:] = saved["reached"][order][place]
    for k, (level, xy, _) in enumerate(_columns(sim, ghosts=True)):
        if len(xy):
            level[:] = saved[f"level_{k}"][cKDTree(saved[f"place_{k}"]).query(xy)[1]]
    sim.clock, sim.ledger = Clock(**meta["clock"]), Ledger(**meta["ledger"])
    for name, value in meta["counters"].items():
        setattr(sim, name, value)
    if sim.eddy is not None and sim.switching is not None:
        edge, sign, _ = _edges(sim.eddy)
        order, base = np.lexsort(saved["edge"].T[::-1]), int(saved["edge"].max()) + 1
        ours, theirs = (e[:, 0] * base + e[:, 1] for e in (edge, saved["edge"][order]))
        sim.eddy.restore(meta["eddy"], sign * saved["potential"][order][np.searchsorted(theirs, ours)])
        sim.switching.resume_eddy(sim.u)
    more: dict[str, Any] = meta["more"]
    return more


def _reached(sim: Simulation) -> npt.NDArray[np.float64]:
    """Fields that nodes are in on their way through a transition with loss (a view)."""
    return sim.losses.reached if sim.losses is not None else np.zeros(sim.heat.space.n_local)


def _edges(eddy: EddyCurrents) -> tuple[npt.NDArray[np.int64], npt.NDArray[Any], npt.NDArray[Any]]:
    """For each unknown of the field: its name, its sign and its value."""
    space = eddy.problem.field.space
    return *edge_keys(space), eddy.problem.field.potential.x.array


def _columns(sim: Simulation, ghosts: bool = False) -> list[Any]:
    """For each switching film: its levels (a view), and places (m) and levels of its columns."""
    out: list[Any] = []
    if sim.switching is None:
        return out
    for k, columns in enumerate(sim.switching.columns):
        middle = dolfinx.mesh.compute_midpoints(sim.tagged.mesh, 3, columns.cells) * sim.tagged.length_unit
        xy = np.zeros((columns.n, 2))
        xy[columns.column_of_cell] = middle[:, :2]
        level = sim.switching.level[sim.switching.part(k)]
        which = slice(None) if ghosts else columns.owned
        out.append((level, xy[which], level[which]))
    return out
