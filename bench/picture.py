"""``python -m bench.picture [FILE]``: docs/img/growth.svg, drawn from the case ``growth`` of results.json."""

from __future__ import annotations

import json
import re
import statistics
import sys
from pathlib import Path
from typing import Any

from pinyon.report.plots import Plot, Series, Value
from pinyon.report.svg import svg_of

_HERE = Path(__file__).parent
_ROW = re.compile(r"growth, (.+), (\d+) runs")
# What pages say in their style; and on a dark page its letters would not be seen.
_ALONE = '<style>.grid{stroke:#ddd}.axis{stroke:#333}</style><rect width="100%" height="100%" fill="#fff"/>'
_NAMES = {
    "runs": "pinyon runs",
    "top ten": "pinyon runs --where … --sort … --limit 10",
    "metric_0.max": "pinyon runs --sort METRIC.max --limit 10",
}


def draw(results: dict[str, Any]) -> str:
    """CPU milliseconds of each listing over the number of runs, as a picture that stands alone.

    Raises:
        KeyError: nobody has measured that.
    """
    lines: dict[str, list[tuple[Value, Value]]] = {}
    for row in results["growth"]["rows"]:
        if found := _ROW.fullmatch(row["what"]):
            middle = float(statistics.median(row["values"]))
            lines.setdefault(_NAMES.get(found[1], found[1]), []).append((float(found[2]), middle))
    series = tuple(Series("", name, tuple(points)) for name, points in lines.items())
    svg = svg_of(Plot("Listings of many runs", "linear", "runs", "ms CPU", series))
    return svg.replace(">", f">{_ALONE}", 1) + "\n"


def main() -> None:
    """Write the picture."""
    results = json.loads((_HERE / "results.json").read_text(encoding="utf-8"))
    path = Path(sys.argv[1]) if sys.argv[1:] else _HERE.parent / "docs" / "img" / "growth.svg"
    path.write_text(draw(results), encoding="utf-8")
    print(path)


if __name__ == "__main__":
    main()
