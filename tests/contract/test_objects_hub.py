"""A repository of the Hugging Face Hub keeps the contract of objects, as far as a fake of it can show."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from fakehub import TOKEN, FakeHub

from pinyon.errors import SpecError, StoreError
from pinyon.store.backends import open_objects
from pinyon.store.backends.hub import HubObjects, open_hub
from pinyon.store.objects import Objects
from pinyon.testing.objects import ObjectsContract

# The library's own way to send a part of a file.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FakeHub]:
    for name in ("HF_TOKEN", "HF_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)  # the fake has none of it
    with FakeHub() as one:
        yield one
        assert one.wrong == []


def place(hub: FakeHub, prefix: str = "", token: str = TOKEN) -> HubObjects:
    return open_hub(f"hf://me/place/{prefix}".rstrip("/"), {"endpoint": hub.url, "token": token})


class TestHubObjects(ObjectsContract):
    """Every rule, against the fake."""

    @pytest.fixture(autouse=True)
    def _hub(self, hub: FakeHub) -> None:
        self.hub = hub

    def make_objects(self, path: Path) -> Objects:
        return place(self.hub, str(path).strip("/"))


def test_many_objects_are_one_commit(hub: FakeHub, tmp_path: Path):
    objects, file = place(hub, "deep/down"), tmp_path / "file"
    file.write_bytes(os.urandom(3 << 20))
    told: list[int] = []
    sources: list[tuple[str, bytes | Path]] = [(f"k/{number}", b"%d" % number) for number in range(300)]
    objects.write_many([*sources, ("large", file)], tell=told.append)
    assert hub.commits == 1
    assert objects.read("k/299") == b"299"
    assert objects.read("large") == file.read_bytes()
    assert sum(told) == sum(len(data) for _, data in sources) + (3 << 20)  # type: ignore[arg-type]
    objects.delete(key for key, _ in sources)
    assert hub.commits == 2
    assert list(hub.files) == ["deep/down/large"]


@pytest.mark.parametrize("status", [429, 503, 412])
def test_what_passes_is_tried_again(hub: FakeHub, status: int):
    objects = place(hub)
    hub.refuse = [status] * 2
    objects.write("x", b"1")
    hub.refuse = [429 if status == 412 else status] * 2
    assert objects.read("x") == b"1"


def test_a_token_that_is_wrong_is_told_and_not_repeated(hub: FakeHub):
    objects = place(hub, token="hf_nobody")
    for call in (lambda: objects.write("x", b"1"), lambda: objects.read("x"), lambda: list(objects.list())):
        with pytest.raises(StoreError, match=r"HF_TOKEN|option token") as caught:
            call()
        assert "hf_nobody" not in repr(caught.value.as_dict())


def test_urls_that_are_wrong_are_told():
    for url in ("hf://", "hf://user", "hf://datasets/user", "hf://u/n?x=1"):
        with pytest.raises(SpecError, match="names no repository"):
            open_objects(url, {})
