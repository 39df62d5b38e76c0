"""Blobs that break a rule of FORMAT §2 about packs and links, or of §8 about deleting."""

# ruff: noqa: ARG002 - a fake takes what the protocol gives, and may ignore it

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from pinyon.store.blobs import LocalBlobs
from pinyon.store.names import PREFIX, digest_in
from pinyon.store.protocol import Damage, Tell, quiet
from pinyon.testing.fakes.base import breaks


@breaks("test_blob_put_many_names_each_file")
class _SkipsTheSameAgain(LocalBlobs):
    """Gives one name for two equal files."""

    def put_many(self, sources: Iterable[str], *, tell: Tell = quiet) -> list[str]:
        return list(dict.fromkeys(super().put_many(sources, tell=tell)))


@breaks("test_blob_put_many_names_each_file")
class _ForgetsPackedOnes(LocalBlobs):
    """Lists only what has a file of its own."""

    def names(self) -> Iterator[str]:
        return (name for name in super().names() if self.path(name).exists())


@breaks("test_blob_put_many_is_as_sound_as_put")
class _TrustsPackedOnes(LocalBlobs):
    """Hashes files of their own only."""

    def read(self, name: str) -> bytes:
        packed = self._packs.read(bytes.fromhex(digest_in(name)))
        return super().read(name) if packed is None else packed


@breaks("test_blob_put_many_is_as_sound_as_put")
class _NeverHealsPackedOnes(LocalBlobs):
    """Takes what lies in a pack for whole."""

    def _lacking(self, sizes: Mapping[str, int]) -> set[str]:
        return {digest for digest in sizes if not self.has(f"{PREFIX}{digest}")}


@breaks("test_blob_put_many_cut_short_is_told")
class _HidesBrokenPacks(LocalBlobs):
    """A pack without its index is no pack, and nobody hears of it."""

    def names(self) -> Iterator[str]:
        return (name for name in super().names() if not name.startswith("pack "))


@breaks("test_blob_copy_out_by_link_is_verified_and_read_only")
class _LinksUnverified(LocalBlobs):
    """A link is quick, if nobody looks."""

    def copy_out(self, name: str, target: Path, *, executable: bool = False, link: bool = False) -> bool:
        if not link or executable:
            return super().copy_out(name, target, executable=executable)
        target.unlink(missing_ok=True)
        os.link(self.path(name), target)
        return True


@breaks("test_blob_copy_out_by_link_is_verified_and_read_only")
class _LinksWritable(LocalBlobs):
    """The next program that opens its input for writing changes the store."""

    def copy_out(self, name: str, target: Path, *, executable: bool = False, link: bool = False) -> bool:
        linked = super().copy_out(name, target, executable=executable, link=link)
        if linked:
            target.chmod(0o644)
        return linked


@breaks("test_blob_set_aside_only_when_damaged")
class _SetsAnythingAside(LocalBlobs):
    """Does not look whether it is damaged."""

    def verify(self, name: str) -> Damage | None:
        return Damage(name, 0, "looks suspicious")


@breaks("test_blob_condemned_is_read_as_ever")
class _HidesCondemnedOnes(LocalBlobs):
    """As if it were gone already."""

    def has(self, name: str) -> bool:
        return super().has(name) and name not in self.condemned()


@breaks("test_blob_condemned_is_read_as_ever")
class _CondemnsAnew(LocalBlobs):
    """Each mark sets the clock back: with a gc every day nothing is ever deleted."""

    def condemn(self, names: Iterable[str]) -> None:
        names = list(names)
        super().condemn(names)
        for name in names:
            os.utime(self._root / "condemned" / digest_in(name))


@breaks("test_blob_unkept_must_be_put")
class _ReliesOnCondemnedOnes(LocalBlobs):
    """They are here, after all."""

    def unkept(self, names: Iterable[str]) -> set[str]:
        return self.missing(names)


@breaks("test_blob_delete_takes_only_what_is_condemned")
class _DeletesWhatItIsTold(LocalBlobs):
    """Without a mark, too."""

    def delete(self, names: Iterable[str], before: float) -> dict[str, int]:
        names = list(names)
        self.condemn(names)
        return super().delete(names, before)


@breaks("test_blob_delete_takes_only_what_is_condemned")
class _DeletesTooEarly(LocalBlobs):
    """Does not care how long ago it was condemned."""

    def delete(self, names: Iterable[str], before: float) -> dict[str, int]:
        return super().delete(names, float("inf"))


@breaks("test_blob_delete_takes_some_of_many")
class _DeletesWholePacks(LocalBlobs):
    """With those that are needed."""

    def delete(self, names: Iterable[str], before: float) -> dict[str, int]:
        gone = super().delete(names, before)
        if gone:
            for pack in (self._root / "packs").iterdir():
                pack.unlink()
        return gone


@breaks("test_blob_put_of_a_condemned_one_saves_it")
class _PutsBlindly(LocalBlobs):
    """The bytes are here, so nothing is to be done."""

    def _lacking(self, sizes: Mapping[str, int]) -> set[str]:
        return {digest for digest in sizes if not self.has(f"{PREFIX}{digest}")}


@breaks("test_blob_put_and_delete_at_once_lose_nothing")
class _DeletesWithoutTheLock(LocalBlobs):
    """Looks at the mark, and deletes what has been put again by then."""

    def delete(self, names: Iterable[str], before: float) -> dict[str, int]:
        gone: dict[str, int] = {}
        for name in self.condemned().keys() & set(names):
            with contextlib.suppress(FileNotFoundError):
                os.stat(self.path(name))
                os.listdir(self._root)
                self.path(name).unlink()
                gone[name] = 0
        self.spare(gone)
        return gone
