"""``pinyon model``, and what becomes of an experiment's winner, from the outside."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from typing import Any

import pytest

MAKE = """\
import json, sys
a, seed = int(sys.argv[1]), int(sys.argv[2])
header = json.dumps({"w": {"dtype": "U8", "shape": [a + 2], "data_offsets": [0, a + 2]}}).encode()
open("model.safetensors", "wb").write(len(header).to_bytes(8, "little") + header + bytes([seed] * (a + 2)))
open("model.pkl", "wb").write(b"\\x80\\x04K\\x01.")
json.dump({"accuracy": a / 10 + seed / 100, "size": 10}, open("metrics.json", "w"))
"""
STAGES: dict[str, Any] = {
    "train": {
        "cmd": "echo train >> $RAN; python3 make.py ${a} ${seed}",
        "deps": ["make.py"],
        "params": ["a", "seed"],
        "outs": ["model.safetensors", "model.pkl"],
        "metrics": ["metrics.json"],
    },
    "test": {
        "cmd": "echo test >> $RAN; sed s/0[.]/0.0/ metrics.json > test.json",
        "deps": ["metrics.json", "model.safetensors"],
        "metrics": ["test.json"],
    },
}
STUDY: dict[str, Any] = {
    "stage": "train",
    "objective": {"maximize": "accuracy"},
    "seeds": {"seed": [0, 1, 2]},
    "phases": {"first": {"grid": {"a": [1, 2, 3]}}},
    "then": ["test"],
}
PROMOTE: dict[str, Any] = {
    "model": "lstm",
    "alias": "staging",
    "path": "model.safetensors",
    "gate": ["test.accuracy > 0.03", "accuracy > 0.3"],
}


def write(project, **promote: Any) -> None:
    """The project's files, with other values in promote."""
    asked = {name: value for name, value in {**PROMOTE, **promote}.items() if value is not None}
    experiments = {"study": {**STUDY, "promote": asked}, "plain": STUDY}
    spec = json.dumps({"stages": STAGES, "experiments": experiments})
    project.fill({"pinyon.yaml": spec, "make.py": MAKE, "params.yaml": "a: 1\nseed: 0\n"})


@pytest.fixture
def study(empty):
    write(empty)
    return empty


def model(project, name: str = "lstm") -> Any:
    return project.good("model", "show", name, "--json").json()


def test_the_winner_becomes_a_version_and_a_name_points_at_it(study):
    said = study.good("run", "study").out.splitlines()
    assert said[-2] == (
        "promoted  lstm@1 is staging; its gate holds: test.accuracy 0.031 > 0.03, accuracy 0.31 > 0.3"
    )
    found = model(study)
    version, change = found["versions"][0], found["changes"][0]
    assert (found["aliases"], len(found["versions"])) == ({"staging": 1}, 1)
    run = study.good("show", version["run"], "--json").json()
    assert run["params"] == {"a": 3, "seed": 1}, "the replicate with the median objective"
    assert run["outputs"]["model.safetensors"] == version["digest"]
    assert version["about"]["experiment"] == "study"
    assert version["about"]["set"] == {"a": 3, "seed": 1}
    assert version["format"] == "safetensors"
    assert [one["value"] for one in change["gate"]] == [0.031, 0.31]
    assert change["gate"][1]["run"] == version["run"] != change["gate"][0]["run"]
    assert change["by"]["experiment"] == "study"
    assert change["by"]["execution"]
    one = model(study, "lstm@staging")
    assert (one["number"], one["measured"]["test"]["metrics"]["accuracy"]) == (1, 0.031)


def test_it_happens_once_and_what_people_did_since_stays(study):
    study.good("run", "study")
    before = study.snapshot()
    assert "nothing to do" in study.good("run", "study").out
    assert study.snapshot() == before
    study.good("model", "register", "lstm", "train", "--path", "model.safetensors")
    study.good("model", "promote", "lstm@2", "staging", "--force")
    said = study.good("run", "study").out
    assert "lstm@1 was staging once and is archived now: nothing is promoted twice" in said
    assert model(study)["aliases"] == {"staging": 2}


