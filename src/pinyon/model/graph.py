"""Resolved stages and the graph of tasks that a goal needs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from pinyon.model.project import Goal, Origin, Pointer

if TYPE_CHECKING:  # most projects have no experiment
    from pinyon.model.experiment import Pairs
    from pinyon.model.study import Study


class Command(NamedTuple):
    """What a stage runs: ``exec`` is one argument vector, ``shell`` is shell lines, each a process of its own, the
    first failure ends it. Both are after interpolation."""

    kind: Literal["shell", "exec"]
    parts: tuple[str, ...]

    def __str__(self) -> str:
        return " ".join(self.parts) if self.kind == "exec" else "\n".join(self.parts)


class Param(NamedTuple):
    """One declared parameter: file (relative to the root), dotted name ("" is the whole file) and its typed value. Without
    a file it stands in the command."""

    file: str
    name: str
    value: Any


class Out(NamedTuple):
    """One place that a stage writes. ``cache`` False: its bytes are not kept in the store when run in place.
    ``persist``: not removed before the stage runs. ``axes`` is what a plot says of itself (``x``, ``y``, ``title``, …)."""

    path: str
    role: Literal["out", "metric", "plot"] = "out"
    cache: bool = True
    persist: bool = False
    axes: Mapping[str, Any] = {}


class Retry(NamedTuple):
    """How often a failed attempt is tried again, and after which causes (`pinyon.model.outcome.CAUSES`)."""

    times: int = 0
    on: tuple[str, ...] = ("lost", "preempted")


class Resources(NamedTuple):
    """What an attempt asks for. Memory and vram in bytes, time in seconds; None means not stated."""

    cpus: float | None = None
    memory: int | None = None
    gpus: float | None = None
    vram: int | None = None
    time: float | None = None


class Adhoc(NamedTuple):
    """What is said of a command that stands in no file (`pinyon run -- CMD`) and of no other.

    ``nonce`` is random and part of the key, so that each time is a run of its own; "" if it may be reused. ``flags`` are
    (name, value) as read from the command's own arguments: recorded, not keyed, since the command is. ``metrics`` are
    files whose numbers count if the command has written them.
    """

    nonce: str = ""
    flags: tuple[tuple[str, Any], ...] = ()
    metrics: tuple[str, ...] = ()


class Stage(NamedTuple):
    """A stage with every template resolved. All paths are posix, relative to the project root unless outside it.

    ``cmd`` is the command as written, resolved but not taken apart: what a dvc.lock records. ``estimate`` is how long the
    user expects it to take, in seconds. ``strict_deps``: the project files that its Python imports are deps, too.
    ``args`` is how it gets its parameters (`pinyon.model.flags.STYLES`), ``arg_names`` those that it names itself.
    """

    name: str
    command: Command
    wdir: str
    deps: tuple[str, ...]
    params: tuple[Param, ...]
    outs: tuple[Out, ...]
    env: tuple[str, ...] = ()
    frozen: bool = False
    always_changed: bool = False
    description: str = ""
    resources: Resources = Resources()
    retry: Retry = Retry()
    origin: Origin = Origin("")
    cmd: str | tuple[str, ...] = ""
    estimate: float | None = None
    strict_deps: bool = False
    adhoc: Adhoc = Adhoc()
    args: str = "file"
    arg_names: tuple[str, ...] = ()

    @property
    def unconditional(self) -> bool:
        """True when it runs every time: it says so, or it declares nothing that could change."""
        return self.always_changed or not (self.deps or self.params or self.env)


class Input(NamedTuple):
    """One dep of a task. ``producers`` are the recipes whose outs it touches; ``exact`` when it *is* one out."""

    path: str
    producers: tuple[str, ...] = ()
    exact: bool = False


class Task(NamedTuple):
    """A vertex of the graph: a stage at a recipe. ``needs`` are the recipes that must have finished before. ``overlay`` is
    what a cell sets in the parameter files that an attempt finds, ``stop`` the condition that ends it early."""

    recipe: str
    stage: Stage
    inputs: tuple[Input, ...]
    needs: tuple[str, ...]
    overlay: Pairs = ()
    stop: str = ""


class Graph(NamedTuple):
    """Tasks by recipe, producers before users; ``followers`` turns ``needs`` round; ``sources`` nobody produces.
    ``pointers`` tell of those sources that lie at, in or around data which a small file names. ``study`` says which tasks
    are the cells of the goal's experiment."""

    goal: Goal
    tasks: Mapping[str, Task]
    followers: Mapping[str, tuple[str, ...]]
    sources: tuple[str, ...]
    pointers: tuple[Pointer, ...] = ()
    study: Study | None = None
