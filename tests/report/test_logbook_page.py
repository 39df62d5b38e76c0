"""The page of the logbook: whatever people write, it stays where it belongs."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from pinyon.report.logbook import Chosen, Data, Environment, Lock, Logbook, Moved, Note, logbook_markdown

NOTES = {"paragraph_open", "inline", "paragraph_close", "blockquote_open", "blockquote_close"}
INLINE = {"text", "hardbreak", "softbreak", "text_special"}
_text = st.text(st.characters(), max_size=60) | st.text(
    st.sampled_from("#>-+*_`~[]()<>!|\\&;=.1 \n\t$:\"'{}/@a^"), max_size=60
)


def parsed(text: str) -> list[Token]:
    return MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(text)


def letters(text: str) -> str:
    """What a reader sees of it, without spaces and what no page can hold."""
    return "".join(one for one in text if one.isprintable() and not one.isspace())


@given(_text, _text, _text)
def test_a_note_is_a_quotation_with_all_of_its_letters(text: str, who: str, about: str) -> None:
    tokens = parsed(logbook_markdown(Logbook("p", notes=[Note(0.0, text, "", about, who)])))
    start = next(at for at, token in enumerate(tokens) if token.type == "blockquote_open")
    end = next(at for at, token in enumerate(tokens) if token.type == "blockquote_close")
    assert end == len(tokens) - 1
    quoted = tokens[start + 1 : end]
    assert {token.type for token in quoted} <= NOTES - {"blockquote_open"}
    inline = [child for token in quoted for child in token.children or ()]
    assert {child.type for child in inline} <= INLINE
    shown = letters("".join(child.content for child in inline))
    assert shown.replace("\ufffd", "") == letters(text).replace("\ufffd", "")
    heading = [token for token in tokens[:start] if token.type == "inline"][-1]
    assert {child.type for child in heading.children or ()} <= {
        "text",
        "text_special",
        "strong_open",
        "strong_close",
    }


@given(_text, _text)
def test_a_table_keeps_its_fields(path: str, licence: str) -> None:
    book = Logbook("p", data=[Data(0.0, path, "blake3:00", 1, "s", licence, "", "n", "w")] * 2)
    tokens = parsed(logbook_markdown(book))
    wide = 7 - (not path) + bool(licence)
    assert sum(token.type == "th_open" for token in tokens) == wide
    assert sum(token.type == "td_open" for token in tokens) == 2 * wide
    fields = [tokens[at + 1] for at, token in enumerate(tokens) if token.type == "td_open"]
    assert all({child.type for child in field.children or ()} <= {"text", "text_special"} for field in fields)


def test_sections_stand_in_order_and_empty_ones_are_left_out() -> None:
    day = 1_795_000_000.0
    full = Logbook(
        "wind",
        data=[
            Data(
                day,
                "data.csv",
                "blake3:" + "ab" * 32,
                2_000_000,
                "https://x.org",
                "CC0",
                "2026-11-22",
                "50 Hz",
                "anna",
            )
        ],
        locks=[Lock("uv.lock", "blake3:" + "cd" * 32, day)],
        environments=[Environment(day, "r-1", "python 3.12, cuda 12.4")],
        chosen=[Chosen(day, "lstm", "windows", "maximize f1", "window=50", "best mean f1")],
        moved=[Moved(day, "lstm", "staging: nothing → 1", "f1 > 0.7: 0.8", "anna")],
        notes=[
            Note(day, "n", topic) for topic in ("", "problem", "analysis", "decision", "dependency", "data")
        ],
    )
    text = logbook_markdown(full)
    assert re.findall("^#+ .*", text, re.MULTILINE) == [
        "# Logbook of wind", "## Data", "## Dependencies", "## Decisions", "## Analysis", "## Problems", "## Notes",
    ]  # fmt: skip
    for word in (
        "abababababab",
        "2.0 MB",
        "50 Hz",
        "cdcdcdcdcdcd",
        "cuda 12.4",
        "window=50",
        "staging: nothing → 1",
    ):
        assert word in text
    assert logbook_markdown(Logbook("p")) == "# Logbook of p\n\nNothing is noted yet.\n"
    assert re.findall("^## .*", logbook_markdown(full.of("analysis")), re.MULTILINE) == ["## Analysis"]


@pytest.mark.parametrize(
    ("topic", "left"),
    [
        ("data", {"data"}),
        ("dependency", {"locks", "environments"}),
        ("analysis", {"chosen", "moved"}),
        ("problem", set()),
    ],
)
def test_a_topic_is_its_section_alone(topic: str, left: set[str]) -> None:
    day = 5.0
    book = Logbook(
        "p", [Data(day, "d", "", 1)], [Lock("l", "", day)], [Environment(day, "r", "e")],
        [Chosen(day, "e", "p", "o", "w", "y")],
        [Moved(day, "m", "w", "y", "z")], [Note(day, "a", topic), Note(day, "b", "decision"), Note(day, "c")],
    )  # fmt: skip
    told: dict[str, Any] = book.of(topic).as_dict()
    assert {name for name, value in told.items() if value and name not in ("project", "notes")} == left
    assert [note["text"] for note in told["notes"]] == ["a"]
    later = book.since(6.0)
    assert (later.data, later.notes, len(later.locks)) == ([], [], 1)
    assert book.since(5.0)._replace(locks=book.locks) == book


def test_lines_of_a_note_stay_lines() -> None:
    text = logbook_markdown(
        Logbook(
            "p", notes=[Note(0.0, "\n\nfirst\nsecond\n\n    x = 1\n# no heading\n", "", "stage train", "a_b")]
        )
    )
    assert text.split("\n")[4:] == [
        text.split("\n")[4], "", "> first\\", "> second", ">", "> \u00a0\u00a0\u00a0\u00a0x = 1\\", "> \\# no heading", "",
    ]  # fmt: skip
    assert text.split("\n")[4].endswith(", a_b, about stage train:")
