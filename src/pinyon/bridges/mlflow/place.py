"""A URI's project, and what this process shares of it."""

from __future__ import annotations

import os
from pathlib import Path
from threading import Lock
from urllib.parse import unquote, urlsplit

from pinyon.bridges.mlflow.view import View
from pinyon.bridges.mlflow.writers import Writers
from pinyon.errors import PlanError
from pinyon.store.local import LocalStore, home_store
from pinyon.store.place import HOME, STORE, project_around, share_with_group

SCHEME = "pinyon"
ARTIFACTS = "artifacts"  # what the URI of an artifact has behind that of the project

_open: dict[str, Place] = {}
_lock = Lock()


class Place:
    """One project in this process: the three stores of MLflow share its view and its writers.

    Attributes:
        root: the project's directory, absolute.
        project: its name.
    """

    def __init__(self, root: str) -> None:
        self.root = root
        self.project = os.path.basename(root)
        self.store: LocalStore = home_store(Path(root))
        share_with_group(root, str(self.store.root))
        self.store.prepare(self.project)
        self.lock = Lock()
        self.view = View(self.store)
        self.writers = Writers(self.store, self.project, root)

    @property
    def artifact_root(self) -> str:
        """The URI below which MLflow's artifacts lie, unless MLflow is told another one."""
        return f"{SCHEME}://{self.root}/{ARTIFACTS}"


def open_place(uri: str) -> Place:
    """The project that a URI names; its store is made if there is none.

    Args:
        uri: ``pinyon://`` is the project around the working directory, ``pinyon:///abs/path`` the one there.

    Raises:
        PlanError: it names no directory.
        OSError, PinyonError: nothing can be kept there.
    """
    path = _path(uri)
    here = path or os.getcwd()
    if path and not os.path.isdir(path):
        raise PlanError(f"{uri} names no directory", next=f"mkdir -p {path}")
    return _place(os.path.realpath((not path and project_around(here)) or here))


def open_artifact(uri: str) -> tuple[Place, str]:
    """The project in which the artifact of a URI lies, and its path behind the project's.

    Raises:
        PlanError: none lies there.
    """
    path = _path(uri) or os.getcwd()
    root = os.path.normpath(path)
    while not any(os.path.exists(os.path.join(root, STORE, name)) for name in ("format.json", HOME)):
        above = os.path.dirname(root)
        if above == root:
            raise PlanError(f"no project lies around {uri}", next="pinyon init")
        root = above
    rest = os.path.relpath(os.path.normpath(path), root)
    return _place(os.path.realpath(root)), "" if rest == "." else rest


def _path(uri: str) -> str:
    parts = urlsplit(uri)
    if parts.scheme != SCHEME or parts.netloc or parts.query or parts.fragment:
        raise PlanError(
            f"'{uri}' names no project", why="a path begins with a third '/'",
            next=f"write {SCHEME}:// or {SCHEME}:///path/of/the/project",
        )  # fmt: skip
    return unquote(parts.path).rstrip("/") or ("/" if parts.path else "")


def _place(root: str) -> Place:
    with _lock:
        if root not in _open:
            _open[root] = Place(root)
        return _open[root]
