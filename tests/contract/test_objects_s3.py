"""A bucket keeps the contract of objects, and says what is wrong with it."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections import Counter
from functools import partial
from pathlib import Path

import pytest

from pinyon.errors import MissingObjectError, SpecError, StoreError
from pinyon.store.backends import open_objects
from pinyon.store.objects import Objects
from pinyon.testing.objects import ObjectsContract
from pinyon.testing.processes import Child, in_threads
from pinyon.testing.proxy import FaultyProxy, Harm
from pinyon.testing.servers import KEY, SECRET

SEED = int(os.environ.get("PINYON_SEED", random.randrange(1 << 32)))
DEEP = os.environ.get("PINYON_FAULTS") == "deep"
RETRIES = 5

NAMES = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION", "AWS_DEFAULT_REGION",
         "AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "GOOGLE_APPLICATION_CREDENTIALS",
         "AZURE_STORAGE_ACCOUNT_NAME", "AZURE_STORAGE_ACCOUNT_KEY")  # fmt: skip


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An environment that knows no cloud."""
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


def bucket(path: Path, endpoint: str, **options: str) -> Objects:
    keys = {"endpoint": endpoint, "access_key_id": KEY, "secret_access_key": SECRET}
    return open_objects(f"s3://contract{path}", {**keys, **options})


@pytest.fixture
def server(s3_port: int) -> str:
    return f"http://127.0.0.1:{s3_port}"


@pytest.fixture
def proxy(s3_port: int):
    with FaultyProxy("127.0.0.1", s3_port) as one:
        yield one


class TestBucketObjects(ObjectsContract):
    """Every rule, on SeaweedFS."""

    @pytest.fixture(autouse=True)
    def _server(self, server: str) -> None:
        self.server = server

    def make_objects(self, path: Path) -> Objects:
        return bucket(path, self.server)


def test_a_large_object_comes_in_parts_of_one_version(server: str, tmp_path: Path):
    data = os.urandom(37 << 20)
    objects = bucket(tmp_path, server)
    objects.write("large", data)
    told: list[int] = []
    objects.fetch("large", tmp_path / "target", tell=told.append)
    assert (tmp_path / "target").read_bytes() == data
    assert sum(told) == len(data)
    assert len(told) > 2


def test_an_endpoint_that_ignores_conditions_is_found_out(proxy: FaultyProxy, tmp_path: Path):
    proxy.choose = lambda *_: Harm(without="If-None-Match")
    objects = open_objects(f"s3://contract{tmp_path}", {"endpoint": proxy.url, "anonymous": "yes"})
    for _ in range(2):
        with pytest.raises(StoreError, match=r"cannot compare-and-swap.*does not heed If-None-Match"):
            objects.create("x", b"1")
    assert not objects.abilities.create
    assert list(objects.list()) == []
    proxy.choose = lambda *_: None
    other = open_objects(objects.url, {"endpoint": proxy.url, "anonymous": "yes"})
    assert other.create("x", b"1")
    assert other.abilities.create


def test_an_endpoint_that_knows_no_conditions_is_found_out(proxy: FaultyProxy, tmp_path: Path):
    objects = bucket(tmp_path, proxy.url)
    proxy.choose = lambda method, _: Harm(status=501) if method == "PUT" else None
    with pytest.raises(StoreError, match="cannot compare-and-swap"):
        objects.create("x", b"1")


def test_whose_answer_was_lost_still_made_the_object(proxy: FaultyProxy, tmp_path: Path):
    objects = bucket(tmp_path, proxy.url)
    assert objects.create("first", b"")
    lose = {f"x{number}" for number in range(5)}

    def choose(method: str, path: str) -> Harm | None:
        name = path.rpartition("/")[2]
        if method == "PUT" and name in lose:
            lose.remove(name)
            return Harm(lost=True)
        return None

    proxy.choose = choose
    for number in range(5):
        assert objects.create(f"x{number}", b"same")
        assert not objects.create(f"x{number}", b"same")
    assert not lose


FAULTS = {
    "500": Harm(status=500), "503": Harm(status=503), "429": Harm(status=429), "reset": Harm(reset=True),
    "lost answer": Harm(lost=True), "cut answer": Harm(cut=True),
}  # fmt: skip


