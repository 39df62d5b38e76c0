"""Paths as text: the same as posixpath, a hundred times."""

from __future__ import annotations

import posixpath

from hypothesis import example, given
from hypothesis import strategies as st

from pinyon.plan.paths import join, outside, parents

parts = st.sampled_from(["a", "b1", "..", ".", "", "x.y", "..d", "é", " "])
paths = st.lists(parts, max_size=6).map("/".join)


@given(paths, paths)
@example("", "")
@example("a", "../..")
@example("/a", "../../b")
def test_join_is_normpath(base, path):
    expected = posixpath.normpath(posixpath.join(base, path))
    assert join(base, path) == ("/" + expected.lstrip("/") if expected.startswith("/") else expected)


@given(paths)
def test_joining_again_changes_nothing(path):
    assert join("", join("", path)) == join("", path)


def test_outside():
    assert [path for path in ("/a", "..", "../a", "a", ".", "..a", "a/..b") if outside(path)] == [
        "/a",
        "..",
        "../a",
    ]


def test_parents_end_at_the_root_for_what_lies_inside_it():
    assert list(parents("a/b/c")) == ["a/b", "a", "."]
    assert list(parents("a")) == ["."]
    assert list(parents("..data/x")) == ["..data", "."]
    assert list(parents("../a/b")) == ["../a", ".."]
    assert list(parents("/a/b")) == ["/a"]
    assert list(parents(".")) == []
