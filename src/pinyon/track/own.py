"""A run that begins in the process that asks for it: a script or a notebook that nobody started with `pinyon run`.

Its records are those of any other ad-hoc run. The process is its own supervisor, so if it is killed its run is LOST.
"""

from __future__ import annotations

import builtins
import json
import os
import re
import resource
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pinyon
from pinyon.errors import PinyonError
from pinyon.model.actor import current_actor
from pinyon.model.ids import attempt_id, host_name, new_id, run_id, this_process
from pinyon.model.outcome import CANCELLED, FAILED, SUCCEEDED
from pinyon.model.scheduler import job_of
from pinyon.store.place import project_around
from pinyon.track.current import Identity
from pinyon.track.ending import WATCH
from pinyon.track.params import Params
from pinyon.track.prune import PRUNED

if TYPE_CHECKING:
    from pinyon.capture.facts import Status
    from pinyon.track.background import Background
    from pinyon.track.sink import Sink

_LONG = 500  # characters of a message
_MOST = 100_000  # bytes of parameters in the environment
_PLAIN_NAME = re.compile(r"[^\w.+-]+")


class Own:
    """The begin and the end of such a run.

    Args:
        root: the project's directory.
        key: random.
        inputs: as an intent holds them.
        kin: ``parent`` (id of the run that it is part of) and ``group``, as far as there are any.
    """

    def __init__(
        self, root: str, stage: str, key: str, attempt: str, inputs: Mapping[str, Any], kin: Mapping[str, str]
    ) -> None:
        self._root, self._stage, self._key, self._attempt = root, stage, key, attempt
        self._inputs, self._kin = dict(inputs), dict(kin)
        self._cpu = _cpu_seconds()
        self._execution = new_id("x")
        self._began = time.monotonic()
        self._error: BaseException | None = None
        self._set: dict[str, str] = {}
        self._background: Background | None = None

    @property
    def execution(self) -> str:
        """Its id."""
        return self._execution

    def intend(self, sink: Sink, project: str) -> None:
        """Record that it has begun."""
        code = _status(self._root, self._kin.get("parent", ""))
        actor = current_actor().as_dict()
        goal = {
            "stages": [self._stage],
            "overrides": [],
            "force": False,
            "keep_going": False,
            "isolated": False,
        }
        where = {"project": project, "root": os.path.realpath(self._root)}
        about = {"execution": self._execution, **where}
        body = {
            **about,
            "actor": actor,
            "argv": _argv(),
            "goal": goal,
            "host": host_name(),
            "git": code.git,
            "stages": 1,
        }
        body |= {"pinyon": pinyon.__version__, **({"git_note": code.note} if code.note else {})}
        sink.tell("execution", body, whose=False)
        process = list(this_process())
        intent = {"key": self._key, "recipe": self._key, "stage": self._stage, "epoch": 1, "mode": "in place"}
        intent |= {"supervisor": process, "reason": "a script", "inputs": self._inputs}
        sink.tell("intent", {**about, **intent, **self._kin})
        job = job_of(os.environ)
        sink.tell("running", {"pid": os.getpid(), **({"scheduler": job} if job else {})})
        sink.flush()
        if "parent" not in self._kin:  # what is inside of a run is captured and sampled with it
            from pinyon.track.background import Background

            self._background = Background(sink, self._root, self._execution, code, self._began)
            self._background.start()

    @property
    def flags(self) -> list[list[Any]]:
        """Its parameters, (name, value)."""
        return list(self._inputs["flags"])

    def watch(self) -> None:
        """Learn of an exception that nobody catches and of `sys.exit`."""
        WATCH.add(self._hear)

    def _hear(self, error: BaseException) -> None:
        self._error = error

    def join(self, identity: Identity) -> None:
        """Let processes that are started join the run."""
        rows = json.dumps([["", name, value] for name, value in self._inputs["flags"]])
        self._set = {**environment(identity), **({"PINYON_PARAMS": rows} if len(rows) <= _MOST else {})}
        os.environ.update(self._set)

    def ended(
        self,
        metrics: Mapping[str, Any],
        error: BaseException | None,
        pruned: str = "",
        *,
        shutdown: bool = False,
    ) -> Callable[[Sink], None]:
        """What records how it ended, as it is now.

        Args:
            shutdown: its process was told to end.
        """
        if self._background is not None:
            self._background.stop()
        state, detail, code, message = outcome(error or self._error, pruned)
        number = None
        if shutdown:
            state, detail, code, message = (
                CANCELLED,
                "shutdown",
                None,
                "its process was told to end (SIGTERM)",
            )
            number = int(signal.SIGTERM)
        counts = {state.lower(): 1}
        known = {name: value for name, value in metrics.items() if value is not None}
        used = resource.getrusage(resource.RUSAGE_SELF)
        body: dict[str, Any] = {"state": state, "detail": detail, "exit_code": code, "signal": number}
        body |= {
            "seconds": round(time.monotonic() - self._began, 6),
            "cpu_seconds": round(_cpu_seconds() - self._cpu, 6),
            "max_rss": used.ru_maxrss * 1024,
            "message": message,
            "reusable": True,
        }

        def record(sink: Sink) -> None:
            sink.flush()
            sink.tell("outputs", {"outs": [], "metrics": known, "skipped_metrics": []})
            sink.tell("ended", body)
            sink.tell(
                "finished", {"execution": self._execution, "state": state, "counts": counts}, whose=False
            )

        return record

    def unwatch(self) -> None:
        """Be as if nothing had been."""
        for name, value in self._set.items():
            if os.environ.get(name) == value:
                del os.environ[name]
        WATCH.remove(self._hear)


