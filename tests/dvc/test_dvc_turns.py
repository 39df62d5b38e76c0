"""DVC and Pinyon take turns at one project, and neither does again what the other has done."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from beside import FILES, OUTS, PIPELINE, Beside


@pytest.fixture(scope="module")
def finished(dvc_python: str, tmp_path_factory: pytest.TempPathFactory) -> Beside:
    """A project that DVC has finished; only to be copied."""
    top = tmp_path_factory.mktemp("turns")
    own = {
        name: str(top / name)
        for name in ("DVC_SITE_CACHE_DIR", "DVC_GLOBAL_CONFIG_DIR", "DVC_SYSTEM_CONFIG_DIR")
    }
    project = Beside(top / "finished", dvc_python, {**os.environ, "DVC_NO_ANALYTICS": "1", **own})
    project.root.mkdir()
    project.write(FILES)
    project.dvc("init", "--no-scm", "-q")
    project.dvc("repro", "-q")
    assert project.ran() == sorted(["prepare", "shout", "train", "evaluate", "count", "after"])
    return project


@pytest.fixture
def theirs(finished: Beside, request: pytest.FixtureRequest) -> Iterator[Beside]:
    project = finished.copy(re.sub(r"\W", "-", request.node.name))
    yield project
    project.ran()


def edit(name: str, old: str, new: str) -> Callable[[Beside], None]:
    def change(project: Beside) -> None:
        text = (project.root / name).read_text()
        assert old in text
        project.write({name: text.replace(old, new)})

    return change


def remove(*names: str) -> Callable[[Beside], None]:
    return lambda project: project.remove(*names)


EDITS = {
    "nothing": lambda project: None,
    "a source": edit("raw.txt", "raw", "changed"),
    "a source to no effect": edit("raw.txt", "raw", "RAW"),
    "a float": edit("params.yaml", "1.0e-5", "1.0e-4"),
    "a nested parameter": edit("params.yaml", "2.5", "2.25"),
    "an unused parameter": edit("params.yaml", "unused: 1", "unused: 2"),
    "a parameter beside another stage": edit("eval/params.yaml", "0.5", "0.75"),
    "a parameter in a command": edit("params.yaml", "é: x", "é: y"),
    "a command": edit("dvc.yaml", "head -c 3", "head -c 4"),
    "a new dep": edit("dvc.yaml", "deps: [count.txt]", "deps: [count.txt, other.txt]"),
    "an out edited": lambda project: project.write({"model.bin": "mine"}),
    "an out deleted": remove("loud.txt"),
    "a folder deleted": remove("data"),
    "a file in a folder edited": lambda project: project.write({"data/clean/text": "mine"}),
    "every out deleted": remove(*OUTS),
}


@pytest.fixture(scope="module")
def after_dvc(finished: Beside) -> dict[str, Beside]:
    """For each edit a project in which DVC has run what it had to."""
    projects = {}
    for number, (what, change) in enumerate(EDITS.items()):
        projects[what] = finished.copy(f"dvc-{number}")
        change(projects[what])
    finished.dvc_in_each(projects.values())
    return projects


@pytest.mark.parametrize("what", EDITS)
def test_the_same_stages_run_after_an_edit(
    finished: Beside, after_dvc: dict[str, Beside], what: str, tmp_path: Path
) -> None:
    expected = after_dvc[what].ran()
    edited_first, run_first = finished.copy(f"{tmp_path.name}-1"), finished.copy(f"{tmp_path.name}-2")
    run_first.pinyon("run")
    assert run_first.ran() == []
    for project in (edited_first, run_first):
        EDITS[what](project)
        project.pinyon("run")
        assert project.ran() == expected
        assert without_lock(project) == without_lock(after_dvc[what])


def without_lock(project: Beside) -> dict[str, bytes]:
    return {name: data for name, data in project.files().items() if name != "dvc.lock"}


def test_a_plan_says_what_a_run_does(theirs: Beside) -> None:
    assert verdicts(theirs) == {"unchanged"}
    theirs.remove(*OUTS)
    assert verdicts(theirs) == {"reuse"}
    assert not (theirs.root / ".pinyon/journals").exists()
    theirs.pinyon("run")
    assert theirs.ran() == []
    assert verdicts(theirs) == {"unchanged"}


def verdicts(project: Beside) -> set[str]:
    return {task["verdict"] for task in json.loads(project.pinyon("plan", "--json"))["tasks"]}


def test_what_was_adopted_is_said_and_shown(theirs: Beside) -> None:
    out = theirs.pinyon("run")
    assert "adopt     train  dvc.lock vouches for it" in out
    assert "adopt" not in theirs.pinyon("run")
    runs = json.loads(theirs.pinyon("runs", "--json"))
    assert {run["mode"] for run in runs} == {"adopted"}
    assert next(run for run in runs if run["stage"] == "train")["metrics"] == {"loss": 0.25}
    assert "adopted" in theirs.pinyon("runs")
    assert "adopted" in theirs.pinyon("show", "train")
    theirs.pinyon("verify")


def test_a_clone_gets_its_outs_from_dvcs_cache(theirs: Beside) -> None:
    before = theirs.files()
    theirs.remove(*OUTS)
    theirs.pinyon("run")
    assert theirs.ran() == []
    assert theirs.files() == before
    assert os.access(theirs.root / "model.bin", os.X_OK)
    theirs.remove(".dvc")  # the bytes are ours by now
    theirs.remove("model.bin")
    theirs.pinyon("run")
    assert theirs.ran() == []
    assert theirs.files() == before


def test_what_dvc_ran_on_another_branch_is_not_run_again(theirs: Beside) -> None:
    before = (theirs.root / "raw.txt").read_text()
    theirs.write({"raw.txt": "another\n"})
    theirs.dvc("repro", "-q")
    theirs.ran()
    theirs.write({"raw.txt": before})
    ours = theirs.copy(f"{theirs.root.name}-ours")
    theirs.dvc("repro", "-q")
    assert theirs.ran() == []
    assert "DVC's run cache has it" in ours.pinyon("run")
    assert ours.ran() == []
    assert ours.files().keys() == theirs.files().keys()
    assert ours.files()["model.bin"] == theirs.files()["model.bin"]


def test_dvc_takes_for_finished_what_we_finished(theirs: Beside) -> None:
    by_dvc = (theirs.root / "dvc.lock").read_text()
    theirs.remove("dvc.lock", *OUTS, ".dvc/cache")
    theirs.pinyon("run")
    assert len(theirs.ran()) == 6
    assert "6 would be updated" in theirs.pinyon("generate", "dvc-lock", "--dry-run")
    assert not (theirs.root / "dvc.lock").exists()
    told = json.loads(theirs.pinyon("generate", "dvc-lock", "--json"))
    assert [(one["file"], len(one["updated"])) for one in told] == [("dvc.lock", 6)]
    assert (theirs.root / "dvc.lock").read_text() == by_dvc
    assert "up to date" in theirs.dvc("status")
    theirs.dvc("repro", "-q")
    assert theirs.ran() == []


def test_only_what_ran_gets_a_new_entry(theirs: Beside) -> None:
    path = theirs.root / "dvc.lock"
    old = (
        path.read_text().replace("  count:\n", "  count: # mine\n").replace("1e-05", "1.0000000000000002e-05")
    )
    old = old.replace("  after:\n", "  gone:\n    cmd: gone\n  after:\n")
    path.write_text(old)
    theirs.write({"eval/params.yaml": "threshold: 0.75\n"})
    theirs.pinyon("run")
    assert theirs.ran() == ["evaluate"]
    theirs.pinyon("generate", "dvc-lock")
    new = path.read_text()
    assert new == old.replace("threshold: 0.5", "threshold: 0.75")
    assert "evaluate" not in theirs.dvc("status", "count", "evaluate")


def test_the_lock_follows_every_run_if_the_project_wants_it(theirs: Beside) -> None:
    theirs.write({"pinyon.yaml": "dvc: {lock: true}\n", "raw.txt": "changed\n"})
    theirs.pinyon("run")
    assert theirs.ran() == ["count", "evaluate", "prepare", "shout", "train"]
    assert "up to date" in theirs.dvc("status")
    theirs.write({"dvc.yaml": PIPELINE.replace("head -c 3", "exit 3;")})
    before = (theirs.root / "dvc.lock").read_bytes()
    theirs.pinyon("run", code=4)
    assert (theirs.root / "dvc.lock").read_bytes() == before


def test_line_ends_of_dvc_2(theirs: Beside) -> None:
    """An entry without ``hash`` is a digest of text with unix line ends, here and in DVC."""
    path = theirs.root / "dvc.lock"
    path.write_text(path.read_text().replace("      hash: md5\n", ""))
    for folder in (theirs.root / ".dvc/cache/files/md5").iterdir():
        folder.rename(theirs.root / ".dvc/cache" / folder.name)
    theirs.write({"raw.txt": b"raw\r\n"})
    ours = theirs.copy(f"{theirs.root.name}-ours")
    theirs.dvc("repro", "-q")
    assert theirs.ran() == []
    ours.pinyon("run")
    assert ours.ran() == []


def test_damaged_cache_files_are_not_believed(theirs: Beside) -> None:
    theirs.remove("eval/score.txt", "after.txt")
    for path in (theirs.root / ".dvc/cache/files").rglob("*"):
        if path.is_file():
            path.chmod(0o644)
            path.write_bytes(b"rotten" + path.read_bytes())
    theirs.pinyon("run")
    assert theirs.ran() == ["after", "evaluate"]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda text: text.replace("'2.0'", "'3.0'"), "dvc.lock:1: this dvc.lock has schema '3.0'"),
        (lambda text: text[: text.index("model:") + 4], "dvc.lock:"),
        (lambda text: text.replace("md5: ", "md5: a", 1), "is no md5"),
        (lambda text: text.replace("cmd: echo prepare", "kmd: echo prepare"), "unknown key 'kmd'"),
        (lambda text: "[]\n", "dvc.lock: "),
    ],
)
def test_a_lock_that_cannot_be_read_is_refused(
    theirs: Beside, change: Callable[[str], str], sentence: str
) -> None:
    path = theirs.root / "dvc.lock"
    path.write_text(change(path.read_text()))
    before = theirs.files()
    for verb in (["run"], ["plan"], ["generate", "dvc-lock"]):
        assert sentence in theirs.pinyon(*verb, code=2)
    assert theirs.files() == before
    assert not list(Path(theirs.root, ".pinyon").glob("journals/*"))
