"""Parameters set in the text of their files: the new value is read again, and no other character has changed."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pinyon.errors import SpecError
from pinyon.spec.edit import edit_params
from pinyon.spec.params import parse_params
from pinyon.spec.spans_toml import show_toml
from pinyon.spec.yaml import show_yaml

Path = tuple[Any, ...]
words = st.text(st.characters(exclude_categories=["Cs"]), max_size=6) | st.sampled_from(
    [
        "on",
        "1e4",
        "0o17",
        "null",
        "~",
        "a: b",
        "- a",
        "# a",
        "[a",
        "a, b",
        "'",
        '"',
        "*a",
        "&a",
        "!a",
        "%",
        "@",
        "${x}",
    ]
)
numbers = st.integers(-(10**20), 10**20) | st.floats() | st.sampled_from([1e-4, 1e-7, 1e22, 0.1, -0.0])
scalars = st.none() | st.booleans() | numbers | words
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=4,
)
keys = st.sampled_from(["a", "b", "lr", "x y", "é", "n", "off", "sigma", "-k"])
comments = st.sampled_from(["", "", " # note", "  # a: 'b' [c] {", "   # é"])


class Leaf(NamedTuple):
    """A value in a text that was written here: its path, its line from 0, and what stands around it there."""

    path: Path
    line: int
    before: str
    after: str


class Writer:
    """Writes data in styles that Hypothesis chooses, and knows where each leaf stands."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        self.lines: list[str] = []
        self.leaves: list[Leaf] = []

    def line(self, text: str, leaves: list[tuple[Path, int, int]] = []) -> None:  # noqa: B006 -- never changed
        for path, start, end in leaves:
            self.leaves.append(Leaf(path, len(self.lines), text[:start], text[end:]))
        self.lines.append(text)
        if self.draw(st.integers(0, 5)) == 0:
            self.lines.append(self.draw(st.sampled_from(["", "# a comment: 'x", "   "])))

    def flow(self, value: Any, path: Path, at: int) -> tuple[str, list[tuple[Path, int, int]]]:
        """A value in one line of YAML that begins at column ``at``, and its leaves."""
        if not isinstance(value, (list, dict)) or not value:
            quote = self.draw(st.sampled_from(["", "'", '"'])) if isinstance(value, str) else ""
            shown = show_yaml(value, quote)
            return shown, [(path, at, at + len(shown))]
        opening, closing = "[]" if isinstance(value, list) else "{}"
        text, leaves = opening + self.draw(st.sampled_from(["", " "])), []
        for key, part in enumerate(value) if isinstance(value, list) else value.items():
            text += "" if text.strip() == opening else ", "
            text += "" if isinstance(value, list) else f"{show_yaml(key, '')}: "
            shown, found = self.flow(part, (*path, key), at + len(text))
            text += shown
            leaves += found
        return text + closing, leaves

    def block(self, value: Any, path: Path, indent: str) -> None:
        for key, part in enumerate(value) if isinstance(value, list) else value.items():
            head = indent + ("-" if isinstance(value, list) else f"{show_yaml(key)}:")
            if isinstance(part, (list, dict)) and part and self.draw(st.booleans()):
                self.line(head + self.draw(comments))
                self.block(part, (*path, key), indent + self.draw(st.sampled_from([" ", "  ", "    "])))
            elif part is None and self.draw(st.booleans()):
                after = self.draw(comments)
                self.line(head + after, [((*path, key), len(head), len(head))])
            else:
                head += self.draw(st.sampled_from([" ", "   "]))
                shown, found = self.flow(part, (*path, key), len(head))
                self.line(head + shown + self.draw(comments), found)


trees = st.dictionaries(
    keys,
    st.recursive(
        scalars,
        lambda inner: (
            st.lists(inner, min_size=1, max_size=3) | st.dictionaries(keys, inner, min_size=1, max_size=3)
        ),
        max_leaves=6,
    ),
    min_size=1,
    max_size=4,
)


