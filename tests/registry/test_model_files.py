"""Model files are told by their bytes, whatever they are called, and nothing in them is ever carried out."""

# ruff: noqa: T201 - each test prints its load

from __future__ import annotations

import gzip
import json
import os
import pickle
import resource
import struct
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import made
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pinyon.errors import CorruptError, PlanError
from pinyon.registry.formats import look

FORMATS = {
    "objects.npy": "npy", "named.npy": "npy", "objects.npz": "npz", "torch.pt": "torch", "script.pt": "torchscript",
    "torch.tar": "tar", "old.tar": "tar", "model.tar.gz": "gzip", "whole.h5": "hdf5", "lambda.keras": "keras",
    "gadget.keras": "keras", "library.so": "library", "apply.yaml": "text", "behind.keras": "zip", "late.zip": "zip",
    "bz2.zip": "zip", "twice.zip": "zip",
}  # fmt: skip


def put(tmp_path: Path, data: bytes, name: str = "model") -> Path:
    path = tmp_path / name
    path.write_bytes(data)
    return path


def test_canaries_are_seen_and_never_sing(tmp_path):
    cage, files = tmp_path / "sang", made.canaries(tmp_path / "sang")
    assert len(files) >= 30
    for name, data in files.items():
        for called in (name, "model.safetensors", "nothing"):
            found = look(put(tmp_path, data, called))
            assert found.runs_code, (name, found)
            kind = "joblib" if name.startswith("joblib") else FORMATS.get(name, "pickle")
            assert found.format == kind, (name, found)
            assert ("safetensors" in found.why) == called.endswith(".safetensors"), (name, found)
            assert not cage.exists(), name
    print(f"\n{len(files)} files that run code, each under three names; none ran any")


def test_the_pickles_among_them_are_alive(tmp_path):
    cage, alive = tmp_path / "sang", 0
    for name, data in made.canaries(cage).items():
        if not name.startswith(("protocol", "by-", "model.safe", "text.safe")):
            continue
        call = "import pickle, sys; pickle.load(open(sys.argv[1], 'rb'))"
        subprocess.run([sys.executable, "-c", call, put(tmp_path, data)], check=True)
        cage.rmdir()  # it is there, so it was carried out
        alive += 1
    assert alive == 11


def test_a_folder_runs_code_if_a_file_in_it_does(tmp_path):
    folder = tmp_path / "model"
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(made.safetensors({"a": ("F32", [2], 8)}))
    (folder / "config.json").write_text("{}")
    os.symlink("/etc/passwd", folder / "link")
    found = look(folder)
    assert (found.format, found.runs_code, found.facts["count"], found.facts["links"]) == (
        "safetensors",
        False,
        2,
        1,
    )
    (folder / "deep/er/state.bin").write_bytes(made.by_hand(tmp_path / "x"))
    found = look(folder)
    assert (found.format, found.runs_code) == ("folder", True)
    assert found.why.startswith("deep/er/state.bin: it is a pickle")
    assert found.facts["files"]["config.json"] == "json"
    (folder / "model.safetensors").write_bytes(b"\x08\0\0\0\0\0\0\0{")
    with pytest.raises(CorruptError, match=r"model.safetensors: this safetensors file is broken"):
        look(folder)


