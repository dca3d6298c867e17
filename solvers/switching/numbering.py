"""Numbers of the columns of all switching films that are the same on any number of ranks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from mpi4py import MPI
from scipy.spatial import cKDTree

from meshes.arrays import Floats, Ints, Longs
from solvers.switching.columns import Columns


class ColumnNumbers:
    """Every column of every switching film has a number; values of all columns are kept on all ranks.

    There are few of them (a film's footprint in cells), and what one does depends on all others.

    Args:
        films: the columns of each switching film on this rank.
        length_unit: metres per unit of the mesh's coordinates.
        comm: MPI communicator.

    Attributes:
        n: how many columns there are.
        film: number of the film of each column, (n,).
        volume: m^3, (n,).
        local: for each film the numbers of this rank's columns, ghosts included, (n_local,) each.
    """

    def __init__(self, films: Sequence[Columns], length_unit: float, comm: MPI.Intracomm) -> None:
        self.comm = comm
        self.local: list[Longs] = []
        places: list[Floats] = []
        volumes: list[Floats] = []
        owners: list[Longs] = []
        start = 0
        for columns in films:
            xy = columns.centres() * length_unit
            everywhere = np.concatenate(comm.allgather(xy[columns.owned]))
            volume = np.concatenate(comm.allgather(columns.volume[columns.owned]))
            scale = np.ptp(everywhere, axis=0).max() or 1.0
            order = np.lexsort(np.round(everywhere / scale, 9).T)
            everywhere, volume = everywhere[order], volume[order]
            found = cKDTree(everywhere).query(xy)[1] if len(xy) else np.zeros(0, dtype=np.int64)
            self.local.append(np.asarray(found, dtype=np.int64) + start)
            places.append(everywhere)
            volumes.append(volume)
            owners.append(np.full(len(volume), len(owners), dtype=np.int64))
            start += len(volume)
        self.n = start
        self.place: Floats = np.concatenate(places) if places else np.zeros((0, 2))
        self.volume: Floats = np.concatenate(volumes) if volumes else np.zeros(0)
        self.film: Longs = np.concatenate(owners) if owners else np.zeros(0, dtype=np.int64)

    def gather(self, films: Sequence[Columns], values: Sequence[Floats]) -> Floats:
        """Values of this rank's columns, one array for each film, as values of all columns, (n, ...) (collective)."""
        shape = (self.n, *values[0].shape[1:]) if values else (self.n,)
        out = np.zeros(shape)
        for columns, numbers, part in zip(films, self.local, values, strict=True):
            out[numbers[columns.owned]] = part[columns.owned]
        return np.asarray(self.comm.allreduce(out))

    def mean(self, values: Floats, film: int) -> float:
        """Volume mean of a film's columns; values of all columns, (n,)."""
        mine = self.film == film
        return float(np.average(values[mine], weights=self.volume[mine]))

    def cells(self, films: Sequence[Columns]) -> list[Ints]:
        """Local cells (ghosts included) of every column of all films."""
        cells: list[Ints] = [np.zeros(0, dtype=np.int32) for _ in range(self.n)]
        for columns, numbers in zip(films, self.local, strict=True):
            if columns.n == 0:  # this rank has none
                continue
            order = np.argsort(columns.column_of_cell, kind="stable")
            ends = np.cumsum(np.bincount(columns.column_of_cell, minlength=columns.n))[:-1]
            for number, part in zip(numbers, np.split(columns.cells[order], ends), strict=True):
                cells[int(number)] = part
        return cells
