"""The site file: what a Slurm cluster wants to know of a job, and how it is made ready to compute.

partition = "main"
time = "4 h"
nodes = 2
tasks_per_node = 32
prologue = ["module load fenics"]
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, ValidationError

from solvers.case.base import Block
from solvers.case.messages import describe, problems_of
from solvers.case.quantities import Quantity, WholeNumber, show
from solvers.case.toml_lines import key_lines
from solvers.case.toml_text import parse_toml, read_text
from solvers.errors import InputError
from solvers.studies.room import Room

# Slurm warns a job up to a minute earlier than it is asked to.
_SHORTEST, _LONGEST = 120.0, 365 * 86400.0  # s


def _word(value: str) -> str:
    if not re.fullmatch(r"[\w.,:+@/-]+", value):
        raise ValueError(f"needs a name that Slurm knows, not {show(value)}")
    return value


def _option(value: str) -> str:
    if not value.startswith("-"):
        raise ValueError(f'needs an option of sbatch such as "--qos=long", not {show(value)}')
    return value


class Site(Block):
    """What a site file may contain."""

    partition: Annotated[str, AfterValidator(_word)] = Field(description='Partition of the cluster, such as "main"')
    time: Annotated[float, Quantity("a time", "s", '"4 h"', minimum=_SHORTEST, maximum=_LONGEST)] = Field(
        description='Time limit of a job, such as "4 h"; the study goes on in the next one'
    )
    account: Annotated[str, AfterValidator(_word)] | None = Field(
        default=None, description="Account that is charged; left out: that of the user"
    )
    nodes: WholeNumber = Field(default=1, description="Number of nodes")
    tasks_per_node: WholeNumber = Field(description="Ranks on each node, such as its number of cores")
    prologue: list[str] = Field(
        default=[], description="Lines of shell that make the environment ready, such as module load"
    )
    options: list[Annotated[str, AfterValidator(_option)]] = Field(
        default=[], description='Further options of sbatch, such as "--qos=long"'
    )

    @property
    def room(self) -> Room:
        """Room for members in a job."""
        return Room((self.tasks_per_node,) * self.nodes, slurm=True)


def read_site(path: Path) -> Site:
    """Read a site file.

    Args:
        path: TOML file.

    Raises:
        InputError: with one line for each mistake.
    """
    text = read_text(path, "site file")
    data = parse_toml(text, str(path))
    places = {keys: f"{path}:{line}" for keys, line in key_lines(text).items()}
    try:
        return Site.model_validate(data)
    except ValidationError as error:
        raise InputError(describe(problems_of(error, Site), data, places, str(path))) from None
