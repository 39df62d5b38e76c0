"""Refs in a directory: numbered files made by link(2) (docs/FORMAT.md §6)."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pinyon.errors import CorruptError, RefConflictError, StoreError
from pinyon.store.disk import fsync, link_new
from pinyon.store.lines import decode, encode
from pinyon.store.protocol import Damage, RefVersion

_LONGEST = 200  # bytes of an encoded name; file systems stop at 255

_VERSION = re.compile(r"[0-9]{6,}")


def encode_name(name: str) -> str:
    """A ref's name as one directory name; any text that is not empty is a name.

    Raises:
        StoreError: empty, or too long.
    """
    from urllib.parse import quote  # 10 ms that a call without refs need not pay

    encoded = quote(name, safe="-_.", errors="surrogatepass").replace("~", "%7E")
    if encoded.startswith("."):
        encoded = "%2E" + encoded[1:]
    if not 0 < len(encoded) <= _LONGEST:
        raise StoreError(
            f"'{name[:60]}' cannot name a ref",
            why=f"encoded it has {len(encoded)} bytes, 1 to {_LONGEST} are allowed",
            next="choose a shorter name",
        )
    return encoded


def decode_name(entry: str) -> str | None:
    """The inverse of `encode_name`; None for what it never made."""
    try:
        from urllib.parse import unquote

        name = unquote(entry, errors="surrogatepass")
        return name if encode_name(name) == entry else None
    except (UnicodeError, StoreError):
        return None


class LocalRefs:
    """Refs under ``root/refs``, written through ``root/tmp``."""

    def __init__(self, root: Path) -> None:
        self._dir = root / "refs"
        self._tmp = root / "tmp"

    def get(self, name: str) -> RefVersion | None:
        """See `pinyon.store.protocol.Refs.get`."""
        directory = self._dir / encode_name(name)
        newest = max(_versions(directory), default=0)
        return self._read(directory, name, newest) if newest else None

    def history(self, name: str) -> list[RefVersion]:
        """See `pinyon.store.protocol.Refs.history`."""
        directory = self._dir / encode_name(name)
        return [self._read(directory, name, version) for version in sorted(_versions(directory))]

    def set(self, name: str, value: Any, *, expect: int, actor: str = "") -> RefVersion:
        """See `pinyon.store.protocol.Refs.set`."""
        if is_mirror(self._dir.parent):
            raise no_home(str(self._dir.parent))
        directory = self._dir / encode_name(name)
        made = RefVersion(name, expect + 1, value, actor, time.time())
        newest = max(_versions(directory), default=0)
        if newest != expect:
            raise conflict(name, expect, newest)
        self._write(made, spelled(made))
        return made

    def _write(self, made: RefVersion, data: bytes) -> None:
        directory = self._dir / encode_name(made.name)
        temporary = f"{self._tmp}/{os.getpid()}-{os.urandom(6).hex()}"
        self._tmp.mkdir(parents=True, exist_ok=True)
        fd = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o444)
        try:
            if os.write(fd, data) != len(data):
                raise OSError(28, os.strerror(28), temporary)
            os.fsync(fd)
            self._link(temporary, fd, directory, made)
        finally:
            os.close(fd)
            os.unlink(temporary)

    def _link(self, temporary: str, fd: int, directory: Path, made: RefVersion) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        if not link_new(temporary, fd, directory / f"{made.version:06d}"):
            raise conflict(made.name, made.version - 1, made.version)
        # The parent too, always: whoever made the directory may not have got as far as syncing it.
        fsync(directory)
        fsync(self._dir)

    def names(self, prefix: str = "") -> list[str]:
        """See `pinyon.store.protocol.Refs.names`."""
        if not self._dir.is_dir():
            return []
        names = (decode_name(entry) for entry in os.listdir(self._dir))
        wanted = (name for name in names if name is not None and name.startswith(prefix))
        # A directory without a version is what a writer left that died, or was refused, before its link.
        return sorted(name for name in wanted if _versions(self._dir / encode_name(name)))

    def verify(self) -> Iterator[Damage]:
        """See `pinyon.store.protocol.Refs.verify`."""
        for name in self.names():
            directory = self._dir / encode_name(name)
            versions = sorted(_versions(directory))
            if versions != list(range(1, len(versions) + 1)):
                yield Damage(str(directory), 0, f"versions have gaps: {versions[:20]}")
            for version in versions:
                try:
                    self._read(directory, name, version)
                except CorruptError as error:
                    yield Damage(f"{directory}/{version:06d}", 0, error.what)
                except OSError as error:
                    yield Damage(f"{directory}/{version:06d}", 0, f"cannot be read: {error.strerror}")

    def _read(self, directory: Path, name: str, version: int) -> RefVersion:
        path = directory / f"{version:06d}"
        return version_in(path.read_bytes(), name, version, str(path))

    def raw(self, name: str, version: int) -> bytes:
        """A version as it is stored."""
        return (self._dir / encode_name(name) / f"{version:06d}").read_bytes()

    def versions(self) -> dict[str, list[int]]:
        """Numbers of the versions of every ref, sorted."""
        return {name: sorted(_versions(self._dir / encode_name(name))) for name in self.names()}

    def adopt(self, name: str, version: int, data: bytes) -> bool:
        """Store a version of another store as it is there; False, and nothing changes, where this number is taken.

        Raises:
            CorruptError: these bytes are not that version.
        """
        made = version_in(data, name, version, name)
        try:
            self._write(made, data)
        except RefConflictError:
            return False
        return True


def _versions(directory: Path) -> list[int]:
    try:
        return [int(entry) for entry in os.listdir(directory) if _VERSION.fullmatch(entry)]
    except (FileNotFoundError, NotADirectoryError):
        return []


def spelled(made: RefVersion) -> bytes:
    """A version as it is stored."""
    return encode({"v": 1, **made._asdict()})


def version_in(data: bytes, name: str, version: int, where: str) -> RefVersion:
    """The version that stored bytes hold.

    Raises:
        CorruptError: it is not what was written, or another one; the message names ``where``.
    """
    record = decode(data)
    if record is None or not record.keys() >= set(RefVersion._fields):
        raise CorruptError("this ref version is not what was written", where=where, next="pinyon verify")
    found = RefVersion(*(record[field] for field in RefVersion._fields))
    if (found.name, found.version) != (name, version):
        raise CorruptError(
            f"this file is version {found.version} of '{found.name}'", where=where, next="pinyon verify"
        )
    return found


def no_home(where: str) -> StoreError:
    """Whoever sets a ref of a mirror is told this."""
    return StoreError(
        "refs cannot be set in a mirror",
        where=where,
        why="its refs are copies of those of the project's home store",
        next="work where the home store is, then pinyon sync push",
    )


def is_mirror(store: Path) -> bool:
    """Whether the store in a directory is one (docs/FORMAT.md §15). Its ``format.json`` is written once."""
    try:
        return json.loads((store / "format.json").read_bytes()).get("mirror") is True
    except (OSError, ValueError, AttributeError):
        return False  # what is wrong with it, `LocalStore.prepare` says


def conflict(name: str, expected: int, found: int) -> RefConflictError:
    """Whoever was not the first is told this."""
    return RefConflictError(
        f"ref '{name}' is at version {found}, not {expected}",
        why="somebody else wrote it first",
        next="read it and decide again",
    )
