"""Unchanged scripts: what W&B and TensorBoard write while a command runs, and how soon it is to be seen in Pinyon."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from bench import tools
from bench.measure import Row, cost_of
from bench.settings import Settings
from pinyon.query import points as reader
from pinyon.store.local import LocalStore

_RECORDED = Path(__file__).parents[2] / "tests/bridges/recorded"
_BEGIN = (
    "import os, sys, time\nopen('began', 'w').write(os.environ['PINYON_STARTED'])\nsteps = int(sys.argv[1])\n"
)
_LOOP = """
for step in range(steps):
    log(step, {f"train/m{i}": step + i / 16 for i in range(10)})
    time.sleep(0.005)
"""
_X = """
from tensorboardX import SummaryWriter
writer = SummaryWriter("runs/a")
def log(step, values):
    for name, value in values.items():
        writer.add_scalar(name, value, step)
    FLUSH
"""
_WANDB = """
import wandb
run = wandb.init(project="bench", mode="offline", settings=wandb.Settings(console="off"))
log = lambda step, values: run.log(values, step=step)
"""
SCRIPTS = {
    "tensorboardX, flushed each step": (
        "tensorboard",
        _X.replace("FLUSH", "writer.flush()"),
        "writer.close()",
    ),
    "tensorboardX as it comes": ("tensorboard", _X.replace("FLUSH", "pass"), "writer.close()"),
    "W&B offline": ("wandb", _WANDB, "run.finish()"),
}


def unchanged(settings: Settings) -> Iterator[Row]:
    """`size` steps of ten numbers every 5 ms by W&B and TensorBoard: delay until a number is on disk here, CPU to follow"""
    for number, (label, (peer, begin, end)) in enumerate(SCRIPTS.items()):
        python = _python(peer)
        if python is None:
            yield Row(label, note="not installed")
            continue
        folder = settings.folder("unchanged", str(number))
        (folder / "train.py").write_text(_BEGIN + begin + _LOOP + end + "\n")
        delays, run = _delays(
            folder, [tools.find("pinyon").command()[0], "run", "--", python, "train.py", str(settings.size)]
        )
        theirs = _theirs(folder, peer, python)
        ours = _ours(folder, {metric for metric, _, _ in theirs})
        note = (
            "the same as the peer's own reader says"
            if ours == theirs
            else "NOT what the peer's own reader says"
        )
        yield Row(f"{label}: numbers", "", (float(len(ours)),), note=note)
        yield Row(f"{label}: delay, p50", "ms", (_share(delays, 0.5),))
        yield Row(f"{label}: delay, most", "ms", (_share(delays, 1.0),), note=f"the script took {run:.1f} s")
        yield Row(f"{label}: CPU of following 1,000 numbers", "ms", (_cpu(settings, folder, len(ours)),))


def _python(peer: str) -> Path | None:
    path = Path(os.environ.get("PINYON_BENCH_PEERS", "/nowhere")) / peer / "bin/python"
    return path if path.exists() else None


def _delays(folder: Path, command: list[str | Path]) -> tuple[list[float], float]:
    """Seconds from when each number was logged until a reader of the store could see it, and how long it all took."""
    seen: list[tuple[float, float]] = []
    over = threading.Event()
    watcher = threading.Thread(target=_watch, args=(folder / ".pinyon/journals", over, seen))
    watcher.start()
    cost = cost_of(command, folder)
    over.set()
    watcher.join()
    began = float((folder / "began").read_text())
    return sorted(at - (began + t) for at, t in seen), cost.wall


def _watch(journals: Path, over: threading.Event, seen: list[tuple[float, float]]) -> None:
    """Note when each line of points appears, and its t."""
    read: dict[Path, int] = {}
    last = False
    while not last:
        last = over.wait(0.01)
        for path in journals.glob("*.points.*"):
            with open(path, "rb") as file:
                file.seek(read.get(path, 0))
                data = file.read()
            whole = data[: data.rfind(b"\n") + 1]
            read[path] = read.get(path, 0) + len(whole)
            now = time.time()
            lines = [json.loads(line) for line in whole.splitlines()]
            seen += [(now, line["t"]) for line in lines if "m" in line]


def _ours(folder: Path, said: set[str]) -> list[tuple[str, int | None, float]]:
    """What is in the store of the metrics that the script logs."""
    store = LocalStore(folder / ".pinyon")
    rows: list[tuple[str, int | None, float]] = []
    for segment in store.journals.points():
        found = reader.read(store.root / "journals" / segment).points
        rows += ((metric, step, value) for _, metric, step, value in found.numbers() if metric in said)
    return sorted(rows)  # type: ignore[type-var]


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if "tfevents" in path.name or path.name.endswith(".wandb")]


def _theirs(folder: Path, peer: str, python: Path) -> list[tuple[str, int, float]]:
    """What the peer's own reader says."""
    code = f"import sys, json; sys.path.insert(0, {str(_RECORDED)!r}); import pathlib; path = pathlib.Path(sys.argv[1]);"
    if peer == "wandb":
        code += """from write_wandb import records
rows = [[i.nested_key[0], r.history.step.num, json.loads(i.value_json)] for r in records(path.read_bytes())
        if r.WhichOneof("record_type") == "history" for i in r.history.item if i.nested_key[0][0] != "_"]"""
    else:
        code += """from write_tensorboard import told
rows = [[tag, step, value] for tag, step, wall, value in told(path)["numbers"]]"""
    (file,) = _files(folder)
    answer = subprocess.run(
        [python, "-W", "ignore", "-c", code + "\nprint(json.dumps(rows))", file],
        capture_output=True,
        text=True,
        check=True,
    )
    return sorted(
        (tag, step, float(value)) for tag, step, value in json.loads(answer.stdout.splitlines()[-1])
    )


def _share(values: list[float], part: float) -> float:
    return values[min(int(len(values) * part), len(values) - 1)] * 1e3 if values else 0.0


def _cpu(settings: Settings, folder: Path, count: int) -> float:
    """Milliseconds for 1,000 numbers, without the start of the process."""
    costs = []
    for name, files in (("none", []), ("all", _files(folder))):
        store = LocalStore(settings.folder("unchanged", folder.name + "-" + name) / ".pinyon")
        store.prepare("bench")
        said = "".join(json.dumps({"file": str(path)}) + "\n" for path in files) + '{"end": true}\n'
        (folder / "said").write_text(said)
        words = f"-m pinyon.bridges.tail {store.root} a-1 0 {folder} bench < {folder}/said"
        costs.append(cost_of(["/bin/sh", "-c", f"{sys.executable} {words}"], folder).cpu)
    return (costs[1] - costs[0]) * 1e6 / max(count, 1)
