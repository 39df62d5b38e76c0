"""`graph` and `plan --why`: what a person sees, and that the reasons are true."""

from __future__ import annotations

from typing import Any

import pytest


def test_graph_before_and_after_the_first_run(project: Any) -> None:
    assert project.good("graph").out == "prepare → train → report\nside\n4 stages\n"
    assert not (project.root / ".pinyon/journals").exists()
    project.good("run")
    assert project.good("graph").out == "✓ prepare → ✓ train → ✓ report\n✓ side\n4 stages: ✓ 4 unchanged\n"
    project.write(params_yaml="train: {lr: 0.1}\n")
    drawn = project.good("graph").out.splitlines()
    assert drawn[0] == "✓ prepare → ● train → ● report"
    assert drawn[-1] == "4 stages: ✓ 2 unchanged, ● 2 run"


def test_graph_of_a_goal_with_paths(project: Any) -> None:
    assert project.good("graph", "train", "--paths").out == "prepare ─ clean.txt → train\n2 stages\n"


def test_graph_shows_what_failed(finished: Any) -> None:
    text = finished.read("pinyon.yaml")
    finished.fill({"pinyon.yaml": text.replace("cp other.txt side.txt", "exit 1")})
    assert finished("run").code == 4
    assert "✗ side\n" in finished.good("graph").out


def test_graph_of_a_project_whose_data_is_not_there(finished: Any) -> None:
    (finished.root / "raw.txt").unlink()
    assert finished.good("graph").out.startswith("prepare → train → report\n")


def test_graph_for_programs(finished: Any) -> None:
    found = finished.good("graph", "--json").json()
    assert {row["stage"]: row["verdict"] for row in found["stages"]} == dict.fromkeys(
        ("prepare", "train", "report", "side"), "unchanged"
    )
    assert {"from": "prepare", "to": "train", "path": "clean.txt"} in found["edges"]
    assert finished.good("graph", "--dot").out.startswith("digraph pinyon {\n")
    assert finished.good("graph", "--mermaid").out.startswith("flowchart TD\n")


def test_graph_of_what_is_no_stage(project: Any) -> None:
    ended = project("graph", "trian")
    assert ended.code == 3
    assert "did you mean train?" in ended.err


def test_why_is_a_tree_of_what_follows_from_what(finished: Any) -> None:
    finished.write(params_yaml="train: {lr: 0.1}\n")
    assert finished.good("plan", "--why").out == (
        "run train  parameter params.yaml:train.lr: 0.5 → 0.1\n"
        "└─ run report  model.txt may change\n"
        "unchanged prepare, side\n"
        "4 stages: 2 unchanged, 2 run\n"
    )


def test_reasons_name_changes_of_the_project_not_of_what_was_tried(finished: Any) -> None:
    finished.good("run", "-S", "train.lr=9")
    text = finished.read("pinyon.yaml")
    finished.fill({"pinyon.yaml": text.replace("echo trained", "exit 1"), "params.yaml": "train: {lr: 8}\n"})
    assert finished("run").code == 4
    finished.fill({"pinyon.yaml": text, "params.yaml": "train: {lr: 0.1}\n"})
    assert finished.to_run()["train"] == "parameter params.yaml:train.lr: 0.5 → 0.1"


def test_reasons_compare_with_what_was_put_back(finished: Any) -> None:
    for rate in ("0.1", "0.5"):  # the second is made already, and only restored
        finished.write(params_yaml=f"train: {{lr: {rate}}}\n")
        finished.good("run")
    finished.write(params_yaml="train: {lr: 0.2}\n")
    assert finished.to_run()["train"] == "parameter params.yaml:train.lr: 0.5 → 0.2"


def test_a_group_of_parameters_tells_only_what_differs(empty: Any) -> None:
    empty.fill(
        {
            "pinyon.yaml": "stages: {a: {cmd: cp s out, deps: [s], params: [train], outs: [out]}}\n",
            "params.yaml": "train: {lr: 0.1, model: {width: 64, depth: 2}}\n",
            "s": "s",
        }
    )
    empty.good("run")
    empty.write(params_yaml="train: {lr: 0.1, model: {width: 128, depth: 2}}\n")
    assert empty.to_run() == {"a": "parameter params.yaml:train.model.width: 64 → 128"}


@pytest.mark.parametrize("arguments", [("plan",), ("plan", "--why"), ("run",)])
def test_reuse_names_a_run_and_when_it_was(finished: Any, arguments: tuple[str, ...]) -> None:
    run = finished.good("runs", "--stage", "train", "--json").json()[0]
    (finished.root / "model.txt").unlink()
    out = finished.good(*arguments).out
    assert f"model.txt missing here; made before by run {run['run']} on 20" in out
    assert run["attempt"] not in out


def test_show_of_a_stage_prefers_what_succeeded_and_says_so(finished: Any) -> None:
    good = finished.good("show", "train", "--json").json()
    assert good["newer"] is None
    text = finished.read("pinyon.yaml")
    finished.fill({"pinyon.yaml": text.replace("echo trained", "exit 1")})
    assert finished("run").code == 4
    shown = finished.good("show", "train", "--json").json()
    assert (shown["run"], shown["status"]) == (good["run"], "SUCCEEDED")
    failed = finished.good("show", shown["newer"], "--json").json()
    assert (failed["status"], failed["newer"]) == ("FAILED", None)
    assert f"a newer run of train is FAILED: {shown['newer']}" in finished.good("show", "train").out
    assert finished.good("logs", "train").out == ""  # of the newest, which printed nothing


def test_show_of_a_stage_that_never_succeeded(empty: Any) -> None:
    empty.write(pinyon_yaml="stages: {a: {cmd: exit 1, deps: [s], outs: [out]}}\n", s="s")
    assert empty("run").code == 4
    shown = empty.good("show", "a", "--json").json()
    assert (shown["status"], shown["newer"]) == ("FAILED", None)
