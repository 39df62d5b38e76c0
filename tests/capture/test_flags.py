"""What commands tell of themselves: help texts of many hands, asked for once, and never for longer than is good."""

from __future__ import annotations

import os
import sys
import textwrap
import time
from pathlib import Path

import pytest

from pinyon.capture.flags import Flags
from pinyon.capture.helptext import flags_in
from pinyon.errors import PlanError
from pinyon.model.flags import Flag
from pinyon.model.graph import Command

# As argparse of each Python printed it for one and the same parser, in a window of 1,000 columns.
USAGE = (
    "usage: t.py [-h] [-l LR] [--model.hidden-size N] [--a_very_long_option_name METAVAR] [--xs XS [XS ...]]"
    " [--ys [YS ...]] [--xy X Y] [--pair P P] [--ckpt [CKPT]] [--opt {sgd,adam w}] [--opts {a,b} [{a,b} ...]]"
    " [--amp | --no-amp] [-v] [-q] [--rest ...] --req REQ data\n\n"
    "Train.\n  --fake X   not an option\n\npositional arguments:\n  data\n\n"
)
OPTIONS = {
    "3.9": (
        "optional arguments:",
        "  -l LR, --lr LR        rate (default: 0.1)",
        "  --amp, --no-amp       mixed (default: True)",
    ),
    "3.10": (
        "options:",
        "  -l LR, --lr LR        rate (default: 0.1)",
        "  --amp, --no-amp       mixed (default: True)",
    ),
    "3.12": ("options:", "  -l LR, --lr LR        rate (default: 0.1)", "  --amp, --no-amp       mixed"),
    "3.13": ("options:", "  -l, --lr LR           rate (default: 0.1)", "  --amp, --no-amp       mixed"),
}
REST = """\
  --model.hidden-size N
  --a_very_long_option_name METAVAR
                        it has a line
                        of its own [default: x]
  --xs XS [XS ...]
  --ys [YS ...]
  --xy X Y
  --pair P P
  --ckpt [CKPT]
  --opt {sgd,adam w}
  --opts {a,b} [{a,b} ...]
  -v, --verbose
  -q
  --rest ...

more:
  --req REQ

example: t.py --lr 3
"""


@pytest.mark.parametrize("version", OPTIONS)
def test_the_help_of_every_python_tells_the_same(version: str) -> None:
    title, lr, amp = OPTIONS[version]
    found = flags_in(
        f"{USAGE}{title}\n  -h, --help            show this help message and exit\n{lr}\n{amp}\n{REST}"
    )
    assert found == (
        Flag("lr", ("--lr", "-l"), default="0.1"),
        Flag("amp", ("--amp",), 0, 0, "--no-amp", default="True" if "default" in amp else None),
        Flag("model.hidden-size", ("--model.hidden-size",)),
        Flag("a_very_long_option_name", ("--a_very_long_option_name",), default="x"),
        Flag("xs", ("--xs",), 1, None),
        Flag("ys", ("--ys",), 0, None),
        Flag("xy", ("--xy",), 1, 2),  # two values, or one whose placeholder holds a space
        Flag("pair", ("--pair",), 2, 2),
        Flag("ckpt", ("--ckpt",), 0, 1),
        Flag("opt", ("--opt",), choices=("sgd", "adam w")),
        Flag("opts", ("--opts",), 1, None, choices=("a", "b")),
        Flag("verbose", ("--verbose", "-v"), 0, 0),
        Flag("q", ("-q",), 0, 0),
        Flag("rest", ("--rest",), 0, None),
        Flag("req", ("--req",)),
    )


CLICK = """\
Usage: cl.py [OPTIONS]

Options:
  -l, --lr FLOAT     step  [default: 0.1]
  --shout / --quiet
  --amp / --no-amp
  --opt [sgd|adam]
  --xy FLOAT...
  --old <FLOAT FLOAT>...
  --n INTEGER RANGE  [1<=x<=5]
  --fast             very long help that is broken into several lines
                     because it is too long for one
  --help             Show this message and exit.
"""
TYPER = """\
 Usage: t.py [OPTIONS]

╭─ Options ────────────────────────────────────╮
│ *  --lr          FLOAT  step [required]       │
│    --amp  --no-amp      mixed [default: amp]  │
│    --help               Show this message.    │
╰──────────────────────────────────────────────╯
"""


def test_click_tells_too() -> None:
    assert flags_in(CLICK) == (
        Flag("lr", ("--lr", "-l"), default="0.1"),
        Flag("shout", ("--shout",), 0, 0, "--quiet"),
        Flag("amp", ("--amp",), 0, 0, "--no-amp"),
        Flag("opt", ("--opt",), choices=("sgd", "adam")),
        Flag("xy", ("--xy",), 1, None),
        Flag("old", ("--old",), 2, 2),
        Flag("n", ("--n",)),
        Flag("fast", ("--fast",), 0, 0),
    )


