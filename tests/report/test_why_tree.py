"""Why each stage runs, as a tree: true, and short however many stages there are."""

from __future__ import annotations

from drawings import graph_from
from hypothesis import given
from hypothesis import strategies as st

from pinyon.model.graph import Graph
from pinyon.plan.actions import Reason, Verdict
from pinyon.report.why import tree

LR = "parameter params.yaml:train.lr: 0.1 → 0.2"
LATER = Reason("something runs first and may change what this stage reads")


def run(*facts: str) -> Verdict:
    return Verdict("run", Reason(facts[0], facts))


FOLLOWS = Verdict("run", LATER)
SAME = Verdict("unchanged", Reason("nothing it depends on has changed"))


def text(graph: Graph, verdicts: dict[str, Verdict]) -> list[str]:
    by_recipe = {recipe: verdicts[task.stage.name] for recipe, task in graph.tasks.items()}
    return ["".join(span.text for span in line) for line in tree(graph, by_recipe)]


def test_what_follows_stands_below_what_changed():
    graph = graph_from({"clean": [], "train": ["clean"], "test": ["train", "clean"], "other": []})
    assert text(graph, {"clean": SAME, "train": run(LR), "test": FOLLOWS, "other": SAME}) == [
        f"run train  {LR}",
        "└─ run test  train.out may change",
        "unchanged clean, other",
    ]


def test_a_stage_with_several_causes_names_them_all():
    graph = graph_from({"a": [], "b": [], "c": ["a", "b"]})
    assert text(graph, {"a": run("dep x changed"), "b": run("dep y changed"), "c": FOLLOWS}) == [
        "run a  dep x changed",
        "run b  dep y changed",
        "└─ run c  b.out and a.out of a may change",
    ]


def test_own_reasons_of_a_stage_that_follows_are_told_too():
    graph = graph_from({"a": [], "b": ["a"], "c": ["b"]})
    verdicts = {"a": run("dep x changed", "new out y"), "b": Verdict("run", LATER._replace(details=(LR,)))}
    assert text(graph, {**verdicts, "c": FOLLOWS}) == [
        "run a",
        "├─ dep x changed",
        "├─ new out y",
        "└─ run b  a.out may change",
        f"   ├─ {LR}",
        "   └─ run c  b.out may change",
    ]


def test_cells_with_one_reason_are_one_line():
    cells = {
        "prep": [],
        **{f"train@{n}": ["prep"] for n in range(48)},
        "pick": [f"train@{n}" for n in range(48)],
    }
    verdicts = {name: run(LR) for name in cells if "@" in name}
    assert text(graph_from(cells), {"prep": SAME, **verdicts, "pick": FOLLOWS}) == [
        f"run train@… (48 cells)  {LR}",
        "└─ run pick  train@0.out, train@1.out, train@2.out, train@3.out and 44 more may change",
        "unchanged prep",
    ]


def test_a_cell_with_a_reason_of_its_own_is_not_hidden():
    cells = {f"train@{n}": [] for n in range(48)}
    verdicts = {**{name: run(LR) for name in cells}, "train@7": run(LR, "dep extra changed")}
    assert text(graph_from(cells), verdicts) == [
        f"run train@… (47 cells)  {LR}",
        "run train@7",
        f"├─ {LR}",
        "└─ dep extra changed",
    ]


def test_a_hundred_stages_in_a_row_take_two_lines():
    chain = {f"s{n}": [f"s{n - 1}"] if n else [] for n in range(100)}
    verdicts = dict.fromkeys(chain, FOLLOWS) | {"s0": run("dep raw changed")}
    assert text(graph_from(chain), verdicts) == [
        "run s0  dep raw changed",
        "└─ run s1 → s2 → … → s99  99 stages, each reads what the one before makes",
    ]


def test_cells_in_a_row_count_each():
    cells = {
        "load": [],
        **{f"train@{n}": ["load"] for n in range(8)},
        "pick": [f"train@{n}" for n in range(8)],
    }
    cells |= {"plot": ["pick"], "tell": ["plot"], **{f"other@{n}": [] for n in range(5)}}
    verdicts = {name: SAME if "other" in name else FOLLOWS for name in cells} | {"load": run(LR)}
    assert text(graph_from(cells), verdicts) == [
        f"run load  {LR}",
        "└─ run train@… (8 cells) → pick → … → tell  11 stages, each reads what the one before makes",
        "unchanged other@… (5 cells)",
    ]


def test_a_hundred_stages_beside_each_other_take_two_lines():
    fan = {"load": [], **{f"fit{n:02}": ["load"] for n in range(99)}}
    verdicts = dict.fromkeys(fan, FOLLOWS) | {"load": run("dep raw changed")}
    assert text(graph_from(fan), verdicts) == [
        "run load  dep raw changed",
        "└─ run fit00, fit01, fit02, fit03 and 95 more  what it reads may change",
    ]


def test_reuse_is_worded_by_the_caller_and_causes_nothing():
    graph = graph_from({"a": [], "b": ["a"]})
    recipes = list(graph.tasks)
    verdicts = {recipes[0]: Verdict("reuse", Reason("a.out missing here")), recipes[1]: run("dep x changed")}
    lines = tree(graph, verdicts, lambda stage, why: f"{stage}: {why.text}, made on Monday")
    assert ["".join(span.text for span in line) for line in lines] == [
        "reuse a  a: a.out missing here, made on Monday",
        "run b  dep x changed",
    ]


def test_nothing_to_do_is_no_tree():
    assert text(graph_from({"a": []}), {"a": SAME}) == []


@st.composite
def plans(draw: st.DrawFn) -> tuple[dict[str, list[str]], dict[str, Verdict]]:
    names = [
        f"{draw(st.sampled_from('ab'))}{'@' * draw(st.booleans())}{n}"
        for n in range(draw(st.integers(1, 12)))
    ]
    reads, verdicts = {}, {}
    for index, name in enumerate(names):
        reads[name] = draw(st.lists(st.sampled_from(names[:index]), unique=True, max_size=3)) if index else []
        if any(verdicts[need].kind == "run" for need in reads[name]):
            verdicts[name] = draw(st.sampled_from([FOLLOWS, Verdict("run", LATER._replace(details=(LR,)))]))
        else:
            verdicts[name] = draw(st.sampled_from([SAME, run(LR), run("dep x changed", LR)]))
    return reads, verdicts


@given(plans())
def test_every_stage_that_runs_is_counted_once(plan):
    reads, verdicts = plan
    counted = 0
    for line in tree(graph := graph_from(reads), {r: verdicts[t.stage.name] for r, t in graph.tasks.items()}):
        kinds = [span for span in line if span.kind == "run"]
        (label,) = [span.text for span in line if span.kind == "stage"] or [""]
        if not kinds:
            continue
        rest = "".join(span.text for span in line[line.index(kinds[0]) + 2 :])
        if "→" in label:
            counted += int(rest.split()[0])
        elif "cells)" in label:
            counted += int(label.partition("(")[2].split()[0])
        elif " more" in label:
            counted += label.count(", ") + 1 + int(label.split(" and ")[1].split()[0])
        else:
            counted += label.count(", ") + 1
    assert counted == sum(verdict.kind == "run" for verdict in verdicts.values())
