"""A run that begins in the process that asks for it: a script or a notebook that nobody started with `pinyon run`.

Its records are those of any other ad-hoc run. The process is its own supervisor, so if it is killed its run is LOST.
"""

from __future__ import annotations

import builtins
import json
import os
import re
import resource
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pinyon
from pinyon.errors import PinyonError
from pinyon.model.actor import current_actor
from pinyon.model.ids import attempt_id, host_name, new_id, run_id, this_process
from pinyon.model.outcome import CANCELLED, FAILED, SUCCEEDED
from pinyon.model.scheduler import job_of
from pinyon.track.current import Identity
from pinyon.track.params import Params
from pinyon.track.prune import PRUNED

if TYPE_CHECKING:
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
    """

    def __init__(self, root: str, stage: str, key: str, attempt: str, inputs: Mapping[str, Any]) -> None:
        self._root, self._stage, self._key, self._attempt = root, stage, key, attempt
        self._inputs = dict(inputs)
        self._execution = new_id("x")
        self._began = time.monotonic()
        self._error: BaseException | None = None
        self._hooks: tuple[Any, Any, Any, Any] | None = None
        self._set: dict[str, str] = {}

    @property
    def execution(self) -> str:
        """Its id."""
        return self._execution

    def intend(self, sink: Sink, project: str) -> None:
        """Record that it has begun."""
        from pinyon.capture.facts import code

        git, why = code(Path(self._root))
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
            "git": git,
            "stages": 1,
        }
        body |= {"pinyon": pinyon.__version__, **({"git_note": why} if why else {})}
        sink.tell("execution", body, whose=False)
        process = list(this_process())
        intent = {"key": self._key, "recipe": self._key, "stage": self._stage, "epoch": 1, "mode": "in place"}
        sink.tell(
            "intent", {**about, **intent, "supervisor": process, "reason": "a script", "inputs": self._inputs}
        )
        job = job_of(os.environ)
        sink.tell("running", {"pid": os.getpid(), **({"scheduler": job} if job else {})})
        sink.flush()

    @property
    def flags(self) -> list[list[Any]]:
        """Its parameters, (name, value)."""
        return list(self._inputs["flags"])

    def watch(self, identity: Identity) -> None:
        """Learn of an exception that nobody catches and of `sys.exit`; let processes that are started join the run."""
        hook, leave = sys.excepthook, sys.exit

        def excepted(kind: Any, error: BaseException, trace: Any) -> None:
            self._error = error
            hook(kind, error, trace)

        def left(status: Any = None, /) -> Any:
            self._error = SystemExit(status)
            leave(status)

        sys.excepthook, sys.exit = excepted, left
        self._hooks = (hook, excepted, leave, left)
        rows = json.dumps([["", name, value] for name, value in self._inputs["flags"]])
        self._set = {**environment(identity), **({"PINYON_PARAMS": rows} if len(rows) <= _MOST else {})}
        os.environ.update(self._set)

    def end(self, sink: Sink, metrics: Mapping[str, Any], error: BaseException | None, pruned: str) -> None:
        """Record how it ended, and be as if nothing had been."""
        state, detail, code, message = outcome(error or self._error, pruned)
        counts = {state.lower(): 1}
        known = {name: value for name, value in metrics.items() if value is not None}
        sink.tell("outputs", {"outs": [], "metrics": known, "skipped_metrics": []})
        used = resource.getrusage(resource.RUSAGE_SELF)
        body = {"state": state, "detail": detail, "exit_code": code, "signal": None, "reusable": True}
        body |= {
            "seconds": round(time.monotonic() - self._began, 6),
            "cpu_seconds": round(used.ru_utime + used.ru_stime, 6),
            "max_rss": used.ru_maxrss * 1024,
            "message": message,
        }
        sink.tell("ended", body)
        sink.tell("finished", {"execution": self._execution, "state": state, "counts": counts}, whose=False)
        self._unwatch()

    def _unwatch(self) -> None:
        for name, value in self._set.items():
            if os.environ.get(name) == value:
                del os.environ[name]
        if self._hooks is None:
            return
        hook, excepted, leave, left = self._hooks
        if sys.excepthook is excepted:  # else somebody has put another one over it, which still calls it
            sys.excepthook = hook
        if sys.exit is left:
            sys.exit = leave


def begin(name: str, params: Mapping[str, Any] | None) -> Identity:
    """A new run in the project around the working directory, whose store is made if there is none.

    Raises:
        OSError, PinyonError: nothing can be recorded there.
    """
    from pinyon.store.local import home_store
    from pinyon.store.place import project_around, share_with_group

    here = os.getcwd()
    root = project_around(here) or here
    store = home_store(Path(root))
    share_with_group(root, str(store.root))
    project = _project(root)
    store.prepare(project)
    key = os.urandom(32).hex()
    stage, attempt = f"@{(name or _name()).lstrip('@')}", attempt_id(key, 1)
    wdir = os.path.relpath(here, root).replace(os.sep, "/")
    given = Params(params).flat() if params is not None else _flags()
    inputs = {
        "command": ["exec", *_argv()], "wdir": wdir, "params": [], "deps": [], "outs": [], "env": [],
        "flags": [[name, value] for name, value in given.items()],
    }  # fmt: skip
    own = Own(root, stage, key, attempt, inputs)
    return Identity(run_id(key), attempt, stage, own.execution, str(store.root), project, time.time(), own)


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


def outcome(error: BaseException | None, pruned: str) -> tuple[str, str, int, str]:
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
