"""What `init` proposes for scripts, shell scripts, Makefiles and arrays: read, never run, and always a file that loads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pinyon.errors import SpecError
from pinyon.spec.adopt.array import read_array
from pinyon.spec.adopt.draft import Draft, Drafted, Entry, comments, render
from pinyon.spec.adopt.folder import from_scripts, sources
from pinyon.spec.adopt.look import Look
from pinyon.spec.adopt.makefile import read_makefile
from pinyon.spec.adopt.python import read_script
from pinyon.spec.adopt.sbatch import read_sbatch
from pinyon.spec.adopt.shell import read_shell
from pinyon.spec.adopt.table import read_table
from pinyon.spec.adopt.wire import wired
from pinyon.spec.yaml import load_yaml


def touched(code: str, **given: str) -> dict[str, str]:
    """Path → mode of what a script opens."""
    return {touch.entry.path: touch.mode for touch in read_script(code, given=given).touches}


TOUCHES: dict[str, dict[str, str]] = {
    "import pandas as pd; pd.read_csv('a/x.csv').to_parquet('y.parquet')": {"a/x.csv": "r", "y.parquet": "w"},
    "open('r'); open('w', 'w'); open('b', mode='rb'); open('x', 'xb')": {
        "r": "r",
        "w": "w",
        "b": "r",
        "x": "w",
    },
    "open('log', 'a'); open('both', 'r+')": {"log": "rw", "both": "rw"},
    "torch.save(model, 'm.pt'); torch.load('old.pt')": {"m.pt": "w", "old.pt": "r"},
    "np.save('a.npy', x); np.savez('b.npz', x=x); np.load('c.npy')": {
        "a.npy": "w",
        "b.npz": "w",
        "c.npy": "r",
    },
    "joblib.dump(model, 'm.joblib'); joblib.load('n.joblib')": {"m.joblib": "w", "n.joblib": "r"},
    "json.dump(x, open('m.json', 'w')); json.load(open('c.json'))": {"m.json": "w", "c.json": "r"},
    "from pathlib import Path\nPath('a').read_text(); Path('b').write_bytes(b'')": {"a": "r", "b": "w"},
    "D = Path('data')\n(D / 'x.csv').open(); open(D / 'y' / 'z', 'w')": {"data/x.csv": "r", "data/y/z": "w"},
    "import os\nopen(os.path.join('a', 'b.txt'))": {"a/b.txt": "r"},
    "OUT = 'out'\nplt.savefig(f'{OUT}/fig.png')": {"out/fig.png": "w"},
    "OUT = 'out'\nplt.savefig(OUT + '/fig.png')": {"out/fig.png": "w"},
    "shutil.copy('a', 'b')": {"a": "r", "b": "w"},
    "def load(path):\n  return open(path)\nload('x.txt'); load(path='d/y')": {"x.txt": "r", "d/y": "r"},
    "def _in(p): return open(p)\ndef load(path): return _in(path)\nload('x.txt')": {"x.txt": "r"},
    "def note(path):\n  Path(path).write_text('')\nnote('n.txt'); note('a name')": {"n.txt": "w"},
    "def save(obj, where):\n  torch.save(obj, where)\nsave(1, 'm.pt')": {"m.pt": "w"},
    "open(unknown); open(sys.argv[1]); open(f'{n}.txt')": {},
    "x = 'a'; x = 'b'; open(x)": {},
    "for x in 'ab': open(x)": {},
    "pd.read_csv('https://example.org/x.csv')": {},
    "x = x / 'a'; open(x)": {},
}


@pytest.mark.parametrize("source", TOUCHES)
def test_what_a_script_opens(source: str) -> None:
    assert touched(source) == TOUCHES[source]


ARGUED = """
import argparse
p = argparse.ArgumentParser()
p.add_argument("source")
p.add_argument("-o", "--out-dir", default="out")
p.add_argument("--seed", type=int, default=0)
p.add_argument("--fast", action="store_true")
args = p.parse_args()
open(args.source); open(f"{args.out_dir}/m_{args.seed}.pt", "w")
"""


def test_arguments_say_what_is_opened() -> None:
    assert touched(ARGUED) == {"out/m_0.pt": "w"}
    assert touched(ARGUED, source="in.csv", seed="${item}") == {"in.csv": "r", "out/m_${item}.pt": "w"}
    script = read_script(ARGUED)
    assert [(a.name, a.default, a.positional) for a in script.arguments] == [
        ("source", None, True), ("out_dir", "out", False), ("seed", 0, False), ("fast", False, False),
    ]  # fmt: skip
    assert script.runs


def test_files_beside_the_script_are_found_from_its_folder() -> None:
    source = "HERE = Path(__file__).resolve().parent\nopen(HERE / 'x'); open(HERE.parent / 'y')"
    assert {touch.entry.path for touch in read_script(source, "scripts").touches} >= {"scripts/x"}


def test_arguments_of_click_are_parameters_of_its_function() -> None:
    code = "import click\n@click.command()\n@click.option('--data', '-d', default='x.csv')\ndef main(data):\n  open(data)\n"
    assert touched(code) == {"x.csv": "r"}
    assert touched(code, data="y.csv") == {"y.csv": "r"}


def test_a_configuration_of_hydra_is_a_dep(tmp_path: Path) -> None:
    code = "import hydra\n@hydra.main(config_path='../conf', config_name='c')\ndef main(cfg): ...\nmain()\n"
    look = folder(tmp_path, src__train_py=code, conf__c_yaml="lr: 1")
    (stage,) = from_scripts(look).stages
    assert (stage.name, paths(stage.deps)) == ("train", ["src/train.py", "conf"])
    assert stage.deps[1].doubt == "Hydra's configuration"


def test_what_cannot_be_told_is_said() -> None:
    assert read_script("open(f'{name}.txt', 'w')").unsure == ("line 1 writes f'{name}.txt'",)


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("params = yaml.safe_load(open('params.yaml'))\nlr = params['train']['lr']", {"train", "train.lr"}),
        ("cfg = yaml.safe_load(open('params.yaml'))['train']\ncfg['lr']; cfg.get('epochs')", {"train.lr", "train.epochs"}),
        ("p = dvc.api.params_show()\nm = p['model']\nm['hidden']", {"model", "model.hidden"}),
        ("with open('params.yaml') as f:\n  p = yaml.safe_load(f)['fit']\np['degree']", {"fit.degree"}),
        ("other['train']['lr']", set()),
    ],
)  # fmt: skip
def test_parameters_that_are_looked_up(source: str, names: set[str]) -> None:
    assert names <= set(read_script(source).params)
    assert names or not read_script(source).params


def folder(root: Path, **texts: str) -> Look:
    """Files; ``__`` in a keyword stands for a slash, ``_`` at its last place for a dot."""
    for name, text in texts.items():
        path = root / ".".join(name.replace("__", "/").rsplit("_", 1)).rstrip(".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return Look(root)


def by_name(draft: Draft) -> dict[str, Drafted]:
    return {stage.name: stage for stage in draft.stages}


def paths(entries: tuple[Entry, ...]) -> list[str]:
    return [entry.path for entry in entries]


def test_scripts_become_stages_with_edges(tmp_path: Path) -> None:
    look = folder(
        tmp_path,
        prep_py="import pandas as pd\nif __name__ == '__main__':\n  pd.read_csv('raw.csv').to_csv('clean.csv')",
        train_py="import argparse, helpers, json\nfrom pkg import net\n"
        "lr = params['train']['lr']\nhelpers.load('clean.csv')\njson.dump({}, open('metrics.json', 'w'))",
        helpers_py="import deep.er\ndef load(path): return open(path)",
        deep__er_py="",
        pkg__net_py="",
        lib_py="def only(): open('never', 'w')",
        test_lib_py="import lib\nopen('x', 'w')",
        broken_py="def (",
        plot_R="",
        report_sh="#!/bin/sh\ncat metrics.json",
        book_ipynb="{}",
        raw_csv="",
        params_yaml="train: {lr: 0.1}",
    )
    (tmp_path / "pkg/__init__.py").touch()
    draft = from_scripts(look)
    stages = by_name(draft)
    assert list(stages) == ["prep", "report", "train"]
    assert (paths(stages["prep"].deps), paths(stages["prep"].outs)) == (["prep.py", "raw.csv"], ["clean.csv"])
    train = stages["train"]
    assert set(paths(train.deps)) == {
        "train.py", "helpers.py", "deep/er.py", "pkg/__init__.py", "pkg/net.py", "clean.csv",
    }  # fmt: skip
    assert (paths(train.params), paths(train.metrics)) == (["train.lr"], ["metrics.json"])
    assert "book.ipynb" in draft.said[0]
    assert stages["report"].cmd == "bash report.sh"


def test_what_no_graph_could_have_becomes_a_comment() -> None:
    def stage(name: str, deps: str, outs: str, **more: Any) -> Drafted:
        entries = [tuple(map(Entry, text.split())) for text in (deps, outs)]
        return Drafted(name, "x", deps=entries[0], outs=entries[1], **more)

    stages = wired(
        [
            stage("a b", "c.out", "a.out shared"),
            stage("a b", "a.out gone", "b.out shared/inner ../x"),
            stage("c", "b.out c.out here", "c.out"),
            stage("loop", "here/${item}", "same each/${item}", loop=("foreach", [1, 2])),
        ],
        lambda path: path == "here",
    )
    told = {s.name: (paths(s.deps), paths(s.outs), " | ".join(s.doubts)) for s in stages}
    assert set(told) == {"a-b", "a-b-2", "c", "loop"}
    assert told["a-b"][0] == []
    assert "a circle" in told["a-b"][2]
    assert told["a-b-2"][:2] == (["a.out"], ["b.out"])
    assert "reads gone, which is not here" in told["a-b-2"][2]
    assert "like a-b; a place has one producer" in told["a-b-2"][2]
    assert "outside the project" in told["a-b-2"][2]
    assert told["c"][:2] == (["b.out", "here"], ["c.out"])
    assert "persist: true" in next(stage for stage in stages if stage.name == "c").outs[0].doubt
    assert told["loop"][:2] == (["here/${item}"], ["each/${item}"])
    assert "every item writes same" in told["loop"][2]


RUN_ALL = """\
#!/bin/bash
set -euo pipefail
# where things lie
DATA="data/raw.csv"
export OUT=results
mkdir -p $OUT
python prep.py --in $DATA --out ${OUT}/clean.csv > logs/prep.log 2>&1 && python check.py
# seeds
for seed in 0 1 2; do
  python train.py --seed $seed \\
      --out $OUT/m_$seed.pt | tee logs/$seed.log
