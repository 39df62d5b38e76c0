"""TensorBoard's event files: as TensorBoard's own reader reads them, while they grow, and whatever is wrong with them."""

# ruff: noqa: T201 - each test prints its load

from __future__ import annotations

import json
import math
import os
import struct
from pathlib import Path

import madefiles as made
import pytest

from pinyon.bridges.tensorboard import Event, EventFile, Histogram
from pinyon.bridges.tensorboard.crc32c import crc32c
from pinyon.errors import ForeignFileError

RECORDED = Path(__file__).parent / "recorded"
NAMES = ["tensorboardx.tfevents", "tensors.tfevents", "torch.tfevents"]
SEED = int(os.environ.get("PINYON_SEED", "1"))


def read(path: Path) -> tuple[list[Event], int]:
    return made.read_to_end(EventFile(str(path)), path)


def numbers(events: list[Event]) -> list[list[object]]:
    """As the recorded answers have them; NaN is no equal of itself."""
    rows = [
        [value.tag, event.step, event.wall, float(value.data)]
        for event in events
        for value in event.values
        if value.kind == "scalar"
    ]
    return [[*row, "NaN"] if math.isnan(row[3]) else row for row in rows]  # type: ignore[arg-type]


@pytest.mark.parametrize("name", NAMES)
def test_numbers_are_those_that_tensorboard_reads(name: str) -> None:
    events, faults = read(RECORDED / name)
    told = json.loads((RECORDED / f"{name}.json").read_text())["numbers"]
    expected = [[*row, "NaN"] if math.isnan(row[3]) else row for row in told]
    assert faults == 0
    assert len(expected) >= 100
    assert [str(row) for row in numbers(events)] == [str(row) for row in expected]
    assert events[0].version == "brain.Event:2"


def test_the_checksum_is_that_of_the_standard() -> None:
    assert crc32c(b"123456789") == 0xE3069283  # the check value of CRC-32C
    assert crc32c(bytes(32)) == 0x8A9136AA  # RFC 3720, B.4


@pytest.mark.parametrize("name", NAMES)
def test_what_is_no_number_is_read_too(name: str) -> None:
    events, _ = read(RECORDED / name)
    found = {value.tag: value for event in events for value in event.values if value.kind != "scalar"}
    histogram = found["weights"].data
    assert isinstance(histogram, Histogram)
    assert sum(histogram.counts) == 100
    assert len(histogram.edges) == len(histogram.counts) + 1
    assert list(histogram.edges) == sorted(histogram.edges)
    (note,) = (value for tag, value in found.items() if tag.startswith("note"))
    assert (note.kind, note.data) == ("text", ["hello"])
    if name != "tensors.tfevents":
        assert found["picture"].kind == "image"
        assert found["picture"].data.startswith(b"\x89PNG")


def test_parameters_of_the_hparams_plugin(tmp_path: Path) -> None:
    path = tmp_path / "x.tfevents"
    told = {"lr": 0.1, "layers": 3, "kind": "lstm", "deep": True}
    path.write_bytes(made.version(1.0) + made.event(2.0, 0, made.hparams(told)))
    (value,) = read(path)[0][1].values
    assert (value.kind, value.data) == ("hparams", told)
    assert type(value.data["layers"]) is int


def test_each_tensor_type_that_holds_numbers(tmp_path: Path) -> None:
    path = tmp_path / "x.tfevents"
    # dtype, field of its list, the number there; bfloat16, half and the rest as bit patterns
    lists = [(1, 5, struct.pack("<f", 1.5)), (2, 6, struct.pack("<d", 1.5)), (19, 13, made.varint(0x3E00)),
             (14, 13, made.varint(0x3FC0)), (3, 7, made.varint(-2)), (23, 17, made.varint(2**64 - 1)),
             (10, 11, b"\1")]  # fmt: skip
    tensors = [
        made.field(1, dtype) + made.field(2, b"") + made.field(number, data) for dtype, number, data in lists
    ]
    tensors.append(
        made.field(1, 22) + made.field(2, b"") + made.field(4, struct.pack("<I", 7))
    )  # by its bytes
    tensors.append(made.field(1, 1) + made.field(2, b""))  # zero
    values = [made.field(1, f"t{i}") + made.field(8, tensor) for i, tensor in enumerate(tensors)]
    path.write_bytes(made.event(2.0, 0, *values))
    found = [value.data for value in read(path)[0][0].values]
    assert found == [1.5, 1.5, 1.5, 1.5, -2, 2**64 - 1, True, 7, 0]


def test_a_file_that_grows_is_read_byte_by_byte_without_an_error(tmp_path: Path) -> None:
    whole = (RECORDED / "tensorboardx.tfevents").read_bytes()
    path = tmp_path / "x.tfevents"
    path.touch()
    file, found = EventFile(str(path)), []
    with open(path, "ab", buffering=0) as writer:
        for at in range(3_000):
            writer.write(whole[at : at + 1])
            found += file.read()
        writer.write(whole[3_000:])
    found += file.read()
    assert str(found) == str(read(RECORDED / "tensorboardx.tfevents")[0])


