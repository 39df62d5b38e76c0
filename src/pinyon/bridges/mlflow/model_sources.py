"""From what MLflow calls the source of a model to bytes that our registry keeps."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from mlflow.exceptions import MlflowException
from mlflow.store.artifact.utils.models import _parse_model_uri
from mlflow.tracking import MlflowClient
from mlflow.utils.file_utils import local_file_uri_to_path

from pinyon.bridges.mlflow.files import Files
from pinyon.bridges.mlflow.place import SCHEME, Place
from pinyon.execute.tree import put_tree
from pinyon.model.ids import run_id as run_name
from pinyon.model.outcome import Output
from pinyon.registry.artifacts import looked
from pinyon.registry.values import Artifact
from pinyon.store import tree

if TYPE_CHECKING:
    from mlflow.store.model_registry.abstract_store import AbstractStore

_RUN = re.compile(r"(?:^|/)([0-9a-f]{32})/artifacts(?:/|$)")


def resolved(
    store: AbstractStore, source: str, run_id: str | None, model_id: str | None
) -> tuple[str, str | None]:
    """Where the bytes of a source lie, and the run that made them.

    Raises:
        MlflowException: it names a model that is not there.
    """
    storage = source
    if urlsplit(source).scheme == "models":
        try:
            parsed = _parse_model_uri(source)
            if parsed.model_id is not None:
                model = MlflowClient().get_logged_model(parsed.model_id)
                storage, run_id = model.artifact_location, run_id or model.source_run_id
            else:
                storage = store.get_model_version_download_uri(parsed.name, parsed.version)
        except Exception as error:
            raise MlflowException(
                f"Unable to fetch model from model URI source artifact location '{source}'. Error: {error}"
            ) from error
    if not run_id and model_id:
        run_id = MlflowClient().get_logged_model(model_id).source_run_id
    return storage, run_id


def artifact_at(place: Place, storage: str, run: str | None) -> Artifact:
    """What lies at a URI as what becomes a version; of what lies elsewhere, a text that says where.

    MLflow's models may hold pickles, and MLflow's users have made them: they are taken in, and the version says so.
    """
    digest, path, size = _stored(place, storage)
    found = looked(place.store, Output(path, digest, size))
    named = _RUN.search(storage)
    seen = place.view.run(run or (named[1] if named else ""))
    attempt = seen.newest if seen else None
    return Artifact(
        digest, path, size, found.format, run_name(attempt.key) if attempt else "", attempt.id if attempt else "",
        attempt.stage if attempt else "", {"file": dict(found.facts)} if found.facts else {}, trusted=found.runs_code,
    )  # fmt: skip


def _stored(place: Place, storage: str) -> tuple[str, str, int]:
    """Digest, name and size; a folder's digest ends in ``/``."""
    blobs, parts = place.store.blobs, urlsplit(storage)
    name = Path(parts.path.rstrip("/")).name or "model"
    if name == "artifacts":
        name = "model"
    if parts.scheme == SCHEME:
        files = Files(storage).all()
        if "" in files:
            return files[""].digest, name, files[""].size
        if files:
            rows = [tree.Row(path, file.digest, file.size) for path, file in files.items()]
            return blobs.put(tree.encode(rows)) + "/", name, sum(row.size for row in rows)
    if parts.scheme in ("", "file") and (local := Path(local_file_uri_to_path(storage))).exists():
        kept = put_tree(blobs, str(local))
        return kept.name, name, kept.size
    data = f"{storage}\n".encode()
    return blobs.put(data), "address.txt", len(data)
