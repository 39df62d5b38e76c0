"""YAML 1.2 (core schema) to plain data, fast and with bounds, and back.

PyYAML's C parser only reports events here: its own loaders speak YAML 1.1 (``1e-4`` is text, ``on`` is true), recurse
without a bound, and keep the last of two equal keys. An explicit stack over events mends all three, and is faster.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import yaml

from pinyon.errors import SpecError
from pinyon.spec.checks import nearest
from pinyon.spec.files import DEPTH, NODES, PROJECT_LIMIT, decode
from pinyon.spec.scalars import COLLECTION_TAGS, is_text, resolve, show_tag, tagged

try:
    from yaml._yaml import CParser as Parser
    from yaml.cyaml import CSafeDumper as SafeDumper
except ImportError:  # PyYAML without libyaml: the same events, some twenty times slower
    from yaml import SafeDumper  # type: ignore[assignment]

    class Parser(yaml.reader.Reader, yaml.scanner.Scanner, yaml.parser.Parser):  # type: ignore[no-redef]
        """PyYAML's parser in Python."""

        def __init__(self, stream: str) -> None:
            yaml.reader.Reader.__init__(self, stream)
            yaml.scanner.Scanner.__init__(self)
            yaml.parser.Parser.__init__(self)


_NO_KEY: Any = object()
_MERGE: Any = object()
_OPEN: Any = object()


class Document(NamedTuple):
    """A file's data, and the line of every dotted path in it (``stages.train.deps.0``), counted from 1."""

    data: Any
    lines: Mapping[str, int]


class Lines(Mapping[str, int]):
    """Lines by dotted path. Those of the two upper levels are at hand; for others, which only errors want, the text
    is parsed again when somebody asks first."""

    def __init__(self, text: str, heads: Mapping[str, int]) -> None:
        self._text = text
        self._heads = heads
        self._known: dict[str, int] | None = None

    def _all(self) -> dict[str, int]:
        if self._known is None:
            self._known = {}
            for path, line in _places(self._text):
                self._known.setdefault(path, line)  # a name may hold a dot, so two paths may be spelt alike
        return self._known

    def __getitem__(self, path: str) -> int:
        line = self._heads.get(path)
        return self._all()[path] if line is None else line

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())


def load_yaml(raw: bytes, file: str, limit: int = PROJECT_LIMIT) -> Document:
    """Plain data (None, bool, int, float, str, list, dict) of one YAML document; None for an empty one.

    Aliases share their value; merge keys (``<<``) give way to keys that are written out.

    Raises:
        SpecError: not YAML, two documents, equal keys, a foreign tag, an alias that grows past `NODES` values, or
            more than `DEPTH` levels; with file and line.
    """
    text = decode(raw, file, limit)
    try:
        builder = _Builder(text, file)
        return Document(builder.build(), Lines(text, builder.heads))
    except yaml.YAMLError as error:
        raise _not_yaml(error, text, file) from None


class _Frame:
    """A list or mapping that is being read."""

    __slots__ = ("anchor", "before", "container", "key", "merged")

    def __init__(self, container: Any, anchor: str | None, before: int) -> None:
        self.container = container
        self.anchor = anchor
        self.before = before  # values read before it
        self.key = _NO_KEY
        self.merged: list[Any] | None = None


