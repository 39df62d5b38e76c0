"""The small parts of a schema: each checks one value at a path of keys, and says in words what is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

Path = tuple[Any, ...]
Check = Callable[[Any, Path], None]


class SchemaError(Exception):
    """A mistake at a path of keys; whoever knows the file and its lines turns it into a `SpecError`."""

    def __init__(self, path: Path, what: str, *, why: str = "", next: str = "") -> None:
        super().__init__(what)
        self.path = path
        self.what = what
        self.why = why
        self.next = next


def kind_of(value: Any) -> str:
    """A value's type in words: ``a number``, ``a list``, …"""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    names: dict[type, str] = {str: "text", list: "a list", dict: "a mapping"}
    return names.get(type(value), "a number")


def named(path: Path) -> str:
    """A path in words: ``item 2 of deps of stage 'train'``."""
    words = ""
    for depth, part in enumerate(path):
        if depth == 0:
            words = f"{part}"
        elif depth == 1 and path[0] in ("stages", "experiments"):
            words = f"{path[0][:-1]} '{part}'"
        elif depth == 3 and path[0] == "experiments" and path[2] == "phases":
            words = f"phase '{part}' of experiment '{path[1]}'"
        elif isinstance(part, int) and not isinstance(part, bool):
            words = f"item {part + 1} of {words}"
        else:
            words = f"{part} of {words}"
    return words or "the file"


def nearest(word: str, known: Iterable[str]) -> str:
    """``did you mean deps?``, or nothing when no known name is close."""
    import difflib

    # Only as much of an endless key as could be near; SequenceMatcher is quadratic.
    close = difflib.get_close_matches(word[:100].lower(), list(known), n=1, cutoff=0.6)
    return f"did you mean {close[0]}?" if close else ""


def wrong(value: Any, path: Path, wanted: str, next: str = "") -> SchemaError:
    """The fault of a value that is not what is wanted."""
    return SchemaError(path, f"{named(path)} must be {wanted}, not {kind_of(value)}", next=next)


def unknown(key: Any, path: Path, known: Collection[str], hint: str = "") -> SchemaError:
    """The fault of a key that nobody knows: what is allowed, and the nearest name."""
    place = f" in {named(path)}" if path else " at the top"
    shown = key if isinstance(key, str) and len(key) <= 60 else ascii(key)[:60]
    return SchemaError(
        (*path, key),
        f"unknown key '{shown}'{place}",
        why=f"allowed are {', '.join(known)}",
        next=hint or nearest(str(key), known),
    )


_EXPRESSION = re.compile(r"(?<!\\)\$\{.*?\}")


def has_expression(value: Any) -> bool:
    """Whether ``${…}`` stands anywhere in plain data."""
    if isinstance(value, str):
        return "${" in value and _EXPRESSION.search(value) is not None
    if isinstance(value, dict):
        return any(has_expression(part) for pair in value.items() for part in pair)
    return isinstance(value, list) and any(map(has_expression, value))


def anything(value: Any, path: Path) -> None:
    """Accepts whatever stands there; another room reads it."""


def text(value: Any, path: Path) -> None:
    """Text, without NUL: neither a command nor a file name can hold one."""
    if not isinstance(value, str):
        next = "put it in quotes" if isinstance(value, (int, float)) else ""
        raise wrong(value, path, "text", next)
    if "\0" in value:
        raise SchemaError(path, f"{named(path)} holds a NUL character", why="no command and no file name can")


def location(value: Any, path: Path) -> None:
    """A path or a template of one: text, not empty, no part longer than a file system takes."""
    text(value, path)
    if not value:
        raise SchemaError(path, f"{named(path)} is empty", why="a path is needed")
    if len(value) > 60 and "${" not in value and max(len(part.encode()) for part in value.split("/")) > 255:
        raise SchemaError(
            path, f"{named(path)} has a part of more than 255 bytes", why="no file can be called so"
        )


def flag(value: Any, path: Path) -> None:
    """True or false."""
    if not isinstance(value, bool):
        raise wrong(value, path, "true or false")


def mapping(value: Any, path: Path) -> None:
    """A mapping of whatever."""
    if not isinstance(value, dict):
        raise wrong(value, path, "a mapping")


def list_of(item: Check, wanted: str, example: str) -> Check:
    """A list whose items pass ``item``; ``wanted`` and ``example`` go into the error."""

    def check(value: Any, path: Path) -> None:
        if not isinstance(value, list):
            single = isinstance(value, str) and len(value) <= 60 and "\n" not in value
            shown = value if single and value else example
            raise wrong(value, path, wanted, f"write for example {path[-1]}: [{shown}]")
        for index, entry in enumerate(value):
            item(entry, (*path, index))

    return check


def closed(
    table: Mapping[str, Check], *, required: tuple[str, ...] = (), hints: Mapping[str, str] | None = None
) -> Check:
    """A mapping with keys of ``table`` only. ``hints`` say where a key that is known elsewhere belongs."""

    def check(value: Any, path: Path) -> None:
        if not isinstance(value, dict):
            raise wrong(value, path, "a mapping")
        for key, entry in value.items():
            part = table.get(key)
            if part is None:
                raise unknown(key, path, table, (hints or {}).get(key, ""))
            part(entry, (*path, key))
        for key in required:
            if key not in value:
                raise SchemaError(path, f"{named(path)} has no {key}", next=f"add a line {key}: …")

    return check


def map_of(entry: Check) -> Check:
    """A mapping from names to values that pass ``entry``."""

    def check(value: Any, path: Path) -> None:
        mapping(value, path)
        for key, part in value.items():
            name(key, path)
            entry(part, (*path, key))

    return check


def name(key: Any, path: Path) -> None:
    """A name that the user gives: text that can be shown in one line and stored under its own name."""
    if not isinstance(key, str):
        raise SchemaError(
            (*path, key), f"a name in {named(path)} must be text, not {kind_of(key)}", next="put it in quotes"
        )
    if not key or len(key) > 200 or not key.isprintable():
        shown = ascii(key[:20])
        raise SchemaError(
            (*path, key),
            f"{shown} is no name in {named(path)}",
            why="a name has 1 to 200 characters that can be printed",
        )


def measure(read: Callable[[Any], object]) -> Check:
    """A duration or a size in the words of `pinyon.model.units`, or a template of one."""

    def check(value: Any, path: Path) -> None:
        if isinstance(value, str) and "${" in value:
            return
        if isinstance(value, bool) or not isinstance(value, (str, int, float)):
            raise wrong(value, path, "a number or text with a unit")
        try:
            read(value)
        except (ValueError, OverflowError) as error:
            what, _, why = str(error).partition("; ")
            raise SchemaError(path, f"{named(path)}: {what}", why=why) from None

    return check


def number(least: float, *, whole: bool = False) -> Check:
    """A finite number of at least ``least``, or a template of one."""
    wanted = f"a {'whole ' if whole else ''}number of at least {least:g}"

    def check(value: Any, path: Path) -> None:
        if isinstance(value, str) and "${" in value:
            return
        right = isinstance(value, int) or (isinstance(value, float) and (value.is_integer() or not whole))
        if isinstance(value, bool) or not right:
            raise wrong(value, path, wanted)
        if not least <= value < float("inf"):
            raise SchemaError(path, f"{named(path)} must be {wanted}, not {value:g}")

    return check
