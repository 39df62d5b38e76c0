"""Blobs in a directory (docs/FORMAT.md §2)."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path

from pinyon.errors import CorruptError, MissingBlobError
from pinyon.store import packs
from pinyon.store.batch import Batch, Target, read_small
from pinyon.store.condemned import Marks
from pinyon.store.copying import clone, copy_bytes, copy_direct, copy_hashed, write_all
from pinyon.store.disk import fsync, rename
from pinyon.store.names import PREFIX, digest_in, file_of, hasher, is_name, name_of, name_of_file
from pinyon.store.packs import Member, Packs
from pinyon.store.protocol import Damage, Tell, quiet

_SMALL = 1 << 20  # below this a file is read whole: one read is cheaper than a mapping
_DIRECT = 16 << 20  # from this size on going around the page cache is worth its threads


class LocalBlobs:
    """Blobs under ``root/blobs`` and ``root/packs``, written through ``root/tmp``."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._top = str(root)
        self._dir = root / "blobs"
        self._tmp = root / "tmp"
        self._packs = Packs(f"{root}/packs")
        self._marks = Marks(str(root))

    def path(self, name: str) -> Path:
        """Where a blob of its own file lies, or would; a trailing ``/`` (a directory's manifest) makes no difference."""
        return Path(self._file(digest_in(name)))

    def _file(self, digest: str) -> str:
        return file_of(self._top, digest)

    def put(self, source: Path | bytes, *, tell: Tell = quiet) -> str:
        """See `pinyon.store.protocol.Blobs.put`."""
        if isinstance(source, Path) and source.stat().st_size >= _SMALL:
            return self._put_large(source, tell)
        data = source if isinstance(source, bytes) else source.read_bytes()
        tell(len(data))
        return self._put_bytes(data)

    def _put_bytes(self, data: bytes) -> str:
        name = name_of(data)
        if self._lacking({digest_in(name): len(data)}):
            temporary, fd = self._temporary()
            with _removed_on_error(temporary):
                try:
                    write_all(fd, data)
                finally:
                    os.close(fd)
                self._publish(temporary, name)
        return name

    def _put_large(self, source: Path | str, tell: Tell, *, direct: bool = False) -> str:
        temporary, fd = self._temporary()
        with _removed_on_error(temporary):
            try:
                # The copy is what we keep, so the copy is what we name: the source may change meanwhile.
                with open(source, "rb") as file:
                    name = _copy_named(file.fileno(), fd, temporary, tell, direct=direct)
                size = os.fstat(fd).st_size
            finally:
                os.close(fd)
            if self._lacking({digest_in(name): size}):
                self._publish(temporary, name)
            else:
                os.unlink(temporary)
        return name

    def put_many(self, sources: Iterable[str], *, tell: Tell = quiet) -> list[str]:
        """See `pinyon.store.protocol.Blobs.put_many`: what is new and small goes into packs."""
        names: list[str] = []
        with contextlib.closing(self._batch()) as batch:
            for source in sources:
                data = read_small(source)
                if data is not None:
                    names.append(batch.add(data))
                    tell(len(data))
                elif os.stat(source).st_size < _SMALL:
                    names.append(self.put(Path(source), tell=tell))
                else:
                    # Nobody waits for the bytes before they are flushed, so they may as well go to the disk at once.
                    names.append(self._put_large(source, tell, direct=True))
            batch.finish()
        return names

    def put_small(self, datas: Iterable[bytes]) -> list[str]:
        """The same for bytes of at most 64 KiB each."""
        with contextlib.closing(self._batch()) as batch:
            names = [batch.add(data) for data in datas]
            batch.finish()
        return names

    def receive(self, name: str, fill: Callable[[Path], object]) -> None:
        """Store a blob that ``fill`` writes to the path it is given, a new file on this disk, unless it is here.

        Raises:
            CorruptError: what was written has another name.
        """
        path, fd = self._temporary()
        os.close(fd)
        with _removed_on_error(path):
            os.unlink(path)
            fill(Path(path))
            if (found := name_of_file(path)) != name.removesuffix("/"):
                raise CorruptError(f"the bytes that came are {found}", where=name, next="pinyon sync status")
            os.chmod(path, 0o444)
            if self._lacking({digest_in(name): os.stat(path).st_size}):
                self._publish(path, name)
            else:
                os.unlink(path)

    def _batch(self) -> Batch:
        return Batch(Target(self._lacking, self._temporary, self._publish_pack, self._put_bytes))

    def _publish_pack(self, temporary: str, name: str, digests: set[str]) -> None:
        condemned = self._marks.among(digests)
        with self._marks.held(alone=False) if condemned else contextlib.nullcontext():
            _move(temporary, self._root / "packs" / name)
            self._marks.remove(condemned)

    def _lacking(self, sizes: Mapping[str, int]) -> set[str]:
        """Which of these digests must be written. Marks are looked at first: where there is none, a deletion is a whole
        grace away, so that what is found to be there after that stays."""
        marked = self._marks.among(sizes)
        # A power cut can leave a shorter file under a final name; such a file is no reason not to write.
        alone = {digest for digest in sizes if _size(self._file(digest)) == sizes[digest]}
        packed = self._packs.among({bytes.fromhex(digest) for digest in sizes.keys() - alone - marked})
        sound = {digest.hex() for held in packed.values() for digest in held if self._is_sound(digest)}
        return sizes.keys() - ((alone | sound) - marked)

    def _is_sound(self, digest: bytes) -> bool:
        """Whether a pack still has the bytes of a raw digest."""
        data = self._packs.read(digest)
        return data is not None and name_of(data) == PREFIX + digest.hex()

    def _temporary(self) -> tuple[str, int]:
        path = f"{self._tmp}/{os.getpid()}-{os.urandom(6).hex()}"
        flags = os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC
        try:
            return path, os.open(path, flags, 0o444)
        except FileNotFoundError:
            self._tmp.mkdir(parents=True, exist_ok=True)
            return path, os.open(path, flags, 0o444)

    def _publish(self, temporary: str, name: str) -> None:
        digest = digest_in(name)
        if not self._marks.has(digest):
            _move(temporary, self.path(name))
            return
        with self._marks.held(alone=False):
            _move(temporary, self.path(name))
            self._marks.remove([digest])

    def has(self, name: str) -> bool:
        """See `pinyon.store.protocol.Blobs.has`."""
        return self.path(name).exists() or self._packed(name) is not None

    def missing(self, names: Iterable[str]) -> set[str]:
        """See `pinyon.store.protocol.Blobs.missing`: every directory is listed once."""
        digests = {digest_in(name): name for name in names}
        rest = digests.keys() - self._alone(digests)
        packed = self._packs.among({bytes.fromhex(digest) for digest in rest})
        rest -= {digest.hex() for held in packed.values() for digest in held}
        return {digests[digest] for digest in rest}

    def _alone(self, digests: Collection[str]) -> set[str]:
        """Those with a file of their own."""
        listed = {
            start: _listing(f"{self._top}/blobs/{start}") for start in {digest[:2] for digest in digests}
        }
        return {digest for digest in digests if digest[2:] in listed[digest[:2]]}

    def unkept(self, names: Iterable[str]) -> set[str]:
        """See `pinyon.store.protocol.Blobs.unkept`. Marks are looked at first, as in `put`."""
        by_digest = {digest_in(name): name for name in names}
        marked = self._marks.among(by_digest)
        return {by_digest[digest] for digest in marked} | self.missing(by_digest.values())

    def size(self, name: str) -> int:
        """See `pinyon.store.protocol.Blobs.size`."""
        try:
            return os.stat(self.path(name)).st_size
        except FileNotFoundError:
            if (member := self._packed(name)) is None:
                raise self._missing(name) from None
        return member.size

    def _packed(self, name: str) -> Member | None:
        return self._packs.find(bytes.fromhex(digest_in(name)))

    def read(self, name: str) -> bytes:
        """See `pinyon.store.protocol.Blobs.read`."""
        try:
            data = self.path(name).read_bytes()
        except FileNotFoundError:
            packed = self._packs.read(bytes.fromhex(digest_in(name)))
            if packed is None:
                raise self._missing(name) from None
            data = packed
        if name_of(data) != name.removesuffix("/"):
            raise self._corrupt(name)
        return data

    def copy_out(self, name: str, target: Path, *, executable: bool = False, link: bool = False) -> bool:
        """See `pinyon.store.protocol.Blobs.copy_out`."""
        # Beside the target, so that the rename stays on one file system; hidden, so that no glob of a script sees it;
        # short, so that it is a name wherever the target's is; with an end that no pointer has.
        temporary = target.with_name(f".{os.urandom(6).hex()}.pinyon~")
        try:
            source = os.open(self.path(name), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            _write_out(self.read(name), target, temporary, executable)
            return False
        try:
            if not link and os.fstat(source).st_size < _SMALL:
                _write_out(self.read(name), target, temporary, executable)
                return False
            linked = self._lay(source, name, temporary, executable, link)
        finally:
            os.close(source)
        with _removed_on_error(temporary):
            if name_of_file(temporary) != name.removesuffix("/"):
                raise self._corrupt(name)
            rename(temporary, target)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)  # rename(2) leaves it where the target is a link to the same blob already
        return linked

    def _lay(self, source: int, name: str, temporary: Path, executable: bool, link: bool) -> bool:
        """Make the temporary file by reflink, hard link or copy; True for a link."""
        fd = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, _mode(executable))
        with _removed_on_error(temporary):
            try:
                if link and not executable and not clone(source, fd) and self._link(name, temporary):
                    return True
                if os.fstat(fd).st_size == 0:
                    copy_bytes(source, fd)
            finally:
                os.close(fd)
        return False

    def _link(self, name: str, temporary: Path) -> bool:
        path, beside = self.path(name), temporary.with_name(f"{temporary.name}.link")
        try:
            if os.stat(path).st_mode & 0o222:
                os.chmod(path, 0o444)
            os.link(path, beside)
        except OSError:
            return False  # another file system, one without links, or somebody else's blob: a copy then
        rename(beside, temporary)
        return True

    def flush(self, names: Iterable[str]) -> None:
        """See `pinyon.store.protocol.Blobs.flush`."""
        wanted = set(map(digest_in, names))
        alone = self._alone(wanted)
        packed = self._packs.among({bytes.fromhex(digest) for digest in wanted - alone})
        if absent := wanted - alone - {digest.hex() for held in packed.values() for digest in held}:
            raise self._missing(PREFIX + absent.pop())
        files = [*map(self._file, alone), *packed]
        for file in files:
            fsync(file)
        directories = {os.path.dirname(file) for file in files}
        for directory in directories | {os.path.dirname(directory) for directory in directories}:
            fsync(directory)

    def names(self) -> Iterator[str]:
        """See `pinyon.store.protocol.Blobs.names`; files that are no blobs too, so that `verify` can tell of them."""
        if self._dir.is_dir():
            for directory in sorted(os.scandir(self._dir), key=lambda entry: entry.name):
                if directory.is_dir():
                    for rest in sorted(os.listdir(directory.path)):
                        yield f"{PREFIX}{directory.name}{rest}"
        for digest in sorted(set(self._packs.digests())):
            if not self.path(name := PREFIX + digest.hex()).exists():
                yield name
        yield from (f"pack {os.path.basename(path)}" for path in self._packs.damaged())

    def sizes(self) -> dict[str, int]:
        """Bytes of every blob, by name."""
        found = {
            PREFIX + digest.hex(): size
            for members in self._packs.members().values()
            for digest, size in members
        }
        if self._dir.is_dir():
            for folder in os.listdir(self._dir):
                with os.scandir(f"{self._dir}/{folder}") as entries:
                    found.update((f"{PREFIX}{folder}{one.name}", one.stat().st_size) for one in entries)
        return {name: size for name, size in found.items() if is_name(name)}

    def verify(self, name: str) -> Damage | None:
        """See `pinyon.store.protocol.Blobs.verify`."""
        if name.startswith("pack "):
            return Damage(f"{self._root}/packs/{name[5:]}", 0, "its index is not what was written")
        try:
            path = self.path(name)
        except CorruptError:
            return Damage(f"{self._dir}/{name.removeprefix(PREFIX)}", 0, "not the name of a blob")
        where, offset = str(path), 0
        try:
            if not path.exists() and (member := self._packed(name)) is not None:
                where, offset = member.pack, member.offset
                found = name_of(self._packs.read(bytes.fromhex(digest_in(name))) or b"")
            else:
                found = name_of_file(path)
        except OSError as error:
            return Damage(where, offset, f"cannot be read: {error.strerror}")
        return None if found == name.removesuffix("/") else Damage(where, offset, f"its bytes are {found}")

    def set_aside(self, name: str) -> bool:
        """See `pinyon.store.protocol.Blobs.set_aside`. What rots inside a pack is written beside it by the next `put`."""
        path = self.path(name)
        if not path.exists() or self.verify(name) is None:
            return False
        _move(path, self._root / "damaged" / digest_in(name))
        return True

    def condemn(self, names: Iterable[str]) -> None:
        """See `pinyon.store.protocol.Blobs.condemn`."""
        self._marks.add(map(digest_in, names))

    def spare(self, names: Iterable[str]) -> None:
        """See `pinyon.store.protocol.Blobs.spare`."""
        self._marks.remove(map(digest_in, names))

    def marked(self) -> set[str]:
        """Names of all that are condemned."""
        return set(self.condemned())

    def condemned(self) -> dict[str, float]:
        """See `pinyon.store.protocol.Blobs.condemned`."""
        return {PREFIX + digest: since for digest, since in self._marks.all().items()}

    def delete(self, names: Iterable[str], before: float) -> dict[str, int]:
        """See `pinyon.store.protocol.Blobs.delete`."""
        wanted = {digest_in(name) for name in names}
        gone: dict[str, int] = {}
        with self._marks.held(alone=True):
            due = {d for d in wanted if (since := self._marks.since(d)) is not None and since < before}
            for digest in sorted(due):
                path = self.path(PREFIX + digest)
                with contextlib.suppress(FileNotFoundError):
                    stat = path.stat()
                    if stat.st_mtime < before:
                        path.unlink()
                        gone[PREFIX + digest] = stat.st_size
            for pack, members in self._packs.members().items():
                gone |= self._delete_packed(pack, members, due, before)
            absent = self.missing(PREFIX + digest for digest in due)
            self._marks.remove(map(digest_in, absent))
        return {name: size for name, size in gone.items() if name in absent}  # one may lie in a pack, too

    def _delete_packed(
        self, pack: str, members: list[tuple[bytes, int]], due: set[str], before: float
    ) -> dict[str, int]:
        """Delete a pack when half of its bytes are to go; the rest is written anew first, durably."""
        going = {digest.hex(): size for digest, size in members if digest.hex() in due}
        total = sum(size for _, size in members)
        if not going or os.stat(pack).st_mtime >= before or sum(going.values()) * 2 < total:
            return {}
        rest = [digest for digest, _ in members if digest.hex() not in going]
        if rest:
            temporary, fd = self._temporary()
            with _removed_on_error(temporary):
                try:
                    packing = packs.Packing(fd)
                    for digest in rest:
                        packing.add({digest.hex(): self._packs.read(digest) or b""})
                    _move(temporary, self._root / "packs" / packing.finish())
                finally:
                    os.close(fd)
            self.flush(PREFIX + digest.hex() for digest in rest)
        os.unlink(pack)
        return {PREFIX + digest: size for digest, size in going.items()}

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


