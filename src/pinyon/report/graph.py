"""The stages of a plan as a drawing in text: pure layout, for `pinyon graph`.

What is drawn is the tree of *dominators*: a node stands below the one node that everything leading to it passes through,
so a reader sees at once what needs what, however wide the graph is. Needs that the tree does not show stand behind an
arrow, ``← fit, clean``; a line of stages that only follow each other is one line, ``clean → fit → evaluate``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from pinyon.model.graph import Graph

MARKS = {"unchanged": "✓", "reuse": "↺", "run": "●", "wait": "…", "stop": "✗", "failed": "✗"}
_RANK = ("unchanged", "reuse", "wait", "run", "stop", "failed")  # a group looks like its worst member
_ALIKE = 4  # so many nodes with the same needs and the same users become one
_MOST_NEEDS = 6  # names behind an arrow
_NARROWEST = 24  # columns a wrapped line keeps, however deep it stands


class Node(NamedTuple):
    """One stage, or several drawn as one. ``needs`` are positions of earlier nodes with the paths that are read."""

    label: str
    stages: tuple[str, ...]
    verdicts: Mapping[str, int]
    needs: Mapping[int, tuple[str, ...]]

    @property
    def verdict(self) -> str:
        """The worst verdict of its stages; "" when none is known."""
        return max(self.verdicts, key=_RANK.index, default="")


class Span(NamedTuple):
    """A piece of a line: ``kind`` is a verdict, ``line`` for what is drawn, ``path``, or "" for plain text."""

    text: str
    kind: str = ""


Line = tuple[Span, ...]


def base_of(stage: str) -> str:
    """What the stages of one ``foreach`` or ``matrix`` have in common: ``train`` of ``train@a-1``; "" for others."""
    name, at, _ = stage.partition("@")
    return name if at else ""


def nodes_of(graph: Graph, verdicts: Mapping[str, str], *, full: bool = False) -> list[Node]:
    """The nodes to draw, producers first; ``verdicts`` by stage name, may be empty.

    Unless ``full``, the stages of a ``foreach`` or ``matrix`` are one node, and so are stages that read from the same
    nodes and are read by the same.
    """
    owner = {recipe: task.stage.name for recipe, task in graph.tasks.items()}
    if not full:
        owner = _without_cycles(graph, {recipe: _group(name) for recipe, name in owner.items()})
    nodes = _merge(graph, owner, verdicts)
    return nodes if full else _alike(nodes)


def _group(name: str) -> str:
    base = base_of(name)
    return f"{base}@…" if base else name


def _without_cycles(graph: Graph, owner: dict[str, str]) -> dict[str, str]:
    """Groups that wait for each other through their members are drawn one by one."""
    while True:
        needs: dict[str, set[str]] = {name: set() for name in owner.values()}
        for recipe, task in graph.tasks.items():
            needs[owner[recipe]] |= {owner[need] for need in task.needs}
        looped = {name for name, some in needs.items() if name in some}
        ready = {name: len(some) for name, some in needs.items()}
        users: dict[str, list[str]] = {name: [] for name in needs}
        for name, some in needs.items():
            for need in some:
                users[need].append(name)
        todo = [name for name, count in ready.items() if not count]
        while todo:
            for user in users[done := todo.pop()]:
                ready[user] -= 1
                if not ready[user]:
                    todo.append(user)
            del ready[done]
        stuck = looped or {name for name in ready if name.endswith("@…")}
        if not ready or not stuck:
            return owner
        owner = {
            recipe: graph.tasks[recipe].stage.name if name in stuck else name
            for recipe, name in owner.items()
        }


def _merge(graph: Graph, owner: Mapping[str, str], verdicts: Mapping[str, str]) -> list[Node]:
    members: dict[str, list[str]] = {}
    reads: dict[str, dict[str, dict[str, None]]] = {}
    for recipe, task in graph.tasks.items():
        name = owner[recipe]
        members.setdefault(name, []).append(task.stage.name)
        below = reads.setdefault(name, {})
        for item in task.inputs:
            for producer in item.producers:
                below.setdefault(owner[producer], {})[item.path] = None
    order = _sorted({name: set(below) for name, below in reads.items()})
    place = {name: index for index, name in enumerate(order)}
    return [
        Node(
            f"{name} ({len(members[name])})" if name.endswith("@…") else name,
            tuple(members[name]),
            Counter(verdicts[stage] for stage in members[name] if stage in verdicts),
            {place[need]: tuple(paths) for need, paths in reads[name].items()},
        )
        for name in order
    ]


def _sorted(needs: Mapping[str, set[str]]) -> list[str]:
    """Producers first; otherwise as given."""
    order: list[str] = []
    seen: set[str] = set()
    for name in needs:
        stack = [name]
        while stack:
            top = stack[-1]
            rest = [need for need in needs[top] if need not in seen]
            if rest:
                stack += rest
                continue
            stack.pop()
            if top not in seen:
                seen.add(top)
                order.append(top)
    return order


def _alike(nodes: Sequence[Node]) -> list[Node]:
    users: list[set[int]] = [set() for _ in nodes]
    for index, node in enumerate(nodes):
        for need in node.needs:
            users[need].add(index)
    classes: dict[tuple[frozenset[int], frozenset[int]], list[int]] = {}
    for index, node in enumerate(nodes):
        classes.setdefault((frozenset(node.needs), frozenset(users[index])), []).append(index)
    merged = {index: some[0] for some in classes.values() if len(some) >= _ALIKE for index in some}
    kept = [index for index in range(len(nodes)) if merged.get(index, index) == index]
    place = {index: position for position, index in enumerate(kept)}
    return [_united(nodes, index, merged, place) for index in kept]


def _united(nodes: Sequence[Node], first: int, merged: Mapping[int, int], place: Mapping[int, int]) -> Node:
    some = [nodes[index] for index, leader in merged.items() if leader == first] or [nodes[first]]
    needs: dict[int, dict[str, None]] = {}
    for node in some:
        for need, paths in node.needs.items():
            needs.setdefault(place[merged.get(need, need)], {}).update(dict.fromkeys(paths))
    verdicts: Counter[str] = Counter()
    for node in some:
        verdicts.update(node.verdicts)
    stages = tuple(stage for node in some for stage in node.stages)
    label = some[0].label
    if len(some) > 1:
        label += f", {some[1].label} and {len(some) - 2} more alike"
    return Node(label, stages, verdicts, {need: tuple(paths) for need, paths in needs.items()})


def draw(nodes: Sequence[Node], width: int = 80, *, paths: bool = False) -> list[Line]:
    """Lines of text no wider than ``width`` columns, as far as names allow."""
    above = _dominators(nodes)
    below: dict[int, list[int]] = {}
    for index, parent in enumerate(above):
        below.setdefault(parent, []).append(index)
    lines: list[Line] = []
    todo = [(index, "", "", "") for index in reversed(below.get(-1, []))]
    while todo:
        index, lead, joint, rest = todo.pop()
        chain = [index]
        while (  # only below one whose needs the tree shows: two kinds of arrows on a line would be read wrongly
            len(nodes[index].needs) <= 1
            and len(after := below.get(chain[-1], [])) == 1
            and len(nodes[after[0]].needs) == 1
        ):
            chain.append(after[0])
        children = below.get(chain[-1], [])
        words = _words(nodes, chain, above[index], paths)
        lines += _wrapped(words, lead + joint, lead + rest + ("│  " if children else "   "), width)
        for position, child in reversed(list(enumerate(children))):
            last = position == len(children) - 1
            todo.append((child, lead + rest, "└─ " if last else "├─ ", "   " if last else "│  "))
    return lines


def _dominators(nodes: Sequence[Node]) -> list[int]:
    """The immediate dominator of each node; -1 stands for the beginning of everything."""
    above: list[int] = []
    depth: dict[int, int] = {-1: 0}
    for index, node in enumerate(nodes):
        common: int | None = None
        for need in node.needs:
            common = need if common is None else _meet(common, need, above, depth)
        above.append(-1 if common is None else common)
        depth[index] = depth[above[-1]] + 1
    return above


def _meet(one: int, other: int, above: Sequence[int], depth: Mapping[int, int]) -> int:
    while one != other:
        if depth[one] >= depth[other]:
            one = above[one]
        else:
            other = above[other]
    return one


def _words(nodes: Sequence[Node], chain: Sequence[int], above: int, paths: bool) -> list[Line]:
    """What stands on the line of a chain, in pieces between which it may be broken."""
    words: list[Line] = []
    for position, index in enumerate(chain):
        node = nodes[index]
        arrow: Line = ()
        if position:
            path = f"─ {_some(node.needs[chain[position - 1]])} → " if paths else "→ "
            arrow = (Span(path, "path" if paths else "line"),)
        mark = f"{MARKS[node.verdict]} " if node.verdict else ""
        words.append((*arrow, Span(mark + node.label + _mixed(node) + " ", node.verdict)))
    first = nodes[chain[0]]
    shown = [need for need in first.needs if paths or len(first.needs) > 1 or need != above]
    names = [
        nodes[need].label + (f" ({_some(first.needs[need])})" if paths else "")
        for need in shown[:_MOST_NEEDS]
    ]
    if shown:
        more = f" and {len(shown) - len(names)} more" if len(shown) > len(names) else ""
        words[0] = (*words[0], Span("← ", "line"))
        words[1:1] = [(Span(f"{name}{',' if name is not names[-1] else more} ", "path"),) for name in names]
    return words


def _mixed(node: Node) -> str:
    if len(node.verdicts) < 2:
        return ""
    return ": " + ", ".join(f"{n} {kind}" for kind, n in node.verdicts.items())


def _some(paths: Sequence[str]) -> str:
    return ", ".join(paths[:2]) + (f" and {len(paths) - 2} more" if len(paths) > 2 else "")


def _wrapped(words: Iterable[Line], first: str, rest: str, width: int) -> list[Line]:
    lines: list[Line] = []
    line: list[Span] = [Span(first, "line")]
    used, empty = len(first), True
    for word in words:
        size = sum(len(span.text) for span in word)
        if not empty and used + size - 1 > max(width, len(rest) + _NARROWEST):
            lines.append(tuple(line))
            line, used = [Span(f"{rest}  ", "line")], len(rest) + 2
        line += word
        used, empty = used + size, False
    return [*lines, tuple(line)]


def as_dict(graph: Graph, verdicts: Mapping[str, str]) -> dict[str, object]:
    """Every stage and every edge, for ``--json``; groups are not collapsed."""
    names = {recipe: task.stage.name for recipe, task in graph.tasks.items()}
    stages = [
        {"stage": name, "verdict": verdicts.get(name), "group": base_of(name) or None}
        for name in names.values()
    ]
    return {
        "stages": stages,
        "edges": [
            {"from": names[producer], "to": task.stage.name, "path": item.path}
            for task in graph.tasks.values()
            for item in task.inputs
            for producer in item.producers
        ],
    }