def _suffer(objects: Objects, proxy: FaultyProxy, harm: Harm, turns: int, folder: Path) -> int:
    """Every call, with one or two requests of each that fail; gives how many did."""
    rng, left, failed = random.Random(SEED), list[Harm](), 0
    large, target = rng.randbytes(20 << 20), folder / "target"
    objects.write("large", large)
    assert objects.create("first", b"")
    proxy.choose = lambda *_: left.pop() if left else None
    for turn in range(turns):
        data = rng.randbytes(rng.choice((0, 10, 30_000)))
        want = large if turn == 0 else data
        calls = (
            (lambda key=f"c/{turn}", data=data: objects.create(key, data), True),
            (lambda key=f"w/{turn}", data=data: objects.write(key, data), None),
            (lambda key=f"w/{turn}": objects.read(key), data),
            (lambda key=f"w/{turn}": objects.size(key), len(data)),
            (lambda key=f"w/{turn}": [*objects.list(key)], [(f"w/{turn}", len(data))]),
            (lambda key="large" if turn == 0 else f"w/{turn}": objects.fetch(key, target), None),
            (lambda key=f"w/{turn}": objects.delete([key]), None),
        )
        for call, expected in calls:
            proxy.seen.clear()
            left[:] = [harm] * rng.choice((1, 1, 2))
            failed += len(left)
            assert call() == expected
            failed -= len(left)
            assert max(Counter(proxy.seen).values()) <= RETRIES + 1
        left.clear()
        assert target.read_bytes() == want
        assert objects.read(f"c/{turn}") == data
    return failed


def test_what_passes_is_tried_again_at_most_five_times(s3_port: int, tmp_path: Path):
    """FAULTS row 14: each kind of fault in each call."""
    turns = 50 if DEEP else 4

    def suffer(name: str) -> int:
        folder = tmp_path / name.replace(" ", "-")
        folder.mkdir()
        with FaultyProxy("127.0.0.1", s3_port) as proxy:
            return _suffer(bucket(folder, proxy.url), proxy, FAULTS[name], turns, folder)

    failed = in_threads([partial(suffer, name) for name in FAULTS])
    print(f"{dict(zip(FAULTS, failed, strict=True))} requests failed, PINYON_SEED={SEED}")  # noqa: T201 - the load
    assert sum(failed) >= 150


@pytest.mark.parametrize("name", ["503", "429", "reset"])
def test_what_does_not_pass_is_told_after_five_retries(proxy: FaultyProxy, tmp_path: Path, name: str):
    objects = bucket(tmp_path, proxy.url)
    proxy.choose = lambda *_: FAULTS[name]
    with pytest.raises(StoreError, match="this bucket") as caught:
        objects.write("x", b"1")
    assert SECRET not in repr(caught.value.as_dict())
    assert 2 <= len(proxy.seen) <= RETRIES + 1
    proxy.choose = lambda *_: None
    assert objects.size("x") is None


def test_a_part_of_an_upload_that_fails_is_sent_again_alone(proxy: FaultyProxy, tmp_path: Path):
    objects, data, failed = bucket(tmp_path, proxy.url), os.urandom(40 << 20), set[str]()

    def choose(method: str, path: str) -> Harm | None:
        if "partNumber=" in path and path not in failed:
            failed.add(path)
            return FAULTS["500"]
        return None

    proxy.choose = choose
    told: list[int] = []
    objects.write("x", data, tell=told.append)
    assert objects.read("x") == data
    assert sum(told) == len(data)
    assert len(failed) == 5


def test_an_upload_that_fails_leaves_the_old_object(proxy: FaultyProxy, tmp_path: Path):
    objects = bucket(tmp_path, proxy.url)
    objects.write("x", b"old")
    proxy.choose = lambda _, path: Harm(status=403) if "partNumber=3" in path else None
    with pytest.raises(StoreError, match="refuses"):
        objects.write("x", os.urandom(40 << 20))
    proxy.choose = lambda *_: None
    assert objects.read("x") == b"old"
    assert [one.key for one in objects.list()] == ["x"]


def test_a_listing_that_breaks_off_goes_on_where_it_was(proxy: FaultyProxy, tmp_path: Path):
    objects = bucket(tmp_path, proxy.url)
    keys = [f"many/{number:04d}" for number in range(2_100)]
    in_threads([lambda part=part: [objects.write(key, b"") for key in keys[part::8]] for part in range(8)])
    for nth in (1, 2, 3):
        proxy.seen.clear()
        proxy.choose = lambda *_, nth=nth: Harm(cut=True) if len(proxy.seen) == nth else None
        assert sorted(one.key for one in objects.list("many/")) == keys
        assert len(proxy.seen) >= 4


def test_a_tag_that_is_wrong_gives_no_mixture(proxy: FaultyProxy, tmp_path: Path):
    objects = bucket(tmp_path, proxy.url)
    objects.write("x", os.urandom(20 << 20))
    proxy.choose = lambda *_: Harm(answer={"ETag": '"0123456789abcdef0123456789abcdef"'})
    with pytest.raises(StoreError):
        objects.fetch("x", tmp_path / "target")
    assert not (tmp_path / "target").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"access_key_id": "somebody"}, "AWS_ACCESS_KEY_ID"),
        ({"secret_access_key": "not-the-one"}, "AWS_SECRET_ACCESS_KEY"),
    ],
)
def test_wrong_keys_are_told(server: str, tmp_path: Path, options: dict[str, str], said: str):
    objects = bucket(tmp_path, server, **options)
    for call in (partial(objects.read, "x"), partial(objects.write, "x", b"1"), lambda: list(objects.list())):
        with pytest.raises(StoreError, match=said) as caught:
            call()
        assert "not-the-one" not in repr(caught.value.as_dict())


