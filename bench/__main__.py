"""``python -m bench [--quick] [CASE...]``."""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
from pathlib import Path

from bench import machine, picture, results, tools
from bench.cases import CASES
from bench.measure import adopt_orphans
from bench.settings import Settings


def main() -> None:
    """Run the cases, print each as it ends; record a full run."""
    parser = argparse.ArgumentParser(prog="bench", description="Measure Pinyon beside its peers.")
    parser.add_argument(
        "cases", nargs="*", metavar="CASE", help=f"of {', '.join(CASES)}; all when none is named"
    )
    parser.add_argument("--quick", action="store_true", help="a tenth of the size, three rounds")
    parser.add_argument("--size", type=int, help="stages of the largest project (1000)")
    parser.add_argument("--rounds", type=int, help="runs of each command (9)")
    parser.add_argument("--scratch", type=Path, help="where to work: the file system that is measured")
    parser.add_argument(
        "--record", type=Path, metavar="DIR", help="write results here; a full run does, to bench/"
    )
    asked = parser.parse_args()
    if unknown := set(asked.cases) - set(CASES):
        parser.error(f"no case {', '.join(sorted(unknown))}; there are {', '.join(CASES)}")
    size, rounds = (100, 3) if asked.quick else (1000, 9)
    full = not (asked.quick or asked.size or asked.rounds)
    into = asked.record or (Path(__file__).parent if full else None)

    adopt_orphans()
    tools.quiet_peers()
    for name in asked.cases or CASES:
        scratch = Path(tempfile.mkdtemp(prefix="pinyon-bench-", dir=asked.scratch))
        os.environ.update(XDG_CACHE_HOME=str(scratch / "cache"), DVC_SITE_CACHE_DIR=str(scratch / "dvc"))
        try:
            facts = machine.facts(scratch)
            title = (CASES[name].__doc__ or name).partition("\n")[0]
            rows = []
            print(f"## {name}: {title}\n\n{results.table([])}", end="", flush=True)
            for row in CASES[name](Settings(scratch, asked.size or size, asked.rounds or rounds)):
                rows.append(row)
                print(results.line(row), end="", flush=True)
            print()
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        if into:
            results.record(into, {name: results.case(title, facts, rows)})
            if full and name == "growth":
                picture.main()


if __name__ == "__main__":
    main()
