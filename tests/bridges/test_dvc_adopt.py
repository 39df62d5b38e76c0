"""Adoption from a dvc.lock written by hand: what is believed, and what is not."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from handmade import PIPELINE, Made, file, md5

from pinyon.bridges.dvc import adopt as module
from pinyon.bridges.dvc.compose import from_wdir
from pinyon.bridges.dvc.lock import lock_file, name_in_lock
from pinyon.model.graph import Command, Stage
from pinyon.model.project import Origin


@pytest.fixture
def made(tmp_path: Path) -> Made:
    return Made(tmp_path / "project")


def all_of(kind: str) -> dict[str, str]:
    return dict.fromkeys(("one", "two", "three"), kind)


def test_everything_is_believed(made: Made) -> None:
    assert made.plan() == all_of("unchanged")
    assert made.run() == []


def test_everything_comes_from_the_cache(made: Made) -> None:
    """`two` reads a file, and `three` a folder, inside an out that is nowhere but in DVC's cache."""
    made.cached()
    made.remove("d", "b", "c", "m.json")
    assert made.plan() == all_of("reuse")
    assert made.run() == []
    assert {name: (made.root / name).read_bytes() for name in made.contents} == made.contents


def test_everything_is_believed_isolated(made: Made) -> None:
    made.cached()
    made.remove("b")
    expected = {**all_of("reuse")}
    assert made.plan(isolated=True) == expected
    assert made.run("--isolated") == []


