"""Plots: which series a declaration means, and a page that is well-formed whatever stood in the files."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinyon.model.graph import Command, Out, Stage
from pinyon.model.project import Project
from pinyon.report.plotpage import page
from pinyon.report.plots import Plot, Series, plots_of
from pinyon.report.sides import Side
from pinyon.report.svg import svg_of

CSV = "epoch,loss,acc\n0,1.0,0.2\n1,0.5,0.6\n2,nan,0.8\n"
SVG = "{http://www.w3.org/2000/svg}"


def side(files: Mapping[str, str | bytes], *outs: Out, plots: Any = None, name: str = "work tree") -> Side:
    stage = Stage("train", Command("shell", ("x",)), ".", (), (), outs)
    project = Project("/p", "p", (), (), sections={"dvc.yaml": {"plots": plots}} if plots else {})

    def read(path: str) -> bytes | None:
        found = files.get(path)
        return found.encode() if isinstance(found, str) else found

    def below(path: str) -> list[str]:
        return sorted(one for one in files if one == path or one.startswith(f"{path}/"))

    return Side(name, project, (stage,), read, below, [])


def plot_out(path: str, **axes: Any) -> Out:
    return Out(path, "plot", axes=axes)


def series(plots: list[Plot]) -> dict[str, list[tuple[Any, ...]]]:
    return {f"{s.side}/{s.name}": list(s.points) for plot in plots for s in plot.series}


def test_a_stage_plot_with_axes():
    (plot,) = plots_of([side({"l.csv": CSV}, plot_out("l.csv", x="epoch", y="loss", title="Loss"))])
    assert (plot.title, plot.kind, plot.x_label, plot.y_label) == ("Loss", "linear", "epoch", "loss")
    assert plot.series[0].points[:2] == ((0.0, 1.0), (1.0, 0.5))


def test_without_axes_the_last_column_over_the_row():
    (plot,) = plots_of([side({"l.csv": CSV}, plot_out("l.csv"))])
    assert (plot.title, plot.x_label, plot.y_label) == ("l.csv", "step", "acc")
    assert list(plot.series[0].points) == [(0.0, 0.2), (1.0, 0.6), (2.0, 0.8)]


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("p.json", json.dumps([{"a": 1, "b": 2}, {"a": 3, "b": 4}])),
        ("p.json", json.dumps({"meta": {"n": 1}, "deep": {"rows": [{"a": 1, "b": 2}, {"a": 3, "b": 4}]}})),
        ("p.yaml", "- {a: 1, b: 2}\n- {a: 3, b: 4}\n"),
        ("p.tsv", "a\tb\n1\t2\n3\t4\n"),
        ("p.csv", "\ufeffa,b\n1,2\n3,4\n"),
    ],
)
def test_rows_are_read_from(file, text):
    found = plots_of([side({file: text}, plot_out(file, x="a", y="b"))])
    assert series(found) == {"work tree/b": [(1.0, 2.0), (3.0, 4.0)]}


def test_a_top_level_plot_takes_columns_of_several_files():
    declared = [
        {"curves": {"x": "epoch", "y": {"l.csv": ["loss", "acc"], "m.csv": "acc"}, "y_label": "value"}}
    ]
    (plot,) = plots_of([side({"l.csv": CSV, "m.csv": CSV}, plots=declared)])
    assert plot.y_label == "value"
    assert [s.name for s in plot.series] == ["l.csv: loss", "l.csv: acc", "m.csv: acc"]


def test_a_top_level_file_and_a_directory_of_files():
    found = plots_of([side({"d/a.csv": CSV, "d/b.csv": CSV, "e.csv": CSV}, plots=["d", {"e.csv": None}])])
    assert [plot.title for plot in found] == ["d/a.csv", "d/b.csv", "e.csv"]


def test_how_a_stage_plot_looks_may_stand_at_the_top():
    declared = [{"l.csv": {"x": "epoch", "y": "loss"}}]
    (plot,) = plots_of([side({"l.csv": CSV}, plot_out("l.csv"), plots=declared)])
    assert (plot.x_label, plot.y_label) == ("epoch", "loss")


def test_several_states_lie_over_each_other():
    out = plot_out("l.csv", x="epoch", y="acc")
    (plot,) = plots_of(
        [side({"l.csv": CSV}, out, name="HEAD"), side({"l.csv": CSV.replace("0.6", "0.7")}, out)]
    )
    assert [s.side for s in plot.series] == ["HEAD", "work tree"]
    drawn = svg_of(plot)
    assert drawn.count("<polyline") == 2
    assert ">HEAD<" in drawn
    assert ">work tree<" in drawn


@pytest.mark.parametrize(
    ("files", "axes", "said"),
    [
        ({"l.csv": CSV}, {"y": "nope"}, "no column 'nope'; it has epoch, loss, acc"),
        ({"l.csv": CSV}, {"x": "nope", "y": "acc"}, "no column 'nope'"),
        ({"l.csv": ""}, {}, "holds no rows"),
        ({"l.csv": "name\na\nb\n"}, {}, "holds no numbers"),
        ({"l.csv": CSV}, {"template": "mine", "y": "acc"}, "no template 'mine'"),
        ({"l.json": "[1, 2]"}, {}, "holds no rows"),
        ({"l.json": "{"}, {}, "not JSON"),
    ],
)
def test_what_cannot_be_drawn_is_said(files, axes, said):
    found = side(files, plot_out(next(iter(files)), **axes))
    plots_of([found])
    assert said in " ".join(found.notes)


def test_an_absent_file_is_no_plot():
    assert plots_of([side({}, plot_out("l.csv"))]) == []


def test_confusion_counts_pairs():
    rows = "actual,predicted\n" + "cat,cat\n" * 5 + "cat,dog\n" * 2 + "dog,dog\n"
    out = plot_out("c.csv", template="confusion", x="actual", y="predicted")
    (plot,) = plots_of([side({"c.csv": rows}, out)])
    numbers = [
        e.text for e in ElementTree.fromstring(svg_of(plot)).iter(f"{SVG}text") if (e.text or "").isdigit()
    ]
    assert numbers == ["5", "2", "0", "1"]


def test_bars_stand_on_zero_and_words_are_an_axis():
    out = plot_out("b.csv", template="bar_horizontal", x="name", y="n")
    (plot,) = plots_of([side({"b.csv": "name,n\ncat,4\ndog,-2\n"}, out)])
    up, down = list(ElementTree.fromstring(svg_of(plot)).iter(f"{SVG}rect"))
    assert float(up.get("height", "")) == pytest.approx(2 * float(down.get("height", "")), abs=0.3)
    assert float(up.get("y", "")) + float(up.get("height", "")) == pytest.approx(
        float(down.get("y", "")), abs=0.2
    )


def test_images_are_embedded_and_markup_is_not():
    evil = "<script>alert(1)</script>"
    image = b"\x89PNG fake"
    found = side({"i/<x>.png": image, "l.csv": CSV}, plot_out("i"), plot_out("l.csv", title=evil, y="acc"))
    html = page(f"Plots of {evil}", plots_of([found]), [evil])
    assert "data:image/png;base64,iVBORyBmYWtl" in html
    assert "<script" not in html
    assert "http" not in re.sub(r'xmlns="[^"]*"', "", html)


def test_a_line_stays_inside_its_axes_and_ticks_are_round():
    points = tuple((float(x), 1000.0 + x * x) for x in range(30))
    drawn = ElementTree.fromstring(svg_of(Plot("t", "linear", "x", "y", (Series("s", "y", points),))))
    (line,) = drawn.iter(f"{SVG}polyline")
    spots = [tuple(map(float, spot.split(","))) for spot in (line.get("points") or "").split()]
    assert len(spots) == 30
    assert all(64 <= x <= 544 and 14 <= y <= 292 for x, y in spots)
    assert [y for _, y in spots] == sorted((y for _, y in spots), reverse=True)
    assert {"1000", "1200", "1400", "1600", "1800"} <= {e.text for e in drawn.iter(f"{SVG}text")}


VALUES = st.floats(width=32) | st.text(max_size=5)


@given(
    st.sampled_from(["linear", "scatter", "bar", "confusion"]),
    st.lists(st.lists(st.tuples(VALUES, VALUES), min_size=1, max_size=6), min_size=1, max_size=3),
    st.text(max_size=8),
)
def test_any_data_gives_well_formed_markup(kind, data, word):
    found = tuple(Series(word, f"{word}{n}", tuple(points)) for n, points in enumerate(data))
    drawn = svg_of(Plot(word, kind, word, word, found))
    allowed = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
    ElementTree.fromstring(allowed.sub("", drawn))
    assert "nan" not in re.sub(r">[^<]*<", "><", drawn)