done
for lr in 0.1 0.01; do for n in {1..3}; do python sweep.py $lr $n & done; done; wait
cd reports
python plot.py < in.txt > plot.csv
for i in $(seq 2 4); do echo $i; bash each.sh $i ${HOME} ${X:-y}; done
if [ -n "$1" ]; then
  python never.py
fi
while true; do sleep 1; done
for f in *.csv; do python glob.py $f; done
"""


def test_a_shell_script_becomes_stages(tmp_path: Path) -> None:
    draft = read_shell(RUN_ALL, "run_all.sh", folder(tmp_path))
    stages = by_name(draft)
    assert {name: stage.cmd for name, stage in stages.items()} == {
        "prep": "python prep.py --in data/raw.csv --out results/clean.csv",
        "check": "python check.py",
        "train": "python train.py --seed ${item} --out results/m_${item}.pt",
        "sweep": "python sweep.py ${item.lr} ${item.n}",
        "plot": "python plot.py < in.txt > plot.csv",
        "each": "bash each.sh ${item} \\${HOME} \\${X:-y}",
    }
    assert stages["train"].loop == ("foreach", [0, 1, 2])
    assert stages["sweep"].loop == ("matrix", {"lr": ["0.1", "0.01"], "n": [1, 2, 3]})
    assert stages["each"].loop == ("foreach", [2, 3, 4])
    assert paths(stages["train"].outs) == ["results/m_${item}.pt"]
    assert (stages["plot"].wdir, paths(stages["plot"].outs)) == ("reports", ["plot.csv"])
    assert stages["prep"].above == ("where things lie", "the script does here: mkdir -p $OUT")
    text = render(draft)
    assert "# not read:   python never.py" in text or "# not read: python never.py" in text
    assert "python glob.py" in text
    assert "redirections into logs are left out" in text
    assert "never" not in stages


def test_a_chain_in_one_folder_has_its_edges(tmp_path: Path) -> None:
    script = "import argparse\np = argparse.ArgumentParser()\np.add_argument('src'); p.add_argument('--dst', default='d')\n"
    script += "a = p.parse_args()\nopen(a.src)\nopen(a.dst, 'w')\n"
    look = folder(tmp_path, step_py=script, x_csv="")
    draft = read_shell("python step.py x.csv --dst y.csv\npython step.py y.csv --dst=z.csv", "r.sh", look)
    assert [(s.name, paths(s.deps), paths(s.outs)) for s in draft.stages] == [
        ("step", ["step.py", "x.csv"], ["y.csv"]),
        ("step-2", ["step.py", "y.csv"], ["z.csv"]),
    ]


MAKEFILE = """\
PY ?= python
DATA := raw.csv
.PHONY: all
all: model.pkl report.txt
# clean it
clean.csv: prep.py $(DATA)
\t$(PY) prep.py $(DATA) > $@
model.pkl: clean.csv | outdir
\t@echo training
\t$(PY) train.py --in $< \\
\t  --out $@
a.txt b.txt: raw.csv
\tcp $^ $@
report.txt: model.pkl ; for i in 1 2; do echo $$i $${HOME}; done > $@
%.pdf: %.tex
\tpdflatex $<
clean:
\trm -f *.csv
ifdef X
"""


def test_a_makefile_becomes_stages(tmp_path: Path) -> None:
    draft = read_makefile(MAKEFILE, "Makefile", folder(tmp_path, prep_py="", raw_csv="", train_py=""))
    stages = by_name(draft)
    assert {name: (stage.cmd, paths(stage.deps), paths(stage.outs)) for name, stage in stages.items()} == {
        "clean": ("python prep.py raw.csv > clean.csv", ["prep.py", "raw.csv"], ["clean.csv"]),
        "model": (
            "echo training\npython train.py --in clean.csv --out model.pkl", ["clean.csv", "train.py"], ["model.pkl"],
        ),
        "a": ("cp raw.csv a.txt", ["raw.csv"], ["a.txt"]),
        "b": ("cp raw.csv b.txt", ["raw.csv"], ["b.txt"]),
        "report": ("for i in 1 2; do echo $i \\${HOME}; done > report.txt", ["model.pkl"], ["report.txt"]),
    }  # fmt: skip
    assert draft.said == (
        "phony targets of Makefile left out: all, clean", "not read in Makefile: %.pdf: %.tex; ifdef X",
    )  # fmt: skip
    assert stages["clean"].above == ("clean it",)


SBATCH = {
    "--cpus-per-task=4": {"cpus": 4},
    "-c 8": {"cpus": 8},
    "-c8": {"cpus": 8},
    "--mem=16G": {"memory": "16GiB"},
    "--mem 4000": {"memory": "4000MiB"},
    "--mem=0": {},
    "--mem-per-cpu=2G": {"memory": "2GiB"},
    "--gres=gpu:a100:2": {"gpus": 2},
    "--gres=gpu": {"gpus": 1},
    "--gres=gpu:4": {"gpus": 4},
    "--gpus=a100:1": {"gpus": 1},
    "-G 3": {"gpus": 3},
    "-t 30": {"time": "30m"},
    "--time=90:30": {"time": "90m30s"},
    "--time=02:30:00": {"time": "2h30m"},
    "--time=1-12": {"time": "1d12h"},
    "--time=2-00:00:30": {"time": "2d30s"},
    "--time=soon": {},
    "--partition=gpu --mem=1T": {"memory": "1TiB"},
}


@pytest.mark.parametrize("line", SBATCH)
def test_sbatch_options_become_resources(line: str) -> None:
    assert read_sbatch(f"#!/bin/bash\n#SBATCH {line}  # comment\n").resources == SBATCH[line]


def test_memory_per_cpu_is_for_all_of_them() -> None:
    asked = read_sbatch("#SBATCH --mem-per-cpu=2G\n#SBATCH -c 4\n#SBATCH --array=0-9:3,20%2 -A me")
    assert asked.resources == {"cpus": 4, "memory": "8GiB"}
    assert asked.tasks == (0, 3, 6, 9, 20)
    assert asked.others == ("--account=me",)


TABLES: dict[str, tuple[tuple[str, ...], list[tuple[str, ...]], bool]] = {
    "lr,seed\n0.1,0\n0.2,1\n": (("lr", "seed"), [("0.1", "0"), ("0.2", "1")], True),
    "0.1,0\n0.2,1\n": (("c1", "c2"), [("0.1", "0"), ("0.2", "1")], False),
    "a\tb\n1\t2\n": (("a", "b"), [("1", "2")], True),
    "0.1 adam\n\n0.2 sgd\n": (("c1", "c2"), [("0.1", "adam"), ("0.2", "sgd")], False),
    "--lr 0.1\n--lr 0.2 --amp\n": (("line",), [("--lr 0.1",), ("--lr 0.2 --amp",)], False),
    "--lr 0.1\n--lr 0.2\n": (("line",), [("--lr 0.1",), ("--lr 0.2",)], False),
    'name,note\nx,"a, b"\ny,c\n': (("c1", "c2"), [("name", "note"), ("x", "a, b"), ("y", "c")], False),
}


@pytest.mark.parametrize("text", TABLES)
def test_tables_of_every_kind(text: str) -> None:
    names, rows, header = TABLES[text]
    assert read_table(text, "grid")[:3] == (names, tuple(rows), header)


@pytest.mark.parametrize(
    ("text", "message"),
    [("", "there are no rows"), ("\n \n", "there are no rows"), ("lr,seed\n1,2\n3\n", "row 3 has 1 cells")],
)
def test_a_table_that_is_none(text: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        read_table(text, "grid.csv")


GRID = "lr,seed\n0.1,0\n0.10,1\n"
WAYS = {  # how the script finds its line, and what it calls the cells
    "sed": (
        """LINE=$(sed -n "$((SLURM_ARRAY_TASK_ID + 1))p" grid.csv)
        IFS=, read -r LR SEED <<< "$LINE\"""",
        "$LR", "${SEED}",
    ),
    "awk": (
        """LR=$(awk -F, -v i=$SLURM_ARRAY_TASK_ID 'NR==i+1 {print $1}' grid.csv)
        SEED=$(awk -F, "NR==$SLURM_ARRAY_TASK_ID+1 {print \\$2}" grid.csv)""",
        "${LR}", "$SEED",
    ),
    "cut": (
        """ROW=`tail -n +2 grid.csv | sed -n ${SLURM_ARRAY_TASK_ID}p`
        LR=$(echo $ROW | cut -d, -f1)
        SEED=$(echo $ROW | cut -d, -f 2)""",
        "$LR", "$SEED",
    ),
    "mapfile": (
        """mapfile -t ROWS < grid.csv
        LINE=${ROWS[$SLURM_ARRAY_TASK_ID]}
        IFS=',' read -r a b <<< $LINE""",
        "$a", "$b",
    ),
}  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
def test_an_array_over_a_file_becomes_frozen_rows(tmp_path: Path, way: str) -> None:
    setup, lr, seed = WAYS[way]
    job = f"#!/bin/bash\n#SBATCH --array=1-2\n#SBATCH -c 2\n{setup}\n"
    job += f"srun python train.py --lr {lr} --seed {seed} --id $SLURM_ARRAY_TASK_ID\n"
    look = folder(tmp_path, grid_csv=GRID, job_sh=job)
    draft = read_array("grid.csv", "job.sh", look)
    (stage,) = draft.stages
    assert stage.cmd == "srun python train.py --lr ${item.lr} --seed ${item.seed} --id ${key}"
    assert (stage.loop, stage.resources) == (("foreach", "${rows}"), {"cpus": 2})
    rows = load_yaml(draft.files["rows.yaml"], "rows.yaml").data
    assert rows == {"rows": {"1": {"lr": 0.1, "seed": 0}, "2": {"lr": "0.10", "seed": 1}}}
    assert draft.said == ("grid.csv has 2 rows, and a header; each is one run, numbered from 1",)


