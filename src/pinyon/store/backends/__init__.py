"""Places of objects by URL. Each scheme's module is imported when somebody names the scheme, so that nobody pays for a
cloud's client who has no bucket."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import cast

from pinyon.errors import SpecError
from pinyon.store.objects import Objects

GROUP = "pinyon.stores"  # entry points of other packages: scheme = "module:function", called as ours are
Open = Callable[[str, Mapping[str, str]], Objects]

_OURS = {
    "az": "obstore:open_bucket",
    "file": "directory:open_directory",
    "gs": "obstore:open_bucket",
    "hf": "hub:open_hub",
    "http": "http:open_http",
    "https": "http:open_http",
    "rclone": "rclone:open_rclone",
    "s3": "obstore:open_bucket",
    "ssh": "ssh:open_ssh",
}
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_SECRET = re.compile(r"//[^/@]*:[^/@]*@")


def open_objects(url: str, options: Mapping[str, str]) -> Objects:
    """The place that a URL names; a bare path is a directory. Nothing is asked of the place yet.

    Args:
        url: ``scheme://…``, without a secret.
        options: what the scheme wants beside it (docs/stores.md), secrets among them.

    Raises:
        SpecError: nobody knows the scheme, the URL holds a password, or an option is wrong.
        StoreError: a library that the scheme needs is not installed, or a secret is not set.
    """
    found = _SCHEME.match(url)
    scheme = found[1].lower() if found else "file"
    if _SECRET.search(url):
        raise SpecError(
            f"the URL of a {scheme}:// store holds a password",
            why="URLs are kept in files and shown in messages",
            next="take it out, and give it as an option or an environment variable (docs/stores.md)",
        )
    return _opener(scheme)(url, options)


def _opener(scheme: str) -> Open:
    if scheme in _OURS:
        module, _, function = _OURS[scheme].partition(":")
        return cast(Open, getattr(import_module(f"{__name__}.{module}"), function))
    from importlib.metadata import entry_points  # 20 ms that our own schemes need not pay

    others = entry_points(group=GROUP)
    for one in others.select(name=scheme):
        return cast(Open, one.load())
    raise _unknown(scheme, sorted({*_OURS, *others.names}))


def _unknown(scheme: str, known: list[str]) -> SpecError:
    from difflib import get_close_matches

    near = get_close_matches(scheme, known, 1, 0.5)
    return SpecError(
        f"no store has the scheme {scheme}://",
        why=f"there are {', '.join(f'{one}://' for one in known)}, and paths",
        next=f"did you mean {near[0]}://?" if near else "install the package that brings it",
    )
