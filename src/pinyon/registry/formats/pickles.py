"""Telling a pickle by walking along its opcodes, none of which is carried out.

The walk is more lenient than the machine that would carry them out: what that one would run is never taken for something
else. It steps over arguments without a look at most of them, and counts what lies on the stack without knowing it.
"""

from __future__ import annotations

import functools
import re
from typing import Any

from pinyon.registry.formats.window import SpentError, Window

_LONGEST = 1 << 20  # bytes of a line
_MOST = 100_000  # opcodes; what goes on for so long by chance does not exist
_NUMBER = re.compile(rb"\s*[-+\w.]*\s*\n")
_QUOTED = re.compile(rb"([\"']).*\1\s*\n", re.DOTALL)
_WIDTH = {-2: 1, -3: 4, -4: 4, -5: 8}  # pickletools' marks for arguments that say their own length, in bytes
_LINE = -1


def is_pickle(data: Window) -> bool:
    """Whether loading it as a pickle would get as far as an import, or to a value."""
    head = data.at(0, 2)
    if len(head) == 2 and head[0] == 0x80 and head[1] <= 9:
        return True  # protocol 2 and later say so themselves
    try:
        return _walk(data)
    except SpentError:
        return True


@functools.cache
def _opcodes() -> dict[bytes, Any]:
    from pickletools import opcodes

    return {op.code.encode("latin-1"): op for op in opcodes}


def _walk(data: Window) -> bool:
    position, stack = 0, [0]
    for _ in range(_MOST):
        op = _opcodes().get(data.at(position, 1))
        if op is None or not _step(op, stack):
            return False
        if op.name in ("STOP", "STACK_GLOBAL"):
            return True
        end = _behind(op, data, position + 1)
        if end is None or end > data.size:
            return False
        if op.name in ("GLOBAL", "INST"):
            return True
        if end >= data.known and end < data.size:
            return True  # goes on behind what was unpacked: nobody can tell
        position = end
    return True


def _behind(op: Any, data: Window, position: int) -> int | None:
    """Where the argument of an opcode ends; None if it cannot be one."""
    if op.arg is None:
        return position
    if op.name in ("GLOBAL", "INST"):
        module = data.line(position)
        name = data.line(position + len(module)) if module else None
        if not (module and name and _dotted(module) and _dotted(name)):
            return None
        return position + len(module) + len(name)
    if op.arg.n == _LINE:
        return _line(op.name, data, position)
    if op.arg.n >= 0:
        return position + int(op.arg.n)
    width = _WIDTH[op.arg.n]
    count = int.from_bytes(data.at(position, width), "little")
    return position + width + count


def _line(name: str, data: Window, position: int) -> int | None:
    line = data.line(position, _LONGEST)
    if line is None and data.size > min(position + _LONGEST, data.known):
        raise SpentError
    if line is None or (name == "STRING" and not _QUOTED.fullmatch(line)):
        return None
    if name in ("INT", "LONG", "FLOAT", "GET", "PUT") and not _NUMBER.fullmatch(line):
        return None
    return position + len(line)


def _dotted(line: bytes) -> bool:
    parts = line[:-1].decode(errors="replace").split(".")
    return all(part.isidentifier() for part in parts)


def _step(op: Any, stack: list[int]) -> bool:
    """Count what an opcode takes and leaves; ``stack`` has a count for each open mark. False if something is not there."""
    names = [kind.name for kind in op.stack_before]
    if op.name == "MARK":
        stack.append(0)
        return True
    if op.name == "POP" and stack[-1] == 0:
        names = ["mark"]  # a mark can be taken away like a value
    if "mark" in names:
        if len(stack) < 2:
            return False
        stack.pop()
        names = names[: names.index("mark")]
    if stack[-1] < len(names):
        return False
    stack[-1] += len(op.stack_after) - len(names)
    return True
