"""The machine that something runs on, as far as it decides how fast and in which bits."""

from __future__ import annotations

import os
import platform
from typing import Any

from pinyon.capture.driver import nvml
from pinyon.capture.remembered import keep, load
from pinyon.model.ids import boot_id

# What changes the last bits of sums, or their speed; the rest of the flags does neither.
_FLAGS = (
    "avx",
    "avx2",
    "fma",
    "avx512f",
    "avx512_bf16",
    "avx512_vnni",
    "amx_tile",
    "amx_bf16",
    "amx_int8",
    "asimd",
    "sve",
)


def hardware(cache: str) -> dict[str, Any]:
    """Processor, memory and GPUs; looked for once between two boots.

    Args:
        cache: a directory for what was found out; disposable.

    Returns:
        cpu (model), cores (that this process may use), memory (bytes), isa (sorted flags), machine (architecture), kernel,
        and where there are GPUs, gpus [[name, uuid, bytes], …], driver, cuda.
    """
    path = f"{cache}/hardware"
    known = load(path)
    if known.get("boot") != boot_id():
        known = {"boot": boot_id(), "found": _look()}
        keep(path, known)
    return {**known["found"], "cores": len(os.sched_getaffinity(0))}


def _look() -> dict[str, Any]:
    rows: dict[str, str] = {}
    for name in ("/proc/cpuinfo", "/proc/meminfo"):
        try:
            with open(name, encoding="utf-8", errors="replace") as file:
                for line in file:
                    head, colon, value = line.partition(":")
                    if colon:
                        rows.setdefault(head.strip(), value.strip())
                    elif name == "/proc/cpuinfo":
                        break  # the next processor says the same
        except OSError:
            continue
    flags = set((rows.get("flags") or rows.get("Features") or "").split())
    memory = rows.get("MemTotal", "").split()
    found: dict[str, Any] = {
        "cpu": rows.get("model name") or rows.get("Model") or platform.machine(),
        "memory": int(memory[0]) * 1024 if memory and memory[0].isdigit() else None,
        "isa": sorted(flags.intersection(_FLAGS)),
        "machine": platform.machine(),
        "kernel": platform.release(),
    }
    library = nvml()
    if library is not None:
        gpus = [[gpu.name, gpu.uuid, gpu.memory] for gpu in library.gpus()]
        found |= {"gpus": gpus, "driver": library.driver(), "cuda": library.cuda()}
    return found