def test_a_simple_help_of_typers_too() -> None:
    assert [flag.name for flag in flags_in(TYPER)] == ["lr", "amp"]


@pytest.mark.parametrize(
    "text", ["", "no help at all", "usage: x [-h]\n", "  -- \n  -\n  --=3\n  - item\n", "--a" * 1000]
)
def test_what_is_no_help_tells_nothing(text: str) -> None:
    assert flags_in(text) == ()


# -- asking ------------------------------------------------------------------------------------------------------------


class Script:
    """A script in a project that counts how often it is started."""

    def __init__(self, root: Path, body: str) -> None:
        self.root = root
        self.write(body)

    def write(self, body: str) -> None:
        text = "import sys, os\nopen('started', 'a').write('x')\n" + textwrap.dedent(body)
        (self.root / "train.py").write_text(text)

    def ask(self, *, seconds: float = 10.0, files: tuple[str, ...] = ("train.py",)) -> list[str]:
        """The flags, asked by a process that has just begun."""
        asked = Flags(str(self.root), str(self.root / "cache" / "flags"))
        command = Command("exec", (sys.executable, "train.py", "--help"))
        found = asked.of(command, ".", files, seconds)
        asked.close()
        return [flag.name for flag in found]

    @property
    def starts(self) -> int:
        return len((self.root / "started").read_text())


ARGPARSE = "import argparse\np = argparse.ArgumentParser()\np.add_argument('--lr')\np.parse_args()\n"


def test_a_command_is_asked_again_only_when_its_files_changed(tmp_path: Path) -> None:
    script = Script(tmp_path, ARGPARSE)
    (tmp_path / "options.py").write_text("")
    both = ("train.py", "options.py")
    assert [script.ask(files=both), script.ask(files=both)] == [["lr"], ["lr"]]
    assert script.starts == 1
    os.utime(tmp_path / "train.py", (1, 1))
    assert script.ask(files=both) == ["lr"]
    assert script.starts == 1
    (tmp_path / "options.py").write_text("x = 1")
    assert script.ask(files=both) == ["lr"]
    assert script.starts == 2
    script.write(ARGPARSE.replace("--lr", "--rate"))
    assert script.ask(files=both) == ["rate"]
    (tmp_path / "cache" / "flags").write_bytes(b"rubbish")
    assert script.ask(files=both) == ["rate"]


def test_a_plan_leaves_nothing_and_nobody_types(tmp_path: Path) -> None:
    (tmp_path / "shared.py").write_text("")
    script = Script(
        tmp_path, f"import shared\nassert not sys.stdin.read()\nassert not sys.stdout.isatty()\n{ARGPARSE}"
    )
    assert script.ask() == ["lr"]
    assert not (tmp_path / "__pycache__").exists()


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("sys.exit('cannot import torch')", "failed with exit code 1; cannot import torch"),
        ("print('hello')", "tells of no flags"),
        ("import time; time.sleep(60)", "has not ended after 0.5 s"),
        ("print('x' * 2_000_000, flush=True); import time; time.sleep(60)", "has not ended"),
    ],
)
def test_a_command_that_does_not_tell_is_no_answer(tmp_path: Path, body: str, why: str) -> None:
    script = Script(tmp_path, body)
    for _ in range(2):  # a failure is not remembered: a library may be installed meanwhile
        with pytest.raises(PlanError, match=why) as caught:
            script.ask(seconds=0.5 if "sleep" in body else 10.0)
    assert "args: {argparse:" in caught.value.next
    assert script.starts == 2


def test_what_a_command_has_started_ends_with_it(tmp_path: Path) -> None:
    body = "import subprocess\nchild = subprocess.Popen(['sleep', '60'])\nopen('child', 'w').write(str(child.pid))\n"
    script = Script(tmp_path, body + ARGPARSE)
    began = time.monotonic()
    assert script.ask(seconds=60.0) == ["lr"]
    pid = int((tmp_path / "child").read_text())
    while Path(f"/proc/{pid}/stat").exists() and "Z" not in Path(f"/proc/{pid}/stat").read_text().split()[2]:
        assert time.monotonic() < began + 30, "it lives on"
        time.sleep(0.02)


def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="'nowhere --help' cannot be started"):
        Flags(str(tmp_path), str(tmp_path / "c")).of(Command("exec", ("nowhere", "--help")), ".", ())


def test_a_shell_line_is_asked_by_a_shell(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    Script(tmp_path / "src", ARGPARSE)
    command = Command("shell", (f"cd src && {sys.executable} train.py --help",))
    assert [flag.name for flag in Flags(str(tmp_path), str(tmp_path / "c")).of(command, ".", ())] == ["lr"]
