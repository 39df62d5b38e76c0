"""MLflow's scripts and Pinyon's commands on one store."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pinyon.bridges.recording import begin, key_of
from pinyon.store.local import LocalStore

Ask = Any
Serve = Any
_SPEC = """
stages:
  train:
    cmd: python train.py
    deps: [train.py]
    params: [tw]
    outs: [model.json]
    metrics: [metrics.json]
experiments:
  grid:
    stage: train
    objective: {maximize: f1}
    phases:
      phase1: {grid: {tw: [0.1, 0.25]}}
"""
_TRAIN = """
import json
import pinyon
run = pinyon.run()
for step in range(4):
    run.log(loss=1 / (step + 1), step=step)
json.dump({"f1": run.params.tw}, open("metrics.json", "w"))
json.dump({"w": 1}, open("model.json", "w"))
"""
_INSIDE = """
import mlflow
mlflow.set_tracking_uri('pinyon://')
with mlflow.start_run():
    mlflow.log_metric('m', 1)
"""
_LOGS = """
with mlflow.start_run(run_name="one") as run:
    mlflow.log_params({"lr": 0.01, "opt": "adam"})
    for step in range(3):
        mlflow.log_metrics({"loss": 1 / (step + 1)}, step=step)
    mlflow.set_tag("who", "ann")
    mlflow.log_text("hello", "notes/a.txt")
answer = run.info.run_id
"""


def pinyon(folder: Path, *words: str, code: int = 0) -> Any:
    """A command of Pinyon's; with --json its answer."""
    source = str(Path(__file__).resolve().parents[2] / "src")
    done = subprocess.run(
        [sys.executable, "-m", "pinyon.cli", *words],
        cwd=folder, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": source},
    )  # fmt: skip
    assert done.returncode == code, done.stdout + done.stderr
    return json.loads(done.stdout) if "--json" in words else done.stdout


def test_a_run_of_mlflows_is_one_of_pinyons(ask: Ask, tmp_path: Path) -> None:
    run = ask(_LOGS)
    (row,) = pinyon(tmp_path, "runs", "--where", "params.lr < 0.05 and tag.who = ann", "--json")
    assert row["run"] == f"r-{run[:16]}"
    assert (row["status"], row["stage"], row["mode"]) == ("SUCCEEDED", "@Default", "recorded")
    assert row["params"] == {"lr": 0.01, "opt": "adam"}
    assert row["metrics"] == {"loss": pytest.approx(1 / 3)}
    assert row["tags"] == {"mlflow.runName": "one", "who": "ann"}
    assert "lr=0.01  opt=adam" in pinyon(tmp_path, "runs")
    assert "param     opt = adam" in pinyon(tmp_path, "show", row["run"])
    told = pinyon(tmp_path, "query", "select step, value from points order by step", "--json")
    assert [row["step"] for row in told] == [0, 1, 2]
    assert "notes/a.txt" in pinyon(tmp_path, "query", "select name from artifacts")
    assert pinyon(tmp_path, "verify").strip().endswith("read")
    assert "1 of 1 blobs are referred to" in pinyon(tmp_path, "gc", "--dry-run")


def test_the_example_runs_as_it_is(
    ask: Ask, tmp_path: Path, mlflow_python: str, mlflow_env: dict[str, str]
) -> None:
    example = Path(__file__).resolve().parents[2] / "examples/mlflow/before.py"
    env = {**mlflow_env, "MLFLOW_TRACKING_URI": "pinyon://"}
    shutil.copy(example, tmp_path)
    for rate in ("0.3", "0.9"):
        subprocess.run([mlflow_python, "before.py", "--rate", rate], cwd=tmp_path, env=env, check=True)
    (row,) = pinyon(
        tmp_path, "runs", "--where", "params.rate < 0.5 and loss < 0.015 and tag.data = 'made up'", "--json"
    )
    assert (row["stage"], row["params"]["steps"]) == ("@slopes", 20)
    script = f"answer = mlflow.artifacts.load_dict('runs:/{row['key'][:32]}/model.json')"
    assert ask(script) != {}


