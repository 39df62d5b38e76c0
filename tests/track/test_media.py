"""What `run.log` takes beside numbers: each kind of thing comes back as it was given."""

from __future__ import annotations

import base64
import io
import json
import math
import os
import sys
import wave
import zipfile
import zlib
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tracked import Place, attempts

import pinyon
from pinyon.track.media.record import INLINE
from pinyon.track.running import Run

Begin = Callable[..., Run]


def kept(place: Place, name: str) -> dict[str, Any]:
    """What stands in a line under this name."""
    (found,) = [line["o"][name] for line in place.objects() if name in line["o"]]
    return found


def data_of(place: Place, name: str) -> bytes:
    return base64.b64decode(kept(place, name)["data"])


def test_objects_and_numbers_of_one_call_share_name_step_and_time(place: Place, inside: Begin) -> None:
    run = inside()
    run.log({"val": {"loss": 0.5, "seen": pinyon.Text("a cat")}}, step=7)
    (line,) = place.objects()  # at once
    run.flush()
    (point,) = place.points()
    assert (line["attempt"], line["step"], line["t"]) == (point["attempt"], 7, point["t"])
    assert line["o"] == {"val.seen": {"type": "text", "text": "a cat"}}
    assert point["m"] == {"val.loss": 0.5}
    place.sound()


def test_a_call_without_numbers_is_no_point_but_a_step(place: Place, inside: Begin) -> None:
    run = inside()
    run.log(words=pinyon.Text("a"))
    run.log(loss=1.0)
    run.flush()
    assert [point["step"] for point in place.points()] == [1]
    assert [line["step"] for line in place.objects()] == [0]


def test_objects_survive_a_kill(place: Place) -> None:
    script = """
import os, pinyon
run = pinyon.run()
run.log(words=pinyon.Text("still here"), step=3)
run.log(big=pinyon.Text("x" * 20_000), step=4)
os.kill(os.getpid(), 9)
"""
    assert place.script(script).returncode == -9
    assert kept(place, "words") == {"type": "text", "text": "still here"}
    (body,) = place.bodies("artifact")
    assert place.store.blobs.read(body["digest"]) == b"x" * 20_000


# Histograms


def test_a_histogram_counts_every_number_once(place: Place, inside: Begin) -> None:
    inside().log(
        weights=pinyon.Histogram([0.0, 0.5, 1.0, 4.0, math.nan, math.inf], bins=4),
        given=pinyon.Histogram(counts=[3, 0, 1], edges=[0, 1, 2, 4]),
        array=pinyon.Histogram(numpy.array([[0.0, 0.5], [1.0, 4.0]], dtype="f4"), bins=4),
    )
    assert kept(place, "weights") == {
        "type": "histogram", "edges": [0.0, 1.0, 2.0, 3.0, 4.0], "counts": [2, 1, 0, 1], "nan": 1, "infinite": 1,
    }  # fmt: skip
    assert kept(place, "given") == {"type": "histogram", "edges": [0.0, 1.0, 2.0, 4.0], "counts": [3, 0, 1]}
    assert kept(place, "array")["counts"] == [2, 1, 0, 1]


class Tensor:
    """As tensors of torch's are, that lie on a GPU, have a gradient, and are of a type that numpy has not."""

    def __init__(self, done: str = "") -> None:
        self.done = done

    def detach(self) -> Tensor:
        return Tensor("detached")

    def cpu(self) -> Tensor:
        return Tensor(f"{self.done}, here")

    def float(self) -> Tensor:
        return Tensor(f"{self.done}, float")

    def numpy(self) -> Any:
        if self.done != "detached, here, float":
            raise TypeError(f"no array of {self.done}")
        return numpy.array([1.0, 2.0, 2.0])


def test_tensors_are_arrays(place: Place, inside: Begin) -> None:
    inside().log(weights=pinyon.Histogram(Tensor(), bins=2))
    assert kept(place, "weights")["counts"] == [1, 2]


