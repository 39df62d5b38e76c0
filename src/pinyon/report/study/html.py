"""The report as one HTML file that needs nothing else: no network, no scripts; light, dark, narrow and printed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from pinyon.report.plotpage import STYLE
from pinyon.report.study.blocks import (
    Block,
    Bullets,
    Document,
    Field,
    Heading,
    Picture,
    Row,
    Table,
    Text,
)
from pinyon.report.study.document import document
from pinyon.report.study.nouns import StudyView
from pinyon.report.svg import svg_of
from pinyon.report.svgerrors import ErrorPlot, error_svg
from pinyon.report.text import markup

_LAYOUT = """
:root { --muted: #6b7280; --good: #047857; --bad: #b91c1c; --win: #ecfdf5; --link: #1d4ed8; }
@media (prefers-color-scheme: dark) {
  :root { --muted: #9ca3af; --good: #34d399; --bad: #f87171; --win: #0f2a22; --link: #93c5fd; }
}
body { max-width: 76rem; margin: 0 auto; padding: 1.5rem 2rem 4rem; }
h1 { font-size: 1.6rem; margin: 0 0 1rem; overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; margin: 2.5rem 0 .5rem; padding-top: .75rem; border-top: 1px solid var(--soft);
  overflow-wrap: anywhere; }
h3 { font-size: 1rem; margin: 1.25rem 0 .25rem; }
p, li { max-width: 50rem; overflow-wrap: anywhere; } p { margin: .4rem 0; }
a { color: var(--link); text-decoration: none; } a:hover { text-decoration: underline; }
nav { font-size: .9rem; display: flex; flex-wrap: wrap; gap: .25rem 1rem; margin: 0 0 1rem; }
.strong { font-weight: 600; } .muted { color: var(--muted); } .good { color: var(--good); } .bad { color: var(--bad); }
.head { max-width: none; font-weight: 400; font-size: 1.05rem;
  border-left: 4px solid var(--good); background: var(--win); padding: .6rem .9rem; border-radius: 4px; }
.head.bad { border-color: var(--bad); color: inherit; background: none; }
.wide { overflow-x: auto; margin: .75rem 0 1rem; border: 1px solid var(--soft); border-radius: 6px; }
table { border-collapse: collapse; font-size: .85rem; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: .35rem .5rem; text-align: left; vertical-align: top; border-bottom: 1px solid var(--soft); }
th { font-weight: 600; background: var(--card); vertical-align: bottom; }
td { max-width: 26rem; overflow-wrap: break-word; } tr:last-child td { border-bottom: 0; }
.n { text-align: right; } td.n { white-space: nowrap; }
td.ids, td.code { font: .78rem/1.5 ui-monospace, monospace; min-width: 10.5rem; overflow-wrap: anywhere; }
td.code:last-child { min-width: 26rem; }
td.ids a, a.run { display: inline-block; white-space: nowrap; }
tr.strong { background: var(--win); font-weight: 600; } tr.muted td { color: var(--muted); }
tr.muted td.bad { color: var(--bad); } tr:target { outline: 2px solid var(--link); }
td[title] { cursor: help; } .plots { display: flex; flex-wrap: wrap; gap: 1rem; margin: .75rem 0 .25rem; }
.plots figure { padding: .75rem; overflow-x: auto; flex: 0 1 34.9rem; min-width: 0; box-sizing: border-box; }
.caption { font-size: .85rem; color: var(--muted); }
@media (max-width: 40rem) {
  body { padding: 1rem .9rem 3rem; font-size: 16px; } td { max-width: 16rem; }
  table { width: max-content; min-width: 100%; }
  .plots svg text { font-size: 15px; } .plots figure { padding: .5rem .25rem; }
}
@media print {
  :root { color-scheme: light; --ink: #111; --soft: #ccc; --paper: #fff; --card: #fff; --win: #f0f0f0; --muted: #555;
    --good: #065f46; --bad: #991b1b; --link: #111; }
  @page { size: A4 landscape; margin: 12mm; }
  body { max-width: none; padding: 0; font-size: 10pt; } nav { display: none; }
  .wide { overflow: visible; border: 0; } table { font-size: 7.5pt; } td.ids, td.code { font-size: 6.5pt; }
  th, td { padding: 2pt 4pt; white-space: normal; }
  td.code, td.code:last-child { min-width: 0; }
  tr, figure { break-inside: avoid; } h2, h3 { break-after: avoid; }
  thead { display: table-header-group; }
}
"""


def study_html(view: StudyView) -> str:
    """The whole page. Everything that came from the project is escaped; a number's tooltip names its runs and their outs,
    and the table at the end says the same."""
    whole = document(view)
    title = markup(whole.title)
    body = "\n".join(part for block in whole.blocks for part in _parts(block, whole))
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>{STYLE}{_LAYOUT}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def _parts(block: Block, whole: Document) -> Iterator[str]:
    if isinstance(block, Heading):
        anchor = f' id="{markup(block.anchor)}"' if block.anchor else ""
        yield f"<h{block.level}{anchor}>{markup(block.text)}</h{block.level}>"
        if block.level == 1:
            yield _contents(whole)
    elif isinstance(block, Text):
        lead = f"<strong>{markup(block.lead)}</strong>" if block.lead else ""
        words = _linked(block.text, whole.origins)
        # The first paragraph is what most people came for.
        kind = f"head {block.tone}" if block is _first_text(whole) else block.tone
        yield f"<p{_class(kind)}>{lead}{words}</p>"
    elif isinstance(block, Bullets):
        items = "\n".join(f"<li>{_linked(item, whole.origins)}</li>" for item in block.items)
        yield f"<ul>\n{items}\n</ul>"
    elif isinstance(block, Table):
        yield from _table(block, whole.origins)
    else:
        yield _picture(block)


def _first_text(whole: Document) -> Block | None:
    return next((block for block in whole.blocks if isinstance(block, Text)), None)


def _contents(whole: Document) -> str:
    links = (
        f'<a href="#{markup(block.anchor)}">{markup(block.text)}</a>'
        for block in whole.blocks
        if isinstance(block, Heading) and block.level == 2 and block.anchor
    )
    return f"<nav>{' '.join(links)}</nav>"


def _table(table: Table, origins: Mapping[str, str]) -> Iterator[str]:
    numeric = [any(row.fields[at].number for row in table.rows) for at in range(len(table.columns))]
    yield '<div class="wide" tabindex="0">\n<table>\n<thead><tr>'
    for column, right in zip(table.columns, numeric, strict=True):
        # Long names of metrics and parameters may break where their words end.
        yield f"<th{_class('n' if right else '')}>{markup(column).replace('_', '_<wbr>')}</th>"
    yield "</tr></thead>\n<tbody>"
    for row in table.rows:
        yield _row(row, table.columns, numeric, origins)
    yield "</tbody>\n</table>\n</div>"


_RUN = re.compile(r"\br-[0-9a-f]{16}\b")
_IDS = frozenset({"attempt", "execution", "key", "outs"})


def _row(row: Row, columns: tuple[str, ...], numeric: list[bool], origins: Mapping[str, str]) -> str:
    anchor = f' id="{markup(row.anchor)}"' if row.anchor else ""
    fields = "".join(
        _field(field, "n" if right else "ids" if field.links else "code" if column in _IDS else "", origins)
        for field, right, column in zip(row.fields, numeric, columns, strict=True)
    )
    return f"<tr{anchor}{_class(row.tone)}>{fields}</tr>"


def _field(field: Field, kind: str, origins: Mapping[str, str]) -> str:
    if field.links:
        links = " ".join(f'<a href="#{markup(run)}">{markup(run)}</a>' for run in field.runs)
        return f"<td{_class(kind)}>{links}</td>"
    told = "&#10;".join(markup(origins.get(run, run)) for run in field.runs) if field.number else ""
    title = f' title="{told}"' if told else ""
    return f"<td{_class(f'{kind} {field.tone}')}{title}>{markup(field.text)}</td>"


def _picture(picture: Picture) -> str:
    figures = "\n".join(
        f"<figure><figcaption>{markup(plot.title)}</figcaption>\n"
        f"{error_svg(plot) if isinstance(plot, ErrorPlot) else svg_of(plot)}</figure>"
        for plot in picture.plots
    )
    return f'<div class="plots">\n{figures}\n</div>\n<p class="caption">{markup(picture.caption)}</p>'


def _class(names: str) -> str:
    kept = " ".join(names.split())
    return f' class="{kept}"' if kept else ""


def _linked(text: str, origins: Mapping[str, str]) -> str:
    """With links on ids of runs that have a row at the end."""

    def link(found: re.Match[str]) -> str:
        return f'<a class="run" href="#{found[0]}">{found[0]}</a>' if found[0] in origins else found[0]

    return _RUN.sub(link, markup(text))
