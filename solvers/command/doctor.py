"""`coldstack doctor`: is everything here that a calculation needs, and does it work together?

Every check returns findings; nothing is imported before its check, so that a broken installation
gives a finding and not a traceback. The fitness of the libraries is tried out on two small
problems with known solutions, one for each kind of solver the calculations use.
"""

from __future__ import annotations

import importlib
import math
import os
import platform
import re
import shlex
import shutil
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from solvers.simulation.memory import available_memory

if TYPE_CHECKING:
    import dolfinx.fem
    import ufl
    from mpi4py import MPI

SUPPORTED_DOLFINX = ((0, 9), (0, 12))  # from the first to below the second
SETUP = "use scripts/env, or the conda environment of environment.yml"
MODULES = (
    *("mpi4py", "petsc4py", "dolfinx", "gmsh", "numpy", "scipy"),
    *("matplotlib", "pydantic", "typer", "rich", "pint", "tomli_w"),
)
MPI_LIBRARY = re.compile(r"/lib(mpi|mpich)\.(so|[\d.]*dylib)")
FAST_BLAS = re.compile(r"openblas|mkl|blis|flexiblas|accelerate|libsci|essl|armpl", re.IGNORECASE)
ANY_BLAS = re.compile(r"/lib(c|f)?blas[-.\w]*\.so|/libatlas", re.IGNORECASE)

Status = Literal["ok", "slow", "wrong"]


@dataclass(frozen=True)
class Finding:
    """The outcome of one check.

    Attributes:
        name: what was looked at.
        detail: what was found.
        status: "wrong" where calculations fail or cannot be trusted, "slow" where they only
            suffer, else "ok".
        remedy: how to mend it; empty for "ok".
    """

    name: str
    detail: str
    status: Status = "ok"
    remedy: str = ""

    def __str__(self) -> str:
        """One line, and a second one with the remedy."""
        line = f"{self.status:6}{self.name}: {self.detail}"
        return f"{line}\n      -> {self.remedy}" if self.remedy else line


def judge(name: str, detail: str, good: bool, remedy: str = SETUP, otherwise: Status = "wrong") -> Finding:
    """A finding that is fine if `good`, and else comes with a remedy."""
    return Finding(name, detail) if good else Finding(name, detail, otherwise, remedy)


def run_doctor() -> int:
    """Check the installation and print the findings on rank 0 (collective under mpirun).

    Returns: 0 if calculations will work on all ranks, else 3.
    """
    findings = [
        Finding("Python", f"{platform.python_version()}, {sys.executable}"),
        *check_imports(),
    ]
    try:
        from mpi4py import MPI
    except ImportError:  # then there is no other rank to talk to
        return _report([findings])
    comm = MPI.COMM_WORLD
    findings += check_launcher(comm.size, os.environ)
    complete = all(finding.status != "wrong" for finding in findings)
    if comm.allreduce(complete, op=MPI.LAND):
        findings += check_versions()
        findings += check_loaded_libraries(loaded_files())
        findings += check_jit()
        findings += check_machine(comm)
        findings += _try_solver("direct solver (MUMPS, edge elements)", nedelec_error, comm)
        findings += _try_solver("multigrid (hypre BoomerAMG, nodes)", poisson_error, comm)
    everyone = comm.gather(findings)
    code = _report(everyone) if everyone is not None else 0
    return int(comm.bcast(code))


def _report(everyone: list[list[Finding]]) -> int:
    """Print rank 0's findings and what other ranks found to complain of; the exit code."""
    lines = [str(finding) for finding in everyone[0]]
    for rank, findings in enumerate(everyone[1:], start=1):
        complaints = (f for f in findings if f.status != "ok" and f not in everyone[0])
        lines += [f"[rank {rank}] {finding}" for finding in complaints]
    wrong = any(finding.status == "wrong" for findings in everyone for finding in findings)
    verdict = "something is wrong here: see above" if wrong else "calculations will work here"
    print(*lines, verdict, sep="\n", flush=True)
    return 3 if wrong else 0


def check_imports(modules: Iterable[str] = MODULES) -> list[Finding]:
    """Import each module; a finding only for those that fail."""
    findings = []
    for name in modules:
        try:
            importlib.import_module(name)
        except Exception as error:  # a library that does not load may raise anything
            detail = f"cannot be imported ({type(error).__name__}: {error})"
            findings.append(Finding(name, detail, "wrong", SETUP))
    return findings


