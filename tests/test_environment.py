"""scripts/env as a user meets it; the environment that runs these tests is the one it finds."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

REPO = Path(__file__).parents[1]
ENV = str(REPO / "scripts" / "env")


def run(*command, **options):
    # Not the variables by which this process is itself a rank of an MPI run.
    launcher = ("OMPI_COMM", "PMIX_", "PMI_", "PRTE_LAUNCHED")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(launcher)}
    environment |= options.pop("env", {})
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, **options)


def test_command_keeps_arguments_folder_and_exit_code(tmp_path):
    folder = tmp_path / "with a space"
    folder.mkdir()
    done = run(ENV, "sh", "-c", 'pwd; printf "<%s>" "$@"; exit 7', "sh", "a b", "", "*", cwd=folder)
    assert done.stdout == f"{folder}\n<a b><><*>"
    assert done.stderr == ""
    assert done.returncode == 7


def test_wrong_option():
    done = run(ENV, "--bild")
    assert done.returncode == 69
    assert "unknown option --bild" in done.stderr
    assert run(ENV, "--help").stdout.startswith("Run a command in an environment")


def test_packages_of_this_checkout_are_found_from_anywhere(tmp_path):
    done = run(ENV, "python3", "-c", "import solvers; print(solvers.__file__)", cwd=tmp_path)
    assert done.stdout.strip() == str(REPO / "solvers" / "__init__.py")
    assert run(ENV, "which", "coldstack").stdout.strip() == str(REPO / "scripts/bin/coldstack")


def test_mpirun_is_quiet():
    script = "from mpi4py import MPI; import dolfinx; c = MPI.COMM_WORLD; n = c.allreduce(1)"
    script += "; c.rank or print(n)"
    done = run(ENV, "mpirun", "-n", "3", "python3", "-c", script)
    assert done.stdout == "3\n"
    assert done.stderr == ""


def test_signal_reaches_the_command(tmp_path):
    ready = tmp_path / "ready"
    script = (
        "import pathlib, signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: sys.exit(7));"
        f"pathlib.Path({str(ready)!r}).touch(); time.sleep(60)"
    )
    with subprocess.Popen([ENV, "python3", "-c", script]) as process:
        deadline = time.monotonic() + 60
        while not ready.exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 7


def test_only_old_orphans_of_the_form_compiler_are_removed(tmp_path):
    forms = tmp_path / "fenics"
    forms.mkdir()
    for name in ("orphan.c", "finished.c", "finished.c.cached", "compiling.c"):
        (forms / name).touch()
    hour_ago = time.time() - 3600
    for name in ("orphan.c", "finished.c"):
        os.utime(forms / name, (hour_ago, hour_ago))
    run(ENV, "true", env={"XDG_CACHE_HOME": str(tmp_path)})
    assert sorted(p.name for p in forms.iterdir()) == [
        "compiling.c",
        "finished.c",
        "finished.c.cached",
    ]


@pytest.mark.parametrize(
    ("version", "complaint"),
    [("0.8.0", "DOLFINx 0.8.0 is not in the supported range 0.9 to <0.12"), ("0.12.1", "0.12.1")],
)
def test_dolfinx_out_of_range_is_not_used(tmp_path, version, complaint):
    (tmp_path / "dolfinx").mkdir()
    (tmp_path / "dolfinx" / "__init__.py").touch()
    metadata = tmp_path / f"fenics_dolfinx-{version}.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Name: fenics-dolfinx\nVersion: {version}\n")
    cache = tmp_path / "cache"
    variables = {"PYTHONPATH": str(tmp_path), "COLDSTACK_CACHE": str(cache)}
    done = run(ENV, "--where", env=variables)
    assert complaint in done.stderr
    assert done.stdout.startswith(f"{cache}/rootfs-")


def test_cache_in_a_path_with_a_space_is_put_elsewhere(tmp_path):
    variables = {"COLDSTACK_CACHE": str(tmp_path / "a b"), "COLDSTACK_PRIVATE": "1"}
    done = run(ENV, "--where", env=variables)
    assert done.stdout.startswith(f"/var/tmp/coldstack-{os.getuid()}/rootfs-")
    assert "a b cannot hold the environment" in done.stderr
    assert not (tmp_path / "a b").exists()
