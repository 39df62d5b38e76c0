"""``*.dvc``: what ``dvc add`` and ``dvc import`` write beside data that git does not hold, read into pointers.

Source of the schema: https://dvc.org/doc/user-guide/project-structure/dvc-files, as DVC 3.67 checks it. Nothing is fetched.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pinyon.errors import SpecError
from pinyon.model.project import Origin, Pointer
from pinyon.spec.checks import (
    Check,
    Path,
    SchemaError,
    anything,
    closed,
    flag,
    kind_of,
    list_of,
    location,
    map_of,
    mapping,
    named,
    number,
    text,
)
from pinyon.spec.stage import ANNOTATIONS

LEGACY = "md5-dos2unix"  # entries without hash: md5 name text by its digest after \r\n became \n


def _checksum(value: Any, path: Path) -> None:
    if value is None or (isinstance(value, str) and (not value or len(value) >= 3)):
        return
    if isinstance(value, bool) or not isinstance(value, int) or value < 100:
        raise SchemaError(path, f"{named(path)} is no digest")


def _optional(check: Check) -> Check:
    return lambda value, path: None if value is None else check(value, path)


def _text_or_mapping(value: Any, path: Path) -> None:
    if not isinstance(value, dict):
        text(value, path)


_whole = number(float("-inf"), whole=True)
_META: dict[str, Check] = {"size": _whole, "nfiles": _whole, "isexec": flag, "version_id": text}
_SUMS: dict[str, Check] = {"md5": _checksum, "checksum": _checksum, "etag": _checksum}
_CLOUD = map_of(closed({**_META, **_SUMS}))
_FILES = list_of(
    closed({**_SUMS, **_META, "relpath": text, "cloud": _CLOUD}, required=("relpath",)),
    "a list of files",
    "a.csv",
)
_COMMON: dict[str, Check] = {
    **_SUMS, **_META,
    "path": location, "persist": flag, "cloud": _CLOUD, "hash": text, "files": _FILES, "fs_config": mapping,
}  # fmt: skip
_REPO = closed(
    {"url": text, "rev": text, "rev_lock": text, "config": _text_or_mapping, "remote": _text_or_mapping},
    required=("url",),
)
_DB = closed({"connection": text, "file_format": text, "query": text, "table": text})
_DEP = closed({**_COMMON, "repo": _REPO, "db": _DB})
_OUT = closed({**_COMMON, **ANNOTATIONS, "cache": flag, "remote": text, "push": flag}, required=("path",))
_FILE = closed(
    {
        "md5": _checksum,
        "wdir": _optional(text),
        "deps": _optional(list_of(_DEP, "a list of sources", "{path: data.csv}")),
        "outs": _optional(list_of(_OUT, "a list of data", "{path: data.csv}")),
        "locked": flag,
        "frozen": flag,
        "meta": anything,
        "always_changed": flag,
        "desc": text,
    }
)


def pointers_of(data: Any, file: str, lines: Mapping[str, int]) -> list[Pointer]:
    """The pointers that a ``.dvc`` file holds; paths seen from its ``wdir``.

    Raises:
        SchemaError: it says something that DVC would refuse.
        SpecError: data outside of the project.
    """
    data = {} if data is None else data
    if not isinstance(data, dict):
        raise SchemaError((), f"the file must be a mapping, not {kind_of(data)}")
    _FILE(data, ())
    base = _joined(file.rpartition("/")[0], data.get("wdir") or ".")
    found = []
    for index, out in enumerate(data.get("outs") or ()):
        origin = Origin(file, lines.get(f"outs.{index}.path", 0))
        path = _joined(base, out["path"])
        if path.startswith(("../", "/")) or path in (".", ".."):
            raise SpecError(f"{path} lies outside of the project", where=str(origin), next="move it inside")
        if path.endswith(".dvc") or path.rpartition("/")[2] == "dvc.yaml":
            raise SpecError(f"{path} is a file of DVC's own", where=str(origin), why="it cannot be data")
        found.append(Pointer(path, _digest(out), _size(out), origin, "dvc"))
    return found


def _digest(out: Mapping[str, Any]) -> str:
    value = str(out.get("md5") or "").lower()
    if not value:
        return ""
    name = out.get("hash") or LEGACY
    return f"{name}:{value.removesuffix('.dir')}{'/' * value.endswith('.dir')}"


def _size(out: Mapping[str, Any]) -> int | None:
    size = out.get("size")
    return int(size) if size is not None else None


def _joined(base: str, path: str) -> str:
    """A path as seen from a directory, both posix and relative to the root, without ``.`` and ``..`` where possible."""
    if path.startswith("/"):
        return path
    parts: list[str] = []
    for part in f"{base}/{path}".split("/"):
        if part == ".." and parts and parts[-1] != "..":
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts) or "."
