"""Plots as one page that needs nothing else: SVG and images stand in it."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence

from pinyon.report.plots import Plot
from pinyon.report.svg import svg_of
from pinyon.report.text import markup

STYLE = """
:root { color-scheme: light dark; --ink: #1f2937; --soft: #e5e7eb; --paper: #ffffff; --card: #ffffff; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e5e7eb; --soft: #374151; --paper: #0b0f17; --card: #131a26; }
}
body { font: 15px/1.4 system-ui, sans-serif; color: var(--ink); background: var(--paper); margin: 2rem; }
main { display: flex; flex-wrap: wrap; gap: 1.5rem; align-items: flex-start; }
figure { margin: 0; padding: 1rem; background: var(--card); border: 1px solid var(--soft); border-radius: 8px;
  max-width: 592px; }
figcaption { font-weight: 600; margin-bottom: .5rem; overflow-wrap: anywhere; }
svg { max-width: 100%; height: auto; } svg text { fill: var(--ink); } svg text[fill] { fill: #fff; }
@media (prefers-color-scheme: dark) {
  svg [stroke="#2563eb"] { stroke: #60a5fa; } svg [fill="#2563eb"] { fill: #60a5fa; }
  svg [stroke="#059669"] { stroke: #34d399; } svg [fill="#059669"] { fill: #34d399; }
  svg [stroke="#dc2626"] { stroke: #f87171; } svg [stroke="#7c3aed"] { stroke: #a78bfa; }
}
svg .grid { stroke: var(--soft); } svg .axis { stroke: var(--ink); }
img { max-width: 100%; display: block; } .side { font-size: .85rem; margin: .5rem 0 .25rem; }
"""


def page(title: str, plots: Sequence[Plot], notes: Sequence[str] = ()) -> str:
    """The whole page. Everything that came from files is escaped; images are data, never markup."""
    figures = "\n".join(_figure(plot) for plot in plots)
    below = "".join(f"<p>{markup(note)}</p>\n" for note in dict.fromkeys(notes))
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width">\n'
        f"<title>{markup(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        f"<h1>{markup(title)}</h1>\n<main>\n{figures}\n</main>\n{below}</body>\n</html>\n"
    )


def _figure(plot: Plot) -> str:
    body = svg_of(plot) if plot.series else ""
    for side, kind, data in plot.images:
        source = f"data:{kind};base64,{b64encode(data).decode()}"
        body += f'<div class="side">{markup(side)}</div><img alt="{markup(plot.title)}" src="{source}">\n'
    return f"<figure><figcaption>{markup(plot.title)}</figcaption>\n{body}</figure>"
