"""Pinyon takes machine-learning experiments from code to deployed model, and forgets nothing on the way."""

__version__ = "0.1.0.dev0"

_LAZY = {
    "Audio": "track.media.sound",
    "ConfusionMatrix": "track.media.numeric",
    "EarlyStopping": "track.helpers",
    "Embedding": "track.media.embedding",
    "Histogram": "track.media.numeric",
    "Html": "track.media.text",
    "Image": "track.media.picture",
    "NanGuard": "track.helpers",
    "PRUNED": "track.prune",
    "Params": "track.params",
    "Run": "track.running",
    "Table": "track.media.table",
    "Text": "track.media.text",
    "Video": "track.media.sound",
    "run": "track.current",
    "runs": "session.table",
}


def __getattr__(name: str) -> object:
    """What scripts and notebooks use, imported when it is first asked for: every call of the command line imports us."""
    if name not in _LAZY:
        raise AttributeError(f"module 'pinyon' has no attribute '{name}'")
    import importlib  # by name, since every room imports this module and none may import others through it

    value = globals()[name] = getattr(importlib.import_module(f"pinyon.{_LAZY[name]}"), name)
    return value
