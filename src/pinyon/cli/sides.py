"""What `metrics`, `params` and `plots` share: the states that are compared, and the table of what differs."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import click

from pinyon.cli.output import number, print_json, table


@contextmanager
def sides(directory: str, names: Sequence[str]) -> Iterator[list[Any]]:
    """The sides of these names, "" for the work tree; they can be read inside the ``with`` only.

    Raises:
        PlanError: a name is neither a revision of git nor the id of a run.
    """
    from pinyon.model.project import Goal
    from pinyon.report.sides import side_of, work_tree
    from pinyon.session import load, open_records
    from pinyon.spec.load import load_project

    def loaded(root: Path) -> tuple[Any, Any]:
        project = load_project(root)
        return project, load(project, Goal())[0]

    with ExitStack() as stack:
        records = open_records(Path(directory), stack)
        found = []
        for name in names:
            if not name:
                found.append(work_tree(records.root, loaded))
                continue
            scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pinyon-")))
            found.append(side_of(name, records.root, loaded, records.fold, records.store.blobs, scratch))
        yield found


def print_changes(
    directory: str,
    names: tuple[str, str],
    values_of: Callable[[Any], dict[str, Any]],
    what: str,
    *,
    as_json: bool,
    unchanged: bool,
) -> None:
    """What differs between two states, as a table or as JSON."""
    from pinyon.report import diff

    with sides(directory, names) as (old, new):
        before, now = values_of(old), values_of(new)
        if (old.run is None) != (new.run is None):  # the rest of the project is not what was asked for
            before, now = (before, _within(now, before)) if old.run else (_within(before, now), now)
        notes = [*old.notes, *new.notes]
    changes = diff.diff(before, now, unchanged=unchanged)
    if as_json:
        print_json({"old": old.name, "new": new.name, "diff": diff.as_dict(changes), "notes": notes})
        return
    rows = [
        (change.file, change.name, _cell(change.old), _cell(change.new), _change(change.change))
        for change in changes
    ]
    table(("file", what, old.name, new.name, "change"), rows)
    if not rows:
        click.echo(f"no {what} differs between {old.name} and {new.name}")
    print_notes(notes)


def _within(values: dict[str, Any], run: dict[str, Any]) -> dict[str, Any]:
    """Of some values those whose file and name (or a group around it) a run has too."""
    from pinyon.model.leaves import flatten

    found: dict[str, Any] = {}
    for file, data in values.items():
        names = tuple(run.get(file, ()))
        for name, leaf in flatten(data).items():
            if any(name == one or name.startswith(f"{one}.") for one in names):
                found.setdefault(file, {})[name] = leaf
    return found


def print_notes(notes: Sequence[str]) -> None:
    """Where values came from when that is not obvious; beside the table, not in it."""
    for note in dict.fromkeys(notes):
        click.echo(f"note: {note}", err=True)


def _cell(value: Any) -> str:
    return "-" if value is None else number(value)


def _change(value: float | None) -> str:
    return "" if value is None else f"{value:+.4g}"
