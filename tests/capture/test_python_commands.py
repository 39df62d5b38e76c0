"""Which Python a command starts, by its text alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinyon.capture.commands import Start, starts
from pinyon.model.graph import Command

X, Y = Start("script", "x.py"), Start("script", "y.py")


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("python x.py", [X]),
        ("/usr/bin/python3.12 -u -W ignore -X dev x.py --lr 1 y.py", [X]),
        ("python -um pkg.mod --fast", [Start("module", "pkg.mod")]),
        ("python -m torch.distributed.run --nproc-per-node 2 x.py", [Start("module", "torch.distributed.run"), X]),
        ("python -c 'import a'", [Start("code", "import a")]),
        ("python x.py > y.py 2>&1 | tee log", [X]),
        ("python x.py && python y.py || python x.py; true", [X, Y, X]),
        ("python x.py\npython \\\n  y.py", [X, Y]),
        ("cd sub && python x.py; cd ../b; ./y.py", [X._replace(folder="sub"), Y._replace(what="./y.py", folder="b")]),
        ("LR=1 PYTHONPATH=src:$PYTHONPATH:lib python x.py", [X._replace(search=("src", "lib"))]),
        ("env A=1 nohup nice -n 5 python x.py &", [X]),
        ("uv run --with rich x.py", [X]),
        ("uv run python -m pkg", [Start("module", "pkg")]),
        ("torchrun --standalone x.py y.py", [X]),
        ("torchrun -m pkg.train", [Start("module", "pkg.train")]),
        ("accelerate launch --num_processes 2 x.py", [X]),
        ("$PYTHON x.py", [X]),
        ("python 'a b.py'", [Start("script", "a b.py")]),
        ("python - < x.py", []),
        ("python", []),
        ("python -m", [Start("module", "")]),
        ("cp x.py y.py", []),
        ("make train", []),
        ("echo 'python", []),
        ("", []),
    ],
)  # fmt: skip
def test_a_shell_line(line, found):
    assert starts(Command("shell", (line,))) == found


def test_each_line_of_a_list_begins_anew():
    assert starts(Command("shell", ("cd sub", "python x.py"))) == [X]


def test_without_a_shell_there_are_no_operators():
    assert starts(Command("exec", ("python", "x.py", ";", "python", "y.py"))) == [X]


@given(st.text("python -m;&|'\"\\$ x.y\n<>=", max_size=40), st.sampled_from(["shell", "exec"]))
def test_no_text_is_too_strange(text, kind):
    for start in starts(Command(kind, (text,))):
        assert start.kind in ("script", "module", "code")
