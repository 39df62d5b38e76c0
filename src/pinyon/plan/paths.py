"""Posix paths relative to the project root, as text only."""

from __future__ import annotations

from collections.abc import Iterator


def join(base: str, path: str) -> str:
    """``path`` as seen from ``base``, normalised; ``.`` is the root, a leading ``..`` lies outside."""
    if not base or base == "." or path.startswith("/"):
        if path.isalnum():
            return path
        joined = path
    else:
        joined = f"{base}/{path}"
    parts: list[str] = []
    for part in joined.split("/"):
        if part == ".." and parts and parts[-1] != "..":
            parts.pop()
        elif part not in ("", ".") and not (part == ".." and joined.startswith("/")):
            parts.append(part)
    text = "/".join(parts)
    return f"/{text}" if joined.startswith("/") else text or "."


def outside(path: str) -> bool:
    """Whether a normalised path leaves the project."""
    return path == ".." or path.startswith(("/", "../"))


def touch(path: str, other: str) -> bool:
    """Whether a path lies inside another, or around it."""
    return path == "." or path.startswith(f"{other}/") or other.startswith(f"{path}/")


def parents(path: str) -> Iterator[str]:
    """``a/b/c`` → ``a/b``, ``a``; the root (``.``) last for a path inside it."""
    while "/" in path:
        path = path.rpartition("/")[0]
        if path:
            yield path
    if path not in (".", "") and not outside(path):
        yield "."


def is_url(path: str) -> bool:
    """Whether it is the address of something that is no local file: ``s3://…``, ``https://…``."""
    return "://" in path and path.partition("://")[0].replace("+", "").replace("-", "").isalnum()
