"""The nodes of a graph in the languages of drawing programs: Graphviz and Mermaid."""

from __future__ import annotations

from collections.abc import Sequence

from pinyon.report.graph import Node

_FILL = {
    "unchanged": "#e8e8e8", "reuse": "#c5e8f0", "run": "#f7e3a1", "wait": "#cfdcf7",
    "stop": "#f4c0c0", "failed": "#f4c0c0",
}  # fmt: skip


def dot(nodes: Sequence[Node], *, paths: bool = False) -> str:
    """Graphviz's language: ``pinyon graph --dot | dot -Tsvg``."""
    lines = ["digraph pinyon {", '  node [shape=box, style="rounded,filled", fillcolor=white];']
    for index, node in enumerate(nodes):
        fill = f', fillcolor="{_FILL[node.verdict]}"' if node.verdict else ""
        lines.append(f"  n{index} [label={_dot(node.label)}{fill}];")
    for index, node in enumerate(nodes):
        for need, read in node.needs.items():
            label = f" [label={_dot(', '.join(read))}]" if paths else ""
            lines.append(f"  n{need} -> n{index}{label};")
    return "\n".join([*lines, "}"])


def mermaid(nodes: Sequence[Node], *, paths: bool = False) -> str:
    """Mermaid's language, which Markdown pages on code hosts draw."""
    lines = ["flowchart TD"]
    lines += [f'  n{index}["{_mermaid(node.label)}"]' for index, node in enumerate(nodes)]
    for index, node in enumerate(nodes):
        for need, read in node.needs.items():
            label = f'|"{_mermaid(", ".join(read))}"|' if paths else ""
            lines.append(f"  n{need} -->{label} n{index}")
    for kind in dict.fromkeys(node.verdict for node in nodes if node.verdict):
        some = ",".join(f"n{index}" for index, node in enumerate(nodes) if node.verdict == kind)
        lines += [f"  classDef {kind} fill:{_FILL[kind]}", f"  class {some} {kind}"]
    return "\n".join(lines)


def _dot(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _mermaid(text: str) -> str:
    for character, name in (("&", "amp"), ('"', "quot"), ("<", "lt"), (">", "gt")):
        text = text.replace(character, f"&{name};")
    return text
