"""The repository of artifacts that MLflow asks for ``pinyon://…``: files go into the store by their digests."""

from __future__ import annotations

import os
from pathlib import Path

from mlflow.entities import FileInfo
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE, RESOURCE_DOES_NOT_EXIST
from mlflow.store.artifact.artifact_repo import ArtifactRepository, verify_artifact_path

from pinyon.bridges.mlflow.files import Files


class PinyonArtifacts(ArtifactRepository):
    """Artifacts below one URI. What is read is hashed first."""

    def __init__(
        self, artifact_uri: str, tracking_uri: str | None = None, registry_uri: str | None = None
    ) -> None:
        super().__init__(artifact_uri, tracking_uri, registry_uri)
        self._files = Files(artifact_uri)

    def log_artifact(self, local_file: str, artifact_path: str | None = None) -> None:
        """See MLflow."""
        self._keep([(os.path.basename(local_file), Path(local_file))], artifact_path)

    def log_artifacts(self, local_dir: str, artifact_path: str | None = None) -> None:
        """See MLflow."""
        root = Path(local_dir)
        rows = [(one.relative_to(root).as_posix(), one) for one in sorted(root.rglob("*")) if one.is_file()]
        self._keep(rows, artifact_path)

    def _keep(self, rows: list[tuple[str, Path]], artifact_path: str | None) -> None:
        verify_artifact_path(artifact_path)
        if self._files.fixed:
            raise MlflowException(
                f"{self.artifact_uri} is a registered version, which never changes", INVALID_PARAMETER_VALUE
            )
        begin = f"{artifact_path.rstrip('/')}/" if artifact_path else ""
        self._files.keep((begin + os.path.normpath(name), path) for name, path in rows)

    def list_artifacts(self, path: str | None = None) -> list[FileInfo]:
        """See MLflow."""
        here = os.path.normpath(path) if path else ""
        begin = f"{here}/" if here and here != "." else ""
        found: dict[str, FileInfo] = {}
        for name, file in self._files.all().items():
            if name and name.startswith(begin):
                first, inner, _ = name[len(begin) :].partition("/")
                full = begin + first
                found[full] = FileInfo(full, bool(inner), None if inner else file.size)
        return [found[name] for name in sorted(found)]

    def delete_artifacts(self, artifact_path: str | None = None) -> None:
        """See MLflow. The bytes stay until a gc."""
        self._files.remove(artifact_path or "")

    def _download_file(self, remote_file_path: str, local_path: str) -> None:
        file = self._files.all().get(os.path.normpath(remote_file_path) if remote_file_path else "")
        if file is None:
            raise MlflowException(f"No such artifact: '{remote_file_path}'", RESOURCE_DOES_NOT_EXIST)
        self._files.place.store.blobs.copy_out(file.digest, Path(local_path))
