"""One answer of DVC's and one of ours to the same files, in one shape."""

from __future__ import annotations

import json
import subprocess
from concurrent.futures import ThreadPoolExecutor
from itertools import zip_longest
from pathlib import Path
from typing import Any

from pinyon.errors import PinyonError
from pinyon.model.graph import Stage
from pinyon.model.project import Goal, Project
from pinyon.plan.build import Need, Stages, graph_of, resolve_all
from pinyon.spec.load import load_project, read_params

HERE = Path(__file__).parent


def ask(python: str, env: dict[str, str], projects: list[dict[str, str]]) -> list[dict[str, Any]]:
    """What DVC makes of these files; two processes share the work."""
    halves = [half for half in (projects[::2], projects[1::2]) if half]
    processes = [
        subprocess.Popen(
            [python, str(HERE / "oracle.py")], env=env, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        for _ in halves
    ]  # fmt: skip
    with ThreadPoolExecutor() as pool:
        found = list(pool.map(_answers, processes, halves))
    answers = [answer for pair in zip_longest(*found) for answer in pair if answer is not None]
    assert len(answers) == len(projects)
    return answers


def _answers(process: subprocess.Popen[str], projects: list[dict[str, str]]) -> list[dict[str, Any]]:
    lines = "".join(json.dumps({"files": files}) + "\n" for files in projects)
    out, err = process.communicate(lines, timeout=240)
    assert process.returncode == 0, err[-3000:]
    return [json.loads(line) for line in out.splitlines()]


def write(root: Path, files: dict[str, str]) -> Path:
    (root / ".dvc").mkdir(parents=True)
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def resolved(root: Path) -> tuple[Project, Stages]:
    project, read = load_project(root), {}
    while isinstance(found := resolve_all(project, Goal(), read), Need):
        read |= {path: read_params(root, path) for path in found.paths}
    return project, found


def ours(root: Path) -> dict[str, Any]:
    """The same answer as the oracle's, of ours."""
    try:
        project, found = resolved(root)
    except PinyonError as error:
        return {"refused": str(error)}
    stages = {
        stage.name: describe(stage)
        | {"lacks": sorted({lack.file for lack in found.lacks.get(stage.name, ())})}
        for stage in found.stages
    }
    lacking = [lack.error for lacks in found.lacks.values() for lack in lacks]
    local = [stage._replace(deps=tuple(d for d in stage.deps if "://" not in d)) for stage in found.stages]
    stuck = False
    try:
        graph_of(local, Goal(), project, found.lacks)
    except PinyonError as error:
        stuck = error in lacking  # DVC notices this only when it is about to run the stage
        if not stuck:
            return {"refused": str(error)}
    pointers = sorted(
        [p.path, p.digest.removesuffix("/") + ".dir" * p.digest.endswith("/")] for p in project.pointers
    )
    return {"stages": stages, "pointers": pointers, "stuck": stuck}


def describe(stage: Stage) -> dict[str, Any]:
    params: dict[str, dict[str, Any]] = {}
    for param in stage.params:
        params.setdefault(param.file, {})[param.name] = param.value
    outs = sorted([o.path, o.role, o.cache, o.persist, o.axes] for o in stage.outs)
    return {
        "cmd": stage.cmd, "wdir": stage.wdir, "deps": sorted(stage.deps), "params": params, "outs": outs,
        "frozen": stage.frozen, "always": stage.always_changed,
    }  # fmt: skip


def plain(answer: dict[str, Any]) -> Any:
    """As it looks in JSON, without the values of files in which something is missing."""
    found = json.loads(json.dumps(answer))
    if "stages" in found:
        found.setdefault("stuck", bool(runs_without(found)))
    for stage in found.get("stages", {}).values():
        stage["params"] = {
            file: values for file, values in stage["params"].items() if file not in stage["lacks"]
        }
    return found


def runs_without(answer: dict[str, Any]) -> list[str]:
    """Stages that cannot run, since a declared parameter is not there and nobody makes its file."""
    outs = [out[0] for stage in answer["stages"].values() for out in stage["outs"]]
    return [
        name
        for name, stage in answer["stages"].items()
        if not stage["frozen"]
        and any(not any(f"{file}/".startswith(f"{out}/") for out in outs) for file in stage["lacks"])
    ]


def difference(theirs: Any, mine: Any, at: str = "") -> str:
    """Where two answers differ first."""
    if isinstance(theirs, dict) and isinstance(mine, dict):
        for key in theirs | mine:
            if theirs.get(key, "nothing") != mine.get(key, "nothing"):
                return difference(theirs.get(key, "nothing"), mine.get(key, "nothing"), f"{at} {key}")
    return f"at{at}\nDVC  {theirs!r:.600}\nours {mine!r:.600}"
