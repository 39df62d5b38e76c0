"""dvc.lock: what DVC wrote down of each stage that it finished. Schema 2.0, and 1.0, which has its stages at the top."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pinyon.bridges.dvc.hashes import md5_of_listing
from pinyon.bridges.dvc.layout import lay_out
from pinyon.errors import SpecError
from pinyon.model.graph import Stage
from pinyon.model.project import Origin
from pinyon.spec import files
from pinyon.spec.checks import Path as Keys
from pinyon.spec.checks import SchemaError, anything, closed, list_of, location, map_of, mapping, text, wrong

SCHEMA = "2.0"
_MD5 = re.compile(r"[0-9a-f]{32}(\.dir)?")
_HEAD = f"schema: '{SCHEMA}'\nstages:\n"


class Item(NamedTuple):
    """One dep or out as dvc.lock has it. ``path`` is relative to the stage's wdir.

    ``md5`` ends in ``.dir`` for a folder, and is "" where the entry has another kind of digest or none. ``legacy``: it
    was written by DVC 2, which took ``\\r\\n`` in text for ``\\n``. ``files`` are (path in the folder, md5) where the
    entry lists them.
    """

    path: str
    md5: str = ""
    legacy: bool = False
    size: int | None = None
    executable: bool = False
    files: tuple[tuple[str, str], ...] = ()


class Entry(NamedTuple):
    """One stage of a dvc.lock; deps and outs by path, params by file."""

    cmd: str | tuple[str, ...]
    deps: Mapping[str, Item]
    params: Mapping[str, Mapping[str, Any]]
    outs: Mapping[str, Item]


class Lock(NamedTuple):
    """A dvc.lock. ``blocks`` has the text of each stage as it stands in the file, ``head`` and ``tail`` the rest."""

    file: str
    entries: Mapping[str, Entry]
    blocks: Mapping[str, str]
    head: str = _HEAD
    tail: str = ""

    def text(self) -> str:
        """The whole file."""
        return self.head + "".join(self.blocks.values()) + self.tail

    def having(self, name: str, data: Mapping[str, Any]) -> Lock:
        """The same with another entry for a stage, in its place or at the end."""
        return self._replace(blocks={**self.blocks, name: lay_out({name: data}, indent=2)})


def lock_file(stage: Stage) -> str | None:
    """Where DVC notes a stage, relative to the root; None for a stage of no dvc.yaml."""
    folder, _, name = stage.origin.file.rpartition("/")
    return None if name != "dvc.yaml" else f"{folder}/dvc.lock" if folder else "dvc.lock"


def name_in_lock(stage: Stage) -> str:
    """What DVC calls a stage inside its own file."""
    return stage.name.removeprefix(f"{stage.origin.file}:")


def read_lock(root: Path, file: str) -> Lock | None:
    """The dvc.lock at ``file``, a posix path seen from ``root``; None when there is none.

    Raises:
        SpecError: of a newer schema, damaged, or saying something that no dvc.lock says; with file and line.
    """
    raw = files.read(root / file, file, files.PARAMS_LIMIT)
    return None if raw is None else parse_lock(raw, file)


def parse_lock(raw: bytes, file: str) -> Lock:
    """The same from bytes."""
    from pinyon.spec.yaml import load_yaml

    document = load_yaml(raw, file, files.PARAMS_LIMIT)
    data = {} if document.data is None else document.data
    top: Keys = ()
    try:
        mapping(data, ())
        if data and "schema" not in data:
            stages = data
        else:
            _check_schema(data)
            stages, top = data.get("stages") or {}, ("stages",)
        _stages(stages, top)
        entries = {name: _entry(body, (*top, name)) for name, body in stages.items()}
    except SchemaError as error:
        line = _line(document.lines, error.path)
        raise SpecError(
            error.what, where=str(Origin(file, line)), why=error.why, next=error.next or _AGAIN
        ) from None
    if not top:
        return Lock(file, entries, _laid_out(stages))
    whole = files.decode(raw, file, files.PARAMS_LIMIT)
    others = {name: data[name] for name in data if name not in ("schema", "stages")}
    lock = Lock(file, entries, _laid_out(stages), tail=lay_out(others) if others else "")
    return _in_blocks(lock, whole, document.lines, list(data))


def parse_entry(raw: bytes, file: str) -> Entry:
    """One entry alone, as DVC's run cache keeps it. Raises `SpecError` like `read_lock`."""
    from pinyon.spec.yaml import load_yaml

    document = load_yaml(raw, file)
    try:
        _stage(document.data, ())
        return _entry(document.data, ())
    except SchemaError as error:
        raise SpecError(error.what, where=file, why=error.why) from None


