"""`pinyon apply`: the winner of an experiment becomes the project: its parameters in your files, its outs in their places.

An experiment never touches your files; this does, when you say so.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pinyon import pipeline
from pinyon.errors import NoWinnerError
from pinyon.execute.beside import write_whole
from pinyon.model.experiment import Experiment, Pairs
from pinyon.model.project import Goal
from pinyon.model.study import StudyResult
from pinyon.plan import overlay
from pinyon.plan.interpolate import get_path
from pinyon.plan.phases import median
from pinyon.report.told import Tell
from pinyon.session.study import study_result
from pinyon.spec.edit import edit_params
from pinyon.spec.load import find_root, read_params


class Change(NamedTuple):
    """One parameter: its file, its dotted name, and its value before and after."""

    file: str
    name: str
    before: Any
    after: Any


class Applied(NamedTuple):
    """What was, or with ``--dry-run`` would be, changed.

    Attributes:
        assignment: what the winner sets, its seed included.
        words: of the assignment what stands in no parameter file but in commands; nobody edits those for you.
        restored: stages whose outs were put back.
        lacking: stages whose outs are nowhere any more; `pinyon run` makes them again.
    """

    experiment: str
    assignment: Pairs
    changes: tuple[Change, ...]
    words: Pairs = ()
    restored: tuple[str, ...] = ()
    lacking: tuple[str, ...] = ()


def apply(start: Path, experiment: str, *, dry_run: bool = False, tell: Tell = lambda _: None) -> Applied:
    """Write the winner's parameters, and put back the outs of its replicate with the median objective.

    Raises:
        NoWinnerError: not every phase has a winner; nothing has been changed.
        SpecError: a parameter file that cannot be edited without harm; nothing has been changed.
    """
    root = find_root(start)
    result = study_result(root, experiment)
    replicate = median(result)
    if replicate is None:
        raise _no_winner(result)
    read = {file: read_params(root, file) for file in overlay.files_of(replicate.overlay)}
    in_files, words = overlay.parted(read, replicate.overlay)
    changes = _changes(read, in_files)
    texts = {file: _edited(root, file, changes) for file in dict.fromkeys(one.file for one in changes)}
    applied = Applied(experiment, replicate.overlay, changes, tuple(words))
    if dry_run:
        return applied
    for file, text in texts.items():
        write_whole(str(root / file), text.encode())
    return applied if words else _restored(root, applied, result.study.experiment, tell)


def _restored(root: Path, applied: Applied, asked: Experiment, tell: Tell) -> Applied:
    """Put back what the winner has made: in place, keys are what they were in the cells' workspaces."""
    goal = Goal((asked.stage, *asked.then))
    plan = pipeline.plan(root, goal)
    named = [(plan.graph.tasks[recipe].stage.name, verdict.kind) for recipe, verdict in plan.verdicts.items()]
    lacking = tuple(name for name, kind in named if kind not in ("unchanged", "reuse"))
    if not lacking:
        pipeline.run(root, goal, tell=tell)
    restored = () if lacking else tuple(name for name, kind in named if kind == "reuse")
    return applied._replace(restored=restored, lacking=lacking)


def _changes(contents: Mapping[str, Any], pairs: overlay.Overrides) -> tuple[Change, ...]:
    found = []
    for key, value in pairs:
        file, name = overlay.split(key)
        _, before = get_path(contents[file], name)
        if before != value or type(before) is not type(value):
            found.append(Change(file, name, before, value))
    return tuple(found)


def _edited(root: Path, file: str, changes: tuple[Change, ...]) -> str:
    text = (root / file).read_bytes().decode()  # `read_text` would make \n of every \r\n
    values = {one.name: one.after for one in changes if one.file == file}
    return edit_params(text, os.path.splitext(file)[1], values, file=file)


def _no_winner(result: StudyResult) -> NoWinnerError:
    study = result.study
    name = study.experiment.name
    open_ = next((one.phase.name for one in study.phases if not one.winner and not one.skipped), "")
    selection, unfinished = result.selections.get(open_), f"phase '{open_}' is not finished"
    return NoWinnerError(
        f"experiment '{name}' has no winner to apply",
        why=selection.why if selection else unfinished if open_ else "it has no objective",
        next=f"pinyon report {name}" if selection else f"pinyon run {name}",
    )
