"""``pinyon model``: versions of models, and the names that point at them."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from pinyon.cli.options import Sections, completes, json_option
from pinyon.cli.output import number, plain, print_json, table, when, word
from pinyon.model.units import show_bytes

if TYPE_CHECKING:
    from pinyon.model.registry import Change, Checked, Model, ModelVersion
    from pinyon.query.index import Index
    from pinyon.registry.registry import Registry
    from pinyon.store.local import LocalStore

why_option = click.option("--why", default="", metavar="TEXT", help="Recorded with the change.")
_model = click.argument("model", shell_complete=completes("model_names"))


@click.group(
    "model", cls=Sections, epilog="Example: pinyon model promote lstm staging --gate 'accuracy > 0.75'"
)
def command() -> None:
    """Register, promote, roll back, list and show models.

    A model has versions 1, 2, 3 and so on, which never change, and names that point at one of them: lstm@3,
    lstm@staging. The names staging, production and archived are stages: a version is in one of them at most, and what
    leaves the first two is archived. All other names are aliases.
    """


class _Open(NamedTuple):
    registry: Registry
    store: LocalStore
    fold: Index


def _open(directory: str, stack: ExitStack) -> _Open:
    from pinyon.registry.registry import Registry
    from pinyon.session import open_records

    records = open_records(Path(directory), stack)
    return _Open(Registry(records.store, records.fold.project), records.store, records.fold)


def _pointed(opened: _Open, text: str) -> tuple[Model, ModelVersion]:
    """The model and version that ``lstm@3``, ``lstm@staging`` or ``lstm`` (the newest) mean."""
    from pinyon.registry.address import parse

    name, which = parse(text)
    model = opened.registry.model(name)
    return model, opened.registry.pointed(model, which)


@command.command("register", epilog="Example: pinyon model register lstm train --why 'first one that works'")
@click.argument("model", shell_complete=completes("model_names"))
@click.argument("run", shell_complete=completes("run_names"))
@click.option("--path", default="", metavar="OUT", help="Which of its outs, where several could be a model.")
@click.option("--trust", is_flag=True, help="Even if opening it runs code, as it does with a pickle.")
@why_option
@json_option
@click.pass_obj
def register(directory: str, model: str, run: str, path: str, trust: bool, why: str, as_json: bool) -> None:
    """Make what a run has left the next version.

    RUN is a run, an attempt, the beginning of either, or a stage: then its newest run that succeeded. The same file of the
    same run is registered once. It is looked at, but never opened as a model.
    """
    from pinyon.plan.promotion import chosen
    from pinyon.query.runs import find
    from pinyon.registry.artifacts import artifact_of, candidates
    from pinyon.report.models import version_dict

    with ExitStack() as stack:
        opened = _open(directory, stack)
        attempt = find(opened.fold, run, succeeded=True)[-1]
        found = candidates(opened.fold, attempt)
        again = f"pinyon model register {model} {run} --path OUT"
        picked = chosen([one.path for one in found], path, attempt.stage, again)
        out = next(one for one in found if one.path == picked)
        artifact = artifact_of(opened.store, attempt, out, trust=trust)
        version = opened.registry.register(model, artifact, why=why)
        now = opened.registry.model(model)
    if as_json:
        print_json(version_dict(now, version))
    else:
        click.echo(f"{version.name}  {plain(version.path)} of {version.run}  {_kind(version)}")


@command.command(
    "promote", epilog="Example: pinyon model promote lstm@3 production --gate 'evaluate.accuracy > 0.9'"
)
@click.argument("version", shell_complete=completes("model_names"))
@click.argument("name")
@click.option("--gate", "gate", multiple=True, metavar="CLAUSE", help="Only if this holds; may be repeated.")
@click.option("--force", is_flag=True, help="Even if a clause does not hold; this is recorded.")
@click.option("--pin", is_flag=True, help="For ever: the name never moves again.")
@click.option("-n", "--dry-run", is_flag=True, help="Only say what would be changed.")
@why_option
@json_option
@click.pass_obj
def promote(
    directory: str, /, version: str, name: str, gate: tuple[str, ...], as_json: bool, **how: Any
) -> None:
    """Point a name at a version.

    VERSION is lstm@3 or lstm@staging; lstm alone is its newest. NAME is staging, production, archived or an alias. A
    clause names a metric of the stage that made the model, or of a stage that read it, as in evaluate.accuracy > 0.75.
    What experiments ask before they promote this model to this name has to hold, too. Of two who promote at once one
    wins, and the other is told.
    """
    from pinyon.registry.declared import clauses
    from pinyon.registry.gates import check
    from pinyon.registry.measured import measured_of
    from pinyon.report.models import change_dict, gate_dicts

    with ExitStack() as stack:
        opened = _open(directory, stack)
        model, chosen = _pointed(opened, version)
        asked = clauses(Path(directory), model.name, name, gate)
        checked = check(asked, measured_of(opened.fold, chosen), chosen.stage)
        change, moves = None, opened.registry.moves(model, name, chosen.number, pin=how["pin"])
        if not how["dry_run"]:
            change = opened.registry.promote(
                model, name, chosen.number, checked=checked,
                why=how["why"], force=how["force"], pin=how["pin"],
            )  # fmt: skip
    if as_json:
        changed = change_dict(change) if change else None
        print_json({"version": chosen.name, "name": name, "gate": gate_dicts(checked), "change": changed})
        return
    _gate(checked)
    if how["dry_run"] and moves:
        fine = all(one.holds for one in checked) or how["force"]
        click.echo(f"{chosen.name} would {'become' if fine else 'not become'} {name}")
    else:
        _changed(model.name, change, f"{chosen.name} is {name} already")


@command.command(
    "rollback", epilog="Example: pinyon model rollback lstm production --why 'wrong on left arms'"
)
@_model
@click.argument("name")
@why_option
@json_option
@click.pass_obj
def rollback(directory: str, model: str, name: str, why: str, as_json: bool) -> None:
    """Point a name at what it pointed at before.

    Once more goes further back. No gate is asked.
    """
    _move(directory, model, name, why, as_json, "rollback")


@command.command("unset", epilog="Example: pinyon model unset lstm champion")
@_model
@click.argument("name")
@why_option
@json_option
@click.pass_obj
def unset(directory: str, model: str, name: str, why: str, as_json: bool) -> None:
    """Take a name away.

    The version that a stage held is archived.
    """
    _move(directory, model, name, why, as_json, "unset")


def _move(directory: str, model: str, name: str, why: str, as_json: bool, how: str) -> None:
    from pinyon.report.models import change_dict

    with ExitStack() as stack:
        registry = _open(directory, stack).registry
        change: Change = getattr(registry, how)(registry.model(model), name, why=why)
    if as_json:
        print_json(change_dict(change))
    else:
        _changed(model, change, "")


@command.command("list", epilog="Example: pinyon model list")
@json_option
@click.pass_obj
def list_models(directory: str, as_json: bool) -> None:
    """List all models and where their names point.

    One that is damaged hides no other.
    """
    from pinyon.errors import StoreError
    from pinyon.report.models import model_dict, names_line

    models, damaged = [], []
    with ExitStack() as stack:
        registry = _open(directory, stack).registry
        for name in registry.names():
            try:
                models.append(registry.model(name))
            except StoreError as error:
                damaged.append((name, str(error)))
    if as_json:
        print_json({"models": [model_dict(one) for one in models], "damaged": dict(damaged)})
        return
    rows = [(one.name, str(len(one.versions)), when(one.versions[-1].ts), names_line(one)) for one in models]
    table(("model", "versions", "newest", "names"), rows)
    for name, text in damaged:
        click.echo(f"damaged   {name}: {text}", err=True)
    if not models and not damaged:
        click.echo("no model is registered → pinyon model register NAME RUN")


@command.command("show", epilog="Example: pinyon model show lstm@staging")
@click.argument("model", shell_complete=completes("model_names"))
@json_option
@click.pass_obj
def show(directory: str, model: str, as_json: bool) -> None:
    """Show a model and the history of its names, or one version.

    MODEL is lstm for all of it, lstm@3 or lstm@staging for one version: where it comes from, what was measured, what is in
    the file.
    """
    from pinyon.registry.address import parse
    from pinyon.registry.measured import measured_of
    from pinyon.report.models import model_dict, version_dict

    with ExitStack() as stack:
        opened = _open(directory, stack)
        if parse(model)[1]:
            found, version = _pointed(opened, model)
            measured = measured_of(opened.fold, version)
            if as_json:
                print_json(version_dict(found, version, measured))
            else:
                _show_version(found, version, {one.stage: one.metrics for one in measured})
            return
        found = opened.registry.model(parse(model)[0])
        refused = opened.fold.told("refused", [found.name])
    if as_json:
        print_json(model_dict(found, refused))
    else:
        _show_model(found, refused)


@command.command("get", epilog="Example: pinyon model get lstm@production -o model.safetensors")
@click.argument("version", shell_complete=completes("model_names"))
@click.option("-o", "--output", metavar="PATH", help="Where to; its own name if not said.")
@json_option
@click.pass_obj
def get(directory: str, version: str, output: str | None, as_json: bool) -> None:
    """Write a version's file or folder here.

    Its bytes are checked on the way. What lies there is kept in the store before it is replaced.
    """
    from pinyon.execute.restore import restore
    from pinyon.model.outcome import Output

    with ExitStack() as stack:
        opened = _open(directory, stack)
        _, chosen = _pointed(opened, version)
        target = Path(output or Path(chosen.path).name).absolute()
        restore(opened.store.blobs, target.parent, Output(target.name, chosen.digest, chosen.size))
    if as_json:
        print_json({"version": chosen.name, "path": str(target), "digest": chosen.digest})
    else:
        click.echo(f"{chosen.name} → {output or target.name}  {chosen.digest}")


def _gate(checked: tuple[Checked, ...]) -> None:
    from pinyon.report.models import gate_rows

    for state, clause, value, run in gate_rows(checked):
        click.echo(f"{word(state, 4)}  {clause}  {value}  {run}".rstrip())


def _changed(model: str, change: Change | None, already: str) -> None:
    from pinyon.report.models import what

    click.echo(f"{model}  {what(change)}" if change else already)


def _kind(version: ModelVersion) -> str:
    facts = version.about.get("file", {})
    more = f", {facts['parameters']:,} parameters" if "parameters" in facts else ""
    trusted = ", trusted" if version.trusted else ""
    return f"{version.format}, {show_bytes(version.size)}{more}{trusted}"


def _show_version(model: Model, version: ModelVersion, measured: dict[str, Any]) -> None:
    from pinyon.model.actor import parse_actor
    from pinyon.report.models import origin

    names = ", ".join(model.aliases_of(version.number)) or "no name points at it"
    click.echo(f"{click.style(version.name, bold=True)}  {names}")
    click.echo(f"file      {plain(version.path)}  {_kind(version)}")
    click.echo(f"digest    {version.digest}")
    click.echo(f"made by   {version.stage}, run {version.run} → pinyon show {version.run}")
    if text := origin(version):
        click.echo(f"won       {plain(text)}")
    click.echo(
        f"since     {when(version.ts)}  by {plain(parse_actor(version.actor).shown)}{_because(version.why)}"
    )
    for stage, metrics in measured.items():
        for name, value in metrics.items():
            click.echo(f"measured  {stage}.{name} = {number(value)}")
    made = [one for one in model.changes if version.number in (one.version, one.before)]
    _history(model._replace(changes=tuple(made)), ())


def _because(why: str) -> str:
    return f": {plain(why)}" if why else ""


def _show_model(model: Model, refused: Any) -> None:
    from pinyon.report.models import names_line, version_rows

    click.echo(f"{click.style(model.name, bold=True)}  {names_line(model)}\n")
    rows = [
        (name, names, kind, run, when(ts), plain(by))
        for name, names, kind, run, ts, by in version_rows(model)
    ]
    table(("version", "names", "format", "run", "since", "by"), rows)
    _history(model, refused)


def _history(model: Model, refused: Any) -> None:
    from pinyon.report.models import HISTORY, history

    rows = [(when(ts), plain(by), plain(text), plain(why)) for ts, by, text, why in history(model, refused)]
    if rows:
        click.echo()
        table(HISTORY, rows)
