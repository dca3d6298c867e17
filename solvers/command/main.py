"""The command `coldstack`.

Only typer is imported here at the start, so that --help is instant; each command imports what it
needs. Under mpirun, rank 0 reads and checks the input for all ranks, and speaks for them.

Exit codes: 0 done; 2 the input is wrong, nothing was written; 3 the computation failed; 130
interrupted.
"""

from __future__ import annotations

import io
import os
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Annotated

import click
import typer

from solvers import __version__
from solvers.command.launched import launched_rank, launched_ranks, leave, world
from solvers.command.paths import check_picture, check_writable
from solvers.errors import ComputationError, InputError, Stopped, on_first_rank

INPUT_WRONG = 2
FAILED = 3
INTERRUPTED = 130

app = typer.Typer(
    name="coldstack",
    help="Refrigeration by switching thin superconducting films, simulated in three dimensions.",
    epilog="Start with: coldstack run cases/refrigerator.toml",
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)

CaseFile = Annotated[
    Path,
    typer.Argument(
        metavar="CASE",
        help="Case file (TOML), such as cases/refrigerator.toml.",
        show_default=False,
    ),
]
Changes = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Change a value of the case, such as cycle.repeat=1 or layer.working.thickness=2um; "
        "may be given several times.",
        show_default=False,
    ),
]


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"coldstack {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Options of `coldstack` itself."""


@app.command()
def run(
    case: Annotated[
        Path | None,
        typer.Argument(metavar="CASE", help="Case file (TOML), such as cases/refrigerator.toml.", show_default=False),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="New folder for the results.", show_default="results/CASE"),
    ] = None,
    changes: Changes = None,
    resume: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Go on with the run in this folder, which holds its case; --set cycle.repeat=9, solver and output "
            "settings may change.",
            show_default=False,
        ),
    ] = None,
    max_time: Annotated[
        str | None,
        typer.Option(metavar="TIME", help='Save and stop before this wall time, such as "2 h".', show_default="never"),
    ] = None,
    repeat: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Compute the run of this summary.json again, and compare.", show_default=False
        ),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no table.")] = False,
) -> None:
    """Compute a case: field and temperatures through all cycles."""
    from solvers.command.run import repeat_command, run_command

    if repeat is not None:
        repeat_command(world(), repeat, [case, changes, resume, max_time], output, quiet)
        return
    run_command(world(), case, changes or [], output, resume, max_time, quiet)


@app.command()
def study(
    file: Annotated[
        Path,
        typer.Argument(metavar="STUDY", help="Study file, such as cases/studies/uncertainty.toml.", show_default=False),
    ],
    output: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder: new, or that of this study to go on.", show_default="results/STUDY"),
    ] = None,
    member_time: Annotated[
        str | None,
        typer.Option(metavar="TIME", help='Stop a member after this, such as "10 min".', show_default="never"),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the members, compute the first one, estimate time and memory.")
    ] = False,
    slurm: Annotated[
        Path | None,
        typer.Option(metavar="SITE", help="Submit it to Slurm, as this site file says.", show_default=False),
    ] = None,
    status: Annotated[bool, typer.Option("--status", help="How far it is, and its job in Slurm.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing.")] = False,
) -> None:
    """Compute a case for many values, and one dataset of the results."""
    folder = output or Path("results") / file.stem
    if launched_ranks() > 1:
        if member_time is not None or dry_run or slurm is not None or status:
            raise InputError("coldstack study: --member-time, --dry-run, --slurm and --status: not under mpirun")
        from solvers.command.study import study_in_groups

        study_in_groups(file, folder, world(), quiet)
        return
    from solvers.command.study import study_command

    study_command(file, folder, member_time, dry_run, slurm, status, quiet)


@app.command()
def optimise(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="OPT", help="Optimisation file (TOML), such as cases/studies/chip.toml.", show_default=False
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder: new, or that of this search to go on.", show_default="results/OPT"),
    ] = None,
    member_time: Annotated[
        str | None,
        typer.Option(metavar="TIME", help='Stop a member after this, such as "10 min".', show_default="never"),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing.")] = False,
) -> None:
    """Search the best values of a case within bounds and constraints."""
    if launched_ranks() > 1:
        raise InputError("coldstack optimise: start it without mpirun: it starts each member on its own ranks")
    from solvers.command.study import optimise_command

    optimise_command(file, output or Path("results") / file.stem, member_time, quiet)


