"""Where the bytes of an md5 lie: DVC's cache, and remotes that are directories. Nothing is believed before it is hashed."""

from __future__ import annotations

import configparser
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from pinyon.bridges.dvc.hashes import md5_of
from pinyon.errors import SpecError, StoreError


class Found(NamedTuple):
    """Verified bytes of one file: where they lie, and whether DVC wants the file executable."""

    path: str
    source: Path
    executable: bool = False


class Places:
    """Directories laid out as DVC's cache, the nearest first.

    Args:
        folders: each holds ``files/md5/ab/…`` (DVC 3), ``ab/…`` (DVC 2), or both.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        self.folders = tuple(folders)
        self._sound: dict[str, Path | None] = {}

    def file(self, md5: str) -> Path | None:
        """A file with this md5, or with the one that DVC 2 would give it; None when there is no sound one."""
        if md5 not in self._sound:
            self._sound[md5] = next(filter(None, map(lambda folder: _sound(folder, md5), self.folders)), None)  # noqa: C417
        return self._sound[md5]

    def folder(self, md5: str) -> list[tuple[str, str]] | None:
        """(path, md5) of each file of the folder ``md5``, which ends in ``.dir``; None when that is not known here.

        A list that names a path outside the folder counts as damaged.
        """
        source = self.file(md5)
        if source is None:
            return None
        try:
            rows = [(str(row["relpath"]), str(row["md5"])) for row in json.loads(source.read_bytes())]
        except (ValueError, TypeError, KeyError):
            return None
        parts = [part for path, _ in rows for part in path.split("/")]
        return None if "" in parts or "." in parts or ".." in parts or "\0" in "".join(parts) else rows

    def everything(self, md5: str, listed: Iterable[tuple[str, str]] = ()) -> list[Found] | None:
        """The files behind a digest, the path of a lone file being ""; None when one of them is missing or damaged.

        Args:
            listed: (path, md5) of a folder, where dvc.lock itself has them.
        """
        if not md5.endswith(".dir"):
            source = self.file(md5)
            return None if source is None else [Found("", source)]
        rows = list(listed) or self.folder(md5)
        if rows is None:
            return None
        sources = [(path, self.file(one)) for path, one in rows]
        found = [Found(path, source) for path, source in sources if source is not None]
        return found if len(found) == len(sources) else None


def place_of(folder: Path, md5: str) -> Path:
    """Where DVC 3 has the bytes of an md5."""
    return folder / "files" / "md5" / md5[:2] / md5[2:]


def _sound(folder: Path, md5: str) -> Path | None:
    for path in (place_of(folder, md5), folder / md5[:2] / md5[2:]):
        wanted = md5.removesuffix(".dir")
        try:
            if md5_of(path) == wanted or md5_of(path, legacy=True) == wanted:
                return path
        except OSError:
            continue
    return None


def places(root: Path, *, pull: bool = False) -> Places:
    """Where the bytes of a project's DVC files may lie: its cache and, when pulling, its default remote.

    Raises:
        StoreError: the remote is not a directory, which is the only kind that is read so far.
        SpecError: DVC's configuration cannot be read.
    """
    home = _dvc_folder(root)
    if home is None:
        return Places([])
    config = _config(home)
    cache = home / config.get("cache", {}).get("dir", "cache")
    remote = _remote(home, config) if pull else None
    return Places([cache] if remote is None else [cache, remote])


def _dvc_folder(root: Path) -> Path | None:
    folder = root.absolute()
    for above in (folder, *folder.parents):
        if (above / ".dvc").is_dir():
            return above / ".dvc"
    return None


def _config(home: Path) -> dict[str, dict[str, str]]:
    parser = configparser.ConfigParser(interpolation=None, strict=False, default_section="\0")
    for name in ("config", "config.local"):
        try:
            parser.read_string((home / name).read_text(), str(home / name))
        except FileNotFoundError:
            continue
        except (configparser.Error, UnicodeDecodeError) as error:
            what = str(error).replace("\n", " ")
            raise SpecError(f"DVC's configuration cannot be read: {what}", where=str(home / name)) from None
    return {
        section.strip("'"): {key: value.strip("'\"") for key, value in parser[section].items()}
        for section in parser.sections()
    }


def _remote(home: Path, config: Mapping[str, Mapping[str, str]]) -> Path | None:
    name = config.get("core", {}).get("remote")
    if name is None:
        return None
    url = config.get(f'remote "{name}"', {}).get("url", "").removeprefix("file://")
    if not url or "://" in url:
        raise StoreError(
            f"the DVC remote '{name}' is {url or 'nowhere'}",
            where=str(home / "config"),
            why="only remotes that are directories of this machine are read so far",
            next="dvc pull",
        )
    return home / url
