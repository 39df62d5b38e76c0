"""Files as git has them at a revision, whatever they are called and hold."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from pinyon.capture import revision

CONTENT = {
    "plain.txt": b"text\n",
    "sub/dir/näme with space.json": b'{"a": 1}\n',
    "empty": b"",
    "binary": bytes(range(256)) * 40,
    'quo"te': b"missing",
    "no newline": b"x",
}


def git(root: Path, *words: str) -> None:
    who = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *who, *words], cwd=root, check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = tmp_path / "top" / "project"
    for name, data in CONTENT.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    (root.parent / "above").write_text("not ours")
    (root / "link").symlink_to("plain.txt")
    git(root.parent, "init", "-q", "-b", "main")
    git(root.parent, "add", "-A")
    git(root.parent, "commit", "-qm", "one")
    git(root.parent, "tag", "v1")
    return root


def test_files_below_the_project_come_out_as_they_went_in(repository: Path, tmp_path: Path) -> None:
    commit = revision.commit_of(repository, "HEAD")
    assert commit is not None
    files = revision.files_of(repository, commit)
    assert {name: file.size for name, file in files.items()} == {
        name: len(data) for name, data in CONTENT.items()
    }
    (repository / "plain.txt").write_text("edited since")
    revision.extract(repository, files, tmp_path / "out")
    found = {
        p.relative_to(tmp_path / "out").as_posix(): p for p in (tmp_path / "out").rglob("*") if p.is_file()
    }
    assert {name: path.read_bytes() for name, path in found.items()} == CONTENT


def test_nothing_asked_is_nothing_written(repository: Path, tmp_path: Path) -> None:
    revision.extract(repository, {}, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_blob_that_is_not_here_counts_as_absent(repository: Path, tmp_path: Path) -> None:
    revision.extract(repository, {"gone": revision.Tracked("1" * 40, 3)}, tmp_path / "out")
    assert not (tmp_path / "out" / "gone").exists()


@pytest.mark.parametrize("name", ["nope", "--help", "-q", "", "HEAD~9", "HEAD:plain.txt"])
def test_what_is_no_commit_is_none(repository: Path, name: str) -> None:
    assert revision.commit_of(repository, name) is None


def test_branches_tags_and_ignored_paths(repository: Path, tmp_path: Path) -> None:
    assert revision.names(repository) == ["HEAD", "main", "v1"]
    (repository / ".gitignore").write_text("/kept\n")
    assert revision.is_ignored(repository, "kept/x")
    assert not revision.is_ignored(repository, "plain.txt")
    assert revision.complaint(repository) == ""


def test_outside_a_repository_and_without_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    outside = tmp_path / "outside"
    outside.mkdir()
    assert revision.commit_of(outside, "HEAD") is None
    assert revision.names(outside) == []
    assert "not a git repository" in revision.complaint(outside)
    monkeypatch.setenv("PATH", str(outside))
    assert revision.commit_of(outside, "HEAD") is None
    assert revision.complaint(outside) == "no git"
