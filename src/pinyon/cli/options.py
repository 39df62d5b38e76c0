"""Options that several verbs share."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from pinyon.errors import PlanError
from pinyon.store.place import place_in, project_around

if TYPE_CHECKING:
    from pinyon.model.project import Goal

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def completes(what: str) -> Callable[..., Any]:
    """What a shell offers for an argument: a function of `pinyon.cli.completion`, imported when a shell asks."""

    def offer(ctx: click.Context, parameter: click.Parameter, begun: str) -> Any:
        from pinyon.cli import completion

        return getattr(completion, what)(ctx, parameter, begun)

    return offer


all_option = click.option("--all", "unchanged", is_flag=True, help="Show what is equal, too.")


class Sections(click.Group):
    """A verb with verbs of its own."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that is called; a wrong name is answered with the right ones."""
        if args and args[0] not in self.commands:
            there = ", ".join(f"{ctx.command_path} {name}" for name in self.commands)
            raise click.UsageError(f"no command '{ctx.command_path} {args[0]}'; there is {there}", ctx)
        return super().resolve_command(ctx, args)


def unless_said(ctx: click.Context, default: click.Command) -> None:
    """Call the default of a group's commands when none was named."""
    if ctx.invoked_subcommand is None:
        ctx.invoke(default)


def goal_of(directory: str, goals: tuple[str, ...], *, keep_going: bool = False, **asked: Any) -> Goal:
    """What a call with `goal_options` asks for."""
    from pinyon.model.project import Goal

    sets = overrides(asked["sets"])
    return Goal(
        goals,
        sets,
        asked["force"],
        keep_going,
        asked["isolated"] or bool(sets),
        asked["single"],
        asked["downstream"],
        asked["glob"],
        asked["pull"],
        place(directory),
        skip=asked["skip"],
        only=asked["only"],
    )


def goal_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """GOALS, their reach, -S, -f, --isolated and --json, as `plan` and `run` both have them."""
    for decorate in (
        json_option,
        click.option("--pull", is_flag=True, help="Fetch data that is missing here."),
        click.option("--glob", is_flag=True, help="GOALS are patterns, such as 'build@*'."),
        click.option("--downstream", is_flag=True, help="GOALS and what needs them, not what they need."),
        click.option("-s", "--single-stage", "single", is_flag=True, help="GOALS only, not what they need."),
        click.option(
            "--isolated", is_flag=True, help="Run in workspaces of their own; your files stay as they are."
        ),
        click.option("-f", "--force", is_flag=True, help="Run again what is finished already."),
        click.option(
            "--phase",
            "only",
            metavar="PHASE",
            multiple=True,
            help="Of an experiment: only this phase; others keep their recorded winners.",
        ),
        click.option(
            "--skip-phase",
            "skip",
            metavar="PHASE",
            multiple=True,
            help="Of an experiment: keep this phase's recorded winner.",
        ),
        click.option(
            "-S",
            "sets",
            metavar="KEY=VALUE",
            multiple=True,
            help="Set a parameter for this call (implies --isolated).",
        ),
        click.argument("goals", nargs=-1, shell_complete=completes("stage_names")),
    ):
        function = decorate(function)
    return function


def place(directory: str) -> str:
    """Where the user stands, relative to the root of the project around ``directory``; "" where there is none."""
    root = project_around(directory)
    return "" if root is None else place_in(root, directory)


def overrides(sets: Sequence[str]) -> tuple[tuple[str, Any], ...]:
    """``key=value`` pairs, the values typed as YAML would: JSON if it is JSON, else text.

    Raises:
        PlanError: no ``=`` in it.
    """
    pairs = []
    for entry in sets:
        key, equals, text = entry.partition("=")
        if not equals or not key:
            raise PlanError(
                f"-S {entry} sets nothing", why="it must be KEY=VALUE", next=f"-S {entry or 'train.lr'}=0.01"
            )
        pairs.append((key, _typed(text)))
    return tuple(pairs)


def _typed(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=lambda name: name)
    except ValueError:
        pass
    try:
        return float(text) if text[:1].isdigit() or text[:1] in "+-." else text
    except ValueError:
        return text