@pytest.mark.parametrize(
    ("data", "kind", "why"),
    [
        (b"", "empty", "empty"),
        (b"tree\nversion=v4\nnum_class=1\n", "text", "text"),
        (b'{"learner": {"objective": {"name": "reg:squarederror"}}, "version": [2, 0, 0]}', "json", "JSON"),
        (b"x^2 + y^2 are squares", "text", "text"),
        (b"class Foo:\n    pass\n", "text", "text"),
        (b"Version 1\nSee the notes.\n", "text", "text"),
        (b"1.5\n2.5\n", "text", "text"),
        (b"\xef\xbb\xbf[1, 2]", "json", "JSON"),
        (b"\xd3\xf1\0\x01" * 20, "unknown", "nobody looked inside"),
        (bytes(4096), "unknown", "nobody looked inside"),
        (b"GGUF" + struct.pack("<IQQ", 3, 291, 20), "gguf", "GGUF"),
        (b"\x1c\0\0\0TFL3" + bytes(32), "tflite", "TensorFlow Lite"),
        (made.HDF5, "hdf5", "HDF5"),
        (made.npy("'<f4'", "(3, 4)"), "npy", "numbers"),
        (made.npy("[('O', '<f4', (2,)), ('x', '|u1')]"), "npy", "numbers"),
        (made.zipped({"a.npy": made.npy("'<f4'", "(3,)"), "b.npy": made.npy("'<f8'", "()")}), "npz", "none of the 2"),
        (made.keras({"module": "keras", "class_name": "Sequential", "config": {}}), "keras", "none of the 3"),
        (made.zipped({"schema.json": b"{}", "a.npy": made.npy("'<f4'")}), "skops", "none of the 2"),
        (made.zipped({"read me.txt": b"hello"}), "zip", "none of the 1"),
        (made.zipped({}), "zip", "none of the 0"),
        (made.tarred({"x" * 150: b"hello"}, tarfile.GNU_FORMAT), "tar", "none of the 1"),
        (gzip.compress(b"hello", mtime=0), "gzip", "it is text"),
    ],
)  # fmt: skip
def test_what_runs_nothing(tmp_path, data, kind, why):
    found = look(put(tmp_path, data))
    assert (found.format, found.runs_code) == (kind, False), found
    assert why in found.why


def test_what_numbers_a_file_has(tmp_path):
    found = look(put(tmp_path, made.safetensors(
        {"w": ("F32", [3, 4], 48), "half": ("F4", [3, 2], 3), "none": ("I64", [0, 9], 0), "one": ("F32", [], 4)},
        {"format": "pt"},
    )))  # fmt: skip
    assert found.facts == {
        "tensors": 4, "parameters": 19, "dtypes": {"F32": 13, "F4": 6, "I64": 0}, "metadata": {"format": "pt"},
        "largest": [["w", "F32", [3, 4]], ["half", "F4", [3, 2]], ["one", "F32", []], ["none", "I64", [0, 9]]],
    }  # fmt: skip
    found = look(
        put(tmp_path, made.zipped({"a.npy": made.npy("'<f4'", "(3, 4)"), "b.npy": made.npy("'<f4'")}))
    )
    assert found.facts == {"tensors": 2, "parameters": 14, "dtypes": {"<f4": 14}}


def message(*fields: tuple[int, object]) -> bytes:
    """A protobuf message of varints and bytes."""
    made_ = b""
    for number, value in fields:
        if isinstance(value, int):
            made_ += varint(number << 3) + varint(value)
        else:
            data = value.encode() if isinstance(value, str) else bytes(value)  # type: ignore[call-overload]
            made_ += varint(number << 3 | 2) + varint(len(data)) + data
    return made_


def varint(value: int) -> bytes:
    out = b""
    while value >= 0x80:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def onnx(*, domain: str = "", location: str = "", **other: object) -> bytes:
    node = message((1, "x"), (2, "y"), (4, "Identity"), *([(7, domain)] if domain else []))
    external = [(13, message((1, "location"), (2, location)))] if location else []
    weights = message((1, 3), (1, 4), (2, 1), (8, "w"), *external, (9, bytes(48)))
    graph = message((1, node), (2, "graph"), (5, weights))
    return message((1, 8), (2, "by hand"), (7, graph), (8, message((2, 17))))


def test_onnx(tmp_path):
    found = look(put(tmp_path, onnx()))
    assert (found.format, found.runs_code) == ("onnx", False)
    assert found.facts == {
        "ir_version": 8, "opsets": {"ai.onnx": 17}, "producer": "by hand", "nodes": 1, "tensors": 1, "parameters": 12,
        "domains": [], "external": [],
    }  # fmt: skip
    found = look(put(tmp_path, onnx(domain="com.example", location="../weights.bin")))
    assert "com.example need a library" in found.why
    assert "other files: ../weights.bin" in found.why


def test_what_is_nearly_onnx_is_not(tmp_path):
    whole = onnx()
    shorter = [whole[:n] for n in range(1, len(whole) - 1)]
    kinds = {look(put(tmp_path, data)).format for data in [*shorter, whole + b"\0", whole[2:], whole + whole]}
    assert "onnx" not in kinds