def check_launcher(size: int, environment: Mapping[str, str]) -> list[Finding]:
    """Does MPI see as many ranks as its launcher started?

    Args:
        size: ranks of the world communicator.
        environment: the process's environment variables.
    """
    for variable in ("OMPI_COMM_WORLD_SIZE", "PMI_SIZE"):
        started = int(environment.get(variable, size))
        if started != size:
            detail = f"started {started} ranks, but MPI sees {size}: mpirun is of another MPI"
            remedy = "take this environment's: scripts/env mpirun -n N coldstack ..."
            return [Finding("mpirun", detail, "wrong", remedy)]
    return [Finding("ranks", str(size))]


def check_versions() -> list[Finding]:
    """Versions, and how PETSc and DOLFINx were built."""
    import dolfinx
    import gmsh
    import numpy as np
    from mpi4py import MPI
    from petsc4py import PETSc

    low, below = SUPPORTED_DOLFINX
    found = tuple(int(part) for part in re.findall(r"\d+", dolfinx.__version__)[:2])
    needed = f"{low[0]}.{low[1]} to <{below[0]}.{below[1]} is needed; {SETUP}"
    scalar = np.dtype(PETSc.ScalarType)
    petsc = f"{'.'.join(map(str, PETSc.Sys.getVersion()))}, {scalar} scalars"
    lacking = [name for name in ("mumps", "hypre") if not PETSc.Sys.hasExternalPackage(name)]
    solvers = f"built without {' and '.join(lacking)}" if lacking else "MUMPS and hypre"
    vtx = "DOLFINx writes fields with it" if dolfinx.has_adios2 else "DOLFINx was built without it"
    return [
        judge("DOLFINx", dolfinx.__version__, low <= found < below, needed),
        judge("PETSc", petsc, scalar == np.float64, "real double scalars are needed; " + SETUP),
        judge("PETSc solvers", solvers, not lacking),
        Finding("MPI", MPI.Get_library_version().strip("\0 \n").splitlines()[0]),
        Finding("Gmsh", gmsh.GMSH_API_VERSION),
        judge("ADIOS2", vtx, dolfinx.has_adios2),
    ]


def loaded_files() -> frozenset[str]:
    """Paths of the libraries loaded into this process; empty where the system does not tell."""
    try:
        lines = Path("/proc/self/maps").read_text().splitlines()
    except OSError:
        return frozenset()
    return frozenset(fields[5] for line in lines if len(fields := line.split(maxsplit=5)) == 6)


def check_loaded_libraries(files: Iterable[str]) -> list[Finding]:
    """One MPI for all packages, and a fast BLAS?

    Args:
        files: paths of the loaded libraries.
    """
    if not (known := sorted(files)):
        return []
    findings = []
    mpi = [path for path in known if MPI_LIBRARY.search(path)]
    if len(mpi) > 1:
        detail = f"mpi4py, PETSc and DOLFINx use different ones: {', '.join(mpi)}"
        findings.append(Finding("MPI", detail, "wrong", "install all of them from one place; " + SETUP))
    fast = [path for path in known if FAST_BLAS.search(path)]
    plain = [path for path in known if ANY_BLAS.search(path) and path not in fast]
    if fast:
        findings.append(Finding("BLAS", fast[-1]))
    elif plain:
        remedy = "install OpenBLAS (Debian: libopenblas0-serial)"
        detail = f"{plain[0]} is the reference one: the direct solver takes 4 to 8 times as long"
        findings.append(Finding("BLAS", detail, "slow", remedy))
    return findings


def check_jit() -> list[Finding]:
    """DOLFINx compiles each form once: a C compiler and a writable folder are needed."""
    import dolfinx.jit

    findings = []
    compiler = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")[0]
    if shutil.which(compiler) is None:
        remedy = "install a C compiler, or set the environment variable CC"
        findings.append(Finding("C compiler", f"{compiler} is not here", "wrong", remedy))
    folder = Path(dolfinx.jit.get_options()["cache_dir"])
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        remedy = "make it writable, or set XDG_CACHE_HOME to a folder that is"
        findings.append(Finding("compiled forms", str(error), "wrong", remedy))
    else:
        findings.append(Finding("compiled forms", str(folder)))
    return findings


def check_machine(comm: MPI.Intracomm) -> list[Finding]:
    """Cores and memory of this node for the ranks on it (collective)."""
    from mpi4py import MPI

    node = comm.Split_type(MPI.COMM_TYPE_SHARED)
    ranks = node.size
    node.Free()
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    detail = f"{cores}, for {ranks} rank{'s' if ranks > 1 else ''}"
    findings = [judge("cores", detail, ranks <= cores, f"use mpirun -n {cores}", "slow")]
    memory = available_memory()
    if memory is not None:
        remedy = "small cases need 2 GB, large ones more"
        findings.append(judge("memory", f"{memory / 1e9:.1f} GB free", memory > 2e9, remedy, "slow"))
    return findings


