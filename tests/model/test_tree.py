"""Manifests: one form for one directory, and no way out of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinyon.errors import CorruptError, PlanError
from pinyon.model.canonical import canonical
from pinyon.store.tree import Row, decode, encode

NAME = "blake3:" + "0" * 64
PARTS = st.text(st.characters(exclude_characters="/\0", codec="utf-8"), min_size=1, max_size=5).filter(
    lambda part: part not in (".", "..")
)
PATHS = st.lists(PARTS, min_size=1, max_size=3).map("/".join)
ROWS = st.lists(
    st.builds(Row, PATHS, st.just(NAME), st.integers(0, 2**50), st.booleans()),
    unique_by=lambda row: row.path,
    max_size=6,
)


@given(ROWS, st.randoms())
def test_rows_come_back_sorted_by_the_bytes_of_their_path(rows: list[Row], chance):
    data = encode(rows)
    chance.shuffle(rows)
    assert encode(rows) == data
    assert decode(data) == sorted(rows, key=lambda row: row.path.encode())


@given(ROWS)
def test_a_manifest_is_canonical(rows: list[Row]):
    table = [[*row[:3], "x"] if row.executable else list(row[:3]) for row in rows]
    table.sort(key=lambda row: row[0].encode())
    assert encode(rows) == b"pinyon-tree 1\n" + canonical(table) + b"\n"


def test_known_answer():
    rows = [Row("run.sh", NAME, 80, True), Row("a/b.txt", NAME, 12)]
    assert encode(rows) == f'pinyon-tree 1\n[["a/b.txt","{NAME}",12],["run.sh","{NAME}",80,"x"]]\n'.encode()


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "/etc/passwd",
        "..",
        "../x",
        "a/../x",
        "a/..",
        ".",
        "./x",
        "a/./x",
        "a//x",
        "a/",
        "x\0y",
        "../" * 30 + "x",
    ],
)
def test_a_path_that_could_leave_is_refused(path: str):
    with pytest.raises(CorruptError, match="outside"):
        decode(b"pinyon-tree 1\n" + canonical([[path, NAME, 1]]) + b"\n")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"null",
        b"[1]",
        b"[[]]",
        b'[["a"]]',
        b'[[1,"b",2]]',
        b'[["a",1,2]]',
        b'[["a","b","2"]]',
        b'[["a","b",true]]',
        b'[["a","b",1],["a","c",1]]',
        b"[" * 100000,
        b"\xff",
        b'[{"a":1}]',
    ],
)
def test_foreign_json_is_corrupt(body: bytes):
    with pytest.raises(CorruptError):
        decode(b"pinyon-tree 1\n" + body)


@pytest.mark.parametrize("data", [b"", b"pinyon-tree 2\n[]\n", b"PK\x03\x04", b"pinyon-tree 1"])
def test_what_is_no_manifest_is_corrupt(data: bytes):
    with pytest.raises(CorruptError, match="not a directory's manifest"):
        decode(data)


def test_a_path_that_is_not_utf8_is_refused_as_such():
    with pytest.raises(PlanError):
        encode([Row("\udcff", NAME, 1)])
