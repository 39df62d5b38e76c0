"""Event files and W&B files made by hand, whole or damaged, and by scripts under test (with this folder on their path)."""

from __future__ import annotations

import json
import os
import random
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol, TypeVar

from pinyon.bridges.tensorboard.crc32c import masked
from pinyon.errors import ForeignFileError

T = TypeVar("T", covariant=True)


class Reader(Protocol[T]):
    def read(self) -> Iterator[T]: ...
    def close(self) -> None: ...


def read_to_end(file: Reader[T], path: Path) -> tuple[list[T], int]:
    """All that is in a file, and how often something was damaged, which names the file."""
    found, faults = list[T](), 0
    while True:
        try:
            found += file.read()
        except ForeignFileError as error:
            faults += str(path) in str(error)
            continue
        file.close()
        return found, faults


# Protobuf


def varint(value: int) -> bytes:
    data = b""
    value &= (1 << 64) - 1
    while value > 127:
        data, value = data + bytes([value & 127 | 128]), value >> 7
    return data + bytes([value])


def field(number: int, value: Any) -> bytes:
    """An int, a float (as double), or bytes and text."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    if isinstance(value, float):
        return varint(number << 3 | 1) + struct.pack("<d", value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


# TensorBoard


def tfrecord(data: bytes) -> bytes:
    head = struct.pack("<Q", len(data))
    return head + struct.pack("<I", masked(head)) + data + struct.pack("<I", masked(data))


def scalar(tag: str, value: float) -> bytes:
    return field(1, tag) + varint(2 << 3 | 5) + struct.pack("<f", value)


def event(wall: float, step: int, *values: bytes) -> bytes:
    return tfrecord(field(1, wall) + field(2, step) + field(5, b"".join(field(1, value) for value in values)))


def text(tag: str, words: str) -> bytes:
    """A value of the text plugin: a tensor of one string."""
    plugin = field(1, field(1, "text"))
    return field(1, tag) + field(9, plugin) + field(8, field(1, 7) + field(2, b"") + field(8, words))


def image(tag: str, data: bytes) -> bytes:
    return field(1, tag) + field(4, field(4, data))


def version(wall: float) -> bytes:
    return tfrecord(field(1, wall) + field(3, "brain.Event:2"))


def hparams(values: dict[str, Any]) -> bytes:
    """A value of the hparams plugin."""
    entries = b""
    for name, value in values.items():
        if isinstance(value, bool):
            spelled = field(4, int(value))
        else:
            spelled = field(3, value) if isinstance(value, str) else field(2, float(value))
        entries += field(1, field(1, name) + field(2, spelled))
    plugin = field(1, "hparams") + field(2, field(1, 0) + field(3, entries))
    return field(1, "_hparams_/session_start_info") + field(9, field(1, plugin))


class Events:
    """Writes an event file as its script goes along."""

    def __init__(self, folder: str, wall: float | None = None) -> None:
        os.makedirs(folder, exist_ok=True)
        start = time.time() if wall is None else wall
        self.path = f"{folder}/events.out.tfevents.{int(start):010d}.host"
        self._fd = os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY)  # open as long as the script
        self.raw(version(start))

    def add(self, step: int, wall: float | None = None, **values: float) -> None:
        """One event; ``__`` in a name is ``/``."""
        spelled = [scalar(name.replace("__", "/"), value) for name, value in values.items()]
        self.raw(event(time.time() if wall is None else wall, step, *spelled))

    def raw(self, data: bytes) -> None:
        os.write(self._fd, data)

    def __del__(self) -> None:
        os.close(self._fd)


# W&B

HEADER = struct.pack("<4sHB", b":W&B", 0xBEE1, 0)
BLOCK = 32768


def chunks(data: bytes, at: int) -> bytes:
    """A record as it stands in a file from an offset on."""
    out, first, begin = bytearray(), True, 0
    while True:
        left = BLOCK - (at + len(out)) % BLOCK
        if left < 7:
            out += bytes(left)
            continue
        part, begin = data[begin : begin + left - 7], begin + left - 7
        last = begin >= len(data)
        kind = (1 if last else 2) if first else (4 if last else 3)
        out += struct.pack("<IHB", zlib.crc32(bytes([kind]) + part), len(part), kind) + part
        first = False
        if last:
            return bytes(out)


def items(values: dict[str, Any], number: int = 1) -> bytes:
    return b"".join(
        field(number, field(2, name) + field(16, json.dumps(value))) for name, value in values.items()
    )


def history(step: int, wall: float, **values: Any) -> bytes:
    told = {
        "_step": step,
        "_timestamp": wall,
        **{name.replace("__", "/"): value for name, value in values.items()},
    }
    return field(2, items(told) + field(2, field(1, step)))


def run_record(
    wall: float, name: str = "", config: dict[str, Any] | None = None, tags: tuple[str, ...] = ()
) -> bytes:
    start = field(1, int(wall)) + field(2, int(wall % 1 * 1e9))
    body = (
        field(1, "id") + field(3, "demo") + field(4, items(config or {})) + (field(8, name) if name else b"")
    )
    return field(17, body + b"".join(field(10, tag) for tag in tags) + field(17, start))


class Wandb:
    """Writes a file of W&B's as its script goes along."""

    def __init__(self, folder: str, name: str = "", **config: Any) -> None:
        self.path = f"{folder}/offline-run-{name or 'x'}/run-{name or 'x'}.wandb"
        os.makedirs(os.path.dirname(self.path))
        self._fd = os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY)  # open as long as the script
        self._size = os.write(self._fd, HEADER)
        self.add(run_record(time.time(), name, config))

    def add(self, record: bytes) -> None:
        self._size += os.write(self._fd, chunks(record, self._size))

    def __del__(self) -> None:
        os.close(self._fd)


# Damage


def mutations(data: bytes, count: int, seed: int) -> Iterator[bytes]:
    """Copies with a few bytes changed, cut out, put in, or everything behind some offset gone."""
    chance = random.Random(seed)
    for _ in range(count):
        copy = bytearray(data)
        for _ in range(chance.randint(1, 4)):
            at = chance.randrange(len(copy)) if copy else 0
            what = chance.randrange(5)
            if what == 0 and copy:
                copy[at] ^= 1 << chance.randrange(8)
            elif what == 1:
                copy[at:at] = chance.randbytes(chance.randint(1, 40))
            elif what == 2:
                del copy[at : at + chance.randint(1, 40)]
            elif what == 3:
                copy[at : at + 8] = struct.pack("<Q", chance.choice((0, 2**30, 2**40, 2**63, 2**64 - 1)))
            else:
                del copy[at:]
        yield bytes(copy)


def peak(script: str) -> int:
    """The most memory that a Python script took, in bytes; it must end in order."""
    # Not by getrusage: what the process was forked from counts there.
    code = f"{script}\nprint(open('/proc/self/status').read().split('VmHWM:')[1].split()[0])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return int(done.stdout) * 1024
