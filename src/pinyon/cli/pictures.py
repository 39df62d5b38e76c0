"""What goes on, drawn as lines for a terminal of some width; no line is ever wider."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from rich.text import Text

from pinyon.cli.output import actor, colour_of, number, plain
from pinyon.model.units import show_bytes, show_seconds

if TYPE_CHECKING:
    from pinyon.query.going import Counts, Over, Picture, Work
    from pinyon.query.live import Metric, Now
    from pinyon.query.pace import Progress

_BLOCKS = "▁▂▃▄▅▆▇█"
_SIGNS = {"RUNNING": "●", "SUBMITTED": "○", "UNKNOWN": "?", "LOST": "✗", "SUCCEEDED": "✓"}
_FIRST = ("cpu", "memory", "gpu")  # system metrics in the order that people look for them
_FLOWS = ("disk_", "network_")  # bytes a second, of no interest while they are 0
_UNITS = {"cpu": " cores", "utilization": " %", "temperature": " °C", "power": " W"}
_SPARK = 16  # columns
_SILENT = 90.0  # seconds without a sign of life that are worth a word


def sparkline(values: Iterable[float], width: int = _SPARK) -> str:
    """The newest values as blocks, the smallest lowest; NaN and infinities are dots."""
    shown = list(values)[-width:]
    finite = [value for value in shown if math.isfinite(value)]
    if not finite:
        return "·" * len(shown)
    low, high = min(finite), max(finite)
    span = high - low
    steps = (int((value - low) / span * 7.999) if span else 3 for value in finite)
    blocks = iter([_BLOCKS[min(step, 7)] for step in steps])
    return "".join(next(blocks) if math.isfinite(value) else "·" for value in shown)


def bar(part: float, width: int, style: str = "green") -> Text:
    """A bar that is full to this part of 1."""
    full = round(width * min(max(part, 0.0), 1.0))
    return Text.assemble(("━" * full, style), ("─" * (width - full), "bright_black"))


def draw(picture: Picture, width: int, height: int | None = None) -> list[Text]:
    """Everything, an attempt in several lines; where that is higher than ``height``, in one line each."""
    lines = _lines(picture, width, whole=True)
    if height is not None and len(lines) > height:
        lines = _lines(picture, width, whole=False)
    for line in lines:
        line.truncate(width, overflow="ellipsis")
        line.no_wrap = True
    return lines


def _lines(picture: Picture, width: int, *, whole: bool) -> list[Text]:
    lines: list[Text] = []
    for work in picture.works:
        if lines:
            lines.append(Text())
        lines += _work(work, width)
        for one in work.attempts:
            cell = picture.cells.get(one.attempt.id, "")
            lines += _attempt(one, cell, width) if whole else [_short(one, cell)]
    if not picture.works:
        lines.append(Text("nothing runs", "bright_black"))
    if picture.over:
        lines += [Text(), Text("ended a moment ago", "bright_black")]
        lines += [_over(one) for one in reversed(picture.over)]
    return lines


def _work(work: Work, width: int) -> list[Text]:
    by = f"  by {actor(work.actor)}" if work.actor else ""
    head = Text.assemble(
        (plain(work.goal) or "everything", "bold"), f"  {plain(work.execution)}",
        (f"{by}  on {plain(work.host)}", "bright_black"),
        ("" if work.state == "RUNNING" else f"  {work.state}", colour_of(work.state) or ""),
    )  # fmt: skip
    lines = [head, _counts("", work.counts, width)]
    if work.phases:
        longest = max(len(part.phase) for part in work.phases)
        lines += [_counts(f"{part.phase.ljust(longest)}  ", part.counts, width) for part in work.phases]
    return lines


def _counts(name: str, counts: Counts, width: int) -> Text:
    said = [f"{counts.done} of {counts.total} done"]
    kinds = (("running", counts.running), ("failed", counts.failed), ("waiting", counts.waiting))
    said += [f"{many} {kind}" for kind, many in kinds if many]
    part = counts.done / counts.total if counts.total else 0.0
    return Text.assemble(
        "  ", plain(name), bar(part, _room(width, 30)), "  ", (" · ".join(said), "bright_black")
    )


def _room(width: int, most: int) -> int:
    return max(8, min(most, width // 4))


def _head(one: Now, cell: str) -> Text:
    status = one.verdict.status
    style = colour_of(status) or ""
    left = Text.assemble((f"  {_SIGNS.get(status, '●')} ", style), (plain(one.attempt.stage), "bold"))
    left.append(f"  {plain(cell)}" if cell else "")
    if status not in ("RUNNING", "SUBMITTED"):
        left.append(f"  {status}", style)
    if one.verdict.detail:
        left.append(f"  {plain(one.verdict.detail)}", style)
    elif one.silent is not None and one.silent > _SILENT:
        left.append(f"  silent for {show_seconds(one.silent)}", "yellow")
    return left


def _attempt(one: Now, cell: str, width: int) -> list[Text]:
    """Name and time; progress; metrics; the machine; the last line printed: what there is of them."""
    head = _head(one, cell)
    host = one.attempt.supervisor.host if one.attempt.supervisor else ""
    right = f"{show_seconds(one.elapsed)}  {plain(host)}".rstrip()
    head.truncate(max(width - len(right) - 2, 8), overflow="ellipsis")
    head.append(" " * max(2, width - head.cell_len - len(right)))
    head.append(right, "bright_black")
    lines = [head]
    if one.progress:
        lines.append(Text.assemble("    ", _progress(one.progress, _room(width, 30))))
    lines += _fitted([_metric(name, metric) for name, metric in one.metrics.items()], width - 4, 3)
    lines += _fitted([Text(text, "bright_black") for text in _system(one.system)], width - 4, 1)
    if one.line:
        lines.append(Text.assemble(("    │ ", "bright_black"), (plain(one.line), "bright_black")))
    return lines


def _short(one: Now, cell: str) -> Text:
    """The same in one line."""
    line = _head(one, cell)
    line.append(f"  {show_seconds(one.elapsed)}", "bright_black")
    if one.progress:
        line.append("  ").append_text(_progress(one.progress, 10, short=True))
    for name, metric in list(one.metrics.items())[:2]:
        line.append("  ").append_text(_metric(name, metric, 8))
    return line


def _progress(progress: Progress, width: int, *, short: bool = False) -> Text:
    text, (step, total) = Text(), (progress.step, progress.total)
    if total:
        text.append_text(bar(step / total, width, "cyan")).append(f"  {100 * step // total} %")
    said = [f"{progress.label} {step}/{total}".strip() if total else f"{progress.label} {step}".strip()]
    said += [f"{progress.rate:.3g}/s"] if progress.rate and not short else []
    if progress.left is not None and total and step < total:
        said.append(f"{show_seconds(round(progress.left))} left" if progress.left >= 1 else "any moment now")
    if short:
        said = said[1:] if total else said
    return text.append("".join(f"  {plain(one)}" for one in said), "bright_black")


def _metric(name: str, metric: Metric, width: int = _SPARK) -> Text:
    return Text.assemble(
        (f"{plain(name)} ", "bright_black"), (f"{number(metric.value)} ", "bold"), (sparkline(metric.recent, width), "cyan")
    )  # fmt: skip


def _system(system: dict[str, Metric]) -> list[str]:
    def order(name: str) -> tuple[int, str]:
        return next(
            (place for place, first in enumerate(_FIRST) if name.startswith(first)), len(_FIRST)
        ), name

    shown = (name for name in sorted(system, key=order) if system[name].value or not name.startswith(_FLOWS))
    return [f"{plain(name.replace('_', ' '))} {_amount(name, system[name].value)}" for name in shown]


def _amount(name: str, value: float) -> str:
    """A system metric with its unit (docs/FORMAT.md §5)."""
    if not math.isfinite(value):
        return str(value)
    kind = name.rpartition(".")[2]
    if kind == "memory":
        return show_bytes(int(value))
    if kind.startswith(_FLOWS):
        return f"{show_bytes(int(value))}/s"
    return f"{value:.1f}{_UNITS.get(kind, '')}"


def _fitted(parts: Sequence[Text], width: int, most: int) -> list[Text]:
    """Parts beside each other, in at most so many lines."""
    lines: list[Text] = []
    for part in parts:
        if lines and lines[-1].cell_len + 3 + part.cell_len <= width + 4:
            lines[-1].append("   ").append_text(part)
        elif len(lines) < most:
            lines.append(Text("    ").append_text(part))
        else:
            break
    return lines


def _over(one: Over) -> Text:
    status = one.verdict.status
    shown = "  ".join(
        f"{plain(name)} {plain(number(value))}" for name, value in list(one.attempt.metrics.items())[:4]
    )
    cause = "" if status == "SUCCEEDED" else f"  {plain(one.attempt.message or one.verdict.detail)}"
    bad, style = status != "SUCCEEDED", colour_of(status) or ""
    return Text.assemble(
        (f"  {_SIGNS.get(status, '✗')} ", style), plain(one.attempt.stage), f"  {plain(one.cell)}" if one.cell else "",
        (f"  {status}" if bad else "", style), (f"  {show_seconds(one.attempt.seconds)}", "bright_black"),
        (f"  {shown}" if shown else "", "bright_black"), (cause, "bright_black"),
    )  # fmt: skip
