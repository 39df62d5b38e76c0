"""Whether W&B is told to stay offline: only where nobody has said anything, since its login would stop the command."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from functools import lru_cache

_SAID = (
    "WANDB_MODE",
    "WANDB_DISABLED",
    "WANDB_API_KEY",
    "WANDB_API_KEY_FILE",
    "WANDB_IDENTITY_TOKEN_FILE",
    "WANDB_SERVICE",
)
_SETTING = re.compile(r"^\s*(?:mode|disabled|api_key)\s*=", re.MULTILINE)


def wandb_mode(environment: Mapping[str, str], given: Mapping[str, str], base: str) -> dict[str, str]:
    """``WANDB_MODE=offline`` where neither the environment, nor W&B's settings, nor a login say otherwise: a command has no
    terminal, so W&B's question for a key would end it with an error.

    Args:
        environment: that the command inherits; ``given`` is added to it.
        base: directory that it works in.
    """
    if any(name in environment or name in given for name in _SAID):
        return {}
    home = environment.get("HOME", "")
    config = environment.get("WANDB_CONFIG_DIR") or f"{home}/.config/wandb"
    netrc = environment.get("NETRC") or f"{home}/.netrc"
    server = given.get("WANDB_BASE_URL") or environment.get("WANDB_BASE_URL") or "https://api.wandb.ai"
    host = re.sub(r"^\w+://|[:/].*$", "", re.sub(r"^\w+://", "", server))
    return {} if _said(base, config, netrc, host) else {"WANDB_MODE": "offline"}


@lru_cache(maxsize=64)
def _said(base: str, config: str, netrc: str, host: str) -> bool:
    """Whether a file of W&B's settings names a mode, or there is a login for its server."""
    settings = (f"{base}/wandb/settings", f"{config}/settings")
    if any(_SETTING.search(_text(path)) for path in settings):
        return True
    logins = (netrc, os.path.join(os.path.dirname(netrc), "_netrc"))
    return any(re.search(rf"\bmachine\s+{re.escape(host)}\b", _text(path)) for path in logins)


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(1 << 20)
    except OSError:
        return ""
