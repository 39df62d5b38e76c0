"""Objects below a directory of another host, reached by the system's own ``ssh``: its configuration, agent and jump hosts
count. Nothing needs to be installed there but Python 3.7."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import tempfile
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar
from urllib.parse import unquote, urlsplit

from pinyon.errors import SpecError, StoreError
from pinyon.store.backends.channel import BrokenError, Channel, RefusedError
from pinyon.store.backends.retry import again
from pinyon.store.backends.shared import check_options, missing, pieces, receiving, refused, size_of
from pinyon.store.objects import Abilities, Listed
from pinyon.store.protocol import Tell, quiet

T = TypeVar("T")

OPTIONS = ("identity", "config", "port", "python")
_CHANNELS = 8  # at a time; sshd allows ten sessions of one connection
_FOR_EVER = re.compile(
    r"Permission denied|Host key verification failed|Could not resolve|not found|No such identity|Bad configuration"
    r"|not accessible|Bad owner|Can't open user config|Too many authentication failures|HOST IDENTIFICATION",
    re.IGNORECASE,
)


def open_ssh(url: str, options: Mapping[str, str]) -> SshObjects:
    """``ssh://user@host:port/absolute/path``; user and port may be left to ssh's configuration.

    Raises:
        SpecError: it is no such URL, or an option is wrong.
    """
    check_options("ssh", options, OPTIONS)
    parts = urlsplit(url)
    try:
        port = options.get("port") or (str(parts.port) if parts.port else "")
        if not parts.hostname or len(parts.path) < 2 or parts.query or (port and not port.isdecimal()):
            raise ValueError
    except ValueError:
        raise SpecError(
            "this URL names no directory of a host",
            where=url,
            why="it must read ssh://USER@HOST/ABSOLUTE/PATH",
            next="correct it; USER@ may be left out",
        ) from None
    command = ["ssh", "-T", *(f"-o{option}" for option in _ALWAYS)]
    command += ["-F", os.path.expanduser(options["config"])] if options.get("config") else []
    command += ["-i", os.path.expanduser(options["identity"])] if options.get("identity") else []
    command += ["-p", port] if port else []
    command += ["-l", unquote(parts.username)] if parts.username else []
    host = parts.netloc.rpartition("@")[2].partition(":")[
        0
    ]  # as it is written: names of a configuration have case
    command += ["--", host]
    return SshObjects(url, unquote(parts.path).rstrip("/"), command, options.get("python") or "python3")


_ALWAYS = (
    "BatchMode=yes",  # nobody is there to type a password
    "ConnectTimeout=20",
    "ServerAliveInterval=15",
    "ServerAliveCountMax=4",
)


class SshObjects:
    """Objects below ``root`` on a host.

    One remote process for each call at a time, all over one connection, kept for the next call. What it does there is what
    a directory of this machine does: temporary file, fsync, rename; `create` is a hard link.
    """

    def __init__(self, url: str, root: str, command: list[str], python: str) -> None:
        self._url, self._root = url.rstrip("/"), root
        self._begin()
        if not shutil.which("ssh"):
            raise StoreError(
                "stores at ssh:// need the program ssh",
                where=url,
                why="it is not on the PATH",
                next="apt-get install openssh-client",
            )
        self._plain = [*command, _remote(python)]
        self._connect()

    def _begin(self) -> None:
        self._idle: list[Channel] = []
        self._free = threading.BoundedSemaphore(_CHANNELS)
        self._opening = threading.Lock()  # the first one makes the connection that the others share
        self._owner = os.getpid()

    def _connect(self) -> None:
        sockets = tempfile.mkdtemp(prefix="pinyon-", dir="/tmp")  # a socket's path may have 104 bytes
        sharing = ["-oControlMaster=auto", "-oControlPersist=no", f"-oControlPath={sockets}/%C"]
        self._command = [*self._plain[:-3], *sharing, *self._plain[-3:]]
        self._close = weakref.finalize(self, _close, self._idle, sockets)

    @property
    def url(self) -> str:
        """See `pinyon.store.objects.Objects.url`."""
        return self._url

    @property
    def abilities(self) -> Abilities:
        """See `pinyon.store.objects.Objects.abilities`."""
        return Abilities(parallel=_CHANNELS)

    def list(self, prefix: str = "") -> Iterator[Listed]:
        """See `pinyon.store.objects.Objects.list`."""

        def ask(channel: Channel) -> list[Listed]:
            found = []
            answer = channel.ask({"call": "list", "prefix": prefix})
            while batch := answer["listed"]:
                found += [Listed(*one) for one in batch]
                answer = channel.answer()
            return found

        yield from self._done(ask)

    def size(self, key: str) -> int | None:
        """See `pinyon.store.objects.Objects.size`."""
        answer = self._done(lambda channel: channel.ask({"call": "read", "key": key, "span": (0, 0)}))
        return None if answer.get("missing") else answer["whole"]

    def read(self, key: str, start: int = 0, end: int | None = None) -> bytes:
        """See `pinyon.store.objects.Objects.read`."""

        def ask(channel: Channel) -> bytes:
            answer = channel.ask({"call": "read", "key": key, "span": (start, end)})
            if answer.get("missing"):
                raise missing(self.url, key)
            return b"".join(channel.body(answer["size"]))

        return self._done(ask)

    def fetch(self, key: str, target: Path, *, tell: Tell = quiet) -> None:
        """See `pinyon.store.objects.Objects.fetch`. What breaks off goes on where it was, if it is the same object's."""
        done = whole = 0
        with receiving(target) as file:

            def ask(channel: Channel) -> None:
                nonlocal done, whole
                answer = channel.ask({"call": "read", "key": key, "span": (done, None)})
                if answer.get("missing"):
                    raise missing(self.url, key)
                if done and answer["whole"] != whole:
                    raise StoreError(
                        f"'{key}' was replaced while it was read", where=self.url, next="try again"
                    )
                whole = answer["whole"]
                for piece in channel.body(answer["size"]):
                    file.write(piece)
                    done += len(piece)
                    tell(len(piece))

            self._done(ask)

    def write(self, key: str, source: bytes | Path, *, tell: Tell = quiet) -> None:
        """See `pinyon.store.objects.Objects.write`."""
        size, told = size_of(source), 0

        def ask(channel: Channel) -> None:
            nonlocal told
            sent = 0

            def count(more: int) -> None:
                nonlocal sent, told
                sent += more
                if sent > told:  # a second try tells only of what the first had not reached
                    tell(sent - told)
                    told = sent

            channel.ask({"call": "write", "key": key, "size": size}, pieces(source, tell=count))

        self._done(ask)

    def create(self, key: str, data: bytes) -> bool:
        """See `pinyon.store.objects.Objects.create`."""
        token = f"{os.getpid()}-{os.urandom(8).hex()}"
        request = {"call": "create", "key": key, "token": token, "size": len(data)}
        made = self._done(lambda channel: channel.ask(request, [data]))["made"]
        self._done(lambda channel: channel.ask({"call": "forget", "token": token}))
        return bool(made)

    def delete(self, keys: Iterable[str]) -> None:
        """See `pinyon.store.objects.Objects.delete`."""
        wanted = list(keys)
        for begin in range(0, len(wanted), 1_000):
            batch = wanted[begin : begin + 1_000]
            self._done(lambda channel, batch=batch: channel.ask({"call": "delete", "keys": batch}))  # type: ignore[misc]

    def _done(self, ask: Callable[[Channel], T]) -> T:
        """What the other end says; over a new connection when one breaks."""

        def once() -> T:
            with self._channel() as channel:
                return ask(channel)

        try:
            return again(once, _is_passing)
        except RefusedError as error:
            raise refused(self.url, error.errno or 0, str(error.filename or "")) from error
        except BrokenError as error:
            raise self._lost(error) from error
        except StoreError:
            raise
        except OSError as error:  # of the local file
            raise refused(self.url, error.errno or 0, str(error.filename or "")) from error

    def _forked(self) -> None:
        """The child of a fork has its parent's channels, and must not speak on them: it makes its own."""
        self._close.detach()
        self._parents = self._idle  # kept, since closing them would end what the parent uses
        self._begin()
        self._connect()

    @contextmanager
    def _channel(self) -> Iterator[Channel]:
        if os.getpid() != self._owner:
            self._forked()
        with self._free:
            channel = self._idle.pop() if self._idle else None
            if channel is None:
                with self._opening:
                    channel = Channel(self._command, self._root)
            try:
                yield channel
            except (RefusedError, StoreError):
                self._keep(channel)
                raise
            except BaseException:
                channel.close()  # who knows what it was about to say
                raise
            self._keep(channel)

    def _keep(self, channel: Channel) -> None:
        if channel.is_clean:
            self._idle.append(channel)
        else:
            channel.close()

    def _lost(self, error: BrokenError) -> StoreError:
        said = error.said or "the connection broke"
        helps = "try again; ssh -v shows what happens"
        if "denied" in said or "authentication" in said:
            helps = "ssh-add your key, or set the option identity"
        elif "verification failed" in said or "IDENTIFICATION" in said:
            helps = f"ssh {shlex.quote(self._command[-2])} once, and look at the key that it shows"
        elif "resolve" in said:
            helps = "correct the host's name"
        elif "not found" in said:
            helps = "name another Python there by the option python, or use rclone:// over sftp"
        return StoreError("this host cannot be reached", where=self.url, why=said, next=helps)


def _is_passing(error: Exception) -> bool:
    return isinstance(error, BrokenError) and not _FOR_EVER.search(error.said)


def _remote(python: str) -> str:
    """The command to run there: it reads its program from its input first, so that nothing lies there."""
    code = "import sys;i=sys.stdin.buffer;exec(i.read(int(i.readline())))"
    return f"exec {shlex.quote(python)} -c {shlex.quote(code)}"


def _close(idle: list[Channel], sockets: str) -> None:
    for channel in idle:  # one of them carries the others, and ends last
        channel.hang_up()
    while idle:
        idle.pop().close()
    shutil.rmtree(sockets, ignore_errors=True)
