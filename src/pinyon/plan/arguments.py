"""How a stage gets its parameters: ``args: argparse``, ``hydra`` or ``env`` puts them into its command."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple

from pinyon.errors import PlanError
from pinyon.model.flags import Flag, Heard, HydraConfig
from pinyon.model.graph import Param, Stage
from pinyon.plan.grammar import written
from pinyon.plan.hydra import Choice, Composed, compose, is_group
from pinyon.plan.params import dotted_names
from pinyon.plan.placing import before, behind, no_place, script_at, with_parts, words_of
from pinyon.plan.spelling import declared, find, without, words

Overrides = Sequence[tuple[str, Any]]


class Given(NamedTuple):
    """A stage whose command says its parameters. ``used`` are the overrides that it knows, ``names`` all that it could
    be given."""

    stage: Stage
    used: frozenset[str]
    names: tuple[str, ...]


def must_hear(stage: Stage, overrides: Overrides) -> bool:
    """Whether it must be found out what the stage's command can be given: it neither names that itself nor is content
    with what stands in its command."""
    asked = stage.args in ("argparse", "hydra") and not stage.arg_names and not stage.frozen
    return asked and bool(overrides or stage.params)


def given(stage: Stage, heard: Heard | None, overrides: Overrides, in_files: Collection[str]) -> Given:
    """The stage with its declared parameters and the overrides that it knows in its command.

    What it declares is handed over where the command knows it and does not say it yet; the rest it reads from files.

    Args:
        heard: None where it need not be known.
        in_files: overrides that are in a file, too; for those only a flag of the same name counts.

    Raises:
        PlanError: a value that the command cannot take, or a command in which there is no place for it.
    """
    if stage.args == "file" or stage.frozen or not (overrides or stage.params):
        return Given(stage, frozenset(), ())
    speech = _speech(stage, heard or Heard(), overrides)
    pairs: dict[str, Any] = {}
    mine: dict[str, Any] = {}
    spoken: set[str] = set()
    for param in stage.params:
        name = speech.find(param.name, True) if param.name and param.file not in speech.files else None
        if name is not None and not speech.says(name):
            pairs[name] = param.value
            spoken.add(param.name)
    used = set()
    for key, value in overrides:
        name = speech.find(key, key not in in_files)
        if name is None:
            continue
        used.add(key)
        if key not in spoken:
            pairs[name] = mine[name] = value
    if not pairs:
        return Given(stage, frozenset(used), speech.names)
    # In order of their names: what is set to the same values has one key, whoever set it first.
    rows = sorted(pairs.items())
    params = (*stage.params, *(Param("", name, mine[name]) for name in sorted(mine)))
    return Given(speech.into(rows)._replace(params=params), frozenset(used), speech.names)


# -- what a command understands -----------------------------------------------------------------------------------------


class _Speech(NamedTuple):
    """How parameters are said to one stage's command.

    Attributes:
        find: a parameter's name and whether its last part suffices → what the command calls it, or None.
        says: whether the command says it already.
        into: the stage with these pairs in its command.
        files: what the command reads itself.
    """

    find: Callable[[str, bool], str | None]
    says: Callable[[str], bool]
    into: Callable[[Sequence[tuple[str, Any]]], Stage]
    names: tuple[str, ...]
    files: Collection[str] = ()


def _speech(stage: Stage, heard: Heard, overrides: Overrides) -> _Speech:
    if stage.args == "hydra":
        return _hydra(stage, heard.config, overrides)
    if stage.args == "env":
        named = dict.fromkeys([*stage.arg_names, *(param.name for param in stage.params if param.name)])
        return _environment(stage, declared("env", named))
    return _options(stage, declared("argparse", stage.arg_names) if stage.arg_names else heard.flags)


def _options(stage: Stage, flags: tuple[Flag, ...]) -> _Speech:
    by_name = {flag.name: flag for flag in flags}

    def says(name: str) -> bool:
        spellings = (*by_name[name].spellings, by_name[name].off)
        return any(word.partition("=")[0] in spellings for word in words_of(stage) if word.startswith("-"))

    def into(pairs: Sequence[tuple[str, Any]]) -> Stage:
        more = words("argparse", pairs, flags)
        if stage.command.kind == "shell":
            for name, value in pairs:
                if says(name) and not words("argparse", [(name, value)], flags):
                    raise no_place(stage, f"its command says {by_name[name].spellings[0]}, to be taken away")
            return behind(stage, more)
        begin = script_at(stage.command.parts) + 1
        rest = list(stage.command.parts[begin:])
        for name, _ in pairs:
            rest = without(rest, by_name[name])
        end = rest.index("--") if "--" in rest else len(rest)
        return with_parts(stage, (*stage.command.parts[:begin], *rest[:end], *more, *rest[end:]))

    return _Speech(_finder(flags), says, into, tuple(by_name))


def _environment(stage: Stage, flags: tuple[Flag, ...]) -> _Speech:
    seen: dict[str, str] = {}
    for flag in flags:
        first = seen.setdefault(flag.spellings[0], flag.name)
        if first != flag.name:
            what = f"stage '{stage.name}' gets {first} and {flag.name} in one variable, {flag.spellings[0]}"
            raise PlanError(what, where=str(stage.origin), next="rename one of them")

    def into(pairs: Sequence[tuple[str, Any]]) -> Stage:
        more = words("env", pairs, flags)
        if stage.command.kind == "exec":
            return with_parts(stage, ("env", *more, *stage.command.parts)) if more else stage
        return before(stage, more)

    return _Speech(_finder(flags), lambda _: False, into, tuple(flag.name for flag in flags))


def _finder(flags: tuple[Flag, ...]) -> Callable[[str, bool], str | None]:
    def name_of(name: str, loose: bool) -> str | None:
        flag = find(name, flags, loose=loose)
        return flag.name if flag else None

    return name_of


def _hydra(stage: Stage, config: HydraConfig | None, overrides: Overrides) -> _Speech:
    said = words_of(stage) if config or stage.arg_names else ()
    names = dict.fromkeys(stage.arg_names)
    added: Collection[str] = ()
    if config is not None:
        known, added = composed(config, said, overrides)
        names = dict.fromkeys([*known.groups, *dotted_names(known.values), *added])

    def into(pairs: Sequence[tuple[str, Any]]) -> Stage:
        more = [_override(name, value, config, added) for name, value in pairs]
        if stage.command.kind == "shell":
            return behind(stage, more)
        keys = {name for name, _ in pairs}
        return with_parts(
            stage, (*(w for w in stage.command.parts if w.partition("=")[0] not in keys), *more)
        )

    def says(name: str) -> bool:
        return any(word.partition("=")[0].lstrip("+") == name for word in said if "=" in word)

    files = {file.path for file in config.files.values()} if config else ()
    return _Speech(lambda name, _: name if name in names else None, says, into, tuple(names), files)


def _override(name: str, value: Any, config: HydraConfig | None, added: Collection[str]) -> str:
    """The word for one pair, as what it names wants it."""
    if config is not None and is_group(config, name):
        if value is None:
            return f"~{name}"  # Hydra takes no null for a group
        value = value if isinstance(value, list) else str(value)
    word = words("hydra", [(name, value)], ())[0]
    return f"++{word}" if name in added else word


def composed(
    config: HydraConfig, said: Sequence[str], overrides: Overrides
) -> tuple[Composed, tuple[str, ...]]:
    """A stage's configuration with the groups that its command and the overrides choose; and names that it adds.

    Raises:
        PlanError: a chosen option is not there, or a file of it is broken.
    """
    there = written(config, said)
    choices = dict(there.choices)
    for name, value in overrides:
        if is_group(config, name) and not isinstance(value, Mapping):
            choices[name] = _choice(value)
    return compose(config, choices, there.added), there.names


def _choice(value: Any) -> Choice:
    return value if isinstance(value, (str, list, type(None))) else str(value)
