"""MLflow itself, as the oracle and as the one who loads the plugin: in an environment of its own."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

_HERE = Path(__file__).resolve().parents[2]

Ask = Callable[..., Any]
Serve = Callable[[Path], str]


@pytest.fixture(scope="session")
def mlflow_python() -> str:
    """A Python with MLflow and this package: `PINYON_MLFLOW`, else what scripts/setup-mlflow has made."""
    python = os.environ.get("PINYON_MLFLOW") or str(_HERE / ".venv-mlflow/bin/python")
    assert os.access(python, os.X_OK), f"{python} is not there; make it: scripts/setup-mlflow"
    return python


@pytest.fixture(scope="session")
def mlflow_env() -> dict[str, str]:
    """An environment in which MLflow asks nobody and tells nobody."""
    named = {name: text for name, text in os.environ.items() if not name.startswith(("MLFLOW_", "PINYON_"))}
    quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "GIT_PYTHON_REFRESH": "quiet", "DO_NOT_TRACK": "true"}
    return {**named, **quiet, "PYTHONPATH": str(_HERE / "src")}


@pytest.fixture(scope="session")
def database(
    mlflow_python: str, mlflow_env: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """An empty database of MLflow's, to be copied: MLflow takes seconds to lay out its tables."""
    path = tmp_path_factory.mktemp("database") / "mlflow.db"
    made = f"from mlflow import MlflowClient; MlflowClient('sqlite:///{path}').search_experiments()"
    subprocess.run(
        [mlflow_python, "-c", made], env=mlflow_env, cwd=path.parent, check=True, capture_output=True
    )
    return path


@pytest.fixture
def serve(mlflow_python: str, mlflow_env: dict[str, str]) -> Iterator[Serve]:
    """Start MLflow's server on the project in a folder; the address at which it answers."""
    with ExitStack() as stack:

        def call(folder: Path) -> str:
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                port = str(free.getsockname()[1])
            uri, address = f"pinyon://{folder}", f"http://127.0.0.1:{port}"
            words = ["server", "--backend-store-uri", uri, "--artifacts-destination", f"{uri}/artifacts"]
            log = stack.enter_context((folder / "server.log").open("w"))
            server = subprocess.Popen(
                [mlflow_python, "-m", "mlflow", *words, "--port", port, "--workers", "1"],
                cwd=folder, env=mlflow_env, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
            stack.callback(server.wait)
            stack.callback(os.killpg, server.pid, signal.SIGTERM)
            for _ in range(400):
                try:
                    urllib.request.urlopen(f"{address}/health").close()
                except OSError:
                    assert server.poll() is None, (folder / "server.log").read_text()[-3000:]
                    time.sleep(0.2)
                else:
                    return address
            raise AssertionError((folder / "server.log").read_text()[-3000:])

        yield call


@pytest.fixture
def ask(mlflow_python: str, mlflow_env: dict[str, str], tmp_path: Path) -> Ask:
    """Run a script in a project with MLflow's Python; it gives back what the script put into ``answer``."""

    def call(script: str, *, cwd: Path = tmp_path, code: int = 0, **variables: str) -> Any:
        file = cwd / "asked.py"
        file.write_text(f"import json, mlflow\nanswer = None\n{script}\nprint('\\n' + json.dumps(answer))\n")
        env = {**mlflow_env, "MLFLOW_TRACKING_URI": "pinyon://", **variables}
        done = subprocess.run([mlflow_python, file], cwd=cwd, env=env, capture_output=True, text=True)
        assert done.returncode == code, done.stderr[-3000:]
        return json.loads(done.stdout.splitlines()[-1]) if code == 0 else done.stderr

    return call
