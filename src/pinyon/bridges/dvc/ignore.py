""".dvcignore: files of a folder that DVC leaves out of its digest. Patterns are those of .gitignore."""

from __future__ import annotations

import re
from pathlib import Path

_ALWAYS = (".git", ".hg/", ".dvc/")


class Ignored:
    """Whether DVC would not see a path of a project: the .dvcignore at the root, and any in a folder above the path."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._rules: dict[str, list[tuple[re.Pattern[str], bool]]] = {}
        self._folders: dict[str, bool] = {"": False}

    def __call__(self, path: str) -> bool:
        """``path`` is a file's, posix, relative to the root."""
        folder = path.rpartition("/")[0]
        return self._folder(folder) or self._matches(path, "")

    def _folder(self, folder: str) -> bool:
        known = self._folders.get(folder)
        if known is None:
            above = folder.rpartition("/")[0]
            known = self._folders[folder] = self._folder(above) or self._matches(folder, "/")
        return known

    def _matches(self, path: str, mark: str) -> bool:
        answer = False
        parts = path.split("/")
        for depth in range(len(parts)):
            base, rest = "/".join(parts[:depth]), "/".join(parts[depth:])
            for pattern, drops in self._of(base):
                if pattern.fullmatch(rest + mark):
                    answer = drops
        return answer

    def _of(self, folder: str) -> list[tuple[re.Pattern[str], bool]]:
        if folder not in self._rules:
            try:
                lines = (self._root / folder / ".dvcignore").read_text().splitlines()
            except (OSError, UnicodeDecodeError):
                lines = []
            rules = [rule(line) for line in ([] if folder else _ALWAYS)] + [rule(line) for line in lines]
            self._rules[folder] = [one for one in rules if one is not None]
        return self._rules[folder]


def rule(line: str) -> tuple[re.Pattern[str], bool] | None:
    """A line as (what it matches, whether that is left out); folders are matched with ``/`` at their end."""
    text = line.rstrip()
    if not text or text.startswith("#"):
        return None
    drops = not text.startswith("!")
    text = text if drops else text[1:]
    only_folders = text.endswith("/")
    parts = text.strip("/").split("/")
    if parts == [""]:
        return None
    anywhere = "/" not in text.rstrip("/")
    body = ("(?:.*/)?" if anywhere else "") + "".join(map(_segment, parts, range(len(parts), 0, -1)))
    return re.compile(body + ("/" if only_folders else "/?")), drops


def _segment(glob: str, left: int) -> str:
    """One part of a pattern with the slash behind it; ``left`` counts the parts from here on."""
    if glob == "**":
        return "(?:.*/)?" if left > 1 else ".+"
    words = {"*": "[^/]*", "?": "[^/]"}
    parts = re.findall(r"\*+|\?|\[[^]]*\]|\\.|.", glob)
    return "".join(
        words.get(part[:1] if part[:1] == "*" else part) or _literal(part) for part in parts
    ) + "/" * (left > 1)


def _literal(part: str) -> str:
    if part[0] == "[" and len(part) > 2:
        negated, inner = ("^/", part[2:-1]) if part[1] in "!^" else ("", part[1:-1])
        return f"[{negated}{re.escape(inner).replace(chr(92) + '-', '-')}]"
    return re.escape(part[1:] if part[0] == "\\" and len(part) > 1 else part)
