"""The group of verbs, each a module imported only when it is called, and how errors reach a person."""

from __future__ import annotations

import importlib
import os
import sys

import click

import pinyon
from pinyon.errors import ExecuteError, PinyonError

# What a person looks for, and the verbs in its order.
_SECTIONS = {
    "Run": ("init", "plan", "run", "tick", "stop", "apply"),
    "Look": (
        "graph",
        "status",
        "watch",
        "report",
        "select",
        "runs",
        "query",
        "compare",
        "show",
        "logs",
        "bundle",
        "history",
        "metrics",
        "params",
        "plots",
        "logbook",
    ),
    "Models": ("model",),
    "Data": ("add", "sync", "gc", "compact", "import", "export"),
    "Keep": ("note", "tag", "verify", "doctor", "generate", "completion"),
}
_MODULES = {"import": "imports", "export": "exports"}  # verbs that no module can be called
_VERBS = tuple(verb for verbs in _SECTIONS.values() for verb in verbs)


class _Lazy(click.Group):
    """A group whose commands are modules."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        return list(_VERBS)

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _VERBS:
            return None
        command: click.Command = importlib.import_module(
            f"pinyon.cli.{_MODULES.get(cmd_name, cmd_name)}"
        ).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The verbs in sections, each with its whole first sentence."""
        longest = max(map(len, _VERBS))
        for section, verbs in _SECTIONS.items():
            found = [(verb, self.get_command(ctx, verb)) for verb in verbs]
            with formatter.section(section):
                formatter.write_dl(
                    [(verb.ljust(longest), one.get_short_help_str(limit=1000)) for verb, one in found if one]
                )

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in _VERBS:
            from difflib import get_close_matches

            close = get_close_matches(args[0], _VERBS, 1)
            hint = f"did you mean '{close[0]}'?" if close else f"there are {', '.join(_VERBS)}"
            raise click.UsageError(f"no command '{args[0]}'; {hint}", ctx)
        return super().resolve_command(ctx, args)


@click.group(
    cls=_Lazy,
    epilog="Example: pinyon run train && pinyon show train",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(pinyon.__version__, prog_name="pinyon")
@click.option("-C", "directory", metavar="DIR", default=".", help="Work in the project around DIR.")
@click.pass_context
def group(ctx: click.Context, directory: str) -> None:
    """Take experiments from code to deployed model, and forget nothing on the way.

    A project is a directory with pinyon.yaml or dvc.yaml.
    """
    ctx.obj = directory


def call(arguments: list[str]) -> None:
    """Parse, run the verb, and exit with its code; errors become one line."""
    try:
        code = group.main(arguments, prog_name="pinyon", standalone_mode=False)
    except click.exceptions.Exit as end:
        code = end.exit_code
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except (KeyboardInterrupt, click.Abort):
        click.echo("stopped; the next call goes on from here", err=True)
        code = 130
    except PinyonError as error:
        code = _complain(error, "--json" in arguments)
    except BrokenPipeError:
        os.dup2(
            os.open(os.devnull, os.O_WRONLY), 1
        )  # the reader has left; python would complain once more at exit
        code = 1
    except OSError as error:
        code = _complain(_of_the_system(error), "--json" in arguments)
    sys.exit(code if isinstance(code, int) else 0)


def _complain(error: PinyonError, as_json: bool) -> int:
    if as_json:
        import json

        click.echo(json.dumps(error.as_dict()))
    click.echo(f"error: {error}", err=True)
    return error.exit_code


def _of_the_system(error: OSError) -> ExecuteError:
    """An error of the machine's, in our form: full disks and read-only projects are nobody's bug."""
    import errno

    advice = {
        errno.ENOSPC: "free some space, then call it again",
        errno.EDQUOT: "free some of your quota, then call it again",
        errno.EROFS: "the project lies on a read-only file system; copy it, or remount it",
        errno.EACCES: "check who owns it: ls -ld",
        errno.EPERM: "check who owns it: ls -ld",
    }
    where = str(error.filename or error.filename2 or "")
    next_ = advice.get(error.errno or 0, "pinyon doctor")
    return ExecuteError((error.strerror or str(error)).lower(), where=where, next=next_)
