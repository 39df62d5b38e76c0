"""Top-level sections of files below the root, as seen from the root."""

from __future__ import annotations

from pinyon.model.project import Project
from pinyon.report.sections import declared

SECTIONS = {
    "dvc.yaml": {"metrics": ["top.json"], "plots": ["loss.csv"]},
    "sub/dvc.yaml": {
        "metrics": ["m.json", "../top2.json"],
        "plots": [
            "curve.csv",
            {"roc.csv": {"x": "fpr", "y": "tpr"}},
            {"Both": {"x": "step", "y": {"a.csv": "loss", "b.csv": ["loss", "val"]}}},
        ],
    },
}
PROJECT = Project("/p", "p", tuple(SECTIONS), (), sections=SECTIONS)


def test_paths_are_seen_from_the_root() -> None:
    assert declared(PROJECT, "metrics") == ["top.json", "sub/m.json", "top2.json"]


def test_files_inside_a_plot_too_and_titles_stay_titles() -> None:
    assert declared(PROJECT, "plots") == [
        "loss.csv",
        "sub/curve.csv",
        {"sub/roc.csv": {"x": "fpr", "y": "tpr"}},
        {"Both": {"x": "step", "y": {"sub/a.csv": "loss", "sub/b.csv": ["loss", "val"]}}},
    ]


def test_a_section_that_nobody_has_is_empty() -> None:
    assert declared(PROJECT, "params") == []
