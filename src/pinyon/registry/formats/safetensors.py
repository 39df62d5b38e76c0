"""Safetensors files, checked without a library: 8 bytes with the length of a header, the header as JSON, the numbers.

The header is read one tensor at a time, so that a forged one costs no more memory than its text. Where the library and the
text of the format differ (keys twice, blanks in front, more than any tensor needs) this holds to the text.
"""

from __future__ import annotations

import json
import math
from json.decoder import scanstring  # type: ignore[attr-defined] # the decoder's own, and faster than any of ours
from typing import Any, NamedTuple, NoReturn

from pinyon.model.text import printable
from pinyon.registry.formats.window import Window

BITS = {
    "BOOL": 8, "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6, "U8": 8, "I8": 8, "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8,
    "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8, "I16": 16, "U16": 16, "F16": 16, "BF16": 16, "I32": 32, "U32": 32, "F32": 32,
    "C64": 64, "F64": 64, "I64": 64, "U64": 64,
}  # fmt: skip

_LARGEST = 100_000_000  # bytes of a header, says the format
_READ = (
    5 << 20
)  # bytes of a header that anybody reads here: 50,000 tensors; the largest models have fewer in one file
_ENTRY = 4096  # characters that say what a tensor is
_DEEPEST = 100
_BLANK = " \t\n\r"
_FIELDS = ("dtype", "shape", "data_offsets")
_SIZES = 1 << 64
_KEPT = 20  # of the texts in the header, and how many characters of each
_KEPT_LONG = 1000


class Tensor(NamedTuple):
    """One tensor of a header; ``begin`` and ``end`` count bytes behind it."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int
    numbers: int


class BrokenError(ValueError):
    """What is wrong with a file that begins as one."""


def claims(data: Window) -> bool:
    """Whether a file begins as one: a length that could be a header's, then an opening brace."""
    head = data.at(0, 9)
    return len(head) == 9 and head[8:] == b"{" and int.from_bytes(head[:8], "little") <= _LARGEST


def facts(data: Window) -> dict[str, Any]:
    """``tensors`` and ``parameters`` (numbers in all of them), ``dtypes`` (numbers of each), ``metadata`` (texts) and the
    ``largest`` as [name, dtype, shape].

    Raises:
        BrokenError: it is not sound, or its header is larger than what is read here.
    """
    tensors, metadata = _header(data)
    dtypes: dict[str, int] = {}
    for one in tensors:
        dtypes[one.dtype] = dtypes.get(one.dtype, 0) + one.numbers
    largest = sorted(tensors, key=lambda one: (-one.numbers, one.name))[:5]
    return {
        "tensors": len(tensors),
        "parameters": sum(dtypes.values()),
        "dtypes": dtypes,
        "metadata": metadata,
        "largest": [[one.name, one.dtype, list(one.shape)] for one in largest],
    }


def _header(data: Window) -> tuple[list[Tensor], dict[str, str]]:
    head = data.at(0, 8)
    if len(head) < 8:
        raise BrokenError(f"it has {len(head)} bytes, and the length of its header alone needs 8")
    length = int.from_bytes(head, "little")
    if length > _LARGEST:
        raise BrokenError(f"its header would be {length} bytes long, and at most {_LARGEST} are allowed")
    if 8 + length > data.size:
        raise BrokenError(f"its header would end at byte {8 + length}, and the file ends at {data.size}")
    if length > _READ:
        raise BrokenError(f"its header has {length} bytes, and no more than {_READ} are looked at")
    try:
        text = data.at(8, length).decode()
    except UnicodeDecodeError as error:
        raise BrokenError(f"its header is no UTF-8 (byte {8 + error.start})") from None
    tensors, metadata = _Reader(text).read()
    tensors.sort(key=lambda one: (one.begin, one.end))
    end = 0
    for one in tensors:
        if one.begin != end:
            raise BrokenError(
                f"tensor '{printable(one.name)}' begins at byte {one.begin} of the data, not at {end}"
            )
        end = one.end
    if 8 + length + end != data.size:
        raise BrokenError(f"its tensors end at byte {8 + length + end}, and the file at {data.size}")
    return tensors, metadata


