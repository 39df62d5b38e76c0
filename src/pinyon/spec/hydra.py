"""A repository's Hydra configuration, as files: found by the decorator of its script, which is parsed and never run."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pinyon.errors import PlanError, SpecError
from pinyon.model.flags import ConfigFile, HydraConfig
from pinyon.spec import files
from pinyon.spec.scalars import resolve_old

_FILES = 2_000  # of one configuration
_HEADER = re.compile(r"#+\s*@package\s+(\S+)\s*", re.ASCII)
_DECLARE = "name its parameters: args: {hydra: [optimizer.lr]}"
_OPTIONS = {"--config-name": "name", "-cn": "name", "--config-path": "folder", "-cp": "folder"}


class Place(NamedTuple):
    """Where a configuration begins: its folder, absolute or seen from the script's, and the name of its primary file."""

    folder: str | None
    name: str | None


def read_hydra(root: Path, script: str, words: Sequence[str] = ()) -> HydraConfig:
    """The configuration of the script at ``script``, a path relative to ``root``.

    Args:
        words: of its command, in which ``--config-name`` and ``--config-path`` may stand.

    Raises:
        PlanError: no configuration is found.
        SpecError: the script or the configuration's folder cannot be read.
    """
    place = _asked(words, _decorated(root, script))
    if place.folder is None or place.name is None:
        missing = "config_path" if place.folder is None else "config_name"
        raise PlanError(f"hydra.main in {script} names no {missing}", where=script, next=_DECLARE)
    folder = Path(os.path.normpath(root / os.path.dirname(script) / place.folder))
    found, broken = _read_all(root, folder)
    primary = _plain(place.name)
    if primary in broken:
        raise SpecError(broken[primary], where=str(folder))
    if primary not in found:
        raise PlanError(f"{script} is configured by {primary}.yaml, which is not in {folder}", next=_DECLARE)
    return HydraConfig(primary, found, broken)


def _read_all(root: Path, folder: Path) -> tuple[dict[str, ConfigFile], dict[str, str]]:
    """Every file of a configuration by its config path, and what is wrong with those that cannot be read."""
    found: dict[str, ConfigFile] = {}
    broken: dict[str, str] = {}
    for path in _yaml_files(folder):
        name = _plain(path.relative_to(folder).as_posix())
        shown = Path(os.path.relpath(path, root)).as_posix()
        try:
            found[name] = _file(path, shown)
        except SpecError as error:
            broken[name] = f"{error.where or shown}: {error.what}"
        if len(found) > _FILES:
            raise PlanError(f"the configuration in {folder} has more than {_FILES:,} files", next=_DECLARE)
    return found, broken


def _yaml_files(folder: Path) -> Iterator[Path]:
    for above, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(above, name) for name in sorted(names) if name.endswith((".yaml", ".yml")))


def _file(path: Path, shown: str) -> ConfigFile:
    from pinyon.spec.yaml import load_yaml

    raw = files.read(path, shown, files.PROJECT_LIMIT) or b""
    data = load_yaml(raw, shown, words=resolve_old).data
    if not isinstance(data, (dict, type(None))):
        raise SpecError("this configuration holds no map", where=shown)
    content: dict[str, Any] = dict(data or {})
    defaults = content.pop("defaults", None) or []
    if not isinstance(defaults, list):
        raise SpecError("defaults is no list", where=shown)
    return ConfigFile(shown, content, tuple(defaults), _package(raw.decode("utf-8-sig")))


def _package(text: str) -> str | None:
    """What ``# @package`` says at the top of a file."""
    for line in filter(None, map(str.strip, text[:512].splitlines())):
        if match := _HEADER.fullmatch(line):
            return match[1]
        if not line.startswith("#"):
            return None
    return None


def _plain(name: str) -> str:
    return re.sub(r"\.ya?ml$", "", name)


def _asked(words: Sequence[str], place: Place) -> Place:
    """The place as the command's own options change it."""
    for position, word in enumerate(words):
        option, equals, value = word.partition("=")
        field = _OPTIONS.get(option)
        if field is None:
            continue
        if not equals:
            value = words[position + 1] if position + 1 < len(words) else ""
        place = place._replace(**{field: value})
    return place


def _decorated(root: Path, script: str) -> Place:
    """What ``@hydra.main(config_path=…, config_name=…)`` in a script says."""
    raw = files.read(root / script, script, files.CODE_LIMIT)
    if raw is None:
        raise PlanError(f"there is no {script}", next=_DECLARE)
    try:
        tree = ast.parse(raw)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise SpecError(f"not Python: {error}", where=script) from None
    for node in ast.walk(tree):
        for decorator in getattr(node, "decorator_list", ()):
            if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) in ("hydra.main", "main"):
                return _arguments(decorator)
    raise PlanError(f"{script} has no function under @hydra.main(…)", where=script, next=_DECLARE)


def _arguments(call: ast.Call) -> Place:
    given = dict(zip(("config_path", "config_name"), call.args, strict=False))
    given |= {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg}
    texts = {
        name: value.value
        for name, value in given.items()
        if isinstance(value, ast.Constant) and isinstance(value.value, str)
    }
    return Place(texts.get("config_path"), texts.get("config_name"))
