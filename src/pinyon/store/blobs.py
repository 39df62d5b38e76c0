"""Blobs in a directory (docs/FORMAT.md §2)."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from blake3 import blake3

from pinyon.errors import CorruptError, MissingBlobError
from pinyon.store.disk import fsync
from pinyon.store.protocol import Damage

_SMALL = 1 << 20  # below this a file is read whole: one read is cheaper than a mapping
_PREFIX = "blake3:"
_NAME = re.compile(r"blake3:([0-9a-f]{2})([0-9a-f]{62})/?")

_threads = blake3.AUTO


def _hash_alone() -> None:
    # A forked child has blake3's pool but not its threads, and would wait for them for ever.
    global _threads
    _threads = 1


os.register_at_fork(after_in_child=_hash_alone)


def name_of(data: bytes) -> str:
    """``blake3:HEX`` of some bytes."""
    return _PREFIX + blake3(data).hexdigest()


def name_of_file(path: Path | str) -> str:
    """``blake3:HEX`` of a file's bytes."""
    hasher = blake3(max_threads=_threads)
    hasher.update_mmap(path)
    return _PREFIX + hasher.hexdigest()


class LocalBlobs:
    """Blobs under ``root/blobs``, written through ``root/tmp``."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._dir = root / "blobs"
        self._tmp = root / "tmp"

    def path(self, name: str) -> Path:
        """Where a blob lies, or would; a trailing ``/`` (a directory's manifest) makes no difference."""
        match = _NAME.fullmatch(name)
        if match is None:
            raise CorruptError(
                f"'{name}' is not the name of a blob", why="names are blake3: and 64 hex digits"
            )
        return self._dir / match[1] / match[2]

    def put(self, source: Path | bytes) -> str:
        """See `pinyon.store.protocol.Blobs.put`."""
        if isinstance(source, Path) and source.stat().st_size >= _SMALL:
            return self._put_large(source)
        data = source if isinstance(source, bytes) else source.read_bytes()
        name = name_of(data)
        if not self._whole(name, len(data)):
            temporary, fd = self._temporary()
            with _removed_on_error(temporary):
                try:
                    _write_all(fd, data)
                finally:
                    os.close(fd)
                self._publish(temporary, name)
        return name

    def _put_large(self, source: Path) -> str:
        size = source.stat().st_size
        name = name_of_file(source)
        if self._whole(name, size):
            return name
        temporary, fd = self._temporary()
        with _removed_on_error(temporary):
            try:
                with open(source, "rb") as file:
                    copy_bytes(file.fileno(), fd)
            finally:
                os.close(fd)
            # The copy is what we keep, so the copy is what we name: the source may have changed meanwhile.
            name = name_of_file(temporary)
            self._publish(temporary, name)
        return name

    def _whole(self, name: str, size: int) -> bool:
        # A power cut can leave a shorter file under a final name; such a file is no reason not to write.
        try:
            return os.stat(self.path(name)).st_size == size
        except FileNotFoundError:
            return False

    def _temporary(self) -> tuple[str, int]:
        path = f"{self._tmp}/{os.getpid()}-{os.urandom(6).hex()}"
        flags = os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC
        try:
            return path, os.open(path, flags, 0o444)
        except FileNotFoundError:
            self._tmp.mkdir(parents=True, exist_ok=True)
            return path, os.open(path, flags, 0o444)

    def _publish(self, temporary: str, name: str) -> None:
        final = self.path(name)
        try:
            os.rename(temporary, final)
        except FileNotFoundError:
            final.parent.mkdir(parents=True, exist_ok=True)
            os.rename(temporary, final)

    def has(self, name: str) -> bool:
        """See `pinyon.store.protocol.Blobs.has`."""
        return self.path(name).exists()

    def read(self, name: str) -> bytes:
        """See `pinyon.store.protocol.Blobs.read`."""
        try:
            data = self.path(name).read_bytes()
        except FileNotFoundError:
            raise self._missing(name) from None
        if name_of(data) != name.removesuffix("/"):
            raise self._corrupt(name)
        return data

    def copy_out(self, name: str, target: Path, *, executable: bool = False) -> None:
        """See `pinyon.store.protocol.Blobs.copy_out`."""
        try:
            source = os.open(self.path(name), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            raise self._missing(name) from None
        # Beside the target, so that the rename stays on one file system; hidden, so that no glob of a script sees it;
        # short, so that it is a name wherever the target's is.
        temporary = target.with_name(f".{os.urandom(6).hex()}.pinyon")
        try:
            mode = 0o777 if executable else 0o666
            fd = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, mode)
            with _removed_on_error(temporary):
                try:
                    sound = _copy_verified(source, fd, temporary, name.removesuffix("/"))
                finally:
                    os.close(fd)
                if not sound:
                    raise self._corrupt(name)
                os.rename(temporary, target)
        finally:
            os.close(source)

    def flush(self, names: Iterable[str]) -> None:
        """See `pinyon.store.protocol.Blobs.flush`."""
        directories = {self._dir}
        for name in names:
            path = self.path(name)
            directories.add(path.parent)
            try:
                fsync(path)
            except FileNotFoundError:
                raise self._missing(name) from None
        for directory in directories:
            fsync(directory)

    def names(self) -> Iterator[str]:
        """See `pinyon.store.protocol.Blobs.names`."""
        if not self._dir.is_dir():
            return
        for directory in sorted(os.scandir(self._dir), key=lambda entry: entry.name):
            if directory.is_dir():
                for rest in sorted(os.listdir(directory.path)):
                    yield f"{_PREFIX}{directory.name}{rest}"

    def verify(self, name: str) -> Damage | None:
        """See `pinyon.store.protocol.Blobs.verify`."""
        try:
            path = self.path(name)
        except CorruptError:
            return Damage(f"{self._dir}/{name.removeprefix(_PREFIX)}", 0, "not the name of a blob")
        try:
            found = name_of_file(path)
        except OSError as error:
            return Damage(str(path), 0, f"cannot be read: {error.strerror}")
        return None if found == name.removesuffix("/") else Damage(str(path), 0, f"its bytes are {found}")

    def _missing(self, name: str) -> MissingBlobError:
        return MissingBlobError(f"no bytes for {name}", where=str(self._root), next="pinyon verify")

    def _corrupt(self, name: str) -> CorruptError:
        return CorruptError(
            "stored bytes differ from their name",
            where=str(self.path(name)),
            why="the file has rotted",
            next="pinyon verify",
        )


@contextlib.contextmanager
def _removed_on_error(temporary: Path | str) -> Iterator[None]:
    """Leave no half-made file behind, whatever stopped us."""
    try:
        yield
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def copy_bytes(source: int, target: int) -> None:
    """Copy all of one open file to another by the cheapest way the file system has."""
    size = os.fstat(source).st_size
    done = 0
    while done < size:
        try:
            count = os.copy_file_range(source, target, size - done)
        except OSError:
            break  # across file systems, or a kernel that cannot: by hand below
        if not count:
            break
        done += count
    os.lseek(source, done, os.SEEK_SET)
    while chunk := os.read(source, 1 << 20):
        _write_all(target, chunk)


def _copy_verified(source: int, target: int, path: Path, name: str) -> bool:
    """Copy and say whether the copy has that name."""
    if os.fstat(source).st_size >= _SMALL:
        copy_bytes(source, target)
        return name_of_file(path) == name
    data = b""
    while chunk := os.read(source, _SMALL):
        data += chunk
    _write_all(target, data)
    return name_of(data) == name


def _write_all(fd: int, data: bytes) -> None:
    # A full disk can show as a short write without an error; the next write then raises it.
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
