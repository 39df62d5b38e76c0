"""A repository's Hydra configuration as files, found without running anything; and `args` in a stage."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pinyon.errors import PlanError, SpecError
from pinyon.model.flags import ConfigFile
from pinyon.model.project import Goal
from pinyon.plan.build import resolve_all
from pinyon.spec.hydra import read_hydra
from pinyon.spec.load import load_project


def repository(root: Path, decorator: str, **files: str) -> Path:
    fill(
        root,
        {"src/train.py": f"import hydra\nraise SystemExit('never run')\n\n{decorator}\ndef main(cfg): ...\n"},
    )
    fill(root, {f"configs/{name.replace('__', '/')}.yaml": text for name, text in files.items()})
    return root


def fill(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


MAIN = '@hydra.main(version_base="1.3", config_path="../configs", config_name="train.yaml")'


def test_files_are_found_with_their_packages_and_defaults(tmp_path: Path) -> None:
    repository(
        tmp_path, MAIN,
        train="# @package _global_\n\ndefaults:\n  - model: a\nlr: 1e-3\non: on\n",
        model__a="# what it is\n#@package x.y\nsize: 3\n", model__b="",
    )  # fmt: skip
    found = read_hydra(tmp_path, "src/train.py")
    assert found.primary == "train"
    assert found.files == {
        "train": ConfigFile("configs/train.yaml", {"lr": 0.001, True: True}, ({"model": "a"},), "_global_"),
        "model/a": ConfigFile("configs/model/a.yaml", {"size": 3}, (), "x.y"),
        "model/b": ConfigFile("configs/model/b.yaml"),
    }


@pytest.mark.parametrize(
    ("decorator", "words", "primary"),
    [
        (MAIN, (), "train"),
        ('@hydra.main("../configs", "train")', (), "train"),
        ('@main(config_name="train", config_path="../configs")', (), "train"),
        (MAIN, ("--config-name", "other"), "other"),
        (MAIN, ("x=1", "--config-name=other.yaml"), "other"),
        (MAIN, ("-cn", "other"), "other"),
        ("@hydra.main()", ("-cp", "../configs", "-cn", "train"), "train"),
    ],
)
def test_where_a_configuration_begins(
    tmp_path: Path, decorator: str, words: tuple[str, ...], primary: str
) -> None:
    repository(tmp_path, decorator, train="lr: 1", other="lr: 2")
    assert read_hydra(tmp_path, "src/train.py", words).primary == primary


@pytest.mark.parametrize(
    ("decorator", "why"),
    [
        ("", "has no function under @hydra.main"),
        ("@hydra.main(config_name='train')", "names no config_path"),
        ("@hydra.main(config_path=HERE, config_name='train')", "names no config_path"),
        ("@hydra.main(config_path='../configs')", "names no config_name"),
        (
            "@hydra.main(config_path='../configs', config_name='nope')",
            "configured by nope.yaml, which is not in",
        ),
    ],
)
def test_what_cannot_be_found_is_said(tmp_path: Path, decorator: str, why: str) -> None:
    repository(tmp_path, decorator, train="lr: 1")
    with pytest.raises(PlanError, match=why) as caught:
        read_hydra(tmp_path, "src/train.py")
    assert "args: {hydra:" in caught.value.next


def test_a_script_that_is_not_there_or_not_python(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match=r"there is no src/train.py"):
        read_hydra(tmp_path, "src/train.py")
    fill(tmp_path, {"src/train.py": "def ("})
    with pytest.raises(SpecError, match="not Python"):
        read_hydra(tmp_path, "src/train.py")


def test_a_broken_file_breaks_only_what_needs_it(tmp_path: Path) -> None:
    repository(
        tmp_path, MAIN, train="lr: 1", model__bad="a: [", model__list="- 1", model__odd="defaults: {a: 1}"
    )
    found = read_hydra(tmp_path, "src/train.py")
    assert set(found.files) == {"train"}
    assert "configs/model/bad.yaml:" in found.broken["model/bad"]
    assert "holds no map" in found.broken["model/list"]
    assert "defaults is no list" in found.broken["model/odd"]
    fill(tmp_path, {"configs/train.yaml": "a: ["})
    with pytest.raises(SpecError, match="not YAML"):
        read_hydra(tmp_path, "src/train.py")


def args_of(tmp_path: Path, written: str) -> tuple[str, tuple[str, ...]]:
    fill(tmp_path, {"pinyon.yaml": f"stages:\n  train:\n    cmd: [x]\n    {written}\n"})
    found = resolve_all(load_project(tmp_path), Goal(), {"params.yaml": {"which": "b"}})
    return found.stages[0].args, found.stages[0].arg_names  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("written", "args"),
    [
        ("desc: none", ("file", ())),
        ("args: file", ("file", ())),
        ("args: argparse", ("argparse", ())),
        ("args: hydra", ("hydra", ())),
        ("args: {argparse: [lr, '--epochs']}", ("argparse", ("lr", "--epochs"))),
        ("args: {env: ['a.${which}']}", ("env", ("a.b",))),
        ("meta: {pinyon: {args: env}}", ("env", ())),
    ],
)
def test_args_says_how_a_stage_gets_its_parameters(tmp_path: Path, written: str, args: Any) -> None:
    assert args_of(tmp_path, written) == args


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("args: argprase", "cannot be 'argprase'"),
        ("args: {argparse: lr}", "must be a list of parameter names"),
        ("args: {file: [lr]}", "unknown key 'file'"),
        ("args: {argparse: [a], env: [b]}", "must be one word"),
        ("args: [argparse]", "must be one word"),
        ("args: {argparse: [3]}", "must be text"),
    ],
)
def test_anything_else_is_refused_where_it_stands(tmp_path: Path, written: str, why: str) -> None:
    with pytest.raises(SpecError, match=why) as caught:
        args_of(tmp_path, written)
    assert caught.value.where == "pinyon.yaml:4"


def test_a_dvc_file_says_it_under_meta(tmp_path: Path) -> None:
    fill(tmp_path, {"dvc.yaml": "stages: {train: {cmd: x, args: argparse}}"})
    with pytest.raises(SpecError, match="unknown key 'args'") as caught:
        load_project(tmp_path)
    assert "meta: {pinyon: {args: …}}" in caught.value.next
