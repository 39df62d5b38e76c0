"""A Hydra configuration composed from its files, by the rules of Hydra 1.3, without Hydra.

Interpolations stay text. What Hydra keeps about itself (everything in its own group ``hydra``) is left out. Source of the
rules: https://hydra.cc/docs/1.3/advanced/defaults_list/, and its behaviour, which a test asks.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from pinyon.errors import PlanError
from pinyon.model.flags import ConfigFile, HydraConfig
from pinyon.plan.interpolate import nearest

Choice = str | None | list[str]
_INTERPOLATION = re.compile(r"\$\{([^${}]+)\}")
_MISSING = "???"
_DEPTH = 50  # of files that name files


class Group(NamedTuple):
    """A group of the defaults list: what is chosen, and what could be."""

    choice: Choice
    options: tuple[str, ...]


class Composed(NamedTuple):
    """What a configuration says: nested ``values``, and its ``groups`` by the name that an override gives them."""

    values: Mapping[str, Any]
    groups: Mapping[str, Group]


def compose(config: HydraConfig, choices: Mapping[str, Choice], added: Mapping[str, Choice]) -> Composed:
    """The configuration with these choices of groups.

    Args:
        choices: by group, as overrides ``model=vit`` make them; those of no group are left out of account.
        added: groups that ``+model=vit`` puts at the end of the primary file's defaults.

    Raises:
        PlanError: a file is not there or is broken, or its defaults list is.
    """
    composer = _Composer(config, dict(choices))
    values: dict[str, Any] = {}
    extra = tuple({group: choice} for group, choice in added.items())
    own = _absolute("", _header(config.files[config.primary]))
    for package, content in composer.expand(config.primary, "", own, extra):
        _merge(values, _nested(package, content))
    values.pop("hydra", None)
    return Composed(values, composer.groups)


def is_group(config: HydraConfig, name: str) -> bool:
    """Whether an override of this name chooses a group's option: its folder exists."""
    folder = name.partition("@")[0]
    return any(path.startswith(f"{folder}/") for path in config.files)


class _Entry(NamedTuple):
    """One line of a defaults list, seen from the file it stands in."""

    kind: str  # self, override, group, config
    path: str  # of the folder of a group's options; of a config itself
    choice: Choice
    key: str  # what an override calls the group
    package: str | None  # as written after @
    relative: str  # package that follows from the place
    optional: bool


class _Composer:
    """One composition: choices are collected while the tree of files is gone through, as Hydra does, from the end."""

    def __init__(self, config: HydraConfig, choices: dict[str, Choice]) -> None:
        self._config = config
        self._choices = choices
        self._depth = 0
        self.groups: dict[str, Group] = {}

    def expand(
        self, path: str, folder: str, package: str, extra: tuple[Any, ...] = ()
    ) -> list[tuple[str, Mapping[str, Any]]]:
        """What the file at ``path`` contributes, in the order of merging: (package, content).

        Args:
            folder: where its relative defaults are looked for.
            package: where its content goes.
        """
        self._depth += 1
        if self._depth > _DEPTH:
            raise PlanError(f"defaults lists go on for ever at '{path}'", where=self._config.files[path].path)
        file = self._config.files[path]
        own = (package, file.content)
        entries = [_entry(item, folder, package, file) for item in (*file.defaults, *extra)]
        kinds = {entry.kind for entry in entries}
        if "self" not in kinds and kinds - {"override"}:
            at = len(file.defaults)
            entries.insert(at, _Entry("self", "", None, "", None, "", optional=False))
        for entry in entries:
            if entry.kind == "override":
                self._choices.setdefault(entry.key, entry.choice)
        parts: list[list[tuple[str, Mapping[str, Any]]] | _Entry] = []
        for entry in reversed(entries):
            if entry.kind == "self":
                parts.append([own])
            elif entry.kind != "override":
                late = isinstance(entry.choice, str) and "${" in entry.choice
                overridden = entry.key in self._choices
                parts.append(entry if late and not overridden else self._child(entry, package, file))
        chosen = [self._child(part, package, file) if isinstance(part, _Entry) else part for part in parts]
        self._depth -= 1
        return [found for part in reversed(chosen) for found in part] if chosen else [own]

    def _child(self, entry: _Entry, package: str, file: ConfigFile) -> list[tuple[str, Mapping[str, Any]]]:
        """What one line of a defaults list stands for."""
        choice = self._choices.get(entry.key, entry.choice) if entry.kind == "group" else entry.choice
        if isinstance(choice, str) and "${" in choice:
            choice = _INTERPOLATION.sub(lambda match: self._chosen(match[1]), choice)
        if entry.kind == "group":
            self.groups[entry.key] = Group(choice, self._options(entry.path))
        found = []
        for name in choice if isinstance(choice, list) else [choice]:
            path = f"{entry.path}/{name}" if entry.kind == "group" else entry.path
            if name is None or name == _MISSING or path.startswith("hydra/"):
                continue
            header = self._header(path.removesuffix(".yaml"), entry, file)
            if header is None:
                continue
            written = entry.package if entry.package is not None else header or entry.relative
            folder = path.rpartition("/")[0]
            found += self.expand(path.removesuffix(".yaml"), folder, _absolute(package, written))
        return found

    def _header(self, path: str, entry: _Entry, file: ConfigFile) -> str | None:
        """The package that the file at ``path`` says for itself, "" if nothing; None for a file that may be absent."""
        if path in self._config.broken:
            raise PlanError(self._config.broken[path], where=file.path)
        there = self._config.files.get(path)
        if there is None:
            if entry.optional:
                return None
            options = self._options(path.rpartition("/")[0])
            raise PlanError(
                f"the configuration '{path}' does not exist",
                where=file.path,
                why=nearest(path.rpartition("/")[2], list(options)),
            )
        return _header(there)

    def _chosen(self, key: str) -> str:
        known = self._choices.get(key, self.groups[key].choice if key in self.groups else None)
        return known if isinstance(known, str) else ""

    def _options(self, folder: str) -> tuple[str, ...]:
        inside = (path for path in self._config.files if path.rpartition("/")[0] == folder)
        return tuple(sorted(path.rpartition("/")[2] for path in inside))


