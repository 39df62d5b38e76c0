"""What public projects do and a reader easily misses, written out: DVC and we must see the same in it."""

# ruff: noqa: E501 - a stage is easier to read in one line

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from compare import ask, difference, ours, plain, write

PARAMS = (
    "lr: 1e-5\ndata: {mods: [CT, MRI], deep: {a: 1}, fast: true, slow: false}\nfolds: [0, 1]\nnone: null\n"
)
FITTED = "stages:\n  fit:\n    cmd: fit\n    deps: [data/a/part]\n    outs: [../model]\n"

CASES: dict[str, dict[str, str]] = {
    "folded": {"dvc.yaml": "stages:\n  a:\n    cmd: >\n      python a.py\n      --lr ${lr}\n    deps: [a.py]\n"},
    "folded loop": {"dvc.yaml": "stages:\n  a:\n    foreach: ${folds}\n    do:\n      cmd: >-\n        a\n        ${item}\n"},
    "composite dims": {
        "dvc.yaml": "stages:\n  a:\n    matrix:\n      dataset:\n      - {name: x/y, size: 1.5}\n      - {name: z}\n      seed: [1, 2]\n"
        "    cmd: a ${item.dataset.name} ${item.seed} ${key}\n    outs: ['o/${key}.bin']\n"
    },
    "empty value": {"dvc.yaml": "stages:\n  a: {matrix: {kind: [big], suffix: ['', _s]}, cmd: 'a ${item.kind}${item.suffix}'}\n"},
    "slash and dot": {"dvc.yaml": "stages:\n  a: {matrix: {m: [org/model-1.5b]}, cmd: 'a ${key}', outs: ['o/${item.m}']}\n"},
    "merge keys": {
        "dvc.yaml": "stages:\n  a: &a\n    cmd: a ${item.x}\n    matrix: {x: [1, 2]}\n    deps: [d]\n"
        "  b:\n    <<: *a\n    matrix: {x: [3], y: [4]}\n  c:\n    matrix: {x: [5]}\n    <<: *a\n"
    },
    "do before foreach": {"dvc.yaml": "stages:\n  a:\n    do:\n      cmd: a ${key} ${item}\n      params: ['${key}']\n    foreach: {lr: 1}\n"},
    "key in params": {
        "conf/lr.yaml": "lr: {deep: 3}\n",
        "dvc.yaml": "stages:\n  a:\n    foreach: {lr: {n: 1}}\n    do:\n      cmd: a --k ${key}\n      params: [{'conf/${key}.yaml': ['${key}.deep']}]\n",
    },
    "a star in a key": {"g.yaml": "'data/*.csv': 3\nb: 1\n", "dvc.yaml": "stages: {a: {cmd: x, params: [{g.yaml: }]}}\n"},
    "options with lists": {"dvc.yaml": "stages: {a: {cmd: 'train ${data}', always_changed: true}}\n"},
    "vars above": {
        "dvc.yaml": "stages:\n  a:\n    wdir: sub\n    vars: [../params.yaml]\n    cmd: a ${lr}\n    params: [{../params.yaml: [lr]}]\n",
        "sub/x": "",
    },
    "params listed": {"dvc.yaml": "vars: [params.yaml]\nstages: {a: {cmd: 'a ${lr}'}}\n"},
    "long items": {"dvc.yaml": "stages:\n  a:\n    cmd:\n    - python a.py \\\n      --x 1 \\\n      --y ${lr}\n    - |\n      b \\\n        -c\n"},
    "dep above outs": {"dvc.yaml": "stages:\n  a: {cmd: x, outs: [d/a, d/b/c]}\n  b: {cmd: y, deps: [d]}\n  c: {cmd: z, deps: [d/a/in]}\n"},
    "ten files": {
        f"p{n}/dvc.yaml": f"stages:\n  run:\n    cmd: x\n    deps: [../p{n - 1}/out/file]\n    outs: [out]\n" for n in range(1, 11)
    },
    "no stages": {"dvc.yaml": "stages: {}\n"},
    "comments": {"dvc.yaml": "# stages:\n#   a: {cmd: x}\n"},
    "metrics only": {"dvc.yaml": "metrics:\n- m.json\nplots:\n- p:\n    x: step\n    y: {p/a.csv: loss}\n"},
    "tiny numbers": {"dvc.yaml": "stages: {a: {cmd: 'a ${lr} ${lr}', deps: ['d-${lr}']}}\n"},
    "escaped": {"dvc.yaml": "stages: {a: {cmd: 'a \\${V:-x} ${lr}'}}\n"},
    "not escaped": {"dvc.yaml": "stages: {a: {cmd: 'a ${V:-x} ${lr}'}}\n"},
    "frozen and absent": {"dvc.yaml": "stages: {a: {cmd: a, frozen: true, deps: [gone], params: [gone], outs: [out]}}\n"},
    "a url": {"dvc.yaml": "stages: {a: {cmd: a, deps: ['https://example.org/x.csv', y]}}\n"},
    "a dep is an out": {"dvc.yaml": "stages: {a: {cmd: a, deps: [x], outs: [x]}}\n"},
    "two files, one out": {"dvc.yaml": "stages: {a: {cmd: a, outs: [s/x]}}\n", "s/dvc.yaml": "stages: {b: {cmd: b, outs: [x]}}\n"},
    "old digests": {"d.dvc": "md5: 0123456789abcdef0123456789abcdef\nouts:\n- md5: 0123456789abcdef0123456789abcdef\n  path: d\n  cache: true\n"},
    "an out inside another file's out": {
        "dvc.yaml": "stages: {get: {cmd: x, outs: [data/a]}}\n", "lib/dvc.yaml": FITTED.replace("data/a", "../data/a"),
    },
    "ignored": {".dvcignore": "old/**\n!old/keep\n*.tmp\n", "old/dvc.yaml": "a: 1\n", "old/keep/dvc.yaml": "a: 1\n", "x.tmp/dvc.yaml": "a: 1\n"},
    "anchors at the top": {"dvc.yaml": "vars:\n- base: &b {x: 1}\n- other: {<<: *b, y: 2}\nstages: {a: {cmd: 'a ${other}'}}\n"},
    "names of python's": {"dvc.yaml": "stages:\n  a: {foreach: [true, null, 1.0, 1e-5], do: {cmd: '${item} ${none}'}}\n  b: {foreach: '${folds}', do: {cmd: x}}\n"},
    "text gone through": {"dvc.yaml": "stages: {a: {matrix: {c: xyz}, cmd: '${item.c}'}}\n"},
    "one map for many": {"dvc.yaml": "stages: {a: {cmd: a, outs: [{x: {cache: false}, y: {persist: true}}], plots: [{p: {x: s}, q: {y: t}}]}}\n"},
}  # fmt: skip


