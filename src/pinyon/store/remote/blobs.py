"""Blobs as objects (docs/FORMAT.md §2, §15)."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path

from pinyon.errors import CorruptError, MissingBlobError, MissingObjectError
from pinyon.store import packs
from pinyon.store.batch import Batch, Target, read_small
from pinyon.store.copying import copy_bytes
from pinyon.store.names import PREFIX, digest_in, hasher, is_name, name_of, name_of_file
from pinyon.store.objects import Objects
from pinyon.store.protocol import Damage, Tell, quiet
from pinyon.store.remote.marks import RemoteMarks
from pinyon.store.remote.packs import FOLDER, RemotePacks

_SMALL = 8 << 20  # bytes of a file that is held in memory, not copied to a temporary file, on its way
_FEW = 16  # digests that are asked for one by one, and not by a listing


class RemoteBlobs:
    """Blobs under ``blobs/`` and ``packs/``.

    Args:
        cache: a directory for what never changes; None for memory alone.
    """

    def __init__(self, objects: Objects, cache: Path | None = None) -> None:
        self._objects = objects
        self._packs = RemotePacks(objects, cache)
        self._marks = RemoteMarks(objects)

    # Putting

    def put(self, source: Path | bytes, *, tell: Tell = quiet) -> str:
        """See `pinyon.store.protocol.Blobs.put`."""
        if isinstance(source, Path) and source.stat().st_size > _SMALL:
            return self._put_large(source, tell)
        data = source if isinstance(source, bytes) else source.read_bytes()
        tell(len(data))
        return self._put_bytes(data)

    def _put_bytes(self, data: bytes) -> str:
        name = name_of(data)
        if self._lacking({digest_in(name): len(data)}):
            self.save([name])
            self.send(name, data)
        return name

    def _put_large(self, source: Path, tell: Tell) -> str:
        """What is named is a copy, since the source may change meanwhile."""
        with tempfile.NamedTemporaryFile(prefix="pinyon-") as copy, open(source, "rb") as file:
            copy_bytes(file.fileno(), copy.fileno())
            copied = Path(copy.name)
            tell(copied.stat().st_size)
            name = name_of_file(copied)
            if self._lacking({digest_in(name): copied.stat().st_size}):
                self.save([name])
                self.send(name, copied)
        return name

    def put_many(self, sources: Iterable[str], *, tell: Tell = quiet) -> list[str]:
        """See `pinyon.store.protocol.Blobs.put_many`: what is new and small goes into packs."""
        names: list[str] = []
        into = Target(self._lacking, _temporary, self._publish_pack, self._put_bytes)
        with contextlib.closing(Batch(into)) as batch:
            for source in sources:
                if (data := read_small(source)) is None:
                    names.append(self.put(Path(source), tell=tell))
                else:
                    names.append(batch.add(data))
                    tell(len(data))
            batch.finish()
        return names

    def _publish_pack(self, temporary: str, name: str, digests: set[str]) -> None:
        self.save(digests)
        self._objects.write(FOLDER + name, Path(temporary))
        os.unlink(temporary)

    def send(self, name: str, source: bytes | Path, *, tell: Tell = quiet) -> None:
        """Write a blob without a look whether it is there or condemned (`save`).

        Args:
            source: its bytes; whoever calls has hashed them.
        """
        self._objects.write(_key(digest_in(name)), source, tell=tell)

    def send_pack(self, blobs: Mapping[str, bytes], *, tell: Tell = quiet) -> None:
        """The same for small ones, by name, together."""
        name, data = packs.build({digest_in(one): data for one, data in blobs.items()})
        self._objects.write(FOLDER + name, data, tell=tell)

    def save(self, names: Iterable[str]) -> None:
        """Take away the marks of blobs that are about to be written, and wait for whoever may be deleting them."""
        digests = {name.removeprefix(PREFIX) for name in names}
        if condemned := self._marks.among(digests):
            self._marks.save(condemned)

    def _lacking(self, sizes: Mapping[str, int]) -> set[str]:
        """Which of these digests must be written; marks are looked at first, as in a directory."""
        marked = self._marks.among(sizes)
        alone = self._alone(sizes)
        there = {digest for digest in sizes if alone.get(digest) == sizes[digest]}
        rest = {bytes.fromhex(digest) for digest in sizes.keys() - there - marked}
        packed = {digest for pack in self._packs.now() for digest in pack.among(rest)} if rest else set()
        sound = {digest.hex() for digest in packed if self._is_sound(digest)}
        return sizes.keys() - ((there | sound) - marked)

    def _is_sound(self, digest: bytes) -> bool:
        found = self._packs.read(digest)
        return found is not None and name_of(found[0]) == PREFIX + digest.hex()

    # Looking

    def _alone(self, digests: Collection[str]) -> dict[str, int]:
        """Sizes of those with an object of their own."""
        if len(digests) > _FEW:
            return {digest: size for digest, size in self._listed() if digest in digests}
        sizes = {digest: self._objects.size(_key(digest)) for digest in digests}
        return {digest: size for digest, size in sizes.items() if size is not None}

    def _listed(self) -> Iterator[tuple[str, int]]:
        return ((key[6:].replace("/", "", 1), size) for key, size in self._objects.list("blobs/"))

    def sizes(self) -> dict[str, int]:
        """See `pinyon.store.blobs.LocalBlobs.sizes`."""
        # Packs last: what a gc moves from one pack to another is seen in one of them.
        alone = {PREFIX + digest: size for digest, size in self._listed() if is_name(PREFIX + digest)}
        packed = {
            PREFIX + digest.hex(): size for pack in self._packs.now() for digest, size in pack.members()
        }
        return packed | alone

    def has(self, name: str) -> bool:
        """See `pinyon.store.protocol.Blobs.has`."""
        return not self.missing([name])

    def missing(self, names: Iterable[str]) -> set[str]:
        """See `pinyon.store.protocol.Blobs.missing`."""
        digests = {digest_in(name): name for name in names}
        rest = {bytes.fromhex(digest) for digest in digests.keys() - self._alone(digests).keys()}
        for pack in self._packs.now() if rest else ():
            rest -= pack.among(rest)
        return {digests[digest.hex()] for digest in rest}

    def unkept(self, names: Iterable[str]) -> set[str]:
        """See `pinyon.store.protocol.Blobs.unkept`."""
        by_digest = {digest_in(name): name for name in names}
        marked = self._marks.among(by_digest)
        return {by_digest[digest] for digest in marked} | self.missing(by_digest.values())

    def size(self, name: str) -> int:
        """See `pinyon.store.protocol.Blobs.size`."""
        digest = digest_in(name)
        if (size := self._objects.size(_key(digest))) is not None:
            return size
        if (member := self._packs.find(bytes.fromhex(digest))) is None:
            raise self._missing(name)
        return member.size

    def names(self) -> Iterator[str]:
        """See `pinyon.store.protocol.Blobs.names`; what is no blob, and damaged packs, too, so that `verify` can tell
        of them."""
        yield from sorted(self.sizes().keys() | {PREFIX + digest for digest, _ in self._listed()})
        yield from (f"pack {pack.path[len(FOLDER) :]}" for pack in self._packs.now() if not len(pack))

    # Reading

    def read(self, name: str) -> bytes:
        """See `pinyon.store.protocol.Blobs.read`."""
        data, where = self._fetched(name)
        if name_of(data) != name.removesuffix("/"):
            raise self._corrupt(where)
        return data

    def _fetched(self, name: str) -> tuple[bytes, str]:
        """The bytes, and where they lie. A pack that we know is asked first, which saves a question to the place; a blob's
        own object goes before one that has rotted."""
        digest = digest_in(name)
        packed = self._packs.read(raw) if self._packs.known(raw := bytes.fromhex(digest)) else None
        if packed is not None and name_of(packed[0]) == PREFIX + digest:
            return packed[0], packed[1].pack
        try:
            return self._objects.read(_key(digest)), _key(digest)
        except MissingObjectError:
            packed = packed or self._packs.read(bytes.fromhex(digest))
        if packed is None:
            raise self._missing(name)
        return packed[0], packed[1].pack

    def copy_out(
        self,
        name: str,
        target: Path,
        *,
        executable: bool = False,
        link: bool = False,  # noqa: ARG002 - may be asked for, and cannot be had
        tell: Tell = quiet,
    ) -> bool:
        """See `pinyon.store.protocol.Blobs.copy_out`; never a link."""
        temporary = target.with_name(f".{os.urandom(6).hex()}.pinyon~")
        mode = _made_mode(temporary, 0o777 if executable else 0o666)
        try:
            self.fetch(name, temporary, tell=tell)
            if name_of_file(temporary) != name.removesuffix("/"):
                raise self._corrupt(_key(digest_in(name)))
            os.chmod(temporary, mode)
            os.rename(temporary, target)
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)
        return False

    def fetch(self, name: str, target: Path, *, tell: Tell = quiet) -> None:
        """Write the bytes to a new file, unverified.

        Raises:
            MissingBlobError: not here.
        """
        digest = digest_in(name)
        if self._packs.known(bytes.fromhex(digest)) is None:
            with contextlib.suppress(MissingObjectError):
                self._objects.fetch(_key(digest), target, tell=tell)
                return
        data = self.read(name)
        target.write_bytes(data)
        tell(len(data))

    def packed(self, names: Iterable[str]) -> dict[str, list[tuple[str, int, int]]]:
        """Which of these lie in packs, as (name, start, end) in the order of their places, by the key of the pack."""
        rest, found = (
            {bytes.fromhex(digest_in(name)) for name in names},
            dict[str, list[tuple[str, int, int]]](),
        )
        for pack in self._packs.now() if rest else ():
            held = [(digest, member) for digest in pack.among(rest) if (member := pack.find(digest))]
            rest = rest.difference(digest for digest, _ in held)
            rows = [(PREFIX + digest.hex(), one.offset, one.offset + one.size) for digest, one in held]
            if rows:
                found[pack.path] = sorted(rows, key=lambda row: row[1])
        return found

    def read_range(self, pack: str, start: int, end: int) -> bytes:
        """Bytes of a pack, of which `packed` says what they are."""
        return self._objects.read(pack, start, end)

    def flush(self, names: Iterable[str]) -> None:
        """See `pinyon.store.protocol.Blobs.flush`: what was written is as durable as the place makes it."""
        if absent := self.missing(names):
            raise self._missing(absent.pop())

    # Damage

    def verify(self, name: str) -> Damage | None:
        """See `pinyon.store.protocol.Blobs.verify`."""
        url = self._objects.url
        if name.startswith("pack "):
            return Damage(f"{url}/{FOLDER}{name[5:]}", 0, "its index is not what was written")
        try:
            digest = digest_in(name)
        except CorruptError:
            return Damage(f"{url}/blobs/{name.removeprefix(PREFIX)}", 0, "not the name of a blob")
        try:
            if (size := self._objects.size(_key(digest))) is None:
                data, where = self._fetched(name)
                found = name_of(data)
            else:
                where, found = _key(digest), self._hashed(_key(digest), size)
        except MissingBlobError:
            return Damage(f"{url}/{_key(digest)}", 0, "no bytes are here")
        same = found == name.removesuffix("/")
        return None if same else Damage(f"{url}/{where}", 0, f"its bytes are {found}")

    def _hashed(self, key: str, size: int) -> str:
        made = hasher()
        for start in range(0, size, _SMALL):
            made.update(self._objects.read(key, start, start + _SMALL))
        return PREFIX + made.hexdigest()

    def set_aside(self, name: str) -> bool:
        """See `pinyon.store.protocol.Blobs.set_aside`."""
        digest = digest_in(name)
        if self._objects.size(_key(digest)) is None or self.verify(name) is None:
            return False
        with tempfile.TemporaryDirectory(prefix="pinyon-") as folder:
            copy = Path(folder, "blob")
            self._objects.fetch(_key(digest), copy)
            self._objects.write(f"damaged/{digest}", copy)
        self._objects.delete([_key(digest)])
        return True

    # Deleting

    def condemn(self, names: Iterable[str]) -> None:
        """See `pinyon.store.protocol.Blobs.condemn`."""
        self._marks.add(map(digest_in, names))

    def spare(self, names: Iterable[str]) -> None:
        """See `pinyon.store.protocol.Blobs.spare`."""
        self._marks.remove(map(digest_in, names))

    def marked(self) -> set[str]:
        """Names of all that are condemned, which is cheaper than since when."""
        return {PREFIX + digest for digest in self._marks.names()}

    def condemned(self) -> dict[str, float]:
        """See `pinyon.store.protocol.Blobs.condemned`."""
        found = {digest: self._marks.since(digest) for digest in self._marks.names()}
        return {PREFIX + digest: since for digest, since in found.items() if since is not None}

    def delete(self, names: Iterable[str], before: float) -> dict[str, int]:
        """See `pinyon.store.protocol.Blobs.delete`. A blob is as old as its mark at least: a put takes the mark away."""
        wanted = {digest_in(name) for name in names}
        gone: dict[str, int] = {}
        with self._marks.deleting() as may:
            marked = self._marks.among(wanted)
            due = {d for d in marked if (since := self._marks.since(d)) is not None and since < before}
            for digest, size in sorted(self._alone(due).items()):
                if may():
                    self._objects.delete([_key(digest)])
                    gone[PREFIX + digest] = size
            for pack in self._packs.now():
                if may():
                    gone |= self._delete_packed(pack, due, may)
            absent = self.missing(PREFIX + digest for digest in due)
            self._marks.remove(list(map(digest_in, absent)))
        return {name: size for name, size in gone.items() if name in absent}

    def _delete_packed(self, pack: packs.Pack, due: set[str], may: Callable[[], bool]) -> dict[str, int]:
        """Delete a pack when half of its bytes are to go; the rest is written anew first."""
        members = {digest.hex(): size for digest, size in pack.members()}
        going = {digest: size for digest, size in members.items() if digest in due}
        if not going or sum(going.values()) * 2 < sum(members.values()):
            return {}
        rest = [PREFIX + digest for digest in members if digest not in going]
        if rest:
            name, data = packs.build({digest_in(one): self.read(one) for one in rest})
            self._objects.write(FOLDER + name, data)
        if not may():
            return {}
        self._objects.delete([pack.path])
        return {PREFIX + digest: size for digest, size in going.items()}

    def _missing(self, name: str) -> MissingBlobError:
        return MissingBlobError(f"no bytes for {name}", where=self._objects.url, next="pinyon sync status")

    def _corrupt(self, key: str) -> CorruptError:
        return CorruptError(
            "stored bytes differ from their name",
            where=f"{self._objects.url}/{key}",
            why="the object has rotted",
            next="pinyon verify",
        )


def _key(digest: str) -> str:
    return f"blobs/{digest[:2]}/{digest[2:]}"


def _temporary() -> tuple[str, int]:
    fd, path = tempfile.mkstemp(prefix="pinyon-")
    return path, fd


def _made_mode(path: Path, mode: int) -> int:
    """The mode that a new file gets there; none is left."""
    fd = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, mode)
    try:
        return os.fstat(fd).st_mode & 0o7777
    finally:
        os.close(fd)
        os.unlink(path)
