"""MLflow's own client on a Pinyon store and on its sqlite store."""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

from bench.measure import Row
from bench.settings import Settings

_SCRIPT = Path(__file__).parents[1] / "mlflow_calls.py"
_SOURCE = Path(__file__).parents[2] / "src"
_CALL = 1 / 20  # of sqlite's time


def mlflow(settings: Settings) -> Iterator[Row]:
    """`log_metrics` of ten numbers, and searching as many runs as `size`, by MLflow's client on either store"""
    peers = os.environ.get("PINYON_BENCH_PEERS")
    python = shutil.which(f"{peers}/mlflow/bin/python") if peers else None
    if python is None:
        yield Row("mlflow", note="not installed")
        return
    folder = settings.folder("mlflow")
    stores = {"pinyon": f"pinyon://{folder}", "sqlite": f"sqlite:///{folder}/mlflow.db"}
    calls: dict[str, float] = {}
    found: dict[str, Any] = {}
    for name, uri in stores.items():
        took = _said(python, folder, "log", uri, max(50, settings.size // 2))
        calls[name] = statistics.median(took)
        yield Row(f"log_metrics of ten on {name}, p50", "µs", (calls[name],))
        yield Row(f"log_metrics of ten on {name}, p99", "µs", (sorted(took)[len(took) * 99 // 100],))
        made = _said(python, folder, "make", uri, settings.size)
        yield Row(f"a run of 8 parameters and 20 points on {name}", "ms", (statistics.median(made) * 1e3,))
        found[name] = _said(python, folder, "search", uri, settings.size)
        if name == "sqlite" or _installed(python):
            found[name] |= _said(python, folder, "serve", uri, settings.size)
    yield Row("log_metrics of ten, pinyon ÷ sqlite", "×", (calls["pinyon"] / calls["sqlite"],), _CALL)
    for asked, name in product(found["sqlite"], stores):
        if asked in found[name]:
            first, *later = found[name][asked]
            note = f"the first call of the process {first:.3g} ms"
            yield Row(f"{asked} of {settings.size} on {name}", "ms", (min(later),), note=note)


def _installed(python: str) -> bool:
    """Whether this package is installed beside MLflow, whose server finds a store by its entry point."""
    ask = "from importlib.metadata import entry_points as e; assert e(group='mlflow.tracking_store', name='pinyon')"
    return subprocess.run([python, "-c", ask], check=False, capture_output=True).returncode == 0


def _said(python: str, folder: Path, what: str, uri: str, count: int) -> Any:
    command = [python, _SCRIPT, what, uri, str(count)]
    quiet = {**os.environ, "PYTHONPATH": str(_SOURCE), "MLFLOW_DISABLE_TELEMETRY": "true"}
    done = subprocess.run(command, env=quiet, cwd=folder, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])
