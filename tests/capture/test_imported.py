"""What Python imports of the project's own: found by parsing, as Python would find it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pinyon.capture.imports import Imported, Imports
from pinyon.model.graph import Command, Stage

OLD = 1_600_000_000  # seconds; long before the test


def fill(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
        os.utime(root / name, (OLD, OLD))


def imported(root: Path, *lines: str, wdir: str = ".") -> Imported:
    return Imports(str(root), str(root / "cache")).of(
        Stage("train", Command("shell", lines), wdir, (), (), ())
    )


FILES = {
    "train.py": "import a, os.path\nfrom pkg.sub import thing, other\nimport numpy as np\n",
    "a.py": "def f():\n    import late\n",
    "late.py": "import a\n",
    "pkg/__init__.py": "from . import base\n",
    "pkg/base.py": "",
    "pkg/never.py": "",
    "pkg/sub/__init__.py": "from ..deep.er import *\n",
    "pkg/sub/thing.py": "from .. import twin\n",
    "pkg/twin.py": "",
    "pkg/deep/er.py": "",
    "unused.py": "",
}


def test_what_is_reached_is_found_and_nothing_else(tmp_path):
    fill(tmp_path, FILES)
    assert imported(tmp_path, "python train.py") == Imported(
        tuple(sorted(FILES.keys() - {"pkg/never.py", "unused.py"}))
    )


@pytest.mark.parametrize(
    ("files", "command", "wdir", "found"),
    [
        ({"src/lib/__init__.py": "", "x.py": "import lib"}, "python x.py", ".", ["src/lib/__init__.py", "x.py"]),
        ({"s/x.py": "import h", "s/h.py": "", "h.py": ""}, "python s/x.py", ".", ["s/h.py", "s/x.py"]),
        ({"s/x.py": "import h", "h.py": ""}, "python s/x.py", ".", ["h.py", "s/x.py"]),
        ({"s/x.py": "import h", "s/h.py": ""}, "python x.py", "s", ["s/h.py", "s/x.py"]),
        ({"p/__init__.py": "", "p/__main__.py": "import h", "h.py": ""}, "python -m p", ".",
         ["h.py", "p/__init__.py", "p/__main__.py"]),
        ({"p/__init__.py": "", "p/m.py": "from .n import z", "p/n.py": ""}, "python -m p.m", ".",
         ["p/__init__.py", "p/m.py", "p/n.py"]),
        ({"lib/h.py": "", "x.py": "import h"}, "PYTHONPATH=lib python x.py", ".", ["lib/h.py", "x.py"]),
        ({"h.py": ""}, "python -c 'import h'", ".", ["h.py"]),
        ({"json.py": "", "s/x.py": "import json"}, "python s/x.py", ".", ["s/x.py"]),
        ({"s/json.py": "", "s/x.py": "import json"}, "python s/x.py", ".", ["s/json.py", "s/x.py"]),
        ({"x.py": "import importlib as i\ni.import_module('p.m')", "p/m.py": ""}, "python x.py", ".", ["p/m.py", "x.py"]),
        ({"x.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n import h\nelse:\n import k",
          "h.py": "", "k.py": ""}, "python x.py", ".", ["k.py", "x.py"]),
        ({"x.py": "try:\n import h\nexcept ImportError:\n pass", "h.py": ""}, "python x.py", ".", ["h.py", "x.py"]),
        ({"x.py": "import datasets", "datasets/raw.csv": ""}, "python x.py", ".", ["x.py"]),
        ({"x.py": "from . import h", "h.py": ""}, "python x.py", ".", ["h.py", "x.py"]),
        ({"x.py": "import h.k", "h.py": ""}, "python x.py", ".", ["h.py", "x.py"]),
        ({"other.py": ""}, "python x.py; python ../other.py; python -m nowhere", ".", []),
        ({"train.sh": "python x.py", "x.py": ""}, "sh train.sh", ".", []),
    ],
)  # fmt: skip
def test_where_modules_are_looked_for(tmp_path, files, command, wdir, found):
    fill(tmp_path, files)
    assert list(imported(tmp_path, command, wdir=wdir).files) == found


@pytest.mark.parametrize(
    "text", ["def (", "x = '\0'", "(" * 5000, "\xff", "print 'old'", "-" * 100_000 + "1"]
)
def test_what_cannot_be_parsed_is_itself_known_and_named(tmp_path, text):
    fill(tmp_path, {"x.py": "import bad", "bad.py": ""})
    (tmp_path / "bad.py").write_bytes(text.encode("latin-1"))
    assert imported(tmp_path, "python x.py") == Imported(("bad.py", "x.py"), ("bad.py",))


def test_nobodys_warnings_are_ours(tmp_path):
    fill(tmp_path, {"x.py": "import h\nprint('\\d')\n1 is 1\n", "h.py": ""})
    assert imported(tmp_path, "python x.py").files == ("h.py", "x.py")


def test_nothing_is_executed(tmp_path):
    fill(tmp_path, {"x.py": "import h\nopen('seen', 'w')\n", "h.py": "open('seen', 'w')"})
    imported(tmp_path, "python x.py", "python -c \"open('seen', 'w')\"")
    assert not (tmp_path / "seen").exists()


def test_without_python_nothing_is_read(tmp_path):
    imports = Imports(str(tmp_path), str(tmp_path / "cache"))
    assert imports.of(Stage("s", Command("shell", ("make all",)), ".", (), (), ())) == Imported()
    imports.close()
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_looks_the_same_is_not_parsed_again(tmp_path, monkeypatch):
    fill(tmp_path, {"x.py": "import h", "h.py": "import k", "k.py": ""})
    stage = Stage("s", Command("shell", ("python x.py",)), ".", (), (), ())
    monkeypatch.setattr(time, "time_ns", lambda: 2**62)  # everything has come to rest
    first = Imports(str(tmp_path), str(tmp_path / "cache/imports"))
    assert first.of(stage).files == ("h.py", "k.py", "x.py")
    first.close()
    parsed: list[bytes] = []
    monkeypatch.setattr("pinyon.capture.imports._parse", lambda source: parsed.append(source) or [])
    second = Imports(str(tmp_path), str(tmp_path / "cache/imports"))
    assert second.of(stage).files == ("h.py", "k.py", "x.py")
    assert parsed == []
    (tmp_path / "h.py").write_text("import none_of_it")
    third = Imports(str(tmp_path), str(tmp_path / "cache/imports"))
    assert third.of(stage).files == ("h.py", "x.py")
    assert parsed == [b"import none_of_it"]


@pytest.mark.parametrize("damage", [b"", b"nonsense", b"i\x01\x00\x00\x00"])
def test_a_spoilt_cache_is_no_cache(tmp_path, damage):
    fill(tmp_path, {"x.py": "import h", "h.py": ""})
    (tmp_path / "cache").write_bytes(damage)
    imports = Imports(str(tmp_path), str(tmp_path / "cache"))
    assert imports.of(Stage("s", Command("shell", ("python x.py",)), ".", (), (), ())).files == (
        "h.py",
        "x.py",
    )
    imports.close()


# -- Python itself is the judge -----------------------------------------------------------------------------------------

MODULES = ("a.py", "b.py", "p/__init__.py", "p/c.py", "p/q/__init__.py", "p/q/d.py", "n/e.py")
STATEMENTS = (
    "import a", "import b", "import p", "import p.c", "import p.q.d", "from p import c", "from p.q import d as z",
    "from n import e", "import n.e", "from p.c import *",
)  # fmt: skip
JUDGE = """
import os, sys
root = os.getcwd()
exec(compile(open("x.py").read(), "x.py", "exec"), {"__name__": "__main__"})
found = {getattr(m, "__file__", None) for m in list(sys.modules.values())}
print("\\n".join(sorted(os.path.relpath(f, root) for f in found if f and f.startswith(root + "/"))))
"""


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.sampled_from(MODULES), st.lists(st.sampled_from(STATEMENTS), max_size=2)),
       st.lists(st.sampled_from(STATEMENTS), min_size=1, max_size=3))  # fmt: skip
def test_python_loads_the_same_files(tmp_path_factory, modules, statements):
    root = tmp_path_factory.mktemp("project")
    lines = {name: modules.get(name, []) for name in MODULES}
    fill(root, {name: "\n".join(body) for name, body in lines.items()} | {"x.py": "\n".join(statements)})
    argv = [sys.executable, "-S", "-E", "-B", "-c", JUDGE]
    done = subprocess.run(argv, cwd=root, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 or "partially initialized" in done.stderr, done.stderr
    if done.returncode == 0:
        assert imported(root, "python x.py").files == tuple(sorted([*done.stdout.split(), "x.py"]))