def test_lines_that_are_whole_commands(tmp_path: Path) -> None:
    job = "#SBATCH --array=0-3\nmapfile -t LINES < args.txt\npython train.py ${LINES[$SLURM_ARRAY_TASK_ID]}\n"
    look = folder(tmp_path, args_txt="--lr 0.1\n--lr 0.2 --amp\n", job_sh=job)
    draft = read_array("args.txt", "job.sh", look)
    assert draft.stages[0].cmd == "python train.py ${item.line}"
    rows = load_yaml(draft.files["rows.yaml"], "rows.yaml").data
    assert rows == {"rows": {"0": {"line": "--lr 0.1"}, "1": {"line": "--lr 0.2 --amp"}}}
    assert draft.said[1] == "guess: job.sh asks for 4 tasks, 0 to 3; the rows are 2, 0 to 1"


NUMBERS = {  # how a task finds its line, the array, and the numbers that the rows a, b, (blank), c then have
    "line": ("sed -n ${SLURM_ARRAY_TASK_ID}p g", "1-4", [1, 2, 4]),
    "line from zero": ('sed -n "$((SLURM_ARRAY_TASK_ID+1))p" g', "0-3", [0, 1, 3]),
    "some of them": ("sed -n ${SLURM_ARRAY_TASK_ID}p g", "1,4", [1, 2, 4]),
    "not said": ("sed -n ${SLURM_ARRAY_TASK_ID}p g", "", [1, 2, 4]),
    "below a header": ('sed -n "$((SLURM_ARRAY_TASK_ID + 1))p" g', "1-3", [1, 3]),
    "without its header": ("tail -n +2 g | sed -n ${SLURM_ARRAY_TASK_ID}p", "1-3", [1, 3]),
}


