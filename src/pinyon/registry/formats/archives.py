"""Zip and tar files: the first bytes of each member are looked at, and nothing is ever unpacked to disk."""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Iterator
from typing import Any, NamedTuple

from pinyon.model.text import printable
from pinyon.registry.formats.looked import Inside, Looked
from pinyon.registry.formats.window import SpentError, Window

_MEMBERS = 2000  # that are looked at
_DIRECTORY = 2 << 20  # bytes of a zip's list of members
_HEAD = 4096
_STORED, _DEFLATED = 0, 8
_RECORD = 512  # bytes of a tar's header
_NO_FILE = b"123456LKxgXS"  # links, devices, folders, and what is told of the next member
_PAX = 64 << 10
_CONFIG = 2 << 20  # bytes of the configuration of a Keras model
_TOO_MANY = "it has more files than are looked at, and any may run code"
_NESTED = "it is an archive inside of something packed, and nobody looked inside"


# What the library says, in its many ways, of a zip that somebody has forged. NotImplementedError is a RuntimeError.
_UNREADABLE = (
    zipfile.BadZipFile, OSError, ValueError, RuntimeError, EOFError, LookupError, OverflowError, struct.error,
)  # fmt: skip


class _Member(NamedTuple):
    """One file of an archive; ``head`` None where its beginning cannot be unpacked here."""

    name: str
    size: int
    head: bytes | None


def look_zip(data: Window, inside: Inside | None) -> Looked:
    """A zip: torch, TorchScript, npz, Keras, skops, or any other."""
    if inside is None:
        return Looked("zip", True, _NESTED)
    data.budget = min(data.budget, _DIRECTORY)
    try:
        with zipfile.ZipFile(data) as archive:  # it reads, seeks and tells
            data.budget = 32 << 20
            names = [info.filename for info in archive.infolist()]
            found = _named(names, _members_of_zip(archive), inside)
            return _keras(archive, found) if "config.json" in names and not found.runs_code else found
    except SpentError:
        return Looked("zip", True, _TOO_MANY)
    except _UNREADABLE as error:
        return Looked(
            "zip",
            True,
            f"it begins as a zip and cannot be read ({printable(str(error))}), so it may hold anything",
        )


def _members_of_zip(archive: Any) -> Iterator[_Member]:
    for info in archive.infolist():
        if info.filename.endswith("/"):
            continue
        if info.flag_bits & 1 or info.compress_type not in (_STORED, _DEFLATED):
            yield _Member(info.filename, info.file_size, None)
            continue
        with archive.open(info) as file:
            yield _Member(info.filename, info.file_size, _head(file, info.file_size))


def _head(file: Any, size: int) -> bytes | None:
    import zlib

    try:
        return bytes(file.read(min(_HEAD, size)))
    except zlib.error:
        return None


def _named(names: list[str], members: Iterator[_Member], inside: Inside) -> Looked:
    """The kind of a zip by the names in it, and what its members say."""
    last = {name.rpartition("/")[2] for name in names}
    kind = "zip"
    if "data.pkl" in last:
        script = "constants.pkl" in last or any("/code/" in f"/{name}" for name in names)
        kind = "torchscript" if script else "torch"
    elif names and all(name.endswith(".npy") for name in names):
        kind = "npz"
    elif "schema.json" in names:
        kind = "skops"
    elif "config.json" in names and {"metadata.json", "model.weights.h5"} & set(names):
        kind = "keras"
    return _together(kind, members, inside)


def _together(kind: str, members: Iterator[_Member], inside: Inside) -> Looked:
    facts: dict[str, Any] = {"tensors": 0, "parameters": 0, "dtypes": {}}
    count = 0
    for member in members:
        count += 1
        if count > _MEMBERS:
            return Looked(kind, True, _TOO_MANY)
        name = printable(member.name)
        if member.head is None:
            return Looked(kind, True, f"{name} in it is packed in a way that nobody can look into here")
        found = inside(Window(member.head, member.size))
        if found.runs_code:
            return Looked(kind, True, f"{name} in it: {found.why}")
        if found.format == "npy" and found.facts:
            facts["tensors"] += 1
            facts["parameters"] += found.facts["parameters"]
            for dtype, numbers in found.facts["dtypes"].items():
                facts["dtypes"][dtype] = facts["dtypes"].get(dtype, 0) + numbers
    return Looked(kind, False, f"none of the {count} files in it runs code", facts if kind == "npz" else {})


def _keras(archive: Any, found: Looked) -> Looked:
    from pinyon.registry.formats.texts import code_in

    info = archive.getinfo("config.json")
    if info.file_size > _CONFIG:
        why = f"its config.json has {info.file_size} bytes, and nobody looked inside"
        return found._replace(runs_code=True, why=why)
    with archive.open(info) as file:
        why = code_in(file.read(_CONFIG))
    return found._replace(runs_code=True, why=f"config.json in it: {why}") if why else found


def old_tar(head: bytes) -> bool:
    """Whether a tar begins here that is older than the word ``ustar`` in it: its checksum fits."""
    return len(head) == _RECORD and head[0] != 0 and _octal(head[148:156]) == _checksum(head)


def look_tar(data: Window, inside: Inside | None) -> Looked:
    """A tar; old files of torch are among them."""
    if inside is None:
        return Looked("tar", True, _NESTED)
    try:
        return _together("tar", _members_of_tar(data), inside)
    except (SpentError, ValueError) as error:
        return Looked(
            "tar",
            True,
            f"it begins as a tar and cannot be read ({printable(str(error))}), so it may hold anything",
        )


def _members_of_tar(data: Window) -> Iterator[_Member]:
    position = 0
    for _ in range(4 * _MEMBERS):
        record = data.at(position, _RECORD)
        if not record.strip(b"\0"):
            return  # its end, or that of the file
        if len(record) < _RECORD or _octal(record[148:156]) != _checksum(record):
            raise ValueError(f"no header at byte {position}")
        size = _octal(record[124:136])
        if size < 0:
            raise ValueError(f"no size at byte {position}")
        begin = position + _RECORD
        kind = record[156:157]
        if kind not in _NO_FILE:
            name = record[:100].partition(b"\0")[0].decode(errors="replace")
            yield _Member(name, size, data.at(begin, min(_HEAD, size)))
        elif kind == b"S" or (kind in b"xgX" and (size > _PAX or b" size=" in data.at(begin, size))):
            raise ValueError(f"sizes are told otherwise at byte {position}")
        position = begin + -(-size // _RECORD) * _RECORD
    raise SpentError


def _octal(field: bytes) -> int:
    """A number of a tar's header; -1 if it is none."""
    if field[:1] == b"\x80":
        return int.from_bytes(field[1:], "big")
    try:
        return int(field.strip(b"\0 ") or b"0", 8)
    except ValueError:
        return -1


def _checksum(record: bytes) -> int:
    return sum(record[:148]) + 8 * 32 + sum(record[156:])
