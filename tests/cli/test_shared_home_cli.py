"""Two projects with one home store: each has its own history, and neither makes what the other has made."""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

from pinyon.store.authors import author_of
from pinyon.store.local import LocalStore, set_home


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def two(make: Any, home: Path) -> tuple[Any, Any]:
    """Two projects with the same stages; one says where the home is by an absolute path, the other by a relative one."""
    ant, bee = make("ant"), make("bee")
    set_home(ant.root, str(home), "ant")
    set_home(bee.root, "../home", "bee")
    return ant, bee


def slow_down(project: Any) -> None:
    """Let prepare take $NAP seconds."""
    slow = project.read("pinyon.yaml").replace("echo prepare >> $RAN;", "echo prepare >> $RAN; sleep 0$NAP;")
    project.fill({"pinyon.yaml": slow})


def test_the_second_project_takes_what_the_first_has_made(two, home):
    ant, bee = two
    assert sorted(ant.stages()) == ["prepare", "report", "side", "train"]
    plan = bee.plan()
    assert {verdict for verdict, _ in plan.values()} == {"reuse"}
    assert bee.stages() == []
    for name in ("clean.txt", "model.txt", "metrics.json", "report.txt", "side.txt"):
        assert bee.read(name) == ant.read(name)
    # The history lies in the home and nowhere else; what belongs to the directory lies in the directory.
    assert set(os.listdir(home)) == {"blobs", "format.json", "journals", "logs", "refs", "tmp", ".gitignore"}
    for project in two:
        assert not {"journals", "blobs", "refs", "format.json"} & set(os.listdir(project.root / ".pinyon"))
    assert "nothing to do" in bee.good("run").out
    assert bee.good("verify", "--json").json()["damage"] == []


def test_isolated_takes_it_too(two):
    ant, bee = two
    ant.stages()
    assert bee.stages("--isolated") == []
    assert bee.stages("-S", "train.lr=0.5") == []
    assert bee.stages("-S", "train.lr=2", "train") == ["train"]
    assert ant.stages("-S", "train.lr=2", "train") == []


def test_each_sees_its_own_history(two):
    ant, bee = two
    ant.stages()
    bee.write(params_yaml="train: {lr: 0.125}\n")
    assert bee.stages() == ["train", "report"]
    assert {row["project"] for row in ant.good("runs", "--json").json()} == {"ant"}
    assert [row["stage"] for row in bee.good("runs", "--json").json()] == ["train", "report"]
    assert len(bee.good("runs", "--json", "--project", "all").json()) == 6
    assert len(bee.good("runs", "--json", "--project", "ant").json()) == 4
    ran = ant.good("status", "--json").json()["last"]["counts"]
    assert ran == {"succeeded": 4}
    # The reason compares with what this project did last, not with somebody else's newest run.
    ant.write(params_yaml="train: {lr: 3}\n")
    assert ant.to_run()["train"] == "parameter params.yaml:train.lr: 0.5 → 3"


def test_bytes_that_were_not_kept_cannot_be_taken(two):
    ant, bee = two
    stage = {
        "stages": {
            "loose": {
                "cmd": "echo loose >> $RAN; cp raw.txt l",
                "deps": ["raw.txt"],
                "outs": [{"l": {"cache": False}}],
            }
        }
    }
    for project in two:
        project.fill({"pinyon.yaml": json.dumps(stage)})
    assert ant.stages() == ["loose"]
    assert bee.stages() == ["loose"]
    for project in two:
        assert project.stages() == []
        (project.root / "l").unlink()
        assert project.stages() == ["loose"]


def test_the_short_cut_notices_the_other_project(two):
    ant, bee = two
    ant.stages()
    bee.stages()
    ant.wait_for(lambda: (ant.good("run"), list((ant.root / ".pinyon/cache").glob("noop-*")))[1])
    (noop,) = (ant.root / ".pinyon/cache").glob("noop-*")
    before = noop.read_bytes()
    assert ant.good("run").out.startswith("nothing to do")
    assert noop.read_bytes() == before
    bee.write(params_yaml="train: {lr: 0.125}\n")
    bee.stages()
    assert ant.good("run").out.startswith("nothing to do")
    ant.wait_for(lambda: (ant.good("run"), noop.read_bytes() != before)[1])