def _try_solver(name: str, solve: Callable[[MPI.Intracomm], float], comm: MPI.Intracomm) -> list[Finding]:
    """Solve a problem with a known solution on all ranks (collective)."""
    try:
        error = solve(comm)
    except Exception as failure:  # whatever it is, it is what the user must see
        return [Finding(name, f"{type(failure).__name__}: {failure}", "wrong", SETUP)]
    if not error < 1e-8:
        return [Finding(name, f"wrong answer: relative error {error:.1e}", "wrong", SETUP)]
    return [Finding(name, f"relative error {error:.0e}")]


def nedelec_error(comm: MPI.Intracomm) -> float:
    """Relative error of curl curl A + A = (1, 2, 3) with natural walls, by MUMPS Cholesky.

    The solution is the constant right-hand side, which the edge elements contain.
    """
    import dolfinx.fem
    import dolfinx.mesh
    import ufl

    mesh = dolfinx.mesh.create_unit_cube(comm, 3, 3, 3, dolfinx.mesh.CellType.hexahedron)
    space = dolfinx.fem.functionspace(mesh, ("N1curl", 1))
    u, v = ufl.TrialFunction(space), ufl.TestFunction(space)
    exact = ufl.as_vector((1.0, 2.0, 3.0))
    a = (ufl.inner(ufl.curl(u), ufl.curl(v)) + ufl.inner(u, v)) * ufl.dx
    return _relative_error(
        a,
        ufl.inner(exact, v) * ufl.dx,
        exact,
        space,
        {"ksp_type": "preonly", "pc_type": "cholesky", "pc_factor_mat_solver_type": "mumps"},
    )


def poisson_error(comm: MPI.Intracomm) -> float:
    """Relative error of -div grad u + u = f for f of u = 1 + x, by CG with BoomerAMG.

    The solution is linear, which the elements contain; its flux through x = 0 and x = 1 is given.
    """
    import dolfinx.fem
    import dolfinx.mesh
    import ufl

    mesh = dolfinx.mesh.create_unit_cube(comm, 4, 4, 4, dolfinx.mesh.CellType.hexahedron)
    space = dolfinx.fem.functionspace(mesh, ("Lagrange", 1))
    u, v = ufl.TrialFunction(space), ufl.TestFunction(space)
    exact = 1.0 + ufl.SpatialCoordinate(mesh)[0]
    a = (ufl.inner(ufl.grad(u), ufl.grad(v)) + u * v) * ufl.dx
    flux = ufl.inner(ufl.grad(exact), ufl.FacetNormal(mesh))
    return _relative_error(
        a,
        exact * v * ufl.dx + flux * v * ufl.ds,
        exact,
        space,
        {"ksp_type": "cg", "ksp_rtol": 1e-12, "pc_type": "hypre", "pc_hypre_type": "boomeramg"},
    )


def _relative_error(
    a: ufl.Form,
    right_side: ufl.Form,
    exact: ufl.core.expr.Expr,
    space: dolfinx.fem.FunctionSpace,
    options: Mapping[str, str | float],
) -> float:
    """Relative error in L2 of the solution of a(u, v) = right_side(v) with PETSc `options`."""
    import dolfinx.fem
    import dolfinx.fem.petsc
    import ufl
    from mpi4py import MPI
    from petsc4py import PETSc

    comm = space.mesh.comm
    solution = dolfinx.fem.Function(space)
    matrix = dolfinx.fem.petsc.assemble_matrix(dolfinx.fem.form(a))
    matrix.assemble()
    vector = dolfinx.fem.petsc.assemble_vector(dolfinx.fem.form(right_side))
    vector.ghostUpdate(PETSc.InsertMode.ADD, PETSc.ScatterMode.REVERSE)
    ksp = PETSc.KSP().create(comm)
    ksp.setOptionsPrefix("doctor_")
    database = PETSc.Options("doctor_")
    for key, value in options.items():
        database[key] = value
    ksp.setFromOptions()
    for key in options:
        database.delValue(key)
    ksp.setOperators(matrix)
    ksp.setErrorIfNotConverged(True)
    ksp.solve(vector, solution.x.petsc_vec)
    solution.x.scatter_forward()

    def norm(square: ufl.core.expr.Expr) -> float:
        local = dolfinx.fem.assemble_scalar(dolfinx.fem.form(square * ufl.dx(space.mesh)))
        return math.sqrt(comm.allreduce(local, op=MPI.SUM))

    error = solution - exact
    result = norm(ufl.inner(error, error)) / norm(ufl.inner(exact, exact))
    for thing in (ksp, matrix, vector):
        thing.destroy()
    return result
