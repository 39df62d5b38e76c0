"""``stores:`` of pinyon.yaml."""

from __future__ import annotations

from pathlib import Path

import pytest

from pinyon.errors import SpecError
from pinyon.spec.load import load_project
from pinyon.spec.stores import place_of


def project(root: Path, text: str):
    (root / "pinyon.yaml").write_text(text)
    return load_project(root)


def test_a_store_is_a_url_or_a_mapping(tmp_path: Path):
    found = project(
        tmp_path, "stores: {a: ../b, c: {url: 's3://d/${env:E}', key: '${env:E}${env:F}', g: h}}\n"
    )
    assert place_of(found, "a", {}) == ("../b", {})
    assert place_of(found, "c", {"E": "1", "F": "2"}) == ("s3://d/1", {"key": "12", "g": "h"})


@pytest.mark.parametrize("environment", [{}, {"E": ""}])
def test_a_variable_that_is_not_set_is_told(tmp_path: Path, environment: dict[str, str]):
    found = project(tmp_path, "stores: {c: {url: s3://d, key: '${env:E}'}}\n")
    with pytest.raises(SpecError, match=r"variable E is not set; stores\.c\.key needs it"):
        place_of(found, "c", environment)


def test_a_store_that_is_not_there_is_told(tmp_path: Path):
    for text, told in (
        ("stores: {backup: x}\n", "did you mean backup"),
        ("stages: {}\n", "it has no stores"),
    ):
        with pytest.raises(SpecError, match=told):
            place_of(project(tmp_path, text), "backpu", {})


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("stores: {a: 1}", "stores a must be a mapping|store.*must be a mapping"),
        ("stores: {a: ''}", "is empty"),
        ("stores: {a: {key: x}}", "has no url"),
        ("stores: {a: {url: ''}}", "is empty"),
        ("stores: {a: {url: x, port: 22}}", "must be text"),
    ],
)
def test_a_store_of_the_wrong_shape_is_told(tmp_path: Path, text: str, told: str):
    with pytest.raises(SpecError, match=told):
        project(tmp_path, text + "\n")
