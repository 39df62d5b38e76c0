"""``pinyon init``: a pinyon.yaml for what lies here."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pinyon.cli.options import json_option
from pinyon.cli.output import print_json
from pinyon.errors import SpecError
from pinyon.store.place import SPEC_FILES

if TYPE_CHECKING:
    from pinyon.spec.adopt.draft import Draft
    from pinyon.spec.adopt.look import Look

_FILE = "pinyon.yaml"
_OWN_KEYS = """\
# Beside dvc.yaml, whose stages stay there: what only Pinyon reads.
project: {name: %s}
# resources of a stage stand in dvc.yaml itself, under  meta: {pinyon: {resources: {gpus: 1, time: 2h}}}
"""


@click.command("init", epilog="Example: pinyon init --dry-run run_all.sh")
@json_option
@click.argument("source", required=False)
@click.option("--from-array", "rows", metavar="FILE", help="SOURCE is a job script over the lines of FILE.")
@click.option(
    "--own-keys", is_flag=True, help="Beside a dvc.yaml, write a pinyon.yaml for what only Pinyon reads."
)
@click.option(
    "--store", "home", metavar="PATH", help="Keep the history in the store at PATH, which projects can share."
)
@click.option("-n", "--dry-run", is_flag=True, help="Print what would be written; write nothing.")
@click.option("-y", "--yes", is_flag=True, help="Ask nothing.")
@click.pass_obj
def command(
    directory: str,
    as_json: bool,
    source: str | None,
    rows: str | None,
    own_keys: bool,
    home: str | None,
    dry_run: bool,
    yes: bool,
) -> None:
    """Write a pinyon.yaml for what lies here.

    It reads scripts, a run_all.sh, a Makefile, or an sbatch array. SOURCE is a shell script or a Makefile; without it,
    what lies here is looked through. Nothing of yours is executed, and no file is overwritten. What could not be told
    for certain is marked '# guess:'.

    --store moves the history out of this folder; where there is a project already it does nothing else.
    """
    from pinyon.spec.adopt.draft import render
    from pinyon.spec.adopt.look import Look

    root = Path(os.path.abspath(directory))
    if home is not None and not dry_run:
        from pinyon.store.local import set_home

        store = set_home(root, home, root.name)
        click.echo(f"history is kept in {store.url}", err=as_json)
    if home is not None and any((root / name).exists() for name in SPEC_FILES):
        return
    if (root / _FILE).exists():
        raise SpecError("there is a pinyon.yaml already", where=str(root / _FILE), next="pinyon plan")
    if (root / "dvc.yaml").exists():
        _beside_dvc(root, own_keys=own_keys, as_json=as_json, dry_run=dry_run)
        return
    asks = sys.stdin.isatty() and sys.stdout.isatty() and not (yes or dry_run or as_json)
    draft = _draft(Look(root), source, rows, asks=asks)
    texts = {**draft.files, _FILE: render(draft).encode()}
    for name in draft.files:
        if (root / name).exists():
            raise SpecError(
                f"there is a {name} already", where=str(root / name), next=f"move {name} out of the way"
            )
    if asks:
        click.echo(texts[_FILE].decode())
        if not click.confirm("Write this pinyon.yaml?", default=True):
            return
    if not dry_run:
        _write(root, texts)
    _tell(draft, texts, as_json=as_json, dry_run=dry_run)


def _draft(look: Look, source: str | None, rows: str | None, *, asks: bool) -> Draft:
    from pinyon.spec.adopt.array import job_of, read_array
    from pinyon.spec.adopt.folder import propose, scripts, source_of, sources

    if rows is not None:
        return read_array(rows, source or job_of(rows, list(scripts(look.root)), look), look)
    if source is not None:
        return propose(source_of(source, look), look)
    found = sources(look)
    number = 1
    if asks and len(found) > 1:
        for index, one in enumerate(found, 1):
            click.echo(f"{index}  {one}")
        number = click.prompt("Which of these?", type=click.IntRange(1, len(found)), default=1)
    return propose(found[number - 1], look)


def _write(root: Path, texts: Mapping[str, bytes]) -> None:
    """Each file whole or not at all, and none that is there."""
    for name, text in texts.items():
        temporary = root / f".{name}.{os.getpid()}"
        temporary.write_bytes(text)
        try:
            os.link(temporary, root / name)
        finally:
            temporary.unlink()


def _tell(draft: Draft, texts: Mapping[str, bytes], *, as_json: bool, dry_run: bool) -> None:
    if as_json:
        print_json(
            {
                "source": draft.source,
                "stages": [stage.name for stage in draft.stages],
                "guesses": draft.guesses,
                "said": list(draft.said),
                "written": [] if dry_run else list(texts),
                "files": {name: text.decode() for name, text in texts.items()},
            }
        )
        return
    if dry_run:
        for name, text in texts.items():
            click.echo(f"# {name}" if len(texts) > 1 else "", nl=len(texts) > 1)
            click.echo(text.decode(), nl=False)
        return
    count, guesses = len(draft.stages), draft.guesses
    for line in draft.said:
        click.echo(line.removeprefix("guess: "))
    from_ = f" from {draft.source}" if draft.source else ""
    click.echo(
        f"wrote {' and '.join(texts)}: {count} stage{'s' * (count != 1)}{from_}, {guesses} to look at (# guess:)"
    )
    click.echo("next: pinyon plan")


def _beside_dvc(root: Path, *, own_keys: bool, as_json: bool, dry_run: bool) -> None:
    """A dvc.yaml needs nothing: say so, once it is certain that it can be read."""
    from pinyon.model.project import Goal
    from pinyon.session import load
    from pinyon.spec.adopt.draft import scalar
    from pinyon.spec.load import load_project

    project = load_project(root)
    load(project, Goal())
    stages = [template.name for template in project.stages]
    texts = {_FILE: (_OWN_KEYS % scalar(root.name)).encode()} if own_keys else {}
    if not dry_run:
        _write(root, texts)
    if as_json:
        written = [] if dry_run else list(texts)
        print_json(
            {
                "source": "dvc.yaml",
                "stages": stages,
                "guesses": 0,
                "said": [],
                "written": written,
                "files": {},
            }
        )
        return
    if dry_run:
        click.echo("".join(text.decode() for text in texts.values()), nl=False)
    what = f"wrote {_FILE}" if texts and not dry_run else "nothing has to be written"
    click.echo(f"dvc.yaml is read as it is ({len(stages)} stage{'s' * (len(stages) != 1)}): {what}")
    click.echo("next: pinyon plan")
