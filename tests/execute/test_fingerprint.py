"""The short cut believes only what cannot have changed since it was looked at."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from pinyon.execute.fingerprint import Facts, check, record

SUMMARY = {"counts": {}, "tasks": []}


@pytest.fixture
def known(tmp_path: Path) -> Path:
    """A project whose files have come to rest."""
    for name in ("dep", "folder/inside"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("1")
    time.sleep(0.1)
    return tmp_path


def remember(root: Path, since: int) -> bool:
    there = [str(root / "dep"), str(root / "folder")]
    return record(str(root / "cache"), "run", str(root), Facts(since, there, [str(root / "absent")]), SUMMARY)


def recall(root: Path, question: str = "run") -> object:
    return check(str(root / "cache"), question, str(root))


def test_what_stays_as_it_was_is_remembered(known: Path) -> None:
    assert remember(known, time.time_ns())
    assert recall(known) == SUMMARY
    assert recall(known, "another question") is None


@pytest.mark.parametrize("name", ["dep", "folder/inside", "folder/new", "absent"])
def test_whatever_moves_is_noticed(known: Path, name: str) -> None:
    assert remember(known, time.time_ns())
    (known / name).write_text("22")
    assert recall(known) is None


@pytest.mark.parametrize("name", ["dep", "folder/inside", "folder/new", "absent"])
def test_an_edit_while_it_was_decided_is_not_taken_for_what_was_decided_by(known: Path, name: str) -> None:
    since = time.time_ns()
    (known / name).write_text("22")
    time.sleep(0.1)  # long ago by the time it is recorded, and still later than the look
    assert not remember(known, since)
    assert recall(known) is None


def test_a_file_that_went_while_it_was_decided_is_noticed(known: Path) -> None:
    since = time.time_ns()
    os.unlink(known / "dep")
    assert not remember(known, since)