@pytest.mark.parametrize("how", NUMBERS)
def test_rows_have_the_numbers_of_their_tasks(tmp_path: Path, how: str) -> None:
    line, array, numbers = NUMBERS[how]
    job = f"#SBATCH --array={array}\nX=$({line})\npython x.py $X\n"
    draft = read_array("g", "job.sh", folder(tmp_path, g_="a\nb\n\nc\n", job_sh=job))
    rows = load_yaml(draft.files["rows.yaml"], "rows.yaml").data["rows"]
    assert list(map(int, rows)) == numbers
    assert [next(iter(row.values())) for row in rows.values()] == ["a", "b", "c"][-len(numbers) :]


def test_rows_that_a_shell_would_read_are_named(tmp_path: Path) -> None:
    job = "X=$(sed -n ${SLURM_ARRAY_TASK_ID}p g)\nfor s in 0 1; do python x.py $X $s; done\n"
    draft = read_array("g", "job.sh", folder(tmp_path, g_="--a 1\n--b $(rm)\n", job_sh=job))
    assert "guess: rows 2 hold what a shell reads as more than text" in draft.said
    assert "guess: the script does it for each s of 0 1" in draft.stages[0].doubts[-1]
    assert draft.stages[0].cmd == "python x.py ${item.line} ${item.s}"


