"""One process of an attempt: cheap to start, watched through a pipe, ended with all its descendants."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import signal
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from pinyon.errors import ExecuteError
from pinyon.model.ids import ProcessId

_HIGH = 64
# What the supervisor ignores or handles must not be ignored in the command.
_DEFAULTED = (signal.SIGINT, signal.SIGHUP, signal.SIGPIPE, signal.SIGTERM, signal.SIGCHLD)


# A line of such words means the same without a shell; make(1) saves the shell for such lines, too.
_PLAIN = re.compile(r"[A-Za-z0-9_./-][A-Za-z0-9_./,:+%@-]*(?: +[A-Za-z0-9_./,:+%@=-]+)*")
_SHELLS_OWN = frozenset(
    " ".join(
        (
            ". : alias bg break builtin case cd command continue declare do done echo elif else esac eval exec exit",
            "export false fc fg fi for function getopts hash help history if jobs kill let local printf pwd read",
            "readonly return select set shift source test then time times trap true type typeset ulimit umask unalias",
            "unset until wait while",
        )
    ).split()
)


def words(line: str) -> list[str]:
    """The argument vector of a shell line: its own words if a shell would do nothing but run them, else a shell's."""
    if _PLAIN.fullmatch(line):
        argv = line.split()
        if argv[0] not in _SHELLS_OWN and ("/" in argv[0] or _search(argv[0], os.environ)):
            return argv
    return ["/bin/sh", "-c", line]


class Exit(NamedTuple):
    """How a process ended. ``code`` is None when a signal ended it; ``used`` is (cpu seconds, peak bytes)."""

    code: int | None
    signal: int | None
    used: tuple[float, int]


class Process:
    """A running command, leader of its own session.

    A pipe whose other end every descendant inherits tells when the last of them is gone, even one that left the
    process group: killing the group and reaping the leader alone would let such a child write on.

    Attributes:
        pid: of the leader.
        alive: read end of the pipe; at end of file once nobody is left.
    """

    def __init__(
        self, argv: list[str], cwd: str, env: Mapping[str, str], output: int, lock: int, null: int
    ) -> None:
        self.alive, theirs = _watch_pipe()
        self._exit: Exit | None = None
        try:
            self.pid = _spawn(argv, cwd, env, (null, output), (lock, theirs))
        except BaseException:
            os.close(self.alive)
            raise
        finally:
            os.close(theirs)

    def poll(self) -> Exit | None:
        """How the leader ended; None while it runs. What is left of its group is killed at that moment."""
        if self._exit is not None:
            return self._exit
        # The leader stays a zombie until the group is killed, so that its number cannot be anybody else's.
        if os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            return None
        self.signal(signal.SIGKILL)
        _, status, usage = os.wait4(self.pid, 0)
        used = (usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)
        if os.WIFSIGNALED(status):
            self._exit = Exit(None, os.WTERMSIG(status), used)
        else:
            self._exit = Exit(os.WEXITSTATUS(status), None, used)
        return self._exit

    def signal(self, number: int) -> None:
        """Send a signal to the whole group; no matter if it has gone."""
        if self._exit is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, number)

    def gone(self) -> bool:
        """Whether no descendant is left."""
        try:
            return os.read(self.alive, 1) == b""
        except BlockingIOError:
            return False

    def close(self) -> None:
        """Stop watching."""
        os.close(self.alive)


def _watch_pipe() -> tuple[int, int]:
    ours, low = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    theirs = fcntl.fcntl(low, fcntl.F_DUPFD_CLOEXEC, _HIGH)
    os.close(low)
    return ours, theirs


def _spawn(
    argv: list[str], cwd: str, env: Mapping[str, str], standard: tuple[int, int], inherited: tuple[int, ...]
) -> int:
    """posix_spawn: a fifth of the cost of fork in a process with some memory. It has no cwd of its own to give, so ours
    moves for that moment (worker threads use absolute paths only)."""
    null, output = standard
    os.chdir(cwd)
    try:
        program = find_program(argv[0], env)
        for fd in inherited:
            os.set_inheritable(fd, True)
        return os.posix_spawn(
            program,
            argv,
            env,
            file_actions=[
                (os.POSIX_SPAWN_DUP2, null, 0),
                (os.POSIX_SPAWN_DUP2, output, 1),
                (os.POSIX_SPAWN_DUP2, output, 2),
            ],
            setsid=True,
            setsigmask=(),
            setsigdef=_DEFAULTED,
        )
    finally:
        for fd in inherited:
            os.set_inheritable(fd, False)
        os.chdir("/")


def find_program(name: str, env: Mapping[str, str]) -> str:
    """The file that ``name`` means under this PATH.

    Raises:
        ExecuteError: there is none.
    """
    if "/" in name:
        return name
    path = _search(name, env)
    if path:
        return path
    raise ExecuteError(
        f"there is no program '{name}'", why="no directory of PATH has it", next=f"install {name}"
    )


def _search(name: str, env: Mapping[str, str]) -> str:
    """The first executable file of that name; empty when there is none."""
    for folder in env.get("PATH", os.defpath).split(os.pathsep):
        path = f"{folder}/{name}"
        if os.access(path, os.X_OK) and os.path.isfile(path):
            return path
    return ""


def mark_of(supervisor: ProcessId) -> str:
    """By which everything that a supervisor has started can be told: in their environment, as PINYON_SUPERVISOR."""
    return f"{supervisor.boot}/{supervisor.pid}/{supervisor.start}"


def leftovers(attempt: str, supervisor: ProcessId | None = None) -> Iterator[int]:
    """Processes of this user that carry the attempt's id in the environment they were started with, or the mark of a
    supervisor."""
    marks = {f"PINYON_ATTEMPT={attempt}".encode()}
    marks |= {f"PINYON_SUPERVISOR={mark_of(supervisor)}".encode()} if supervisor else set()
    for entry in os.listdir("/proc"):
        if not entry.isdigit() or int(entry) == os.getpid():
            continue
        try:
            with open(f"/proc/{entry}/environ", "rb") as file:
                if not marks.isdisjoint(file.read().split(b"\0")):
                    yield int(entry)
        except OSError:
            continue  # gone meanwhile, or another user's


def kill_leftovers(attempt: str, supervisor: ProcessId | None = None) -> int:
    """SIGKILL what is left of an attempt, or of all that a dead supervisor has started; the number of processes that were
    told."""
    count = 0
    for pid in leftovers(attempt, supervisor):
        try:
            os.kill(pid, signal.SIGKILL)
            count += 1
        except (ProcessLookupError, PermissionError):
            continue
    return count
