"""The command line: thin verbs that parse, call and print.

Each verb is a module of this package with a ``command``, imported only when it is called (`pinyon.cli.group`). The
commonest call of all, ``pinyon run`` with nothing to do, is answered before even the command line parser is imported.
"""

from __future__ import annotations

import sys
import time


def main(argv: list[str] | None = None) -> None:
    """The command ``pinyon``. Exit codes: 0, 1, 2 spec, 3 plan, 4 execute, 5 store, 6 gate, 130 interrupted."""
    began = time.monotonic()
    arguments = sys.argv[1:] if argv is None else argv
    if arguments[:1] == ["run"] and not any(word.startswith("-") for word in arguments[1:]):
        from pinyon.cli.shortcut import nothing_to_do, print_summary

        if (known := nothing_to_do(".", tuple(arguments[1:]))) is not None:
            print_summary(known, time.monotonic() - began)
            return
    from pinyon.cli.group import call

    call(arguments)
