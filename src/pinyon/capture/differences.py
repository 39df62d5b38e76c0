"""What differs between two captured environments, in words. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What of two environments differs, in words: packages by name and version."""
    old, new = _packages(before), _packages(now)
    lines = _changed(old, new, "absent")
    names = ("os", "libc", "kernel")
    lines += _changed(
        {name: before.get(name) for name in names}, {name: now.get(name) for name in names}, "unknown"
    )
    lines += _changed(before.get("variables", {}), now.get("variables", {}), "unset")
    if before.get("container") != now.get("container"):
        lines.append(f"container {_said(before.get('container'))} → {_said(now.get('container'))}")
    return lines


def _changed(old: Mapping[str, Any], new: Mapping[str, Any], absent: str) -> list[str]:
    names = sorted(old.keys() | new.keys())
    return [
        f"{name} {old.get(name, absent)} → {new.get(name, absent)}"
        for name in names
        if old.get(name) != new.get(name)
    ]


def _said(container: Mapping[str, str] | None) -> str:
    return " ".join(filter(None, (container or {}).values())) or "none"


def _packages(told: Mapping[str, Any]) -> dict[str, str]:
    """Versions of Python and its packages, and of conda's, by name."""
    found: dict[str, str] = dict(told.get("conda", {}).get("packages", {}))
    for python in told.get("pythons", ()):
        found |= {"python": python["version"], **python["packages"]}
    return found