class _Reader:
    """Reads a header from left to right."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.decoder = json.JSONDecoder(
            object_pairs_hook=_pairs, parse_int=_whole, parse_float=_float, parse_constant=_constant
        )

    def read(self) -> tuple[list[Tensor], dict[str, str]]:
        tensors: list[Tensor] = []
        metadata: dict[str, str] = {}
        if not self.text.startswith("{"):
            raise BrokenError("its header does not begin with {")
        try:
            for name in self.keys():
                if name == "__metadata__":
                    metadata = self.metadata()
                else:
                    tensors.append(self.tensor(name))
        except BrokenError:
            raise
        except (ValueError, RecursionError) as error:
            raise BrokenError(
                f"its header is no JSON as it should be, near character {self.at}: {printable(str(error))}"
            ) from None
        if self.text[self.at :].strip(_BLANK):
            raise BrokenError(f"something stands behind its header, at character {self.at}")
        return tensors, metadata

    def keys(self) -> Any:
        """The keys of the object that begins here; the caller reads each value before it asks for the next."""
        seen: set[str] = set()
        self.expect("{")
        if self.peek() == "}":
            self.at += 1
            return
        while True:
            name = self.string()
            if name in seen:
                raise BrokenError(f"'{printable(name)}' stands in its header twice")
            seen.add(name)
            self.expect(":")
            yield name
            if self.peek() == "}":
                self.at += 1
                return
            self.expect(",")

    def metadata(self) -> dict[str, str]:
        kept: dict[str, str] = {}
        if self.peek() == "n" and self.text.startswith("null", self.at):
            self.at += 4
            return kept
        for name in self.keys():
            value = self.string()
            if len(kept) < _KEPT:
                kept[name[:_KEPT_LONG]] = value[:_KEPT_LONG]
        return kept

    def tensor(self, name: str) -> Tensor:
        self.peek()
        piece = self.text[self.at : self.at + _ENTRY]
        found, length = self.decoder.raw_decode(piece)
        self.at += length
        if type(found) is not dict or any(field not in found for field in _FIELDS):
            raise BrokenError(f"tensor '{printable(name)}' has no {', '.join(_FIELDS)}")
        if len(found) > len(_FIELDS) and piece[:length].count("[") + piece[:length].count("{") > _DEEPEST:
            raise BrokenError(f"tensor '{printable(name)}' says more than a tensor has to say")
        dtype, shape, offsets = (found[field] for field in _FIELDS)
        if type(dtype) is not str or dtype not in BITS:
            raise BrokenError(
                f"tensor '{printable(name)}' has the unknown dtype '{printable(str(dtype), 40)}'"
            )
        if not (_sizes(shape) and _sizes(offsets) and len(offsets) == 2):
            raise BrokenError(f"tensor '{printable(name)}' has a shape or offsets that are no sizes")
        return _measured(name, dtype, tuple(shape), *offsets)

    def string(self) -> str:
        self.expect('"')
        found, self.at = scanstring(self.text, self.at, True)
        found.encode()  # half of a pair of surrogates is no text, and UnicodeEncodeError is a ValueError
        return str(found)

    def peek(self) -> str:
        while self.text[self.at : self.at + 1] in (" ", "\t", "\n", "\r"):
            self.at += 1
        return self.text[self.at : self.at + 1]

    def expect(self, character: str) -> None:
        if self.peek() != character:
            raise ValueError(f"{character} is missing")
        self.at += 1


def _measured(name: str, dtype: str, shape: tuple[int, ...], begin: int, end: int) -> Tensor:
    numbers = 1
    for size in shape:
        numbers *= size
        if numbers >= _SIZES:
            raise BrokenError(f"tensor '{printable(name)}' has more numbers than can be counted")
    bits = numbers * BITS[dtype]
    if bits >= _SIZES or bits % 8 or begin > end or end - begin != bits // 8:
        shown = " × ".join(map(str, shape[:8])) or "one number"
        raise BrokenError(
            f"tensor '{printable(name)}' has {end - begin} bytes, and {shown} of {dtype} need {bits / 8:.15g}"
        )
    return Tensor(name, dtype, shape, begin, end, numbers)


def _sizes(value: Any) -> bool:
    return type(value) is list and all(type(one) is int and 0 <= one < _SIZES for one in value)


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands there twice")
    return found


def _whole(text: str) -> int | float:
    # A minus makes it something else than a size, -0 too, and so do more digits than 64 bits hold.
    return float(text) if text.startswith("-") or len(text) > 20 else int(text)


def _float(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"{text[:40]} is too large")
    return value


def _constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number of JSON")