def test_a_run_with_records_of_no_known_form_hides_no_other(ask: Ask, tmp_path: Path) -> None:
    first = ask(_LOGS)
    ask(_LOGS)
    store = LocalStore(tmp_path / ".pinyon")
    (attempt,) = [
        row["attempt"] for row in pinyon(tmp_path, "runs", "--json") if row["key"].startswith(first)
    ]
    writer = store.journals.open_writer()
    writer.append("mlflow_status", {"attempt": attempt, "status": {}, "ended": [1]})
    writer.append("mlflow_lifecycle", {"attempt": 5})
    writer.append("mlflow_model", {"model": "m-1", "tags": 3})
    writer.close()
    assert ask("answer = [r.info.run_name for r in mlflow.search_runs(output_format='list')]") == ["one"]
    assert len(pinyon(tmp_path, "runs", "--json")) == 2


def test_runs_of_pinyons_are_seen_as_mlflows_user_expects(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "pinyon.yaml").write_text(_SPEC)
    (tmp_path / "params.yaml").write_text("tw: 0.5\n")
    (tmp_path / "train.py").write_text(_TRAIN)
    pinyon(tmp_path, "run", "grid")
    seen = ask(
        "client = mlflow.MlflowClient()\n"
        "one = client.get_experiment_by_name('grid')\n"
        "runs = client.search_runs([one.experiment_id], 'metrics.f1 > 0.2', order_by=['metrics.f1'])\n"
        "everyone = client.search_runs([one.experiment_id], order_by=['params.tw'])\n"
        "run = runs[0]\n"
        "answer = {'names': [r.info.run_name for r in everyone], 'status': run.info.status, 'params': run.data.params,\n"
        " 'metrics': run.data.metrics, 'tags': run.data.tags, 'id': run.info.run_id,\n"
        " 'files': [f.path for f in client.list_artifacts(run.info.run_id)],\n"
        " 'model': mlflow.artifacts.load_dict(f'runs:/{run.info.run_id}/model.json'),\n"
        " 'history': [m.value for m in client.get_metric_history(run.info.run_id, 'loss')],\n"
        " 'end': run.info.end_time >= run.info.start_time}"
    )
    assert seen["names"] == ["phase1_tw_0.1", "phase1_tw_0.25"]
    assert (seen["status"], seen["params"], seen["end"]) == ("FINISHED", {"tw": "0.25"}, True)
    assert seen["metrics"] == {"loss": 0.25, "f1": 0.25}
    assert seen["history"] == [1.0, 0.5, pytest.approx(1 / 3), 0.25]
    assert seen["tags"]["mlflow.runName"] == "phase1_tw_0.25"
    assert seen["tags"]["mlflow.source.name"].startswith("python train.py")
    assert {"mlflow.user", "mlflow.source.type", "pinyon.run", "pinyon.stage", "pinyon.cell"} <= seen[
        "tags"
    ].keys()
    assert (seen["files"], seen["model"]) == (["metrics.json", "model.json"], {"w": 1})
    shown = pinyon(tmp_path, "show", f"r-{seen['id'][:16]}", "--json")
    assert shown["key"].startswith(seen["id"])


def test_imported_runs_are_seen_too(ask: Ask, tmp_path: Path) -> None:
    store = LocalStore(tmp_path / ".pinyon")
    store.prepare("p")
    told = begin(
        store, key=key_of("wandb", "1"), stage="@lit", started=1.7e9, params={"lr": 0.5}, tags={"name": "swift-1"},
        origin={"tool": "wandb", "experiment": "lit", "user": "ann"},
    )  # fmt: skip
    told.log([(1.7e9 + 1, 0, {"loss": 0.5}), (1.7e9 + 2, 1, {"loss": 0.25})])
    told.end("FAILED", 1.7e9 + 60)
    seen = ask(
        "(run,) = mlflow.search_runs(experiment_names=['lit'], output_format='list')\n"
        "answer = [run.info.run_name, run.info.status, run.info.user_id, run.info.start_time, run.info.end_time,\n"
        " run.data.params, run.data.metrics]"
    )
    assert seen == ["swift-1", "FAILED", "ann", 1700000000000, 1700000060000, {"lr": "0.5"}, {"loss": 0.25}]


