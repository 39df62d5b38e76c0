"""What runs at the other end of an ssh connection: it is asked over its standard input and answers over its standard
output, one request after the other. A request is a line of JSON and as many bytes as its ``size`` says; so is an answer.

Sent there as text, after `pinyon.store.disk` and `pinyon.store.backends.folder`: standard library alone, Python 3.7.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from typing import Any, BinaryIO

from pinyon.store.backends.folder import Folder

HELLO = b"\0pinyon 1\n"
_BLOCK = 1 << 20
_LISTED = 5_000  # objects in one answer


class Body:
    """The bytes of a request; what nobody has read is skipped."""

    def __init__(self, source: BinaryIO, size: int) -> None:
        self._source, self._left = source, size

    def pieces(self) -> Iterator[bytes]:
        """All of them, in pieces."""
        while self._left:
            piece = self._source.read(min(_BLOCK, self._left))
            if not piece:
                raise EOFError  # whoever asked has gone: this is no whole object
            self._left -= len(piece)
            yield piece

    def skip(self) -> None:
        """Leave the next request at the front."""
        for _ in self.pieces():
            pass


def serve(root: str, asked: BinaryIO, answers: BinaryIO) -> None:
    """Answer until there are no more requests."""
    folder = Folder(root)
    answers.write(HELLO)
    answers.flush()
    for line in iter(asked.readline, b""):
        request = json.loads(line)
        body = Body(asked, request.pop("size", 0))
        try:
            _answer(folder, request, body, answers)
        except EOFError:
            return
        except OSError as error:
            body.skip()
            _say(answers, {"errno": error.errno or 0, "file": os.fspath(error.filename or "")})
        answers.flush()


def _answer(folder: Folder, request: dict[str, Any], body: Body, answers: BinaryIO) -> None:
    call = request["call"]
    if call == "read":
        _send(folder, request, answers)
    elif call == "list":
        for batch in _batches(folder.list(request["prefix"])):
            _say(answers, {"listed": batch})
        _say(answers, {"listed": []})
    elif call == "write":
        folder.write(request["key"], body.pieces())
        _say(answers, {})
    elif call == "create":
        _say(answers, {"made": folder.create(request["key"], b"".join(body.pieces()), request["token"])})
    elif call == "forget":
        folder.forget(request["token"])
        _say(answers, {})
    elif call == "delete":
        folder.delete(request["keys"])
        _say(answers, {})


def _send(folder: Folder, request: dict[str, Any], answers: BinaryIO) -> None:
    fd = folder.open(request["key"])
    if fd is None:
        _say(answers, {"missing": True})
        return
    try:
        whole = os.fstat(fd).st_size
        begin, until, _ = slice(*request["span"]).indices(whole)
        size = max(0, until - begin)
        _say(answers, {"whole": whole, "size": size})
        while size:
            piece = os.pread(fd, min(_BLOCK, size), begin)
            if not piece:
                sys.exit("an object became shorter while it was read")
            answers.write(piece)
            begin, size = begin + len(piece), size - len(piece)
    except OSError as error:
        # The answer has begun, so only its end can tell.
        sys.exit(str(error))
    finally:
        os.close(fd)


def _batches(found: Iterator[tuple[str, int]]) -> Iterator[list[tuple[str, int]]]:
    batch = []
    for one in found:
        batch.append(one)
        if len(batch) == _LISTED:
            yield batch
            batch = []
    if batch:
        yield batch


def _say(answers: BinaryIO, answer: dict[str, Any]) -> None:
    answers.write(json.dumps(answer).encode() + b"\n")
