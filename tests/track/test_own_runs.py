"""A script or notebook that nobody started with `pinyon run`: its run is listed like any other."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tracked import Place

from pinyon.model.ids import run_id


def test_a_script_is_a_run(own: Place) -> None:
    done = own.script(
        """
import pinyon
run = pinyon.run()
assert pinyon.run() is run
run.log(loss=0.5, step=1)
run.summary["f1"] = 0.75
print(run.id, run.params.lr, run.stage)
""",
        "--lr", "3e-4",
    )  # fmt: skip
    assert done.stderr == ""
    name, lr, stage = done.stdout.split()
    assert (lr, stage) == ("0.0003", "@train")
    (row,) = own.cli("runs")
    assert (row["run"], row["stage"], row["status"]) == (name, "@train", "SUCCEEDED")
    assert (row["params"], row["metrics"]) == ({"lr": 0.0003}, {"f1": 0.75})
    assert row["mode"] == "in place"
    shown = own.cli("show", name)
    assert shown["exit_code"] == 0
    assert shown["inputs"]["command"][0] == "exec"
    assert shown["inputs"]["command"][-2:] == ["--lr", "3e-4"]
    assert shown["seconds"] > 0
    (point,) = own.points()
    assert run_id(row["key"]) == name
    assert point["attempt"] == row["attempt"]
    status = own.cli("status")
    assert (status["open"], status["last"]["state"]) == ([], "SUCCEEDED")
    logs = subprocess.run(
        [sys.executable, "-m", "pinyon.cli", "logs", name],
        cwd=own.root,
        env=own.env,
        capture_output=True,
        text=True,
    )
    assert (logs.returncode, logs.stdout) == (0, "")
    assert "left no log" in logs.stderr


ENDS = [
    ("raise ValueError('bad\\nthing')", "FAILED", "exit", 1, "ValueError: bad thing"),
    ("raise MemoryError", "FAILED", "oom", 1, "MemoryError:"),
    ("sys.exit(3)", "FAILED", "exit", 3, "the script ended with exit code 3"),
    ("sys.exit('no data')", "FAILED", "exit", 1, "the script ended with exit code 1"),
    ("sys.exit(0)", "SUCCEEDED", "", 0, ""),
    ("sys.exit()", "SUCCEEDED", "", 0, ""),
    ("raise KeyboardInterrupt", "CANCELLED", "user", 130, "it was cancelled"),
    ("run.finish(); raise ValueError", "SUCCEEDED", "", 0, ""),
    ("run.finish(ValueError('x'))", "FAILED", "exit", 1, "ValueError: x"),
]


@pytest.mark.parametrize(("end", "state", "detail", "code", "message"), ENDS)
def test_how_a_script_ends_is_recorded(
    own: Place, end: str, state: str, detail: str, code: int, message: str
) -> None:
    plain = own.script(f"import sys\n\nclass run: finish = staticmethod(lambda *a: None)\n{end}")
    done = own.script(f"import sys, pinyon\nrun = pinyon.run()\nrun.log(x=1)\n{end}")
    assert (done.returncode, done.stderr) == (plain.returncode, plain.stderr), (
        "it ends as it would without us"
    )
    (row,) = own.cli("show", "@train")["history"]
    told = (row["state"], row["detail"], row["exit_code"], row["message"])
    assert told == (state, detail, code, message)
    assert len(own.points()) == 1
    assert [body["state"] for body in own.bodies("finished")] == [state]


@pytest.mark.parametrize(
    ("body", "state"), [("pass", "SUCCEEDED"), ("1 / 0", "FAILED"), ("sys.exit(2)", "FAILED")]
)
def test_with_ends_the_run_and_the_next_is_another(own: Place, body: str, state: str) -> None:
    done = own.script(
        f"""
import os, sys, pinyon
try:
    with pinyon.run(name="first") as run:
        assert os.environ["PINYON_ATTEMPT"] == run.attempt
        {body}
except BaseException as error:
    print(type(error).__name__)