@given(st.lists(st.floats(width=64)), st.integers(1, 200), st.booleans())
def test_histograms_lose_no_number(values: list[float], bins: int, as_array: bool) -> None:
    said = pinyon.Histogram(numpy.array(values) if as_array else values, bins=bins).kept().value
    assert said is not None
    edges, counts = said["edges"], said["counts"]
    finite = [one for one in values if math.isfinite(one)]
    assert len(edges) == len(counts) + 1 <= bins + 1
    assert all(low < high for low, high in pairwise(edges))
    assert sum(counts) == len(finite)
    assert said.get("nan", 0) == sum(map(math.isnan, values))
    assert said.get("infinite", 0) == len(values) - len(finite) - said.get("nan", 0)
    for (low, high), count in zip(pairwise(edges), counts, strict=True):
        last = high == edges[-1]
        assert count == sum(low <= one < high or (last and one == high) for one in finite)


@pytest.mark.parametrize(
    "bad",
    [
        pinyon.Histogram(),
        pinyon.Histogram("abc"),
        pinyon.Histogram(["a"]),
        pinyon.Histogram(numpy.array(["a", "b"])),
        pinyon.Histogram([1.0], bins=0),
        pinyon.Histogram(counts=[1, 2], edges=[0, 1]),
        pinyon.Histogram(counts=[1, 2], edges=[0, 2, 1]),
        pinyon.Histogram(counts=[1, -2], edges=[0, 1, 2]),
        pinyon.Histogram(counts=[math.nan], edges=[0, 1]),
        pinyon.Histogram(counts=[], edges=[0]),
        pinyon.ConfusionMatrix(),
        pinyon.ConfusionMatrix([0, 1], [0]),
        pinyon.ConfusionMatrix(["cat"], ["cow"], ["cat", "dog"]),
        pinyon.ConfusionMatrix(counts=[[1, 2], [3]]),
        pinyon.ConfusionMatrix(counts=[[1, -2], [3, 4]]),
        pinyon.ConfusionMatrix(counts=[[1]], classes=["a", "b"]),
        pinyon.ConfusionMatrix(range(1_000_001), range(1_000_001)),
        pinyon.Table(3),
        pinyon.Table("ab"),
        pinyon.Table(["a"], [[1, 2]]),
        pinyon.Table({"a": [1], "b": [1, 2]}),
        pinyon.Table(["a"], [[1]] * 1_000_001),
        pinyon.Text(3),  # type: ignore[arg-type]
        pinyon.Text("x" * 10_000_001),
        pinyon.Html("x" * 10_000_001),
        pinyon.Image(numpy.zeros((2, 2, 5))),
        pinyon.Image(numpy.zeros((0, 2))),
        pinyon.Image(numpy.array([["a"]])),
        pinyon.Image(3),
        pinyon.Image(b"no picture"),
        pinyon.Image("absent.png"),
        pinyon.Audio(numpy.zeros(3)),
        pinyon.Audio(numpy.zeros((3, 100)), 8000),
        pinyon.Audio(numpy.array(["a"]), 8000),
        pinyon.Audio(b"no sound"),
        pinyon.Video(b"no film"),
        pinyon.Video(3),
        pinyon.Video("absent.mp4"),
        pinyon.Embedding([[1.0], [1.0, 2.0]]),
        pinyon.Embedding(numpy.zeros(3)),
        pinyon.Embedding([[1.0]], labels=["a", "b"]),
        pinyon.Embedding([[1.0]], metadata={"a": [1, 2]}),
        object(),
        "text",
        numpy.zeros(3),
    ],
    ids=lambda bad: f"{type(bad).__name__}",
)
def test_what_is_wrong_is_left_out_and_said_once(
    place: Place, inside: Begin, bad: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    run = inside()
    for step in range(2):
        run.log(bad=bad, good=pinyon.Text("a"), loss=1.0, step=step)
    run.flush()
    said = capfd.readouterr().err
    assert said.count("pinyon: ") == said.count("'bad' is ") == 1
    assert [set(line["o"]) for line in place.objects()] == [{"good"}, {"good"}]
    assert [point["m"] for point in place.points()] == [{"loss": 1.0}] * 2
    assert place.bodies("artifact") == []


def test_caps_are_named(inside: Begin, capfd: pytest.CaptureFixture[str]) -> None:
    run = inside()
    run.log(words=pinyon.Text("x" * 12_345_678), rows=pinyon.Table(["a"], ([1] for _ in range(1_000_001))))
    said = capfd.readouterr().err
    assert (
        "'words' is left out: a text of 12.3 MB is left out; 10 MB is the most → keep a file: run.artifact"
        in said
    )
    assert "'rows' is left out: a table of more than 1,000,000 rows is left out" in said


# Tables

_cells = st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=20)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.integers(1, 4).flatmap(
        lambda wide: st.tuples(
            st.lists(st.text(st.characters(), max_size=9), min_size=wide, max_size=wide),
            st.lists(st.lists(_cells, min_size=wide, max_size=wide), max_size=300),
        )
    )
)
def test_tables_come_back(tmp_path: Path, table: tuple[list[str], list[list[Any]]]) -> None:
    place = Place(tmp_path / os.urandom(8).hex(), attempts(1)[0])
    run = _run(place)
    run.log(rows=pinyon.Table(*table))
    run.finish()
    place.sound()
    lines = [line["o"]["rows"] for line in place.objects()]
    blobs = [place.store.blobs.read(body["digest"]) for body in place.bodies("artifact")]
    (told,) = lines + [json.loads(data) for data in blobs]
    columns, rows = table
    wanted = {
        "type": "table",
        "columns": [_clean(one) for one in columns],
        "rows": [list(map(_told, row)) for row in rows],
    }
    assert told == wanted


