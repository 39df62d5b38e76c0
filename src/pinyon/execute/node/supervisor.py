"""The supervisor: one event loop that owns every attempt of a driver on this host.

It reads orders from stdin, lets lives go on (`pinyon.execute.node.attempt`), appends their records to its own journal
and repeats each on stdout as a wake-up. When the driver dies it finishes what runs, starts nothing, and ends.
"""

from __future__ import annotations

import contextlib
import math
import os
import select
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from pinyon.execute.node import stop
from pinyon.execute.node.attempt import Attempt, explain
from pinyon.execute.node.channel import Channel
from pinyon.execute.node.commit import Commit
from pinyon.execute.node.companions import NEVER, Maker
from pinyon.execute.node.follow import follow
from pinyon.execute.node.metering import meter
from pinyon.execute.node.process import mark_of
from pinyon.execute.node.rings import collect
from pinyon.execute.node.scrubbing import scrub
from pinyon.execute.node.verdict import OomCounter
from pinyon.execute.protocol import AttemptSpec, StatNote
from pinyon.model.ids import this_process
from pinyon.store.local import LocalStore
from pinyon.store.points import PointsWriter

HEARTBEAT = 30.0  # seconds
_RETRY = 2.0  # seconds until a record that the disk refused is tried again
_LAST_TRIES = 60.0  # seconds that such records may hold up the end
_ANOTHERS = (
    "PINYON_PARAMS",
    "PINYON_RUN",
    "PINYON_STOP_WHEN",
)  # of the attempt that we were started in, if we were
_UNCOMMITTED = ("heartbeat", "durable")  # nothing depends on these, so they cause no fsync


COMPANIONS: tuple[Maker, ...] = (meter, follow, collect, scrub)  # of every attempt


