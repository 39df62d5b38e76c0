"""What a model file is, and whether opening it runs code: told by its bytes, and nothing is ever loaded or carried out."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from pinyon.errors import CorruptError, PlanError
from pinyon.model.text import printable
from pinyon.registry.formats.looked import Inside, Looked
from pinyon.registry.formats.window import Window

_FILES = 10_000  # of a folder
_SHOWN = 100  # of them, in the facts
_ZIPS = ("zip", "npz", "keras", "skops")
_TAIL = (64 << 10) + 22  # bytes in which a zip ends
_TEXTS = ("json", "text", "unknown", "empty")  # what lies beside the weights of a model in its folder

_UNREAD = "nobody looked inside"


def look(path: Path) -> Looked:
    """Look at a file, or at every file of a folder: one that runs code makes the folder so, and is named.

    Raises:
        CorruptError: it begins as a safetensors file, or is called one, and is broken; or it is a pointer of Git LFS.
        PlanError: there is no such file, or it is neither file nor folder.
    """
    if path.is_dir():
        return _folder(path)
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise PlanError(
            f"this file cannot be opened: {error.strerror}", where=str(path), next=f"ls -l {path.parent}"
        ) from error
    try:
        info = os.fstat(fd)
        if not stat.S_ISREG(info.st_mode):
            raise PlanError("this is neither a file nor a folder", where=str(path), next="name a file")
        found = _look(Window(fd, info.st_size), path)
    finally:
        os.close(fd)
    return found


def _look(data: Window, path: Path) -> Looked:
    called = path.suffix.lower() == ".safetensors"
    head = data.at(0, 200)
    if head.startswith(b"version https://git-lfs.github.com/spec/"):
        raise CorruptError(
            "this is a pointer of Git LFS, and not the file itself", where=str(path), next="git lfs pull"
        )
    found = _safetensors(data, path, called=False)
    if found is None:
        zipped = b"PK\5\6" in data.at(max(0, data.size - _TAIL), _TAIL)
        found = _inside(data, _within)
        if zipped and not found.runs_code and found.format not in _ZIPS:
            found = _zip_behind(data, found)
    if not called or found.format == "safetensors":
        return found
    if found.format in _TEXTS and not found.runs_code:
        return _safetensors(data, path, called=True) or found
    return found._replace(why=f"{found.why}, although it is called safetensors")


def _zip_behind(data: Window, found: Looked) -> Looked:
    """A zip is read from its end, so there may be anything in front of it."""
    from pinyon.registry.formats import archives

    zipped = archives.look_zip(data, _within)
    # A zip that only packs numbers is nothing new; one that runs code is what some library would open.
    return zipped._replace(why=f"behind other bytes, {zipped.why}") if zipped.runs_code else found


def _safetensors(data: Window, path: Path, *, called: bool) -> Looked | None:
    from pinyon.registry.formats import safetensors

    if not called and not safetensors.claims(data):
        return None
    try:
        facts = safetensors.facts(data)
    except safetensors.BrokenError as error:
        raise CorruptError(
            f"this safetensors file is broken: {error}",
            where=str(path),
            next="write it again with safetensors' save_file, or copy it again",
        ) from None
    return Looked("safetensors", False, "its header fits its numbers, and there is nothing else in it", facts)


def _within(data: Window) -> Looked:
    """What bytes in an archive or a compressed file are."""
    return _inside(data, None)


def _inside(data: Window, within: Inside | None) -> Looked:
    """What bytes are; ``within`` looks at what is packed in them, None for what is packed itself."""
    from pinyon.registry.formats import archives, packed, pickles

    head = data.at(0, 512)
    if not head:
        return Looked("empty", False, "it is empty")
    plain = _by_magic(data, head, nested=within is None)
    if plain:
        return plain
    if head.startswith((b"PK\3\4", b"PK\5\6")):
        return archives.look_zip(data, within)
    if head[257:262] == b"ustar" or archives.old_tar(head):
        return archives.look_tar(data, within)
    unpacked = packed.look_packed(data, head, within)
    if unpacked:
        return unpacked
    if pickles.is_pickle(data):
        return Looked("pickle", True, "it is a pickle, and loading a pickle runs what stands in it")
    return _by_shape(data)


def _by_magic(data: Window, head: bytes, *, nested: bool) -> Looked | None:
    from pinyon.registry.formats import numpy, texts

    if head.startswith(b"\x93NUMPY"):
        return numpy.look_npy(data)
    if head.startswith(b"\x89HDF\r\n\x1a\n"):
        return Looked("hdf5", False, "it is HDF5") if nested else texts.look_hdf5(data)
    if head.startswith(b"GGUF") and 1 <= int.from_bytes(head[4:8], "little") <= 100:
        count = int.from_bytes(head[8:16], "little")
        return Looked("gguf", False, "it is GGUF, which holds numbers and texts", {"tensors": count})
    if head[4:8] == b"TFL3":
        return Looked("tflite", False, "it is TensorFlow Lite, a graph of known operators")
    if head.startswith((b"\x7fELF", b"MZ\x90\0", b"\xcf\xfa\xed\xfe")):
        return Looked("library", True, "it is machine code")
    return None


def _by_shape(data: Window) -> Looked:
    from pinyon.registry.formats import onnx, texts

    facts = onnx.facts(data)
    if facts is None:
        text = texts.look_text(data)
        return text or Looked("unknown", False, f"its bytes tell no format, and {_UNREAD}")
    why = "it is ONNX, a graph of operators"
    if facts.get("domains"):
        why += f"; operators of {', '.join(facts['domains'])} need a library of their own"
    if facts.get("external"):
        why += f"; numbers lie in other files: {', '.join(facts['external'][:3])}"
    return Looked("onnx", False, why, facts)


def _folder(folder: Path) -> Looked:
    formats: dict[str, str] = {}
    running: list[tuple[str, str]] = []
    left_out = 0
    for number, (name, path) in enumerate(_files(folder)):
        if number == _FILES:
            return Looked("folder", True, f"it has more than {_FILES} files, and {_UNREAD} the others")
        if path is None:
            left_out += 1
            continue
        found = look(path)
        formats[name] = found.format
        if found.runs_code:
            running.append((name, found.why))
    kinds = {kind for kind in formats.values() if kind not in _TEXTS}
    kind = kinds.pop() if len(kinds) == 1 else "folder"
    facts = {"files": dict(sorted(formats.items())[:_SHOWN]), "count": len(formats), "links": left_out}
    if running:
        name, why = min(running)
        more = f" (and {len(running) - 1} more)" if len(running) > 1 else ""
        return Looked(kind, True, f"{printable(name)}: {why}{more}", facts)
    return Looked(kind, False, f"none of its {len(formats)} files runs code", facts)


def _files(folder: Path) -> Iterator[tuple[str, Path | None]]:
    """Each file by its path within the folder; None for what is a link, or no file."""
    waiting = [("", folder)]
    while waiting:
        prefix, directory = waiting.pop()
        try:
            entries = list(os.scandir(directory))
        except OSError as error:
            raise PlanError(
                f"this folder cannot be read: {error.strerror}", where=str(directory), next=f"ls -l {folder}"
            ) from error
        for entry in entries:
            name = prefix + entry.name
            if entry.is_dir(follow_symlinks=False):
                waiting.append((f"{name}/", Path(entry.path)))
            else:
                shown = os.fsencode(name).decode(errors="replace")
                yield shown, Path(entry.path) if entry.is_file(follow_symlinks=False) else None
