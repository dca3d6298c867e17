"""States of a run on disk, keyed by places of the mesh, so that any number of ranks can go on from them.

Nodes are named by (layer, input vertex), columns by their place in the plane, edges by their input vertices.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import dolfinx.mesh
import numpy as np
import numpy.typing as npt
from mpi4py import MPI
from scipy.spatial import cKDTree

from meshes.arrays import Bools, Floats, Longs
from solvers.errors import InputError, on_first_rank
from solvers.output.log import log
from solvers.output.state_file import Arrays, read_state, write_state
from solvers.simulation.simulation import Simulation
from solvers.simulation.state import RunState
from solvers.switching.eddy_currents import edge_keys
from solvers.switching.pattern import Saved

TABLES = "table."
KINDS = ("nodes", "columns", "edges")


def save(
    sim: Simulation,
    folder: Path,
    states: Mapping[str, RunState],
    more: Mapping[str, Any],
    tables: Mapping[str, npt.NDArray[Any]] = MappingProxyType({}),
) -> None:
    """Write states of a run, replacing the last ones only when all is complete (collective).

    Args:
        sim: the run.
        folder: of the checkpoint; made if needed.
        states: by name; the one to go on from, and others.
        more: plain data to keep with them.
        tables: arrays to keep with them, by name (rank 0).

    Raises:
        ComputationError: the disk refuses; the checkpoint before is as it was. On all ranks.
    """
    places = _Places(sim)
    arrays = places.keys()
    numbers = {}
    for name, state in states.items():
        saved = state.saved()
        numbers[name] = saved.numbers
        for kind in KINDS:
            arrays |= {
                f"{name}.{kind}.{key}": places.owned(kind, values) for key, values in getattr(saved, kind).items()
            }
    gathered = {name: sim.comm.gather(values) for name, values in arrays.items()}
    whole = {name: np.concatenate(parts) for name, parts in gathered.items() if parts is not None}
    whole |= {f"{TABLES}{name}": values for name, values in tables.items()}
    on_first_rank(sim.comm, lambda: write_state(folder, whole, {"states": numbers, "more": more}))


def load(sim: Simulation, folder: Path) -> tuple[dict[str, RunState], dict[str, Any], Arrays]:
    """Read the states of a run, and what was kept with them (collective).

    Where the last checkpoint is damaged the one before is taken, and a warning is logged.

    Args:
        sim: a run of the same case, on any number of ranks.
        folder: of the checkpoint.

    Returns:
        States and data, and the tables (rank 0; elsewhere empty).

    Raises:
        InputError: there is no checkpoint that can be read, or it is of another mesh; on all ranks.
    """
    tables: Arrays = {}

    def read() -> tuple[Arrays, dict[str, Any]]:
        arrays, data, trouble = read_state(folder)
        if trouble:
            log.warning("%s; the run goes on from the checkpoint before", trouble)
        tables.update({n.removeprefix(TABLES): arrays.pop(n) for n in list(arrays) if n.startswith(TABLES)})
        return arrays, data

    saved, data = on_first_rank(sim.comm, read)
    places = _Places(sim)
    if not places.find(saved):
        raise InputError(f"{folder}: the checkpoint is of another mesh")
    states = {}
    for name, numbers in data["states"].items():
        parts: dict[str, dict[str, Floats]] = {kind: {} for kind in KINDS}
        for path, values in saved.items():
            if path.startswith(f"{name}."):
                kind, key = path.removeprefix(f"{name}.").split(".")
                parts[kind][key] = places.local(kind, values)
        states[name] = RunState.from_saved(replace(Saved(numbers), **parts), sim.switching)
    more: dict[str, Any] = data["more"]
    return states, more, tables


class _Places:
    """Names of the nodes, columns and edges of a run on this rank, and where they are in a checkpoint."""

    def __init__(self, sim: Simulation) -> None:
        self.comm, self.space = sim.comm, sim.heat.space
        self._nodes = sim.heat.space.key
        self._order: dict[str, Longs] = {}
        self._columns, self._owned_columns = _columns(sim)
        self._edges: Longs = np.zeros((0, 2), dtype=np.int64)
        self._signs: Floats = np.zeros(0)
        self._owned_edges = 0
        if sim.switching is not None:
            field = sim.switching.problem.space
            self._edges, self._signs = edge_keys(field)
            self._owned_edges = field.dofmap.index_map.size_local

    def keys(self) -> Arrays:
        """Names of what this rank owns, by kind."""
        return {
            "nodes": self._nodes[: self.space.n_owned],
            "columns": self._columns[self._owned_columns],
            "edges": self._edges[: self._owned_edges],
        }

    def owned(self, kind: str, values: Floats) -> Floats:
        """Those values that this rank owns, of edges in the direction of their names."""
        if kind == "nodes":
            return values[: self.space.n_owned]
        if kind == "columns":
            return values[self._owned_columns]
        return (self._signs * values)[: self._owned_edges]

    def find(self, saved: Arrays) -> bool:
        """Look for this rank's places among saved names; whether all ranks have found theirs (collective)."""
        nodes, edges = (_where(ours, saved[kind]) for kind, ours in (("nodes", self._nodes), ("edges", self._edges)))
        columns: Longs = np.zeros(0, dtype=np.int64)
        if len(saved["columns"]) and len(self._columns):
            columns = np.asarray(cKDTree(saved["columns"]).query(self._columns)[1], dtype=np.int64)
        found = nodes is not None and edges is not None and len(saved["nodes"]) == self.space.n_global
        if self.comm.allreduce(int(found), op=MPI.MIN):
            assert nodes is not None
            assert edges is not None
            self._order = {"nodes": nodes, "edges": edges, "columns": columns}
        return bool(self._order)

    def local(self, kind: str, values: Floats) -> Floats:
        """The values of this rank, ghosts included, from all that were saved."""
        own = values[self._order[kind]]
        return self._signs * own if kind == "edges" else own


def _columns(sim: Simulation) -> tuple[Floats, Bools]:
    """Names (number of the film, place in m) of the columns of the switching films, and which this rank owns."""
    places: list[Floats] = [np.zeros((0, 3))]
    owned: list[Bools] = [np.zeros(0, dtype=bool)]
    for k, columns in enumerate(sim.switching.columns if sim.switching is not None else []):
        middle = dolfinx.mesh.compute_midpoints(sim.tagged.mesh, 3, columns.cells) * sim.tagged.length_unit
        place = np.zeros((columns.n, 3))
        place[columns.column_of_cell, 1:] = middle[:, :2]
        place[:, 0] = k
        places.append(place)
        owned.append(columns.owned)
    return np.concatenate(places), np.concatenate(owned)


def _where(ours: Longs, theirs: Longs) -> Longs | None:
    """Rows of `theirs` that are those of `ours`, pairs of integers; None: some are not there."""
    base = 1 + max(int(names[:, 1].max(initial=0)) for names in (ours, theirs))
    wanted, known = (names[:, 0] * base + names[:, 1] for names in (ours, theirs))
    order = np.argsort(known)
    place = np.searchsorted(known, wanted, sorter=order)
    if (place == len(known)).any():
        return None
    place = order[place]
    return place if (known[place] == wanted).all() else None