@st.composite
def yaml_texts(draw: st.DrawFn) -> tuple[str, Leaf]:
    writer = Writer(draw)
    writer.block(draw(trees), (), "")
    end = draw(st.sampled_from(["\n", "\n", "\r\n"]))
    return end.join(writer.lines) + draw(st.sampled_from(["", end])), draw(st.sampled_from(writer.leaves))


def unshared(data: Any) -> Any:
    """A copy; what an alias repeats is there as often as it is named."""
    if isinstance(data, dict):
        return {key: unshared(part) for key, part in data.items()}
    return [unshared(part) for part in data] if isinstance(data, list) else data


def with_value(data: Any, path: Path, value: Any) -> Any:
    data = unshared(data)
    container = data
    for step in path[:-1]:
        container = container[step]
    container[path[-1]] = value
    return data


def check(text: str, leaf: Leaf, suffix: str, value: Any) -> None:
    old = parse_params(text.encode(), f"p{suffix}")
    edited = edit_params(text, suffix, {".".join(map(str, leaf.path)): value})
    expected = with_value(old, leaf.path, value)
    assert repr(parse_params(edited.encode(), f"p{suffix}")) == repr(expected)
    if repr(expected) == repr(old):
        assert edited == text
        return
    before, after = text.split("\n"), edited.split("\n")
    assert before[: leaf.line] == after[: leaf.line]
    assert before[leaf.line + 1 :] == after[leaf.line + 1 :]
    assert after[leaf.line].startswith(leaf.before)
    assert after[leaf.line].removesuffix("\r").endswith(leaf.after)


@settings(max_examples=200)
@given(yaml_texts(), values)
def test_yaml_says_the_new_value_and_every_other_character_stays(made: tuple[str, Leaf], value: Any) -> None:
    check(*made, ".yaml", value)


def paths(data: Any, path: Path = ()) -> list[Path]:
    """Of everything in the data, collections too."""
    parts = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    found = [inner for key, part in parts for inner in paths(part, (*path, key))]
    return [path, *found] if path else found


@given(
    trees,
    values,
    st.sampled_from([None, 0, 2, "\t"]),
    st.sampled_from([(",", ":"), (", ", ": "), (" , ", " : ")]),
    st.data(),
)
def test_json_is_as_if_it_had_been_written_so(
    tree: Any, value: Any, indent: Any, separators: Any, data: Any
) -> None:
    def written(content: Any) -> str:
        return json.dumps(content, indent=indent, separators=separators, ensure_ascii=False)

    path = data.draw(st.sampled_from(paths(tree)))
    plain = (
        data.draw(scalars) if indent is not None else value
    )  # what is in brackets gets the spaces of our own
    if isinstance(plain, (list, dict)) and separators != (", ", ": "):
        plain = 1
    old: Any = tree
    for step in path:
        old = old[step]
    name = ".".join(map(str, path))
    if isinstance(old, (list, dict)) and indent is not None and old:
        with pytest.raises(SpecError, match="goes over several lines"):
            edit_params(written(tree), ".json", {name: plain})
    else:
        assert edit_params(written(tree), ".json", {name: plain}) == written(with_value(tree, path, plain))


