"""The commands `coldstack study` and `coldstack optimise`: the text around a study."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from solvers.command.run import seconds_of
from solvers.errors import InputError, on_first_rank
from solvers.studies.folder import MISSING
from solvers.studies.room import Room
from solvers.studies.run import checked_plan, describe_plan, estimate, run_study
from solvers.studies.study import Study

if TYPE_CHECKING:
    import xarray as xr
    from mpi4py import MPI


def study_command(
    file: Path, output: Path, member_time: str | None, dry_run: bool, site: Path | None, status: bool, quiet: bool
) -> None:
    """Compute a study, draw its figures and say what came out; or submit it to Slurm, or say how far it is.

    Args:
        file: study file.
        output: new folder, or that of this study.
        member_time: such as "10 min"; None: no limit.
        dry_run: print the members, compute the first one only and estimate the rest.
        site: site file of the Slurm to submit it to; None: compute it here.
        status: only say how far it is.
        quiet: print nothing.

    Raises:
        InputError: the input is wrong; nothing was started.
        ComputationError: no member could be computed.
    """
    seconds = _seconds(member_time)
    if (site is not None) + status + dry_run > 1:
        raise InputError("coldstack study: choose one of --slurm, --status and --dry-run")
    if status:
        _print_status(file, output)
        return
    if site is not None:
        _submit(file, output, site, member_time)
        return
    plan = checked_plan(file)
    if dry_run:
        print("\n".join(describe_plan(plan)), flush=True)
        study = run_study(plan, output, seconds, only=1, quiet=True)
        print(estimate(plan, study))
        return
    _finish(run_study(plan, output, seconds, quiet=quiet), f"coldstack study {file} --output {output}", quiet)


def _submit(file: Path, output: Path, site_file: Path, member_time: str | None) -> None:
    """Submit a study to Slurm and say how to follow it."""
    from solvers.studies.site import read_site
    from solvers.studies.slurm import submit

    site = read_site(site_file)
    job = submit(checked_plan(file, site.room), site, output, member_time)
    if job is None:
        print(f"nothing is missing in {output}; nothing was submitted")
    else:
        print(f"submitted job {job}; how far it is: coldstack study {file} --output {output} --status")


def _print_status(file: Path, output: Path) -> None:
    """Say how far a study is, and what its job in Slurm does."""
    from solvers.studies.slurm import status

    plan = checked_plan(file, anywhere=True)
    if not (output / "study.json").is_file():
        raise InputError(f"{output}: holds no study; give the output folder of coldstack study")
    print("\n".join(status(plan, output)))


def study_in_groups(file: Path, output: Path, comm: MPI.Intracomm, quiet: bool) -> None:
    """Compute a study on the ranks of one MPI job (collective).

    Args:
        file: study file.
        output: new folder, or that of this study.
        comm: all ranks of the job.
        quiet: print nothing.

    Raises:
        InputError: the input is wrong; nothing was started.
        ComputationError: no member could be computed.
        KeyboardInterrupt: stopped by a signal.
    """
    from solvers.studies.groups import run_in_groups

    plan = on_first_rank(comm, lambda: checked_plan(file, Room((comm.size,))))
    study = run_in_groups(plan, output, comm, quiet)
    if study is not None:
        _finish(study, f"coldstack study {file} --output {output}", quiet)


def optimise_command(file: Path, output: Path, member_time: str | None, quiet: bool) -> None:
    """Search the best values of a case, draw the figures and say what came out.

    Args:
        file: optimisation file.
        output: new folder, or that of this optimisation.
        member_time: such as "10 min"; None: no limit.
        quiet: print nothing.

    Raises:
        InputError: the input is wrong; nothing was started.
        ComputationError: no member could be computed within the constraints.
    """
    from solvers.studies.search import run_search
    from solvers.studies.search_file import read_search

    seconds = _seconds(member_time)
    search, builder, limits = read_search(file)
    study = run_search(search, builder, limits, output, seconds, quiet)
    _finish(study, f"coldstack optimise {file} --output {output}", quiet)
    if not quiet:
        best = study.dataset.isel(member=study.dataset["best"].values == 1)
        for number in range(min(best.sizes["member"], 10)):
            row = best.isel(member=number)
            inputs = [name for name in best.coords if name != "member"]
            names = [*inputs, *map(str, np.atleast_1d(study.dataset.attrs["results"]))]
            print(f"best: member {int(row['member'])}:", ", ".join(_value(row[name]) for name in names))
        print(output / "best.toml")


def _finish(study: Study, again: str, quiet: bool) -> None:
    """Draw the figures; say what failed and where all is."""
    figures = study.plot()
    if quiet:
        return
    for name, text in zip(study.dataset["status"].values.ravel(), study.dataset["error"].values.ravel(), strict=True):
        if text:
            print(f"{name}: {text}")
    missing = int((study.dataset["status"] == MISSING).sum())
    if missing:
        print(f"{missing} members were interrupted; go on with: {again}")
    print(*[str(path) for path in [*figures, study.folder / "study.csv", study.folder / "study.nc"]], sep="\n")


def _seconds(text: str | None) -> float | None:
    return None if text is None else seconds_of(text, "--member-time")


def _value(value: xr.DataArray) -> str:
    number = value.item()
    text = f"{number:.6g}" if isinstance(number, float) else str(number)
    return f"{value.name} = {text} {value.attrs.get('units', '')}".strip()
