"""``pinyon select``: the best cell, chosen from what is on record."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pinyon.cli.options import completes, json_option
from pinyon.cli.output import print_json, table

if TYPE_CHECKING:
    from pinyon.report.choice import Choice, Ranked


@click.command("select", epilog="Example: pinyon select lstm-optimization --phase 1 -o phase1_winner.json")
@click.argument("experiment", shell_complete=completes("experiment_names"))
@click.option("--phase", metavar="PHASE", default="", help="Only this phase, by name or number; else all.")
@click.option(
    "--subject-to",
    "subject_to",
    metavar="CONDITION",
    multiple=True,
    help="Such as 'class_1_accuracy >= 0.3', in the place of the experiment's own.",
)
@click.option(
    "-o", "--output", metavar="FILE", type=click.Path(dir_okay=False), help="Write the winner as JSON."
)
@json_option
@click.pass_obj
def command(
    directory: str,
    /,
    experiment: str,
    phase: str,
    subject_to: tuple[str, ...],
    output: str | None,
    as_json: bool,
) -> None:
    """Choose the best cell again, from what is on record.

    The rule is that of `pinyon run`. Nothing runs. Where no cell meets the conditions, the exit code is 6 and no file is
    written.
    """
    from pinyon.report.choice import winner_fields
    from pinyon.session.choose import choose

    choice = choose(Path(directory), experiment, phase, subject_to)
    if not as_json:
        _show(choice)
    if choice.winner is None:
        raise choice.refusal()
    if output:
        _write(output, json.dumps(winner_fields(choice), indent=2, default=str, ensure_ascii=False))
    if as_json:
        print_json({**choice.as_dict(), "written": output})
    else:
        click.echo(f"winner    {choice.winner.name}: {choice.selection.why}")
        if output:
            click.echo(f"written   {output}")


def _write(path: str, text: str) -> None:
    from pinyon.execute.beside import write_whole

    write_whole(os.path.abspath(path), f"{text}\n".encode("utf-8", "backslashreplace"))


def _show(choice: Choice) -> None:
    """The ranking."""
    names = list(choice.rows[0].means) if choice.rows else []
    rows = [_row(one, choice, names) for one in choice.rows]
    table(("rank", "phase", "cell", *names, "run", "note"), rows)


def _row(one: Ranked, choice: Choice, names: list[str]) -> tuple[str, ...]:
    from pinyon.model.experiment import words
    from pinyon.plan.measured import INFEASIBLE, shown

    means = []
    for name in names:
        mean, error = one.means[name].value, one.means[name].error
        spread = f" ± {error:.2g}" if error is not None and name == choice.objective.metric else ""
        means.append("–" if mean is None else f"{shown(mean)}{spread}")
    note = one.why.removeprefix(INFEASIBLE)
    if one is choice.winner:
        note = "winner"
    elif one.name in choice.tied:
        note = "as good as the best"
    return (str(one.rank or "–"), one.name, words(one.cell.assignment), *means, one.run or "–", note)
