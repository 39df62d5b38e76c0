"""`pinyon run -- COMMAND` from outside: the command is what it would be without us, and leaves a history."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

PYTHON = sys.executable
DUMP = "import json, sys\njson.dump(sys.argv[1:], open('argv.json', 'w'))\n"
TRAIN = """\
import json, sys
print("training")
json.dump({"loss": 0.25, "nested": {"f1": 0.5}}, open("metrics.json", "w"))
sys.exit(int(sys.argv[1]) if sys.argv[1:2] and sys.argv[1].isdigit() else 0)
"""
# FAULTS row 23: what a shell, an option parser, a globber or an interpolation would make something else of.
PAYLOADS = [
    "; rm -rf .", "&& touch owned", "|| touch owned", "| tee owned", "& touch owned", "> owned", "< /dev/null",
    ">> owned", "2>&1", "$(touch owned)", "`touch owned`", "$HOME", "${HOME}", "${params.lr}", "\\${HOME}", "$((1+1))",
    "$'\\n'", "!!", "~", "~root", "*", "?", "[a-z]*", "{a,b}", "**/*.py", "a b", " leading", "trailing ", "\ttab",
    "new\nline", "\n", "cr\r", "crlf\r\n", "", "''", '""', "'", '"', "\\", "\\\\", "\\n", "a'b\"c", "-", "--", "-n",
    "--json",
    "--help", "-f", "--name=x", "-d", "--lr=1", "-rf", "#comment", "%s%n", "é", "日本語", "\U0001f332", "\x1b[31m", "\x7f",
    "a=b", "=", "..", "/etc/passwd", "../../x", "NaN", "null", "- a", "key: value", "@file", "\u202e", "x" * 5000,
]  # fmt: skip


def test_the_payloads_are_many_and_different() -> None:
    assert len(set(PAYLOADS)) == len(PAYLOADS) >= 60


def received(project: Any, arguments: list[str]) -> Any:
    project.good("run", "--", PYTHON, "dump.py", *arguments)
    return json.loads(project.read("argv.json"))


def test_hostile_arguments_arrive_as_they_are(empty: Any) -> None:
    empty.write(dump_py=DUMP)
    assert received(empty, PAYLOADS) == PAYLOADS
    assert received(empty, PAYLOADS[::-1]) == PAYLOADS[::-1]
    assert sorted(os.listdir(empty.root)) == [".pinyon", "argv.json", "dump.py"]
    shown = empty.good("show", "@dump", "--json").json()
    assert shown["inputs"]["command"] == ["exec", PYTHON, "dump.py", *PAYLOADS[::-1]]


arguments = st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), max_size=6)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(arguments)
def test_any_argument_arrives_as_it_is(empty: Any, words: list[str]) -> None:
    empty.write(dump_py=DUMP)
    assert received(empty, words) == words


def test_an_argument_that_is_no_text_is_refused_before_anything_happens(empty: Any) -> None:
    ended = empty("run", "--", "echo", os.fsdecode(b"caf\xe9"))
    assert ended.code == 3
    assert "argument 2 of the command is not UTF-8 text: caf\\udce9" in ended.err
    assert empty.snapshot() == {}


def test_an_unchanged_script_has_a_history(empty: Any) -> None:
    empty.write(train_py=TRAIN)
    ended = empty.good(
        "run", "--", PYTHON, "train.py", "--lr", "3e-4", "--model.hidden", "64", "--amp", "x=y"
    )
    assert ended.out == "training\n"
    assert "done      @train  r-" in ended.err
    (row,) = empty.good("runs", "--json").json()
    assert row["stage"] == "@train"
    assert row["params"] == {"lr": 0.0003, "model.hidden": 64, "amp": True, "x": "y"}
    assert row["metrics"] == {"loss": 0.25, "nested.f1": 0.5}
    table = empty.good("runs").out
    assert "lr=0.0003  model.hidden=64  amp=true  x=y" in table
    assert "loss=0.25" in table
    assert empty.good("logs", "@train").out == "training\n"
    assert "flag      lr = 0.0003" in empty.good("show", "@train").out
    assert "last execution" in empty.good("status").out
    empty.good("verify")
    assert sorted(os.listdir(empty.root)) == [".pinyon", "metrics.json", "train.py"]


def test_each_time_is_a_run_of_its_own(empty: Any) -> None:
    for _ in range(3):
        empty.good("run", "--", "true")
    rows = empty.good("runs", "--json").json()
    assert len({row["run"] for row in rows}) == 3
    assert {row["attempts"] for row in rows} == {1}


def test_metrics_that_the_command_did_not_write_are_not_its_own(empty: Any) -> None:
    empty.write(metrics_json='{"old": 1}', scores_json='{"older": 2}')
    empty.good("run", "-m", "scores.json", "--", "true")
    empty.good(
        "run", "-m", "scores.json", "--name", "scored", "--", "sh", "-c", "echo '{\"new\": 3}' > scores.json"
    )
    first, second = empty.good("runs", "--json").json()
    assert first["metrics"] == {}
    assert (second["stage"], second["metrics"]) == ("@scored", {"new": 3})


@pytest.mark.parametrize(
    ("command", "code"), [(["exit 7"], 7), (["kill -9 $$"], 137), (["kill -TERM $$"], 143)]
)
def test_the_exit_code_is_the_commands_own(empty: Any, command: list[str], code: int) -> None:
    ended = empty("run", "--", "sh", "-c", *command)
    assert ended.code == code
    assert "FAILED    @sh" in ended.err
    (row,) = empty.good("runs", "--json").json()
    assert row["status"] == "FAILED"


def test_json_prints_the_run_and_nothing_else(empty: Any) -> None:
    empty.write(train_py=TRAIN)
    ended = empty("run", "--json", "--", PYTHON, "train.py", "5")
    assert ended.code == 5
    assert ended.json()["exit_code"] == 5
    assert ended.json()["stage"] == "@train"
    assert "training" in ended.err


def test_a_whole_line_belongs_to_the_shell(empty: Any) -> None:
    assert empty.good("run", "--", "echo one && echo two | tr a-z A-Z").out == "one\nTWO\n"
    assert empty("run", "--", "false || exit 4").code == 4
    (_, row) = empty.good("runs", "--json").json()
    assert row["exit_code"] == 4


def test_a_program_that_is_not_there(empty: Any) -> None:
    ended = empty("run", "--", "no-such-program", "x")
    assert ended.code == 4
    assert "there is no program 'no-such-program'" in ended.err


def test_it_runs_where_the_user_stands(project: Any) -> None:
    (project.root / "sub").mkdir()
    assert project.good("run", "--", "pwd", cwd=project.root / "sub").out == f"{project.root}/sub\n"
    assert project.good("-C", "sub", "run", "--", "pwd").out == f"{project.root}/sub\n"
    assert not (project.root / "sub/.pinyon").exists()
    assert [row["stage"] for row in project.good("runs", "--json").json()] == ["@pwd", "@pwd"]
    assert sorted(project.stages()) == ["prepare", "report", "side", "train"]


def test_below_a_store_without_a_yaml_the_same_store_is_used(empty: Any) -> None:
    empty.good("run", "--", "true")
    (empty.root / "sub").mkdir()
    empty.good("run", "--", "true", cwd=empty.root / "sub")
    assert len(empty.good("runs", "--json", cwd=empty.root / "sub").json()) == 2
    assert not (empty.root / "sub/.pinyon").exists()
    assert "pinyon init" in empty("run").err


def test_with_deps_and_outs_it_is_a_stage(empty: Any) -> None:
    empty.write(fit_py="import sys; open('model', 'w').write(open('data').read()); print('fitted')", data="1")
    call = ["run", "-d", "data", "-o", "model", "--", PYTHON, "fit.py", "--lr", "1"]
    assert empty.good(*call).out == "fitted\n"
    again = empty.good(*call)
    assert again.out == ""
    assert "unchanged @fit" in again.err
    (empty.root / "model").unlink()
    assert "reuse" in empty.good(*call).err
    assert empty.read("model") == "1"
    empty.write(data="2")
    assert empty.good(*call).out == "fitted\n"
    empty.fill({"fit.py": empty.read("fit.py") + "\n# corrected"})
    assert empty.good(*call).out == "fitted\n"
    assert empty.good("run", "-f", *call[1:]).out == "fitted\n"
    row = empty.good("runs", "--json").json()[-1]
    assert (row["params"], list(row["outputs"])) == ({"lr": 1}, ["model"])


def test_an_out_that_was_not_made_is_our_failure(empty: Any) -> None:
    ended = empty("run", "-o", "model", "--", "true")
    assert ended.code == 4
    assert "left no 'model'" in ended.err


WRONG = {
    "stages too": (["train", "--", "true"], 2, "only one of them"),
    "nothing after --": (["--"], 2, "no command after --"),
    "-d without a command": (["-d", "x"], 2, "are for a command"),
    "-S": (["-S", "a=1", "--", "true"], 2, "-S and --isolated are for stages"),
    "isolated": (["--isolated", "--", "true"], 2, "-S and --isolated are for stages"),
    "empty program": (["--", ""], 3, "the command is empty"),
    "blank line": (["--", " \n "], 3, "the command is empty"),
    "out outside": (["-o", "../x", "--", "true"], 3, "outs lie inside the project"),
    "out in the store": (["-o", ".pinyon/x", "--", "true"], 3, "that is where the store lies"),
    "dep is out": (["-d", "x", "-o", "x", "--", "true"], 3, "which it writes itself"),
    "absent dep": (["-d", "x", "--", "true"], 3, "depends on x, which does not exist"),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_call_changes_nothing(empty: Any, what: str) -> None:
    words, code, message = WRONG[what]
    ended = empty("run", *words)
    assert (ended.code, message in ended.err) == (code, True), ended
    assert not (empty.root / ".pinyon/format.json").exists()


def test_a_dry_run_runs_nothing(empty: Any) -> None:
    assert "@touch" in empty.good("run", "-n", "--", "touch", "made").out
    assert not (empty.root / "made").exists()
    assert not (empty.root / ".pinyon/format.json").exists()


def test_runs_in_an_empty_folder_says_what_to_do(empty: Any) -> None:
    ended = empty("runs")
    assert ended.code == 2
    assert "pinyon init" in ended.err
    assert "pinyon run -- python train.py" in ended.err


MEET = """\
import os, sys, time
open(sys.argv[1], "w").close()
while not os.path.exists(sys.argv[2]):
    time.sleep(0.01)