class _Builder:
    """Events to data, on an explicit stack."""

    def __init__(self, text: str, file: str) -> None:
        self.parser = Parser(text)
        self.file = file
        self.stack: list[_Frame] = []
        self.anchors: dict[str, tuple[Any, int]] = {}  # name → (value, how many values it holds)
        self.heads: dict[str, int] = {}  # line of each key on the two upper levels
        self.nodes = 0
        self.root: Any = _NO_KEY

    def build(self) -> Any:
        """The document's data."""
        next_event = self.parser.get_event
        while True:
            event = next_event()
            kind = type(event)
            if kind is yaml.ScalarEvent:
                value = self.scalar(event)
            elif kind is yaml.MappingStartEvent:
                self.open(event, {})
                continue
            elif kind is yaml.SequenceStartEvent:
                self.open(event, [])
                continue
            elif kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
                value = self.close()
            elif kind is yaml.AliasEvent:
                value = self.alias(event)
            elif kind is yaml.StreamEndEvent:
                return None if self.root is _NO_KEY else self.root
            elif kind is yaml.DocumentStartEvent and self.root is not _NO_KEY:
                raise self.error(event, "a second document begins here", next="keep one document in a file")
            else:
                continue
            self.place(value, event)

    def scalar(self, event: Any) -> Any:
        self.count(1, event)
        tag, text = event.tag, event.value
        try:
            if tag is not None:
                value = tagged(text, tag)
            elif not event.implicit[0]:  # quoted
                value = text
            elif text == "<<" and self.stack and self.stack[-1].key is _NO_KEY and not self.in_list():
                value = _MERGE
            else:
                value = resolve(text)
        except ValueError as error:
            what, _, why = str(error).partition("; ")
            raise self.error(event, what, why=why) from None
        if event.anchor is not None:
            self.anchors[event.anchor] = (value, 1)
        return value

    def in_list(self) -> bool:
        return type(self.stack[-1].container) is list

    def open(self, event: Any, container: Any) -> None:
        self.count(1, event)
        if event.tag not in (None, "!", COLLECTION_TAGS[type(container)]):
            raise self.error(
                event, f"the tag {show_tag(event.tag)} is not known", why="known are !!map and !!seq"
            )
        if len(self.stack) >= DEPTH:
            raise self.error(event, f"lists and mappings lie more than {DEPTH} deep in each other")
        if self.stack and self.stack[-1].key is _NO_KEY and not self.in_list():
            raise self.error(event, "a list or a mapping cannot be a key", next=_QUOTE)
        if event.anchor is not None:
            self.anchors[event.anchor] = (_OPEN, 0)
        self.stack.append(_Frame(container, event.anchor, self.nodes - 1))

    def close(self) -> Any:
        frame = self.stack.pop()
        value = frame.container
        if frame.merged is not None:
            value = {}
            for base in reversed(frame.merged):  # of several bases the earlier wins
                value.update(base)
            value.update(frame.container)
        if frame.anchor is not None:
            self.anchors[frame.anchor] = (value, self.nodes - frame.before)
        return value

    def alias(self, event: Any) -> Any:
        if event.anchor not in self.anchors:
            close = nearest(event.anchor, self.anchors)
            raise self.error(event, f"nothing is anchored as &{event.anchor}", next=close)
        value, size = self.anchors[event.anchor]
        if value is _OPEN:
            raise self.error(
                event, f"*{event.anchor} stands inside what it names", why="that would never end"
            )
        self.count(size, event)
        if len(self.stack) + _height(value) > DEPTH:
            raise self.error(event, f"lists and mappings lie more than {DEPTH} deep in each other")
        return value

    def count(self, nodes: int, event: Any) -> None:
        self.nodes += nodes
        if self.nodes > NODES:
            raise self.error(
                event, f"more than {NODES:,} values", why="aliases count as often as they are used"
            )

    def place(self, value: Any, event: Any) -> None:
        if not self.stack:
            self.root = value
            return
        frame = self.stack[-1]
        container, key = frame.container, frame.key
        if type(container) is list:
            container.append(value)
        elif key is _NO_KEY:
            self.check_key(value, frame, event)
            frame.key = value
            if len(self.stack) < 3 and self.stack[0].key is not _NO_KEY:
                self.heads[".".join(str(upper.key) for upper in self.stack)] = event.start_mark.line + 1
        else:
            frame.key = _NO_KEY
            if key is _MERGE:
                frame.merged = self.bases(value, event)
            else:
                container[key] = value

    def check_key(self, key: Any, frame: _Frame, event: Any) -> None:
        if type(key) is dict or type(key) is list:
            raise self.error(event, "a list or a mapping cannot be a key", next=_QUOTE)
        if key in frame.container or (key is _MERGE and frame.merged is not None):
            shown = "<<" if key is _MERGE else key
            next = "write <<: [*a, *b]" if key is _MERGE else "remove one of them"
            raise self.error(event, f"the key '{shown}' stands twice in one mapping", next=next)

    def bases(self, value: Any, event: Any) -> list[Any]:
        bases = value if type(value) is list else [value]
        if not all(type(base) is dict for base in bases):
            raise self.error(event, "<< takes a mapping or a list of mappings", next="write <<: *name")
        return bases

    def error(self, event: Any, what: str, *, why: str = "", next: str = "") -> SpecError:
        return SpecError(what, where=f"{self.file}:{event.start_mark.line + 1}", why=why, next=next)