@pytest.mark.parametrize(
    ("job", "message"),
    [
        ("python x.py", "never uses SLURM_ARRAY_TASK_ID"),
        ("echo $SLURM_ARRAY_TASK_ID", "none of its commands"),
    ],
)
def test_a_job_that_takes_no_lines(tmp_path: Path, job: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        read_array("g.csv", "job.sh", folder(tmp_path, g_csv=GRID, job_sh=job))


# What people write, and what breaks writers of YAML, in any order.
MARKS = [
    "&&",
    ";",
    "|",
    ">",
    "`",
    '"',
    "'",
    "\\",
    "#",
    " ",
    "\n",
    "\t",
    ": ",
    " #",
    "${",
    "}",
    "*",
    "$$",
    "\x07",
    "\u2028",
]
WORDS = [
    "for i in a b; do", "done", "python a.py", "x.txt", "$i", "${i}", "${X:-y}", "$(ls)", "if true; then", "fi", "x=1",
    "cd sub", "- a", "é", "a.csv:", "\tcp $< $@", "$(A)", "A := b", "{1..3}", "read -r a b <<< $x", "SLURM_ARRAY_TASK_ID",
]  # fmt: skip
shellish = st.lists(st.sampled_from([*MARKS, *WORDS]), max_size=25).map("".join)


def loaded(draft: Draft) -> Any:
    """The proposal as YAML reads it, which must be what was proposed."""
    data = load_yaml(render(draft).encode(), "pinyon.yaml").data
    assert list(data["stages"]) == [stage.name for stage in draft.stages]
    for stage in draft.stages:
        body = data["stages"][stage.name]
        body = body["do"] if stage.loop and stage.loop[0] == "foreach" else body
        assert body["cmd"] == stage.cmd
        assert body.get("deps", []) == paths(stage.deps)
        assert body.get("outs", []) == paths(stage.outs)
    return data


@settings(deadline=None)
@given(shellish)
def test_whatever_a_shell_script_says_the_proposal_loads(text: str) -> None:
    loaded(read_shell(text, "run_all.sh", Look(Path("/nowhere"))))


@settings(deadline=None)
@given(shellish)
def test_whatever_a_makefile_says_the_proposal_loads(text: str) -> None:
    loaded(read_makefile(text, "Makefile", Look(Path("/nowhere"))))


BOMBS = {
    "a gap": "a" + " " * 200_000 + "b",
    "a gap and a sign": "a:" + " " * 200_000 + "=",
    "many quotes": "x='a " * 40_000,
    "many loops": "for i in 1 2; do\n" * 20_000,
    "many variables": "A=$A$A\n" * 40,
    "one long path": "python a.py " + "../" * 60_000,
    "a range": "for i in {1..999999999999}; do\npython a.py $i\ndone",
    "a sequence": "for i in $(seq 1 999999999999); do\npython a.py $i\ndone",
}


@pytest.mark.parametrize("what", BOMBS)
def test_bombs_are_read_in_no_time_or_not_at_all(what: str) -> None:
    """None of these may take time or memory out of proportion; with either the test would never end."""
    for read in (read_shell, read_makefile):
        loaded(read(BOMBS[what], "file", Look(Path("/nowhere"))))


@pytest.mark.parametrize(
    "code", ["-" * 100_000 + "1", "(" * 5_000, "x = " + "a." * 50_000 + "b", "a = " + "1 + " * 20_000 + "1"]
)
def test_python_that_is_too_deep_is_no_script(tmp_path: Path, code: str) -> None:
    (tmp_path / "deep.py").write_text(f"import argparse\n{code}\n")
    assert len(from_scripts(Look(tmp_path)).stages) <= 1


@given(st.text())
def test_a_comment_stays_a_comment(text: str) -> None:
    draft = Draft("", (Drafted("s", "x", above=comments([text]), doubts=comments([text])),), comments([text]))
    assert loaded(draft) == {"stages": {"s": {"cmd": "x"}}}


names = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=8)


