"""From a directory to a project: which files count, what is taken from each, and where everything stands."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pinyon.errors import SpecError
from pinyon.model.project import Origin, Project
from pinyon.spec.load import find_root, load_project, read_params

Load = Callable[..., Project]
Complain = Callable[..., str]


def write(path: Path, text: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


class TestFindRoot:
    def test_the_nearest_pinyon_yaml_counts(self, tmp_path: Path) -> None:
        write(tmp_path / "pinyon.yaml")
        write(tmp_path / "a/pinyon.yaml")
        inner = write(tmp_path / "a/b/c/train.py").parent
        assert find_root(inner) == tmp_path / "a"

    def test_a_pinyon_yaml_above_outranks_a_nearer_dvc_yaml(self, tmp_path: Path) -> None:
        write(tmp_path / "pinyon.yaml")
        write(tmp_path / "a/dvc.yaml")
        assert find_root(tmp_path / "a") == tmp_path

    def test_a_dvc_yaml_serves_where_there_is_no_pinyon_yaml(self, tmp_path: Path) -> None:
        write(tmp_path / "dvc.yaml")
        assert find_root(write(tmp_path / "a/train.py").parent) == tmp_path

    def test_a_relative_start_is_seen_from_here(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write(tmp_path / "dvc.yaml")
        monkeypatch.chdir(write(tmp_path / "a/x").parent)
        assert find_root(Path()) == tmp_path

    def test_a_directory_of_that_name_is_no_project(self, tmp_path: Path) -> None:
        (tmp_path / "pinyon.yaml").mkdir()
        write(tmp_path / "dvc.yaml")
        assert find_root(tmp_path) == tmp_path

    def test_no_project_says_what_to_do(self, tmp_path: Path) -> None:
        with pytest.raises(SpecError) as caught:
            find_root(tmp_path)
        assert str(caught.value) == (
            f"{tmp_path}: no pinyon.yaml and no dvc.yaml here or above"
            " → pinyon init, or without any file: pinyon run -- python train.py"
        )

    def test_a_store_is_the_last_resort(self, tmp_path: Path) -> None:
        inner = tmp_path / "a/b"
        write(tmp_path / "a/.pinyon/format.json")
        inner.mkdir()
        assert find_root(inner) == tmp_path / "a"
        write(tmp_path / "dvc.yaml")
        assert find_root(inner) == tmp_path


TRAIN = """\
# a comment
vars: [extra.yaml]
stages:
  train:
    cmd: [python, train.py]
    deps:
    - train.py
    - data
    outs: [{m.pkl: {cache: false}}]
    timeout: 30m
