"""What MLflow's and W&B's own clients are asked to write. Stand-ins take the calls that their documentation names."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from pinyon.bridges.moving.mlflowsink import MlflowSink
from pinyon.bridges.moving.nouns import Curves, Kept, MovedRun
from pinyon.bridges.moving.wandbsink import WandbSink
from pinyon.errors import ExecuteError


class RefusedError(Exception):
    """As MlflowException."""


class Client:
    """As MlflowClient: keeps what it was told, by run."""

    made: list[Client] = []

    def __init__(self, tracking_uri: str) -> None:
        self.uri, self.runs, self.experiments = (
            tracking_uri,
            dict[str, dict[str, Any]](),
            dict[str, str | None](),
        )
        Client.made.append(self)

    def get_experiment_by_name(self, name: str) -> Any:
        return SimpleNamespace(experiment_id=name) if name in self.experiments else None

    def create_experiment(self, name: str, artifact_location: str | None = None) -> str:
        self.experiments[name] = artifact_location
        return name

    def search_runs(self, experiments: list[str], filter_string: str, max_results: int) -> list[Any]:
        wanted = filter_string.split("'")[1]
        found = [(run, told) for run, told in self.runs.items() if told["tags"]["pinyon.run"] == wanted]
        return [self.seen(run, told) for run, told in found][:max_results]

    def seen(self, run: str, told: dict[str, Any]) -> Any:
        data = SimpleNamespace(
            params=told["params"], metrics={row[0]: row[1] for row in told["metrics"]}, tags=told["tags"]
        )
        return SimpleNamespace(info=SimpleNamespace(run_id=run, status=told["status"]), data=data)

    def create_run(self, experiment: str, start_time: int, tags: dict[str, str], run_name: str) -> Any:
        if run_name == "refused":
            raise RefusedError("no\nmore of it")
        run = f"m{len(self.runs)}"
        told = {
            "experiment": experiment,
            "start": start_time,
            "tags": tags,
            "name": run_name,
            "status": "RUNNING",
        }
        self.runs[run] = {**told, "params": {}, "metrics": [], "files": [], "end": None}
        return self.seen(run, self.runs[run])

    def update_run(self, run: str, status: str) -> None:
        self.runs[run]["status"] = status

    def set_tag(self, run: str, name: str, text: str) -> None:
        self.runs[run]["tags"][name] = text

    def log_batch(self, run: str, metrics: Any = (), params: Any = ()) -> None:
        assert len(metrics) <= 1000
        assert len(params) <= 100
        self.runs[run]["params"] |= dict(params)
        self.runs[run]["metrics"] += metrics

    def log_metric(self, run: str, key: str, value: float, timestamp: int) -> None:
        self.runs[run]["metrics"].append((key, value, timestamp, 0))

    def log_artifact(self, run: str, path: str, folder: str | None) -> None:
        self.runs[run]["files"].append((Path(path).name, folder))

    def set_terminated(self, run: str, status: str, end_time: int) -> None:
        self.runs[run] |= {"status": status, "end": end_time}


@pytest.fixture
def mlflow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[MlflowSink, Client]:
    module, exceptions = ModuleType("mlflow"), ModuleType("mlflow.exceptions")
    entities = SimpleNamespace(
        Param=lambda name, text: (name, text), Metric=lambda name, value, ms, step: (name, value, ms, step)
    )
    vars(module).update(MlflowClient=Client, entities=entities)
    vars(exceptions).update(MlflowException=RefusedError)
    monkeypatch.setitem(sys.modules, "mlflow", module)
    monkeypatch.setitem(sys.modules, "mlflow.exceptions", exceptions)
    sink = MlflowSink(str(tmp_path / "out.db"))
    return sink, Client.made.pop()


def _run(**more: Any) -> MovedRun:
    curves = Curves()
    for step in range(1500):
        curves.add("loss", step, 100.5 + step, 1.0 / (step + 1))
    curves.add("acc", 3, math.nan, math.inf)
    told = MovedRun(
        id="r-1", name="try", experiment="digits", state="FAILED", started=100.0, ended=200.5, tags={"who": "ann"},
        params={"lr": 0.1, "on": True}, finals={"best": 0.5, "loss": 7, "word": "x"}, note="a note", curves=curves,
        user="ann",
    )  # fmt: skip
    return told._replace(**more)


def test_a_run_as_mlflow_is_told_it(tmp_path: Path, mlflow: tuple[MlflowSink, Client]) -> None:
    sink, client = mlflow
    (tmp_path / "x.txt").write_text("x")
    sink.write(_run(files=(Kept("sub/x.txt", str(tmp_path / "x.txt")),)))
    sink.write(_run(id="r-2", name="child", parent="r-1", curves=Curves()))
    assert client.uri == f"sqlite:///{tmp_path / 'out.db'}"
    assert client.experiments == {"digits": f"{tmp_path / 'out.db'}.artifacts/digits"}
    first, child = client.runs.values()
    assert (first["name"], first["start"], first["end"], first["status"]) == (
        "try",
        100_000,
        200_500,
        "FAILED",
    )
    assert first["params"] == {"lr": "0.1", "on": "True"}
    assert first["tags"] == {
        "who": "ann",
        "pinyon.run": "r-1",
        "mlflow.note.content": "a note",
        "mlflow.user": "ann",
    }
    assert len(first["metrics"]) == 1502
    assert first["metrics"][2] == ("loss", 1 / 3, 102_500, 2)
    assert first["metrics"][-2:] == [("acc", math.inf, 100_000, 3), ("best", 0.5, 200_500, 0)]
    assert first["files"] == [("x.txt", "sub")]
    assert child["tags"]["mlflow.parentRunId"] == "m0"


def test_a_run_is_written_to_mlflow_once_and_half_of_one_again(mlflow: tuple[MlflowSink, Client]) -> None:
    sink, client = mlflow
    sink.write(_run())
    sink.write(_run())
    assert len(client.runs) == 1
    client.runs["m0"]["status"] = "RUNNING"  # as an export that was killed leaves it
    client.runs["m0"]["metrics"].clear()
    sink.write(_run(tags={"who": "ben"}))
    (told,) = client.runs.values()
    assert (len(told["metrics"]), told["tags"]["who"], told["status"]) == (1502, "ben", "FAILED")


def test_what_mlflow_refuses_is_said(mlflow: tuple[MlflowSink, Client]) -> None:
    with pytest.raises(ExecuteError, match=r"^r-1: MLflow refuses: no$"):
        mlflow[0].write(_run(name="refused"))


def test_a_run_that_goes_on_is_gone_on_with_in_mlflow(mlflow: tuple[MlflowSink, Client]) -> None:
    sink, client = mlflow
    sink.write(_run())
    told = _run(state="RUNNING", ended=None, params={"lr": 0.2, "new": 1}, curves=Curves())
    assert sink.begin(told, "m0")
    assert client.runs["m0"]["status"] == "RUNNING"
    more = Curves()
    more.add("loss", 2000, 105.0, 0.125)
    sink.add("r-1", more)
    sink.finish(told._replace(state="SUCCEEDED", ended=300.0, tags={"late": ""}))
    (run,) = client.runs.values()
    assert (run["status"], run["end"], run["tags"]["late"]) == ("FINISHED", 300_000, "")
    assert run["params"] == {"lr": "0.1", "on": "True", "new": "1"}  # MLflow never changes one
    assert run["metrics"][-1] == ("loss", 0.125, 105_000, 2000)
    assert not sink.begin(told._replace(id="r-9"), "m7")  # which is not there any more: all of it is wanted


class WandbRun:
    """As a run of W&B's."""

    def __init__(self, told: dict[str, Any]) -> None:
        self.told, self.logged, self.summary, self.code = told, list[Any](), dict[str, Any](), -1
        self.dir = f"{told['dir']}/files"
        self.config = SimpleNamespace(update=lambda params, allow_val_change: told["config"].update(params))

    def define_metric(self, name: str, step_metric: str) -> None:
        assert (name, step_metric) == ("*", "step")

    def log(self, values: dict[str, Any], step: int | None = None) -> None:
        self.logged.append((step, values))

    def finish(self, exit_code: int) -> None:
        self.code = exit_code


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[WandbRun]:
    """The runs that W&B's client is asked to make."""
    made: list[WandbRun] = []

    def init(**told: Any) -> WandbRun:
        made.append(WandbRun(told))
        return made[-1]

    module = ModuleType("wandb")
    vars(module).update(init=init, Settings=lambda **told: told)
    monkeypatch.setitem(sys.modules, "wandb", module)
    monkeypatch.delenv("WANDB_MODE", raising=False)
    return made


