"""Whatever a study holds, its report is well-formed, loads nothing, and every number names its runs."""

from __future__ import annotations

import csv
import io
import math
import re
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from studies import OBJECTIVE, attempt, choose, learning_curves, lstm

from pinyon.errors import PlanError
from pinyon.model.condition import Comparison
from pinyon.model.experiment import (
    Cell,
    Expected,
    Experiment,
    Objective,
    Phase,
    Promotion,
    Selection,
    Standing,
)
from pinyon.model.ids import run_id
from pinyon.model.outcome import Output
from pinyon.model.registry import Change, Checked, Model, ModelVersion
from pinyon.model.study import PhaseStudy, Replicate, Study, StudyResult
from pinyon.report.study import (
    study_html,
    study_json,
    study_markdown,
    study_table,
    study_text,
    study_view,
)
from pinyon.report.study.blocks import Table
from pinyon.report.study.document import document

VOID = {"meta", "br", "hr", "img", "link", "input", "wbr"}
RUN = re.compile(r"r-[0-9a-f]{16}")
EVIL = "<script>alert(1)</script>\"'&<img src=x onerror=alert(2)>"


class Page(HTMLParser):
    """Tags that are open, and everything that a page could load or run."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.numbers: list[tuple[str, str]] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text: list[str] = []
        self._number: str | None = None
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = dict(attrs)
        self.tags.add(tag)
        self.attributes |= known.keys()
        if tag not in VOID:
            self.open.append(tag)
        if known.get("id"):
            self.ids.append(known["id"] or "")
        if tag == "a":
            self.links.append(known.get("href") or "")
        self._number = (
            (known.get("title") or "") if tag == "td" and "n" in (known.get("class") or "").split() else None
        )

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)
        if self._number is not None and any(c.isdigit() for c in data):
            self.numbers.append((data, self._number))


def check_page(html: str) -> Page:
    page = Page(html)
    assert page.open == []
    known = {"html", "head", "meta", "title", "style", "body", "h1", "h2", "h3", "nav", "a", "p", "strong", "ul", "li",
             "div", "wbr", "table", "thead", "tbody", "tr", "th", "td", "figure", "figcaption",
             "svg", "line", "text", "circle", "polyline", "path", "rect"}  # fmt: skip
    assert page.tags <= known
    assert not {name for name in page.attributes if name.startswith("on")} | (
        {"src", "srcset"} & page.attributes
    )
    assert all(link.startswith("#") for link in page.links)
    assert {link[1:] for link in page.links} <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))
    assert "url(" not in html.partition("</style>")[0]
    assert "@import" not in html
    for shown, title in page.numbers:
        # "– (2 of 3)" counts replicates, and what was stated of a cell without a run comes from none.
        if "of" not in shown and "not measured" not in shown:
            assert RUN.search(title), shown
    for svg in re.findall(r"<svg.*?</svg>", html, flags=re.DOTALL):
        ElementTree.fromstring(svg)
    return page


# Any study

names = st.text(min_size=1, max_size=12) | st.sampled_from(
    ["<b>&amp;", "\"quoted'", "| a | b |", "# 1. *x*", "ünï→ö", "`", "\u202e"]
)
numbers = st.floats(width=64) | st.integers(-(10**9), 10**9) | st.sampled_from([0.0, 1e308, -1e308, 5e-324])
values = st.floats(allow_nan=False, allow_infinity=False) | st.integers() | st.booleans() | names | st.none()


def recorded(value: float) -> Any:
    """As metrics are recorded: what JSON lacks is text."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"
    return value


