"""What a stage's command can be given: flags that its own help tells of, or a configuration of Hydra's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

STYLES = ("file", "argparse", "hydra", "env")


class Flag(NamedTuple):
    """One option of a command.

    ``name`` is how a parameter calls it: its longest spelling without the dashes in front. ``spellings`` begins with the
    one that is written. It takes ``least`` to ``most`` values (None: any number); with none it is a switch, and ``off`` is
    the spelling of its opposite, where it has one. ``choices`` are all values that it takes, as text; empty for anything.
    ``default`` is what the help says, as text.
    """

    name: str
    spellings: tuple[str, ...]
    least: int = 1
    most: int | None = 1
    off: str = ""
    choices: tuple[str, ...] = ()
    default: str | None = None


class ConfigFile(NamedTuple):
    """One file of a Hydra configuration, at ``path`` from the project's root.

    ``content`` is what stands in it beside its ``defaults`` list; ``package`` is what its header says, None if nothing.
    """

    path: str
    content: Mapping[str, Any] = {}
    defaults: tuple[Any, ...] = ()
    package: str | None = None


class HydraConfig(NamedTuple):
    """Files by config path (``model/mnist``), and the config path of the ``primary`` one. ``broken`` says of a file that
    could not be read why not."""

    primary: str
    files: Mapping[str, ConfigFile]
    broken: Mapping[str, str] = {}


class Heard(NamedTuple):
    """What one stage's command can be given; ``config`` for Hydra, else flags."""

    flags: tuple[Flag, ...] = ()
    config: HydraConfig | None = None
