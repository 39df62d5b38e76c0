"""Copying bytes from one open file to another by the cheapest way that the file system has."""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
import threading
from collections import deque
from collections.abc import Callable
from itertools import cycle

from pinyon.store.protocol import Tell, quiet

_FICLONE = 0x40049409  # ioctl(2): let two files share their blocks until one of them is written to
_CHUNK = 32 << 20  # bytes copied before the hashing of them begins, in another thread
_BLOCK = 8 << 20  # bytes written at once around the page cache
_BLOCKS = 4  # of them in memory
_ALIGNED = 64 << 10  # bytes that such a write must be a multiple of, on any disk


def clone(source: int, target: int) -> bool:
    """Make an empty open file share the other's blocks; False where the file system cannot."""
    try:
        fcntl.ioctl(target, _FICLONE, source)
    except OSError:
        return False
    return True


def copy_bytes(source: int, target: int) -> None:
    """Copy all of one open file to another, empty one."""
    if clone(source, target):
        return
    done = _copy(source, target, 0, os.fstat(source).st_size)
    os.lseek(source, done, os.SEEK_SET)
    os.lseek(target, done, os.SEEK_SET)
    while chunk := os.read(
        source, 1 << 20
    ):  # a file that grows, or one whose size nobody can tell beforehand
        write_all(target, chunk)


def copy_hashed(
    source: int, target: int, size: int, feed: Callable[[memoryview], object], tell: Tell = quiet
) -> bool:
    """Copy ``size`` bytes and feed the *copy's* bytes to a hasher meanwhile, in order, from another thread.

    What is hashed is what was written, whatever becomes of the source. Gives False when there were fewer bytes, or the
    copy cannot be mapped: then nothing that was fed counts.

    Args:
        tell: called with the number of bytes that have been copied since the last call.
    """
    os.ftruncate(target, size)
    try:
        mapped = mmap.mmap(target, size, prot=mmap.PROT_READ)
    except (OSError, ValueError):
        _copy(source, target, 0, size)
        return False
    view = memoryview(mapped)
    try:
        return _copy_fed(source, target, view, feed, tell)
    finally:
        view.release()
        mapped.close()


def copy_direct(
    source: int, target: int, size: int, feed: Callable[[memoryview], object], tell: Tell = quiet
) -> bool:
    """The same around the page cache: what is written is on its way to the disk at once, so that a later fsync has next
    to nothing left to do, and no other file is driven from memory.

    Gives False where the file system cannot; then nothing that was fed counts.
    """
    flags = fcntl.fcntl(target, fcntl.F_GETFL)
    try:
        fcntl.fcntl(target, fcntl.F_SETFL, flags | os.O_DIRECT)
        done = _copy_around(source, target, size, feed, tell)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        fcntl.fcntl(target, fcntl.F_SETFL, flags)
        os.ftruncate(target, 0)
        return False
    os.ftruncate(target, done)  # the last write was of whole sectors
    return True


def _copy_around(
    source: int, target: int, size: int, feed: Callable[[memoryview], object], tell: Tell
) -> int:
    """Write block after block from a thread while the next ones are read and fed; gives how many bytes there were."""
    from concurrent.futures import Future, ThreadPoolExecutor  # 16 ms that small files need not pay

    # A mapping begins at a page, as such a write must.
    blocks = [
        memoryview(mmap.mmap(-1, _BLOCK, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)) for _ in range(_BLOCKS)
    ]
    writes: deque[Future[None]] = deque()
    done = 0
    with ThreadPoolExecutor(1, "write") as writer:
        for block in cycle(blocks):
            if len(writes) == _BLOCKS:
                writes.popleft().result()
            count = _fill(block[: size - done], source, done)
            if not count:
                break
            feed(block[:count])
            writes.append(writer.submit(_write_at, target, block[: -(-count // _ALIGNED) * _ALIGNED], done))
            done += count
            tell(count)
        for write in writes:
            write.result()
    return done


def _fill(block: memoryview, source: int, offset: int) -> int:
    """Read from an offset on until the block is full or the file ends; gives how many bytes there were."""
    count = 0
    while count < len(block) and (more := os.preadv(source, [block[count:]], offset + count)):
        count += more
    return count


def _write_at(target: int, data: memoryview, offset: int) -> None:
    while data:
        written = os.pwrite(target, data, offset)
        data, offset = data[written:], offset + written


class _Hashing:
    """A thread that feeds to a hasher what has been copied so far, in order."""

    def __init__(self, view: memoryview, feed: Callable[[memoryview], object]) -> None:
        self._view, self._feed = view, feed
        self._copied = self._hashed = 0
        self._ended = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="hash", daemon=True)
        self._thread.start()

    def more(self, count: int) -> None:
        """So many bytes more have been copied."""
        with self._changed:
            self._copied += count
            self._changed.notify()

    def end(self) -> None:
        """No more come; returns when all that came are hashed."""
        with self._changed:
            self._ended = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(self._has_something)
                until = self._copied
            if until == self._hashed:
                return
            with self._view[self._hashed : until] as part:
                self._feed(part)
            self._hashed = until

    def _has_something(self) -> bool:
        return self._copied > self._hashed or self._ended


def _copy_fed(
    source: int, target: int, view: memoryview, feed: Callable[[memoryview], object], tell: Tell
) -> bool:
    size, done = len(view), 0
    hashing = _Hashing(view, feed)
    try:
        while done < size:
            copied = _copy(source, target, done, min(_CHUNK, size - done))
            if not copied:
                break
            done += copied
            tell(copied)
            hashing.more(copied)
    finally:
        hashing.end()
    if done < size:
        os.ftruncate(target, done)
    return done == size


def _copy(source: int, target: int, offset: int, count: int) -> int:
    """Copy up to ``count`` bytes from an offset to the same offset; gives how many there were."""
    done = 0
    while done < count:
        at = offset + done
        try:
            copied = os.copy_file_range(source, target, count - done, at, at)
        except OSError:
            copied = 0  # across file systems, or a kernel that cannot
        if not copied:
            chunk = os.pread(source, min(count - done, 1 << 20), at)
            if not chunk:
                break
            copied = os.pwrite(target, chunk, at)
        done += copied
    return done


def write_all(fd: int, data: bytes | memoryview) -> None:
    """Write every byte: a full disk can show as a short write without an error, and the next write then raises it."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