"""


def test_several_run_at_once_in_one_folder(empty: Any) -> None:
    """Each waits for the other, so one after the other they would never end."""
    empty.write(meet_py=MEET)
    both = [empty.start("run", "--", PYTHON, "meet.py", *names) for names in ("ab", "ba")]
    for process in both:
        assert process.wait(60) == 0, process.communicate()
    assert [row["status"] for row in empty.good("runs", "--json").json()] == ["SUCCEEDED"] * 2


def test_it_runs_beside_the_stages_of_the_project(empty: Any) -> None:
    empty.write(meet_py=MEET, pinyon_yaml=f"stages: {{wait: {{cmd: [{PYTHON}, meet.py, a, b], outs: [a]}}}}")
    stages = empty.start("run")
    empty.wait_for((empty.root / "a").exists)
    empty.good("run", "--", "touch", "b")
    assert stages.wait(60) == 0
    assert {row["stage"]: row["status"] for row in empty.good("runs", "--json").json()} == {
        "wait": "SUCCEEDED", "@touch": "SUCCEEDED",
    }  # fmt: skip


def test_it_leaves_the_attempts_of_stages_to_those_who_hold_the_lock(empty: Any) -> None:
    """The stage's supervisor is killed: its old out is put back by the next `run`, not by a command in passing."""
    empty.write(
        meet_py=MEET,
        a="old",
        pinyon_yaml=f"stages: {{wait: {{cmd: [{PYTHON}, meet.py, b, never], outs: [a]}}}}",
    )
    stages = empty.start("run")
    empty.wait_for((empty.root / "b").exists)
    stages.kill()
    os.kill(supervisor(empty, "wait"), signal.SIGKILL)
    empty.good("run", "--", "true")
    assert not (empty.root / "a").exists()
    assert empty.good("status", "--json").json()["open"][0]["status"] == "LOST"


