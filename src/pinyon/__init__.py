"""Pinyon takes machine-learning experiments from code to deployed model, and forgets nothing on the way."""

__version__ = "0.1.0.dev0"

_TRACK = {
    "Audio": "media.sound",
    "ConfusionMatrix": "media.numeric",
    "EarlyStopping": "helpers",
    "Embedding": "media.embedding",
    "Histogram": "media.numeric",
    "Html": "media.text",
    "Image": "media.picture",
    "NanGuard": "helpers",
    "PRUNED": "prune",
    "Params": "params",
    "Run": "running",
    "Table": "media.table",
    "Text": "media.text",
    "Video": "media.sound",
    "run": "current",
}


def __getattr__(name: str) -> object:
    """What training scripts use, imported when it is first asked for: every call of the command line imports us."""
    if name not in _TRACK:
        raise AttributeError(f"module 'pinyon' has no attribute '{name}'")
    import importlib  # by name, since every room imports this module and none may import track through it

    value = globals()[name] = getattr(importlib.import_module(f"pinyon.track.{_TRACK[name]}"), name)
    return value
