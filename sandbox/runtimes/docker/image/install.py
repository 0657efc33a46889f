"""Installs the packages of the lock into /opt/python, without a network; runs inside the build.

    /build/requirements.txt   what to install, with hashes
    /build/wheels/            where from; with uv, which installs the others

Only the standard library is there. What is taken away or left undone here is time and disk only.
"""

import compileall
import shutil
import subprocess
import sys
import tempfile
import venv
import zipfile
from pathlib import Path

BUILD = Path("/build")
WHEELS = BUILD / "wheels"
TARGET = Path("/opt/python")
# A fifth of all files, and of no use to a service.
TESTED = ("matplotlib", "numpy", "pandas", "pyarrow", "scipy", "sklearn")
# What stacks and pipelines import. Importing it here writes the byte code that nobody can write
# later, and shows that all of it is there; compiling everything would take four times as long.
IMPORTED = (
    *("aiohttp", "fastapi", "hypothesis", "lightgbm", "matplotlib.pyplot", "pandas", "pydantic"),
    *("prometheus_client", "pyarrow.parquet", "pytest", "requests", "scipy.stats", "skops.io"),
    *("sklearn.ensemble", "sklearn.linear_model", "sklearn.metrics", "uvicorn", "yaml"),
    *("mlflow", "mlflow.lightgbm", "mlflow.pyfunc", "mlflow.server.fastapi_app", "mlflow.sklearn"),
    *("mlflow.store.tracking.sqlalchemy_store", "mlflow.store.model_registry.sqlalchemy_store"),
    *("uvicorn.lifespan.on", "uvicorn.loops.auto", "uvicorn.protocols.http.auto"),
)


def main() -> None:
    """Install everything, then make starts fast."""
    # Workspaces are mounted where they lie on the host, which may be below it.
    Path("/root").chmod(0o755)
    venv.create(TARGET, symlinks=True)
    python = str(TARGET / "bin" / "python")
    [uv] = WHEELS.glob("uv-*.whl")
    run(
        *(str(unpacked(uv)), "pip", "install", "--quiet", "--no-cache", "--offline", "--no-deps"),
        *("--no-index", "--find-links", str(WHEELS), "--require-hashes"),
        *("--python", python, "--requirement", str(BUILD / "requirements.txt")),
    )
    packages = TARGET / "lib" / "python3.11" / "site-packages"
    Path("/tmp/uv").unlink()  # noqa: S108
    for name in TESTED:
        for tests in [*(packages / name).rglob("tests")]:
            shutil.rmtree(tests)
    lend_libgomp(packages)
    compileall.compile_dir(Path(shutil.__file__).parent, quiet=2, workers=0)
    run(python, "-W", "ignore", "-c", "".join(f"import {name}\n" for name in IMPORTED))


def unpacked(uv: Path) -> Path:
    """The program in uv's wheel, where it can be run before anything is installed."""
    program = Path("/tmp/uv")  # noqa: S108 - nobody else is in a build
    with zipfile.ZipFile(uv) as wheel:
        [name] = (name for name in wheel.namelist() if name.endswith("/scripts/uv"))
        program.write_bytes(wheel.read(name))
    program.chmod(0o755)
    return program


def lend_libgomp(packages: Path) -> None:
    """LightGBM asks the system for a library that no base has, and scikit-learn brings its own."""
    [library] = (packages / "scikit_learn.libs").glob("libgomp-*")
    Path("/usr/lib/libgomp.so.1").symlink_to(library)


def run(*command: str) -> None:
    """Run a command; a failing one fails the build."""
    with tempfile.TemporaryDirectory() as home:
        environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": home}
        status = subprocess.run(command, env=environment, check=False).returncode
    if status:
        sys.exit(f"{command[0]} ended with status {status}")


if __name__ == "__main__":
    main()
