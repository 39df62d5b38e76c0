#!/usr/bin/env python3
"""Write docs/cli.md from what each verb says of itself; with --check, only say whether it is as it should be."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from pinyon.cli.group import group

PAGE = Path(__file__).parent.parent / "docs" / "cli.md"
HEAD = """# The command line

Written by `scripts/cli_docs.py` from what `pinyon VERB --help` prints; a test fails when it is stale. To see the verbs
at work, read the [guide](guide.md).

Exit codes: 0 all is well, 2 the project's files or the call are wrong, 3 they make no plan, 4 an execution failed, 5 the
store is damaged or `doctor` found something broken, 130 interrupted. With `--json` an error is JSON too.
"""


def verbs() -> dict[str, click.Command]:
    """Every verb by its name, in the order of the help; below a verb that has verbs of its own those, ``metrics diff``."""
    context = click.Context(group, info_name="pinyon")
    found: dict[str, click.Command] = {}
    for name in group.list_commands(context):
        verb = group.get_command(context, name)
        assert verb is not None, name
        found[name] = verb
        if isinstance(verb, click.Group):
            found |= {f"{name} {below}": one for below, one in verb.commands.items()}
    return found


def help_of(command: click.Command, name: str) -> str:
    """What ``--help`` prints, at a width that does not depend on the terminal."""
    above, _, name = name.rpartition(" ")
    parent = None if command is group else click.Context(group, info_name="pinyon")
    parent = click.Context(group, info_name=above, parent=parent) if above else parent
    context = click.Context(
        command, info_name=name, parent=parent, terminal_width=100, help_option_names=["-h", "--help"]
    )
    return "\n".join(line.rstrip() for line in command.get_help(context).splitlines())


def page() -> str:
    """The whole of docs/cli.md."""
    parts = [HEAD, f"```text\n{help_of(group, 'pinyon')}\n```\n"]
    parts += [f"## {name}\n\n```text\n{help_of(verb, name)}\n```\n" for name, verb in verbs().items()]
    return "\n".join(parts)


def main(arguments: list[str]) -> int:
    """Write the page, or check it; the exit code."""
    if arguments == ["--check"]:
        fresh = PAGE.exists() and PAGE.read_text(encoding="utf-8") == page()
        print("cli_docs: docs/cli.md is " + ("fresh" if fresh else "stale; run scripts/cli_docs.py"))
        return 0 if fresh else 1
    PAGE.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