@given(
    names,
    st.lists(names, unique=True, max_size=3),
    st.lists(names | st.integers(0, 9), min_size=1, max_size=3),
)
def test_any_text_is_written_so_that_it_is_read_as_itself(
    cmd: str, deps: list[str], items: list[Any]
) -> None:
    stage = Drafted("s", cmd, deps=tuple(map(Entry, deps)), loop=("foreach", items), resources={"time": "1h"})
    data = loaded(Draft("", (stage,)))
    assert data["stages"]["s"]["foreach"] == items


def test_what_lies_there_is_offered_likeliest_first(tmp_path: Path) -> None:
    assert [source.kind for source in sources(Look(tmp_path))] == ["empty"]
    look = folder(
        tmp_path, run_all_sh="python a.py\npython b.py", a_py="open('x', 'w').write('')", venv__b_py="print()",
        helper_sh="python a.py",
    )  # fmt: skip
    (tmp_path / "Makefile").write_text("x: a.py\n\tpython a.py\n")
    assert [str(source) for source in sources(look)] == [
        "run_all.sh (2 commands)", "Makefile (1 target)", "the scripts in this folder (3 scripts)",
    ]  # fmt: skip


@pytest.mark.parametrize("example", ["first", "lstm"])
def test_what_people_wrote_for_the_examples_is_found_in_their_scripts(example: str) -> None:
    """Each stage of ours with every dep and out, by reading the code alone."""
    root = Path(__file__).parents[2] / "examples" / example
    wanted = load_yaml((root / "pinyon.yaml").read_bytes(), "pinyon.yaml").data["stages"]
    stages = by_name(from_scripts(Look(root)))
    assert stages.keys() == wanted.keys()
    for name, body in wanted.items():
        made = {*paths(stages[name].outs), *paths(stages[name].metrics)}
        assert (set(paths(stages[name].deps)), made) == (
            set(body["deps"]),
            {*body.get("outs", []), *body.get("metrics", [])},
        )
        sections = {param.partition(".")[0] for param in body.get("params", [])}
        assert {param.partition(".")[0] for param in paths(stages[name].params)} == sections
