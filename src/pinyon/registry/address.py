"""How a person says which version: ``lstm@3``, ``lstm@staging``, ``lstm``; or as MLflow does, ``models:/lstm/3``."""

from __future__ import annotations

from pinyon.errors import PlanError


def parse(text: str) -> tuple[str, str]:
    """The model and what is said of the version: a number, a name, or "" for nothing.

    Raises:
        PlanError: nothing stands before or after the ``@``.
    """
    name, at, which = text.removeprefix("models:/").replace("/", "@", 1).partition("@")
    if not name or (at and not which):
        raise PlanError(f"'{text}' names no model", next="write for example lstm, lstm@3 or lstm@staging")
    return name, which