def test_a_run_as_wandb_is_told_it(tmp_path: Path, made: list[WandbRun]) -> None:
    (tmp_path / "m").mkdir()
    (tmp_path / "m/weights").write_text("w")
    curves = Curves()
    for point in (("loss", 0, 10.5, 1.0), ("acc", 0, 10.5, 0.5), ("loss", 2, math.nan, math.nan)):
        curves.add(*point)
    sink = WandbSink(str(tmp_path / "out"))
    sink.write(_run(curves=curves, files=(Kept("models/m", str(tmp_path / "m"), "model"),)))
    sink.close()
    (run,) = made
    assert (run.told["mode"], run.told["id"], run.told["project"], run.told["name"]) == (
        "offline",
        "r-1",
        "digits",
        "try",
    )
    assert (run.told["config"], run.told["tags"], run.code) == ({"lr": 0.1, "on": True}, ["who=ann"], 1)
    assert run.logged[0] == (0, {"acc": 0.5, "loss": 1.0, "_timestamp": 10.5, "step": 0})
    assert repr(run.logged[1]) == repr((2, {"loss": math.nan, "step": 2}))
    assert run.summary == {"best": 0.5, "loss": 7, "word": "x"}
    assert (tmp_path / "out/files/models/m/weights").read_text() == "w"


