"""The code of a run is exactly what lay there, and comes back so; the user's repository is only read."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from captures import Place

from pinyon.capture import code
from pinyon.capture.facts import status
from pinyon.errors import ExecuteError
from pinyon.execute.unbundle import unbundle


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "project")


def dirty(place: Place) -> None:
    """Changed, staged, new, renamed, removed; ignored, too."""
    place.write(
        {"a.py": "a = 1\n", "gone.py": "", "moved.py": "m = 1\n" * 9, "run.sh": "true\n", "staged.py": "s\n"}
    )
    place.commit()
    place.write({"a.py": "a = 2\n", "new/deep.py": "n = 1\n", "ignored": "i", "staged.py": "s = 2\n"})
    place.git("add", "staged.py")
    place.write({"staged.py": "s = 3\n"})
    (place.root / "gone.py").unlink()
    place.git("mv", "moved.py", "renamed.py")
    (place.root / "run.sh").chmod(0o755)


def fingerprint(folder: Path) -> str:
    """Names and bytes of all files. (Git itself renews the time stamp of an object that it would have written again.)"""
    found = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        found.update(str(path).encode() + (path.read_bytes() if path.is_file() else b""))
    return found.hexdigest()


def true_tree(place: Place, folder: Path) -> str:
    """What git itself would commit, found in a copy."""
    shutil.copytree(place.root, folder, ignore=shutil.ignore_patterns(".pinyon"))
    copy = Place.__new__(Place)
    copy.root, copy.env = folder, {**place.env, "GIT_CEILING_DIRECTORIES": str(folder.parent)}
    copy.git("add", "-A")
    return copy.git("write-tree")


def test_of_clean_code_the_tree_is_the_commits(place: Place) -> None:
    found = place.run()["code"]
    assert found == {
        "commit": place.git("rev-parse", "HEAD"), "tree": place.git("rev-parse", "HEAD^{tree}"), "dirty": False
    }  # fmt: skip


def test_of_dirty_code_the_tree_is_what_git_would_commit(place: Place, tmp_path: Path) -> None:
    dirty(place)
    before, truth = fingerprint(place.root / ".git"), true_tree(place, tmp_path / "copy")
    found = place.run()["code"]
    assert fingerprint(place.root / ".git") == before, "the user's index and objects are only read"
    assert found["tree"] == truth
    assert (found["dirty"], found["whole"]) == (True, True)


def test_it_comes_back_though_the_repository_is_gone(place: Place, tmp_path: Path) -> None:
    dirty(place)
    files = place.files()
    run = place.run()
    assert run["code"]["files"] == len(files)
    place.write({"a.py": "later\n"})
    shutil.rmtree(place.root / ".git")
    assert place.call("gc").returncode == 0
    told = place.json("bundle", "make", "-o", str(tmp_path / "out"))
    assert place.files(tmp_path / "out") == files
    assert (told["files"], told["left_out"]) == (len(files), [])
    assert os.access(tmp_path / "out/run.sh", os.X_OK)
    assert not os.access(tmp_path / "out/a.py", os.X_OK)
    assert b"==" in (tmp_path / "out/.pinyon-environment/packages.txt").read_bytes()


def test_clean_code_comes_out_of_the_commit(place: Place, tmp_path: Path) -> None:
    place.write({"run.sh": "true\n"})
    (place.root / "run.sh").chmod(0o755)
    place.commit()
    files = place.files()
    place.run()
    place.write({"make.py": "later\n"})
    place.commit()
    assert place.call("bundle", "make", "-o", str(tmp_path / "out")).returncode == 0
    assert place.files(tmp_path / "out") == files
    assert os.access(tmp_path / "out/run.sh", os.X_OK)


def test_a_commit_that_is_gone_is_named(place: Place, tmp_path: Path) -> None:
    commit = place.run()["code"]["commit"]
    shutil.rmtree(place.root / ".git")
    done = place.call("bundle", "make", "-o", str(tmp_path / "out"))
    assert done.returncode == 4
    assert commit[:10] in done.stderr
    assert not (tmp_path / "out").exists()


def test_nothing_is_written_over(place: Place, tmp_path: Path) -> None:
    place.run()
    (tmp_path / "out").mkdir()
    (tmp_path / "out/mine").write_text("mine")
    done = place.call("bundle", "make", "-o", str(tmp_path / "out"))
    assert done.returncode == 4
    assert "empty directory" in done.stderr
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine"]


def test_secrets_and_large_files_are_left_out_and_named(place: Place, tmp_path: Path) -> None:
    token = "ghp_16C7e42F292c6912E7710c838347Ae178B4a"
    place.write({"tracked.py": f"t = '{token}'\n"})
    place.commit()
    large = b"\0" * 10_000_001
    place.write(
        {
            ".env": "X=1\n",
            "k.pem": "x",
            "new.py": f"t = '{token}'\n",
            "data.bin": large,
            "fine.py": "",
            f"{token}.py": "",
        }
    )
    found = place.run()["code"]
    assert sorted(found["left_out"]) == [
        ["***.py", "secret in its name", 0], [".env", "secret file", 4], ["data.bin", "large", len(large)],
        ["k.pem", "secret file", 1], ["new.py", "secret", 47],
    ]  # fmt: skip
    assert found["in_commit"] == ["tracked.py"]
    place.json("bundle", "make", "-o", str(tmp_path / "out"))
    there = place.files(tmp_path / "out")
    assert set(there) == {".gitignore", "fine.py", "make.py", "pinyon.yaml", "tracked.py"}
    assert "left out" in place.call("show", "make").stdout


def test_what_a_stage_makes_is_no_code(place: Place) -> None:
    place.write({".gitignore": ""})
    place.commit()
    assert place.run()["code"]["dirty"] is False
    assert place.run("-f")["code"]["dirty"] is False
    assert "?? made.txt" in place.git("status", "--porcelain", "--", "made.txt")


def test_without_git_what_looks_like_code_is_kept(tmp_path: Path) -> None:
    place = Place(tmp_path / "project", git=False)
    place.write({"lib/a.py": "a\n", "data.csv": "1\n", ".venv/x.py": "", "Makefile": "all:\n", ".env": "X=1"})
    for number in range(2_001):
        place.write({f"many/{number}.json": "{}"})
    found = place.run()["code"]
    assert (found["commit"], found["dirty"]) == (None, None)
    assert place.call("bundle", "make", "-o", str(tmp_path / "out")).returncode == 0
    assert set(place.files(tmp_path / "out")) == {"Makefile", "lib/a.py", "make.py", "pinyon.yaml"}


def test_a_project_inside_a_repository(tmp_path: Path) -> None:
    outer = Place(tmp_path / "repo")
    place = Place(outer.root / "inner/project", git=False)
    place.env["GIT_CEILING_DIRECTORIES"] = str(tmp_path)
    outer.commit()
    assert place.run()["code"]["tree"] == outer.git("rev-parse", "HEAD^{tree}")
    place.write({"new.py": "1\n"})
    outer.write({"beside.py": "not ours\n"})
    found = place.run("-f")["code"]
    assert found["files"] == len(place.files())
    listed = outer.git("ls-files").splitlines()
    assert "inner/project/new.py" not in listed
    assert place.call("bundle", "make", "-o", str(tmp_path / "out")).returncode == 0
    assert place.files(tmp_path / "out") == place.files()


def test_an_isolated_run_comes_back_by_the_same_verb(place: Place, tmp_path: Path) -> None:
    place.write({"new.py": "n\n"})
    files = place.files()
    run = place.run("--isolated")
    assert run["code"]["pack"].startswith("blake3:")
    assert place.call("bundle", "make", "-o", str(tmp_path / "out")).returncode == 0
    assert place.files(tmp_path / "out") == files


def test_the_same_state_is_the_same_code_and_an_edit_another(place: Place) -> None:
    place.write({"new.py": "1\n"})
    first = place.run()["code"]
    assert place.run("-f")["code"] == first
    place.write({"new.py": "2\n"})
    second = place.run("-f")["code"]
    assert second["tree"] != first["tree"]
    assert second["pack"] != first["pack"]


def test_a_submodule_is_recorded_as_it_is(place: Place, tmp_path: Path) -> None:
    other = Place(tmp_path / "other")
    place.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(other.root), "lib")
    place.commit()
    place.write({"lib/new.py": "1\n", "a.py": "a\n"})
    found = place.run()["code"]
    listed = place.git("ls-tree", place.git("rev-parse", "HEAD"), "lib")
    assert listed.startswith("160000 commit")
    assert len(found["tree"]) == 40


def test_of_a_huge_project_only_what_differs_is_kept(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dirty(place)
    monkeypatch.setattr(code, "_WHOLE_FILES", 3)
    place.store.prepare("project")
    found = code.capture(code.Project(place.root, place.store.blobs, tmp_path / "cache"), status(place.root))
    assert found["whole"] is False
    assert found["deleted"] == ["gone.py", "moved.py"]
    unbundle(place.root, place.store.blobs, found, {}, tmp_path / "out")
    assert place.files(tmp_path / "out") == place.files()
    shutil.rmtree(place.root / ".git")
    with pytest.raises(ExecuteError, match="does not have commit"):
        unbundle(place.root, place.store.blobs, found, {}, tmp_path / "again")


def test_a_broken_repository_keeps_nothing_from_running(place: Place) -> None:
    place.write({"new.py": "1\n"})
    (place.root / ".git/index").write_bytes(b"broken")
    found = place.run()
    assert found["environment"].startswith("blake3:")
    assert found["code"].get("tree") is None


def test_a_call_with_nothing_to_do_captures_nothing(place: Place) -> None:
    place.run()
    assert place.call("run").returncode == 0
    assert len(place.captured()) == 1


def test_it_does_not_wait_for_a_lock_of_git(place: Place) -> None:
    place.write({"new.py": "1\n"})
    (place.root / ".git/index.lock").touch()
    assert len(place.run()["code"]["tree"]) == 40
    assert subprocess.run(["git", "-C", place.root, "fsck"], capture_output=True, check=False).returncode == 0
