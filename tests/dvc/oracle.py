"""DVC's own reading of projects, one a line: started with a Python that has dvc, and by nobody imported.

Reads ``{"files": {path: text}}`` per line of stdin; answers per line with ``{"refused": "Type: message"}`` or
``{"stages": {address: {...}}}``, everything as DVC has resolved it, paths relative to the root. The graph has been checked.
``lacks`` names a stage whose declared parameters are not there, which DVC notices only when the stage is about to run.
"""

import json
import logging
import os
import shutil
import sys
import tempfile

logging.disable(logging.CRITICAL)

from dvc.dependency import ParamsDependency  # noqa: E402
from dvc.repo import Repo  # noqa: E402


def main() -> None:
    root = os.path.realpath(tempfile.mkdtemp())
    os.makedirs(f"{root}/.dvc/tmp")
    with open(f"{root}/.dvc/config", "w") as file:
        file.write("[core]\n    no_scm = true\n    analytics = false\n")
    os.chdir(root)
    repo = Repo(root)
    for line in sys.stdin:
        write(root, json.loads(line)["files"])
        repo._reset()
        try:
            answer = read(repo, root)
        except Exception as error:  # noqa: BLE001 -- whatever it is, DVC does not go on
            answer = {"refused": f"{type(error).__name__}: {error}"[:300]}
        sys.stdout.write(json.dumps(answer, default=repr) + "\n")
    shutil.rmtree(root)


def write(root: str, files: dict[str, str]) -> None:
    for name in os.listdir(root):
        if name != ".dvc":
            path = f"{root}/{name}"
            shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)
    for name, text in files.items():
        os.makedirs(os.path.dirname(f"{root}/{name}"), exist_ok=True)
        with open(f"{root}/{name}", "w") as file:
            file.write(text)


def read(repo: Repo, root: str) -> dict:
    index = repo.index
    index.check_graph()
    pipeline = [stage for stage in index.stages if hasattr(stage, "name")]
    data = [stage for stage in index.stages if not hasattr(stage, "name")]
    return {
        "stages": {stage.addressing: describe(stage, root) for stage in pipeline},
        "pointers": sorted(
            [shown(out, root), f"{out.hash_info.name}:{out.hash_info.value}" if out.hash_info else ""]
            for stage in data
            for out in stage.outs
        ),
    }


def shown(item, root: str) -> str:
    return os.path.relpath(item.fs_path, root) if item.protocol == "local" else item.def_path


def describe(stage, root: str) -> dict:
    params, lacks = {}, set()
    for dep in stage.deps:
        if isinstance(dep, ParamsDependency):
            file = os.path.relpath(dep.fs_path, root)
            try:
                values = dep.read_params()
            except Exception:  # noqa: BLE001 -- a pattern that fits several
                values = None
            if values is None or not dep.exists or not set(dep.params) <= set(values):
                lacks.add(file)
            if values and dep.exists:
                params[file] = values if dep.params else {"": values}
    return {
        "cmd": stage.cmd,
        "wdir": os.path.relpath(stage.wdir, root),
        "deps": sorted({shown(dep, root) for dep in stage.deps if not isinstance(dep, ParamsDependency)}),
        "params": params,
        "lacks": sorted(lacks),
        "outs": sorted(
            [
                os.path.relpath(out.fs_path, root),
                "plot" if out.plot else "metric" if out.metric else "out",
                bool(out.use_cache),
                bool(out.persist),
                out.plot if isinstance(out.plot, dict) else {},
            ]
            for out in stage.outs
        ),
        "frozen": bool(stage.frozen),
        "always": bool(stage.always_changed),
    }


if __name__ == "__main__":
    main()