def _run(place: Place) -> Run:
    from pinyon.track.current import Identity

    return Run(Identity("r-1", place.attempt, "train", "x-1", str(place.store.root), "p", 0.0), {}, None)


def _told(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[str(value)]
    return _clean(value) if isinstance(value, str) else int(value) if isinstance(value, bool) else value


def _clean(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


class Pandas:
    """As a frame of pandas' is gone through."""

    columns = ("x", "when")

    def itertuples(self, index: bool, name: None) -> Any:
        return iter([(numpy.int64(1), "2026"), (math.nan, None)])


class Polars:
    """As a frame of polars' is gone through."""

    columns = ("x",)

    def iter_rows(self) -> Any:
        return iter([(1,), (None,)])


@pytest.mark.parametrize(
    ("given", "columns", "rows"),
    [
        (
            pinyon.Table(["a", "b"], [(1, True), (numpy.float32(0.5), None)]),
            ["a", "b"],
            [[1, 1], [0.5, None]],
        ),
        (pinyon.Table(Pandas()), ["x", "when"], [[1, "2026"], ["NaN", None]]),
        (pinyon.Table(Polars()), ["x"], [[1], [None]]),
        (pinyon.Table({"a": [1, 2], "b": "xy"}), ["a", "b"], [[1, "x"], [2, "y"]]),
        (pinyon.Table([{"a": 1}, {"b": 2}]), ["a", "b"], [[1, None], [None, 2]]),
        (pinyon.Table([], []), [], []),
    ],
)
def test_tables_are_taken_from_frames_and_maps(
    place: Place, inside: Begin, given: Any, columns: list[str], rows: list[Any]
) -> None:
    inside().log(rows=given)
    assert kept(place, "rows") == {"type": "table", "columns": columns, "rows": rows}


def test_what_is_large_is_a_blob_with_a_record(place: Place, inside: Begin) -> None:
    run = inside()
    run.log(
        {
            "rows": pinyon.Table({"x": range(9000)}),
            "val": {"words": pinyon.Text("ü" * 9000)},
            "page": pinyon.Html("y" * 20_000),
        },
        step=5,
    )
    assert place.objects() == []
    told = {body["name"]: body for body in place.bodies("artifact")}
    assert {name: (one["role"], one["path"], one["about"]["format"]) for name, one in told.items()} == {
        "rows": ("table", "rows.json", "json"),
        "val.words": ("text", "val.words.txt", "txt"),
        "page": ("html", "page.html", "html"),
    }
    assert all(one["about"]["step"] == 5 and one["about"]["t"] >= 0 for one in told.values())
    table = json.loads(place.store.blobs.read(told["rows"]["digest"]))
    assert (table["type"], table["columns"], table["rows"][-1]) == ("table", ["x"], [8999])
    assert place.store.blobs.read(told["val.words"]["digest"]).decode() == "ü" * 9000
    place.sound()


@settings(max_examples=40, deadline=None)
@given(st.integers(INLINE - 60, INLINE + 20))
def test_nothing_longer_than_the_format_says_stands_in_a_line(size: int) -> None:
    from pinyon.track.media.record import _inline

    line = _inline(pinyon.Text("x" * size).kept())
    fits = len(json.dumps({"type": "text", "text": "x" * size}, separators=(",", ":"))) <= INLINE
    assert (line is not None) == fits


# Pictures


def read_png(data: bytes) -> tuple[int, int, int, bytes]:
    """Width, height, kind of colour and pixels of a PNG without filters, by the letter of its specification."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    at, chunks = 8, dict[bytes, bytes]()
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        name, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + size]
        assert int.from_bytes(data[at + 8 + size : at + 12 + size], "big") == zlib.crc32(name + body)
        chunks[name] = body
        at += 12 + size
    assert list(chunks) == [b"IHDR", b"IDAT", b"IEND"]
    width, height = (int.from_bytes(chunks[b"IHDR"][at : at + 4], "big") for at in (0, 4))
    rows = zlib.decompress(chunks[b"IDAT"])
    wide = len(rows) // height
    assert all(rows[row * wide] == 0 for row in range(height))
    return (
        width,
        height,
        chunks[b"IHDR"][9],
        b"".join(rows[row * wide + 1 : (row + 1) * wide] for row in range(height)),
    )


@pytest.mark.parametrize(
    ("shape", "colour"), [((3, 5), 0), ((3, 5, 1), 0), ((3, 5, 2), 4), ((3, 5, 3), 2), ((3, 5, 4), 6)]
)
def test_arrays_are_png(place: Place, inside: Begin, shape: tuple[int, ...], colour: int) -> None:
    pixels = numpy.arange(math.prod(shape), dtype="u1").reshape(shape)
    inside().log(
        a=pinyon.Image(pixels, "so"), b=pinyon.Image(pixels / 255), c=pinyon.Image(pixels.astype("i8") * 10)
    )
    assert read_png(data_of(place, "a")) == (5, 3, colour, pixels.tobytes())
    assert read_png(data_of(place, "b"))[3] == pixels.tobytes()
    assert read_png(data_of(place, "c"))[3] == (pixels.astype("i8") * 10).clip(0, 255).astype("u1").tobytes()
    about = {"type": "image", "format": "png", "caption": "so", "width": 5, "height": 3}
    assert {name: value for name, value in kept(place, "a").items() if name != "data"} == about


def test_what_is_no_colour_is_black_or_white(place: Place, inside: Begin) -> None:
    inside().log(
        a=pinyon.Image(numpy.array([[math.nan, -3.0, math.inf, 7.0, 0.5]])),
        b=pinyon.Image(numpy.array([[True, False]])),
    )
    assert read_png(data_of(place, "a"))[3] == bytes([0, 0, 255, 255, 128])
    assert read_png(data_of(place, "b"))[3] == bytes([255, 0])


class Pil:
    """As PIL's images are saved."""

    mode, size = "RGB", (4, 2)

    def save(self, target: io.BytesIO, **options: str) -> None:
        target.write(f"image as {options['format']}".encode())


PNG = b"\x89PNG\r\n\x1a\n and so on"


@pytest.mark.parametrize(
    ("given", "format", "data"),
    [
        (PNG, "png", PNG),
        (bytearray(b"GIF89a"), "gif", b"GIF89a"),
        (b"\xff\xd8\xff..", "jpg", b"\xff\xd8\xff.."),
        (b"RIFF....WEBP", "webp", b"RIFF....WEBP"),
        (b"<svg xmlns='x'/>", "svg", b"<svg xmlns='x'/>"),
        ("there.png", "png", PNG),
        (Path("odd.tiff"), "tiff", b"II*"),
        (Pil(), "png", b"image as png"),
    ],
)
def test_images_come_as_files_bytes_and_of_pil(
    place: Place, inside: Begin, given: Any, format: str, data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(place.root)
    Path("there.png").write_bytes(PNG)
    Path("odd.tiff").write_bytes(b"II*")
    inside().log(a=pinyon.Image(given))
    assert kept(place, "a")["format"] == format
    assert data_of(place, "a") == data


def test_a_large_file_is_kept_from_where_it_lies(place: Place, inside: Begin) -> None:
    film = place.root / "film.mp4"
    film.write_bytes(b"....ftypisom" + b"x" * 100_000)
    inside().log(film=pinyon.Video(film, "a walk"), step=2)
    (body,) = place.bodies("artifact")
    assert (body["role"], body["path"], body["about"]["caption"]) == ("video", "film.mp4", "a walk")
    assert place.store.blobs.read(body["digest"]) == film.read_bytes()


class Plotly:
    """As figures of plotly's give themselves."""

    def to_plotly_json(self) -> dict[str, Any]:
        return {"data": []}

    def to_json(self) -> str:
        return '{"data":[]}'

    def to_html(self, **options: str) -> str:
        return "<div>plot</div>"


class Matplotlib:
    """As figures of matplotlib's are saved."""

    def savefig(self, target: io.BytesIO, **options: str) -> None:
        target.write(f"figure as {options['format']}".encode())


@pytest.mark.parametrize(
    ("figure", "name", "path", "data"),
    [
        (Matplotlib(), "roc", "roc.png", b"figure as png"),
        (Plotly(), "roc", "roc.plotly.json", b'{"data":[]}'),
        (Pil(), "roc", "roc.png", b"image as png"),
    ],
)
def test_a_figure_is_the_same_record_by_either_call(
    place: Place, inside: Begin, figure: Any, name: str, path: str, data: bytes
) -> None:
    run = inside()
    run.log({name: figure}, step=3)
    digest = run.figure(figure, name, step=3)
    first, second = place.bodies("artifact")
    assert place.store.blobs.read(digest) == data
    for body in (first, second):
        assert body["about"].pop("t") >= 0
    assert first == second
    assert (first["name"], first["path"], first["role"], first["about"]["step"]) == (name, path, "figure", 3)
    assert place.objects() == []


def test_plotly_gives_a_page_where_the_name_says_so(place: Place, inside: Begin) -> None:
    assert place.store.blobs.read(inside().figure(Plotly(), "roc.html")) == b"<div>plot</div>"
    assert place.bodies("artifact")[0]["path"] == "roc.html"


# Sound


@pytest.mark.parametrize("channels", [0, 2])
def test_sound_is_a_wav(place: Place, inside: Begin, channels: int) -> None:
    shape = (4, channels) if channels else (4,)
    samples = numpy.linspace(-2, 1, math.prod(shape)).reshape(shape)
    inside().log(a=pinyon.Audio(samples, 8000), b=pinyon.Audio((samples * 1000).astype("i2"), 8000, "hum"))
    for name, wanted in (("a", (samples.clip(-1, 1) * 32767).round()), ("b", (samples * 1000).astype("i2"))):
        with wave.open(io.BytesIO(data_of(place, name))) as file:
            told = (file.getnchannels(), file.getsampwidth(), file.getframerate(), file.getnframes())
            assert told == (channels or 1, 2, 8000, 4)
            assert file.readframes(4) == wanted.astype("<i2").tobytes()
    assert (kept(place, "b")["caption"], kept(place, "b")["rate"], kept(place, "b")["seconds"]) == (
        "hum",
        8000,
        0.0005,
    )


def test_sound_comes_as_a_file(place: Place, inside: Begin) -> None:
    inside().log(a=pinyon.Audio(b"OggS...."), b=pinyon.Audio(b"anything", format="mp3"))
    assert (kept(place, "a")["format"], kept(place, "b")["format"]) == ("ogg", "mp3")
    assert data_of(place, "b") == b"anything"


# Matrices and vectors


@pytest.mark.parametrize(
    ("given", "labels", "counts"),
    [
        (pinyon.ConfusionMatrix([0, 1, 1], [0, 0, 1], ["cat", "dog"]), ["cat", "dog"], [[1, 0], [1, 1]]),
        (pinyon.ConfusionMatrix(["cat", "dog"], ["dog", "dog"]), ["cat", "dog"], [[0, 1], [0, 1]]),
        (
            pinyon.ConfusionMatrix(numpy.array([2.0, 10.0]), numpy.array([10, 10])),
            ["2", "10"],
            [[0, 1], [0, 1]],
        ),
        (pinyon.ConfusionMatrix(["1"], [1], ["0", "1"]), ["0", "1"], [[0, 0], [0, 1]]),
        (pinyon.ConfusionMatrix(counts=numpy.array([[1, 2], [3, 4]])), ["0", "1"], [[1, 2], [3, 4]]),
        (pinyon.ConfusionMatrix(counts=[[1.0]], classes="a"), ["a"], [[1]]),
    ],
)
def test_confusion_matrices(place: Place, inside: Begin, given: Any, labels: list[str], counts: Any) -> None:
    inside().log(a=given)
    assert kept(place, "a") == {"type": "confusion_matrix", "labels": labels, "counts": counts}


@pytest.mark.parametrize("as_array", [False, True])
def test_embeddings_are_what_numpy_reads(place: Place, inside: Begin, as_array: bool) -> None:
    vectors: Any = [[1.0, 0.1, math.nan], [1e300, -2, 3]]
    with numpy.errstate(over="ignore"):
        given = numpy.array(vectors) if as_array else vectors
        inside().log(a=pinyon.Embedding(given, ["x", "y"], {"size": [1, 2]}))
        wanted = numpy.array(vectors, dtype="f4")
    told = kept(place, "a")
    assert (told["type"], told["count"], told["length"], told["format"]) == ("embedding", 2, 3, "npz")
    data = io.BytesIO(base64.b64decode(told["data"]))
    numpy.testing.assert_array_equal(numpy.load(data)["vectors"], wanted)
    labels = json.loads(zipfile.ZipFile(data).read("labels.json"))
    assert labels == {"labels": ["x", "y"], "metadata": {"columns": ["size"], "rows": [[1], [2]]}}


# Where nothing can be kept


def test_a_disk_that_refuses_is_said_once(
    inside: Begin, place: Place, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    run = inside()
    run.log(words=pinyon.Text("before"), step=0)

    def refuse(*_: Any) -> Any:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("os.write", refuse)
        for step in range(3):
            run.log(words=pinyon.Text("x"), big=pinyon.Text("x" * 20_000), step=step)
        assert run.figure(Matplotlib(), "roc") == ""
    run.log(words=pinyon.Text("after"), step=9)
    said = capfd.readouterr().err
    assert said.count("pinyon: ") == said.count("could not be kept: [Errno 28]") == 1
    assert [line["o"]["words"]["text"] for line in place.objects()] == ["before", "after"]
    run.finish()
    place.sound()


def test_where_nothing_is_recorded_objects_are_nothing_new(own: Place) -> None:
    """A library without a store, and what is logged after the end."""
    done = own.script(
        """
import os, pinyon
run = pinyon.run()
run.finish()
run.log(words=pinyon.Text("late"))
os.environ.update(PINYON_ATTEMPT="a-1-1", PINYON_PARAMS="[]")
pinyon.run().log(words=pinyon.Text("nowhere"), loss=1)
"""
    )
    assert done.returncode == 0
    assert done.stderr.count("pinyon: ") == 2
    assert "the run has ended" in done.stderr
    assert "nothing of this run is recorded" in done.stderr
    assert own.objects() == []


def test_neither_the_package_nor_what_is_logged_imports_numpy(own: Place) -> None:
    done = own.script(
        """
import sys, pinyon
assert not [name for name in sys.modules if name.startswith("pinyon.track")]
run = pinyon.run()
run.log(a=pinyon.Histogram([1, 2]), b=pinyon.Table(["x"], [[1]]), c=pinyon.ConfusionMatrix([1], [1]),
        d=pinyon.Embedding([[1.0]]), e=pinyon.Text("x"), f=pinyon.Image(b"GIF89a"))
assert not {"numpy", "PIL", "matplotlib", "plotly", "pandas"} & set(sys.modules)
"""
    )
    assert (done.returncode, done.stderr) == (0, "")
    (line,) = own.objects()
    assert set(line["o"]) == set("abcdef")


def test_verify_knows_objects_and_what_rots_in_them(own: Place) -> None:
    own.script('import pinyon\npinyon.run().log(words=pinyon.Text("abcdef"))')
    assert own.cli("verify")["damage"] == []
    (segment,) = own.segments()
    segment.write_bytes(segment.read_bytes().replace(b"abcdef", b"abcdeg"))
    assert next(iter(own.store.journals.verify(segment.name))).what.endswith("(crc)")


def test_readers_of_points_pass_over_objects(own: Place) -> None:
    own.script(
        'import pinyon\nrun = pinyon.run()\nrun.log(loss=1.0, words=pinyon.Text("a"))\nrun.log(loss=0.5)'
    )
    assert own.cli("query", "select step, value from points order by 1") == [
        {"step": 0, "value": 1.0},
        {"step": 1, "value": 0.5},
    ]


def test_the_names_are_exported_lazily() -> None:
    for name in (
        "Histogram",
        "Table",
        "Text",
        "Html",
        "Image",
        "Audio",
        "Video",
        "Embedding",
        "ConfusionMatrix",
    ):
        assert getattr(pinyon, name).__name__ == name
        assert sys.modules[getattr(pinyon, name).__module__].__name__.startswith("pinyon.track.media")
