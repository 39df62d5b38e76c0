"""The drawing of a graph: short where stages are alike, complete, and true."""

from __future__ import annotations

from typing import Any

import pytest
from drawings import graph_from
from hypothesis import given
from hypothesis import strategies as st

from pinyon.report.drawn import dot, mermaid
from pinyon.report.graph import Node, _dominators, as_dict, draw, nodes_of


def text(nodes: list[Node], width: int = 80, **more: Any) -> list[str]:
    return ["".join(span.text for span in line).rstrip() for line in draw(nodes, width, **more)]


def test_a_chain_is_one_line():
    chain = {"a": [], "b": ["a"], "c": ["b"], "d": ["c"], "e": ["d"]}
    assert text(nodes_of(graph_from(chain), {})) == ["a → b → c → d → e"]


def test_a_diamond():
    diamond = {"prep": [], "left": ["prep"], "right": ["prep"], "join": ["left", "right"], "tell": ["join"]}
    assert text(nodes_of(graph_from(diamond), {})) == [
        "prep",
        "├─ left",
        "├─ right",
        "└─ join ← left, right",
        "   └─ tell",
    ]


def test_edges_carry_paths():
    diamond = {"prep": [], "left": ["prep"], "right": ["prep"], "join": ["left", "right"]}
    assert text(nodes_of(graph_from(diamond), {}), paths=True) == [
        "prep",
        "├─ left ← prep (prep.out)",
        "├─ right ← prep (prep.out)",
        "└─ join ← left (left.out), right (right.out)",
    ]
    chain = {"a": [], "b": ["a"]}
    assert text(nodes_of(graph_from(chain), {}), paths=True) == ["a ─ a.out → b"]


CELLS = {
    "prep": [],
    **{f"train@m{n}": ["prep"] for n in range(48)},
    **{f"test@m{n}": [f"train@m{n}", "prep"] for n in range(48)},
    "table": [f"test@m{n}" for n in range(48)],
}


def test_the_cells_of_a_matrix_are_one_node():
    assert text(nodes_of(graph_from(CELLS), {})) == [
        "prep",
        "├─ train@… (48)",
        "└─ test@… (48) ← train@… (48), prep",
        "   └─ table",
    ]
    assert len(text(nodes_of(graph_from(CELLS), {}, full=True))) == 98


def test_a_group_looks_like_its_worst_cell_and_says_how_many():
    verdicts = dict.fromkeys(CELLS, "unchanged") | {"train@m3": "run", "test@m3": "failed"}
    nodes = {node.label: node for node in nodes_of(graph_from(CELLS), verdicts)}
    assert [node.verdict for node in nodes.values()] == ["unchanged", "run", "failed", "unchanged"]
    drawn = text(list(nodes.values()))
    assert drawn[1] == "├─ ● train@… (48): 47 unchanged, 1 run"
    assert drawn[2].startswith("└─ ✗ test@… (48): 47 unchanged, 1 failed ←")


def test_a_hundred_stages_in_three_layers_stay_readable():
    layers = [
        [f"{name}{n:02}" for n in range(count)] for name, count in (("load", 34), ("mix", 33), ("fit", 33))
    ]
    reads = {name: [] if not k else layers[k - 1] for k, layer in enumerate(layers) for name in layer}
    drawn = text(nodes_of(graph_from(reads), {}))
    assert drawn == [
        "load00, load01 and 32 more alike → mix00, mix01 and 31 more alike",
        "     → fit00, fit01 and 31 more alike",
    ]
    assert all(len(line) <= 80 for line in drawn)
    assert {name for node in nodes_of(graph_from(reads), {}) for name in node.stages} == set(reads)


def test_a_long_chain_is_wrapped():
    chain = {f"s{n}": [f"s{n - 1}"] if n else [] for n in range(100)}
    drawn = text(nodes_of(graph_from(chain), {}))
    assert len(drawn) < 12
    assert max(map(len, drawn)) <= 80
    assert " ".join(drawn).split() == " ".join(["s0", *(f"→ s{n}" for n in range(1, 100))]).split()


@pytest.mark.parametrize(
    "reads",
    [
        {"a@1": [], "x": ["a@1"], "a@2": ["x"]},
        {"a@1": [], "b@1": ["a@1"], "b@2": [], "a@2": ["b@2"]},
        {"a@1": [], "a@2": ["a@1"]},
    ],
)
def test_groups_that_wait_for_each_other_are_drawn_one_by_one(reads):
    nodes = nodes_of(graph_from(reads), {})
    assert sorted(name for node in nodes for name in node.stages) == sorted(reads)
    assert all(need < index for index, node in enumerate(nodes) for need in node.needs)


@st.composite
def reads(draw: st.DrawFn) -> dict[str, list[str]]:
    names = [
        f"{draw(st.sampled_from('abc'))}{'@' * draw(st.booleans())}{n}"
        for n in range(draw(st.integers(1, 14)))
    ]
    return {
        name: draw(st.lists(st.sampled_from(names[:index]), unique=True, max_size=4)) if index else []
        for index, name in enumerate(names)
    }


@given(reads(), st.booleans(), st.booleans())
def test_every_stage_is_drawn_once_and_every_edge_is_kept(found, full, paths):
    nodes = nodes_of(graph_from(found), {}, full=full)
    assert sorted(name for node in nodes for name in node.stages) == sorted(found)
    owner = {name: index for index, node in enumerate(nodes) for name in node.stages}
    edges = {(owner[need], owner[name]) for name, needs in found.items() for need in needs}
    assert {(need, index) for index, node in enumerate(nodes) for need in node.needs} == edges
    assert all(need < index for need, index in edges), "producers first, and no cycle"
    drawn = " ".join(text(nodes, paths=paths))
    assert all(node.label in drawn for node in nodes)


@given(reads())
def test_a_node_stands_below_what_every_way_to_it_passes(found):
    nodes = nodes_of(graph_from(found), {}, full=True)
    ways: list[list[set[int]]] = []
    for index, node in enumerate(nodes):
        ways.append([way | {index} for need in node.needs for way in ways[need]] or [{index}])
    for index, above in enumerate(_dominators(nodes)):
        common = set.intersection(*ways[index]) - {index}
        assert above == max(common, default=-1)


def test_dot_and_mermaid_name_every_node_and_edge():
    nodes = nodes_of(graph_from({'a"b': [], "c<d": ['a"b']}), {"c<d": "run"})
    assert '  n0 [label="a\\"b"];' in dot(nodes)
    assert '  n0 -> n1 [label="a\\"b.out"];' in dot(nodes, paths=True)
    assert 'fillcolor="#f7e3a1"' in dot(nodes)
    assert '  n1["c&lt;d"]' in mermaid(nodes)
    assert '  n0 -->|"a&quot;b.out"| n1' in mermaid(nodes, paths=True)
    assert "class n1 run" in mermaid(nodes)


def test_programs_get_every_stage_and_edge():
    found = as_dict(graph_from({"a@1": [], "b": ["a@1"]}), {"b": "run"})
    assert found == {
        "stages": [
            {"stage": "a@1", "verdict": None, "group": "a"},
            {"stage": "b", "verdict": "run", "group": None},
        ],
        "edges": [{"from": "a@1", "to": "b", "path": "a@1.out"}],
    }
