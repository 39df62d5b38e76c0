"""A run as a notebook shows it."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

_SHOWN = 50  # rows of each table
_LONG = 200  # characters of a value


def page(run: str, stage: str, params: Mapping[str, Any], summary: Mapping[str, Any]) -> str:
    """HTML of what a run is; whatever stands in its values is text."""
    head = f"<b>{escape(stage)}</b> <code>{escape(run)}</code>"
    return f"<div>{head}{_table('parameters', params)}{_table('summary', summary)}</div>"


def _table(what: str, values: Mapping[str, Any]) -> str:
    if not values:
        return ""
    rows = "".join(
        f"<tr><td>{escape(str(name))}</td><td>{escape(_short(value))}</td></tr>"
        for name, value in list(values.items())[:_SHOWN]
    )
    more = len(values) - _SHOWN
    end = f"<tr><td colspan='2'>and {more} more</td></tr>" if more > 0 else ""
    return f"<table><caption>{what}</caption>{rows}{end}</table>"


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= _LONG else f"{text[:_LONG]}…"