class Supervisor:
    """See the module. Implements `pinyon.execute.node.attempt.Host`.

    Args:
        store: the project's home store.
        channel: the pipes to the driver.
        project: its name, for the records.
    """

    def __init__(self, store: LocalStore, channel: Channel, project: str = "") -> None:
        self.store = store
        self.null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        self.oom = OomCounter()
        # Decoding it anew for each attempt would cost as much as a record.
        self.environment = {k: v for k, v in os.environ.items() if k not in _ANOTHERS}
        self.environment["PINYON_PROJECT"] = project
        self.environment["PINYON_SUPERVISOR"] = mark_of(this_process())
        self.companions = COMPANIONS
        self.inplace_lock: int | None = None
        self._channel = channel
        self._writer = self.store.journals.open_writer(project=project)
        self.points = PointsWriter(f"{store.root}/journals", self._writer.writer)
        self._commit = Commit(self.store.blobs, self._writer, self._safe)
        self._attempts: dict[str, Attempt] = {}
        self._known: set[str] = set()
        self._logs: dict[str, int] = {}  # log file → its descriptor
        self._busy: dict[str, int] = {}  # attempt → number of its log file
        self._backlog: deque[tuple[str, dict[str, Any], tuple[str, ...]]] = deque()
        self._retry_at = 0.0
        self._refused_at = NEVER  # since when the disk refuses
        self._beat_at = NEVER
        self._committed: deque[int] = deque()
        self._ending = self._asked = False
        self._after: list[str] = []
        self._wake_reader, self._wake_writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)

    # What an attempt may ask for

    @property
    def behind(self) -> bool:
        """Whether records wait for the disk to take them."""
        return bool(self._backlog)

    def record(self, kind: str, body: dict[str, Any], blobs: Iterable[str] = ()) -> None:
        """Append to the journal, wake the driver, and have it made durable with the blobs that it names."""
        self._backlog.append((kind, body, tuple(blobs)))
        self._write_backlog()

    def note(self, note: StatNote) -> None:
        """Tell the driver of a file that it need not hash."""
        self._channel.send({"kind": "stat", **note._asdict()}, note=True)

    def work(self, function: Callable[[], Any]) -> Callable[[], bool]:
        """Call a function in a thread of its own; the answer tells whether it has returned."""

        def run() -> None:
            function()
            finished.set()
            self._wake()

        finished = threading.Event()
        threading.Thread(target=run, name="work", daemon=True).start()
        return finished.is_set

    # The loop

    def run(self) -> None:
        """Serve until the driver is done with us, or dead, and nothing runs any more."""
        self._handle_signals()
        while not self._finished():
            self._wait()
            for message in self._channel.receive():
                self._obey(message)
            self._write_backlog()
            self._announce()
            self._beat()
            self._heed_words()
            for attempt in list(self._attempts.values()):
                if not attempt.resume():
                    self._forget(attempt)
            self._channel.flush()
        self._close()
        if self._after and self._known:
            self._last_act()

    def _last_act(self) -> None:
        """Start the command that was asked for, on its own: nothing of ours is left when it looks around."""
        _, log = self._open_log("logs/tick.log")
        null, argv = self.null, self._after
        actions = [(os.POSIX_SPAWN_DUP2, fd, to) for fd, to in ((null, 0), (log, 1), (log, 2))]
        environment = {
            k: v for k, v in self.environment.items() if k != "PINYON_SUPERVISOR"
        }  # it is not ours to end
        os.posix_spawn(argv[0], argv, environment, file_actions=actions, setsid=True)

    def _finished(self) -> bool:
        self._ending = self._ending or not self._channel.open
        hopeless = time.monotonic() > self._refused_at + _LAST_TRIES
        return self._ending and not self._attempts and (hopeless or not self._backlog)

    def _wait(self) -> None:
        """Sleep until a pipe, a signal, a thread or the clock has something for us."""
        poll = select.poll()
        poll.register(self._wake_reader, select.POLLIN)
        if self._channel.open:
            poll.register(0, select.POLLIN)
        if self._channel.pending:
            poll.register(1, select.POLLOUT)
        wakes = [attempt.wake for attempt in self._attempts.values()]
        retry = self._retry_at if self._backlog else NEVER
        patience = min([retry, self._beat_at, *wakes]) - time.monotonic()
        poll.poll(None if patience == NEVER else max(0, math.ceil(patience * 1000)))
        with contextlib.suppress(BlockingIOError):
            os.read(self._wake_reader, 4096)

    def _obey(self, message: dict[str, Any]) -> None:
        op = message.get("op")
        if op == "run" and not self._ending:
            self._start(message["spec"])
        elif op == "cancel":
            for attempt in self._attempts.values():
                if message.get("attempt") in (None, attempt.spec.attempt):
                    attempt.cancel(str(message.get("detail") or "user"))
        elif op == "after":
            self._after = list(message["argv"])
        elif op == "exit":
            self._ending = True

    def _start(self, data: dict[str, Any]) -> None:
        name = data["attempt"]
        if name in self._known:
            return
        self._known.add(name)
        try:
            spec = AttemptSpec.from_json(data)
            lane = next(number for number in range(len(self._busy) + 1) if number not in self._busy.values())
            attempt = Attempt(spec, self, self._open_log(f"logs/{spec.execution}/{lane}.log"))
        except (OSError, ValueError, TypeError, KeyError) as error:
            body = {
                "attempt": name,
                "state": "FAILED",
                "detail": "setup",
                "reusable": False,
                "message": explain(error),
            }
            self.record("ended", body)
            return
        self._attempts[name] = attempt
        self._busy[name] = lane
        self._beat_at = min(self._beat_at, time.monotonic() + HEARTBEAT)

    def _open_log(self, path: str) -> tuple[str, int]:
        if path not in self._logs:
            full = f"{self.store.root}/{path}"
            # Nothing is made in the bare mount point of a store that is away.
            os.stat(f"{self.store.root}/format.json")
            os.makedirs(os.path.dirname(full), exist_ok=True)
            flags = os.O_CREAT | os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC
            self._logs[path] = os.open(full, flags, 0o664)
        return path, self._logs[path]

    def _forget(self, attempt: Attempt) -> None:
        del self._attempts[attempt.spec.attempt]
        del self._busy[attempt.spec.attempt]
        if not self._attempts:
            self._beat_at = NEVER

    def _beat(self) -> None:
        if time.monotonic() >= self._beat_at:
            self._beat_at = time.monotonic() + HEARTBEAT
            self.record("heartbeat", {"attempts": list(self._attempts)})

    # Records

    def _write_backlog(self) -> None:
        """Append what waits, in order. What the disk refuses waits on: the fact is not lost while we live."""
        while self._backlog and time.monotonic() >= self._retry_at:
            kind, body, blobs = self._backlog[0]
            try:
                event = self._writer.append(kind, body)
            except OSError:
                self._commit.give_up()  # how much of the old segment would survive is unknown
                self._retry_at = time.monotonic() + _RETRY
                self._refused_at = min(self._refused_at, time.monotonic())
                return
            self._backlog.popleft()
            self._refused_at = NEVER
            self._channel.send(
                {"kind": kind, "writer": event.writer, "seq": event.seq, "ts": event.ts, "body": body}
            )
            if kind not in _UNCOMMITTED:
                self._commit.add(event.seq, blobs)

    def _safe(self, through: int) -> None:
        """In the commit thread: everything up to ``through`` survives power loss."""
        self._committed.append(through)
        self._wake()

    def _announce(self) -> None:
        while self._committed:
            self.record("durable", {"through": self._committed.popleft()})

    def _close(self) -> None:
        self._commit.close()
        self.points.close()
        self._announce()
        if not self._backlog:
            with contextlib.suppress(
                OSError
            ):  # after a failed fsync nothing more is promised; what is written stays
                self._writer.close()
        self._channel.flush()

    # Signals and threads

    def _handle_signals(self) -> None:
        for number in (signal.SIGINT, signal.SIGHUP, signal.SIGPIPE):
            signal.signal(number, signal.SIG_IGN)
        signal.set_wakeup_fd(self._wake_writer, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)  # its byte in the wake pipe is all that is needed
        signal.signal(signal.SIGTERM, self._shut_down)
        signal.signal(stop.SIGNAL, self._ask)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())  # the target held them back until now

    def _shut_down(self, *_: object) -> None:
        self._ending = True
        self._after = []  # who ends us does not want it to go on
        for attempt in self._attempts.values():
            attempt.cancel("shutdown")

    def _ask(self, *_: object) -> None:
        self._asked = True

    def _heed_words(self) -> None:
        """End the attempts that somebody has asked us to end."""
        if self._asked:
            self._asked = False
            for attempt in self._attempts.values():
                actor = stop.take_word(str(self.store.root), attempt.spec.attempt)
                if actor is not None:
                    attempt.cancel("user", actor)

    def _wake(self) -> None:
        with contextlib.suppress(BlockingIOError):  # full of wake-ups already
            os.write(self._wake_writer, b"!")
