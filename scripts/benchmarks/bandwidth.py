"""Memory bandwidth of N ranks at once: a = b + s c on arrays that no cache holds (STREAM's triad).

mpirun -n N python3 scripts/benchmarks/bandwidth.py OUT.json
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np
from mpi4py import MPI

SIZE, RUNS = 8_000_000, 8
comm = MPI.COMM_WORLD
a, b, c = (np.full(SIZE, float(k)) for k in (0, 1, 2))
best = np.inf
for _ in range(RUNS):
    comm.Barrier()
    start = time.perf_counter()
    np.multiply(c, 3.0, out=a)
    np.add(a, b, out=a)
    best = min(best, comm.allreduce(time.perf_counter() - start, op=MPI.MAX))
if comm.rank == 0:
    # c is read, a written, then a and b read and a written
    Path(sys.argv[1]).write_text(json.dumps({"bytes_per_s": 5 * 8 * SIZE * comm.size / best}))