@st.composite
def studies(draw: st.DrawFn) -> StudyResult:
    metrics = draw(st.lists(names, min_size=1, max_size=3, unique=True))
    metrics += draw(st.sampled_from([[], [f"{metrics[0]}_low", f"{metrics[0]}_high"]]))
    bound = numbers.map(float).filter(lambda one: one == one)
    bounds = st.builds(
        Comparison,
        st.sampled_from(metrics),
        st.sampled_from(["<=", ">=", "==", "!=", "<", ">"]),
        bound,
    )
    objective = draw(
        st.none()
        | st.builds(
            Objective, st.sampled_from(metrics), st.sampled_from(["maximize", "minimize"]),
            st.lists(bounds, max_size=2).map(tuple), st.sampled_from(["", *metrics]),
        )
    )  # fmt: skip
    params = draw(st.lists(names, min_size=1, max_size=3, unique=True))
    seeds = draw(st.integers(1, 3))
    recipes = [f"recipe-{place}" for place in range(draw(st.integers(1, 12)))]
    phases, selections, attempts = [], {}, {}
    for recipe in draw(st.sets(st.sampled_from(recipes))):
        found = {name: recorded(draw(numbers | names)) for name in draw(st.sets(st.sampled_from(metrics)))}
        attempts[recipe] = attempt(
            draw(st.sampled_from([recipe, recipes[0]])), "train", metrics=found, seconds=draw(st.floats(0, 1e9)),
            outputs=(Output(draw(names), "blake3:00", 3),), estimate=draw(st.none() | st.floats(0, 1e9)),
            execution=draw(names), resources=draw(st.sampled_from([{}, {"devices": [0, 1]}])),
            inputs={"deps": [["train.safetensors", "blake3:00"]]},
        )  # fmt: skip
    failed = {recipe: draw(names) for recipe in draw(st.sets(st.sampled_from(recipes))) - attempts.keys()}
    for name in draw(st.lists(names, max_size=3, unique=True)):
        cells = []
        for number in range(1, draw(st.integers(0, 4)) + 1):
            cell = Cell(f"c-{number}", name, number, tuple((param, draw(values)) for param in params))
            rows = tuple(
                Replicate(
                    (("seed", seed),), (*cell.assignment, ("seed", seed)), draw(st.sampled_from(recipes))
                )
                for seed in range(seeds)
            )
            cells.append((cell, rows))
        pair = st.tuples(numbers.map(float), numbers.map(float)).map(lambda ends: (min(ends), max(ends)))
        expect = st.builds(
            Expected,
            st.sampled_from([(), *(cell.assignment for cell, _ in cells)]),
            st.lists(st.tuples(st.sampled_from(metrics), pair), max_size=2).map(tuple),
            st.none() | st.sampled_from([(60.0, 60.0), (60.0, 5400.0), (0.0, 0.0)]),
        )
        phase = PhaseStudy(
            Phase(
                name,
                grid=tuple((param, (1,)) for param in params),
                expect=tuple(draw(st.lists(expect, max_size=3))),
            ),
            tuple((param, draw(values)) for param in params),
            tuple(cells), draw(st.sampled_from(["", "a guess"])), skipped=draw(st.booleans()),
        )  # fmt: skip
        phases.append(phase)
        if objective is not None and draw(st.booleans()):
            selections[name] = draw(selected(phase, attempts, objective, failed))
    experiment = Experiment(
        draw(names),
        "train",
        tuple(one.phase for one in phases),
        objective,
        (("seed", tuple(range(seeds))),),
        ("evaluate",),
        draw(
            st.none()
            | st.builds(
                Promotion,
                names,
                st.sampled_from(["staging", EVIL]),
                st.lists(bounds, max_size=3).map(tuple),
                st.lists(bounds, max_size=3).map(tuple),
            )
        ),
    )
    last = [one for phase in phases[-1:] for _, rows in phase.cells[:1] for one in rows]
    final = tuple((one, (draw(st.sampled_from(recipes)),)) for one in last)
    reused = frozenset(draw(st.sets(st.sampled_from(recipes))))
    expected = draw(st.dictionaries(st.sampled_from(recipes), st.floats(0, 1e9)))
    return StudyResult(
        Study(experiment, tuple(phases), final, complete=True), attempts, reused, selections, failed, expected
    )


@st.composite
def selected(
    draw: st.DrawFn, phase: PhaseStudy, attempts: Any, objective: Objective, failed: Any
) -> Selection:
    """What selection says, or what only a broken record could."""
    if draw(st.booleans()):
        try:
            return choose(phase, attempts, objective, failed)
        except PlanError:  # a name of a metric that fits several
            return Selection("", "ambiguous")
    ids = [cell.id for cell, _ in phase.cells]
    rows = [Standing(one, draw(st.booleans()), draw(names), draw(st.none() | numbers)) for one in ids]
    winner = draw(st.sampled_from(["", "c-gone", *ids]))
    return Selection(winner, draw(names), tuple(draw(st.permutations(rows))), tuple(ids[:2]), "blake3:d")


