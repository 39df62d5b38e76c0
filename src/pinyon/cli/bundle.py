"""``pinyon bundle``: the exact code of a run."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import click

from pinyon.cli.options import completes, json_option
from pinyon.cli.output import print_json
from pinyon.errors import PlanError


@click.command("bundle", epilog="Example: pinyon bundle train -o ../as-it-was")
@json_option
@click.argument("run", shell_complete=completes("run_names"))
@click.option("-o", "--output", default="", metavar="DIR", help="Where to; default: pinyon-RUN.")
@click.pass_obj
def command(directory: str, run: str, output: str, as_json: bool) -> None:
    """Write the exact code of a RUN into an empty directory.

    RUN is a run, an attempt, the beginning of either, or a stage: then its newest run that succeeded. What differed from
    the commit is among it; secrets and large files that were left out are named. What the environment was stands in
    .pinyon-environment.
    """
    from pinyon.execute.unbundle import unbundle
    from pinyon.model.ids import run_id
    from pinyon.query.runs import find
    from pinyon.report.captured import captured_of, some
    from pinyon.session import open_records

    with ExitStack() as stack:
        root, store, index, _ = open_records(Path(directory), stack)
        attempt = find(index, run, succeeded=True)[-1]
        found = captured_of(index, store.blobs, attempt.execution)
        bundle = index.document(attempt.id).get("intent", [None] * 4)[3].get("bundle")
        code = {"pack": bundle, "whole": True} if bundle else dict(found.code) if found else {}
        if not code:
            raise PlanError(
                f"the code of {run_id(attempt.key)} was not captured",
                why=(found.note if found else "") or "it was recorded by an older release, or adopted",
            )
        target = Path(output or f"pinyon-{run_id(attempt.key)}")
        done = unbundle(Path(root), store.blobs, code, found.environment if found else {}, target)
    if as_json:
        print_json(
            {"run": run_id(attempt.key), "attempt": attempt.id, "directory": str(target), **done._asdict()}
        )
        return
    click.echo(f"{done.files} files of {run_id(attempt.key)} in {target}")
    if done.left_out:
        click.echo(f"left out: {some([f'{path} ({why})' for path, why in done.left_out])}")
