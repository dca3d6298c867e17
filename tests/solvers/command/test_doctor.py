"""The doctor finds nothing here, and finds each fault that it is shown."""

import dolfinx.jit
import pytest

from solvers.command import doctor

OPENMPI = "/usr/lib/x86_64-linux-gnu/libmpi.so.40.40.7"
MPICH = "/opt/env/lib/libmpi.so.12.4.2"
REFERENCE_BLAS = "/usr/lib/x86_64-linux-gnu/blas/libblas.so.3.12.1"


@pytest.mark.mpi
def test_this_environment_is_well(comm, capsys):
    assert doctor.run_doctor() == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    if comm.rank > 0:
        assert printed.out == ""
        return
    lines = printed.out.splitlines()
    assert lines[-1] == "calculations will work here"
    assert f"ok    ranks: {comm.size}" in lines
    for name in ("DOLFINx", "PETSc", "MPI", "Gmsh", "ADIOS2", "compiled forms", "direct solver"):
        assert sum(line.startswith(f"ok    {name}") for line in lines) >= 1, name


@pytest.mark.mpi
def test_fault_of_one_rank_is_everybodys(comm, capsys, monkeypatch):
    if comm.rank == comm.size - 1:
        monkeypatch.setattr(doctor, "loaded_files", lambda: frozenset({OPENMPI, MPICH}))
    assert doctor.run_doctor() == 3
    if comm.rank == 0:
        out = capsys.readouterr().out
        label = f"[rank {comm.size - 1}] " if comm.size > 1 else ""
        assert f"\n{label}wrong MPI: mpi4py, PETSc and DOLFINx use different ones" in out
        assert out.endswith("something is wrong here: see above\n")


@pytest.mark.mpi
@pytest.mark.parametrize("solve", [doctor.nedelec_error, doctor.poisson_error])
def test_trial_problems_have_known_solutions(comm, solve):
    error = solve(comm)
    assert 0.0 < error < 1e-10
    assert error == comm.bcast(error)


def test_library_that_answers_wrongly_or_fails(comm):
    (finding,) = doctor._try_solver("direct", lambda _: 0.1, comm)
    assert finding.status == "wrong"
    assert "1.0e-01" in finding.detail
    assert doctor._try_solver("direct", lambda _: float("nan"), comm)[0].status == "wrong"

    def fail(_):
        raise RuntimeError("no factorisation")

    (finding,) = doctor._try_solver("direct", fail, comm)
    assert finding.detail == "RuntimeError: no factorisation"
    assert finding.status == "wrong"


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ([], []),
        ([OPENMPI, "/usr/lib/libmpi_mpifh.so.40", "/usr/lib/libmpifort.so.12"], []),
        ([OPENMPI, MPICH], [("MPI", "wrong")]),
        ([OPENMPI, "/usr/lib/libmpich.so.12"], [("MPI", "wrong")]),
        ([REFERENCE_BLAS], [("BLAS", "slow")]),
        (["/usr/lib/openblas-serial/libblas.so.3"], [("BLAS", "ok")]),
        (["/opt/env/lib/libopenblasp-r0.3.28.so", REFERENCE_BLAS], [("BLAS", "ok")]),
        (["/opt/env/lib/libmkl_core.so.2"], [("BLAS", "ok")]),
        (["/usr/lib/python3/scipy/linalg/cython_blas.cpython-313.so"], []),
    ],
)
def test_loaded_libraries(files, expected):
    findings = doctor.check_loaded_libraries(files)
    assert [(finding.name, finding.status) for finding in findings] == expected
    assert all(bool(finding.remedy) == (finding.status != "ok") for finding in findings)


def test_this_process_has_one_mpi_loaded():
    files = doctor.loaded_files()
    assert sum(bool(doctor.MPI_LIBRARY.search(path)) for path in files) == 1


def test_mpirun_of_another_mpi():
    (finding,) = doctor.check_launcher(1, {"PMI_SIZE": "4"})
    assert finding.status == "wrong"
    assert "started 4 ranks, but MPI sees 1" in finding.detail
    assert doctor.check_launcher(4, {"OMPI_COMM_WORLD_SIZE": "4"})[0].status == "ok"
    assert doctor.check_launcher(1, {})[0].status == "ok"


def test_missing_module():
    (finding,) = doctor.check_imports(["json", "no_such_module"])
    assert (finding.name, finding.status) == ("no_such_module", "wrong")
    assert "scripts/env" in finding.remedy


def test_missing_module_ends_in_exit_code_3(capsys, monkeypatch):
    monkeypatch.setattr(doctor.check_imports, "__defaults__", (("no_such_module",),))
    assert doctor.run_doctor() == 3
    assert "no_such_module: cannot be imported" in capsys.readouterr().out


def test_no_compiler_and_no_place_for_compiled_forms(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    options = {"cache_dir": tmp_path / "file" / "fenics"}
    monkeypatch.setattr(dolfinx.jit, "get_options", lambda: options)
    monkeypatch.setenv("CC", "no-such-compiler -O2")
    findings = doctor.check_jit()
    assert [finding.name for finding in findings] == ["C compiler", "compiled forms"]
    assert all(finding.status == "wrong" for finding in findings)
    assert "no-such-compiler is not here" in findings[0].detail


def test_machine(comm, monkeypatch):
    assert [finding.name for finding in doctor.check_machine(comm)] == ["cores", "memory"]
    monkeypatch.setattr(doctor, "available_memory", lambda: 0.5e9)
    assert doctor.check_machine(comm)[1].status == "slow"
    monkeypatch.setattr(doctor, "available_memory", lambda: None)
    assert len(doctor.check_machine(comm)) == 1