def supervisor(project: Any, stage: str) -> int:
    shown = project.good("show", stage, "--json").json()
    return int(shown["history"][-1]["supervisor"][2])


def test_after_a_crash_the_next_one_cleans_up(empty: Any) -> None:
    empty.write(meet_py=MEET)
    first = empty.start("run", "--", PYTHON, "meet.py", "a", "never")
    empty.wait_for((empty.root / "a").exists)
    first.kill()
    os.kill(supervisor(empty, "@meet"), signal.SIGKILL)
    assert empty.leftovers()
    assert empty.good("runs", "--json").json()[0]["status"] == "LOST"
    ended = empty.good("run", "--", "true")
    assert "repair    @meet" in ended.err
    assert empty.leftovers() == []
    assert empty.good("status", "--json").json()["open"] == []


COUNT = """\
import os, time
count = 0
open("ready", "w").close()
try:
    while True:
        try:
            time.sleep(60)
        except KeyboardInterrupt:
            count += 1
            break
    time.sleep(0.3)  # a second one would come now
except KeyboardInterrupt:
    count += 1
open("count", "w").write(str(count))
"""


def test_ctrl_c_reaches_the_command_once_and_it_may_save_its_work(empty: Any) -> None:
    empty.write(count_py=COUNT)
    process = subprocess.Popen(
        [PYTHON, "-m", "pinyon.cli", "run", "--", PYTHON, "count.py"],
        cwd=empty.root, env=empty.env, start_new_session=True, stderr=subprocess.PIPE,
    )  # fmt: skip
    empty.wait_for((empty.root / "ready").exists)
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(60) == 130
    assert process.stderr is not None
    process.stderr.close()
    assert empty.read("count") == "1"
    assert empty.good("runs", "--json").json()[0]["status"] == "CANCELLED"


