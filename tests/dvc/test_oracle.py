"""Hundreds of projects, read by DVC and by us: the same stages, or both refuse."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from compare import ask, difference, ours, plain, runs_without, write
from projects import FAULTS, FEATURES, Case, cases

LEAST = 20


@pytest.fixture(scope="module")
def drawn() -> list[Case]:
    return list(cases(seed=8, valid=190, of_each_fault=LEAST))


@pytest.fixture(scope="module")
def answers(drawn: list[Case], dvc_python: str, dvc_env: dict[str, str]) -> list[dict[str, Any]]:
    return ask(dvc_python, dvc_env, [case.files for case in drawn])


def test_every_project_is_read_as_dvc_reads_it(
    drawn: list[Case], answers: list[dict[str, Any]], tmp_path: Path
) -> None:
    wrong = []
    for number, (case, answer) in enumerate(zip(drawn, answers, strict=True)):
        theirs, mine = plain(answer), plain(ours(write(tmp_path / str(number), case.files)))
        same = "refused" in mine if "refused" in theirs else mine == theirs
        if not same:
            files = "".join(f"--- {name}\n{text}" for name, text in case.files.items())
            wrong.append((case.rules[-1], f"{difference(theirs, mine)}\n{files}"))
    shown = "\n\n".join(text for _, text in wrong[:3])
    assert not wrong, f"{len(wrong)} of {len(drawn)} differ: {Counter(rule for rule, _ in wrong)}\n{shown}"


def test_every_fault_is_one_and_nothing_else_is(drawn: list[Case], answers: list[dict[str, Any]]) -> None:
    for case, theirs in zip(drawn, answers, strict=True):
        faulty = "refused" in theirs or bool(runs_without(theirs))
        assert faulty is case.faulty, (case.rules, theirs, case.files)


def test_every_rule_occurs_often_enough(drawn: list[Case]) -> None:
    table = Counter(rule for case in drawn for rule in case.rules)
    lines = "\n".join(f"{count:6} {rule}" for rule, count in table.most_common())
    sys.stdout.write(f"\n{len(drawn)} projects\n{lines}\n")
    assert len(drawn) >= 500
    assert {make.__name__ for make in (*FEATURES, *FAULTS)} == table.keys()
    assert min(table.values()) >= LEAST, table
