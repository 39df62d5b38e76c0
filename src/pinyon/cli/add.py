"""``pinyon add``: data into the store, and a small pointer file beside it for git."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from pinyon.cli.options import json_option
from pinyon.cli.output import is_watched, print_json
from pinyon.cli.shortcut import places_in, print_added
from pinyon.model.units import show_bytes


@click.command("add", epilog="Example: pinyon add data/windows.npz --source https://example.org/windows")
@json_option
@click.argument("paths", nargs=-1, metavar="PATH…")
@click.option("--source", metavar="TEXT", help="Where the data is from; stands in the pointer.")
@click.option("--licence", metavar="TEXT", help="Under which licence; stands in the pointer.")
@click.option("--note", metavar="TEXT", help="Anything else, such as how it was preprocessed.")
@click.option(
    "--restore", is_flag=True, help="The other way: put the data of these pointers, or of all, here."
)
@click.option("-n", "--dry-run", is_flag=True, help="Only say what would be done.")
@click.pass_obj
def command(
    directory: str,
    paths: tuple[str, ...],
    source: str | None,
    licence: str | None,
    note: str | None,
    restore: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Keep data in the store, with a small pointer for git.

    A file or folder of any size; the pointer is PATH.pinyon. `run` puts data that is absent back from the store by
    itself. --restore does that without running; for a PATH that is named it also replaces what was changed.
    """
    from pinyon.spec.load import find_root

    root = find_root(Path(directory))
    named = places_in(str(root), directory, paths)
    about = {key: text for key, text in (("source", source), ("licence", licence), ("note", note)) if text}
    if restore:
        _restore(root, named, as_json, dry_run)
    elif not paths:
        raise click.UsageError("name files or folders, or --restore")
    else:
        _add(root, named, about, as_json, dry_run)


def _add(root: Path, paths: list[str], about: dict[str, str], as_json: bool, dry_run: bool) -> None:
    from pinyon.execute.add import Adding, add
    from pinyon.execute.data import open_store

    with ExitStack() as stack:
        store, stats = open_store(root, stack)
        adding = Adding(root, store, stats, lambda: _stages(root), about)
        tell = stack.enter_context(_Bar(_sizes(root, paths))).tell if is_watched() and not as_json else None
        rows = add(adding, paths, dry_run=dry_run, **({"tell": tell} if tell else {}))
    if as_json:
        print_json([row._asdict() for row in rows])
        return
    print_added(rows, dry_run=dry_run)
    if any(row.changed for row in rows) and not dry_run:
        files = [row.pointer for row in rows] + sorted(
            {os.path.join(os.path.dirname(row.path), ".gitignore") for row in rows}
        )
        there = [file for file in files if (root / file).exists()]
        click.echo(f"for git: git add {' '.join(there)}")


def _stages(root: Path) -> dict[str, str]:
    """Which stage makes which path."""
    from pinyon.model.project import Goal
    from pinyon.session import load
    from pinyon.spec.load import load_project

    graph, _ = load(load_project(root), Goal())
    return {out.path: task.stage.name for task in graph.tasks.values() for out in task.stage.outs}


def _restore(root: Path, paths: list[str], as_json: bool, dry_run: bool) -> None:
    from pinyon.execute.data import open_store
    from pinyon.execute.fetch import restore_data

    with ExitStack() as stack:
        store, stats = open_store(root, stack)
        rows = restore_data(store, root, paths, stats, dry_run=dry_run)
    if as_json:
        print_json([{"path": pointer.path, "digest": pointer.digest, "was": was} for pointer, was in rows])
        return
    for pointer, was in rows:
        left = was == "changed" and not paths
        verb = "left" if left else "there" if was == "same" else "would put" if dry_run else "put"
        why = f"  it was changed; pinyon add --restore {pointer.path} undoes that" if left else ""
        click.echo(f"{verb:9} {pointer.path}  {show_bytes(pointer.size or 0)}{why}")


def _sizes(root: Path, paths: list[str]) -> Callable[[], int]:
    """How many bytes there are at most to read."""

    def count() -> int:
        total = 0
        for path in paths:
            top = root / path
            for folder, _, names in os.walk(top):
                total += sum(os.stat(os.path.join(folder, name)).st_size for name in names)
            total += top.stat().st_size if top.is_file() else 0
        return total

    return count


class _Bar:
    """A bar for long work; nothing is drawn before the first second is over."""

    def __init__(self, total: Callable[[], int]) -> None:
        self._total = total
        self._progress: Any = None
        self._done = 0

    def __enter__(self) -> _Bar:
        import time

        self._clock = time.monotonic
        self._began = self._clock()
        return self

    def tell(self, count: int) -> None:
        """So many bytes more have been read."""
        self._done += count
        if self._progress is None and self._clock() - self._began > 1:
            from rich import progress as bars

            self._progress = bars.Progress(
                bars.TextColumn("storing"), bars.BarColumn(), bars.DownloadColumn(), bars.TimeRemainingColumn(),
                transient=True,
            )  # fmt: skip
            self._task = self._progress.add_task("", total=self._total())
            self._progress.start()
        if self._progress is not None:
            self._progress.update(self._task, completed=self._done)

    def __exit__(self, *_: object) -> None:
        if self._progress is not None:
            self._progress.stop()
