"""A Makefile becomes stages: one a file target with a recipe. Phony targets are named and left out."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from typing import NamedTuple

from pinyon.spec.adopt.draft import Draft, Drafted, Entry, comments
from pinyon.spec.adopt.look import Look
from pinyon.spec.adopt.wire import wired

_SET = re.compile(r"(?:export\s+)?([\w.-]+)\s*(:=|::=|\?=|\+=|=)\s*(.*)")
_RULE = re.compile(r"([^:=#]+)::?(?!=)([^=]*)")  # nothing in it can be matched in two ways: lines may be long
_LONGEST = 100_000  # characters of a variable
_USE = re.compile(r"\$(?:\(([\w.-]+)\)|\{([\w.-]+)\}|([@<^+?*$]))")
_PHONY = frozenset(
    " ".join(
        ("all clean help install test lint format check run build deps setup default distclean",)
    ).split()
)


class Rule(NamedTuple):
    """One explicit rule, variables replaced in its targets and prerequisites but not in its recipe."""

    targets: tuple[str, ...]
    needs: tuple[str, ...]
    recipe: tuple[str, ...]
    above: tuple[str, ...]


class _Parsed(NamedTuple):
    rules: tuple[Rule, ...]
    phony: tuple[str, ...]
    unread: tuple[str, ...]
    values: Mapping[str, str]


def read_makefile(text: str, source: str, look: Look) -> Draft:
    """The proposal for a Makefile."""
    parsed = _parse(text)
    stages = [stage for rule in parsed.rules for stage in _stages(rule, parsed.values)]
    said = []
    if parsed.phony:
        said.append(f"phony targets of {source} left out: {', '.join(parsed.phony)}")
    if parsed.unread:
        said.append(f"not read in {source}: {'; '.join(parsed.unread[:8])}")
    head = [f"Read from {source} by pinyon init; '# guess:' marks what to look at.", *said]
    return Draft(source, wired(stages, look.there), comments(head), said=tuple(said))


def _parse(text: str) -> _Parsed:
    values: dict[str, str] = {"MAKE": "make"}
    rules: list[Rule] = []
    phony: dict[str, None] = {}
    unread: list[str] = []
    above: list[str] = []
    recipe: list[str] | None = None
    heads: list[tuple[tuple[str, ...], tuple[str, ...], list[str], tuple[str, ...]]] = []
    for line in _logical(text):
        if line.startswith("\t"):
            if recipe is not None and line.strip() and not line.strip().startswith("#"):
                recipe.append(line.strip())
            continue
        if line.strip().startswith("#"):
            above.append(line.strip("# \t"))
            continue
        if not line.strip():
            above = []
            continue
        recipe = None
        if found := _SET.fullmatch(line.strip()):
            old = values.get(found[1], "")
            value = _expanded(found[3], values)
            if not (found[2] == "?=" and old):
                new = f"{old} {value}".strip() if found[2] == "+=" else value
                values[found[1]] = new if len(new) <= _LONGEST else old
        elif found := _RULE.fullmatch(line.partition(";")[0].strip()):
            targets = tuple(_expanded(found[1].removesuffix("&"), values).split())
            needs = tuple(_expanded(found[2].split("|")[0], values).split())
            if targets == (".PHONY",):
                phony.update(dict.fromkeys(needs))
            elif any("%" in target or (target.startswith(".") and "/" not in target) for target in targets):
                unread.append(line.strip())
            else:
                inline = line.partition(";")[2].strip()
                recipe = [inline] if inline else []
                heads.append((targets, needs, recipe, tuple(above)))
        else:
            unread.append(line.strip())
        above = []
    for targets, needs, lines, comment in heads:
        if lines and not (set(targets) & (phony.keys() | _PHONY)):
            rules.append(Rule(targets, needs, tuple(lines), comment))
        else:
            phony.update(dict.fromkeys(target for target in targets))
    return _Parsed(tuple(rules), tuple(phony), tuple(unread), values)


def _stages(rule: Rule, values: Mapping[str, str]) -> list[Drafted]:
    """One stage, or one a target where the recipe is about each of several."""
    each = len(rule.targets) > 1 and any("$@" in line or "$(@" in line for line in rule.recipe)
    return (
        [_stage(rule, (target,), values) for target in rule.targets]
        if each
        else [_stage(rule, rule.targets, values)]
    )


def _stage(rule: Rule, targets: tuple[str, ...], values: Mapping[str, str]) -> Drafted:
    own = {
        **values,
        "@": targets[0],
        "<": rule.needs[0] if rule.needs else "",
        "^": " ".join(dict.fromkeys(rule.needs)),
        "+": " ".join(rule.needs),
        "$": "$",
    }
    lines = [_expanded(line.lstrip("@-+ \t"), own).replace("${", "\\${") for line in rule.recipe]
    script = next(
        (word for line in lines for word in line.split() if word.endswith((".py", ".R", ".sh"))), ""
    )
    deps = [Entry(need) for need in rule.needs]
    if script and script not in rule.needs:
        deps.append(Entry(script, "the recipe runs it, and the rule does not name it"))
    return Drafted(
        posixpath.basename(targets[0]).partition(".")[0] or targets[0],
        "\n".join(line for line in lines if line),
        deps=tuple(deps),
        outs=tuple(Entry(target) for target in targets),
        above=comments(rule.above),
        doubts=comments(
            ["guess: it calls $(...) of make, which no shell knows"]
            if any("$(" in line and "$(shell" in line for line in lines)
            else []
        ),
    )


def _expanded(text: str, values: Mapping[str, str]) -> str:
    """``$(NAME)`` and ``$@`` replaced; names that nobody sets become nothing, as in make."""

    def value(match: re.Match[str]) -> str:
        name = match[1] or match[2] or match[3]
        return values.get(name, match[0] if match[3] else "")

    return _USE.sub(value, text)


def _logical(text: str) -> list[str]:
    lines, held = [], ""
    for line in text.splitlines():
        if line.endswith("\\"):
            held += line[:-1].rstrip() + " "
            continue
        lines.append(held + (line.strip() if held else line))
        held = ""
    return [*lines, held] if held else lines
