"""An attempt in place: outs in the store, old outs safe, everything back after a failure."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from supervised import Bench, open_attempt, out

from pinyon.execute.tree import hash_tree
from pinyon.model.event import Event
from pinyon.model.outcome import Output


def outputs(bench: Bench, number: int = -1) -> list[Output]:
    return [Output(*row) for row in bench.records("outputs")[number]["outs"]]


def test_success_stores_the_outs_and_says_so_in_order(bench: Bench) -> None:
    bench.write("in.txt", "hello")
    end = bench.run("mkdir d", "cp in.txt d/a", "printf 12 > run.sh; chmod +x run.sh", outs=["d", "run.sh"])
    assert (end["state"], end["detail"], end["exit_code"], end["reusable"]) == ("SUCCEEDED", "", 0, True)
    folder, script = outputs(bench)
    assert folder.digest.endswith("/")
    assert folder.size == 5
    assert bench.store.blobs.read(script.digest) == b"12"
    assert script.executable
    kinds = [event.kind for event in bench.heard if isinstance(event, Event)]
    assert kinds[:3] == ["running", "outputs", "ended"]
    bench.forgotten("aside/*")


def test_durable_follows_within_a_quarter_of_a_second(bench: Bench) -> None:
    bench.run("true")
    began = time.monotonic()
    while not bench.records("durable"):
        assert time.monotonic() - began < 2
        time.sleep(0.01)
    assert bench.records("durable")[0]["through"] >= 2


@pytest.mark.parametrize(
    ("line", "fields", "detail"),
    [
        ("echo partial > old; exit 3", {}, "exit"),
        ("echo partial > old; kill -SEGV $$", {}, "signal"),
        ("rm -rf old", {}, "missing_out"),
        ("mkdir old; touch old/x; chmod 500 old; exit 1", {}, "exit"),
        ("echo partial > old; sleep 60", {"timeout": 0.2}, "timeout"),
    ],
)
def test_every_failure_puts_the_old_out_back_as_it_was(
    bench: Bench, line: str, fields: dict, detail: str
) -> None:
    old = bench.write("old", "old bytes")
    os.utime(old, ns=(1, 10**18))
    os.chmod(old, 0o640)
    before = old.stat()
    end = bench.run(line, outs=["old", "other/new"], **fields)
    assert (end["state"], end["detail"]) == ("FAILED", detail)
    after = old.stat()
    assert bench.text("old") == "old bytes"
    assert (after.st_mtime_ns, after.st_mode, after.st_ino) == (
        before.st_mtime_ns,
        before.st_mode,
        before.st_ino,
    )
    assert not (bench.root / "other/new").exists()
    bench.forgotten("aside/*")


def test_a_missing_out_is_named(bench: Bench) -> None:
    assert "'model.pt'" in bench.run("true", outs=["model.pt"])["message"]


def test_old_bytes_are_in_the_store_before_they_are_replaced(bench: Bench) -> None:
    bench.write("dir/a", "precious")
    name = hash_tree(str(bench.root / "dir")).name
    bench.run("mkdir dir; echo new > dir/b", outs=["dir"])
    assert bench.store.blobs.has(name)
    assert os.listdir(bench.root / "dir") == ["b"]


def test_a_persistent_out_is_there_for_the_command_and_survives_its_failure(bench: Bench) -> None:
    bench.write("log/a", "one")
    keep = out("log", persist=True)
    assert bench.run("cat log/a; echo two > log/b", outs=[keep])["state"] == "SUCCEEDED"
    assert bench.run("rm log/a; echo x > log/c; exit 1", outs=[keep])["state"] == "FAILED"
    assert sorted(os.listdir(bench.root / "log")) == ["a", "b"]
    assert bench.text("log/a") == "one"


def test_an_out_that_is_not_cached_leaves_only_its_digest(bench: Bench) -> None:
    bench.run(
        "echo big > o; echo '{}' > m.json", outs=[out("o", cache=False), out("m.json", "metric", cache=False)]
    )
    big, metric = outputs(bench)
    assert (big.stored, metric.stored) == (False, True)
    assert not bench.store.blobs.has(big.digest)


def test_a_dep_that_changes_meanwhile_makes_it_not_reusable(bench: Bench) -> None:
    bench.write("in.txt", "a")
    bench.write("src/x.py", "1")
    end = bench.run(
        "echo b >> in.txt; mkdir -p src/__pycache__; touch src/__pycache__/x", deps=["in.txt", "src"]
    )
    assert (end["state"], end["reusable"]) == ("SUCCEEDED", False)
    assert "in.txt" in end["message"]
    assert "src" not in end["message"]


def test_metrics_are_read_and_the_unreadable_listed(bench: Bench) -> None:
    lines = [
        """echo '{"a": {"b": 1, "c": NaN, "t": true, "s": "x"}}' > m.json""",
        "echo 'x = 2.5' > m.toml",
        "echo '{' > bad.json",
    ]
    bench.run(*lines, outs=[out(path, "metric") for path in ("m.json", "m.toml", "bad.json")])
    body = bench.records("outputs")[0]
    assert body["metrics"] == {"a.b": 1, "a.c": "NaN", "x": 2.5}
    assert [row[0] for row in body["skipped_metrics"]] == ["bad.json"]


@pytest.mark.parametrize("what", ["ln -s . o/loop", "ln -s nowhere o/dangling", "mkfifo o/pipe"])
def test_an_out_that_cannot_be_kept_is_a_failure_that_names_it(bench: Bench, what: str) -> None:
    end = bench.run("mkdir o", what, outs=["o"])
    assert (end["state"], end["detail"]) == ("FAILED", "setup")
    assert what.split("/")[-1] in end["message"]
    assert not (bench.root / "o").exists()


def test_notes_spare_the_driver_the_hashing(bench: Bench) -> None:
    bench.run("mkdir d; echo 1 > d/x", outs=["d"])
    notes = [event for event in bench.heard if not isinstance(event, Event)]
    assert [note.path for note in notes] == ["d/x"]
    stat = (bench.root / "d/x").stat()
    assert tuple(notes[0].stat) == (stat.st_mtime_ns, stat.st_size, stat.st_ino, stat.st_ctime_ns)


def test_large_outs_do_not_delay_the_end_of_others(bench: Bench) -> None:
    large = bench.spec("head -c 400000000 /dev/zero > big", outs=[out("big", cache=False)])
    small = bench.spec("sleep 0.3", "true")
    bench.target.submit(large)
    bench.target.submit(small)
    assert bench.ended(small.attempt)["state"] == "SUCCEEDED"
    assert bench.ended(large.attempt)["state"] == "SUCCEEDED"


@pytest.mark.parametrize("state", ["RUNNING", "SUBMITTED"])
def test_repair_twice_is_repair_once(bench: Bench, state: str) -> None:
    from pinyon.execute.aside import Aside

    spec = bench.spec("true", outs=["a", "b", "c"])
    old = bench.write("a", "old a")
    bench.write("b", "old b")
    aside = Aside(str(bench.store.root), spec.attempt, str(bench.root))
    aside.take("a")
    if state == "RUNNING":
        aside.take("b")
        bench.write("c", "partial")
    bench.write("a", "partial")
    for _ in range(3):
        bench.target.repair(open_attempt(spec, state))
        assert old.read_text() == "old a"
        assert bench.text("b") == "old b"
        assert not (bench.root / "c").exists()


def test_a_shell_command_stops_at_the_first_failure(bench: Bench) -> None:
    assert bench.run("echo one > o", "false", "echo two > o", outs=["o"])["exit_code"] == 1
    assert not (bench.root / "o").exists()


def test_wdir_and_environment(bench: Bench) -> None:
    (bench.root / "sub").mkdir()
    bench.run('pwd; echo "$A $PINYON_STAGE $PINYON_ROOT"', wdir="sub", env={"A": "x y"})
    path, begin, _ = bench.records("ended")[0]["log"]
    assert (bench.store.root / path).read_text()[begin:].split("\n")[:2] == [
        f"{bench.root}/sub",
        f"x y stage {bench.root}",
    ]


def test_an_old_out_that_is_a_link_comes_back_as_a_link(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("far")
    (bench.root / "o").symlink_to(tmp_path / "elsewhere")
    bench.run("echo near > o; exit 1", outs=["o"])
    assert (bench.root / "o").is_symlink()
    assert (tmp_path / "elsewhere").read_text() == "far"