assert "PINYON_ATTEMPT" not in os.environ
assert sys.excepthook is sys.__excepthook__
with pinyon.run(name="second") as other:
    assert other is not run and other.id != run.id
"""
    )
    assert (done.returncode, done.stderr) == (0, "")
    rows = {row["stage"]: row["status"] for row in own.cli("runs")}
    assert rows == {"@first": state, "@second": "SUCCEEDED"}


def test_a_killed_script_is_lost(own: Place) -> None:
    child = own.start(
        "import time, pinyon\nrun = pinyon.run()\nrun.log(x=1)\nrun.flush()\n"
        "print(1, flush=True)\ntime.sleep(60)"
    )
    assert child.stdout is not None
    assert child.stderr is not None
    child.stdout.readline()
    assert [row["status"] for row in own.cli("runs")] == ["RUNNING"]
    assert [row["status"] for row in own.cli("status")["open"]] == ["RUNNING"]
    os.kill(child.pid, signal.SIGKILL)
    child.communicate()
    assert [row["status"] for row in own.cli("runs")] == ["LOST"]
    assert len(own.points()) == 1


def test_a_driver_clears_up_after_it(own: Place) -> None:
    own.script("import os, pinyon\npinyon.run()\nos._exit(1)")
    (own.root / "pinyon.yaml").write_text("stages: {a: {cmd: echo a > a, outs: [a]}}\n")
    assert own.cli("run")["counts"]["succeeded"] == 1
    rows = {row["stage"]: row["status"] for row in own.cli("runs")}
    assert rows == {"@train": "LOST", "a": "SUCCEEDED"}


NOTEBOOK = """
import builtins
builtins.__IPYTHON__ = True
cells = [
    "import pinyon",
    "run = pinyon.run(params={'lr': 0.5, 'model': {'size': 8}})",
    "for step in run.progress(range(5)): run.log(loss=1 / (step + 1))",
    "1 / 0",
    "pinyon.run().log(loss=0.1); run.summary['f1'] = 0.5",
    "run.finish()",
    "pinyon.run().log(loss=9)",
]
space = {"__name__": "__main__"}
for cell in cells:
    try:
        exec(compile(cell, "<cell>", "exec"), space)
    except ZeroDivisionError:
        pass
"""


def test_cells_of_a_notebook_share_a_run(own: Place) -> None:
    done = own.script(NOTEBOOK)
    assert (done.returncode, done.stderr) == (0, "")
    first, second = own.cli("runs")
    assert (first["stage"], first["status"], first["metrics"]) == ("@notebook", "SUCCEEDED", {"f1": 0.5})
    assert first["params"] == {"lr": 0.5, "model.size": 8}
    assert [point["step"] for point in own.points() if point["attempt"] == first["attempt"]] == [*range(5), 5]
    assert (second["status"], len(own.points())) == ("SUCCEEDED", 7)


def test_processes_that_are_started_join_the_run(own: Place) -> None:
    done = own.script(
        """
import subprocess, sys, pinyon
run = pinyon.run(params={"lr": 0.5})
code = "import pinyon; r = pinyon.run(); r.log(x=r.params.lr); print(r.id)"
print(run.id, subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)
"""
    )
    assert done.stderr == ""
    mine, theirs = done.stdout.split()
    assert mine == theirs
    (row,) = own.cli("runs")
    (point,) = own.points()
    assert (point["attempt"], point["m"]) == (row["attempt"], {"x": 0.5})


def test_a_forked_child_does_not_end_the_run(own: Place) -> None:
    done = own.script(
        """
import os, sys, pinyon
run = pinyon.run()
if os.fork() == 0:
    pinyon.run().log(x=1)
    sys.exit(1)
os.wait()
run.log(x=2)
"""
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert [body["state"] for body in own.bodies("ended")] == ["SUCCEEDED"]
    assert sorted(point["m"]["x"] for point in own.points()) == [1, 2]


def test_workers_of_multiprocessing_do_not_end_the_run_and_lose_nothing(own: Place) -> None:
    done = own.script(
        """