def begin(name: str, params: Mapping[str, Any] | None, group: str = "") -> Identity:
    """A new run in the project around the working directory, whose store is made if there is none.

    Raises:
        OSError, PinyonError: nothing can be recorded there.
    """
    from pinyon.store.local import home_store
    from pinyon.store.place import share_with_group

    here = os.getcwd()
    root = project_around(here) or here
    store = home_store(Path(root))
    share_with_group(root, str(store.root))
    project = _project(root)
    store.prepare(project)
    given = Params(params).flat() if params is not None else _flags()
    return _identity(
        root, str(store.root), project, name or _name(), given, {"group": group} if group else {}
    )


def begin_inside(outer: Identity, name: str, params: Mapping[str, Any] | None, group: str) -> Identity:
    """A new run inside another one, in the store of that one; `begin`."""
    root = os.environ.get("PINYON_ROOT") or project_around(os.getcwd()) or os.getcwd()
    given = Params(params or {}).flat()
    kin = {"parent": outer.run, **({"group": group} if group else {})}
    return _identity(root, outer.store, outer.project, name or outer.stage, given, kin)


def _identity(
    root: str, store: str, project: str, name: str, given: Mapping[str, Any], kin: Mapping[str, str]
) -> Identity:
    key = os.urandom(32).hex()
    stage, attempt = f"@{name.lstrip('@')}", attempt_id(key, 1)
    inputs = {
        "command": ["exec", *_argv()], "wdir": os.path.relpath(os.getcwd(), root).replace(os.sep, "/"),
        "params": [], "deps": [], "outs": [], "env": [], "flags": [[name, value] for name, value in given.items()],
    }  # fmt: skip
    own = Own(root, stage, key, attempt, inputs, kin)
    return Identity(run_id(key), attempt, stage, own.execution, store, project, time.time(), own)


def nowhere(name: str) -> Identity:
    """A run that is not recorded."""
    key = os.urandom(32).hex()
    stage = f"@{(name or _name()).lstrip('@')}"
    return Identity(run_id(key), attempt_id(key, 1), stage, new_id("x"), os.devnull, "", time.time())


def environment(identity: Identity) -> dict[str, str]:
    """By which a process that is started joins the run."""
    return {
        "PINYON_ATTEMPT": identity.attempt,
        "PINYON_RUN": identity.run,
        "PINYON_STAGE": identity.stage,
        "PINYON_EXECUTION": identity.execution,
        "PINYON_STORE": identity.store,
        "PINYON_PROJECT": identity.project,
        "PINYON_STARTED": repr(identity.started),
    }


def outcome(error: BaseException | None, pruned: str) -> tuple[str, str, int | None, str]:
    """State, detail, exit code and message of a run that ended with this error."""
    if pruned:
        return CANCELLED, "pruned", PRUNED, pruned
    if error is None:
        return SUCCEEDED, "", 0, ""
    if isinstance(error, SystemExit):
        if error.code is None or error.code == 0:
            return SUCCEEDED, "", 0, ""
        code = error.code if isinstance(error.code, int) else 1
        return FAILED, "exit", code, f"the script ended with exit code {code}"
    if isinstance(error, KeyboardInterrupt):
        return CANCELLED, "user", 130, "it was cancelled"
    cause = "oom" if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError" else "exit"
    return FAILED, cause, 1, " ".join(f"{type(error).__name__}: {error}".split())[:_LONG]


def _project(root: str) -> str:
    from pinyon.store.place import SPEC_FILES

    if any(os.path.exists(os.path.join(root, file)) for file in SPEC_FILES):
        from pinyon.spec.load import load_project

        try:
            return load_project(Path(root)).name
        except PinyonError:  # somebody is editing it; a script does not need it
            pass
    return os.path.basename(os.path.realpath(root))


_known_status: dict[str, Status] = {}


def _status(root: str, parent: str) -> Status:
    """What git says. Asked once for all runs inside one: git takes longer than a short one."""
    from pinyon.capture.facts import status

    if not parent:
        return status(Path(root))
    if parent not in _known_status:
        _known_status[parent] = status(Path(root))
    return _known_status[parent]


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _argv() -> Sequence[str]:
    words: Sequence[str] = getattr(sys, "orig_argv", None) or [sys.executable, *sys.argv]
    return list(words)


def _flags() -> dict[str, Any]:
    from pinyon.spec.command import flags

    return {} if _notebook() else flags(sys.argv[1:])


def _notebook() -> bool:
    return hasattr(builtins, "__IPYTHON__")


def _name() -> str:
    """What to call this process: its script, its module, or what kind of prompt it is."""
    if _notebook():
        return "notebook"
    main = sys.modules.get("__main__")
    file = os.path.basename(str(getattr(main, "__file__", None) or "python"))
    if file == "__main__.py":
        file = str(getattr(getattr(main, "__spec__", None), "parent", "") or "python")
    return _PLAIN_NAME.sub("_", file.removesuffix(".py")).strip("_.")[:60] or "python"