project: {name: demo}
experiments: {sweep: {stage: train}}
rules: [{name: idle}]
"""


class TestOneFile:
    def test_pinyon_yaml(self, load: Load, tmp_path: Path) -> None:
        project = load(pinyon=TRAIN)
        (stage,) = project.stages
        assert project.root == str(tmp_path)
        assert project.name == "demo"
        assert project.files == ("pinyon.yaml",)
        assert project.variables == {"": ("extra.yaml",)}
        assert project.settings == {
            "project": {"name": "demo"},
            "experiments": {"sweep": {"stage": "train"}},
            "rules": [{"name": "idle"}],
        }
        assert (stage.name, stage.base, stage.dialect) == ("train", "", "pinyon")
        assert stage.body["timeout"] == "30m"
        assert stage.origin == Origin("pinyon.yaml", 4)

    def test_dvc_yaml(self, load: Load, tmp_path: Path) -> None:
        project = load(dvc="stages: {a: {cmd: x}}\nmetrics: [m.json]\n")
        assert project.name == tmp_path.name
        assert project.files == ("dvc.yaml",)
        assert project.variables == {}
        assert project.settings == {"metrics": ["m.json"]}
        assert project.stages[0].dialect == "dvc"
        assert project.stages[0].body == {"cmd": "x"}

    def test_lines_of_a_stage(self, load: Load) -> None:
        stage = load(pinyon=TRAIN).stages[0]
        assert str(stage.at("deps", 1)) == "pinyon.yaml:8"
        assert str(stage.at("deps", 7)) == "pinyon.yaml:6"
        assert str(stage.at("nobody")) == "pinyon.yaml:4"
        assert dict(stage.lines) == {
            "cmd": 5, "cmd.0": 5, "cmd.1": 5, "deps": 6, "deps.0": 7, "deps.1": 8,
            "outs": 9, "outs.0": 9, "outs.0.m.pkl": 9, "outs.0.m.pkl.cache": 9, "timeout": 10,
        }  # fmt: skip
        assert len(stage.lines) == 11

    @pytest.mark.parametrize("name", ["dvc", "pinyon"])
    @pytest.mark.parametrize(
        "text", ["", "# nothing yet\n", "---\n", "stages: {}\n", "{}\n", "vars: []\n", "\ufeff"]
    )
    def test_a_file_without_stages_is_a_project(self, name: str, text: str, load: Load) -> None:
        assert load(**{name: text}).stages == ()

    def test_crlf_and_a_byte_order_mark_change_nothing(self, load: Load) -> None:
        plain = load(pinyon=TRAIN)
        marked = load(pinyon=b"\xef\xbb\xbf" + TRAIN.replace("\n", "\r\n").encode())
        assert [(s.name, s.body, s.origin) for s in marked.stages] == [
            (s.name, s.body, s.origin) for s in plain.stages
        ]
        assert marked.settings == plain.settings

    def test_merge_keys_share_what_stages_have_in_common(self, load: Load) -> None:
        stages = load(
            dvc="stages:\n  a: &a\n    cmd: x\n    deps: [d]\n  b:\n    <<: *a\n    cmd: y\n"
        ).stages
        assert [stage.body for stage in stages] == [{"cmd": "x", "deps": ["d"]}, {"cmd": "y", "deps": ["d"]}]
        assert str(stages[1].at("deps")) == "dvc.yaml:5"
        assert str(stages[1].at("cmd")) == "dvc.yaml:7"

    def test_a_mistake_below_a_merge_key_is_told_at_the_stage(self, complain: Complain) -> None:
        text = "stages:\n  a: {cmd: x, meta: &m {deps: 3}}\n  b:\n    cmd: x\n    <<: *m\n"
        assert complain(dvc=text).startswith(
            "dvc.yaml:3: deps of stage 'b' must be a list of paths, not a number"
        )

    def test_a_body_read_twice_is_not_changed(self, load: Load) -> None:
        text = "stages:\n  a: {cmd: x, meta: &m {pinyon: {timeout: 3}}}\n  b: {cmd: y, meta: *m}\n"
        first, second = load(dvc=text).stages
        assert first.body["timeout"] == second.body["timeout"] == 3
        assert first.body["meta"] == {"pinyon": {"timeout": 3}}


class TestBothFiles:
    def test_stages_variables_and_lists_of_both_count(self, load: Load) -> None:
        project = load(
            pinyon="stages: {a: {cmd: x}}\nvars: [p.yaml]\nmetrics: [a]\nartifacts: {m: {path: m}}\nmeta:\n",
            dvc="stages: {b: {cmd: [y]}}\nvars: [{k: 1}]\nmetrics: [b]\nartifacts: {n: {path: n}}\ndatasets: [1]\n",
        )
        assert project.files == ("pinyon.yaml", "dvc.yaml")
        assert [(stage.name, stage.dialect) for stage in project.stages] == [("a", "pinyon"), ("b", "dvc")]
        assert project.variables == {"": ("p.yaml", {"k": 1})}
        assert project.settings == {
            "metrics": ["a", "b"],
            "artifacts": {"m": {"path": "m"}, "n": {"path": "n"}},
            "datasets": [1],
        }

    def test_a_stage_in_both_is_refused(self, complain: Complain) -> None:
        message = complain(pinyon="stages:\n  a: {cmd: x}\n", dvc="# dvc\nstages:\n  a: {cmd: x}\n")
        assert message == (
            "dvc.yaml:3: stage 'a' is declared twice; the first stands at pinyon.yaml:2 → rename one of them"
        )

    def test_an_artifact_in_both_is_refused(self, complain: Complain) -> None:
        text = "artifacts: {m: {path: m}}\n"
        assert complain(pinyon=text, dvc=text) == (
            "dvc.yaml:1: artifacts is declared twice; pinyon.yaml says something else under the same name → "
            "keep it in one of the files"
        )


class TestWhatCannotBeRead:
    def test_no_file(self, tmp_path: Path) -> None:
        with pytest.raises(SpecError) as caught:
            load_project(tmp_path)
        assert str(caught.value) == f"{tmp_path}: no pinyon.yaml and no dvc.yaml here → pinyon init"

    def test_a_pipe_does_not_block(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "dvc.yaml")
        with pytest.raises(SpecError, match=r"^dvc\.yaml: this is not a plain file → name a file$"):
            load_project(tmp_path)

    def test_a_file_without_permission(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        write(tmp_path / "dvc.yaml", "stages: {}")

        def refuse(*_: object) -> None:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(Path, "open", refuse)
        with pytest.raises(SpecError, match=r"^dvc\.yaml: this file cannot be read: Permission denied$"):
            load_project(tmp_path)

    def test_yaml_errors_name_the_file(self, complain: Complain) -> None:
        assert complain(pinyon="a: 1\na: 2\n") == (
            "pinyon.yaml:2: the key 'a' stands twice in one mapping → remove one of them"
        )


class TestReadParams:
    def test_a_path_is_seen_from_the_root(self, tmp_path: Path) -> None:
        write(tmp_path / "sub/params.yaml", "lr: 1e-4\n")
        assert read_params(tmp_path, "sub/params.yaml") == {"lr": 1e-4}
        assert read_params(tmp_path / "sub", "../sub/params.yaml") == {"lr": 1e-4}

    @pytest.mark.parametrize("path", ["params.yaml", "no/params.yaml", "a.txt/params.yaml"])
    def test_an_absent_file_is_none(self, path: str, tmp_path: Path) -> None:
        write(tmp_path / "a.txt")
        assert read_params(tmp_path, path) is None

    def test_an_empty_file_is_an_empty_mapping(self, tmp_path: Path) -> None:
        write(tmp_path / "params.yaml")
        assert read_params(tmp_path, "params.yaml") == {}

    @pytest.mark.parametrize(
        ("path", "message"),
        [
            ("", "this is not a plain file → name a file"),
            ("a\0.yaml", "a\\x00.yaml: this file cannot be read: embedded null byte"),
            ("é" * 300 + ".yaml", "\\xe9" * 300 + ".yaml: this file cannot be read: File name too long"),
        ],
    )
    def test_a_name_that_is_no_file(self, path: str, message: str, tmp_path: Path) -> None:
        with pytest.raises(SpecError) as caught:
            read_params(tmp_path, path)
        assert str(caught.value).endswith(message)

    def test_a_file_of_seventeen_megabytes_is_data(self, tmp_path: Path) -> None:
        with (tmp_path / "params.json").open("wb") as file:
            file.truncate(17_000_000)
        with pytest.raises(SpecError) as caught:
            read_params(tmp_path, "params.json")
        assert str(caught.value) == (
            "params.json: this file is longer than 16.0 MB → "
            "move the data into a file of its own and name that in deps"
        )


def chain(length: int) -> str:
    rows = ["stages:"]
    for n in range(length):
        rows += [f"  s{n}:", f"    cmd: python step.py --n {n}", f"    deps: [step.py, out/{n}.txt]"]
        rows += [f"    params: [train.lr, steps.s{n}]", f"    outs: [out/{n + 1}.txt]"]
    return "\n".join(rows)


def test_a_thousand_stages_load_in_a_blink(load: Load, tmp_path: Path) -> None:
    assert len(load(dvc=chain(1_000)).stages) == 1_000
    best = 9.0
    for _ in range(5):
        start = time.process_time()
        load_project(tmp_path)
        best = min(best, time.process_time() - start)
    assert best < 0.15