_AGAIN = "dvc repro writes it again; or remove it"


def _check_schema(data: Mapping[str, Any]) -> None:
    if data and data["schema"] != SCHEMA:
        shown = str(data["schema"])[:20]
        raise SchemaError(
            ("schema",),
            f"this dvc.lock has schema '{shown}'",
            why=f"Pinyon reads 1.0 and {SCHEMA}",
            next="pip install -U pinyon; or move the file away, and its stages run again",
        )
    if data:
        closed({"schema": text, "stages": anything, "datasets": anything})(data, ())


def _command(value: Any, path: Keys) -> None:
    if not isinstance(value, str):
        list_of(text, "text or a list of text", "python train.py")(value, path)


def _files(value: Any, path: Keys) -> None:
    list_of(_listed, "a list of files", "{relpath: a, md5: …}")(value, path)


def _digest(value: Any, path: Keys) -> None:
    if value in (None, ""):
        return
    if not isinstance(value, (str, int)) or isinstance(value, bool):
        raise wrong(value, path, "a digest")
    if path[-1] == "md5" and not _MD5.fullmatch(str(value).lower()):
        raise SchemaError(
            path,
            f"'{str(value)[:50]}' is no md5",
            why="it has 32 hex digits, and .dir after them for a folder",
        )


_META = {
    "md5": _digest, "etag": _digest, "checksum": _digest, "size": anything, "nfiles": anything, "isexec": anything,
    "version_id": anything, "remote": anything, "isdir": anything,
}  # fmt: skip
_listed = closed({**_META, "relpath": location, "cloud": anything}, required=("relpath",))
_item = closed(
    {**_META, "path": location, "hash": text, "files": _files, "cloud": anything, "dataset": anything},
    required=("path",),
)
_items = list_of(_item, "a list of deps or outs", "{path: a, md5: …}")
_stage = closed(
    {"cmd": _command, "deps": _items, "params": map_of(mapping), "outs": _items}, required=("cmd",)
)
_stages = map_of(_stage)


def _entry(body: Mapping[str, Any], path: Keys) -> Entry:
    cmd = body["cmd"]
    return Entry(
        cmd if isinstance(cmd, str) else tuple(cmd),
        _by_path(body.get("deps", ()), (*path, "deps")),
        body.get("params", {}),
        _by_path(body.get("outs", ()), (*path, "outs")),
    )


def _by_path(rows: Iterable[Mapping[str, Any]], path: Keys) -> dict[str, Item]:
    found: dict[str, Item] = {}
    for number, row in enumerate(rows):
        if row["path"] in found:
            raise SchemaError((*path, number), f"'{row['path']}' stands twice in {path[-1]}")
        found[row["path"]] = _item_of(row)
    return found


def _item_of(row: Mapping[str, Any]) -> Item:
    listed = tuple((one["relpath"], str(one.get("md5") or "").lower()) for one in row.get("files", ()))
    md5 = str(row.get("md5") or "").lower() if row.get("hash", "md5") == "md5" else ""
    if listed and not md5 and all(one for _, one in listed):
        md5 = md5_of_listing(listed)
    size = row.get("size") if type(row.get("size")) is int else None
    return Item(row["path"], md5, "hash" not in row, size, bool(row.get("isexec")), listed)


def _laid_out(stages: Mapping[str, Any]) -> dict[str, str]:
    return {name: lay_out({name: body}, indent=2) for name, body in stages.items()}


def _in_blocks(lock: Lock, whole: str, lines: Mapping[str, int], sections: list[Any]) -> Lock:
    """The file taken apart by the lines that its stages begin on, so that what nobody touches stays as it is."""
    rows = whole.splitlines(keepends=True)
    begins = [lines[f"stages.{name}"] - 1 for name in lock.entries]
    later = [lines[section] - 1 for section in sections if begins and lines[section] - 1 > begins[-1]]
    end = min(later, default=len(rows))
    plain = bool(begins) and all(
        rows[at].startswith("  ") and not rows[at].startswith("   ") for at in begins
    )
    if not plain or begins != sorted(set(begins)):
        return lock  # flow style, another indentation, no stage at all: there is nothing that could stay
    if not rows[-1].endswith("\n"):
        rows[-1] += "\n"
    ends = [*begins[1:], end]
    blocks = {name: "".join(rows[a:b]) for name, a, b in zip(lock.entries, begins, ends, strict=True)}
    return lock._replace(blocks=blocks, head="".join(rows[: begins[0]]), tail="".join(rows[end:]))


def _line(lines: Mapping[str, int], path: Keys) -> int:
    for end in range(len(path), 0, -1):
        line = lines.get(".".join(map(str, path[:end])))
        if line:
            return line
    return 0
