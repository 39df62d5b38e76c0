"""Notes, tags and the logbook, through the command."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

TOPICS = ["decision", "data", "dependency", "analysis", "problem"]


def noted(project: Any) -> list[dict[str, object]]:
    return list(project.good("logbook", "--json").json()["notes"])


def test_a_note_stands_in_the_logbook_with_who_and_what(project: Any) -> None:
    project.good(
        "note",
        "window 50 from now on",
        "--topic",
        "decision",
        env={**project.env, "PINYON_ACTOR": "agent:finn"},
    )
    project.good("note", "plain")
    first, second = noted(project)
    assert (first["text"], first["topic"], first["who"]) == (
        "window 50 from now on",
        "decision",
        "agent:finn",
    )
    assert (second["text"], second["topic"], second["about"]) == ("plain", "", "")
    assert abs(float(str(second["ts"])) - time.time()) < 60
    page = project.good("logbook").out
    assert (
        page.index("## Decisions") < page.index("window 50") < page.index("## Notes") < page.index("> plain")
    )
    assert "agent:finn" in page
    assert project.good("verify", "--json").json()["damage"] == []


def test_what_a_note_can_be_about(project: Any) -> None:
    project.good("run", "train")
    run = project.good("runs", "--json").json()[-1]
    project.good("note", "a", "--about", run["run"][:8])
    project.good("note", "b", "--about", "train")
    project.good("note", "c", "--about", "raw.txt")
    inner = project.root / "sub"
    inner.mkdir()
    (inner / "x.txt").write_text("x")
    project.good("-C", str(inner), "note", "d", "--about", "x.txt")
    project.good("note", "e", "--about", run["attempt"])
    told = [one["about"] for one in noted(project)]
    assert told == [
        f"{run['run']} of train",
        "stage train",
        "path raw.txt",
        "path sub/x.txt",
        f"{run['run']} of train",
    ]
    assert [one["text"] for one in project.good("show", run["run"], "--json").json()["notes"]] == ["a", "e"]
    assert "note      20" in project.good("show", "train").out


def test_a_note_about_an_experiment_and_a_model(project: Any) -> None:
    text = project.read("pinyon.yaml")
    sweep = "experiments:\n  sweep:\n    stage: train\n    objective: {minimize: loss}\n    phases:\n"
    project.write(pinyon_yaml=f"{text}{sweep}      lr: {{grid: {{train.lr: [0.1, 0.2]}}}}\n")
    project.good("run", "sweep")
    project.good("model", "register", "lstm", "train", "--path", "model.txt", "--trust")
    project.good("model", "promote", "lstm", "staging", "--why", "first | one")
    project.good("note", "a", "--about", "sweep", "--topic", "analysis")
    project.good("note", "b", "--about", "lstm")
    assert [one["about"] for one in noted(project)] == ["experiment sweep", "model lstm"]
    book = project.good("logbook", "--json", "--topic", "analysis").json()
    (chosen,) = book["chosen"]
    assert (chosen["experiment"], chosen["phase"], chosen["objective"]) == ("sweep", "lr", "minimize loss")
    assert chosen["winner"] == "lr=0.1"
    (moved,) = book["moved"]
    assert (moved["model"], moved["what"], moved["why"]) == ("lstm", "staging: nothing → 1", "first | one")
    page = project.good("logbook").out
    assert "first \\| one" in page
    assert page.count("## ") == 3  # dependencies, analysis, and the note without a topic


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["x", "--about", "trian"], 3, "did you mean train?"),
        (["x", "--about", "r-0123"], 3, "no run"),
        (["x", "--about", "../outside.txt"], 3, "nothing here is called"),
        (["  \n "], 3, "there is nothing to note"),
        (["x", "--topic", "gossip"], 2, "gossip"),
    ],
)
def test_what_cannot_be_noted_changes_nothing(
    project: Any, arguments: list[str], code: int, words: str
) -> None:
    project.good("note", "there")
    (project.root.parent / "outside.txt").write_text("x")
    before = sorted(
        (path.name, path.stat().st_size) for path in (project.root / ".pinyon/journals").iterdir()
    )
    ended = project("note", *arguments)
    assert (ended.code, words in ended.err) == (code, True), ended
    assert (
        sorted((path.name, path.stat().st_size) for path in (project.root / ".pinyon/journals").iterdir())
        == before
    )


def test_a_note_of_several_lines_from_a_pipe_and_from_the_editor(project: Any, tmp_path: Path) -> None:
    project.good("note", "-", "--topic", "problem", input="first\n\nsecond <b>\n")
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\n(echo "by hand"; cat "$1") > "$1.new" && mv "$1.new" "$1"\n')
    editor.chmod(0o755)
    project.good("note", env={**project.env, "EDITOR": str(editor), "VISUAL": str(editor)})
    assert [one["text"] for one in noted(project)] == ["first\n\nsecond <b>", "by hand"]
    ended = project("note", env={**project.env, "EDITOR": "true", "VISUAL": "true"})
    assert (ended.code, "there is nothing to note" in ended.err) == (3, True)
    assert "second \\<b\\>" in project.good("logbook").out


def test_what_a_script_notes_is_there_too(project: Any) -> None:
    project.fill({"explore.py": "import pinyon\npinyon.run().note('falls at 0.3')\n"})
    project.good("run", "--", "python", "explore.py")
    (one,) = noted(project)
    assert (one["text"], str(one["about"]).endswith(" of @explore")) == ("falls at 0.3", True)
    assert one["who"]


def test_data_and_lock_files_are_told_of(project: Any) -> None:
    project.fill(
        {"wind.csv": "1\n", "uv.lock": "version = 1\n", "requirements.txt": "numpy\n", "notes.txt": ""}
    )
    project.good("add", "wind.csv", "--source", "https://x.org/wind", "--licence", "CC0", "--note", "50 | Hz")
    book = project.good("logbook", "--json").json()
    (data,) = book["data"]
    assert (data["path"], data["size"], data["source"], data["licence"], data["note"]) == (
        "wind.csv", 2, "https://x.org/wind", "CC0", "50 | Hz",
    )  # fmt: skip
    assert [lock["path"] for lock in book["locks"]] == ["requirements.txt", "uv.lock"]
    project.write(wind_csv="2\n")
    project.good("add", "wind.csv")
    versions = project.good("logbook", "--json").json()["data"]
    assert [one["path"] for one in versions] == ["wind.csv", "wind.csv"]
    assert [one["source"] for one in versions] == [
        "",
        "https://x.org/wind",
    ]  # the pointer is of the newer one
    page = project.good("logbook", "--topic", "data").out
    assert "50 \\| Hz" in page
    assert "uv.lock" not in page


def test_environments_are_told_of_where_they_changed(project: Any) -> None:
    packages = project.root / "env/lib/python3.11/site-packages"
    (project.root / "env/bin").mkdir(parents=True)
    (project.root / "env/bin/python").symlink_to(sys.executable)
    (project.root / "env/pyvenv.cfg").write_text(
        f"home = {Path(sys.base_prefix) / 'bin'}\ninclude-system-site-packages = false\n"
    )
    for found in (["numpy-1.26"], ["numpy-1.26"], ["numpy-2.3", "torch-2.9"]):
        shutil.rmtree(packages, ignore_errors=True)
        for one in found:
            (packages / f"{one}.dist-info").mkdir(parents=True)
        project.good("run", "--", "env/bin/python", "-c", "pass")
    text = [
        one["text"]
        for one in project.good("logbook", "--json", "--topic", "dependency").json()["environments"]
    ]
    assert len(text) == 2
    assert text[0].startswith("Python 3.11.")
    assert text[0].endswith("; packages: 1")
    assert text[1] == "numpy 1.26 → 2.3, torch absent → 2.9"
    assert "| numpy 1.26 → 2.3, torch absent → 2.9 | r-" in project.good("logbook").out


def test_the_page_goes_to_a_file_and_begins_when_asked(project: Any, tmp_path: Path) -> None:
    project.good("note", "old")
    page = tmp_path / "L.md"
    assert f"written to {page}" in project.good("logbook", "-o", str(page)).out
    assert page.read_text() == project.good("logbook").out
    assert project.good("logbook", "--since", "1h", "--json").json()["notes"][0]["text"] == "old"
    assert project.good("logbook", "--since", "2999-01-01", "--json").json()["notes"] == []
    assert "no date and no age" in project("logbook", "--since", "soon").err
    assert "# Logbook of" in project.good("logbook", "--topic", "problem").out


def test_tags_are_set_and_taken_away_after_the_fact(project: Any) -> None:
    project.good("run", "train")
    assert "good, by=anna" in project.good("tag", "train", "good", "by=anna").out
    assert project.good("tag", "train", "-good", "note=a=b", "--json").json()["tags"] == {
        "by": "anna",
        "note": "a=b",
    }
    assert project.good("tag", "train", "--json").json()["tags"] == {"by": "anna", "note": "a=b"}
    assert [row["stage"] for row in project.good("runs", "--where", "tag.by = anna", "--json").json()] == [
        "train"
    ]
    assert "tag       by = anna" in project.good("show", "train").out
    project.good("tag", "train", "group=late")
    assert [row["group"] for row in project.good("runs", "--group", "late", "--json").json()] == ["late"]
    assert project.good("verify", "--json").json()["damage"] == []


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["train", "-gold"], 3, "no tag 'gold'"),
        (["train", "=x"], 2, "needs a name"),
        (["tarin", "x"], 3, "tarin"),
        ([], 2, "RUN"),
    ],
)
def test_what_cannot_be_tagged_changes_nothing(
    project: Any, arguments: list[str], code: int, words: str
) -> None:
    project.good("run", "train")
    project.good("tag", "train", "good")
    before = project.good("tag", "train", "--json").json()
    ended = project("tag", *arguments)
    assert (ended.code, words in ended.err) == (code, True), ended
    assert project.good("tag", "train", "--json").json() == before


def test_a_tag_of_an_earlier_attempt_can_be_taken_away(project: Any) -> None:
    """A stage that is forced has two attempts; both are tagged, and none is left."""
    project.good("run", "train")
    project.good("tag", "train", "good")
    project.good("run", "-f", "-s", "train")
    assert project.good("show", "train", "--json").json()["attempts"] == 2
    project.good("tag", "train", "good=now")
    assert project.good("tag", "train", "--json").json()["tags"] == {"good": "now"}
    assert project.good("tag", "train", "-good", "--json").json()["tags"] == {}
    assert project.good("tag", "train", "--json").json()["tags"] == {}


def test_projects_that_share_a_home_have_logbooks_of_their_own(
    make: Callable[[str], Any], tmp_path: Path
) -> None:
    home = tmp_path / "home"
    both = [make("wind"), make("sun")]
    for one in both:
        one.fill({"d.csv": one.root.name})
        one.good("init", "--store", str(home))
        one.good("note", f"of {one.root.name}")
        one.good("add", "d.csv")
    for one in both:
        book = one.good("logbook", "--json").json()
        assert [note["text"] for note in book["notes"]] == [f"of {one.root.name}"]
        assert len(book["data"]) == 1
        assert book["project"] == one.root.name


def test_topics_are_those_of_the_page(project: Any) -> None:
    for topic in TOPICS:
        project.good("note", topic, "--topic", topic)
    page = project.good("logbook").out
    order = [page.index(f"> {topic}") for topic in ("data", "dependency", "decision", "analysis", "problem")]
    assert order == sorted(order)
