"""`query`, `compact`, `compare` and the filters of `runs`, as a person calls them."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys

import pytest

PIPELINE = """\
stages:
  train:
    matrix: {size: [1, 2], seed: [0, 1, 2]}
    cmd: >-
      echo '{"loss":0.${item.seed}${item.size},"accuracy":0.${item.size}${item.seed}}' > ${item.size}-${item.seed}.json
    params: [lr]
    metrics: ['${item.size}-${item.seed}.json']
"""


@pytest.fixture
def trained(empty):
    empty.fill({"pinyon.yaml": PIPELINE, "params.yaml": "lr: 0.5\nnote: x\n"})
    empty.good("run", "-j", "2")
    return empty


def stages(ended):
    return [row["stage"] for row in ended.json()]


def test_runs_are_filtered_sorted_and_limited(trained):
    best = trained.good("runs", "--sort", "-accuracy", "--limit", "2", "--json")
    assert stages(best) == ["train@2-2", "train@2-1"]
    some = trained.good(
        "runs", "--where", "accuracy < 0.2 and params.lr = 0.5 and not stage = train@1-0", "--json"
    )
    assert sorted(stages(some)) == ["train@1-1", "train@1-2"]
    shown = trained.good(
        "runs", "--sort", "loss", "--limit", "1", "--columns", "stage,loss,params.lr,tag.x"
    ).out
    assert shown.splitlines() == ["stage      loss  params.lr  tag.x", "train@1-0  0.01  0.5        -"]
    assert "no runs meet this" in trained.good("runs", "--where", "accuracy > 1").out


def test_a_mistake_in_a_condition_has_a_caret(trained):
    before = trained.snapshot()
    ended = trained("runs", "--where", "stage = train@1-0 and acuracy > 1")
    assert ended.code == 3
    assert "did you mean accuracy?" in ended.err
    assert ended.err.splitlines()[2].index("^") == 2 + len("stage = train@1-0 and ")
    assert trained("runs", "--where", "accuracy >").code == 3
    assert trained("runs", "--where", "accuracy >", "--json").json()["error"] == "PlanError"
    assert trained.snapshot() == before


def test_runs_need_no_duckdb(trained):
    code = "import sys; sys.modules['duckdb'] = None; from pinyon.cli import main; main()"
    trained.good("runs", "--sort", "-accuracy", "--where", "loss > 0", "--json")
    command = [sys.executable, "-c", code, "runs", "--where", "accuracy > 0.2", "--json"]
    done = subprocess.run(
        command, cwd=trained.root, env=trained.env, capture_output=True, text=True, timeout=60
    )
    assert len(json.loads(done.stdout)) == 2
    command = [sys.executable, "-c", code, "query", "select 1"]
    done = subprocess.run(
        command, cwd=trained.root, env=trained.env, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 3
    assert "pip install 'pinyon[sql]'" in done.stderr


SQL = """
select stage, last, 'nan'::double as odd, goal from summary join runs using (run), executions
where metric = 'accuracy' order by 2 limit 2
"""


def test_a_query_as_a_table_as_json_and_as_csv(trained):
    shown = trained.good("query", SQL).out
    assert "train@1-0" in shown
    assert "NaN" in shown
    assert shown.endswith("2 rows\n")
    rows = trained.good("query", SQL, "--json").json()
    assert [(row["stage"], row["last"], row["odd"]) for row in rows] == [
        ("train@1-0", 0.1, "NaN"),
        ("train@1-1", 0.11, "NaN"),
    ]
    assert isinstance(rows[0]["goal"], dict)
    table = list(csv.DictReader(io.StringIO(trained.good("query", SQL, "--csv").out)))
    assert [(row["stage"], row["last"], row["odd"]) for row in table] == [
        ("train@1-0", "0.1", "NaN"),
        ("train@1-1", "0.11", "NaN"),
    ]
    assert trained.good("query", "-", "--csv", input="select 1 as one").out == "one\n1\n"
    assert trained.good("query", "select 1 as a, 2 as a where false", "--json").json() == []
    assert trained.good("query", "select 1 as a, 2 as a", "--json").json() == [{"a": 1, "a_2": 2}]


def test_nothing_is_said_beside_the_answer(trained):
    code = "import atexit, gc; atexit.register(gc.freeze); from pinyon.cli import main; main()"
    for words in (["query", "select 1", "--json"], ["compact"]):
        command = [sys.executable, "-c", code, *words]
        done = subprocess.run(
            command, cwd=trained.root, env=trained.env, capture_output=True, text=True, timeout=60
        )
        assert (done.returncode, done.stderr) == (0, "")


def test_a_long_answer_is_cut_for_people_only(trained):
    sql = "select range as n from range(3000)"
    assert "the first 200 rows" in trained.good("query", sql).out
    assert len(trained.good("query", sql, "--json").json()) == 3000
    assert len(trained.good("query", sql, "--csv").out.splitlines()) == 3001


def test_the_contract_can_be_looked_up(empty):
    assert "runs: run VARCHAR" in empty.good("query", "--tables").out
    assert empty.good("query", "--tables", "--json").json()["refs"]["version"] == "INTEGER"


@pytest.mark.parametrize(
    ("sql", "code", "message"),
    [
        ("drop table runs", 3, "exactly one SELECT"),
        ("select * from rums", 3, "did you mean runs?"),
        ("select * from read_csv('/etc/passwd')", 3, "reads the tables and nothing else"),
        ("select count(*) from range(100000000000) a, range(1000) b", 4, "longer than 0.2 s"),
        ("", 3, "there is no query"),
    ],
)
def test_what_is_refused_is_told_in_one_breath_and_changes_nothing(trained, sql, code, message):
    trained.good("query", "select 1")
    before = trained.snapshot()
    ended = trained("query", "--timeout", "0.2", sql)
    assert (ended.code, message in ended.err) == (code, True), ended
    assert "→" in ended.err
    assert trained.snapshot() == before
    assert trained("query", "--timeout", "0.2", sql, "--json").json()["exit_code"] == code


def test_names_cannot_command_the_terminal(empty):
    empty.fill(
        {
            "pinyon.yaml": "stages:\n  s:\n    cmd: python make.py\n    metrics: [m.json]\n",
            "make.py": "import json; json.dump({'a\\x1b[31m[bold]': 1}, open('m.json', 'w'))\n",
        }
    )
    empty.good("run")
    for arguments in (
        ["query", "select metric, text from summary"],
        ["runs"],
        ["compare", "s"],
    ):
        out = empty.good(*arguments).out
        assert "\x1b" not in out.replace("\x1b[1m", "").replace("\x1b[0m", ""), arguments
        assert "\\x1b" in out
    assert "[bold]" in empty.good("query", "select metric from summary").out


def test_compaction_is_seen_in_nothing_but_its_files(trained):
    sql = "select * from events order by writer, seq"
    before = trained.good("query", sql, "--json").json()
    done = trained.good("compact", "--json").json()
    assert [file["table"] for file in done["files"]] == ["events"]
    assert trained.good("query", sql, "--json").json() == before
    assert trained.good("compact").out == "nothing to compact\n"
    assert trained.good("verify").code == 0
    assert trained.good("gc", "--dry-run", "--json").json()["condemned"] == {}


def test_compare_shows_what_differs(trained):
    out = trained.good("compare", "train@1-*", "train@2-*").out.splitlines()
    assert out[0].split("  ")[0] == ""
    assert "train@1-* (3 runs)" in out[0]
    rows = {line.split()[0]: line for line in out[1:]}
    assert "0.11 ± 0.025 (n=3)" in rows["accuracy"]
    assert "0.21 ± 0.025 (n=3) ▲" in rows["accuracy"]
    assert "≈" in rows["loss"]
    assert "lr" not in rows
    assert "lr" in trained.good("compare", "train@1-0", "train@2-0", "--all").out
    found = trained.good("compare", "train@1-0", "train@2-0", "--json").json()
    assert found["metrics"]["accuracy"]["sides"][1]["verdict"] == "better"
    markdown = trained.good("compare", "train@1-*", "train@2-*", "--md").out.splitlines()
    assert markdown[0] == "|  | train@1-\\* (3 runs) | train@2-\\* (3 runs) |"
    assert markdown[1] == "| --- | --- | --- |"


def test_compare_groups_by_a_value(trained):
    out = trained.good("compare", "--group", "params.lr", "--where", "accuracy > 0.1").out
    assert "params.lr=0.5 (5 runs)" in out
    assert trained("compare").code == 3
    assert "there is nothing to compare" in trained("compare").err
    assert "did you mean params.lr?" in trained("compare", "--group", "params.rl").err
