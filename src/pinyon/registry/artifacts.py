"""From a run to what becomes a model: which of its files, and of what format that is. Nothing of it is executed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any

from pinyon.errors import CorruptError, GateError, MissingBlobError
from pinyon.execute.restore import copy_to
from pinyon.model.ids import run_id
from pinyon.model.outcome import Attempt, Output
from pinyon.query.index import Index
from pinyon.registry.formats import Looked, look
from pinyon.registry.values import Artifact
from pinyon.store.local import LocalStore


def candidates(index: Index, attempt: Attempt) -> list[Output]:
    """What of an attempt can be a model: its outs, and what its script kept as one (`pinyon.run().artifact`)."""
    kept = [
        Output(str(event.body["path"]), event.body["digest"], event.body["size"])
        for event in index.told("artifact", [attempt.id])
        if event.body.get("role") == "model"
    ]
    outs = list(attempt.outputs)
    return [*outs, *(one for one in kept if one.path not in {out.path for out in outs})]


def artifact_of(
    store: LocalStore, attempt: Attempt, out: Output, *, trust: bool = False, about: Mapping[str, Any] = {}
) -> Artifact:
    """An out of an attempt as what becomes a version. Its bytes are read, never executed.

    Args:
        trust: take it in even if opening it runs code.

    Raises:
        GateError: opening it would run code, and nobody trusts it.
        MissingBlobError, CorruptError: the store has no such bytes; or they are no sound file of their format.
    """
    if not out.stored:
        raise MissingBlobError(
            f"the bytes of {out.path} were not kept", where=attempt.stage,
            why="cache: false", next="take that away in pinyon.yaml, and run the stage again",
        )  # fmt: skip
    found = looked(store, out)
    if found.runs_code and not trust:
        raise GateError(
            f"{out.path} runs code when somebody opens it", why=found.why,
            next="save it as safetensors; or register it with --trust, if you know who made it",
        )  # fmt: skip
    facts = {"file": dict(found.facts)} if found.facts else {}
    return Artifact(
        out.digest, out.path, out.size, found.format, run_id(attempt.key), attempt.id, attempt.stage,
        {**about, **facts}, trusted=found.runs_code,
    )  # fmt: skip


def looked(store: LocalStore, out: Output) -> Looked:
    """What the bytes of an out tell.

    Raises:
        MissingBlobError, CorruptError: see `artifact_of`.
    """
    with TemporaryDirectory(dir=store.root / "tmp", prefix="look-") as folder:
        path = Path(folder) / PurePosixPath(out.path).name
        copy_to(store.blobs, out.digest, path, link=True)
        try:
            return look(path)
        except CorruptError as error:  # its place here tells nobody anything
            raise CorruptError(error.what, where=out.path, why=error.why, next=error.next) from None
