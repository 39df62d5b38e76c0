"""Live mirrors, read by what they are for: MLflow's client, TensorBoard's reader, W&B's messages.

What was logged is told by the script itself, to a file beside the project: a number stands there after its `log` returned.
"""

# ruff: noqa: T201 - the tests print their load

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

DEEP = os.environ.get("PINYON_FAULTS") == "deep"
KILLS = 40 if DEEP else 4
FAR = 120.0

TRAIN = """
import os, sys, time, pinyon
said = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
with pinyon.run(name=sys.argv[2], params={"lr": 0.1}) as run:
    for number in range(int(sys.argv[3])):
        run.log(loss=number / 8, step=number)
        os.write(said, b"%d\\n" % number)
        time.sleep(0.004)
    run.summary["best"] = 0.5
    run.tag("late")
"""

# Each prints {run: [[metric, step, value], ...]} and what the tool says of how a run ended.
READERS = {
    "tensorboard": """
import glob, os
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
for folder in glob.glob(place + "/*/*"):
    found = EventAccumulator(folder, size_guidance={"tensors": 0})
    found.Reload()
    tags = [tag for tag in found.Tags()["tensors"] if not tag.startswith("_hparams_")]
    runs[os.path.basename(folder)] = [
        [tag, one.step, one.tensor_proto.double_val[0]] for tag in tags for one in found.Tensors(tag)
    ]
""",
    "mlflow": """
from mlflow import MlflowClient
client = MlflowClient("sqlite:///" + place)
for experiment in client.search_experiments():
    for run in client.search_runs([experiment.experiment_id]):
        name = run.data.tags["pinyon.run"]
        ends[name] = run.info.status
        runs[name] = [
            [key, one.step, one.value] for key in run.data.metrics
            for one in client.get_metric_history(run.info.run_id, key)
        ]
""",
    "wandb": """
import glob
from pinyon.bridges.wandb.log import Log
from wandb.proto import wandb_internal_pb2 as pb
for path in glob.glob(place + "/wandb/offline-run-*/*.wandb"):
    name = path.rsplit("/run-", 1)[1][:-len(".wandb")]
    assert name not in runs, "a run has two folders"
    rows = runs[name] = []
    for _, data in Log(path).read():  # W&B 0.31 has no reader in Python any more, but its messages
        record = pb.Record()
        record.ParseFromString(data)
        if record.WhichOneof("record_type") == "exit":
            ends[name] = record.exit.exit_code
        row = {one.key or one.nested_key[0]: json.loads(one.value_json) for one in record.history.item}
        rows += [[key, row["step"], value] for key, value in row.items() if key != "step" and key[0] != "_"]
""",
}
ENDED = {"tensorboard": None, "mlflow": "FINISHED", "wandb": 0}


class Place:
    """A project whose runs are mirrored to one tool."""

    def __init__(self, root: Path, kind: str, python: str, env: dict[str, str]) -> None:
        self.root, self.kind, self.python, self.env = root, kind, python, env
        (root / "pinyon.yaml").touch()
        (root / "train.py").write_text(TRAIN)
        self.place = root / "mirror"
        if kind == "mlflow":  # makes it: a kill meanwhile is nothing that MLflow can mend
            self.read()

    def train(self, name: str, count: int) -> subprocess.Popen[bytes]:
        """A script that logs; what it logged stands in NAME.said."""
        words = [sys.executable, "train.py", f"{name}.said", name, str(count)]
        return subprocess.Popen(words, cwd=self.root, env=self.env)

    def mirror(self, *words: str) -> subprocess.Popen[str]:
        """The mirror, as a person calls it."""
        call = [self.python, "-m", "pinyon.cli", "export", self.kind, "-o", str(self.place), *words]
        pipe = subprocess.PIPE
        return subprocess.Popen(call, cwd=self.root, env=self.env, stdout=pipe, stderr=pipe, text=True)

    def logged(self, name: str) -> list[int]:
        """The steps of which a script was told that they are logged."""
        path = self.root / f"{name}.said"
        return [int(line) for line in path.read_text().splitlines()] if path.exists() else []

    def read(self) -> tuple[dict[str, Counter[tuple[str, int, float]]], dict[str, Any]]:
        """What the tool says: points by run, and how each run ended."""
        head = f"import json\nplace, runs, ends = {str(self.place)!r}, {{}}, {{}}\n"
        script = head + READERS[self.kind] + "\nprint('\\n' + json.dumps([runs, ends]))"
        done = subprocess.run([self.python, "-c", script], env=self.env, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-3000:]
        runs, ends = json.loads(done.stdout.splitlines()[-1])
        return {name: Counter((m, s, v) for m, s, v in rows) for name, rows in runs.items()}, ends