BROKEN = {
    "its header would end": struct.pack("<Q", 100) + b"{}",
    "and at most 100000000": struct.pack("<Q", 1 << 40) + b"{}",
    "needs 8": b"{}",
    "no more than 5242880": struct.pack("<Q", 6 << 20) + b"{" + b" " * (6 << 20),
    "no UTF-8 (byte 10)": made.framed(b'{"\xff": 1}'),
    "} is missing": made.framed(b'{"a"} '),
    ": is missing": made.framed(b'{"a"}'),
    "has no dtype": made.framed(b'{"a": []}'),
    "unknown dtype 'F33'": made.framed(b'{"a": {"dtype": "F33", "shape": [], "data_offsets": [0, 4]}}', bytes(4)),
    "no sizes": made.framed(b'{"a": {"dtype": "U8", "shape": [-0], "data_offsets": [0, 0]}}'),
    "and 2 of F32 need 8": made.framed(b'{"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]}}', bytes(4)),
    "begins at byte 1": made.framed(b'{"a": {"dtype": "U8", "shape": [1], "data_offsets": [1, 2]}}', bytes(2)),
    "and the file at": made.safetensors({"a": ("U8", [2], 2)}) + b"x",
    "more numbers than can be counted": made.framed(
        b'{"a": {"dtype": "U8", "shape": [4294967296, 4294967296, 0], "data_offsets": [0, 0]}}'
    ),
    "stands in its header twice": made.framed(b'{"__metadata__": {"a": "1", "a": "2"}}'),
    "a key stands there twice": made.framed(b'{"a": {"dtype": "U8", "dtype": "I8"}}'),
    "something stands behind": made.framed(b"{} {}"),
    "NaN is no number": made.framed(b'{"a": {"x": NaN}}'),
    "near character": made.framed(b'{"a": ' + b"[" * 4_000),
}  # fmt: skip


@pytest.mark.parametrize("says", BROKEN)
def test_a_broken_safetensors_file_is_refused(tmp_path, says):
    says_ = "missing" if says == "} is missing" else says
    with pytest.raises(CorruptError) as caught:
        look(put(tmp_path, BROKEN[says], "m.safetensors"))
    assert says_ in str(caught.value)
    assert "m.safetensors: this safetensors file is broken" in str(caught.value)
    assert "→ write it again" in str(caught.value)
    assert caught.value.exit_code == 5


def test_what_only_is_called_safetensors_is_refused(tmp_path):
    for data in (b"some words", b'{"a": 1}', bytes(100), b"", os.urandom(9) + b"\0\xff"):
        with pytest.raises(CorruptError, match="broken"):
            look(put(tmp_path, data, "model.SAFETENSORS"))
    found = look(put(tmp_path, made.npy("'<f4'"), "model.safetensors"))
    assert (found.format, found.runs_code) == ("npy", False)
    assert found.why.endswith("although it is called safetensors")


def test_a_pointer_of_git_lfs_is_no_model(tmp_path):
    text = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 12\n"
    with pytest.raises(CorruptError, match="git lfs pull"):
        look(put(tmp_path, text, "model.pt"))