@st.composite
def toml_texts(draw: st.DrawFn) -> tuple[str, Leaf]:
    """Pairs, some with dotted keys, then tables, nested tables and arrays of tables."""
    inline = st.recursive(
        st.booleans() | numbers | words,
        lambda inner: (
            st.lists(inner, min_size=1, max_size=3) | st.dictionaries(keys, inner, min_size=1, max_size=2)
        ),
        max_leaves=4,
    )
    bodies = st.dictionaries(keys, inline, min_size=1, max_size=3)
    writer = Writer(draw)

    def pairs(way: Path, prefix: str = "") -> None:
        for key, value in draw(bodies).items():
            head = prefix + show_toml(key) + draw(st.sampled_from(["=", " = ", " =\t"]))
            shown = show_toml(value)
            writer.line(head + shown + draw(comments), [((*way, key), len(head), len(head + shown))])

    pairs(())
    pairs(("dot",), "dot . ")
    for table in draw(st.lists(st.sampled_from(["t", "u-v", "'w x'"]), unique=True)):
        name = table.strip("'")
        heads: dict[str, Path] = draw(
            st.sampled_from(
                [
                    {f"[ {table} ] # one": (name,)},
                    {f"[{table}.in]": (name, "in"), f"[{table}]": (name,)},
                    {
                        f"[[{table}]]": (name, 0),
                        f"[[ {table} ]]": (name, 1),
                        f"[{table}.'x']": (name, 1, "x"),
                    },
                ]
            )
        )
        for head, way in heads.items():
            writer.line(head)
            pairs(way, "  ")
    end = draw(st.sampled_from(["\n", "\r\n"]))
    return end.join(writer.lines) + end, draw(st.sampled_from(writer.leaves))


def without_null(value: Any) -> bool:
    if isinstance(value, (list, dict)):
        return all(map(without_null, value.values() if isinstance(value, dict) else value))
    return value is not None


@settings(max_examples=150)
@given(toml_texts(), values.filter(without_null))
def test_toml_says_the_new_value_and_every_other_character_stays(made: tuple[str, Leaf], value: Any) -> None:
    check(*made, ".toml", value)


YAML = """\
# the base
base: &base
  lr: 0.1   # keep: me
  opt: {name: 'adam', betas: [0.9, 0.999]}
train:
  <<: *base
  sizes:
  - 1   # one
  - 2
  text: |
    two
    lines
  long: "a
    b"
copy: *base
tagged: !!str 5
over: [1,
  2]
empty:
dotted.name: 1
7: {8: x}
"""


def changed(text: str, suffix: str, **changes: Any) -> list[tuple[str, str]]:
    """The lines that differ."""
    names = {name.replace("__", "."): value for name, value in changes.items()}
    edited = edit_params(text, suffix, names)
    pairs = list(zip(text.splitlines(), edited.splitlines(), strict=True))
    return [(old, new) for old, new in pairs if old != new]


@pytest.mark.parametrize(
    ("name", "value", "lines"),
    [
        ("train.sizes.0", 3, [("  - 1   # one", "  - 3   # one")]),
        ("train.sizes", [1, 4], [("  - 2", "  - 4")]),
        ("over", [1, 5], [("  2]", "  5]")]),
        ("over.0", 1.0, [("over: [1,", "over: [1.0,")]),
        ("tagged", 5, [("tagged: !!str 5", "tagged: 5")]),
        ("copy", {"lr": 1}, [("copy: *base", "copy: {lr: 1}")]),
        ("empty", "x", [("empty:", "empty: x")]),
        ("dotted.name", 2, [("dotted.name: 1", "dotted.name: 2")]),
        ("7.8", "it's", [("7: {8: x}", "7: {8: it's}")]),
        ("7.8", "a, b", [("7: {8: x}", "7: {8: 'a, b'}")]),
        ("7", {8: "y"}, [("7: {8: x}", "7: {8: y}")]),
        ("tagged", "5", []),
    ],
)
def test_a_value_of_yaml(name: str, value: Any, lines: list[tuple[str, str]]) -> None:
    assert changed(YAML, ".yml", **{name: value}) == lines


def test_quotes_stay() -> None:
    text = "a: 'x'  # 'x'\nb: \"x\"\nc: x\n"
    assert edit_params(text, ".yaml", {"a": "it's", "b": 'say "y"', "c": "on"}) == (
        "a: 'it''s'  # 'x'\nb: \"say \\\"y\\\"\"\nc: 'on'\n"
    )
    assert edit_params(text, ".yaml", {"a": 1, "b": True, "c": "two\nlines"}) == (
        "a: 1  # 'x'\nb: true\nc: \"two\\nlines\"\n"
    )


