"""``pinyon completion``: the script that makes a shell complete our verbs, stages and runs; and the words it asks for."""

from __future__ import annotations

from pathlib import Path

import click
from click.shell_completion import CompletionItem, get_completion_class

_HOW = {
    "bash": 'eval "$(pinyon completion bash)" in ~/.bashrc',
    "zsh": 'eval "$(pinyon completion zsh)" in ~/.zshrc',
    "fish": "pinyon completion fish > ~/.config/fish/completions/pinyon.fish",
}
_MOST = 200  # runs that are offered


@click.command("completion", epilog="Example: pinyon completion bash")
@click.argument("shell", type=click.Choice(sorted(_HOW)))
def command(shell: str) -> None:
    """Print what makes a shell complete verbs, stages and runs.

    \b
    bash: put  eval "$(pinyon completion bash)"  into ~/.bashrc
    zsh:  put  eval "$(pinyon completion zsh)"  into ~/.zshrc
    fish: pinyon completion fish > ~/.config/fish/completions/pinyon.fish
    """
    from pinyon.cli.group import group

    kind = get_completion_class(shell)
    assert kind is not None, shell
    # Not its own `source()`: for bash that starts a shell to ask for its version, which any bash of this decade passes.
    made = kind(group, {}, "pinyon", "_PINYON_COMPLETE")
    click.echo(f"# {_HOW[shell]}")
    click.echo(made.source_template % made.source_vars())


def stage_names(ctx: click.Context, _: click.Parameter, begun: str) -> list[CompletionItem]:
    """Stages of the project, those of a ``foreach`` or ``matrix`` cell by cell."""
    return _items(_stages(_directory(ctx)), begun)


def experiment_names(ctx: click.Context, _: click.Parameter, begun: str) -> list[CompletionItem]:
    """Experiments of the project."""
    from pinyon.errors import PinyonError
    from pinyon.spec.load import find_root, load_project

    try:
        project = load_project(find_root(Path(_directory(ctx))))
    except (PinyonError, OSError):
        return []
    return _items(list(project.settings.get("experiments", {})), begun)


def model_names(ctx: click.Context, _: click.Parameter, begun: str) -> list[CompletionItem]:
    """Models; and of one of them the versions and names, once somebody has written ``@``."""
    from contextlib import ExitStack

    from pinyon.errors import PinyonError
    from pinyon.registry.registry import Registry
    from pinyon.session import open_records

    try:
        with ExitStack() as stack:
            registry = Registry(open_records(Path(_directory(ctx)), stack).store)
            name, at, _which = begun.partition("@")
            if not at:
                return _items(registry.names(), begun)
            model = registry.model(name)
    except (PinyonError, OSError):
        return []
    known = [*sorted(model.aliases), *(str(one.number) for one in reversed(model.versions))]
    return _items([f"{name}@{which}" for which in known], begun)


def run_names(ctx: click.Context, parameter: click.Parameter, begun: str) -> list[CompletionItem]:
    """Stages; and ids of runs, the newest first, once somebody begins one with ``r-``."""
    if not begun.startswith(("r-", "r", "a-")):
        return stage_names(ctx, parameter, begun)
    return [*_runs(_directory(ctx), begun), *stage_names(ctx, parameter, begun)]


def watched_names(ctx: click.Context, parameter: click.Parameter, begun: str) -> list[CompletionItem]:
    """Runs and stages, and experiments."""
    found = [*run_names(ctx, parameter, begun), *experiment_names(ctx, parameter, begun)]
    return list({item.value: item for item in found}.values())


def state_names(ctx: click.Context, _: click.Parameter, begun: str) -> list[CompletionItem]:
    """Branches and tags of git, and ids of runs once somebody begins one."""
    from pinyon.capture.revision import names

    directory = _directory(ctx)
    return [
        *_runs(directory, begun if begun.startswith("r") else "\0"),
        *_items(names(Path(directory)), begun),
    ]


def _directory(ctx: click.Context) -> str:
    return str(ctx.find_root().params.get("directory") or ".")


def _items(names: list[str], begun: str) -> list[CompletionItem]:
    return [CompletionItem(name) for name in names if name.startswith(begun)]


def _stages(directory: str) -> list[str]:
    """Whatever goes wrong, a shell that completes must not print a word of it."""
    from pinyon.errors import PinyonError
    from pinyon.model.project import Goal
    from pinyon.session import load
    from pinyon.spec.load import find_root, load_project

    try:
        project = load_project(find_root(Path(directory)))
    except (PinyonError, OSError):
        return []
    experiments = list(project.settings.get("experiments", {}))
    try:
        return [task.stage.name for task in load(project, Goal())[0].tasks.values()] + experiments
    except (PinyonError, OSError):
        return [template.name for template in project.stages] + experiments


def _runs(directory: str, begun: str) -> list[CompletionItem]:
    from contextlib import ExitStack

    from pinyon.errors import PinyonError
    from pinyon.session import open_records

    try:
        with ExitStack() as stack:
            found = open_records(Path(directory), stack).fold.newest_keys(_MOST)
    except (PinyonError, OSError):
        return []
    rows = [(f"r-{key[:16]}", stage) for key, stage in found]
    return [CompletionItem(name, help=stage) for name, stage in rows if name.startswith(begun)]
