"""The run that a training script is part of."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from typing import TYPE_CHECKING, Any, TypeVar

from pinyon.errors import DivergedError, TrackError
from pinyon.track import prune, shutdown
from pinyon.track.caps import Caps
from pinyon.track.helpers import NanGuard
from pinyon.track.params import Params, merge
from pinyon.track.sink import PATIENCE, Sink, note
from pinyon.track.values import fact, number, numbers, plain

if TYPE_CHECKING:
    from pinyon.track.checkpoint import Checkpoint, Checkpoints
    from pinyon.track.current import Identity
    from pinyon.track.own import Own

T = TypeVar("T")
_PLAIN = frozenset({float, int})
_LEAST = 0.25  # seconds that remain for the disk at the end, however long all else took


def _plain(kind: tuple[Any, ...], count: int) -> bool:
    """Whether so many values have names that are texts, and are numbers as they are."""
    return _PLAIN.issuperset(kind[count:]) and all(type(name) is str for name in kind[:count])


class Summary(MutableMapping[str, Any]):
    """Final numbers or texts of a run by name; setting one records it."""

    def __init__(self, run: Run) -> None:
        self._run, self._values = run, dict[str, Any]()

    def __setitem__(self, name: str, value: Any) -> None:
        self.update({name: value})

    def update(self, *args: Any, **named: Any) -> None:
        """Set several in one record."""
        values = self._run.caps.fact({str(name): fact(value) for name, value in dict(*args, **named).items()})
        if values:
            self._values.update(values)
            self._run._tell("summary", {"values": values})

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __delitem__(self, name: str) -> None:
        raise TrackError(f"what the summary says of '{name}' is recorded", next="set it anew")

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"Summary({self._values!r})"


class Run:
    """The current run, as `pinyon.run` gives it. A context manager: outside an attempt its end is the run's.

    `log`, `summary`, `tag`, `note` and `progress` cost microseconds and never raise because of the disk: what cannot be
    written is kept, tried again, and said once on stderr.

    Attributes:
        id: of the run, as ``pinyon show`` takes it.
        attempt, stage, execution: whose try it is.
        params: its parameters (`pinyon.track.params.Params`).
        summary: its final numbers or texts; the newest of a name counts.
        caps: what of long names and texts is kept.
    """

    def __init__(self, identity: Identity, params: Mapping[str, Any], stop: prune.StopWhen | None) -> None:
        self.id, self.attempt = identity.run, identity.attempt
        self.stage, self.execution = identity.stage, identity.execution
        self.params = Params(params)
        self.summary = Summary(self)
        self._identity, self._declared, self._stop = identity, dict(params), stop
        self._sink = Sink(identity.store, identity.attempt, identity.project)
        self.caps = Caps(self._say)
        self._pid = os.getpid()
        self._zero = time.monotonic() - max(0.0, time.time() - identity.started)
        self._newest: dict[str, Any] = {}  # of each metric, for the condition
        self._step = -1  # of the newest point
        self._loops: list[int] = []  # numbers of the loops that `progress` goes through, the innermost last
        self._pruned = ""
        self._guards: dict[str, NanGuard] = {}
        self._checkpoints: Checkpoints | None = None
        self.finished = False

    # Points

    def log(
        self, values: Mapping[str, Any] | None = None, /, *, step: int | None = None, **named: Any
    ) -> None:
        """Record numbers at a step, by keyword or as a map. They survive `kill -9` when this returns (docs/track.md).

        Scalars of numpy and torch are numbers (one on a GPU is waited for); nested maps get dotted names; NaN is kept.
        Histograms, tables, texts, images and the like (`pinyon.track.media`) and figures of matplotlib's and plotly's are
        written at once. What is none of these is left out and said once.

        Args:
            step: where on the x-axis; without it the number of the `progress` loop, else one more than before.

        Raises:
            SystemExit: the condition for an early end held before this call (docs/track.md).
        """
        try:
            now = time.monotonic()
            others: list[tuple[str, Any]] | None = None  # what is no number
            if values is not None:  # which is packed before this returns, so it need not be copied
                named = {**values, **named} if named or type(values) is not dict else values
            kind = (*named, *map(type, named.values()))
            if kind not in self._sink.kinds:
                if not _plain(kind, len(named)):
                    others = []
                    named = numbers(named, lambda name, value, others=others: others.append((name, value)))
                named = self.caps.metrics(named)
                kind = (*named, *map(type, named.values()))
            if step is None:
                step = self._loops[0] if len(self._loops) == 1 else self._step + 1
            elif type(step) is not int:
                step = int(step)
            self._step = step
            if named or not others:
                self._sink.put(now - self._zero, step, named, kind)
            if others:
                self._keep(others, now - self._zero, step)
        except Exception as error:  # noqa: BLE001 - whatever it is, training goes on
            self._sink.once("log", f"log() could not take {type(error).__name__}: {error}")
        if self._stop is not None:
            self._newest.update(named)
            self._heed(self._stop)

    def _say(self, what: str, text: str) -> None:
        self._sink.once(what, text)  # of the sink that is there by then: a fork gets one of its own

    def _keep(self, things: list[tuple[str, Any]], t: float, step: int) -> None:
        from pinyon.track.media.record import keep_all

        keep_all(self._sink, [(self.caps.name(name), value) for name, value in things], t, step)

    def _heed(self, stop: prune.StopWhen) -> None:
        """End what was flagged by an earlier call; else flag it if the condition holds now."""
        if not self._pruned:
            self._pruned = stop.met(self._newest, self._step)
            return
        if threading.current_thread() is not threading.main_thread():
            return  # there SystemExit would only end the thread
        try:
            self._sink.flush()
            prune.leave_word(self._identity.store, self.attempt, self._pruned)
        except OSError as error:  # nobody would know why it ended, so it does not
            self._sink.once("pruned", f"the run should end early, but {error}")
            return
        note(f"ended early: {self._pruned}")
        raise SystemExit(prune.PRUNED)

    def guard(self, value: Any, *, times: int = 3, name: str = "loss") -> float:
        """Give the number back, unless it is the ``times``-th in a row that is NaN or infinite.

        Raises:
            DivergedError: it is. Uncaught, it fails the run.
        """
        found = number(value)
        if found is None:
            raise TrackError(f"{name} is a {type(value).__name__}, no number", next="pass one number")
        guard = self._guards.get(name)
        if guard is None or guard.times != times:
            guard = self._guards[name] = NanGuard(times)
        if guard(found):
            raise DivergedError(
                f"{name} was {found} {times} times in a row",
                where=f"step {self._step}",
                why="training has diverged",
                next="lower the learning rate, or resume from a checkpoint",
            )
        return float(found)

    def progress(self, iterable: Iterable[T], *, total: int | None = None, label: str = "") -> Iterable[T]:
        """Go through ``iterable``, showing how far it is: a line on a terminal, nothing in a log file; and recorded.

        Inside one such loop, `log` without a step takes the loop's number.

        Raises:
            SystemExit: the condition for an early end held (docs/track.md).
        """
        from pinyon.track.progress import Progress

        depth: list[int] = []

        def step(at: int | None) -> None:
            if not depth:
                depth.append(len(self._loops))
            del self._loops[depth[0] :]
            if at is not None:
                self._loops.append(at)
                if self._stop is not None and self._pruned:
                    self._heed(self._stop)

        def record(done: int, of: int | None) -> None:
            self._tell(
                "progress", {"step": done, "total": of, **({"label": label} if label else {})}, lazy=True
            )

        return Progress(iterable, total, label, record, step)

    # Facts

    def use(self, params: Mapping[str, Any] | Any) -> Params:
        """Tell the run's parameters: a map, an `argparse.Namespace` or the like. What the stage declares goes before it.

        Returns:
            `params`, now with these.
        """
        given = plain(params if isinstance(params, Mapping) else vars(params))
        self.params = Params(merge(merge(self.params.to_dict(), given), self._declared))
        if given:
            self._tell("params", {"params": Params(given).flat()})
        return self.params

    def tag(self, *names: str, **tags: str | None) -> None:
        """Tag the run: ``run.tag("good", model="lstm")``; None takes one away."""
        found = {**dict.fromkeys(names, ""), **tags}
        self._tell(
            "tagged", {"tags": {name: None if text is None else str(text) for name, text in found.items()}}
        )

    def note(self, text: str) -> None:
        """Add a note for people."""
        self._tell("noted", {"text": str(text)})

    def _tell(self, kind: str, body: dict[str, Any], *, lazy: bool = False) -> None:
        try:
            self._sink.tell(kind, self.caps.fact(body), lazy=lazy)
        except Exception as error:  # noqa: BLE001 - as in `log`
            self._sink.once(kind, f"{kind} could not be recorded: {error}")

    def child(
        self,
        name: str = "",
        *,
        params: Mapping[str, Any] | Any = None,
        tags: Mapping[str, str] | None = None,
        group: str = "",
    ) -> Run:
        """Begin a run inside this one, such as one fold of several: ``with run.child("fold-1") as inner:``.

        It is a run of its own, which ends with ``with`` or `finish`, or with the process; not with this one. Several may be
        open at once, in threads, too. `pinyon.run` still gives this one.

        Args:
            name: what to call it, with an ``@`` in front; default: as this one.
            params, tags, group: as for `pinyon.run`.
        """
        from pinyon.track.current import begin_child

        inner = begin_child(self, name, params, group)
        if tags:
            inner.tag(**tags)
        return inner

    # Bytes

    def artifact(
        self, source: str | os.PathLike[str] | bytes, name: str = "", *, role: str = "artifact", **about: Any
    ) -> str:
        """Keep a file, a folder or bytes with the run.

        Args:
            name: what to call it; default: the file's own name.
            role: ``artifact``, ``figure`` or ``model``.
            about: more to say about it, for people.

        Returns:
            Its digest; "" if the disk refused, which is said on stderr.

        Raises:
            TrackError: there is no such file, or bytes without a name.
        """
        from pinyon.track.artifacts import keep

        return keep(self._sink, source, name, role, {key: fact(value) for key, value in about.items()})

    def figure(self, figure: Any, name: str, *, step: int | None = None) -> str:
        """Keep a picture: a figure of matplotlib's or plotly's, a PIL image, SVG text or the path of a file.

        Args:
            name: its ending says the format, as in ``roc.svg``; default png.
            step: of the training, if it belongs to one.

        Returns:
            Its digest; "" if the disk refused.

        Raises:
            TrackError: it is none of these.
        """
        from pinyon.track.media.record import keep_figure

        t = time.monotonic() - self._zero
        return keep_figure(self._sink, figure, name, t, None if step is None else int(step))

    # Checkpoints

    def checkpoint(self, step: int, *, keep: int = 3, **state: Any) -> Checkpoint | None:
        """Save what it takes to go on from here, all of it or nothing; on disk when this returns.

        Objects with a ``state_dict`` are saved by it, others as they are, with the random states of Python, numpy and
        torch. Call it in one process of several.

        Args:
            step: where `resume` will go on.
            keep: so many of the run's checkpoints stay; older ones are given up to ``pinyon gc``.

        Returns:
            The checkpoint; None if the disk refused, which is said on stderr. Training goes on.

        Raises:
            TrackError: the state cannot be pickled.
        """
        return self._saved.save(int(step), state, keep)

    def resume(self, *, rng: bool = True, **objects: Any) -> Checkpoint | None:
        """Load the newest checkpoint of the run that verifies, from this attempt or an earlier one; None if there is none.

        Args:
            objects: each gets its part by ``load_state_dict``; other parts are in the answer's ``state``.
            rng: whether to restore random states.

        Raises:
            TrackError: the checkpoint lacks one of the objects, or one cannot load.
        """
        found = self._saved.load(objects, rng=rng)
        if found is not None:
            self._step = max(self._step, found.step - 1)
        return found

    @property
    def _saved(self) -> Checkpoints:
        from pinyon.track.checkpoint import Checkpoints

        if self._checkpoints is None:
            self._checkpoints = Checkpoints(self._sink, self._identity.started)
        return self._checkpoints

    # The end

    def flush(self) -> None:
        """Have everything on disk now, so that it survives even a loss of power."""
        self._sink.flush(sync=True)

    def finish(self, error: BaseException | None = None) -> None:
        """End the run; inside an attempt, only this process's part in it. Called at exit, if not before.

        Args:
            error: what ended it; it has then failed, or been cancelled.
        """
        if self.finished:
            return
        self.finished = True
        shutdown.forget(self)
        own = self._identity.own
        if own is None or self._pid != os.getpid():
            self._sink.close()
            return
        word = prune.take_word(self._identity.store, self.attempt) if self._pruned else ""
        self._end(own, error, word)
        own.unwatch()

    def when_free(self, call: Callable[[], None]) -> None:
        """Call this now or, in a handler of a signal that interrupts a write of this run, right after it."""
        self._sink.when_free(call)

    def shut_down(self) -> None:
        """End it because the process is about to be ended from outside."""
        if self.finished:
            return
        self.finished = True
        own = self._identity.own
        if own is None or self._pid != os.getpid():
            self._sink.close()
        else:
            self._end(own, None, shutdown=True)

    def _end(
        self, own: Own, error: BaseException | None, pruned: str = "", *, shutdown: bool = False
    ) -> None:
        """Record it. What goes on in the background and the disk are waited for, for one second in all."""
        until = time.monotonic() + PATIENCE
        end = own.ended(dict(self.summary), error, pruned, shutdown=shutdown)
        self._sink.close(lambda: end(self._sink), max(_LEAST, until - time.monotonic()))

    def __enter__(self) -> Run:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self.finish(error)

    def _repr_html_(self) -> str:
        """As a notebook shows it."""
        from pinyon.track.display import page

        return page(self.id, self.stage, self.params.flat(), dict(self.summary))

    def __repr__(self) -> str:
        return f"<run {self.id} of {self.stage}>"

    def _after_fork(self) -> None:
        """In a forked child: the same run, a writer of its own, nothing of what the parent has still to write."""
        self._sink.leave()
        self._sink = Sink(self._identity.store, self.attempt, self._identity.project)
        self._checkpoints = None