def test_another_driver_of_the_experiment_that_promotes_first_is_no_error(study):
    beaten = (
        "import sys; from pinyon.registry.registry import Registry as R; real = R.promote\n"
        "def promote(*a, **b): real(*a, **b); return real(*a, **b)\n"
        "R.promote = promote; sys.argv[0] = 'pinyon'; from pinyon.cli import main; main()"
    )
    command = [sys.executable, "-c", beaten, "run", "study"]
    done = subprocess.run(command, cwd=study.root, env=study.env, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    found = model(study)
    assert (found["aliases"], len(found["versions"]), len(found["changes"])) == ({"staging": 1}, 1, 1)


def test_a_gate_that_refuses_says_why_once_and_exits_with_6(study):
    write(study, gate=["test.accuracy > 0.9", "test.nothing < 1"])
    ended = study("run", "study")
    assert ended.code == 6
    assert (
        "lstm@1 does not become staging; test.accuracy 0.031 is not > 0.9; test.nothing was not measured"
        in ended.err
    )
    assert "12 stages: 12 succeeded" in ended.out
    again = study("run", "study", "--json")
    assert (again.code, again.json()["error"]) == (6, "GateError")
    found = model(study)
    assert (found["aliases"], len(found["versions"]), len(found["refused"])) == ({}, 1, 1)
    shown = study.good("model", "show", "lstm", env={**study.env, "PINYON_ACTOR": "person:ann"}).out
    assert "staging: 1 was refused" in shown
    assert "person:" not in shown
    write(study, gate=[])
    study.good("run", "study")
    assert model(study)["aliases"] == {"staging": 1}
    assert model(study)["changes"][0]["by"] == {"experiment": "study"}, "nothing else was recorded"


@pytest.mark.parametrize("how", [["-S", "a=1"], ["--phase", "first"]])
def test_a_trial_promotes_nothing(study, how):
    assert "nothing is promoted: " in study.good("run", "study", *how).out
    assert study.good("model", "list", "--json").json()["models"] == []


def test_an_experiment_without_promote_registers_nothing(study):
    study.good("run", "plain")
    assert "no model is registered" in study.good("model", "list").out


def test_what_becomes_the_model_is_known_before_anything_runs(study):
    for path, what in (
        ("model.safetenors", "did you mean model.safetensors?"),
        (None, "which out of train is the model?"),
    ):
        write(study, path=path)
        ended = study("run", "study")
        assert (ended.code, what in ended.err) == (3, True), ended.err
        assert "pinyon.yaml:" in ended.err
    assert study.all_ran() == []


def test_a_tick_promotes_too(study):
    study.good("tick", "study", "--chain", "-j", "4")
    study.wait_for(lambda: model_there(study))
    assert model(study)["aliases"] == {"staging": 1}


def model_there(study) -> bool:
    found = study.good("model", "list", "--json").json()["models"]
    return bool(found and found[0]["aliases"])


# -- by hand --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def three(shared):
    """A project with three versions of a model, made by hand."""
    write(shared)
    for a in (1, 2, 3):
        shared.good("run", "-S", f"a={a}")
        shared.good("model", "register", "lstm", "train", "--path", "model.safetensors", "--why", f"try {a}")
    return shared


@pytest.fixture
def lstm(three, empty):
    """A copy of it."""
    shutil.copytree(three.root, empty.root, dirs_exist_ok=True)
    return empty


def test_promoting_rolling_back_and_taking_away(lstm):
    assert lstm.good("model", "promote", "lstm@1", "Production").out == "lstm  production: nothing → 1\n"
    assert lstm.good("model", "promote", "lstm@2", "production").out == "lstm  production: 1 → 2\n"
    assert lstm.good("model", "promote", "lstm", "champion").out == "lstm  champion: nothing → 3\n"
    assert (
        lstm.good("model", "promote", "lstm@production", "production").out == "lstm@2 is production already\n"
    )
    back = lstm.good("model", "rollback", "lstm", "production", "--why", "wrong").out
    assert back == "lstm  production: 2 → 1 (rolled back)\n"
    assert lstm.good("model", "unset", "lstm", "champion").out == "lstm  champion: 3 → nothing\n"
    found = model(lstm)
    assert (found["aliases"], found["archived"]) == ({"production": 1}, [2])
    assert [change["action"] for change in found["changes"]] == ["promoted"] * 3 + ["rolled_back", "unset"]
    shown = lstm.good("model", "show", "lstm").out
    assert shown.startswith("lstm  production → 1; archived 2\n")
    assert shown.splitlines()[-2].endswith("production: 2 → 1 (rolled back)  wrong")


def test_every_change_says_who(lstm):
    lstm.env["PINYON_ACTOR"] = "agent:mole"
    lstm.good("model", "promote", "lstm@1", "production")
    assert model(lstm)["changes"][0]["actor"] == "agent:mole"
    assert "agent:mole" in lstm.good("model", "show", "lstm").out
    refs = "select actor from refs where name = 'aliases/lstm'"
    assert lstm.good("query", refs, "--json").json() == [{"actor": "agent:mole"}]


def test_a_gate_by_hand_and_the_gate_of_the_experiments(lstm):
    ended = lstm("model", "promote", "lstm@2", "champion", "--gate", "accuracy > 0.25 and size < 11")
    assert (ended.code, "accuracy 0.2 is not > 0.25" in ended.err) == (6, True)
    assert lstm("model", "promote", "lstm@2", "staging").code == 6
    assert lstm("model", "promote", "lstm@2", "staging", "--gate", "size < 11").code == 6, "it only adds"
    tried = lstm.good("model", "promote", "lstm@2", "staging", "--dry-run").out.splitlines()
    assert [line.split()[0] for line in tried[:2]] == ["bad", "bad"]
    assert tried[2] == "lstm@2 would not become staging"
    forced = lstm.good("model", "promote", "lstm@2", "staging", "--force", "--why", "demo", "--json").json()
    assert (forced["change"]["forced"], forced["change"]["why"]) == (True, "demo")
    assert [one["holds"] for one in forced["gate"]] == [False, False]


def test_a_pinned_name_stays_for_ever(lstm):
    lstm.good("model", "promote", "lstm@2", "paper-v1", "--pin")
    for call in (("promote", "lstm@3", "paper-v1"), ("unset", "lstm", "paper-v1")):
        ended = lstm("model", *call)
        assert (ended.code, "pinned to version 2" in ended.err) == (6, True)
    assert lstm("model", "promote", "lstm@3", "paper-v1", "--dry-run").code == 6
    assert "already" in lstm.good("model", "promote", "lstm@2", "paper-v1", "--dry-run").out
    assert "pinned: paper-v1" in lstm.good("model", "list").out


def test_the_file_comes_out_and_what_lies_there_is_kept(lstm):
    lstm.fill({"here.safetensors": "mine"})
    lstm.good("model", "promote", "lstm@2", "production")
    lstm.good("model", "get", "lstm@production", "-o", "here.safetensors")
    data = (lstm.root / "here.safetensors").read_bytes()
    assert data[-4:] == bytes(4)
    assert len(data) == 8 + int.from_bytes(data[:8], "little") + 4


def test_a_pickle_is_refused_and_trust_is_recorded(lstm):
    ended = lstm("model", "register", "lstm", "train", "--path", "model.pkl")
    assert ended.code == 6
    assert "model.pkl runs code when somebody opens it" in ended.err
    assert len(model(lstm)["versions"]) == 3
    lstm.good("model", "register", "lstm", "train", "--path", "model.pkl", "--trust")
    version = model(lstm)["versions"][3]
    assert (version["trusted"], version["format"]) == (True, "pickle")
    assert "trusted" in lstm.good("model", "show", "lstm@4").out


def test_a_broken_file_becomes_no_version(study):
    """The file is named as the stage calls it, and the rest of the study is there."""
    study.fill({"make.py": MAKE.replace("bytes([seed]", "b'' and bytes([seed]")})
    ended = study("run", "study")
    assert ended.code == 5
    assert "error: model.safetensors: this safetensors file is broken" in ended.err
    assert study.good("model", "list", "--json").json()["models"] == []


def test_models_of_a_script_that_no_file_knows(empty):
    script = "import pinyon\nrun = pinyon.run()\nopen('m.npz', 'w').write('{}')\nrun.artifact('m.npz', role='model')\n"
    empty.fill({"fit.py": script})
    empty.good("run", "--", "python3", "fit.py")
    empty.good("model", "register", "fit", "@fit")
    empty.good("model", "promote", "fit", "champion")
    found = model(empty, "fit")
    assert (found["versions"][0]["path"], found["aliases"]) == ("m.npz", {"champion": 1})


@pytest.mark.parametrize(
    ("call", "what"),
    [
        (("show", "lst"), "did you mean lstm?"),
        (("show", "lstm@9"), "has no version 9; it has 1 to 3"),
        (("show", "lstm@champ"), "champ of model 'lstm' points at nothing"),
        (("show", "@1"), "names no model"),
        (("promote", "lstm@1", "../x"), "cannot name a version"),
        (("promote", "lstm@1", "7"), "a number means a version"),
        (("promote", "lstm@1", "x", "--gate", "accuracy"), "is not a condition"),
        (("rollback", "lstm", "production"), "points at nothing"),
        (("register", "a b", "train", "--path", "model.safetensors"), "cannot name a model"),
        (("register", "lstm", "train"), "which out of train is the model?"),
        (("register", "lstm", "train", "--path", "model.safe"), "did you mean model.safetensors?"),
        (("register", "lstm", "nobody"), "no run, attempt or stage"),
        (("get", "lstm@staging"), "points at nothing"),
    ],
)
def test_mistakes_change_nothing(lstm, call, what):
    before = lstm.snapshot()
    ended = lstm("model", *call)
    assert (ended.code, what in ended.err) == (3, True), ended
    assert lstm.snapshot() == before


def test_one_damaged_model_hides_no_other(lstm):
    lstm.good("model", "register", "other", "train", "--path", "model.safetensors")
    ref = next((lstm.root / ".pinyon/refs").glob("models%2Flstm/000001"))
    ref.chmod(0o644)
    ref.write_text("{}")
    listed = lstm.good("model", "list", "--json").json()
    assert ([one["model"] for one in listed["models"]], list(listed["damaged"])) == (["other"], ["lstm"])
    assert lstm("model", "show", "lstm").code == 5


def test_gc_gives_up_no_version(lstm):
    """Of three runs of train one is kept; what the registry names stays all the same."""
    said = lstm.good("gc", "--keep-last", "1", "--json").json()
    marked = {path.name for path in (lstm.root / ".pinyon/condemned").iterdir()}
    digests = {one["digest"].removeprefix("blake3:") for one in model(lstm)["versions"]}
    assert marked, said
    assert not marked & digests
