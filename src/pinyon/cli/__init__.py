"""The command line: thin verbs that parse, call and print.

Each verb is a module of this package with a ``command``, imported only when it is called (`pinyon.cli.group`). The
commonest calls, ``pinyon run`` and ``pinyon add`` with nothing to do, are answered before even the command line parser is
imported.
"""

from __future__ import annotations

import atexit
import gc
import sys
import time


def main(argv: list[str] | None = None) -> None:
    """The command ``pinyon``. Exit codes: 0, 1, 2 spec, 3 plan, 4 execute, 5 store, 6 gate, 130 interrupted."""
    began = time.monotonic()
    # Thousands of small records live as long as the call, and so does every module: looking for cycles among them is
    # waste, at the end most of all, where it costs as much as the command line parser.
    gc.set_threshold(50_000)
    atexit.register(gc.freeze)
    arguments = sys.argv[1:] if argv is None else argv
    goals = _goals_alone(arguments[1:]) if arguments[:1] == ["run"] else None
    if goals is not None:
        from pinyon.cli.shortcut import nothing_to_do, print_summary

        if (known := nothing_to_do(".", goals)) is not None:
            print_summary(known, time.monotonic() - began)
            return
    paths = arguments[1:] if arguments[:1] == ["add"] else []
    if paths and not any(word.startswith("-") for word in paths):
        from pinyon.cli.shortcut import nothing_to_add, print_added

        if (rows := nothing_to_add(".", paths)) is not None:
            print_added(rows)
            return
    from pinyon.cli.group import call

    call(arguments)


def _goals_alone(words: list[str]) -> tuple[str, ...] | None:
    """The goals of a call that says nothing else but ``-j N``, which changes no answer; None for any other call."""
    goals = []
    rest = iter(words)
    for word in rest:
        if word.startswith("-j"):
            jobs = word[2:] or next(rest, "")
            if not jobs.isdecimal() or int(jobs) < 1:
                return None
        elif word.startswith("-"):
            return None
        else:
            goals.append(word)
    return tuple(goals)
