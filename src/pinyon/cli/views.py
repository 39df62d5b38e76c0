"""Saved views, as `pinyon runs` and `pinyon query` both have them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from pinyon.cli.output import plain, print_json, table, when

if TYPE_CHECKING:
    from pinyon.store.local import LocalStore


def view_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """--with, --save, --views and --forget."""
    for decorate in (
        click.option("--forget", metavar="NAME", help="Remove a saved view."),
        click.option("--views", "listed", is_flag=True, help="List what is saved."),
        click.option("--save", metavar="NAME", help="Keep this question under a name."),
        click.option("--with", "others", metavar="DIR", multiple=True, help="Also the project in DIR."),
    ):
        function = decorate(function)
    return function


def print_views(store: LocalStore, as_json: bool) -> None:
    """Every view, whatever asks it."""
    from pinyon.query.views import views

    found, notes = views(store)
    if as_json:
        print_json([one._asdict() for one in found])
    else:
        rows = [
            (plain(one.name), one.kind, when(one.ts), plain(one.actor), _spelled(one.asked)) for one in found
        ]
        table(("view", "of", "saved", "by", "asks"), rows)
        if not found:
            click.echo("no view is saved; --save NAME does")
    print_notes(notes)


def _spelled(asked: dict[str, Any]) -> str:
    text = "  ".join(
        f"{name}: {told if isinstance(told, str) else _joined(told)}" for name, told in asked.items()
    )
    return plain(" ".join(text.split()))[:200]


def _joined(told: Any) -> str:
    return ",".join(map(str, told)) if isinstance(told, list) else str(told)


def print_notes(notes: Sequence[str]) -> None:
    """What had to be left out, each once."""
    for note in dict.fromkeys(notes):
        click.echo(f"note: {note}", err=True)


def forget(store: LocalStore, name: str) -> None:
    """Remove a view, and say so."""
    from pinyon.model.actor import current_actor
    from pinyon.query import views

    views.forget(store, name, str(current_actor()))
    click.echo(f"{plain(name)} is no view any more; its versions are kept")


def save(store: LocalStore, name: str, kind: Any, asked: dict[str, Any]) -> None:
    """Keep a view, and say so."""
    from pinyon.model.actor import current_actor
    from pinyon.query import views

    made = views.save(store, name, kind, asked, str(current_actor()))
    click.echo(f"saved as {plain(name)}, version {made.version}: pinyon {kind} {plain(name)}", err=True)
