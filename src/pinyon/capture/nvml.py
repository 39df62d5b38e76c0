"""NVIDIA's management library, called directly: what GPUs there are and what they do. Nothing where there is none."""

from __future__ import annotations

import ctypes
import functools
from typing import Any, NamedTuple

LIBRARY = "libnvidia-ml.so.1"
_DRIVER = (
    "/proc/driver/nvidia/version",
    "/dev/nvidiactl",
    "/dev/dxg",
)  # one of these is there where a driver is
_TEXT = 96  # bytes of a name, as the library's header says


class Gpu(NamedTuple):
    """One GPU: its name, its id and its memory in bytes (None where it belongs to the whole machine)."""

    name: str
    uuid: str
    memory: int | None


class Sample(NamedTuple):
    """What one GPU does: percent, bytes, degrees Celsius, watts; None for what it does not tell."""

    utilization: float | None
    memory: float | None
    temperature: float | None
    power: float | None


class _Utilization(ctypes.Structure):
    _fields_ = (("gpu", ctypes.c_uint), ("memory", ctypes.c_uint))


class _Memory(ctypes.Structure):
    _fields_ = (("total", ctypes.c_ulonglong), ("free", ctypes.c_ulonglong), ("used", ctypes.c_ulonglong))


class Nvml:
    """The library, loaded and begun; `handles` are its GPUs in its order.

    Raises:
        OSError: it is not here, or refuses.
    """

    def __init__(self, path: str = LIBRARY) -> None:
        self._library = ctypes.CDLL(path)
        self._expect(self._call("nvmlInit_v2"))
        count = ctypes.c_uint()
        self._expect(self._call("nvmlDeviceGetCount_v2", ctypes.byref(count)))
        self.handles: list[ctypes.c_void_p | None] = [self._handle(index) for index in range(count.value)]

    def _handle(self, index: int) -> ctypes.c_void_p | None:
        handle = ctypes.c_void_p()
        failed = self._call("nvmlDeviceGetHandleByIndex_v2", ctypes.c_uint(index), ctypes.byref(handle))
        return None if failed else handle  # one that has fallen off the bus keeps its number

    def _call(self, name: str, *arguments: Any) -> int:
        try:
            return int(getattr(self._library, name)(*arguments))
        except AttributeError:  # an older library
            return -1

    def _expect(self, status: int) -> None:
        if status:
            raise OSError(f"NVML answers {status}")

    def _text(self, name: str, *before: Any) -> str:
        text = ctypes.create_string_buffer(_TEXT)
        return (
            ""
            if self._call(name, *before, text, ctypes.c_uint(_TEXT))
            else text.value.decode(errors="replace")
        )

    def driver(self) -> str:
        """Version of the driver; "" if it does not say."""
        return self._text("nvmlSystemGetDriverVersion")

    def cuda(self) -> str:
        """Newest version of CUDA that the driver serves; "" if it does not say."""
        version = ctypes.c_int()
        if self._call("nvmlSystemGetCudaDriverVersion_v2", ctypes.byref(version)):
            return ""
        return f"{version.value // 1000}.{version.value % 1000 // 10}"

    def gpus(self) -> list[Gpu]:
        """What is here."""
        return [self._gpu(handle) for handle in self.handles if handle is not None]

    def _gpu(self, handle: ctypes.c_void_p) -> Gpu:
        memory = self._memory(handle)
        name, uuid = self._text("nvmlDeviceGetName", handle), self._text("nvmlDeviceGetUUID", handle)
        return Gpu(name, uuid, int(memory.total) if memory else None)

    def _memory(self, handle: ctypes.c_void_p) -> _Memory | None:
        memory = _Memory()
        return None if self._call("nvmlDeviceGetMemoryInfo", handle, ctypes.byref(memory)) else memory

    def sample(self, index: int) -> Sample:
        """What one GPU does now. A call that it does not know, or that fails, leaves a None."""
        handle = self.handles[index]
        if handle is None:
            return Sample(None, None, None, None)
        used, heat, power = _Utilization(), ctypes.c_uint(), ctypes.c_uint()
        busy = not self._call("nvmlDeviceGetUtilizationRates", handle, ctypes.byref(used))
        warm = not self._call("nvmlDeviceGetTemperature", handle, ctypes.c_uint(0), ctypes.byref(heat))
        fed = not self._call("nvmlDeviceGetPowerUsage", handle, ctypes.byref(power))
        memory = self._memory(handle)
        return Sample(
            float(used.gpu) if busy else None,
            float(memory.used) if memory else None,
            float(heat.value) if warm else None,
            power.value / 1000 if fed else None,
        )


@functools.cache
def begun(path: str | None) -> Nvml | None:
    """The library at a path, or where the system has it, begun once in a process; None if it does not answer."""
    try:
        return Nvml(path or LIBRARY)
    except OSError:
        return None
