"""Whether this machine has NVIDIA's driver; what talks to it is imported only then."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pinyon.capture.nvml import Nvml

LIBRARY = "PINYON_NVML"  # variable that names another library, for tests
_DRIVER = (
    "/proc/driver/nvidia/version",
    "/dev/nvidiactl",
    "/dev/dxg",
)  # one of these is there where a driver is


def nvml() -> Nvml | None:
    """The library that manages GPUs, begun once in a process; None where there is no driver or it does not answer."""
    chosen = os.environ.get(LIBRARY)
    if chosen is None and not any(map(os.path.exists, _DRIVER)):
        return None
    from pinyon.capture.nvml import begun  # ctypes is of no use without

    return begun(chosen)
