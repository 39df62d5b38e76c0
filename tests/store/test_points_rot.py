"""Rot in points is found by `verify`; what a killed writer left is harmless."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinyon.store.local import LocalStore
from pinyon.store.points import Point, PointsWriter
from pinyon.sync.verify import verify


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A segment of three batches."""
    folder = tmp_path_factory.mktemp("store") / "journals"
    folder.mkdir()
    writer = PointsWriter(str(folder), "w-1")
    for batch in range(3):
        writer.write(
            [Point(number, 0.5 * number, number, {"loss": 1.5, "é": 2}) for number in range(batch + 1)], "a-1"
        )
    writer.close()
    return folder / "w-1.points.0.jsonl"


def found(written: Path, data: bytes) -> list[tuple[int, bool]]:
    """Offset and harmlessness of what verify finds when the segment has these bytes."""
    written.write_bytes(data)
    report = verify(LocalStore(written.parents[1]))
    assert all(one.file == str(written) for one in (*report.damage, *report.torn))
    return [(one.offset, one.torn) for one in (*report.damage, *report.torn)]


@pytest.fixture(scope="module")
def sound(written: Path) -> bytes:
    return written.read_bytes()


def test_what_was_written_is_sound(written: Path, sound: bytes) -> None:
    assert found(written, sound) == []
    assert found(written, b"") == []


def test_every_flipped_bit_is_found(written: Path, sound: bytes) -> None:
    missed = []
    for at in range(len(sound)):
        for bit in range(8):
            data = sound[:at] + bytes([sound[at] ^ 1 << bit]) + sound[at + 1 :]
            if not found(written, data):
                missed.append((at, bit))
    assert [(at, bit) for at, bit in missed if not _means_newer(sound, at)] == []


def _means_newer(sound: bytes, at: int) -> bool:
    """Whether the byte is the number of a line's format: one of another format is not ours to judge."""
    return sound[:at].endswith(b'{"v":')


@given(cut=st.integers(0, 10_000))
def test_a_torn_end_is_harmless(written: Path, sound: bytes, cut: int) -> None:
    data = sound[: cut % (len(sound) + 1)]
    ends = [
        at + 1 for at, byte in enumerate(sound) if byte == 10 and b'"flush"' in sound[:at].split(b"\n")[-1]
    ]
    whole = max((end for end in ends if end <= len(data)), default=0)
    assert found(written, data) == ([(whole, True)] if whole < len(data) else [])


@pytest.mark.parametrize(
    ("line", "offset"),
    [
        (b"[1]\n", True),
        (b"nonsense\n", True),
        (b'{"v":1,"step":1}\n', True),
        (b'{"v":"1"}\n', True),
        (b'{"v":2}\n', False),
    ],
)
def test_a_line_of_nobodys_is_named_and_hides_no_other(
    written: Path, sound: bytes, line: bytes, offset: bool
) -> None:
    first = sound.index(b"\n", sound.index(b'"flush"')) + 1
    told = found(written, sound[:first] + line + sound[first:])
    assert told == [(first, False)] * (2 if offset else 1), "the line, and the batch that it stands in"


def test_a_batch_that_is_gone_is_missed(written: Path, sound: bytes) -> None:
    lines = sound.splitlines(keepends=True)
    assert found(written, b"".join(lines[:2] + lines[5:])) == [(len(b"".join(lines[:2])), False)]


def test_points_of_another_writer_are_named(written: Path, sound: bytes) -> None:
    assert found(written, sound.replace(b'"writer":"w-1"', b'"writer":"w-2"'))[0] == (0, False)
    assert found(written, sound.replace(b'"lines":1', b'"lines":"1"'))[0] == (0, False)