@st.composite
def models(draw: st.DrawFn, result: StudyResult) -> Model:
    """Some of its versions are outs of the study, and its names have moved about."""
    runs = [run_id(one.key) for one in result.attempts.values()]
    number = st.integers(1, 3)
    versions = tuple(
        ModelVersion("m", at, draw(st.sampled_from(["blake3:00", "blake3:01"])), draw(names), 3, "safetensors",
                     draw(st.sampled_from(["r-0000000000000000", *runs])), "a", "train")
        for at in (1, 2, 3)
    )  # fmt: skip
    checked = st.builds(
        Checked, st.just(Comparison("m", ">", 0.5)), st.none() | numbers.map(float), st.booleans()
    )
    action = st.sampled_from(["promoted", "rolled_back", "unset"])
    alias = st.sampled_from(["staging", EVIL])
    changes = tuple(
        Change(at, draw(action), draw(alias), draw(st.none() | number), draw(st.none() | number),
               tuple(draw(st.lists(checked, max_size=2))), draw(st.booleans()), draw(names), {}, draw(names), 1e9)
        for at in range(1, draw(st.integers(1, 30)))
    )  # fmt: skip
    return Model("m", versions, draw(st.dictionaries(alias, number)), (), (), changes)


@settings(max_examples=100)
@given(studies(), st.data())
def test_any_study_is_reported(result: StudyResult, data: st.DataObject) -> None:
    points = st.lists(st.tuples(st.integers(0, 10**6), st.floats()), max_size=5)
    ids = [one.id for one in result.attempts.values()]
    curves = (
        data.draw(st.dictionaries(st.sampled_from(ids), st.dictionaries(names, points, max_size=2)))
        if ids
        else {}
    )
    view = study_view(result, curves, model=data.draw(st.none() | models(result)))
    check_page(study_html(view))
    assert all(line.isprintable() for line in study_text(view, 3).split("\n"))
    check_markdown(study_markdown(view))
    rows = list(csv.DictReader(io.StringIO(study_table(view), newline="")))
    assert len(rows) == result.study.replicates
    study_json(view)
    counts = view.counts
    assert (counts.cells, counts.replicates) == (result.study.cells, result.study.replicates)
    assert (
        counts.run + counts.reused + counts.failed + counts.missing
        == counts.distinct
        <= result.study.distinct
    )
    for block in document(view).blocks:
        if isinstance(block, Table):
            assert all(len(row.fields) == len(block.columns) for row in block.rows)
            assert all(field.runs for row in block.rows for field in row.fields if field.number)


def check_markdown(text: str) -> None:
    """As CommonMark with tables reads it: no markup but ours, and tables whose rows are whole."""
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    kinds = {token.type for token in tokens} | {
        child.type for token in tokens for child in token.children or ()
    }
    assert not {
        kind
        for kind in kinds
        if kind.startswith(("html", "link", "image", "em_", "blockquote", "ordered", "hr"))
    }
    columns, width = 0, 0
    for token in tokens:
        if token.type == "tr_open":
            columns = 0
        columns += token.type in ("th_open", "td_open")
        if token.type == "thead_close":
            width = columns
        if token.type == "tr_close" and width:
            assert columns == width
        width = 0 if token.type == "table_close" else width
    levels = [token.tag for token in tokens if token.type == "heading_open"]
    assert levels.count("h1") == 1


@given(names)
def test_a_name_reads_in_markdown_as_it_is_written(name: str) -> None:
    result = lstm(seeds=[0])
    study = result.study._replace(experiment=result.study.experiment._replace(name=name))
    text = study_markdown(study_view(result._replace(study=study)))
    tokens = MarkdownIt("commonmark").parse(text.partition("\n")[0])
    read = "".join(child.content for child in tokens[1].children or ())
    shown = "".join(c if c.isprintable() or c == "\u200d" else " " if c.isspace() else "\ufffd" for c in name)
    assert read.split() == f"Experiment {shown}".split()