Made = Callable[[str], Place]


@pytest.fixture
def made(tmp_path: Path, mlflow_python: str, mlflow_env: dict[str, str]) -> Made:
    return lambda kind: Place(tmp_path, kind, mlflow_python, mlflow_env)


def losses(points: Counter[tuple[str, int, float]]) -> Counter[tuple[int, float]]:
    """Of a script's own metric: step and value."""
    return Counter({(step, value): n for (metric, step, value), n in points.items() if metric == "loss"})


def curve(steps: list[int]) -> Counter[tuple[int, float]]:
    return Counter((step, step / 8) for step in steps)


@pytest.mark.slow
@pytest.mark.parametrize("kind", READERS)
def test_points_are_there_while_the_run_goes_on_and_all_of_them_at_its_end(kind: str, made: Made) -> None:
    place = made(kind)
    script = place.train("a", 2_500)
    mirror = place.mirror("--until-done")
    seen = 0
    while script.poll() is None and kind != "wandb":  # W&B's client writes its file when it likes
        if place.place.exists():
            seen = max([seen, *(sum(losses(points).values()) for points in place.read()[0].values())])
        if seen:
            break
        time.sleep(0.2)
    assert seen or kind == "wandb"
    out, err = mirror.communicate(timeout=FAR)
    assert (mirror.returncode, script.wait(FAR)) == (0, 0), err
    assert out.startswith("1 run, ")
    runs, ends = place.read()
    ((_, points),) = runs.items()
    assert losses(points) == curve(list(range(2_500)))
    assert next(iter(ends.values()), None) == ENDED[kind]
    if kind != "wandb":  # which has final values apart from points
        assert [value for metric, _, value in points if metric == "best"] == [0.5]


@pytest.mark.slow
@pytest.mark.parametrize("kind", READERS)
def test_kill_of_the_mirror_and_of_what_it_mirrors(kind: str, made: Made) -> None:
    """SIGKILL of the mirror, again and again, and of one of two scripts: every number that was logged is there once."""
    seed = int(os.environ.get("PINYON_SEED", time.time_ns() % 10**6))
    print(f"\nPINYON_SEED={seed}")
    drawn, place = random.Random(seed), made(kind)
    scripts = [place.train("a", 1_000_000), place.train("b", 1_000_000)]
    between = 0
    for _ in range(KILLS):
        mirror = place.mirror("--follow")
        time.sleep(drawn.uniform(0.5, 4.0))
        mirror.send_signal(signal.SIGKILL)
        mirror.communicate()
        between += place.place.exists()
    for script in scripts:
        script.kill()
        script.wait()
    mirror = place.mirror("--until-done")
    _, err = mirror.communicate(timeout=FAR)
    assert mirror.returncode == 0, err
    runs, _ = place.read()
    said = [place.logged(name) for name in "ab"]
    print(f"{KILLS} kills, {between} after something was written; {sum(map(len, said))} numbers logged")
    assert between >= KILLS // 3
    assert min(map(len, said)) > 100 * KILLS
    found = sorted((losses(points) for points in runs.values()), key=lambda one: sum(one.values()))
    for steps, told in zip(sorted(said, key=len), found, strict=True):
        # The call that was killed may have logged its number without saying so.
        assert told in (curve(steps), curve([*steps, len(steps)]))


def test_what_a_bad_target_says_is_said_once_and_made_good_later(made: Made) -> None:
    place = made("tensorboard")
    place.place.touch()  # a file where a folder has to be
    mirror = place.mirror("--follow")
    assert place.train("a", 20).wait(FAR) == 0
    assert mirror.stderr is not None
    first = mirror.stderr.readline()
    assert first.startswith(f"pinyon: {place.place} is not written: NotADirectoryError")
    time.sleep(4)  # and several more tries
    place.place.unlink()
    deadline = time.monotonic() + FAR
    while not place.place.is_dir() or losses(next(iter(place.read()[0].values()), Counter())) != curve(
        list(range(20))
    ):
        assert time.monotonic() < deadline
        time.sleep(0.3)
    mirror.send_signal(signal.SIGINT)
    out, rest = mirror.communicate(timeout=FAR)
    assert (mirror.returncode, rest) == (0, "")
    assert out.startswith("1 run, ")
