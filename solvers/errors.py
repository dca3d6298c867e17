"""The ways a command can end badly, and the list of problems found in a case."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

T = TypeVar("T")

LONGEST_LINE = 480  # characters of a message


class InputError(Exception):
    """The input is wrong: one line per mistake, nothing was written (exit code 2).

    It has one argument so that it survives being sent to the other MPI ranks. What hostile input brings into a line
    is made harmless: no control characters, at most 480 characters.
    """

    def __init__(self, message: str) -> None:
        """Keep the lines, each printable and short."""
        super().__init__("\n".join(_harmless(line) for line in message.split("\n")))

    @property
    def lines(self) -> list[str]:
        """The mistakes, one line each."""
        return str(self).splitlines()


class ComputationError(Exception):
    """The computation failed; the message says what is on disk and how to go on (exit code 3).

    Raise it on all ranks together.
    """


class Stopped(Exception):
    """The computation was stopped as it was asked to; the message says how to go on (exit code 130)."""


class StepFailure(ComputationError):
    """A step did not work out; it can be tried again with a smaller one. Raised on all ranks together."""


def _harmless(line: str) -> str:
    """A line without characters that a terminal would obey or could not show, its middle left out if it is long."""
    if len(line) > LONGEST_LINE:
        line = line[: LONGEST_LINE // 2] + " ... " + line[-LONGEST_LINE // 4 :]
    return "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in line)[:LONGEST_LINE]


class Ranks(Protocol):
    """What is needed here of an MPI communicator."""

    @property
    def rank(self) -> int:
        """Number of this rank, from 0."""

    def bcast(self, obj: Any, root: int = 0) -> Any:
        """Give all ranks what `root` has (collective)."""


def on_first_rank(comm: Ranks, work: Callable[[], T]) -> T:
    """Do something on rank 0 only; all ranks get its result, or its error (collective).

    Raises:
        InputError: `work` raised it.
        ComputationError: `work` raised it, or an OSError, as a full or read-only disk does.
    """
    outcome: T | InputError | ComputationError | None = None
    if comm.rank == 0:
        try:
            outcome = work()
        except (InputError, ComputationError) as error:
            outcome = error
        except OSError as error:
            outcome = ComputationError(f"the disk refuses: {error}")
    shared: T | InputError | ComputationError = comm.bcast(outcome, root=0)
    if isinstance(shared, InputError | ComputationError):
        raise shared
    return shared


@dataclass(frozen=True)
class Problem:
    """A mistake in a case: the keys that lead to it from the top of the file, and what is wrong."""

    path: tuple[str | int, ...]
    message: str


class CaseProblems(ValueError):
    """Several mistakes found in one block."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        """Keep the problems; their paths count from the block."""
        self.problems = list(problems)
        super().__init__("; ".join(problem.message for problem in self.problems))


def nearest(word: str, allowed: Iterable[str]) -> str | None:
    """The allowed word that looks most like `word` (letter case ignored), or None."""
    by_lower = {candidate.lower(): candidate for candidate in allowed}
    found = difflib.get_close_matches(word.lower(), by_lower, n=1, cutoff=0.6)
    return by_lower[found[0]] if found else None


def choices(word: str, allowed: Iterable[str]) -> str:
    """What may stand in place of `word`: the nearest match first if there is one.

    Returns: text such as ``did you mean "working"? (sink, working, load)``.
    """
    names = list(allowed)
    if not names:
        return "there are none"
    hint = nearest(word, names)
    listed = ", ".join(names)
    return f'did you mean "{hint}"? ({listed})' if hint else f"choose from: {listed}"