def test_outs_come_from_a_remote_when_pulling(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    made.cached("../remote")
    made.write({".dvc/config": b"[core]\n    remote = r\n['remote \"r\"']\n    url = ../../remote\n"})
    made.remove("d", "b", "c", "m.json")
    assert made.plan() == all_of("run")
    assert made.plan(pull=True) == all_of("reuse")


def test_what_is_nowhere_is_made(made: Made) -> None:
    made.remove("c")
    assert made.plan() == {"one": "unchanged", "two": "unchanged", "three": "run"}
    assert made.run() == ["three"]


def drop(stage: str, *path: Any) -> Callable[[Made], None]:
    def change(made: Made) -> None:
        place = made.stages[stage]
        for part in path[:-1]:
            place = place[part]
        del place[path[-1]]

    return change


def put(stage: str, *path: Any, value: Any) -> Callable[[Made], None]:
    def change(made: Made) -> None:
        place = made.stages[stage]
        for part in path[:-1]:
            place = place[part]
        place[path[-1]] = value

    return change


@pytest.mark.parametrize(
    "change",
    [
        put("one", "cmd", value="echo"),
        put("one", "cmd", value=["echo one"]),
        put("one", "params", "params.yaml", "p", value=0.1001),
        put("one", "params", "params.yaml", "flag", value=1),
        drop("one", "params", "params.yaml", "p"),
        drop("one", "params"),
        drop("one", "deps"),
        put("one", "deps", 0, "md5", value=md5(b"else")),
        put("one", "deps", 0, "size", value=3),
        put("one", "deps", 0, "hash", value="sha256"),
        drop("one", "deps", 0, "md5"),
        drop("one", "outs", 0),
        drop("one", "outs", 0, "md5"),
        put("one", "outs", 0, "md5", value="0" * 32 + ".dir"),
        lambda made: made.stages.pop("one"),
    ],
)
def test_an_entry_that_says_something_else_is_not_believed(
    made: Made, change: Callable[[Made], None]
) -> None:
    change(made)
    made.lock()
    assert made.plan()["one"] == "run"


@pytest.mark.parametrize(
    "change",
    [
        put("one", "params", "params.yaml", "p", value=0.10000000000000002),
        put("one", "params", "params.yaml", "more", value=1),
        put("one", "params", "other.yaml", value={"q": 1}),
        put("one", "deps", 0, "md5", value=md5(b"A\n").upper()),
        drop("one", "deps", 0, "hash"),
        drop("one", "deps", 0, "size"),
        lambda made: made.stages.update(gone={"cmd": "gone", "outs": [file("gone", b"")]}),
        lambda made: made.stages["one"]["deps"].append(file("gone", b"")),
    ],
)
def test_an_entry_that_says_the_same_in_other_words_is_believed(
    made: Made, change: Callable[[Made], None]
) -> None:
    change(made)
    made.lock()
    assert made.plan() == all_of("unchanged")


def test_line_ends_of_an_old_entry(made: Made) -> None:
    made.stages["one"]["deps"] = [{"path": "a", "md5": md5(b"A\n"), "size": 99}]
    made.lock()
    made.write({"a": b"A\r\n"})
    assert made.plan() == all_of("unchanged")
    made.write({"a": b"A\r\r\n"})
    assert made.plan()["one"] == "run"


@pytest.mark.parametrize("line", ["always_changed: true", "frozen: true"])
def test_what_runs_always_or_never_is_not_asked_about(made: Made, line: str) -> None:
    made.write(
        {"dvc.yaml": PIPELINE.replace("    deps: [b, d/in]", f"    {line}\n    deps: [b, d/in]").encode()}
    )
    assert made.plan()["three"] == ("run" if line.startswith("always") else "unchanged")
    made.run()
    assert "adopt     three" not in made.told


def test_forced_is_forced(made: Made) -> None:
    assert made.run("-f") == ["one", "two", "three"]
    assert "adopt" not in made.told


def test_only_what_the_goal_needs(made: Made) -> None:
    made.run("two")
    assert [line.split()[1] for line in made.told.splitlines() if line.startswith("adopt")] == ["one", "two"]


def test_what_changes_while_it_is_hashed_is_not_believed(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    def learn(self: Any, paths: Any, *, legacy: bool = False) -> None:
        real(self, paths, legacy=legacy)
        (made.root / "a").write_bytes(b"other")

    real = module.Hashes.learn
    monkeypatch.setattr(module.Hashes, "learn", learn)
    assert made.plan()["one"] == "run"


def test_a_kill_in_between_leaves_nothing_open(made: Made) -> None:
    made.run()
    (journal,) = [
        path for path in (made.root / ".pinyon/journals").iterdir() if b'"outputs"' in path.read_bytes()
    ]
    lines = journal.read_bytes().splitlines(keepends=True)
    seconds = [number for number, line in enumerate(lines) if b'"kind":"intent"' in line]
    for end in (seconds[0], seconds[0] - 1, seconds[1]):
        journal.write_bytes(b"".join(lines[:end]))
        made.remove(".pinyon/cache")
        (journal.parent.parent / "cache").mkdir()
        assert made.plan() == all_of("unchanged")
        assert made.run() == []
        assert "repair" not in made.told
        for path in journal.parent.iterdir():
            if path != journal:
                path.unlink()


def test_once_adopted_the_lock_is_not_read_again(made: Made) -> None:
    made.run()
    made.write({"dvc.lock": b"broken: ["})
    assert made.run() == []
    assert "nothing to do" in made.told


def test_adopted_outs_survive_everything_but_gc(made: Made) -> None:
    made.run()
    made.remove("d", "c", "m.json", "dvc.lock")
    assert made.run() == []
    assert (made.root / "c").read_bytes() == b"A\nA\n"


def test_a_project_without_a_lock_loads_nothing_of_dvcs(made: Made) -> None:
    script = (
        "import sys; from pathlib import Path; from pinyon import pipeline; from pinyon.model.project import Goal\n"
        "pipeline.plan(Path('.'), Goal()); print([name for name in sys.modules if 'bridges' in name])"
    )

    def loaded() -> str:
        done = subprocess.run(
            [sys.executable, "-c", script], cwd=made.root, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    assert "pinyon.bridges.dvc.adopt" in loaded()
    made.remove("dvc.lock", ".pinyon")
    assert loaded() == "[]"


def test_names_and_places_in_other_directories() -> None:
    stage = Stage(
        "sub/dvc.yaml:train", Command("shell", ("x",)), "sub/w", (), (), (), origin=Origin("sub/dvc.yaml", 3)
    )
    assert (lock_file(stage), name_in_lock(stage)) == ("sub/dvc.lock", "train")
    assert [from_wdir(stage, path) for path in ("sub/w/a", "a", "../a", "/a")] == [
        "a",
        "../../a",
        "../../../a",
        "/a",
    ]
    assert lock_file(stage._replace(origin=Origin("pinyon.yaml"))) is None
    top = stage._replace(name="train", origin=Origin("dvc.yaml"), wdir=".")
    assert (lock_file(top), name_in_lock(top), from_wdir(top, "a/b")) == ("dvc.lock", "train", "a/b")