def test_a_dead_run_of_the_other_project_is_left_to_it(two):
    ant, bee = two
    for project in two:
        slow_down(project)
    ant.stages()
    ant.write(raw_txt="new\n")
    bee.write(raw_txt="new\n")
    driver = ant.start_with({"NAP": "60"}, "run", "prepare")
    ant.wait_for(lambda: len(ant.all_ran()) == 5)
    driver.send_signal(signal.SIGKILL)
    ant.kill_all()
    aside = list((ant.root / ".pinyon/aside").iterdir())
    assert aside
    # The other project makes the key itself, and does not touch what is not its own.
    assert bee.stages("prepare") == ["prepare"]
    assert list((ant.root / ".pinyon/aside").iterdir()) == aside
    assert (bee.root / "clean.txt").read_text() == "NEW\n"
    assert ant.stages("prepare") == []
    assert ant.read("clean.txt") == "NEW\n"
    assert list((ant.root / ".pinyon/aside").glob("*/*")) == []


def test_a_running_stage_of_the_other_project_is_waited_for(two):
    ant, bee = two
    for project in two:
        slow_down(project)
    driver = ant.start_with({"NAP": "2"}, "run", "prepare")
    ant.wait_for(lambda: ant.all_ran() == ["prepare"])
    assert bee.stages("prepare") == []
    assert bee.read("clean.txt") == "RAW\n"
    assert driver.wait(30) == 0


def test_a_home_that_is_gone_is_an_error_and_nothing_is_guessed(two, home):
    ant, _ = two
    ant.stages()
    shutil.move(home, home.with_name("elsewhere"))
    home.mkdir()  # as the empty mount point of a disk that is not there
    before = ant.snapshot()
    for verb in ("run", "plan", "status", "runs", "verify"):
        ended = ant(verb)
        assert ended.code == 5, ended
        assert "cannot be reached" in ended.err
        assert str(home) in ended.err
    assert ant.snapshot() == before
    assert list(home.iterdir()) == []


@pytest.mark.parametrize("text", ["", "\n", "a\nb\n", "\xff"])
def test_a_file_that_names_no_home(project, text):
    (project.root / ".pinyon").mkdir()
    (project.root / ".pinyon/home").write_bytes(text.encode("latin-1"))
    before = project.snapshot()
    for verb in ("run", "status"):
        ended = project(verb)
        assert (ended.code, "where the home store lies" in ended.err) == (5, True), ended
    assert project.snapshot() == before


def test_a_project_may_move_to_a_home_that_holds_its_history(finished, home):
    shutil.copytree(finished.root / ".pinyon", home)
    shutil.rmtree(finished.root / ".pinyon")
    store = set_home(finished.root, str(home), "project")
    assert isinstance(store, LocalStore)
    assert finished.stages() == []
    assert len(finished.good("runs", "--json").json()) == 4


def test_every_record_says_whose_doing_it_is(two, home):
    ant, bee = two
    ant.env |= {"USER": "ana", "CI": "", "PINYON_ACTOR": ""}
    bee.env |= {"PINYON_ACTOR": "agent:jay"}
    ant.stages()
    bee.stages("-S", "train.lr=2", "train")
    journals = LocalStore(home).journals
    authors = {author_of(journals, segment) for segment in journals.segments()}
    assert authors == {(("person", "ana"), "ant"), (("agent", "jay"), "bee")}
    for project, actor in ((ant, {"kind": "person", "name": "ana"}), (bee, {"kind": "agent", "name": "jay"})):
        assert [row["actor"] for row in project.good("runs", "--json").json()].count(actor) >= 1
        assert project.good("status", "--json").json()["last"]["actor"] == actor
        assert project.good("show", "train", "--json").json()["actor"] == actor
    # To those who read it, it says so where it was somebody else's doing.
    assert "by ana" not in ant.good("status").out
    ant.env["PINYON_ACTOR"] = bee.env["PINYON_ACTOR"] = "person:leo"
    assert "by ana" in ant.good("status").out
    assert "by        agent:jay" in bee.good("show", "train").out
    claims = [
        version
        for name in LocalStore(home).refs.names("claims/")
        for version in LocalStore(home).refs.history(name)
    ]
    assert {claim.actor for claim in claims} == {"person:ana", "agent:jay"}
