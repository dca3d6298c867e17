"""A run that kills itself, for the tests of checkpoints: python3 killed.py CASE FOLDER WHEN NUMBER.

WHEN is "replace" or "sync": at the NUMBER-th such call, before it is made; or "after": NUMBER seconds after the first
step of the run.
"""

import os
import signal
import sys
import threading
from pathlib import Path

from mpi4py import MPI

from solvers.case.model import load_case
from solvers.cycles.run import run
from solvers.output.recorder import Recorder


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def main():
    case, folder, when, number = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], float(sys.argv[4])
    name = {"replace": "replace", "sync": "fsync", "after": "sync"}[when]
    good, count = getattr(os, name), 0

    def counting(*arguments):
        nonlocal count
        count += 1
        if count == number:
            die()
        good(*arguments)

    setattr(os, name, counting)
    if when == "after":
        stepped = Recorder.step

        def step(recorder, event):
            if recorder.sim.counters.steps and not any(isinstance(t, threading.Timer) for t in threading.enumerate()):
                timer = threading.Timer(number, die)
                timer.daemon = True
                timer.start()
            stepped(recorder, event)

        Recorder.step = step  # type: ignore[method-assign]
    run(load_case(case), folder, MPI.COMM_WORLD, resume=(folder / "checkpoint").is_dir(), quiet=True)


main()
