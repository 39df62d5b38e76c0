"""Parameter files of five kinds to plain data, and back for the two kinds that can be written safely."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from typing import Any

from pinyon.errors import SpecError
from pinyon.spec.checks import nearest
from pinyon.spec.files import CODE_LIMIT, DEPTH, DIGITS, NODES, PARAMS_LIMIT, PROJECT_LIMIT, decode


def parse_params(raw: bytes, file: str) -> Any:
    """The data of a parameter file, by the ending of its name; an empty file is an empty mapping.

    ``.yaml`` and ``.yml`` are YAML 1.2. ``.toml`` dates become text in ISO form. Of ``.py``, assignments of literals
    count, at the top, in classes and to ``self`` in ``__init__``; it is never executed. NaN and infinities pass.

    Raises:
        SpecError: not of the kind its name says, too large, too deep, or of no known kind; with file and line.
    """
    data = _reader(file)(raw, file)
    return {} if data is None else data


def write_params(data: Any, format: str) -> bytes:
    """Plain data as the bytes of a parameter file; ``format`` is ``yaml`` (or ``yml``) or ``json``.

    Raises:
        SpecError: another format. TOML and Python cannot be rewritten without losing what else stands in the file.
    """
    kind = format.lower().lstrip(".")
    if kind in ("yaml", "yml"):
        from pinyon.spec.yaml import dump_yaml

        return dump_yaml(data)
    if kind == "json":
        return (json.dumps(data, indent=2, ensure_ascii=False) + "\n").encode()
    raise SpecError(
        f"a .{kind} parameter file cannot be written",
        why="only .yaml, .yml and .json can",
        next="keep the parameters that change in params.yaml",
    )


def _reader(file: str) -> Callable[[bytes, str], Any]:
    name = file.rpartition("/")[2]
    ending = f".{name.rpartition('.')[2].lower()}" if "." in name else ""
    if ending not in _READERS:
        raise SpecError(
            f"parameters cannot be read from a file that ends in '{ending[:20]}'",
            where=file,
            why=f"allowed are {', '.join(_READERS)}",
            next=nearest(ending, _READERS),
        )
    return _READERS[ending]


def _yaml(raw: bytes, file: str) -> Any:
    from pinyon.spec.yaml import load_yaml

    return load_yaml(raw, file, PARAMS_LIMIT).data


class _TwiceError(ValueError):
    """A key that stands twice in one object."""


def _json(raw: bytes, file: str) -> Any:
    text = decode(raw, file, PARAMS_LIMIT)
    if not text.strip():
        return None
    try:
        data = json.loads(text, object_pairs_hook=_unique)
    except json.JSONDecodeError as error:
        raise SpecError(f"not JSON: {error.msg}", where=f"{file}:{error.lineno}") from None
    except _TwiceError as error:
        key = str(error)
        places = [match.start() for match in re.finditer(re.escape(json.dumps(key)) + r"\s*:", text)]
        # A third one may belong to another object, and then nobody knows which two are meant.
        line = f":{text.count(chr(10), 0, places[1]) + 1}" if len(places) == 2 else ""
        raise SpecError(
            f"the key '{key}' stands twice in one object", where=f"{file}{line}", next="remove one of them"
        ) from None
    except ValueError:  # an integer that Python refuses to read
        raise _too_long(file) from None
    except RecursionError:
        raise _too_deep(file) from None
    return _plain(data, file)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) < len(pairs):
        seen: set[str] = set()
        raise _TwiceError(next(key for key, _ in pairs if key in seen or seen.add(key)))  # type: ignore[func-returns-value]
    return data


# tomllib takes quadratic time over the parts of a dotted key, so such a key is refused before it looks.
_LONG_KEY = re.compile(
    rf"""(?<![\w"'-])(?:(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+){{{DEPTH}}}""", re.ASCII
)


def _toml(raw: bytes, file: str) -> Any:
    import tomllib

    text = decode(raw, file, PROJECT_LIMIT)
    if found := _LONG_KEY.search(text):
        raise _too_deep(f"{file}:{text.count(chr(10), 0, found.start()) + 1}")
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        what, _, place = str(error).partition(" (at ")
        line = re.match(r"line (\d+)", place)
        last = text.count("\n") + 1
        raise SpecError(f"not TOML: {what}", where=f"{file}:{line[1] if line else last}") from None
    except ValueError:
        raise _too_long(file) from None
    except RecursionError:
        raise _too_deep(file) from None
    return _plain(data, file)


def _python(raw: bytes, file: str) -> Any:
    from pinyon.spec.literals import literals

    return _plain(literals(decode(raw, file, CODE_LIMIT), file), file)


_READERS: dict[str, Callable[[bytes, str], Any]] = {
    ".yaml": _yaml,
    ".yml": _yaml,
    ".json": _json,
    ".toml": _toml,
    ".py": _python,
}


def _plain(data: Any, file: str) -> Any:
    """The same data with lists for tuples and sets and text for dates, within the bounds that YAML has too."""
    count = 0

    def visit(value: Any, depth: int) -> Any:
        nonlocal count
        count += 1
        if count > NODES:
            raise SpecError(f"more than {NODES:,} values", where=file)
        if isinstance(value, (dict, list, tuple, set)) and depth >= DEPTH:
            raise _too_deep(file)
        if isinstance(value, dict):
            return {visit(key, depth): visit(entry, depth + 1) for key, entry in value.items()}
        if isinstance(value, (list, tuple)):
            return [visit(entry, depth + 1) for entry in value]
        if isinstance(value, set):
            return [visit(entry, depth + 1) for entry in _sorted(value)]
        return _scalar(value, file)

    return visit(data, 0)


def _sorted(values: Iterable[Any]) -> list[Any]:
    """A set has no order, and its iteration changes from process to process: a digest would too."""
    return sorted(values, key=lambda value: (type(value).__name__, repr(value)))


def _scalar(value: Any, file: str) -> Any:
    if isinstance(value, str):
        if not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
            raise SpecError(
                f"{ascii(value)[:60]} is not text", where=file, why="half of a surrogate pair stands alone"
            )
        return value
    if isinstance(value, int) and value.bit_length() > DIGITS * 4:
        raise _too_long(file)
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if hasattr(value, "isoformat"):
        return value.isoformat()
    raise SpecError(
        f"a value of type {type(value).__name__} is no parameter", where=file, next="write text or a number"
    )


def _too_long(file: str) -> SpecError:
    return SpecError(f"an integer is too long; {DIGITS:,} digits are allowed", where=file)


def _too_deep(where: str) -> SpecError:
    return SpecError(f"values lie more than {DEPTH} deep in each other", where=where)
