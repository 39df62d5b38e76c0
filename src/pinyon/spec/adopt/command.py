"""A command line becomes a stage: its script is read, with the arguments that this command gives it."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pinyon.spec.adopt.arguments import Argument
from pinyon.spec.adopt.draft import Drafted, Entry, comments
from pinyon.spec.adopt.look import Look
from pinyon.spec.adopt.modules import UNREADABLE, modules_of
from pinyon.spec.adopt.python import read_script
from pinyon.spec.command import SCRIPT, name_at, script_at

_METRIC = re.compile(r"(metric|score|result|eval|summary)[^/]*\.(json|ya?ml|toml)$", re.IGNORECASE)
_OUT_FLAG = re.compile(r"-o|--?(out|output|save|dest|target)[\w-]*", re.ASCII)


def stage_of(cmd: str, words: Sequence[str], look: Look, wdir: str = "") -> Drafted:
    """The stage that runs a command, with everything that its script and its arguments tell.

    Args:
        cmd: what will be run.
        words: the words of it; ``${item…}`` may stand in them.
        wdir: where it runs, from the root; the stage's paths are as seen from there.
    """
    at = script_at(list(words))
    path, arguments = words[at], list(words[at + 1 :])
    if at and words[at - 1] == "-m":
        path = f"{path.replace('.', '/')}.py"
    drafted = Drafted(name_at(words, at), cmd, "" if wdir == "." else wdir)
    seen = posixpath.normpath(posixpath.join(wdir, path))
    source = look.text(seen) if SCRIPT.search(path) else None
    if source is not None and path.endswith(".py"):
        try:
            return _from_python(drafted, path, source, arguments, look)
        except UNREADABLE as error:
            drafted = drafted._replace(doubts=comments([f"{path} cannot be read: {error}"]))
    deps = [Entry(path)] if source is not None else []
    named, outs = _from_words(arguments, look, wdir)
    return drafted._replace(deps=(*deps, *named), outs=tuple(outs))


def _from_words(words: Sequence[str], look: Look, wdir: str) -> tuple[list[Entry], list[Entry]]:
    """Files that the words of a command name; all that can be told of a program that is not read."""
    deps, outs = [], []
    for before, word in zip(["", *words], words, strict=False):
        flag, _, value = word.rpartition("=") if word.startswith("-") and "=" in word else (before, "", word)
        if value.startswith("-") or not value:
            continue
        if _OUT_FLAG.fullmatch(flag):
            outs.append(Entry(value, f"what {flag} names"))
        elif look.there(posixpath.join(wdir, value)) and not value.startswith("/"):
            deps.append(Entry(value, "it is named in the command"))
    return deps, outs


def _from_python(drafted: Drafted, path: str, source: str, words: list[str], look: Look) -> Drafted:
    wdir, folder = drafted.wdir, posixpath.dirname(path) or "."
    first = read_script(source, folder)
    given = _given(first.arguments, words)
    modules = list(modules_of(path, first, look, wdir))
    openers = {name: rows for module in modules for name, rows in module.script.openers.items()}
    script = read_script(source, folder, given, openers)
    reads, writes = [Entry(path)], list[Entry]()
    for touched, where in [(script, ""), *((module.script, module.path) for module in modules)]:
        for entry, mode in touched.touches:
            found = Entry(posixpath.normpath(entry.path), entry.doubt or (f"in {where}" if where else ""))
            if found.path != "params.yaml" and "\0" not in found.path:
                reads += [found] if "r" in mode else []
                writes += [found] if "w" in mode else []
    reads[1:1] = [Entry(module.path) for module in modules]
    if script.hydra and look.there(posixpath.join(wdir, folder, script.hydra)):
        reads.append(Entry(posixpath.normpath(posixpath.join(folder, script.hydra)), "Hydra's configuration"))
    named = [name for each in (script, *(module.script for module in modules)) for name in each.params]
    return drafted._replace(
        deps=_once(reads),
        outs=_once(entry for entry in writes if not _METRIC.search(entry.path)),
        metrics=_once(entry for entry in writes if _METRIC.search(entry.path)),
        params=tuple(_params(dict.fromkeys(named), look)) if not wdir else (),
        doubts=comments([*_flags(script.arguments, given), *(f"guess: {doubt}" for doubt in script.unsure)]),
    )


def _once(entries: Any) -> tuple[Entry, ...]:
    """Each path once, the surest first mention."""
    found: dict[str, Entry] = {}
    for entry in entries:
        if entry.path not in found or (found[entry.path].doubt and not entry.doubt):
            found[entry.path] = entry
    return tuple(found.values())


def _given(arguments: Sequence[Argument], words: Sequence[str]) -> dict[str, str]:
    """What a command gives to each argument of its script, as text."""
    by_flag = {flag: argument for argument in arguments for flag in argument.flags}
    places = [argument for argument in arguments if argument.positional]
    found: dict[str, str] = {}
    rest = iter(words)
    for word in rest:
        flag, equals, value = word.partition("=")
        if flag in by_flag and flag.startswith("-"):
            if equals:
                found[by_flag[flag].name] = value
            elif by_flag[flag].default is not False:
                found[by_flag[flag].name] = next(rest, "")
        elif not word.startswith("-") and places:
            found[places.pop(0).name] = word
    return found


def _flags(arguments: Sequence[Argument], given: Mapping[str, str]) -> Iterator[str]:
    """One comment: what else can be set on the command line."""
    rest = [
        a
        for a in arguments
        if a.name not in given and not a.positional and a.flags[0] not in ("-h", "--help")
    ]
    if rest:
        shown = [max(a.flags, key=len) + (f" {a.default}" if a.default is not None else "") for a in rest]
        yield f"flags it also takes: {', '.join(shown)}"


def _params(names: Mapping[str, None], look: Look) -> Iterator[Entry]:
    """Those names that params.yaml has; a section only if nothing in it was named."""
    for name in names:
        value = look.params
        for key in name.split("."):
            value = value.get(key) if isinstance(value, dict) else None
        deeper = any(other.startswith(f"{name}.") for other in names)
        if value is not None and not (deeper and isinstance(value, dict)):
            yield Entry(name)