def test_a_killed_script_has_failed_and_nothing_of_it_is_lost(
    mlflow_python: str, mlflow_env: dict[str, str], ask: Ask, tmp_path: Path
) -> None:
    file = tmp_path / "killed.py"
    file.write_text(
        "import mlflow, sys\n"
        "run = mlflow.start_run()\n"
        "print(run.info.run_id, flush=True)\n"
        "for step in range(10**9):\n"
        "    mlflow.log_metrics({'a': step, 'b': -step}, step=step)\n"
        "    print(step, flush=True)\n"
    )
    env = {**mlflow_env, "MLFLOW_TRACKING_URI": f"pinyon://{tmp_path}"}
    with subprocess.Popen(
        [mlflow_python, file], cwd=tmp_path, env=env, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        run, said = process.stdout.readline().strip(), []
        while len(said) < 300:
            said.append(int(process.stdout.readline()))
        process.send_signal(signal.SIGKILL)
        said += [int(line) for line in process.stdout if line.endswith("\n")]
    script = f"c = mlflow.MlflowClient()\nr = c.get_run('{run}')\n"
    script += (
        f"answer = [r.info.status, r.info.end_time, [m.step for m in c.get_metric_history('{run}', 'b')]]"
    )
    status, ended, steps = ask(script)
    assert (status, ended) == ("FAILED", None)
    assert set(said) <= set(steps)
    assert len(steps) - len(said) <= 1
    again = ask(
        f"with mlflow.start_run(run_id='{run}'):\n"
        f"    during = mlflow.get_run('{run}').info.status\n"
        "    mlflow.log_metric('a', 5.0, step=10**6)\n"
        f"answer = [during, mlflow.get_run('{run}').info.status, mlflow.get_run('{run}').data.metrics['b'] < 0]"
    )
    assert again == ["RUNNING", "FINISHED", True]
    (row,) = pinyon(tmp_path, "runs", "--json")
    assert (row["attempts"], row["status"]) == (2, "SUCCEEDED")


def test_a_model_that_pinyon_registered_is_mlflows_too(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "m.json").write_text('{"w": 2}')
    pinyon(tmp_path, "run", "-o", "out.json", "--", "cp", "m.json", "out.json")
    pinyon(tmp_path, "model", "register", "rings", "@cp")
    pinyon(tmp_path, "model", "promote", "rings@1", "production")
    pinyon(tmp_path, "model", "promote", "rings@1", "champion")
    seen = ask(
        "c = mlflow.MlflowClient()\n"
        "one = c.get_model_version_by_alias('rings', 'champion')\n"
        "answer = [[m.name for m in c.search_registered_models()], one.current_stage, one.aliases, bool(one.run_id),\n"
        " mlflow.artifacts.load_dict('models:/rings@production/out.json'),\n"
        " c.get_latest_versions('rings', ['Production'])[0].version]"
    )
    assert seen == [["rings"], "Production", ["champion"], True, {"w": 2}, 1]


def test_a_model_that_mlflow_registered_is_pinyons_too(ask: Ask, tmp_path: Path) -> None:
    ask(
        "with mlflow.start_run() as run:\n"
        "    mlflow.log_text('{\"w\": 3}', 'saved/model.json')\n"
        "c = mlflow.MlflowClient()\n"
        "c.create_registered_model('rings')\n"
        "c.create_model_version('rings', f'{run.info.artifact_uri}/saved', run.info.run_id)\n"
        "c.create_model_version('rings', 's3://elsewhere/model')\n"
        "c.set_registered_model_alias('rings', 'champion', '1')\n"
        "c.transition_model_version_stage('rings', '2', 'Production')\n"
    )
    shown = pinyon(tmp_path, "model", "show", "rings")
    assert "champion → 1" in shown
    assert "production → 2" in shown
    pinyon(tmp_path, "model", "get", "rings@champion", "-o", "got")
    assert (tmp_path / "got/model.json").read_text() == '{"w": 3}'
    pinyon(tmp_path, "model", "get", "rings@2", "-o", "address.txt")
    assert (tmp_path / "address.txt").read_text() == "s3://elsewhere/model\n"
    pinyon(tmp_path, "model", "promote", "rings@1", "production")
    stages = (
        "c = mlflow.MlflowClient()\nanswer = [c.get_model_version('rings', v).current_stage for v in '12']"
    )
    assert ask(stages) == ["Production", "Archived"]


_GATED = """
stages:
  train: {cmd: python train.py, deps: [train.py], params: [tw], outs: [model.json], metrics: [metrics.json]}
experiments:
  grid:
    stage: train
    objective: {maximize: f1}
    phases:
      phase1: {grid: {tw: [0.1, 0.25]}}
    promote: {model: m, alias: production, path: model.json, gate: [f1 > 0.2]}
"""
_REFUSED = """
from mlflow.exceptions import MlflowException
client = mlflow.MlflowClient()
def said(call, *words, **more):
    try:
        call(*words, **more)
    except MlflowException as error:
        return [error.error_code, str(error)]
client.create_registered_model("m")
for f1 in (0.1, 0.3):
    with mlflow.start_run() as run:
        mlflow.log_metric("f1", f1)
        mlflow.log_dict({"f1": f1}, "model.json")
    client.create_model_version("m", f"{run.info.artifact_uri}/model.json", run.info.run_id)
"""


def test_the_gates_of_the_project_are_asked(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "pinyon.yaml").write_text(_GATED)
    (tmp_path / "params.yaml").write_text("tw: 0.1\n")
    refused, fine, stage, other = ask(
        _REFUSED
        + "answer = [said(client.transition_model_version_stage, 'm', n, 'Production') for n in (1, 2)]\n"
        + "answer += [client.get_model_version('m', 2).current_stage]\n"
        + "answer += [said(client.set_registered_model_alias, 'm', 'champion', 1)]"
    )
    assert refused[0] == "INVALID_PARAMETER_VALUE"
    assert "f1" in refused[1]
    assert "0.1" in refused[1]
    assert "0.2" in refused[1]
    assert (fine, stage, other) == (None, "Production", None)  # nothing is asked of a name without a gate
    told = pinyon(tmp_path, "model", "show", "m", "--json")
    assert told["aliases"] == {"champion": 1, "production": 2}
    assert "refused" in pinyon(tmp_path, "query", "select kind from events")


def test_the_gate_of_an_alias_is_asked(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "pinyon.yaml").write_text(_GATED.replace("alias: production", "alias: champion"))
    (tmp_path / "params.yaml").write_text("tw: 0.1\n")
    refused, fine = ask(
        _REFUSED + "answer = [said(client.set_registered_model_alias, 'm', 'champion', n) for n in (1, 2)]"
    )
    assert refused[0] == "INVALID_PARAMETER_VALUE"
    assert "f1" in refused[1]
    assert fine is None
    assert pinyon(tmp_path, "model", "show", "m", "--json")["aliases"] == {"champion": 2}
    (tmp_path / "pinyon.yaml").write_text("stages: 3\n")
    broken = "answer = mlflow.MlflowClient().set_registered_model_alias('m', 'champion', 1)"
    assert "pinyon.yaml" in ask(broken, code=1)


def test_bytes_that_have_rotted_are_never_handed_out(ask: Ask, tmp_path: Path) -> None:
    run = ask(_LOGS)
    for blob in (tmp_path / ".pinyon/blobs").glob("*/*"):
        blob.chmod(0o644)
        blob.write_bytes(b"hellO")
    ask(f"mlflow.artifacts.load_text('runs:/{run}/notes/a.txt')", code=1)


def test_of_two_who_make_one_experiment_one_wins(
    mlflow_python: str, mlflow_env: dict[str, str], ask: Ask, tmp_path: Path
) -> None:
    ask("answer = 1")
    script = (
        "import mlflow, sys\nc = mlflow.MlflowClient()\nc.search_experiments()\nprint(flush=True)\nsys.stdin.readline()\n"
        "won = 0\nfor n in range(20):\n    try:\n        c.create_experiment(f'e{n}')\n        won += 1\n"
        "    except mlflow.exceptions.MlflowException:\n        pass\nprint(won)"
    )
    env = {**mlflow_env, "MLFLOW_TRACKING_URI": f"pinyon://{tmp_path}"}
    command = [mlflow_python, "-c", script]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    racers = [subprocess.Popen(command, env=env, text=True, **pipes) for _ in range(3)]  # type: ignore[call-overload]
    for one in racers:
        one.stdout.readline()
    wins = [int(one.communicate("go\n")[0]) for one in racers]
    assert sum(wins) == 20
    names = ask("answer = sorted(e.name for e in mlflow.search_experiments())")
    assert names == sorted(["Default", *(f"e{n}" for n in range(20))])


def test_the_plugin_needs_mlflow_skinny_only(ask: Ask) -> None:
    loaded = ask(
        _LOGS
        + "\nimport sys\nmlflow.search_runs(output_format='list')\nmlflow.MlflowClient().search_registered_models()\n"
        "heavy = {'sqlalchemy', 'alembic', 'flask', 'sklearn', 'duckdb'}\n"
        "answer = sorted({name.split('.')[0] for name in sys.modules} & heavy)"
    )
    assert loaded == []


def test_pinyon_never_imports_mlflow(tmp_path: Path) -> None:
    script = "import sys, pinyon, pinyon.cli.group, pinyon.bridges.recording; print('mlflow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_an_address_that_names_no_project_is_refused(ask: Ask, tmp_path: Path) -> None:
    assert "write pinyon://" in ask(
        "mlflow.search_experiments()", code=1, MLFLOW_TRACKING_URI="pinyon://host/path"
    )
    missing = f"pinyon://{tmp_path}/none"
    assert "mkdir -p" in ask("mlflow.search_experiments()", code=1, MLFLOW_TRACKING_URI=missing)
    assert not (tmp_path / "none").exists()


def test_what_was_read_once_is_kept_for_the_next_process(ask: Ask, tmp_path: Path) -> None:
    ask(
        "c = mlflow.MlflowClient()\n"
        "for n in range(60):\n    r = c.create_run('0', start_time=n).info.run_id\n    c.log_metric(r, 'm', n / 3)\n"
        "    c.set_terminated(r)\n"
    )
    search = "answer = [r.data.metrics['m'] for r in mlflow.search_runs(output_format='list', order_by=['metrics.m'])]"
    first = ask(search)
    cache = tmp_path / ".pinyon/cache/mlflow-2.sqlite"
    assert cache.exists()
    assert ask(search) == first == [n / 3 for n in range(60)]
    cache.write_bytes(b"spoilt" * 1000)
    assert ask(search) == first


def test_runs_of_one_process_share_its_files_and_each_has_its_own_history(ask: Ask, tmp_path: Path) -> None:
    runs = ask(
        "c = mlflow.MlflowClient()\n"
        "answer = [c.create_run('0').info.run_id for n in range(40)]\n"
        "for step in range(5):\n"
        "    for n, run in enumerate(answer):\n        c.log_metric(run, 'm', n * 10 + step, step=step)\n"
        "for run in answer[:30]:\n    c.set_terminated(run)\n"
        "for run in answer[:10]:\n    c.log_metric(run, 'late', 1.0)\n    c.set_tag(run, 'k', 'v')\n"
    )
    assert len(os.listdir(tmp_path / ".pinyon/journals")) == 2
    read = "c = mlflow.MlflowClient()\n" + f"runs = {runs}\n"
    told = ask(read + "answer = [[p.value for p in c.get_metric_history(run, 'm')] for run in runs]")
    assert told == [[n * 10.0 + step for step in range(5)] for n in range(40)]
    told = ask(
        read
        + "for run in runs[:2]:\n    c.log_metric(run, 'm', -1.0, step=9)\n"
        + "answer = [[len(c.get_metric_history(run, m)) for m in ('m', 'late')] for run in runs[:11]]"
    )
    assert told == [[6, 1], [6, 1], *[[5, 1]] * 8, [5, 0]]
    assert {row["status"] for row in pinyon(tmp_path, "runs", "--json")} == {"SUCCEEDED", "LOST"}
    assert pinyon(tmp_path, "verify").strip().endswith("read")


def test_forked_workers_log_to_the_run(ask: Ask) -> None:
    told = ask(
        "import os\n"
        "with mlflow.start_run() as run:\n"
        "    mlflow.log_metric('m', 0, step=0)\n"
        "    for n in range(1, 4):\n"
        "        if not (pid := os.fork()):\n"
        "            mlflow.MlflowClient().log_metric(run.info.run_id, 'm', n, step=n)\n"
        "            os._exit(0)\n"
        "        os.waitpid(pid, 0)\n"
        "    mlflow.log_metric('m', 4, step=4)\n"
        "answer = sorted(m.step for m in mlflow.MlflowClient().get_metric_history(run.info.run_id, 'm'))"
    )
    assert told == [0, 1, 2, 3, 4]


def test_a_script_inside_a_stage_is_a_run_inside_its_run(
    mlflow_python: str, ask: Ask, tmp_path: Path
) -> None:
    (tmp_path / "in.py").write_text(_INSIDE)
    pinyon(tmp_path, "run", "--", mlflow_python, "in.py")
    rows = {row["stage"]: row for row in pinyon(tmp_path, "runs", "--json")}
    inner, outer = rows["@Default"], rows["@in"]
    told = ask(
        "runs = mlflow.search_runs(search_all_experiments=True, output_format='list')\n"
        "answer = {r.info.run_id: r.data.tags.get('mlflow.parentRunId') for r in runs}"
    )
    assert told[inner["key"][:32]] == outer["key"][:32]


@pytest.mark.slow
def test_mlflows_server_on_a_project(serve: Serve, ask: Ask, tmp_path: Path) -> None:
    ask(_LOGS)
    told = ask(
        "c = mlflow.MlflowClient()\n"
        "with mlflow.start_run(run_name='over http') as run:\n"
        "    mlflow.log_metrics({'m': 1.5, 'n': float('nan')}, step=3)\n    mlflow.log_text('far', 'far.txt')\n"
        "found = c.search_runs(['0'], order_by=['start_time'])\n"
        "answer = [[r.info.run_name for r in found], found[1].data.metrics['m'],\n"
        " mlflow.artifacts.load_text(f'runs:/{run.info.run_id}/far.txt'),\n"
        " mlflow.artifacts.load_text(f'runs:/{found[0].info.run_id}/notes/a.txt'), found[1].info.status]",
        MLFLOW_TRACKING_URI=serve(tmp_path),
    )
    assert told == [["one", "over http"], 1.5, "far", "hello", "FINISHED"]
    (row,) = pinyon(tmp_path, "runs", "--where", "tag.mlflow.runName = 'over http'", "--json")
    assert row["metrics"]["m"] == 1.5


def _page(address: str, folder: Path) -> str:
    """What Chromium makes of a page, as HTML, after twenty seconds of its own clock."""
    flags = (
        "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    )
    more = ["--disable-component-update", "--disable-sync", f"--user-data-dir={folder / 'chromium'}"]
    command = ["chromium", *flags.split(), *more, "--virtual-time-budget=20000", "--dump-dom", address]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.mark.slow
def test_mlflows_pages_show_the_list_and_a_run(serve: Serve, ask: Ask, tmp_path: Path) -> None:
    if shutil.which("chromium") is None:
        pytest.skip("needs chromium: it opens MLflow's pages")
    run = ask(_LOGS)
    ask("with mlflow.start_run(run_name='another'):\n    mlflow.log_metric('loss', 2)")
    address = serve(tmp_path)
    listed = _page(f"{address}/#/experiments/0/runs", tmp_path)
    assert all(f">{name}<" in listed for name in ("one", "another"))
    filtered = _page(f"{address}/#/experiments/0/runs?searchFilter=metrics.loss%20%3C%201", tmp_path)
    assert ">one<" in filtered
    assert ">another<" not in filtered
    shown = _page(f"{address}/#/experiments/0/runs/{run}", tmp_path)
    assert all(word in shown for word in (run, "adam", "0.01", "0.333"))
