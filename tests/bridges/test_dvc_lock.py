"""dvc.lock as nouns, by hand: what is refused, and how old ones are read."""

from __future__ import annotations

import pytest

from pinyon.bridges.dvc.compose import same
from pinyon.bridges.dvc.hashes import md5_of_listing
from pinyon.bridges.dvc.lock import parse_lock
from pinyon.errors import SpecError

MD5 = "0123456789abcdef0123456789abcdef"
LOCK = f"""\
schema: '2.0'
stages:
  train:
    cmd: python train.py
    deps:
    - path: data
      hash: md5
      md5: {MD5}.dir
      size: 7
      nfiles: 3
    params:
      params.yaml:
        lr: 0.1
    outs:
    - path: model
      md5: {MD5.upper()}
      isexec: true
"""


def parse(text: str) -> object:
    return parse_lock(text.encode(), "sub/dvc.lock")


def test_an_entry() -> None:
    entry = parse_lock(LOCK.encode(), "dvc.lock").entries["train"]
    assert entry.cmd == "python train.py"
    assert entry.params == {"params.yaml": {"lr": 0.1}}
    data, model = entry.deps["data"], entry.outs["model"]
    assert (data.md5, data.legacy, data.size) == (f"{MD5}.dir", False, 7)
    assert (model.md5, model.legacy, model.size, model.executable) == (MD5, True, None, True)


def test_the_layout_of_dvc_1_has_its_stages_at_the_top() -> None:
    old = "\n".join(line[2:] for line in LOCK.splitlines()[2:]) + "\n"
    lock = parse_lock(old.encode(), "dvc.lock")
    assert lock.entries == parse_lock(LOCK.encode(), "dvc.lock").entries
    assert parse_lock(lock.text().encode(), "dvc.lock").entries == lock.entries
    assert lock.text().startswith("schema: '2.0'\nstages:\n  train:\n")


@pytest.mark.parametrize("text", ["", "schema: '2.0'\n", "schema: '2.0'\nstages: {}\n"])
def test_a_lock_without_stages(text: str) -> None:
    lock = parse_lock(text.encode(), "dvc.lock")
    assert not lock.entries
    assert lock.having("s", {"cmd": "x"}).text() == "schema: '2.0'\nstages:\n  s:\n    cmd: x\n"


def test_files_that_a_remote_keeps_versions_of_make_a_folder() -> None:
    text = f"""\
schema: '2.0'
stages:
  s:
    cmd: x
    outs:
    - path: data
      files:
      - relpath: b
        md5: {MD5}
        cloud: {{remote: {{version_id: v1}}}}
      - relpath: a
        md5: {MD5}
"""
    item = parse_lock(text.encode(), "dvc.lock").entries["s"].outs["data"]
    assert item.md5 == md5_of_listing([("a", MD5), ("b", MD5)])
    assert item.files == (("b", MD5), ("a", MD5))


@pytest.mark.parametrize("hash_", ["hash: sha256", "etag: x", ""])
def test_another_digest_is_no_md5(hash_: str) -> None:
    text = f"schema: '2.0'\nstages:\n  s:\n    cmd: x\n    outs:\n    - path: data\n      {hash_}\n"
    assert parse_lock(text.encode(), "dvc.lock").entries["s"].outs["data"].md5 == ""


def test_other_sections_and_comments_stay() -> None:
    text = "# mine\nschema: '2.0'\n" + LOCK.split("\n", 1)[1] + "datasets:\n- name: d\n  url: u\n"
    lock = parse_lock(text.encode(), "dvc.lock")
    assert lock.text() == text
    new = lock.having("train", {"cmd": "x"}).having("next", {"cmd": "y"}).text()
    assert new == (
        "# mine\nschema: '2.0'\nstages:\n  train:\n    cmd: x\n  next:\n    cmd: y\ndatasets:\n- name: d\n  url: u\n"
    )


def test_another_style_is_laid_out_anew() -> None:
    text = f"{{schema: '2.0', stages: {{s: {{cmd: x, outs: [{{path: a, md5: {MD5}}}]}}}}, datasets: [{{name: d}}]}}\n"
    lock = parse_lock(text.encode(), "dvc.lock")
    assert lock.text() == (
        f"schema: '2.0'\nstages:\n  s:\n    cmd: x\n    outs:\n    - path: a\n      md5: {MD5}\ndatasets:\n- name: d\n"
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            LOCK.replace("2.0", "3.0"),
            "sub/dvc.lock:1: this dvc.lock has schema '3.0'; Pinyon reads 1.0 and 2.0 → ",
        ),
        (LOCK.replace("'2.0'", "2.0"), "this dvc.lock has schema '2.0'"),
        (LOCK.replace(".dir", ".tar"), "sub/dvc.lock:8: '0123456789abcdef0123456789abcdef.tar' is no md5"),
        (LOCK.replace("cmd: python train.py", "foo: 1"), "sub/dvc.lock:4: unknown key 'foo'"),
        (LOCK.replace("    cmd: python train.py\n", ""), "sub/dvc.lock:3: stage 'train' has no cmd"),
        (LOCK.replace("path: data", "path: 5"), "sub/dvc.lock:6: "),
        (LOCK.replace("lr: 0.1", "- lr"), "sub/dvc.lock:"),
        (LOCK + "    - path: model\n", "'model' stands twice in outs"),
        (LOCK + "  train:\n    cmd: x\n", "sub/dvc.lock:18: "),
        (LOCK[: LOCK.index("MD5")] if "MD5" in LOCK else LOCK[:60] + "\n   cmd: [", "sub/dvc.lock:"),
        ("- a\n", "the file must be a mapping, not a list"),
        ("schema: '2.0'\nmore: 1\n", "unknown key 'more'"),
    ],
)
def test_what_is_refused(text: str, words: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse(text)
    assert words in str(caught.value)
    assert caught.value.next


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        (0.1, 0.1 + 1e-17, True),
        (0.30000000000000004, 0.3, True),
        (0.1, 0.1000000001, False),
        (1, 1.0, True),
        (1, True, False),
        (0, False, False),
        (True, True, True),
        (float("nan"), float("nan"), True),
        (float("inf"), 1e308, False),
        ({"a": [1, 0.3]}, {"a": (1, 0.30000000000000004)}, True),
        ({"a": 1}, {"a": 1, "b": 2}, False),
        ([1], [1, 2], False),
        ("1", 1, False),
        (None, None, True),
        (10**400, 1.5, False),
        (10**16, 10**16 + 1, False),
    ],
)
def test_the_same_parameter(one: object, other: object, equal: bool) -> None:
    assert same(one, other) is equal
    assert same(other, one) is equal
