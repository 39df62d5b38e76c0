"""The record `captured`: the code, the environment and the machine of an execution."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pinyon.capture import environment
from pinyon.capture.code import Project, capture
from pinyon.capture.facts import Status
from pinyon.capture.hardware import hardware
from pinyon.errors import PinyonError
from pinyon.model.graph import Command


def captured(
    project: Project, status: Status, commands: Iterable[Command], *, bundle: str = ""
) -> dict[str, Any]:
    """What docs/FORMAT.md §4 says of it. What cannot be found out is left out, and ``note`` says why: nothing of this may
    keep a command from running.

    Args:
        bundle: the tree that isolated attempts are made from; then it is the code.
    """
    body: dict[str, Any] = {}
    cache = str(project.cache)
    try:
        if bundle:
            git = status.git or {}
            body["code"] = {
                "commit": status.commit or None,
                "dirty": git.get("dirty"),
                "pack": bundle,
                "whole": True,
            }
        else:
            body["code"] = capture(project, status)
        found = environment.environment(project.root, commands, cache)
        body["environment"] = environment.store(found, project.root, project.blobs)
        body["hardware"] = hardware(cache)
    except (OSError, PinyonError, ValueError) as error:
        body["note"] = str(error)
    return body