def test_what_is_no_file(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for name in ("pipe", "absent"):
        with pytest.raises(PlanError) as caught:
            look(tmp_path / name)
        assert str(tmp_path / name) in str(caught.value)
    with pytest.raises(PlanError):
        look(Path("/dev/null"))


BOMBS = {
    "header of brackets": lambda: made.framed(b"{" + b'"a":' + b"[" * ((5 << 20) - 6)),
    "header of tensors": lambda: made.framed(
        b"{"
        + b",".join(
            b'"%d":{"dtype":"U8","shape":[],"data_offsets":[%d,%d]}' % (n, n, n + 1) for n in range(80_000)
        )
        + b"}",
        bytes(80_000),
    ),
    "header of texts": lambda: made.framed(
        b'{"__metadata__":{' + b",".join(b'"%d":""' % n for n in range(400_000)) + b"}}"
    ),
    "wide text": lambda: made.framed(
        b'{"__metadata__":{"a":"' + "\N{GRINNING FACE}".encode() * 1_200_000 + b'"}}'
    ),
    "45,000 members": lambda: many_members(45_000),
    "a million members": lambda: many_members(1_000_000),
    "zeros in a zip": lambda: made.zipped({f"{n}.npy": bytes(1 << 20) for n in range(100)}),
    "zeros in gzip": lambda: gzip.compress(bytes(100 << 20), 1),
    "zeros in bz2 in zip": lambda: made.zipped({"a.npy": bytes(50 << 20)}, zipfile.ZIP_BZIP2),
    "deep JSON": lambda: b"[" * 1_000_000,
    "small JSON values": lambda: b"[" + b"[]," * 650_000 + b"0]",
    "deep NumPy header": lambda: made.npy("(" * 9_000),
    "marks": lambda: b"(" * 2_000_000,
    "numbers": lambda: b"I1\n" * 1_000_000,
    "one long line": lambda: b"V" + b"x" * (5 << 20),
    "empty messages": lambda: (
        b"\x08\x08\x42\x02\x10\x11"
         b"\x3a"
        + varint(4_000_000)
        + b"\x2a\x00" * 2_000_000
    ),
    "tar of nothing": lambda: many_records(20_000),
    "large HDF5": lambda: made.HDF5 + bytes(60 << 20),
}  # fmt: skip


def many_members(count: int) -> bytes:
    entry = b"PK\1\2" + bytes(42)
    end = b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, 65535, 65535, 46 * count, 4, 0)
    return b"PK\3\4" + entry * count + end


def many_records(count: int) -> bytes:
    return made.tarred({"a": b""})[:512] * count


MEASURED = """
import re, sys, time
from pathlib import Path
from pinyon.errors import CorruptError
from pinyon.registry.formats import look
look(Path(sys.argv[2]))
start = time.process_time()
try:
    told = look(Path(sys.argv[1]))
except CorruptError as error:
    told = error
used = time.process_time() - start
# Not ru_maxrss, which begins with that of the process that started this one.
most = int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])
print(most // 1024, round(used, 2), str(told)[:150])
"""


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_go_off_within_bounds(tmp_path, name):
    path, plain = put(tmp_path, BOMBS[name](), "bomb"), put(tmp_path, b"{}", "plain")
    limit = (1 << 30, 1 << 30)  # of address space: what would take more dies
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, path, plain], capture_output=True, text=True, timeout=60,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, limit),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    megabytes, seconds, told = done.stdout.split(maxsplit=2)
    print(f"\n{name}: {megabytes} MB, {seconds} s: {told.strip()}")
    assert int(megabytes) <= 200


def whole_files() -> list[bytes]:
    cage = Path("/nonexistent/cage")
    sound = made.safetensors({"a": ("F32", [2, 3], 24), "b": ("U8", [5], 5)}, {"format": "pt"})
    return [sound, onnx(), made.npy("'<f4'"), *made.canaries(cage).values()]


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_anything_is_answered_or_refused(tmp_path_factory, data):
    """Random bytes, and sound files with bytes changed, cut and added."""
    base = data.draw(st.sampled_from(whole_files()) | st.binary(max_size=700))
    start = data.draw(st.integers(0, max(0, min(len(base), 3000))))
    noise = data.draw(st.binary(max_size=12))
    gap = data.draw(st.integers(0, 12))
    mixed = base[:start] + noise + base[start + gap :]
    name = data.draw(st.sampled_from(["m.safetensors", "m.bin", "m.keras"]))
    path = put(tmp_path_factory.mktemp("fuzz"), mixed, name)
    try:
        found = look(path)
    except CorruptError:
        return
    json.dumps(found._asdict(), allow_nan=False).encode()
    assert found.why
    assert "\n" not in found.why


@settings(max_examples=300, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
        lambda inner: (
            st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text(), inner) | st.just(print)
        ),
    ),
    st.integers(0, 5),
)
def test_every_pickle_is_told(tmp_path_factory, value, protocol):
    path = put(tmp_path_factory.mktemp("pickle"), pickle.dumps(value, protocol))
    found = look(path)
    assert (found.format, found.runs_code) == ("pickle", True)