@pytest.fixture(scope="module")
def answers(dvc_python: str, dvc_env: dict[str, str]) -> dict[str, Any]:
    found = ask(dvc_python, dvc_env, [{"params.yaml": PARAMS, **files} for files in CASES.values()])
    return dict(zip(CASES, found, strict=True))


@pytest.mark.parametrize("name", CASES)
def test_public_projects_are_read_alike(name: str, answers: dict[str, Any], tmp_path: Path) -> None:
    theirs = plain(answers[name])
    mine = plain(ours(write(tmp_path / "p", {"params.yaml": PARAMS, **CASES[name]})))
    assert "refused" in mine if "refused" in theirs else mine == theirs, difference(theirs, mine)


REFUSED = {"not escaped", "a dep is an out", "two files, one out"}


def test_dvc_refuses_what_it_is_known_to_refuse(answers: dict[str, Any]) -> None:
    assert {name for name, answer in answers.items() if "refused" in answer} == REFUSED


# What we do on purpose as DVC does not; docs/dvc.md says why. Each: files, DVC refuses it, what we say or resolve.
DIFFERENT: dict[str, tuple[str, bool, str]] = {
    "a date": ("d: 2020-01-01\n---stages: {a: {cmd: 'a ${d}'}}\n", True, "a 2020-01-01"),
    "underscores": ("n: 1_000\n---stages: {a: {cmd: 'a ${n}'}}\n", False, "a 1_000"),
    "binary": ("n: 0b11\n---stages: {a: {cmd: 'a ${n}'}}\n", False, "a 0b11"),
    "a dotted key": ("a.b: 1\n---stages: {a: {cmd: x, params: [a.b]}}\n", False, "x"),
    "a matrix under do": ("---stages: {a: {foreach: [1], do: {cmd: x, matrix: {b: [1]}}}}\n", False, "unknown key 'matrix' in do"),
    "an out outside": ("---stages: {a: {cmd: x, outs: [../o]}}\n", False, "outs lie inside the project"),
    "a map as the command": ("m: {a: 1}\n---stages: {a: {cmd: '${m}'}}\n", False, "--a 1"),
    "nothing to run": ("---stages: {a: {cmd: ''}}\n", False, "cmd of stage 'a' is empty"),
    "a key from a parameter": ("k: x\n---stages: {a: {foreach: {'${k}': 1}, do: {cmd: 'x ${key}'}}}\n", True, "x x"),
    "another kind of file": ("---stages: {a: {cmd: x, params: [{p.conf: [a]}]}}\n", False, "parameters cannot be read"),
    "an ignored out": ("---stages: {a: {cmd: x, outs: [hidden]}}\n", True, "x"),
}  # fmt: skip


@pytest.fixture(scope="module")
def different(dvc_python: str, dvc_env: dict[str, str]) -> dict[str, Any]:
    found = ask(dvc_python, dvc_env, [split(text) for text, _, _ in DIFFERENT.values()])
    return dict(zip(DIFFERENT, found, strict=True))


def split(text: str) -> dict[str, str]:
    params, _, stages = text.partition("---")
    return {"params.yaml": params, "dvc.yaml": stages, "p.conf": "a: 1\n", ".dvcignore": "hidden\n"}


@pytest.mark.parametrize("name", DIFFERENT)
def test_differences_are_the_documented_ones(name: str, different: dict[str, Any], tmp_path: Path) -> None:
    text, refused, said = DIFFERENT[name]
    assert ("refused" in different[name]) is refused, different[name]
    mine = plain(ours(write(tmp_path / "p", split(text))))
    shown = mine["refused"] if "refused" in mine else [stage["cmd"] for stage in mine["stages"].values()]
    assert said in shown
    if not refused:
        assert mine != plain(different[name])
