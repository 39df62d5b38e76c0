"""The environment that a command finds: its own Python with its packages, lock files, container, system.

Found by looking at files; the one program that is started is an interpreter that nobody has asked before.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pinyon.capture.files import LARGE, holds_secret
from pinyon.capture.pythons import conda, interpreters, listed, python
from pinyon.capture.remembered import keep, load
from pinyon.model import redact
from pinyon.model.canonical import canonical
from pinyon.model.graph import Command
from pinyon.store.protocol import Blobs
from pinyon.store.redacted import environment_values

LOCKS = (
    "uv.lock", "pixi.lock", "conda-lock.yml", "poetry.lock", "pdm.lock", "Pipfile.lock", "requirements.txt",
    "environment.yml", "environment.yaml",
)  # fmt: skip
# Variables that change what a computation gives; nothing else of the environment is recorded, whatever it is called.
VARIABLES = (
    "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS", "VECLIB_MAXIMUM_THREADS",
    "CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "CUDA_LAUNCH_BLOCKING", "CUBLAS_WORKSPACE_CONFIG", "NVIDIA_TF32_OVERRIDE",
    "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE", "PYTORCH_CUDA_ALLOC_CONF", "TF_DETERMINISTIC_OPS", "TF_ENABLE_ONEDNN_OPTS",
    "XLA_FLAGS", "PYTHONHASHSEED", "PYTHONOPTIMIZE", "TOKENIZERS_PARALLELISM", "WORLD_SIZE", "LANG", "LC_ALL", "TZ",
    "CONDA_DEFAULT_ENV", "SLURM_JOB_ID", "SLURM_JOB_PARTITION", "SLURM_NNODES", "SLURM_CPUS_PER_TASK",
)  # fmt: skip


def environment(root: Path, commands: Iterable[Command], cache: str) -> dict[str, Any]:
    """What commands find that are started in ``root`` now.

    Returns:
        pythons [{executable, version, implementation, prefix, packages {name: version}}], locks {file: digest}, variables,
        os, kernel, libc, and where the environment tells them, container and conda {prefix, packages}.
    """
    path = f"{cache}/environments"
    known = load(path)
    before = dict(known)
    found: dict[str, Any] = {
        "pythons": [told for one in interpreters(root, commands) if (told := python(one, known)) is not None],
        "variables": {name: os.environ[name] for name in VARIABLES if name in os.environ},
        **_system(known),
    }
    if container := _container():
        found["container"] = container
    prefix = os.environ.get("CONDA_PREFIX", "")
    if prefix and (packages := listed(f"{prefix}/conda-meta", known, conda)):
        found["conda"] = {"prefix": prefix, "packages": packages}
    if known != before:
        keep(path, known)
    return found


def of_this_process(root: Path, cache: str) -> dict[str, Any]:
    """The same for this very process."""
    return environment(root, [Command("exec", (sys.executable,))], cache)


def store(found: dict[str, Any], root: Path, blobs: Blobs) -> str:
    """Put an environment into the store, with the lock files that it names; its digest."""
    locks: dict[str, str] = {}
    left: list[str] = []
    for name in (*LOCKS, *sorted(path.name for path in root.glob("requirements-*.txt"))):
        file = root / name
        try:
            if file.stat().st_size > LARGE:
                continue
            data = file.read_bytes()
        except OSError:
            continue
        if holds_secret(data):
            left.append(name)
        else:
            locks[name] = blobs.put(data)
    told = {**found, "locks": locks, **({"left_out": left} if left else {})}
    return blobs.put(canonical(redact.value(told, environment_values(), keep=("packages", "locks"))))


def _system(known: dict[str, Any]) -> dict[str, Any]:
    told = known.get("system")
    release = os.uname()
    if told is None or told[0] != release.release:
        import platform

        told = known["system"] = (release.release, _os_name(), " ".join(platform.libc_ver()).strip())
    return {"os": told[1], "kernel": release.release, "libc": told[2]}


def _os_name() -> str:
    try:
        with open("/etc/os-release", encoding="utf-8") as file:
            rows = dict(line.rstrip().split("=", 1) for line in file if "=" in line)
    except (OSError, ValueError):
        return os.uname().sysname
    return rows.get("PRETTY_NAME", os.uname().sysname).strip('"')


def _container() -> dict[str, str]:
    """Which container this is, as far as it tells; {} outside of one."""
    for kind in ("APPTAINER", "SINGULARITY"):
        if image := os.environ.get(f"{kind}_CONTAINER"):
            return {"kind": kind.lower(), "image": image, "name": os.environ.get(f"{kind}_NAME", "")}
    digest = {"image": os.environ["CONTAINER_IMAGE"]} if "CONTAINER_IMAGE" in os.environ else {}
    if "KUBERNETES_SERVICE_HOST" in os.environ:
        return {"kind": "kubernetes", **digest}
    for path, kind in (("/.dockerenv", "docker"), ("/run/.containerenv", "podman")):
        if os.path.exists(path):
            return {"kind": kind, **digest}
    return {}
