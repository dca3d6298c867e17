"""What a run says while it goes on: lines where there is no terminal, a bar on one, nothing on other ranks."""

import os
import pty
import subprocess
import sys
from pathlib import Path

from solvers.output import terminal

ROOT = Path(__file__).parents[3]
BAR = """
from solvers.output.terminal import Progress
progress = Progress(4, 1, False)
progress.show(2.0, "cycle 1/1 [cool]")
progress.close()
"""


def test_lines_every_few_seconds_without_a_terminal(monkeypatch, capsys):
    now = [100.0]
    monkeypatch.setattr(terminal.time, "monotonic", lambda: now[0])
    progress, quiet = terminal.Progress(10, 2, quiet=False), terminal.Progress(10, 2, quiet=True)
    for second in range(1, 13):
        now[0] = 100.0 + second
        progress.show(2.0 + second / 3, f"step {second}")
        quiet.show(5.0, "not this")
    progress.close()
    # two phases in 6 s, so 6 more of the 10 (2 were done before) take 18 s; 4 in 12 s, 4 more take 12 s
    assert capsys.readouterr().err == "step 6, 6 s, about 18 s left\nstep 12, 12 s, about 12 s left\n"


def test_bar_on_a_terminal():
    ours, theirs = pty.openpty()
    done = subprocess.Popen(
        [sys.executable, "-c", BAR],
        stderr=theirs,
        stdout=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm", "COLUMNS": "120"},
    )
    os.close(theirs)
    said = b""
    try:
        while part := os.read(ours, 4096):
            said += part
    except OSError:  # the end, on Linux
        pass
    os.close(ours)
    assert done.wait(timeout=20) == 0
    assert b"50%" in said
    assert b"cycle 1/1 [cool]" in said
    assert said.endswith((b"\x1b[2K", b"\r"))  # nothing of it stays
