"""W&B's own files: as W&B's protobuf classes read them, while they grow, and whatever is wrong with them."""

# ruff: noqa: T201 - each test prints its load

from __future__ import annotations

import json
import os
from pathlib import Path

import madefiles as made
import pytest

from pinyon.bridges.said import Fact, LeftOut, Numbers, Object
from pinyon.bridges.wandb import Begun, Config, Exit, History, Record, RunFile, Summary
from pinyon.bridges.wandb.follow import RunSource

RECORDED = Path(__file__).parent / "recorded" / "run.wandb"
SEED = int(os.environ.get("PINYON_SEED", "1"))


def read(path: Path) -> tuple[list[Record], int]:
    return made.read_to_end(RunFile(str(path)), path)


def written(path: Path, *records: bytes) -> list[int]:
    """Make a file; the offsets at which its records end."""
    data, ends = made.HEADER, []
    for record in records:
        data += made.chunks(record, len(data))
        ends.append(len(data))
    path.write_bytes(data)
    return ends


def test_the_history_is_the_one_that_wandb_reads() -> None:
    told = json.loads(RECORDED.with_suffix(".wandb.json").read_text())
    records, faults = read(RECORDED)
    assert faults == 0
    found = [record for record in records if isinstance(record, History)]
    assert len(found) == len(told["history"]) == 41
    for row, (step, items) in zip(found, told["history"], strict=True):
        assert row.step == step
        for path, spelled in items:
            value = row.values
            for part in path:
                value = value[part]
            if len(spelled) < 40:  # as far as the answer says it
                assert str(value) == str(json.loads(spelled))
            else:
                assert str(value).startswith(spelled[1:])


def test_run_settings_and_summary() -> None:
    told = json.loads(RECORDED.with_suffix(".wandb.json").read_text())
    records, _ = read(RECORDED)
    (run,) = (record for record in records if isinstance(record, Begun))
    assert [run.id, run.project, run.name, run.notes, list(run.tags)] == told["run"]
    assert (run.group, run.job) == ("g", "train")
    assert run.start == pytest.approx(told["start"], abs=1e-6)
    assert run.config["model"] == {"width": 64, "kind": "lstm"}
    assert [record.values for record in records if isinstance(record, Config)] == [{"late": 5}]
    assert {"best": 0.9} in [record.values for record in records if isinstance(record, Summary)]
    assert records[-1] == Exit(0)


def test_what_becomes_of_it() -> None:
    source = RunSource(str(RECORDED))
    said = [*source.read(), *source.rest()]
    facts = [(item.kind, item.body) for item in said if isinstance(item, Fact)]
    assert facts[0] == (
        "params",
        {"params": {"lr": 0.1, "model.width": 64, "model.kind": "lstm", "layers": [1, 2]}},
    )
    assert facts[1] == (
        "tagged",
        {"tags": {"base": "", "lstm": "", "name": "first try", "group": "g", "job": "train"}},
    )
    assert facts[2] == ("noted", {"text": "a small run"})
    assert facts[-1][0] == "summary"
    assert facts[-1][1]["values"]["best"] == 0.9
    points = [item for item in said if isinstance(item, Numbers)]
    assert points[3].values == {"train/loss": 0.25, "acc": 3 / 40, "val.f1": 6.0, "flag": 0}
    assert points[3].step == 3
    assert (points[-1].step, points[-1].values["acc"]) == (100, 2.0)
    objects = [item for item in said if isinstance(item, Object)]
    assert {item.type for item in objects} == {"histogram", "text"}
    assert (objects[0].name, objects[0].step) in [("h", 0), ("long", 0)]
    (first, *_) = (item for item in objects if item.type == "histogram")
    assert first.value == {"edges": [0, 1, 2], "counts": [1, 2]}
    assert not [item for item in said if isinstance(item, LeftOut)]


def test_a_file_that_grows_is_read_byte_by_byte_without_an_error(tmp_path: Path) -> None:
    whole = RECORDED.read_bytes()
    path = tmp_path / "x.wandb"
    path.touch()
    file, found = RunFile(str(path)), []
    at = 0
    with open(path, "ab", buffering=0) as writer:
        while at < len(whole):  # byte by byte at the beginning and around the end of a block
            size = (
                1
                if at < 2_000 or 32_700 < at < 32_900
                else min(997, max(1, 32_700 - at) if at < 32_700 else 997)
            )
            writer.write(whole[at : at + size])
            at += size
            found += file.read()
    assert str(found) == str(read(RECORDED)[0])