def test_a_bucket_that_is_not_there_is_told(server: str):
    objects = open_objects(
        "s3://nowhere/x", {"endpoint": server, "access_key_id": KEY, "secret_access_key": SECRET}
    )
    with pytest.raises(StoreError, match=r"NoSuchBucket.*make the bucket") as caught:
        objects.read("x")
    assert not isinstance(caught.value, MissingObjectError)


def test_an_endpoint_that_does_not_answer_is_told(tmp_path: Path):
    with pytest.raises(StoreError, match=r"cannot be reached.*option endpoint"):
        bucket(tmp_path, "http://127.0.0.1:9").size("x")


@pytest.mark.parametrize(
    ("url", "options", "said"),
    [
        ("s3://b/x", {"endpoint": "http://h"}, "AWS_ACCESS_KEY_ID"),
        ("s3://b/x", {"endpoint": "http://h", "access_key_id": "k"}, "AWS_SECRET_ACCESS_KEY"),
        ("s3://b/x", {"access_key_id": "k", "secret_access_key": "s3cr3t"}, "AWS_REGION"),
        ("gs://b/x", {}, "GOOGLE_APPLICATION_CREDENTIALS"),
        ("az://b/x", {}, "AZURE_STORAGE_ACCOUNT_NAME"),
        ("az://b/x", {"account": "a"}, "AZURE_STORAGE_ACCOUNT_KEY"),
    ],
)
def test_what_is_missing_is_told_before_anything_moves(url: str, options: dict[str, str], said: str):
    with pytest.raises(StoreError, match=said) as caught:
        open_objects(url, options)
    assert "s3cr3t" not in repr(caught.value.as_dict())


def test_urls_and_options_that_are_wrong_are_told():
    for url in ("s3://", "s3:///x", "s3://b//x", "s3://b/x?secret=1", "gs://"):
        with pytest.raises(SpecError, match="names no bucket") as caught:
            open_objects(url, {"anonymous": "yes", "region": "x"} if url[0] == "s" else {})
        assert "secret" not in str(caught.value)
    with pytest.raises(SpecError, match="did you mean 'endpoint'"):
        open_objects("s3://b", {"endpont": "http://h"})
    with pytest.raises(SpecError, match="no address"):
        open_objects("s3://b", {"endpoint": "host:9000", "anonymous": "yes"})


def test_keys_come_from_profiles_and_the_environment(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / ".aws").mkdir()
    keys = f"aws_access_key_id = {KEY}\naws_secret_access_key = {SECRET}\n"
    (tmp_path / ".aws/credentials").write_text(f"[default]\naws_access_key_id = nobody\n[team]\n{keys}")
    (tmp_path / ".aws/config").write_text(f"[profile team]\nregion = here\nendpoint_url = {server}\n")
    open_objects(f"s3://contract{tmp_path}", {"profile": "team"}).write("x", b"1")
    monkeypatch.setenv("AWS_PROFILE", "team")
    assert open_objects(f"s3://contract{tmp_path}", {}).read("x") == b"1"
    monkeypatch.delenv("AWS_PROFILE")
    for name, text in (
        ("ACCESS_KEY_ID", KEY),
        ("SECRET_ACCESS_KEY", SECRET),
        ("ENDPOINT_URL", server),
        ("REGION", "x"),
    ):
        monkeypatch.setenv(f"AWS_{name}", text)
    assert open_objects(f"s3://contract{tmp_path}", {}).read("x") == b"1"


def test_sixteen_processes_that_create_have_one_winner(server: str, tmp_path: Path):
    code = (
        "import sys; from pinyon.store.backends import open_objects\n"
        f"o = open_objects('s3://contract{tmp_path}', dict(endpoint={server!r}, access_key_id={KEY!r},"
        f" secret_access_key={SECRET!r}))\n"
        "print(*[int(o.create(f'race/{n}', sys.argv[1].encode())) for n in range(10)])"
    )

    def race(number: int) -> list[int]:
        done = subprocess.run([sys.executable, "-c", code, str(number)], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-2000:]
        return [int(word) for word in done.stdout.split()]

    made = in_threads([partial(race, number) for number in range(16)])
    objects = bucket(tmp_path, server)
    for key in range(10):
        winners = [racer for racer in range(16) if made[racer][key]]
        assert len(winners) == 1
        assert objects.read(f"race/{key}") == str(winners[0]).encode()


def test_a_forked_child_is_refused_and_does_not_hang(tmp_path: Path, server: str) -> None:
    objects = bucket(tmp_path / "place", server)
    objects.write("x", b"1")

    def ask(_: object) -> str:
        try:
            return str(bucket(tmp_path / "place", server).size("x"))
        except StoreError as error:
            return str(error)

    assert "a forked child cannot use a bucket" in Child(ask).result()
    assert objects.read("x") == b"1"