_QUOTE = "put it in quotes if it is a template, '${…}'"


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 0


def _height(value: Any) -> int:
    """How deep lists and mappings lie in each other; an alias's values are counted before this looks at them."""
    if type(value) is dict:
        return 1 + max(map(_height, value.values()), default=0)
    if type(value) is list:
        return 1 + max(map(_height, value), default=0)
    return 0


class _Place:
    """A list or mapping on the way to a line: its path, then the next index or the pending key and its line."""

    __slots__ = ("index", "key", "line", "path")

    def __init__(self, path: str, index: int | None) -> None:
        self.path = path
        self.index = index
        self.key: str | None = None
        self.line = 0


def events_of(text: str) -> Iterator[Any]:
    """The parser's events of a text that has been read without an error; marks count characters."""
    return iter(Parser(text).get_event, None)


def _places(text: str) -> Iterator[tuple[str, int]]:
    """(dotted path, line) of everything in a text that has been read without an error."""
    stack: list[_Place] = []
    for event in events_of(text):
        if isinstance(event, yaml.CollectionEndEvent):
            stack.pop()
        if not isinstance(event, yaml.NodeEvent):
            continue
        path, line = "", _line(event)
        if stack:
            top = stack[-1]
            if top.index is not None:
                path = f"{top.path}{top.index}"
                top.index += 1
            elif top.key is None:
                top.key, top.line = getattr(event, "value", ""), line  # an alias as a key has no text
                continue
            else:
                path, line = f"{top.path}{top.key}", top.line
                top.key = None
            yield path, line
        if isinstance(event, yaml.CollectionStartEvent):
            index = 0 if isinstance(event, yaml.SequenceStartEvent) else None
            stack.append(_Place(f"{path}." if path else "", index))


_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_HINTS = {
    "mapping values are not allowed": "put text that holds ': ' in quotes",
    "cannot start any token": "indent with spaces, and put text that begins with %, @ or ` in quotes",
    "could not find expected ':'": "put a space behind the colon",
    "did not find expected": "check brackets, quotes and the indentation of this line and the one above",
}


def _not_yaml(error: yaml.YAMLError, text: str, file: str) -> SpecError:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        problem = error.problem or "it ends too early"
        hint = next((hint for words, hint in _HINTS.items() if words in problem), "")
        return SpecError(f"not YAML: {problem}", where=f"{file}:{error.problem_mark.line + 1}", next=hint)
    found = _UNPRINTABLE.search(text)
    line = text.count("\n", 0, found.start()) + 1 if found else 0
    what = f"the character {found[0]!a} cannot stand in YAML" if found else "not YAML"
    return SpecError(
        what, where=f"{file}:{line}" if line else file, next="remove it, or write it as an escape in quotes"
    )


class _Dumper(SafeDumper):
    """Writes what YAML 1.1 and 1.2 read alike: a training script may use plain PyYAML."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 -- PyYAML's name and shape
        return True  # shared values are written out: not every reader knows anchors


def _represent_text(dumper: SafeDumper, text: str) -> yaml.Node:
    # PyYAML quotes what 1.1 would misread; 1e4 and 0o17 are numbers in 1.2 only.
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if is_text(text) else "'")


_Dumper.add_representer(str, _represent_text)


def dump_yaml(data: Any) -> bytes:
    """Plain data as YAML in block style, keys in their order, UTF-8."""
    written: bytes = yaml.dump(
        data, Dumper=_Dumper, encoding="utf-8", allow_unicode=True, sort_keys=False, width=10**6
    )
    return written


def show_yaml(value: Any, quote: str = "") -> str:
    """A value in one line that can stand anywhere in YAML, in brackets, too; text between these quotes, if any."""
    style = (quote or None) if isinstance(value, str) else None
    # In a list, because what needs no quotes outside of brackets may need them inside.
    line: str = yaml.dump(
        [value],
        Dumper=_Line,
        default_flow_style=True,
        default_style=style,
        allow_unicode=True,
        sort_keys=False,
        width=10**6,
    )
    return line.strip()[1:-1]


class _Line(_Dumper):
    """Keeps text in one line, whatever is in it."""


def _represent_line(dumper: SafeDumper, text: str) -> yaml.Node:
    if text.splitlines() in ([], [text]):
        return _represent_text(dumper, text)
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"')


_Line.add_representer(str, _represent_line)
