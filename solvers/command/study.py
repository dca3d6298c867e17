"""The command `coldstack study`: the text around a study."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

from solvers.case.quantities import Duration, Quantity
from solvers.errors import InputError
from solvers.studies.folder import MISSING
from solvers.studies.run import checked_plan, describe_plan, estimate, run_study


def study_command(file: Path, output: Path, member_time: str | None, dry_run: bool, quiet: bool) -> None:
    """Compute a study, draw its figures and say what came out.

    Args:
        file: study file.
        output: new folder, or that of this study.
        member_time: such as "10 min"; None: no limit.
        dry_run: print the members, compute the first one only and estimate the rest.
        quiet: print nothing.

    Raises:
        InputError: the input is wrong; nothing was started.
        ComputationError: no member could be computed.
    """
    seconds = _seconds(member_time)
    plan = checked_plan(file)
    if dry_run:
        print("\n".join(describe_plan(plan)), flush=True)
        study = run_study(plan, output, seconds, only=1, quiet=True)
        print(estimate(plan, study))
        return
    study = run_study(plan, output, seconds, quiet=quiet)
    figures = study.plot()
    if quiet:
        return
    for name, text in zip(study.dataset["status"].values.ravel(), study.dataset["error"].values.ravel(), strict=True):
        if text:
            print(f"{name}: {text}")
    missing = int((study.dataset["status"] == MISSING).sum())
    if missing:
        print(f"{missing} members were interrupted; go on with: coldstack study {file} --output {output}")
    print(*[str(path) for path in [*figures, output / "study.csv", output / "study.nc"]], sep="\n")


def _seconds(text: str | None) -> float | None:
    if text is None:
        return None
    quantity = next(part for part in get_args(Duration) if isinstance(part, Quantity))
    try:
        return float(quantity.parse(text))
    except ValueError as error:
        raise InputError(f"--member-time: {error}") from None