def test_a_byte_order_mark_and_line_ends_stay() -> None:
    assert edit_params("\ufeffé: 1\r\nb: 2\r\n", ".yaml", {"b": 3}) == "\ufeffé: 1\r\nb: 3\r\n"
    assert edit_params("\ufeff{}", ".json", {}) == "\ufeff{}"


def test_several_values_at_once_and_parts_of_parts() -> None:
    text = '{"a": {"b": [1, 2], "c": 3}, "d": null}'
    changes = {"a.b": [1, 9], "a": {"b": [1, 9], "c": 4}, "a.b.0": 7, "d": []}
    assert edit_params(text, ".json", changes) == '{"a": {"b": [7, 9], "c": 4}, "d": []}'


TOML = '''\
title = "x" # the title
[a."b c"]
n = 1_000
long = """
two"""
list = [ # of two
  1,
  2, # two
]
inline = { x = 1, y.z = 'q' }
day = 1979-05-27 07:32:00
[[run]]
lr = 1e-3
[[run]]
lr = inf
tags = ["""a""", "b", "c"]
'''


@pytest.mark.parametrize(
    ("name", "value", "lines"),
    [
        ("title", 'say "y" #', [('title = "x" # the title', 'title = "say \\"y\\" #" # the title')]),
        ("a.b c.n", 2, [("n = 1_000", "n = 2")]),
        ("a.b c.list.1", 2.5, [("  2, # two", "  2.5, # two")]),
        ("a.b c.list", [0, 2], [("  1,", "  0,")]),
        ("a.b c.inline.y.z", [True], [("inline = { x = 1, y.z = 'q' }", "inline = { x = 1, y.z = [true] }")]),
        ("a.b c.inline", {"x": 1}, [("inline = { x = 1, y.z = 'q' }", 'inline = {"x" = 1}')]),
        ("a.b c.day", "today", [("day = 1979-05-27 07:32:00", 'day = "today"')]),
        ("run.1.lr", 0.1, [("lr = inf", "lr = 0.1")]),
        ("run.0.lr", 1, [("lr = 1e-3", "lr = 1")]),
        ("run.1.tags.2", "d", [('tags = ["""a""", "b", "c"]', 'tags = ["""a""", "b", "d"]')]),
        ("a.b c.n", 1000, []),
    ],
)
def test_a_value_of_toml(name: str, value: Any, lines: list[tuple[str, str]]) -> None:
    assert changed(TOML, ".toml", **{name: value}) == lines


BY_HAND = "→ write it by hand"
ANCHOR = f"stands under the anchor &x; what *x repeats changes, too {BY_HAND}"