def test_a_file_that_ends_anywhere_gives_what_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "x.wandb"
    ends = written(path, made.run_record(1.0, "a"), *(made.history(i, 2.0, loss=i) for i in range(5)))
    whole = path.read_bytes()
    for end in range(len(whole) + 1):
        path.write_bytes(whole[:end])
        records, faults = read(path)
        assert faults == 0
        assert len(records) == sum(one <= end for one in ends)


def test_a_damaged_block_hides_no_other(tmp_path: Path) -> None:
    path = tmp_path / "x.wandb"
    ends = written(path, *(made.history(i, 2.0, loss=i, text="x" * 500) for i in range(200)))
    whole = bytearray(path.read_bytes())
    whole[ends[10] + 20] ^= 1
    path.write_bytes(whole)
    records, faults = read(path)
    steps = [record.step for record in records if isinstance(record, History)]
    assert faults == 1
    assert steps[:11] == list(range(11))
    behind = (
        next(i for i, end in enumerate(ends) if end > made.BLOCK) + 1
    )  # the one across the border lost its beginning
    assert steps[11:] == list(range(behind, 200))


@pytest.mark.parametrize("start", [b"", b":W&B", b":W&B\xe1\xbe\x01", b"\0" * 7, b"PK\3\4xxx"])
def test_a_file_of_another_kind(start: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.wandb"
    path.write_bytes(start)
    records, faults = read(path)
    assert (records, faults) == ([], int(len(start) == 7))


def test_hostile_files_end_with_what_could_be_read_or_a_named_error(tmp_path: Path) -> None:
    path, damaged = tmp_path / "x.wandb", 0
    written(
        path, made.run_record(1.0, "a", {"x": {"y": 1}}), *(made.history(i, 2.0, loss=i) for i in range(40))
    )
    whole = path.read_bytes()
    for data in made.mutations(whole, 1_000, SEED):
        path.write_bytes(data)
        damaged += read(path)[1] > 0
    print(f"1,000 changed files, {damaged} named as damaged, seed {SEED}")
    assert damaged >= 500


def test_hostile_records_with_right_checksums(tmp_path: Path) -> None:
    path, named = tmp_path / "x.wandb", 0
    sound = made.run_record(1.0, "a", {"x": {"y": 1}}, ("t",)) + made.history(1, 2.0, loss=1.0)
    for data in made.mutations(made.history(1, 2.0, loss=1.0, b=[1, {"c": 2}]), 500, SEED):
        written(path, data, made.history(9, 2.0, after=1))
        records, faults = read(path)
        assert records[-1].step == 9  # type: ignore[union-attr]
        named += faults
    for data in made.mutations(sound, 500, SEED):
        written(path, data, made.history(9, 2.0, after=1))
        assert read(path)[0][-1].step == 9  # type: ignore[union-attr]
    print(f"1,000 changed records, {named} of 500 named as damaged, seed {SEED}")
    assert named >= 50


def bombs() -> dict[str, bytes]:
    """Sound framing that holds too much."""
    item = made.field(2, "x") + made.field(16, "[" * 1_000_000)
    lists = made.field(2, "x") + made.field(16, "[" + "[]," * 300_000 + "1]")
    return {
        "JSON of great depth": made.field(2, made.field(1, item)),
        "JSON of small lists": made.field(2, made.field(1, lists)),
        "a number of many digits": made.field(
            2, made.field(1, made.field(2, "x") + made.field(16, "9" * 900_000))
        ),
        "4,000,000 items": made.field(2, made.field(1, b"") * 4_000_000),
        "a record of 20 MB": made.field(2, bytes(20 << 20)),
        "a field of 1 GB": b"\x12\x80\x80\x80\x80\x04" + bytes(1000),
    }


@pytest.mark.parametrize("what", list(bombs()))
def test_bombs_take_little_memory(what: str, tmp_path: Path) -> None:
    path = tmp_path / "x.wandb"
    written(path, bombs()[what], made.history(9, 2.0, after=1))
    assert (
        made.peak(f"""
from pinyon.bridges.wandb import RunFile
from pinyon.errors import ForeignFileError
file, found = RunFile({str(path)!r}), []
for _ in range(3):
    try:
        for record in file.read(): found.append(getattr(record, "step", None))
    except ForeignFileError as error:
        assert {str(path)!r} in str(error)
assert found[-1] == 9, found
""")
        < 200 << 20
    )
