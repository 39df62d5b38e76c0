"""Refs that break a rule of FORMAT §6."""

# ruff: noqa: ARG002 - a fake takes what the protocol gives, and may ignore it

from __future__ import annotations

import json
import os
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pinyon.errors import CorruptError, RefConflictError
from pinyon.store.lines import encode
from pinyon.store.protocol import Damage, RefVersion
from pinyon.store.refs import LocalRefs, encode_name
from pinyon.testing.fakes.base import breaks


@breaks("test_ref_versions_count_from_one")
class _CountsFromZero(LocalRefs):
    """The first version is 0."""

    def get(self, name: str) -> RefVersion | None:
        found = super().get(name)
        return found and found._replace(version=found.version - 1)


@breaks("test_ref_versions_count_from_one")
class _DropsTheActor(LocalRefs):
    """Nobody did it."""

    def set(self, name: str, value: Any, *, expect: int, actor: str = "") -> RefVersion:
        return super().set(name, value, expect=expect)


@breaks("test_ref_set_needs_the_version_it_expects")
class _IgnoresWhatIsExpected(LocalRefs):
    """The last writer wins."""

    def set(self, name: str, value: Any, *, expect: int, actor: str = "") -> RefVersion:
        newest = self.get(name)
        return super().set(name, value, expect=newest.version if newest else 0, actor=actor)


class _Plain(LocalRefs):
    """Writes a version file without link(2); what guards it is the fake's."""

    def _file(self, name: str, version: int) -> Path:
        directory = self._dir / encode_name(name)
        directory.mkdir(parents=True, exist_ok=True)
        return directory / f"{version:06d}"

    def _replace(self, made: RefVersion) -> RefVersion:
        temporary = self._tmp / f"{os.getpid()}-{os.urandom(6).hex()}"
        temporary.write_bytes(encode({"v": 1, **made._asdict()}))
        temporary.rename(self._file(made.name, made.version))
        return made

    def _check(self, name: str, expect: int) -> None:
        newest = self.get(name)
        if (newest.version if newest else 0) != expect:
            raise RefConflictError(f"'{name}' is not at {expect}")


@breaks("test_ref_set_needs_the_version_it_expects")
class _LeavesGaps(_Plain):
    """Only a version that is there is a conflict, so a writer can run ahead."""

    def set(self, name: str, value: Any, *, expect: int, actor: str = "") -> RefVersion:
        if self._file(name, expect + 1).exists():
            raise RefConflictError(f"'{name}' has a version {expect + 1}")
        return self._replace(RefVersion(name, expect + 1, value, actor, time.time()))


@breaks("test_ref_race_of_threads_has_one_winner")
class _ChecksThenReplaces(_Plain):
    """Looks, and then renames over whatever has come meanwhile."""

    def set(self, name: str, value: Any, *, expect: int, actor: str = "") -> RefVersion:
        self._check(name, expect)
        time.sleep(0.001)
        return self._replace(RefVersion(name, expect + 1, value, actor, time.time()))


@breaks("test_ref_race_of_processes_has_one_winner")
class _LocksOnlyItsThreads(_ChecksThenReplaces):
    """A lock that other processes do not know of."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self._lock = threading.Lock()

    def set(self, name: str, value: Any, *, expect: int, actor: str = "") -> RefVersion:
        with self._lock:
            return super().set(name, value, expect=expect, actor=actor)


@breaks("test_ref_is_never_seen_half_written")
class _CreatesThenWrites(_Plain):
    """O_EXCL picks the winner, and readers find an empty file."""

    def set(self, name: str, value: Any, *, expect: int, actor: str = "") -> RefVersion:
        self._check(name, expect)
        made = RefVersion(name, expect + 1, value, actor, time.time())
        try:
            with open(self._file(name, expect + 1), "xb", buffering=0) as file:
                time.sleep(0.001)
                file.write(encode({"v": 1, **made._asdict()}))
        except FileExistsError:
            raise RefConflictError(f"'{name}' has a version {expect + 1}") from None
        return made


@breaks("test_ref_history_is_complete_and_in_order")
class _SortsAsText(LocalRefs):
    """10 comes before 9."""

    def history(self, name: str) -> list[RefVersion]:
        return sorted(super().history(name), key=lambda found: str(found.version))


@breaks("test_ref_history_is_complete_and_in_order")
class _ForgetsOldVersions(LocalRefs):
    """Keeps the newest."""

    def history(self, name: str) -> list[RefVersion]:
        return super().history(name)[-100:]


@breaks("test_ref_can_have_any_name")
class _UsesNamesAsPaths(LocalRefs):
    """A name can leave the directory (by one step, lest this fake writes outside the store)."""

    def _link(self, temporary: str, fd: int, directory: Path, made: RefVersion) -> None:
        super()._link(temporary, fd, self._dir / made.name if made.name == "../x" else directory, made)


@breaks("test_ref_can_have_any_name")
class _ReplacesStrangeLetters(LocalRefs):
    """Different names become one."""

    def set(self, name: str, value: Any, *, expect: int, actor: str = "") -> RefVersion:
        return (
            super().set(re.sub(r"[^\w.-]", "_", name), value, expect=expect, actor=actor)._replace(name=name)
        )

    def get(self, name: str) -> RefVersion | None:
        found = super().get(re.sub(r"[^\w.-]", "_", name))
        return found and found._replace(name=name)


@breaks("test_ref_can_have_any_name")
class _CutsLongNames(LocalRefs):
    """A name too long becomes another's."""

    def set(self, name: str, value: Any, *, expect: int, actor: str = "") -> RefVersion:
        return super().set(name[:200], value, expect=expect, actor=actor)


@breaks("test_ref_names_begin_with_the_prefix")
class _IgnoresThePrefix(LocalRefs):
    """Lists all."""

    def names(self, prefix: str = "") -> list[str]:
        return super().names()


@breaks("test_ref_value_comes_back_as_it_was")
class _TurnsValuesIntoText(LocalRefs):
    """Numbers come back as text."""

    def set(self, name: str, value: Any, *, expect: int, actor: str = "") -> RefVersion:
        made = super().set(name, value if isinstance(value, dict) else str(value), expect=expect, actor=actor)
        return made._replace(value=value)


@breaks("test_ref_damage_is_told")
class _TrustsStoredBytes(LocalRefs):
    """Whatever is still JSON is believed."""

    def _read(self, directory: Path, name: str, version: int) -> RefVersion:
        try:
            data = json.loads((directory / f"{version:06d}").read_bytes())
            return RefVersion(name, version, data["value"], data["actor"], data["ts"])
        except (ValueError, KeyError, TypeError) as error:
            raise CorruptError("unreadable", where=str(directory)) from error


@breaks("test_ref_gap_is_told")
class _VerifiesOnlyTheNewest(LocalRefs):
    """Older versions may be anything."""

    def verify(self) -> Iterator[Damage]:
        newest = {
            str(self._dir / encode_name(found.name)) for name in self.names() if (found := self._newest(name))
        }
        return (
            damage
            for damage in super().verify()
            if os.path.dirname(damage.file) not in newest and "gaps" not in damage.what
        )

    def _newest(self, name: str) -> RefVersion | None:
        try:
            return self.get(name)
        except CorruptError:
            return None
