"""Why each stage runs, as a tree: what has changed stands at the left, and below it what follows from that. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from pinyon.model.graph import Graph, Task
from pinyon.plan.actions import Reason, Verdict
from pinyon.report.graph import Line, Span, base_of

_SIBLINGS = 6  # more leaves than these that follow from one stage in the same way share a line
_LINKS = 3  # more stages than these that merely follow each other share a line
_NAMES = 4  # names on such a line
_FACTS = 12  # single facts below one stage


class _Node(NamedTuple):
    """Stages that do the same for the same reason. ``causes`` are earlier nodes, with the paths through which."""

    kind: str
    names: list[str]
    facts: tuple[str, ...]
    causes: Mapping[int, tuple[str, ...]]

    @property
    def label(self) -> str:
        return _labels(self.names)[0]


def tree(
    graph: Graph,
    verdicts: Mapping[str, Verdict],
    text_of: Callable[[str, Reason], str] = lambda _, why: why.text,
) -> list[Line]:
    """Lines for `plan --why`; what is unchanged is only named. ``text_of`` words the reason of a stage to reuse.

    The cells of a foreach or matrix that run for the same reason are one node; so are many stages that follow from one in
    the same way, and long lines of stages that follow only from each other.
    """
    nodes = _nodes(graph, verdicts, text_of)
    below: dict[int, list[int]] = {}
    for index, node in enumerate(nodes):
        below.setdefault(max(node.causes, default=-1), []).append(index)
    lines: list[Line] = []
    todo = [(some, "", "", "") for some in reversed(_together(nodes, below, below.get(-1, [])))]
    while todo:
        some, lead, joint, rest = todo.pop()
        chain = _chain(nodes, below, some)
        children = _together(nodes, below, below.get(chain[-1], [])) if len(some) == 1 else []
        edge = (Span(lead + joint, "line"),) if lead + joint else ()
        lines.append((*edge, *_line(nodes, some, chain)))
        facts = _facts(nodes[some[0]])
        for position, fact in enumerate(facts):
            corner = "├─ " if children or position < len(facts) - 1 else "└─ "
            lines.append((Span(lead + rest + corner, "line"), Span(fact)))
        for position, child in reversed(list(enumerate(children))):
            last = position == len(children) - 1
            todo.append((child, lead + rest, "└─ " if last else "├─ ", "   " if last else "│  "))
    kept = [graph.tasks[recipe].stage.name for recipe, verdict in verdicts.items() if _is_plain(verdict)]
    if kept and nodes:
        lines.append((Span("unchanged", "unchanged"), Span(f" {_list(_labels(kept))}")))
    return lines


def _nodes(
    graph: Graph, verdicts: Mapping[str, Verdict], text_of: Callable[[str, Reason], str]
) -> list[_Node]:
    nodes: list[_Node] = []
    place: dict[str, int] = {}
    known: dict[object, int] = {}
    for recipe, verdict in verdicts.items():
        if _is_plain(verdict):
            continue
        task = graph.tasks[recipe]
        causes = _causes(task, verdicts, place) if verdict.kind in ("run", "stop") else {}
        facts = verdict.reason.details or (verdict.reason.text,)
        if causes:
            facts = verdict.reason.details
        elif verdict.kind == "reuse":
            facts = (text_of(task.stage.name, verdict.reason),)
        elif verdict.reason.about is not None and verdict.reason.text not in facts:
            facts = (verdict.reason.text, *facts)
        base = base_of(task.stage.name)
        same: object = (base, verdict.kind, facts, frozenset(causes)) if base else recipe
        if same in known:
            node = nodes[known[same]]
            node.names.append(task.stage.name)
            united = {
                cause: tuple(dict.fromkeys((*node.causes[cause], *paths))) for cause, paths in causes.items()
            }
            nodes[known[same]] = node._replace(causes=united)
        else:
            known[same] = len(nodes)
            nodes.append(_Node(verdict.kind, [task.stage.name], facts, causes))
        place[recipe] = known[same]
    return nodes


def _is_plain(verdict: Verdict) -> bool:
    """Unchanged, with nothing to be said of it."""
    return verdict.kind == "unchanged" and not verdict.reason.details


def _causes(
    task: Task, verdicts: Mapping[str, Verdict], place: Mapping[str, int]
) -> dict[int, tuple[str, ...]]:
    """What a task waits for that is to run itself (or cannot), by the paths that it reads from there."""
    causes: dict[int, dict[str, None]] = {}
    for item in task.inputs:
        for producer in item.producers:
            if producer in verdicts and verdicts[producer].kind in ("run", "wait", "stop"):
                causes.setdefault(place[producer], {})[item.path] = None
    return {index: tuple(paths) for index, paths in causes.items()}


def _together(nodes: Sequence[_Node], below: Mapping[int, list[int]], some: Iterable[int]) -> list[list[int]]:
    """Siblings, those in one list that end here and are alike."""
    alike: dict[object, list[int]] = {}
    for index in some:
        node = nodes[index]
        leaf = index not in below and len(node.names) == 1
        same: object = (node.kind, node.facts, tuple(node.causes)) if leaf else index
        alike.setdefault(same, []).append(index)
    return [
        part
        for group in alike.values()
        for part in ([group] if len(group) > _SIBLINGS else [[index] for index in group])
    ]


def _chain(nodes: Sequence[_Node], below: Mapping[int, list[int]], some: list[int]) -> list[int]:
    """The node, and what follows from it and from nothing else, if that is a line without facts of its own."""
    chain = [some[0]]
    if len(some) > 1 or not nodes[some[0]].causes or nodes[some[0]].facts:
        return chain
    while len(after := below.get(chain[-1], [])) == 1:
        node = nodes[after[0]]
        if node.facts or len(node.causes) > 1 or node.kind != nodes[chain[0]].kind:
            break
        chain.append(after[0])
    return chain if len(chain) > _LINKS else chain[:1]


def _line(nodes: Sequence[_Node], some: list[int], chain: list[int]) -> Line:
    node = nodes[some[0]]
    kind = Span(f"{node.kind} ", node.kind)
    if len(chain) > 1:
        ends = " → ".join(nodes[index].label for index in chain[:2])
        text = f"{ends} → … → {nodes[chain[-1]].label}"
        count = sum(len(nodes[index].names) for index in chain)
        note = f"  {count} stages, each reads what the one before makes"
        return (kind, Span(text, "stage"), Span(note))
    label = node.label if len(some) == 1 else _list([nodes[index].label for index in some])
    return (kind, Span(label, "stage"), Span(_because(nodes, node, alone=len(some) == 1)))


def _because(nodes: Sequence[_Node], node: _Node, *, alone: bool) -> str:
    if not node.causes:
        return f"  {node.facts[0]}" if len(node.facts) == 1 else ""
    verb = "may change" if node.kind == "run" else "cannot be made"
    above = max(node.causes)
    paths = [_list(node.causes[above])] if alone else ["what it reads"]
    paths += [
        f"{_list(read)} of {nodes[cause].label}" for cause, read in node.causes.items() if cause != above
    ]
    return f"  {' and '.join(paths)} {verb}"


def _facts(node: _Node) -> tuple[str, ...]:
    if not node.causes and len(node.facts) == 1:
        return ()
    if len(node.facts) <= _FACTS:
        return node.facts
    return (*node.facts[:_FACTS], f"and {len(node.facts) - _FACTS} more")


def _labels(names: Sequence[str]) -> list[str]:
    """Names, the cells of one foreach or matrix together."""
    cells: dict[tuple[str, str], list[str]] = {}
    for name in names:
        base = base_of(name)
        cells.setdefault((base, "" if base else name), []).append(name)
    return [
        some[0] if len(some) == 1 else f"{base}@… ({len(some)} cells)" for (base, _), some in cells.items()
    ]


def _list(names: Sequence[str]) -> str:
    if len(names) <= _NAMES:
        return ", ".join(names)
    return f"{', '.join(names[:_NAMES])} and {len(names) - _NAMES} more"
