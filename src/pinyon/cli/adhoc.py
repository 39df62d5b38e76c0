"""``pinyon run -- COMMAND``: a command that stands in no file, with a history all the same."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

import click

from pinyon.store.place import STORE, project_around

if TYPE_CHECKING:
    from pinyon.model.outcome import Attempt
    from pinyon.report.told import Told

_LOOK = 0.03  # seconds between two looks at the log while it is shown
_OWN = ("deps", "outs", "metrics", "name")


class Words(NamedTuple):
    """What the user said about a command, beside the command."""

    deps: tuple[str, ...]
    outs: tuple[str, ...]
    metrics: tuple[str, ...]
    name: str | None


class RunCommand(click.Command):
    """`run` takes stages, or after ``--`` a command whose words are nobody else's: found at ``meta["command"]``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Only what stands before ``--`` is ours to read."""
        command: tuple[str, ...] | None = None
        if "--" in args:
            at = args.index("--")
            args, command = args[:at], tuple(args[at + 1 :])
        rest = super().parse_args(ctx, args)
        ctx.meta["command"] = command
        _check(ctx, command)
        return rest

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        """Both ways to call it."""
        return [*super().collect_usage_pieces(ctx), "|", "[OPTIONS]", "--", "COMMAND…"]


def _check(ctx: click.Context, command: tuple[str, ...] | None) -> None:
    given = [name for name in _OWN if ctx.params.get(name)]
    if command is None:
        if given:
            raise click.UsageError(
                "-d, -o, -m and --name are for a command: pinyon run -d FILE -- COMMAND", ctx
            )
        return
    if not command:
        raise click.UsageError("there is no command after --", ctx)
    if ctx.params.get("goals"):
        raise click.UsageError("stages before --, and a command after it: only one of them can be run", ctx)
    if ctx.params.get("sets") or ctx.params.get("isolated"):
        raise click.UsageError(
            "a command runs as it is typed and where you stand: -S and --isolated are for stages", ctx
        )


def command_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """-d, -o, -m and --name, which belong to a command after ``--``."""
    for decorate in (
        click.option("--name", metavar="NAME", help="After --: call the run @NAME, not after its script."),
        click.option(
            "-m", "--metric", "metrics", metavar="PATH", multiple=True, help="After --: numbers to record."
        ),
        click.option(
            "-o", "--out", "outs", metavar="PATH", multiple=True, help="After --: what the command makes."
        ),
        click.option(
            "-d", "--dep", "deps", metavar="PATH", multiple=True, help="After --: what the command reads."
        ),
    ):
        function = decorate(function)
    return function


def run_command(
    directory: str, argv: Sequence[str], words: Words, *, force: bool, as_json: bool, dry_run: bool
) -> int:
    """Run a command, show what it prints while it does, and give its own exit code.

    Raises:
        PinyonError: it could not be run, or left no out.
    """
    from pinyon import pipeline
    from pinyon.errors import StageFailedError
    from pinyon.model.project import Goal

    here = os.path.abspath(directory)
    root = project_around(here) or here
    stage = _stage(root, here, argv, words)
    goal = Goal((stage.name,), force=force)
    if dry_run:
        from pinyon.cli.plan import show

        show(pipeline.plan(Path(here), goal, stage), as_json)
        return 0
    signal.signal(signal.SIGTERM, _interrupt)
    os.environ.setdefault("PYTHONUNBUFFERED", "1")  # or its lines would come long after they were printed
    with Echo(os.path.join(root, STORE), sys.stderr.buffer if as_json else sys.stdout.buffer) as echo:
        try:
            pipeline.run(Path(here), goal, tell=echo.tell, adhoc=stage)
        except StageFailedError:
            if echo.last is None or echo.last.detail not in ("exit", "signal", "oom"):
                raise
    return _report(here, stage.name, echo.last, as_json)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _stage(root: str, here: str, argv: Sequence[str], words: Words) -> Any:
    from pinyon.model.ids import new_id
    from pinyon.plan.adhoc import adhoc_stage
    from pinyon.spec.command import read_command

    written = read_command(argv, here)
    deps = list(words.deps)
    if (deps or words.outs) and written.script and os.path.isfile(os.path.join(here, written.script)):
        deps.append(written.script)  # or a corrected script would be taken for the old one
    wdir = os.path.relpath(here, root)
    return adhoc_stage(
        words.name or written.name, written.command, "" if wdir == "." else wdir,
        deps=deps, outs=words.outs, metrics=words.metrics, flags=written.flags, nonce=new_id("n"),
    )  # fmt: skip


def _report(here: str, name: str, ended: Attempt | None, as_json: bool) -> int:
    """Say how it ended, after everything that the command printed; the command's exit code, as a shell tells it."""
    from pinyon.cli.output import number, print_json, word
    from pinyon.model.outcome import SUCCEEDED
    from pinyon.model.units import show_seconds
    from pinyon.query.runs import describe_run, find
    from pinyon.session import open_records

    with ExitStack() as stack:
        index = open_records(Path(here), stack).fold
        attempts = find(index, ended.id if ended else name)
        described = describe_run(index, attempts)
        last = ended or attempts[-1]
        signalled = index.document(last.id)["ended"][3].get("signal")
    if as_json:
        print_json(described)
    else:
        metrics = [f"{name} {number(value)}" for name, value in list(last.metrics.items())[:6]]
        state = "unchanged" if ended is None else "done" if last.state == SUCCEEDED else "FAILED"
        text = f"{word(state, 9)} {name}  {described['run']}"
        text += f"  {show_seconds(last.seconds)}" if ended else ""
        text += f"  {', '.join(metrics)}" if metrics else ""
        click.echo(f"{text}  {last.message}".rstrip(), err=True)
    if ended is None or last.state == SUCCEEDED:
        return 0
    return last.exit_code or 128 + int(signalled or 0)


class Echo:
    """Shows what an attempt prints, as it prints it. A context manager.

    Args:
        store: where logs lie.
        stream: gets the bytes as they are.

    Attributes:
        last: the newest attempt that has ended.
    """

    def __init__(self, store: str, stream: BinaryIO) -> None:
        self._store, self._stream = store, stream
        self._attempt: Attempt | None = None
        self._shown = 0
        self._end = threading.Event()
        self._thread: threading.Thread | None = None
        self.last: Attempt | None = None

    def __enter__(self) -> Echo:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def tell(self, told: Told) -> None:
        """Take what the pipeline tells."""
        if told.kind == "running" and told.attempt is not None:
            self._stop()
            self._attempt, self._shown = told.attempt, 0
            self._end.clear()
            self._thread = threading.Thread(target=self._follow, name="echo", daemon=True)
            self._thread.start()
        elif told.kind == "ended" and told.attempt is not None:
            self.last = told.attempt
            self._stop(told.attempt)
        elif told.kind in ("note", "wait", "repair", "reuse"):
            click.echo(f"{told.kind:9} {told.text}", err=True)

    def _follow(self) -> None:
        while not self._end.wait(_LOOK):
            self._show()

    def _stop(self, ended: Attempt | None = None) -> None:
        """Show the rest, up to the end of the attempt's own output when that is known."""
        self._end.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
            self._attempt = ended or self._attempt
            self._show()

    def _show(self) -> None:
        from pinyon.query.logs import read

        assert self._attempt is not None, "an attempt is shown"
        try:
            while data := read(self._store, self._attempt, self._shown):
                self._shown += len(data)
                self._stream.write(data)
                self._stream.flush()
        except (BrokenPipeError, ValueError):
            self._end.set()  # nobody reads any more; the log has it all