def _listing(directory: str) -> set[str]:
    try:
        return set(os.listdir(directory))
    except FileNotFoundError:
        return set()


def _size(path: str) -> int:
    """Bytes of a file; -1 when it is not there."""
    # Most often it is not, and then no error need be made and caught.
    if not os.access(path, os.F_OK):
        return -1
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return -1


def _mode(executable: bool) -> int:
    return 0o777 if executable else 0o666


def _move(source: Path | str, target: Path) -> None:
    try:
        rename(source, target)
    except FileNotFoundError:
        target.parent.mkdir(parents=True, exist_ok=True)
        rename(source, target)


def _write_out(data: bytes, target: Path, temporary: Path, executable: bool) -> None:
    fd = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, _mode(executable))
    with _removed_on_error(temporary):
        try:
            write_all(fd, data)
        finally:
            os.close(fd)
        rename(temporary, target)


def _copy_named(source: int, target: int, path: str, tell: Tell, *, direct: bool) -> str:
    """Copy an open file and give the name of the copy."""
    size = os.fstat(source).st_size
    if clone(source, target):
        tell(size)
        return name_of_file(path)
    copying = [copy_direct, copy_hashed] if direct and size >= _DIRECT else [copy_hashed]
    for copy in copying:
        made = hasher()
        if copy(source, target, size, made.update, tell):
            return PREFIX + made.hexdigest()
    return name_of_file(path)
