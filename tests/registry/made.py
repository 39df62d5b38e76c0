"""Model files of all kinds, made by hand: what needs no library to be written."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import os
import pickle
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def safetensors(tensors: Mapping[str, tuple[str, list[int], int]], metadata: Any = None) -> bytes:
    """A sound file; a tensor is (dtype, shape, bytes)."""
    header: dict[str, Any] = {} if metadata is None else {"__metadata__": metadata}
    end = 0
    for name, (dtype, shape, size) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [end, end + size]}
        end += size
    return framed(json.dumps(header).encode(), bytes(end))


def framed(header: bytes, data: bytes = b"") -> bytes:
    return struct.pack("<Q", len(header)) + header + data


class Canary:
    """Makes a folder when somebody unpickles it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


def by_hand(path: Path) -> bytes:
    """The same by opcodes of protocol 0, without a word of which protocol it is."""
    return f"cposix\nmkdir\n(S'{path}'\ntR.".encode()


def by_inst(path: Path) -> bytes:
    return f"(S'{path}'\niposix\nmkdir\n.".encode()


def by_stack(path: Path) -> bytes:
    """Module and name come from the stack, behind a long text that nobody needs and a number in hexadecimal."""
    word = b"B" + struct.pack("<I", 300_000) + b"x" * 300_000 + b"0"
    texts = b"".join(b"\x8c" + bytes([len(one)]) + one for one in (b"posix", b"mkdir"))
    name = os.fsencode(path)
    return word + b"I0x10\n0" + texts + b"\x93" + b"\x8c" + bytes([len(name)]) + name + b"\x85R."


def zipped(members: Mapping[str, bytes], kind: int = zipfile.ZIP_DEFLATED) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", kind) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return made.getvalue()


def tarred(members: Mapping[str, bytes], form: int = tarfile.PAX_FORMAT) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=form) as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return made.getvalue()


def old_tar(members: Mapping[str, bytes]) -> bytes:
    """One of before there was a word that tells it: only the checksum does."""
    data = bytearray(tarred(members, tarfile.USTAR_FORMAT))
    data[257:265] = bytes(8)
    data[148:156] = b" " * 8
    data[148:156] = b"%06o\0 " % sum(data[:512])
    return bytes(data)


def npy(descr: str, shape: str = "(2,)", data: bytes = b"") -> bytes:
    header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header + data


def keras(config: Any) -> bytes:
    return zipped({
        "metadata.json": b"{}", "config.json": json.dumps(config).encode(), "model.weights.h5": HDF5,
    })  # fmt: skip


HDF5 = b"\x89HDF\r\n\x1a\n" + bytes(100)


def canaries(path: Path) -> dict[str, bytes]:
    """Files that make a folder ``path`` when whatever is in them is carried out, by the name that they go by."""
    pickles = {f"protocol-{n}.pkl": pickle.dumps(Canary(path), n) for n in range(6)}
    plain = pickles["protocol-2.pkl"]
    return {
        **pickles,
        "by-hand.bin": by_hand(path),
        "by-inst.txt": by_inst(path),
        "by-stack.bin": by_stack(path),
        "model.safetensors": pickles["protocol-4.pkl"],
        "text.safetensors": pickles["protocol-0.pkl"],
        "legacy-torch.pt": pickle.dumps(0x1950A86A20F9469CFC6C, 2) + plain,
        "torch.pt": zipped({"m/data.pkl": plain, "m/data/0": bytes(16)}, zipfile.ZIP_STORED),
        "script.pt": zipped({"m/code/a.py": b"", "m/constants.pkl": pickles["protocol-3.pkl"], "m/data.pkl": plain}),
        "late.zip": zipped({f"{n}.txt": b"word" for n in range(300)} | {"x/y.bin": by_hand(path)}),
        "bz2.zip": zipped({"a.bin": plain}, zipfile.ZIP_BZIP2),
        "behind.keras": b"some words\n" + zipped({"a.pkl": plain}),
        "objects.npy": npy("'|O'", data=plain),
        "named.npy": npy("[('x', '<f4'), ('y', [('z', 'object')])]", data=plain),
        "objects.npz": zipped({"a.npy": npy("'<f4'"), "b.npy": npy("'|O'", data=plain)}),
        "joblib-zlib.joblib": zlib.compress(plain),
        "joblib-gzip.joblib": gzip.compress(plain),
        "joblib-bz2.joblib": bz2.compress(plain),
        "joblib-xz.joblib": lzma.compress(plain),
        "joblib-lzma.joblib": lzma.compress(plain, lzma.FORMAT_ALONE),
        "joblib-hand.gz": gzip.compress(by_stack(path)),
        "torch.tar": tarred({"sys_info": b"x", "pickle": plain}),
        "old.tar": old_tar({"a": plain}),
        "model.tar.gz": gzip.compress(tarred({"model.pkl": plain})),
        "twice.zip": zipped({"inner.zip": zipped({"a.pkl": plain})}),
        "whole.h5": HDF5 + b"model_config" + plain,
        "lambda.keras": keras({"class_name": "Sequential", "config": {"layers": [{"class_name": "Lambda"}]}}),
        "gadget.keras": keras({"class_name": "get_file", "module": "keras.utils", "config": {}}),
        "library.so": b"\x7fELF" + bytes(60),
        "apply.yaml": b"a: !!python/object/apply:os.mkdir [x]\n",
    }  # fmt: skip