def test_a_live_run_is_open_at_wandb_and_one_that_is_over_comes_at_once(
    tmp_path: Path, made: list[WandbRun]
) -> None:
    sink, curves = WandbSink(str(tmp_path)), Curves()
    for step in (5, 5, 3):  # as they were logged; W&B would drop a step that is lower
        curves.add("loss", step, 10.5 + len(curves), 1.0)
    going, over = _run(state="RUNNING", curves=Curves()), _run(id="r-2", curves=Curves())
    half = tmp_path / "wandb/offline-run-1-r-1"
    other = tmp_path / "wandb/offline-run-1-r-11"
    half.mkdir(parents=True)
    other.mkdir()
    assert [sink.begin(run, "r") for run in (going, over)] == [False, False]
    assert (half.exists(), other.exists()) == (False, True)
    assert [run.told["id"] for run in made] == ["r-1"]
    for run in (going, over):
        sink.add(run.id, curves)
    assert [step for step, _ in made[0].logged] == [None, None, None]
    assert [values["step"] for _, values in made[0].logged] == [5, 5, 3]
    sink.finish(over)
    assert (made[1].told["id"], made[1].logged, made[1].code) == ("r-2", made[0].logged, 1)
    sink.finish(going._replace(state="SUCCEEDED"))
    assert made[0].code == 0
    sink.begin(going, "")
    sink.drop()
    assert made[2].code == 1


def test_wandb_sends_only_if_somebody_says_so(
    tmp_path: Path, made: list[WandbRun], monkeypatch: pytest.MonkeyPatch
) -> None:
    for said, mode in (("online", "online"), ("disabled", "offline"), ("", "offline")):
        monkeypatch.setenv("WANDB_MODE", said)
        WandbSink(str(tmp_path)).write(_run(curves=Curves()))
        assert made[-1].told["mode"] == mode