def test_a_file_that_ends_anywhere_gives_what_is_whole(tmp_path: Path) -> None:
    parts = [made.version(1.0), *(made.event(2.0 + i, i, made.scalar("loss", i)) for i in range(5))]
    whole, path = b"".join(parts), tmp_path / "x.tfevents"
    for end in range(len(whole) + 1):
        path.write_bytes(whole[:end])
        events, faults = read(path)
        assert faults == 0
        assert len(events) == max(n for n in range(7) if sum(map(len, parts[:n])) <= end)


def test_a_damaged_event_hides_no_other(tmp_path: Path) -> None:
    parts = [made.version(1.0), *(made.event(2.0 + i, i, made.scalar("loss", i)) for i in range(9))]
    bad = bytearray(parts[4])
    bad[20] ^= 1
    path = tmp_path / "x.tfevents"
    path.write_bytes(b"".join([*parts[:4], bytes(bad), *parts[5:]]))
    events, faults = read(path)
    assert faults == 1
    assert [event.step for event in events[1:]] == [0, 1, 2, 4, 5, 6, 7, 8]


def test_a_damaged_length_ends_the_file(tmp_path: Path) -> None:
    parts = [made.event(2.0 + i, i, made.scalar("loss", i)) for i in range(5)]
    bad = bytearray(parts[2])
    bad[0] ^= 1
    path = tmp_path / "x.tfevents"
    path.write_bytes(b"".join([*parts[:2], bytes(bad), *parts[3:]]))
    events, faults = read(path)
    assert (len(events), faults) == (2, 1)


def bombs() -> dict[str, bytes]:
    """Sound records that claim much."""
    head = struct.pack("<Q", 1 << 30)
    claim = head + struct.pack("<I", made.masked(head))
    many = made.tfrecord(made.field(5, made.field(1, b"") * 400_000))
    numbers = made.field(1, "x") + made.field(5, made.field(7, bytes(8 * 200_000)))
    ints = made.field(1, 3) + made.field(7, b"\0" * 2_000_000)
    shape = made.field(2, made.field(2, made.field(1, 2**62)) * 3) + made.field(1, 1)
    return {
        "a length of 1 GB": claim + bytes(1000),
        "a field of 1 GB": made.tfrecord(b"\x2a\x80\x80\x80\x80\x04" + bytes(100)),
        "a number without end": made.tfrecord(b"\x10" + b"\xff" * 100_000),
        "a group": made.tfrecord(b"\x0b" * 100_000),
        "400,000 values": many,
        "a histogram of 200,000": made.event(1.0, 1, numbers),
        "a tensor of 2,000,000": made.event(1.0, 1, made.field(1, "x") + made.field(8, ints)),
        "a tensor of 2**186": made.event(1.0, 1, made.field(1, "x") + made.field(8, shape)),
        "depth": made.tfrecord(made.field(5, made.field(5, b"\x2a\x02") * 100_000)),
    }


def test_hostile_files_end_with_what_could_be_read_or_a_named_error(tmp_path: Path) -> None:
    whole = b"".join(
        [(RECORDED / "tensors.tfevents").read_bytes(), (RECORDED / "torch.tfevents").read_bytes()[-2000:]]
    )
    whole = made.version(1.0) + made.event(2.0, 0, made.hparams({"lr": 0.1})) + whole[:3000] + whole[-2500:]
    path, damaged = tmp_path / "x.tfevents", 0
    for data in made.mutations(whole, 1_000, SEED):
        path.write_bytes(data)
        damaged += read(path)[1] > 0
    print(f"1,000 changed files, {damaged} named as damaged, seed {SEED}")
    assert damaged >= 500


def test_hostile_messages_with_right_checksums(tmp_path: Path) -> None:
    """The framing is sound, what it holds is not: so the decoder is asked, and not the checksum."""
    message = (RECORDED / "tensors.tfevents").read_bytes()
    sound = made.field(1, 1.0) + made.field(
        5, made.field(1, made.scalar("x", 1.0) + made.field(8, message[100:180]))
    )
    path, read_whole = tmp_path / "x.tfevents", 0
    for data in made.mutations(sound + made.hparams({"lr": 1, "k": "x"}), 1_000, SEED):
        path.write_bytes(made.tfrecord(data) + made.event(9.0, 9, made.scalar("after", 1.0)))
        events, _ = read(path)
        assert events[-1].step == 9
        read_whole += len(events) == 2
    print(f"1,000 changed messages, {read_whole} still read, seed {SEED}")
    assert 0 < read_whole < 1_000


@pytest.mark.parametrize("what", list(bombs()))
def test_bombs_take_little_memory(what: str, tmp_path: Path) -> None:
    path = tmp_path / "x.tfevents"
    path.write_bytes(bombs()[what])
    assert (
        made.peak(f"""
from pinyon.bridges.tensorboard import EventFile
from pinyon.errors import ForeignFileError
try:
    for event in EventFile({str(path)!r}).read(): pass
except ForeignFileError as error:
    assert {str(path)!r} in str(error)
""")
        < 200 << 20
    )


def test_a_fifo_is_no_file(tmp_path: Path) -> None:
    path = tmp_path / "x.tfevents"
    os.mkfifo(path)
    with pytest.raises(ForeignFileError, match="this is no file"):
        EventFile(str(path))
    with pytest.raises(ForeignFileError, match="No such file"):
        EventFile(str(tmp_path / "none"))