def test_what_comes_from_a_project_is_text() -> None:
    result = lstm()
    study = result.study._replace(experiment=result.study.experiment._replace(name=EVIL, stage=EVIL))
    phases = []
    for phase in study.phases:
        cells = tuple((cell._replace(assignment=((EVIL, EVIL * 40),)), rows) for cell, rows in phase.cells)
        phases.append(phase._replace(cells=cells, base=((EVIL, EVIL),), assumed=EVIL))
    failed = dict.fromkeys(result.failed, EVIL)
    curves = {name: {EVIL: points["loss"]} for name, points in learning_curves(result).items()}
    view = study_view(result._replace(study=study._replace(phases=tuple(phases)), failed=failed), curves)
    html = study_html(view)
    page = check_page(html)
    assert "<script" not in html
    assert EVIL in "".join(page.text)  # and it can be read
    assert max(map(len, page.text)) < 20_000
    check_markdown(study_markdown(view))


def test_the_page_needs_nothing_else_and_serves_all_readers() -> None:
    result = lstm()
    html = study_html(study_view(result, learning_curves(result)))
    page = check_page(html)
    assert {"script", "link", "img", "iframe"} & page.tags == set()
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", html)
    for wanted in ("prefers-color-scheme: dark", "@media print", "@media (max-width", 'name="viewport"'):
        assert wanted in html
    assert len(page.numbers) > 150
    assert html.count("<svg") == 3 * 3 + 2  # objective and two constraints a phase; two curves
    digests = {out.digest for one in result.attempts.values() for out in one.outputs}
    assert all(digest in html for digest in digests)


def test_a_number_is_told_with_run_and_digest() -> None:
    result = lstm()
    page = check_page(study_html(study_view(result)))
    titles = [title for shown, title in page.numbers if shown == "0.9590 ± 0.0043"]
    winner = result.study.phases[2].cells[2][1]
    for title in titles:
        assert title.splitlines() == [
            f"r-{result.attempts[one.recipe].key[:16]}: train.safetensors {result.attempts[one.recipe].outputs[0].digest}"
            for one in winner
        ]
    assert len(titles) == 2  # in its phase and among all cells


def test_pictures_mark_winner_bound_and_what_cannot_win() -> None:
    html = study_html(study_view(lstm()))
    accuracy, _, size = re.findall(r"<figure>.*?</figure>", html.partition("Phase 2: ")[2], flags=re.DOTALL)[
        -12:
    ][:3]
    assert accuracy.count('r="8"') == 1
    assert 'stroke-dasharray="5 4"' not in accuracy
    assert size.count('stroke-dasharray="5 4"') == 1
    assert "&lt;= 150000" in size


def test_curves_of_the_winner_are_in_colour_and_all_others_grey() -> None:
    result = lstm()
    html = study_html(study_view(result, learning_curves(result, steps=2000)))
    curves = html.partition('id="curves"')[2].partition("What was reused")[0]
    assert curves.count('stroke-opacity=".5"') == 2 * (37 - 3)
    assert curves.count('stroke-width="2"') == 2 * 3
    assert "34 others" in curves
    assert len(curves) < 400_000  # thinned
    assert "Learning curves" not in study_html(study_view(result))


@pytest.mark.parametrize("cells", [3, 40])
def test_a_search_over_several_parameters(cells: int) -> None:
    rows = []
    attempts = {}
    for number in range(1, cells + 1):
        pairs = (("train.lr", 10 ** -(1 + number % 4 + number / 100)), ("gat.dim", 8 * (1 + number % 3)))
        rows.append((Cell(f"c-{number}", "tune", number, pairs), (Replicate((), pairs, f"r{number}"),)))
        attempts[f"r{number}"] = attempt(f"r{number}", "train", metrics={"f1": number / 100}, seconds=1.0)
    objective = OBJECTIVE._replace(metric="f1", subject_to=(), prefer="")
    phase = PhaseStudy(Phase("tune", trials=cells), (), tuple(rows))
    experiment = Experiment("hpo", "train", (phase.phase,), objective)
    chosen = choose(phase, attempts, objective, {})
    html = study_html(
        study_view(StudyResult(Study(experiment, (phase,)), attempts, selections={"tune": chosen}))
    )
    check_page(html)
    if cells > 24:
        assert "f1 over train.lr" in html
        assert "train.lr (log)" in html
        assert "f1 over gat.dim" in html
    else:
        assert html.count("<svg") == 1
        assert "# · lr · dim" in html
