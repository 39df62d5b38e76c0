"""Blobs that break a rule of FORMAT §2."""

# ruff: noqa: ARG002 - a fake takes what the protocol gives, and may ignore it

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from pinyon.errors import MissingBlobError, StoreError
from pinyon.store.blobs import LocalBlobs
from pinyon.store.names import PREFIX, name_of, name_of_file
from pinyon.store.protocol import Damage, Tell, quiet
from pinyon.testing.fakes.base import breaks


@breaks("test_blob_name_is_the_blake3_of_the_bytes")
class _NamesBySha256(LocalBlobs):
    """Another hash under the same prefix."""

    def put(self, source: Path | bytes, *, tell: Tell = quiet) -> str:
        data = source if isinstance(source, bytes) else source.read_bytes()
        name = "blake3:" + hashlib.sha256(data).hexdigest()
        self.path(name).parent.mkdir(parents=True, exist_ok=True)
        self.path(name).write_bytes(data)
        return name


@breaks("test_blob_put_is_idempotent")
class _RefusesASecondPut(LocalBlobs):
    """The name being taken is an error."""

    def put(self, source: Path | bytes, *, tell: Tell = quiet) -> str:
        name = name_of(source) if isinstance(source, bytes) else name_of_file(source)
        if self.has(name):
            raise StoreError(f"{name} is here already")
        return super().put(source)


@breaks("test_blob_put_never_links_its_source")
class _LinksItsSource(LocalBlobs):
    """Saves the copy, and keeps whatever is written to the source later."""

    def put(self, source: Path | bytes, *, tell: Tell = quiet) -> str:
        if isinstance(source, bytes):
            return super().put(source)
        name = name_of_file(source)
        self.path(name).parent.mkdir(parents=True, exist_ok=True)
        os.link(source, self.path(name))
        return name


@breaks("test_blob_put_of_a_changing_source_is_sound")
class _NamesBeforeCopying(LocalBlobs):
    """Hashes the source and then copies what it has become."""

    def put(self, source: Path | bytes, *, tell: Tell = quiet) -> str:
        if isinstance(source, bytes):
            return super().put(source)
        name = name_of_file(source)
        time.sleep(0.01)
        self.path(name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, self.path(name))
        return name


@breaks("test_blob_put_writes_again_what_a_power_cut_cut_short")
class _TrustsAnyFileThere(LocalBlobs):
    """Something under the name is taken for the bytes."""

    def _lacking(self, sizes: Mapping[str, int]) -> set[str]:
        return {digest for digest in sizes if not self.path(f"{PREFIX}{digest}").exists()}


