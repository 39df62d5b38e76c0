"""What is a sound safetensors file: our answer and the library's own, for random files."""

# ruff: noqa: T201 - each test prints its load

from __future__ import annotations

import json
import random
import struct
from collections import Counter
from pathlib import Path
from typing import Any

import made
import pytest

from pinyon.errors import CorruptError
from pinyon.registry.formats import look
from pinyon.registry.formats.safetensors import BITS

library = pytest.importorskip("safetensors", reason="needs safetensors: scripts/setup-examples installs it")

FILES = 2000


def ours(path: Path) -> bool:
    try:
        return look(path).format == "safetensors"
    except CorruptError:
        return False


def theirs(data: bytes) -> bool:
    try:
        library.deserialize(data)
    except library.SafetensorError:
        return False
    return True


def tensors(dice: random.Random) -> dict[str, tuple[str, list[int], int]]:
    found = {}
    for number in range(dice.randrange(5)):
        dtype = dice.choice(sorted(BITS))
        shape = [dice.choice([0, 1, 2, 3, 4, 8]) for _ in range(dice.randrange(4))]
        numbers = 1
        for size in shape:
            numbers *= size
        name = dice.choice(["w", "layer.weight", "", "é", "\N{GRINNING FACE}", 'a"b', "a\nb"])
        found[f"{name}{number}"] = (dtype, shape, numbers * BITS[dtype] // 8)
    return found


EMPTY = b'{"dtype": "U8", "shape": [0], "data_offsets": [0, 0]}'
VALUES: list[Any] = [
    0, 1, 4, -1, -0.0, 1.0, 1e3, 2**63, 2**64 - 1, 2**64, 10**30, True, None, "F32", "f32", "", [], [0], [1, 2], [4, -4],
    [[1]], {}, {"a": 1}, [0, 4], [4, 0], [2**32, 2**32], [0, 2**63, 4], [2**63, 4, 0],
]  # fmt: skip


def broken(dice: random.Random, sound: bytes) -> bytes:
    """Something is different: in the header as it is meant, in its text, or in the bytes."""
    length = int.from_bytes(sound[:8], "little")
    header, data = json.loads(sound[8 : 8 + length]), sound[8 + length :]
    kind = dice.randrange(6)
    if kind == 0 and header:
        name = dice.choice(sorted(header))
        if isinstance(header[name], dict) and dice.random() < 0.9:
            field = dice.choice(["dtype", "shape", "data_offsets", "strides"])
            if dice.random() < 0.2:
                header[name].pop(field, None)
            else:
                header[name][field] = dice.choice(VALUES)
        else:
            header[name] = dice.choice([one for one in VALUES if one != []])
        return made.framed(json.dumps(header).encode(), data)
    if kind == 1:
        header["__metadata__"] = dice.choice(
            [None, {}, {"a": "b"}, {"a": 1}, {"a": None}, "text", 1, [], {"a": {}}]
        )
        return made.framed(json.dumps(header).encode(), data)
    if kind == 2:
        text = json.dumps(header, ensure_ascii=False).encode()
        tail = dice.choice([b"", b" " * dice.randrange(9), b"\n\t\r ", b"\0", b"x", b"{}", b","])
        return made.framed(text + tail, data)
    if kind == 3:
        return struct.pack("<Q", max(0, length + dice.choice([-9, -1, 1, 8, 1 << 20, 1 << 40]))) + sound[8:]
    at = dice.randrange(len(sound))
    if kind == 4:
        pieces = [
            b"",
            b"0",
            b"-",
            b" ",
            b'"',
            b"\\",
            b"\\ud800",
            b"\\u00e9",
            b"1e999",
            b"NaN",
            b"\xff",
            b"\x01",
            b"]",
            b"}",
        ]
        return sound[:at] + dice.choice(pieces) + sound[at + dice.randrange(2) :]
    return sound[:at] + dice.choice([b"", bytes(dice.randrange(1, 9)), sound[at:] * 2])


def test_our_answer_is_the_librarys(tmp_path):
    seed = random.randrange(2**32)
    print(f"\nseed {seed}")
    dice = random.Random(seed)
    counts: Counter[bool] = Counter()
    for _ in range(FILES):
        metadata = dice.choice([None, {}, {"format": "pt"}, {"a": "é", "b": "x" * 3000}])
        data = made.safetensors(tensors(dice), metadata)
        if dice.random() < 0.7:
            data = broken(dice, data)
        path = tmp_path / dice.choice(["m.safetensors", "m.safetensors", "m"])
        path.write_bytes(data)
        expected = theirs(data)
        counts[expected] += 1
        assert ours(path) == expected, data
    print(f"{counts[True]} sound and {counts[False]} broken files; every answer was the library's")
    assert min(counts.values()) >= FILES // 10


@pytest.mark.parametrize(
    "header",
    [
        b'{"__metadata__": {"a": "1", "a": "2"}}',
        b' {"__metadata__": {}}',
        b'{"a": %b, "a": %b}' % (EMPTY, EMPTY),
        b'{"a": ["U8", [0], [0, 0]]}',
    ],
)  # fmt: skip
def test_where_we_hold_to_the_text_of_the_format(tmp_path, header):
    """It says that keys stand there once, that a header begins with a brace, and that a tensor is an object."""
    path = tmp_path / "m.safetensors"
    path.write_bytes(made.framed(header))
    assert theirs(path.read_bytes())
    assert not ours(path)