def _header(file: ConfigFile) -> str:
    """The package that a file says for itself, from the top; "" if none."""
    if file.package in (None, "_group_"):
        return ""
    return "_global_" if file.package in ("", "_global_") else f"_global_.{file.package}"


def _entry(item: Any, folder: str, package: str, file: ConfigFile) -> _Entry:
    """A line of the defaults list of a file whose relative paths begin in ``folder``."""
    if item == "_self_":
        return _Entry("self", "", None, "", None, "", optional=False)
    if isinstance(item, str):
        path, _, wanted = item.partition("@")
        return _Entry(
            "config", _join(folder, path), path, "", _package(wanted, folder) if wanted else None,
            path.strip("/").rpartition("/")[0].replace("/", "."), optional=False,
        )  # fmt: skip
    choice = next(iter(item.values())) if isinstance(item, Mapping) and len(item) == 1 else 0
    if not isinstance(choice, (str, list, type(None))):
        raise PlanError(
            f"a line of the defaults list is {item!r:.60}", where=file.path, why="a group with a name"
        )
    *words, name = str(next(iter(item))).split()
    name, _, wanted = name.partition("@")
    path, relative = _join(folder, name), name.strip("/").replace("/", ".")
    own = _package(wanted, path) if wanted else None
    final = _absolute(package, relative if own is None else own)
    key = path if final == path.replace("/", ".") else f"{path}@{final or '_global_'}"
    return _Entry(
        "override" if "override" in words else "group", path, choice, key, own, relative, "optional" in words
    )


def _package(written: str, folder: str) -> str:
    if written == "_here_":
        return ""
    return (
        f"_global_.{written.replace('_group_', folder.replace('/', '.'))}"
        if "_group_" in written
        else written
    )


def _absolute(parent: str, package: str) -> str:
    """The package from the top; ``_global_`` begins there."""
    whole = ".".join(filter(None, (parent, package)))
    return whole.rpartition("_global_")[2].lstrip(".") if "_global_" in whole else whole


def _join(folder: str, path: str) -> str:
    return path.lstrip("/") if path.startswith("/") or not folder else f"{folder}/{path}"


def _nested(package: str, content: Mapping[str, Any]) -> Mapping[str, Any]:
    for step in reversed(package.split(".") if package else ()):
        content = {step: content}
    return content


def _merge(target: dict[str, Any], extra: Mapping[str, Any]) -> None:
    for key, value in extra.items():
        old = target.get(key)
        if isinstance(value, Mapping):
            deeper = dict(old) if isinstance(old, Mapping) else {}
            _merge(deeper, value)
            target[key] = deeper
        elif value != _MISSING or key not in target:
            target[key] = value