@breaks("test_blob_appears_whole")
class _WritesInPlace(LocalBlobs):
    """Under the final name from the first byte on."""

    def put(self, source: Path | bytes, *, tell: Tell = quiet) -> str:
        data = source if isinstance(source, bytes) else source.read_bytes()
        path = self.path(name := name_of(data))
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "wb", buffering=0) as file:
            file.write(data[: len(data) // 2])
            time.sleep(0.1)
            file.write(data[len(data) // 2 :])
        return name


@breaks("test_blob_puts_of_many_writers_do_not_mix")
class _SharesOneTemporary(LocalBlobs):
    """Every put of a process goes through one temporary file."""

    def _temporary(self) -> tuple[str, int]:
        path = f"{self._tmp}/{os.getpid()}"
        fd = os.open(path, os.O_CREAT | os.O_TRUNC | os.O_RDWR | os.O_CLOEXEC, 0o644)
        time.sleep(0.01)
        return path, fd


@breaks("test_blob_has_only_what_was_put")
class _HasEverything(LocalBlobs):
    """Says yes."""

    def has(self, name: str) -> bool:
        return bool(self.path(name))


@breaks("test_blob_that_is_missing_is_told")
class _ReadsNothingForMissing(LocalBlobs):
    """Absent bytes are empty bytes."""

    def read(self, name: str) -> bytes:
        return super().read(name) if self.has(name) else b""


@breaks("test_blob_flush_refuses_a_missing_one")
class _FlushesWhatIsNotThere(LocalBlobs):
    """Announces durable what it does not have."""

    def flush(self, names: Iterable[str]) -> None:
        super().flush(name for name in names if self.has(name))


@breaks("test_blob_read_is_verified")
class _ReadsUnverified(LocalBlobs):
    """Returns what lies there."""

    def read(self, name: str) -> bytes:
        return self.path(name).read_bytes() if self.has(name) else super().read(name)


@breaks("test_blob_copy_out_is_verified")
class _CopiesOutUnverified(LocalBlobs):
    """Writes out what lies there."""

    def copy_out(self, name: str, target: Path, *, executable: bool = False, link: bool = False) -> bool:
        if not self.has(name):
            raise self._missing(name)
        temporary = target.with_name(".copy")
        temporary.write_bytes(self.path(name).read_bytes())
        temporary.chmod(0o755 if executable else 0o644)
        temporary.rename(target)
        return False


@breaks("test_blob_copy_out_is_verified")
class _VerifiesAfterReplacing(LocalBlobs):
    """Raises when the target is bad already."""

    def copy_out(self, name: str, target: Path, *, executable: bool = False, link: bool = False) -> bool:
        shutil.copyfile(self.path(name), target)
        return super().copy_out(name, target, executable=executable)


@breaks("test_blob_copy_out_gives_a_file_of_its_own")
class _HandsOutHardLinks(LocalBlobs):
    """Saves the copy, and lets everybody write into the store."""

    def copy_out(self, name: str, target: Path, *, executable: bool = False, link: bool = False) -> bool:
        self.read(name)
        target.unlink(missing_ok=True)
        os.link(self.path(name), target)
        target.chmod(0o755 if executable else 0o644)
        return False


@breaks("test_blob_copy_out_gives_a_file_of_its_own")
class _ForgetsExecutable(LocalBlobs):
    """A script that came out cannot be run."""

    def copy_out(self, name: str, target: Path, *, executable: bool = False, link: bool = False) -> bool:
        return super().copy_out(name, target)


@breaks("test_blob_copy_out_gives_a_file_of_its_own")
class _HandsOutReadOnly(LocalBlobs):
    """With the mode that files have in the store."""

    def copy_out(self, name: str, target: Path, *, executable: bool = False, link: bool = False) -> bool:
        super().copy_out(name, target, executable=executable)
        target.chmod(target.stat().st_mode & ~0o222)
        return False


@breaks("test_blob_copy_out_replaces_the_target_at_once")
class _CopiesOutInPlace(LocalBlobs):
    """Writes into the file that somebody reads, and through a link."""

    def copy_out(self, name: str, target: Path, *, executable: bool = False, link: bool = False) -> bool:
        target.write_bytes(self.read(name))
        target.chmod(0o755 if executable else 0o644)
        return False


@breaks("test_blob_copy_out_leaves_nothing_when_it_cannot_replace")
class _LeavesTemporaries(LocalBlobs):
    """A rename that fails leaves the copy beside the target."""

    def copy_out(self, name: str, target: Path, *, executable: bool = False, link: bool = False) -> bool:
        temporary = target.with_name(f".{os.urandom(4).hex()}")
        super().copy_out(name, temporary, executable=executable)
        temporary.rename(target)
        return False


@breaks("test_blob_copy_out_leaves_nothing_when_it_cannot_replace")
class _LengthensTheName(LocalBlobs):
    """A target whose name is near the limit cannot be written."""

    def copy_out(self, name: str, target: Path, *, executable: bool = False, link: bool = False) -> bool:
        temporary = target.with_name(f".{target.name}.{os.urandom(4).hex()}")
        temporary.touch()
        temporary.unlink()
        return super().copy_out(name, target, executable=executable)


@breaks("test_blob_name_of_a_directory_ends_in_a_slash")
class _TakesTheSlashForTheName(LocalBlobs):
    """A manifest is not found under its name."""

    def has(self, name: str) -> bool:
        return not name.endswith("/") and super().has(name)


@breaks("test_blob_with_a_bad_name_is_refused")
class _TakesAnyName(LocalBlobs):
    """Any text is a path."""

    def path(self, name: str) -> Path:
        digest = name.removesuffix("/").removeprefix("blake3:")
        return self._dir / digest[:2] / digest[2:]


@breaks("test_blob_verify_finds_every_damage")
class _VerifiesOnlyThatItIsThere(LocalBlobs):
    """A file is a sound file."""

    def verify(self, name: str) -> Damage | None:
        return None if super().verify(name) is None or self._there(name) else Damage(name, 0, "absent")

    def _there(self, name: str) -> bool:
        try:
            return self.has(name)
        except StoreError:
            return False


@breaks("test_blob_names_are_all_there")
class _ListsOnlySome(LocalBlobs):
    """As a listing that stops after its first page."""

    def names(self) -> Iterator[str]:
        return iter(list(super().names())[:250])


@breaks("test_blob_that_is_missing_is_told")
class _LeavesAnEmptyTarget(LocalBlobs):
    """Makes the target before it knows that it has the bytes."""

    def copy_out(self, name: str, target: Path, *, executable: bool = False, link: bool = False) -> bool:
        try:
            return super().copy_out(name, target, executable=executable)
        except MissingBlobError:
            target.touch()
            raise