@pytest.mark.parametrize(
    ("text", "suffix", "name", "value", "message"),
    [
        (YAML, ".yaml", "train.size", 1, "p.yaml: there is no train.size → did you mean train.sizes?"),
        (YAML, ".yaml", "zzzzzz", 1, "p.yaml: there is no zzzzzz → add it by hand"),
        (YAML, ".yaml", "train.sizes.9", 1, "p.yaml: there is no train.sizes.9 → did you mean train.sizes.1?"),
        ("", ".yaml", "a", 1, "p.yaml: there is no a → add it by hand"),
        ("5", ".yaml", "a", 1, "p.yaml: there is no a → add it by hand"),
        ("", ".json", "a", 1, "p.json: there is no a → add it by hand"),
        (
            YAML, ".yaml", "base.lr", 1,
            f"p.yaml:2: base.lr stands under the anchor &base; what *base repeats changes, too {BY_HAND}",
        ),
        (
            YAML, ".yaml", "base", 1,
            f"p.yaml:2: base stands under the anchor &base; what *base repeats changes, too {BY_HAND}",
        ),
        ("a: &x 1\nb: *x\n", ".yaml", "a", 2, f"p.yaml:1: a {ANCHOR}"),
        ("a: [&x 1]\nb: *x\n", ".yaml", "a", [2], f"p.yaml:1: a {ANCHOR}"),
        (YAML, ".yaml", "train.lr", 1, f"p.yaml:6: train.lr stands in the mapping that << brings in {BY_HAND}"),
        (YAML, ".yaml", "train.<<", 1, "p.yaml: there is no train.<< → did you mean train?"),
        (YAML, ".yaml", "copy.lr", 1, f"p.yaml:15: copy.lr stands in what an alias repeats {BY_HAND}"),
        (YAML, ".yaml", "train.text", "x", f"p.yaml:10: train.text goes over several lines {BY_HAND}"),
        (YAML, ".yaml", "train.long", "x", f"p.yaml:13: train.long goes over several lines {BY_HAND}"),
        (YAML, ".yaml", "train.sizes", [1], f"p.yaml:8: train.sizes goes over several lines {BY_HAND}"),
        (YAML, ".yaml", "over", [1], f"p.yaml:17: over goes over several lines {BY_HAND}"),
        ("{a: {b}}", ".yaml", "a.b", 1, "p.yaml: a.b cannot be set without a change elsewhere → write by hand a.b = 1"),
        ("[1]", ".json", "0", "\ud800", "p.json: half of a surrogate pair is no text"),
        (TOML, ".toml", "a.b c.long", "x", f"p.toml:4: a.b c.long goes over several lines {BY_HAND}"),
        (TOML, ".toml", "a.b c.list", [1], f"p.toml:6: a.b c.list goes over several lines {BY_HAND}"),
        (TOML, ".toml", "a", 1, f"p.toml:1: a goes over several lines {BY_HAND}"),
        (TOML, ".toml", "title", None, f"p.toml:1: title cannot be None; TOML has no null {BY_HAND}"),
        (
            "a = 1", ".py", "a", 2,
            (
                "p.py: parameters cannot be set in a file that ends in '.py';"
                " allowed are .yaml, .yml, .json, .toml → write by hand a = 2"
            ),
        ),
        (
            "a: [", ".yaml", "a", 2,
            (
                "p.yaml:2: not YAML: did not find expected node content"
                " → check brackets, quotes and the indentation of this line and the one above"
            ),
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_done_safely_is_refused(
    text: str, suffix: str, name: str, value: Any, message: str
) -> None:
    with pytest.raises(SpecError) as caught:
        edit_params(text, suffix, {name: value}, file=f"p{suffix}")
    assert str(caught.value) == message


pieces = st.lists(
    st.sampled_from(
        [
            "a",
            "b",
            "1",
            ": ",
            "- ",
            "\n",
            "\n  ",
            "{",
            "}",
            "[",
            "]",
            ", ",
            "&x ",
            "*x",
            "<<",
            "'",
            '"',
            "|\n  ",
            "? ",
            "!!str ",
        ]
    ),
    max_size=14,
).map("".join)


@settings(max_examples=500)
@given(pieces, st.sampled_from(["a", "b", "a.a", "a.b", "a.0", "1", "a.0.b", "b.a", "<<", "a.<<"]), values)
def test_any_yaml_is_edited_rightly_or_refused(text: str, name: str, value: Any) -> None:
    try:
        edited = edit_params(text, ".yaml", {name: value})
    except SpecError:
        return
    found = parse_params(edited.encode(), "p.yaml")
    old = parse_params(text.encode(), "p.yaml")
    steps: list[Any] = [name]
    if name not in old:
        steps = []
        inner = old
        for step in name.split("."):
            key = step if isinstance(inner, dict) and step in inner else int(step)
            steps.append(key)
            inner = inner[key]
    assert repr(found) == repr(with_value(old, tuple(steps), value))