@app.command()
def mesh(
    case: CaseFile,
    output: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="New folder for the files.", show_default="results/CASE-mesh"),
    ] = None,
    changes: Changes = None,
) -> None:
    """Make the mesh of a case only: Gmsh, ParaView, a picture."""
    folder = output or Path("results") / f"{case.stem}-mesh"

    comm = world()
    from solvers.command.run import checked_case

    checked = checked_case(comm, case, changes or [], folder)
    from meshes.export import export_mesh
    from meshes.stack_mesh import build_stack_mesh
    from solvers.simulation.geometry import stack_geometry
    from solvers.simulation.resolution import resolution

    stack = stack_geometry(checked)
    tagged = build_stack_mesh(stack, comm)
    files = export_mesh(tagged, folder)
    if comm.rank == 0:
        resolved = [part.text for part in resolution(checked, stack)]
        print(tagged.info.report(), *resolved, *files, sep="\n")


@app.command()
def plot(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Output folder of a run.", show_default=False)],
) -> None:
    """Draw the figures of a finished run again."""

    def draw() -> None:
        """Check the folder, and draw."""
        for name in ("summary.json", "history.csv"):
            if not (folder / name).is_file():
                what = "holds no results" if folder.is_dir() else "no such folder"
                raise InputError(f"{folder}: {what}; give the output folder of a run")
        from solvers.figures.plot import plot_result

        for picture in plot_result(folder):
            print(picture)

    on_first_rank(world(), draw)


@app.command()
def materials(
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="Material, such as Ta; left out: list all.", show_default=False),
    ] = None,
    picture: Annotated[
        Path | None,
        typer.Option(
            "--plot",
            metavar="FILE",
            help="Draw its laws too (.png, .pdf or .svg).",
            show_default=False,
        ),
    ] = None,
) -> None:
    """List the materials, or print and plot the laws of one."""

    def show() -> None:
        """Print what was asked for, and draw it."""
        if name is None and picture is not None:
            raise InputError("--plot: name the material to draw, such as coldstack materials Ta")
        if picture is not None:
            check_picture(picture)
        from fem.materials.library import get_material
        from solvers.figures.materials import list_materials, plot_material, print_material

        if name is None:
            list_materials()
            return
        try:
            material = get_material(name)
        except KeyError as error:
            raise InputError(str(error.args[0])) from None
        print_material(material)
        if picture is not None:
            plot_material(material, picture)
            print(picture)

    on_first_rank(world(), show)


@app.command()
def verify(
    quick: Annotated[bool, typer.Option("--quick", help="A subset that takes about a minute.")] = False,
    data: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write the rows as JSON.", show_default=False)
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write the book there: page, figure, JSON.", show_default=False),
    ] = None,
) -> None:
    """Compare the code with exact solutions; exit code 3 if a row fails."""
    comm = world()

    def check() -> None:
        for path in (data, output):
            if path is not None:
                check_writable(path)

    on_first_rank(comm, check)
    from solvers.verification import book

    rows = book.all_rows(quick, comm)
    if comm.rank == 0:
        book.print_rows(rows)
        if data is not None:
            book.write_json(rows, data)
        if output is not None:
            book.write_book(rows, output)
    failed = sum(not row.passed for row in rows)
    if failed:
        raise ComputationError(f"{failed} of {len(rows)} rows of the verification failed")


@app.command()
def schema() -> None:
    """Print the JSON Schema of case files: every key and its unit."""

    def show() -> None:
        from solvers.case.schema import schema_text

        print(schema_text())

    on_first_rank(world(), show)


@app.command()
def doctor() -> None:
    """Check the installation: what is missing, what to do."""
    from solvers.command.doctor import run_doctor

    raise typer.Exit(run_doctor())


def main() -> None:
    """Run the command line and exit with its code."""
    for stream in (sys.stdout, sys.stderr):  # an ASCII terminal shows what it has no letter for in another way
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    if "HOME" not in os.environ:  # Open MPI does not start without
        home = os.path.expanduser("~")
        os.environ["HOME"] = home if os.path.isdir(home) else tempfile.gettempdir()
    if launched_rank() and {"--help", "-h", "--version"} & set(sys.argv[1:]):
        sys.exit(0)
    code, message = 0, ""
    try:
        code = app(prog_name="coldstack", standalone_mode=False) or 0
    except InputError as error:
        code, message = INPUT_WRONG, str(error)
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx else "coldstack"
        text = error.format_message().rstrip(".")
        code, message = INPUT_WRONG, f"coldstack: {text}; see {command} --help" if text else ""
    except ComputationError as error:
        code, message = FAILED, f"coldstack: {error}"
    except Stopped as stop:
        code, message = INTERRUPTED, f"coldstack: {stop}"
    except (KeyboardInterrupt, click.Abort):
        code = INTERRUPTED
    except Exception:
        # A mistake in the program on this rank alone: the others may wait for it for ever.
        traceback.print_exc()
        leave(FAILED, "coldstack: unexpected error, please report it", alone=True)
    if code == INTERRUPTED and not message:  # typer turns Ctrl-C into this code in some versions
        message = "coldstack: interrupted"
    leave(code, message)


if __name__ == "__main__":
    main()
