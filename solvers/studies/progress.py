"""How far a study is: one line that changes on a terminal, plain lines otherwise."""

from __future__ import annotations

import sys
import time
from typing import Any

PLAIN_EVERY = 30.0  # s between plain lines while nothing ends


def duration(seconds: float) -> str:
    """A time in words: 45 s, 12 min, 3.4 h."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


class StudyProgress:
    """Shows done, failed and running members and the time left."""

    def __init__(self, total: int, before: int, at_once: int, quiet: bool) -> None:
        """Start.

        Args:
            total: members to be computed, equal ones counted once.
            before: how many of them had ended before.
            at_once: members that run at the same time.
            quiet: show nothing.
        """
        self.total, self.before, self.at_once, self.quiet = total, before, at_once, quiet
        self.start = self.last = time.monotonic()
        self.shown = ""
        self.bar: Any = None
        if not quiet and sys.stdout.isatty():
            from rich.progress import BarColumn, Progress, TextColumn

            self.bar = Progress(BarColumn(20), TextColumn("{task.description}"), auto_refresh=False)
            self.task = self.bar.add_task("", total=total, completed=before)
            self.bar.start()

    def show(self, done: int, failed: int) -> None:
        """Show how many are done and failed."""
        if self.quiet:
            return
        now = time.monotonic()
        ended = done + failed - self.before
        running = min(self.at_once, self.total - done - failed)
        line = f"{done} of {self.total} done, {failed} failed, {running} running"
        if ended > 0 and running:
            left = (now - self.start) / ended * (self.total - done - failed)
            line += f", {duration(left)} left"
        if self.bar is not None:
            self.bar.update(self.task, description=line, completed=done + failed, refresh=True)
            return
        counts = f"{done} {failed}"
        if counts != self.shown or now - self.last > PLAIN_EVERY:
            print(line, flush=True)
            self.shown, self.last = counts, now

    def close(self) -> None:
        """End the line."""
        if self.bar is not None:
            self.bar.stop()
