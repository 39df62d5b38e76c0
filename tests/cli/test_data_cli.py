"""`add`, pointers, fetching and `gc` through the command."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from typing import Any

import pytest

SPEC = """\
stages:
  count:
    cmd: echo count >> $RAN; cat data/* one.bin | wc -c > n.txt
    deps: [data, one.bin]
    outs: [n.txt]
"""


def git(project: Any, *arguments: str) -> None:
    command = ["git", "-c", "user.name=t", "-c", "user.email=t@t", *arguments]
    subprocess.run(command, cwd=project.root, check=True, capture_output=True)


@pytest.fixture
def added(empty: Any) -> Any:
    """A folder and a file, added and committed; 1,003 bytes in all."""
    empty.fill({"pinyon.yaml": SPEC, "data/a": "a" * 500, "data/sub/b": "b" * 500, "one.bin": "abc"})
    empty.write(pinyon_yaml=SPEC.replace("data/*", "data/a data/sub/b"))
    git(empty, "init", "-q")
    empty.good("add", "data", "one.bin", "--licence", "CC0")
    git(empty, "add", ".")
    git(empty, "commit", "-qm", "data")
    return empty


def lose(project: Any) -> None:
    """As a fresh clone beside a copied store has it."""
    shutil.rmtree(project.root / "data", ignore_errors=True)
    (project.root / "one.bin").unlink(missing_ok=True)


def test_add_says_what_it_did_and_what_git_should_know(empty: Any) -> None:
    empty.fill({"pinyon.yaml": "stages: {}\n", "d/x": "abc"})
    git(empty, "init", "-q")
    out = empty.good("add", "-n", "d").out
    assert out == "would add d  1 files, 3 B\n"
    assert not (empty.root / "d.pinyon").exists()
    assert empty.good("add", "d").out == "added     d  1 files, 3 B\nfor git: git add d.pinyon .gitignore\n"
    assert empty.good("add", "d").out == "unchanged d  1 files, 3 B\n"
    (row,) = empty.good("add", "d", "--json").json()
    assert (row["path"], row["files"], row["size"], row["changed"]) == ("d", 1, 3, False)


@pytest.fixture
def settled(added: Any) -> Any:
    """The data was there for a while when it was added."""
    then = time.time_ns() - 10_000_000_000
    for name in ("data/a", "data/sub/b", "one.bin"):
        os.utime(added.root / name, ns=(then, then))
    added.good("add", "data", "one.bin")
    return added


UNCHANGED = "unchanged data  2 files, 1.0 kB\nunchanged one.bin  3 B\n"


def test_add_of_what_is_as_it_was_needs_no_command_line_parser(settled: Any) -> None:
    (settled.root / "click.py").write_text("raise SystemExit('it was imported')\n")
    settled.env["PYTHONPATH"] = os.pathsep.join([str(settled.root), *sys.path])
    before = settled.snapshot()
    assert settled.good("add", "data", "one.bin").out == UNCHANGED
    inside = settled.root / "data"
    assert settled.good("add", "../data", "sub/../../one.bin", "../data", cwd=inside).out == UNCHANGED
    assert settled.snapshot() == before
    assert settled("add", "data", "one.bin", "--json").code != 0


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ("echo abd > one.bin", "added     one.bin  4 B"),
        ("touch one.bin", "added     one.bin"),
        ("touch data/sub/b", "added     data"),
        ("mv data/a data/c", "added     data"),
        ("chmod +x data/a", "added     data"),
        ("touch data/new", "added     data  3 files"),
        ("rm data/a", "added     data  1 files"),
        ("mkdir data/__pycache__ data/empty && touch data/__pycache__/x", "unchanged data  2 files"),
        ("rm one.bin.pinyon", "added     one.bin"),
        ("cp one.bin.pinyon data.pinyon", "added     data"),
        (": > .gitignore", "added     data"),
        ("rm .pinyon/cache/stat.sqlite", "added     data"),
        ("echo damaged > .pinyon/cache/stat.sqlite", "added     data"),
        ("rm -r .pinyon/blobs", "added     data"),
        ("touch data.dvc", "data.dvc names this already"),
        ("rm -r data", "there is no such file"),
    ],
)
def test_the_short_cut_of_add_sees_what_has_changed(settled: Any, change: str, line: str) -> None:
    assert settled.good("add", "data", "one.bin").out == UNCHANGED
    subprocess.run(change, shell=True, cwd=settled.root, check=True)
    ended = settled("add", "data", "one.bin")
    assert line in ended.out + ended.err
    if ended.code == 0:
        lose(settled)
        settled.good("add", "--restore")
        assert settled.read("data/sub/b") == "b" * 500


def test_paths_are_seen_from_where_the_user_stands(empty: Any) -> None:
    empty.fill({"pinyon.yaml": "stages: {}\n", "a/b/x": "abc"})
    assert empty("add", "x", cwd=empty.root / "a/b").code == 0
    empty.good("-C", "a", "add", "b/../b/x")
    assert (empty.root / "a/b/x.pinyon").exists()
    ended = empty("add", "../x", cwd=empty.root)
    assert (ended.code, "outside the project" in ended.err) == (3, True)


def test_a_run_fetches_what_is_absent(added: Any) -> None:
    lose(added)
    before = added.snapshot()
    plan = added.good("plan").out.splitlines()
    assert plan[:2] == ["fetch     data  1.0 kB", "fetch     one.bin  3 B"]
    assert [row["path"] for row in added.good("plan", "--json").json()["fetches"]] == ["data", "one.bin"]
    assert added.snapshot() == before
    out = added.good("run").out
    assert "fetch     data\n" in out
    assert added.read("n.txt").strip() == "1003"
    assert added.good("plan", "--json").json()["fetches"] == []
    assert added.to_run() == {}
    lose(added)
    assert added.to_run() == {}, "what would be fetched is what ran before"
    assert added.stages() == []
    assert added.read("data/sub/b") == "b" * 500


def test_an_isolated_run_fetches_too(added: Any) -> None:
    lose(added)
    assert added.stages("--isolated") == ["count"]
    assert not (added.root / "n.txt").exists()
    assert added.read("one.bin") == "abc"


def test_edited_data_counts_and_is_told(added: Any) -> None:
    added.good("run")
    (added.root / "one.bin").write_text("abcd")
    assert added.stages() == ["count"]
    assert added.read("n.txt").strip() == "1004"
    assert "data one.bin differs from its pointer; pinyon add one.bin" in added.good("status").out
    assert added.good("status", "--json").json()["data"] == [{"path": "one.bin", "state": "changed"}]
    found = added.good("doctor", "--json").json()
    assert any("one.bin differs" in row["what"] and "pinyon add one.bin" in row["fix"] for row in found)
    added.good("add", "one.bin")
    assert "licence: CC0" in added.read("one.bin.pinyon")
    assert added.good("status", "--json").json()["data"] == []


def test_restore_puts_data_without_running(added: Any) -> None:
    lose(added)
    assert added.good("add", "--restore", "-n").out == "would put data  1.0 kB\nwould put one.bin  3 B\n"
    assert not (added.root / "data").exists()
    added.good("add", "--restore", "one.bin")
    assert not (added.root / "data").exists()
    assert added.good("add", "--restore").out == "put       data  1.0 kB\nthere     one.bin  3 B\n"
    (added.root / "one.bin").write_text("edited")
    assert "left      one.bin" in added.good("add", "--restore").out
    rows = added.good("add", "--restore", "one.bin", "--json").json()
    assert [(row["path"], row["was"]) for row in rows] == [("one.bin", "changed")]
    assert added.read("one.bin") == "abc"


def test_bytes_that_nobody_has_refuse_to_run_and_change_nothing(added: Any) -> None:
    lose(added)
    shutil.rmtree(added.root / ".pinyon/blobs")
    before = added.snapshot()
    for verb in ("plan", "run"):
        ended = added(verb)
        assert ended.code == 3
        assert "data is not here, and the store does not have its bytes" in ended.err
    assert added.snapshot() == before


@pytest.mark.parametrize("out", ["one.bin", "data/a", "."])
def test_a_stage_must_not_make_what_a_pointer_names(added: Any, out: str) -> None:
    added.write(pinyon_yaml=f"stages: {{s: {{cmd: 'true', outs: [{out}]}}}}\n")
    ended = added("plan")
    assert ended.code == 3
    if out != ".":
        assert "names it too" in ended.err


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("v: 2\ndigest: x\nsize: 1\n", "one.bin.pinyon:1: v is 2"),
        ("v: 1\nsize: 1\n", "has no digest"),
        ("v: 1\ndigest: md5:abc\nsize: 1\n", "one.bin.pinyon:2: digest must be blake3"),
        ("v: 1\ndigest: blake3:" + "0" * 64 + "\nsize: -1\n", "size must be a whole number"),
        (
            "v: 1\ndigest: blake3:" + "0" * 64 + "\nsize: 1\nsizes: 1\n",
            "one.bin.pinyon:4: unknown key 'sizes'",
        ),
        ("v: 1\ndigest: blake3:" + "0" * 64 + "\nsize: 1\npath: ../x\n", "path must be the name"),
        ("<<<<<<< HEAD\n", "one.bin.pinyon"),
        ("", "must be a mapping"),
    ],
)
def test_a_broken_pointer_is_told_with_its_line(added: Any, text: str, words: str) -> None:
    (added.root / "one.bin.pinyon").write_text(text)
    ended = added("plan")
    assert ended.code == 2
    assert words in ended.err
    assert added("doctor").code == 5


def age(project: Any, days: float) -> None:
    """Let time go by: the store's files and marks become older. Records keep their time, so they are written older."""
    then = time.time() - days * 86_400
    for folder in ("blobs", "packs", "condemned", "tmp"):
        for path in (project.root / ".pinyon" / folder).rglob("*"):
            os.utime(path, (then, then))


def test_gc_condemns_and_spares(added: Any) -> None:
    added.good("run")
    (added.root / "one.bin").write_text("second version")
    added.good("add", "one.bin")
    added.good("run")
    assert added.good("gc", "--json").json()["condemned"] == {}, (
        "the first version is in git, and was an input of a run"
    )
    git(added, "commit", "-qam", "second")
    before = added.snapshot()
    told = added.good("gc", "--dry-run", "--json").json()
    assert [sum(told[key].values()) for key in ("condemned", "waiting", "deleted")] == [3, 0, 0]
    assert added.snapshot() == before
    assert "would be condemned" in added.good("gc", "-n").out
    assert added.good("gc", "-n", "--all-commits", "--json").json()["condemned"] == {}
    added.good("gc")
    age(added, 3)
    told = added.good("gc", "--json").json()
    assert (len(told["waiting"]), told["deleted"]) == (1, {}), "the record of the mark is not a day old"
    git(added, "branch", "old", "HEAD~1")
    assert len(added.good("gc", "--json").json()["spared"]) == 1
    assert added.good("verify").code == 0


def test_gc_gives_up_only_what_a_rule_says(project: Any) -> None:
    for number in range(4):
        project.fill({"params.yaml": f"train: {{lr: {number}}}\n"})
        project.good("run")
    assert project.good("gc", "-n", "--json").json()["condemned"] == {}
    sizes = [
        len(project.good("gc", "-n", "--json", *rule).json()["condemned"])
        for rule in (["--keep-last", "1"], ["--keep-last", "3"], ["--keep-last", "9"], ["--older-than", "1h"])
    ]
    assert sizes[0] > sizes[1] > 0 == sizes[2] == sizes[3]
    project.good("gc", "--keep-last", "1")
    assert project.stages() == [], "the newest answer is there"
    (project.root / "model.txt").unlink()
    assert project.stages() == [], "and its bytes are"
    assert project("gc", "--older-than", "soon").code == 2


def test_gc_removes_rubbish_and_nothing_that_is_used(project: Any) -> None:
    project.good("run", "--isolated")
    store = project.root / ".pinyon"
    for name in ("999999999-old", "1-mine", "x-new"):
        (store / "tmp" / name).write_text("half")
    age(project, 2)
    os.utime(store / "tmp/x-new")
    (store / "aside/a-unknown").mkdir(parents=True)
    told = project.good("gc", "--json").json()
    assert told["condemned"] == {}, "the code that ran is kept with its outputs"
    assert sorted((row["what"], row["path"].rpartition("/")[2]) for row in told["rubbish"]) == [
        ("tmp", "999999999-old"), ("work", "0")
    ]  # fmt: skip
    assert sorted(path.name for path in (store / "tmp").iterdir()) == ["1-mine", "x-new"]
    assert (store / "aside/a-unknown").exists()
    assert not list((store / "work").iterdir())
    assert project.good("run", "--isolated").out.startswith("nothing to do")