import multiprocessing, pinyon
def work(n):
    pinyon.run().log(x=n)
if __name__ == "__main__":
    run = pinyon.run()
    run.log(x=-1)
    for method in ("fork", "spawn"):
        with multiprocessing.get_context(method).Pool(2) as pool:
            pool.map(work, range(4))
            pool.close()
            pool.join()
    run.summary["done"] = 1
"""
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert [body["state"] for body in own.bodies("ended")] == ["SUCCEEDED"]
    assert own.bodies("outputs")[0]["metrics"] == {"done": 1}
    assert sorted(point["m"]["x"] for point in own.points()) == [-1, 0, 0, 1, 1, 2, 2, 3, 3]
    (row,) = own.cli("runs")
    assert {point["attempt"] for point in own.points()} == {row["attempt"]}


def test_params_of_a_script_are_its_runs(own: Place) -> None:
    done = own.script(
        """
import argparse, pinyon
parser = argparse.ArgumentParser()
parser.add_argument("--batch-size", type=int)
parser.add_argument("--lr", type=float, default=0.1)
run = pinyon.run(params=parser.parse_args(), name="@mine")
print(run.params.batch_size, run.params.lr)
run.use({"model": {"layers": [1, 2]}})
print(run.params.to_dict())
""",
        "--batch-size", "8",
    )  # fmt: skip
    assert done.stdout.splitlines() == ["8 0.1", "{'batch_size': 8, 'lr': 0.1, 'model': {'layers': [1, 2]}}"]
    (row,) = own.cli("runs")
    assert row["stage"] == "@mine"
    assert row["params"] == {"batch_size": 8, "lr": 0.1, "model.layers": [1, 2]}
    assert own.bodies("params")[0]["params"] == {"model.layers": [1, 2]}


def test_in_a_project_it_is_recorded_there(own: Place) -> None:
    (own.root / "pinyon.yaml").write_text("project: {name: study}\nstages: {a: {cmd: 'true'}}\n")
    folder = own.root / "notebooks"
    folder.mkdir()
    (folder / "look.py").write_text("import pinyon; pinyon.run()")
    subprocess.run([sys.executable, "look.py"], cwd=folder, env=own.env, check=True, timeout=60)
    (row,) = own.cli("runs")
    assert (row["stage"], row["project"]) == ("@look", "study")
    assert not (folder / ".pinyon").exists()


@pytest.mark.parametrize(
    ("arguments", "name"),
    [(["-c", "TEXT"], "@python"), (["-m", "package"], "@package"), (["-m", "package.mod"], "@mod")],
)
def test_it_is_called_after_what_runs(own: Place, arguments: list[str], name: str) -> None:
    text = "import pinyon; print(pinyon.run().stage)"
    (own.root / "package").mkdir()
    for file in ("__init__", "__main__", "mod"):
        (own.root / f"package/{file}.py").write_text("" if file == "__init__" else text)
    argv = [sys.executable, *(text if one == "TEXT" else one for one in arguments)]
    done = subprocess.run(argv, cwd=own.root, env=own.env, capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == name


def test_where_nothing_can_be_recorded_training_goes_on(tmp_path: Path) -> None:
    place = Place(tmp_path / "project")
    (place.root / ".pinyon/format.json").write_text('{"format": 99}')
    before = sorted(path for path in place.root.rglob("*"))
    text = """
import pinyon
run = pinyon.run(params={"lr": 1})
for i in run.progress(range(10)): run.log(x=i)
run.summary["a"] = 1
print(run.params.lr, run.checkpoint(1), run.artifact(b"", "x"))
"""
    done = place.script(text)
    assert (done.returncode, done.stdout) == (0, "1 None \n")
    assert done.stderr.count("nothing of this run is recorded") == 1
    assert "this store has format 99" in done.stderr
    assert [one for one in sorted(place.root.rglob("*")) if one.name != "train.py"] == before