def test_a_terminal_that_is_closed_ends_only_what_is_shown(empty: Any) -> None:
    empty.write(meet_py=MEET)
    process = empty.start("run", "--", PYTHON, "meet.py", "a", "b")
    empty.wait_for((empty.root / "a").exists)
    process.send_signal(signal.SIGHUP)
    assert process.wait(60) == -signal.SIGHUP
    (empty.root / "b").touch()
    empty.wait_for(lambda: empty.good("runs", "--json").json()[0]["status"] == "SUCCEEDED")


LIVE = "import os, time\nprint('first')\nwhile not os.path.exists('seen'): time.sleep(0.01)\nprint('last')\n"


def test_on_a_terminal_output_appears_while_the_command_runs(empty: Any) -> None:
    """The script ends only when the test has seen its first line, which Python alone would have buffered."""
    empty.write(live_py=LIVE)
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [PYTHON, "-m", "pinyon.cli", "run", "--", PYTHON, "live.py"],
        cwd=empty.root, env=empty.env, stdin=theirs, stdout=theirs, stderr=theirs,
    )  # fmt: skip
    os.close(theirs)
    try:
        assert b"first\r\n" in read_until(ours, b"first")
        (empty.root / "seen").touch()
        rest = read_until(ours, b"done ")
        assert rest.index(b"last\r\n") < rest.index(b"done ")
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()
        os.close(ours)
    assert empty.good("logs", "@live").out == "first\nlast\n"


def read_until(fd: int, wanted: bytes) -> bytes:
    data, deadline = b"", time.monotonic() + 30
    while wanted not in data or not data.endswith(b"\n"):
        assert select.select([fd], [], [], deadline - time.monotonic())[0], data
        data += os.read(fd, 4096)
    return data


def test_a_reader_that_leaves_does_not_end_the_command(empty: Any) -> None:
    script = "for i in $(seq 20000); do echo line $i; done; touch finished"
    line = f"{PYTHON} -m pinyon.cli run -- sh -c '{script}' | head -1"
    done = subprocess.run(
        line, shell=True, cwd=empty.root, env=empty.env, capture_output=True, text=True, timeout=60
    )
    assert done.stdout == "line 1\n"
    assert Path(empty.root / "finished").exists()
    assert empty.good("logs", "@sh").out.count("\n") == 20000
