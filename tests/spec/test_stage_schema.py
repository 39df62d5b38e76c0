"""Every mistake in a project file ends in one message: what, file and line, what is allowed, the nearest name."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pinyon.model.project import Project

Load = Callable[..., Project]
Complain = Callable[..., str]


TOP = "stages, vars, params, metrics, plots, artifacts, datasets"
OUR_TOP = f"{TOP}, meta, experiments, targets, stores, rules, project, dvc"
DEFINITION = "cmd, wdir, deps, params, outs, metrics, plots, frozen, always_changed, vars, desc, meta"
STAGE = f"{DEFINITION}, matrix"
OUR_STAGE = f"{DEFINITION}, env, resources, retry, timeout, estimate, strict_deps, args, matrix"
OUT = "cache, persist, checkpoint, remote, push, desc, type, labels, meta"
PLOT = f"{OUT}, template, x, y, x_label, y_label, title, header"
CAUSES = "exit, signal, timeout, oom, missing_out, setup, lost, preempted"


def stage(*lines: str) -> str:
    """A file whose stage ``t`` begins on line 2; the given lines are 4, 5, …"""
    return "\n".join(["stages:", "  t:", "    cmd: run", *(f"    {line}" for line in lines), ""])


BOTH: list[tuple[str, str, str]] = [
    # where the top is wrong
    ("list", "- a\n", "FILE: the file must be a mapping, not a list → begin it with stages:"),
    ("word", "hello\n", "FILE: the file must be a mapping, not text → begin it with stages:"),
    ("number", "12\n", "FILE: the file must be a mapping, not a number → begin it with stages:"),
    ("stages list", "vars: []\nstages: [a]\n", "FILE:2: stages must be a mapping, not a list"),
    ("stages nothing", "stages:\n", "FILE:1: stages must be a mapping, not nothing"),
    (
        "vars map",
        "vars: {a: 1}\n",
        (
            "FILE:1: vars must be a list of files and mappings, not a mapping → "
            "write for example vars: [params.yaml]"
        ),
    ),
    (
        "vars item",
        "vars:\n- a.yaml\n- 3\n",
        "FILE:3: item 2 of vars must be a file or a mapping, not a number",
    ),
    (
        "top metrics",
        "metrics: m.json\n",
        ("FILE:1: metrics must be a list of paths, not text → write for example metrics: [m.json]"),
    ),
    (
        "top plots",
        "plots:\n- a.csv\n- b.csv:\n    xx: step\n",
        (
            "FILE:4: unknown key 'xx' in b.csv of item 2 of plots; "
            "allowed are template, x, y, x_label, y_label, title → did you mean x?"
        ),
    ),
    (
        "top plot axis",
        "plots:\n- b: {x: [1]}\n",
        "FILE:2: x of b of item 1 of plots must be text, not a list",
    ),
    (
        "top plot item",
        "plots: [3]\n",
        "FILE:1: item 1 of plots must be text, not a number → put it in quotes",
    ),
    (
        "top plot files",
        "plots:\n- b: {y: {f.csv: [a, 2]}}\n",
        "FILE:2: item 2 of f.csv of y of b of item 1 of plots must be text, not a number → put it in quotes",
    ),
    (
        "artifact",
        "artifacts:\n  m: {type: model}\n",
        "FILE:2: m of artifacts has no path → add a line path: …",
    ),
    (
        "artifact key",
        "artifacts:\n  m:\n    path: x\n    lables: [a]\n",
        (
            "FILE:4: unknown key 'lables' in m of artifacts; "
            "allowed are path, desc, type, labels, meta → did you mean labels?"
        ),
    ),
    # where a stage is no stage
    ("stage nothing", "stages:\n  a:\n", "FILE:2: stage 'a' must be a mapping, not nothing"),
    ("stage text", "stages:\n  a: python a.py\n", "FILE:2: stage 'a' must be a mapping, not text"),
    (
        "stage number",
        "stages:\n  7: {cmd: x}\n",
        "FILE:2: a name in stages must be text, not a number → put it in quotes",
    ),
    (
        "stage empty name",
        "stages:\n  '': {cmd: x}\n",
        "FILE:2: '' is no name in stages; a name has 1 to 200 characters that can be printed",
    ),
    (
        "stage NUL",
        'stages:\n  "a\\0b": {cmd: x}\n',
        "FILE:2: 'a\\x00b' is no name in stages; a name has 1 to 200 characters that can be printed",
    ),
    (
        "stage newline",
        'stages:\n  "a\\nb": {cmd: x}\n',
        "FILE:2: 'a\\nb' is no name in stages; a name has 1 to 200 characters that can be printed",
    ),
    (
        "stage 300",
        "stages:\n  " + "n" * 300 + ": {cmd: x}\n",
        f"FILE:2: '{'n' * 20}' is no name in stages; a name has 1 to 200 characters that can be printed",
    ),
    ("no cmd", "stages:\n  a:\n    deps: [x]\n", "FILE:2: stage 'a' has no cmd → add a line cmd: …"),
    (
        "stage @",
        "stages:\n  a@b: {cmd: x}\n",
        "FILE:2: stage 'a@b' has an @ in its name; that sets the copies of a loop apart",
    ),
    # loops
    ("foreach alone", "stages:\n  a:\n    foreach: [1]\n", "FILE:2: stage 'a' has no do → add a line do: …"),
    (
        "do alone",
        "stages:\n  a:\n    do: {cmd: x}\n",
        "FILE:2: stage 'a' has no foreach → add a line foreach: …",
    ),
    (
        "foreach number",
        "stages:\n  a:\n    foreach: 3\n    do: {cmd: x}\n",
        (
            "FILE:3: foreach of stage 'a' must be a list, a mapping or the name of one, not a number → "
            "write for example foreach: [a, b]"
        ),
    ),
    (
        "beside do",
        "stages:\n  a:\n    foreach: [1]\n    do: {cmd: x}\n    deps: [b]\n",
        "FILE:5: unknown key 'deps' in stage 'a'; allowed are foreach, do → put it under do:",
    ),
    (
        "foreach and matrix",
        "stages:\n  a:\n    foreach: [1]\n    matrix: {a: [1]}\n    do: {cmd: x}\n",
        "FILE:4: unknown key 'matrix' in stage 'a'; allowed are foreach, do → a stage has either foreach or matrix",
    ),
    (
        "a mistake under do",
        "stages:\n  a:\n    do:\n      cmd: x\n      deps: b\n    foreach: [1]\n",
        "FILE:5: deps of do of stage 'a' must be a list of paths, not text → write for example deps: [b]",
    ),
    (
        "matrix list",
        "stages:\n  a:\n    cmd: x\n    matrix: [1]\n",
        "FILE:4: matrix of stage 'a' must be a mapping, not a list",
    ),
    (
        "matrix number",
        "stages:\n  a:\n    cmd: x\n    matrix:\n      m: 1\n",
        "FILE:5: m of matrix of stage 'a' must be a list, not a number → write for example m: [a, b]",
    ),
    (
        "vars with an expression",
        "vars:\n- a.yaml\n- b: {c: ['x${lr}']}\nstages: {}\n",
        "FILE:3: item 2 of vars holds ${…}; vars are read before any expression is",
    ),
    (
        "no plot",
        "plots:\n- {}\n",
        "FILE:2: item 1 of plots names no plot → write for example - loss.csv: {x: step}",
    ),
    # cmd
    (
        "cmd number",
        "stages:\n  a:\n    cmd: 3\n",
        (
            "FILE:3: cmd of stage 'a' must be text or a list, not a number → "
            "write for example cmd: python train.py"
        ),
    ),
    (
        "cmd nothing",
        "stages:\n  a:\n    cmd:\n",
        (
            "FILE:3: cmd of stage 'a' must be text or a list, not nothing → "
            "write for example cmd: python train.py"
        ),
    ),
    (
        "cmd true",
        "stages:\n  a:\n    cmd: true\n",
        (
            "FILE:3: cmd of stage 'a' must be text or a list, not true → "
            "write for example cmd: python train.py"
        ),
    ),
    (
        "cmd empty",
        "stages:\n  a:\n    cmd: ''\n",
        ("FILE:3: cmd of stage 'a' is empty → write for example cmd: python train.py"),
    ),
    (
        "cmd no words",
        "stages:\n  a:\n    cmd: []\n",
        ("FILE:3: cmd of stage 'a' is empty → write for example cmd: python train.py"),
    ),
    (
        "cmd NUL",
        'stages:\n  a:\n    cmd: "a\\0"\n',
        "FILE:3: cmd of stage 'a' holds a NUL character; no command and no file name can",
    ),
    (
        "cmd word",
        "stages:\n  a:\n    cmd:\n    - a\n    - [b]\n",
        "FILE:5: item 2 of cmd of stage 'a' must be text, not a list",
    ),
    # the lists of a stage
    (
        "deps number",
        stage("deps: 3"),
        (
            "FILE:4: deps of stage 't' must be a list of paths, not a number → "
            "write for example deps: [train.py]"
        ),
    ),
    (
        "deps text",
        stage("deps: in.csv"),
        ("FILE:4: deps of stage 't' must be a list of paths, not text → write for example deps: [in.csv]"),
    ),
    (
        "deps nothing",
        stage("deps:"),
        (
            "FILE:4: deps of stage 't' must be a list of paths, not nothing → "
            "write for example deps: [train.py]"
        ),
    ),
    (
        "deps item",
        stage("deps:", "- a", "- 2020"),
        "FILE:6: item 2 of deps of stage 't' must be text, not a number → put it in quotes",
    ),
    (
        "deps map",
        stage("deps:", "- a: {}"),
        "FILE:5: item 1 of deps of stage 't' must be text, not a mapping",
    ),
    ("deps empty", stage("deps: ['']"), "FILE:4: item 1 of deps of stage 't' is empty; a path is needed"),
    (
        "deps NUL",
        stage('deps: ["a\\0"]'),
        "FILE:4: item 1 of deps of stage 't' holds a NUL character; no command and no file name can",
    ),
    (
        "deps 300",
        stage(f"deps: [a/{'é' * 128}]"),
        "FILE:4: item 1 of deps of stage 't' has a part of more than 255 bytes; no file can be called so",
    ),
    (
        "params text",
        stage("params: lr"),
        (
            "FILE:4: params of stage 't' must be a list of parameter names, not text → "
            "write for example params: [lr]"
        ),
    ),
    (
        "params item",
        stage("params:", "- lr", "- 3"),
        "FILE:6: item 2 of params of stage 't' must be text, not a number → put it in quotes",
    ),
    (
        "params file",
        stage("params:", "- p.yaml: lr"),
        (
            "FILE:5: p.yaml of item 1 of params of stage 't' must be a list of "
            "parameter names, not text → write for example p.yaml: [lr]"
        ),
    ),
    (
        "params name",
        stage("params:", "- p.yaml:", "  - a", "  - 3"),
        "FILE:7: item 2 of p.yaml of item 1 of params of stage 't' must be text, not a number → put it in quotes",
    ),
    (
        "outs item",
        stage("outs: [3]"),
        (
            "FILE:4: item 1 of outs of stage 't' must be a path, or a path with options, "
            "not a number → write - path, or - path: {cache: false}"
        ),
    ),
    (
        "outs colon",
        stage("outs:", "- m.pkl:", "  cache: false"),
        (
            "FILE:5: 'm.pkl' in item 1 of outs of stage 't' has no "
            "options → remove its colon, or indent its options deeper than the path"
        ),
    ),
    (
        "outs options",
        stage("outs:", "- m.pkl: 3"),
        "FILE:5: m.pkl of item 1 of outs of stage 't' must be a mapping, not a number",
    ),
    (
        "outs option",
        stage("outs:", "- m.pkl:", "    cahce: false"),
        (
            "FILE:6: unknown key 'cahce' in m.pkl of item 1 of "
            f"outs of stage 't'; allowed are {OUT} → did you mean cache?"
        ),
    ),
    (
        "outs flag",
        stage("outs:", "- m.pkl: {persist: yes}"),
        "FILE:5: persist of m.pkl of item 1 of outs of stage 't' must be true or false, not text",
    ),
    (
        "outs labels",
        stage("outs:", "- m.pkl: {labels: a}"),
        (
            "FILE:5: labels of m.pkl of item 1 of outs of stage 't' "
            "must be a list of text, not text → write for example labels: [a]"
        ),
    ),
    (
        "outs path",
        stage("outs:", "- 3: {cache: false}"),
        "FILE:5: 3 of item 1 of outs of stage 't' must be text, not a number → put it in quotes",
    ),
    (
        "metrics option",
        stage("metrics:", "- m: {x: a}"),
        (f"FILE:5: unknown key 'x' in m of item 1 of metrics of stage 't'; allowed are {OUT}"),
    ),
    (
        "plots option",
        stage("plots:", "- p.csv: {titel: a}"),
        (
            "FILE:5: unknown key 'titel' in p.csv of item 1 of plots of "
            f"stage 't'; allowed are {PLOT} → did you mean title?"
        ),
    ),
    # the rest of a stage
    ("wdir", stage("wdir: [a]"), "FILE:4: wdir of stage 't' must be text, not a list"),
    ("frozen", stage("frozen: 1"), "FILE:4: frozen of stage 't' must be true or false, not a number"),
    (
        "always_changed",
        stage("always_changed: on"),
        "FILE:4: always_changed of stage 't' must be true or false, not text",
    ),
    ("desc", stage("desc: 3"), "FILE:4: desc of stage 't' must be text, not a number → put it in quotes"),
    (
        "stage vars",
        stage("vars: [3]"),
        "FILE:4: item 1 of vars of stage 't' must be a file or a mapping, not a number",
    ),
    (
        "meta",
        stage("meta:", "  pinyon:", "    retri: {}"),
        (
            "FILE:6: unknown key 'retri' in pinyon of meta of stage 't'; "
            "allowed are env, resources, retry, timeout, estimate, strict_deps, args → did you mean retry?"
        ),
    ),
    (
        "meta nothing",
        stage("meta: {pinyon: }"),
        "FILE:4: pinyon of meta of stage 't' must be a mapping, not nothing",
    ),
    ("merged", "base: &b {deps: 3}\n", "FILE:1: unknown key 'base' at the top; allowed are {TOP}"),
]


@pytest.mark.parametrize("dialect", ["dvc", "pinyon"])
@pytest.mark.parametrize(
    ("text", "message"), [row[1:] for row in BOTH], ids=[row[0].replace(" ", "-") for row in BOTH]
)
def test_mistakes_in_either_file(dialect: str, text: str, message: str, complain: Complain) -> None:
    top = {"dvc": TOP, "pinyon": OUR_TOP}[dialect]
    assert complain(**{dialect: text}) == message.replace("FILE", f"{dialect}.yaml").replace("{TOP}", top)


OURS: list[tuple[str, str, str]] = [
    (
        "top",
        "experimnts: {}\n",
        f"1: unknown key 'experimnts' at the top; allowed are {OUR_TOP} → did you mean experiments?",
    ),
    ("top number", "1: {}\n", f"1: unknown key '1' at the top; allowed are {OUR_TOP}"),
    (
        "key",
        stage("dep: [a]"),
        f"4: unknown key 'dep' in stage 't'; allowed are {OUR_STAGE} → did you mean deps?",
    ),
    (
        "case",
        stage("Deps: [a]"),
        f"4: unknown key 'Deps' in stage 't'; allowed are {OUR_STAGE} → did you mean deps?",
    ),
    ("experiments", "experiments: [a]\n", "1: experiments must be a mapping, not a list"),
    ("targets", "targets:\n", "1: targets must be a mapping, not nothing"),
    ("stores", "stores: s3\n", "1: stores must be a mapping, not text"),
    (
        "rules",
        "rules: {a: 1}\n",
        (
            "1: rules must be a list of rules, not a mapping → "
            "write for example rules: [{name: idle, when: gpu_utilization < 5, do: release}]"
        ),
    ),
    ("rule", "rules:\n- a\n", "2: item 1 of rules must be a mapping, not text"),
    ("project", "project: x\n", "1: project must be a mapping, not text"),
    (
        "project name",
        "project:\n  name: 3\n",
        "2: name of project must be text, not a number → put it in quotes",
    ),
    ("project blank", "project:\n  name: ' '\n", "2: name of project is empty"),
    (
        "env",
        stage("env: uv.lock"),
        ("4: env of stage 't' must be a list of files, not text → write for example env: [uv.lock]"),
    ),
    ("resources", stage("resources: 3"), "4: resources of stage 't' must be a mapping, not a number"),
    (
        "resource",
        stage("resources:", "  mem: 3"),
        (
            "5: unknown key 'mem' in resources of stage 't'; "
            "allowed are cpus, memory, gpus, vram, time → did you mean memory?"
        ),
    ),
    (
        "gpus",
        stage("resources: {gpus: two}"),
        "4: gpus of resources of stage 't' must be a number of at least 0, not text",
    ),
    (
        "gpus less",
        stage("resources: {gpus: -1}"),
        "4: gpus of resources of stage 't' must be a number of at least 0, not -1",
    ),
    (
        "cpus nan",
        stage("resources: {cpus: .nan}"),
        "4: cpus of resources of stage 't' must be a number of at least 0, not nan",
    ),
    (
        "cpus true",
        stage("resources: {cpus: true}"),
        "4: cpus of resources of stage 't' must be a number of at least 0, not true",
    ),
    (
        "memory",
        stage("resources: {memory: 20 potatoes}"),
        (
            "4: memory of resources of stage 't': "
            "'20 potatoes' is not a size; write for example 500MB, 20GB or 512MiB"
        ),
    ),
    (
        "vram",
        stage("resources: {vram: [1]}"),
        "4: vram of resources of stage 't' must be a number or text with a unit, not a list",
    ),
    (
        "time",
        stage("resources: {time: soon}"),
        (
            "4: time of resources of stage 't': "
            "'soon' is not a duration; write for example 30s, 90m, 1h30m or 2d"
        ),
    ),
    (
        "timeout",
        stage("timeout: -3"),
        "4: timeout of stage 't': '-3' is not a duration: it must be finite and not negative",
    ),
    (
        "timeout huge",
        stage("timeout: " + "9" * 400),
        "4: timeout of stage 't': int too large to convert to float",
    ),
    ("retry", stage("retry: 3"), "4: retry of stage 't' must be a mapping, not a number"),
    (
        "times",
        stage("retry: {times: 1.5}"),
        "4: times of retry of stage 't' must be a whole number of at least 0, not a number",
    ),
    (
        "times less",
        stage("retry: {times: -1}"),
        "4: times of retry of stage 't' must be a whole number of at least 0, not -1",
    ),
    (
        "on",
        stage("retry:", "  on: [lost, premption]"),
        (
            "5: item 2 of on of retry of stage 't' is no cause: 'premption'; "
            f"causes are {CAUSES} → did you mean preempted?"
        ),
    ),
    (
        "on text",
        stage("retry: {on: lost}"),
        ("4: on of retry of stage 't' must be a list of causes, not text → write for example on: [lost]"),
    ),
    ("dvc lock", "dvc: {lock: 1}\n", "1: lock of dvc must be true or false, not a number"),
    ("dvc key", "dvc: {look: true}\n", "1: unknown key 'look' in dvc; allowed are lock → did you mean lock?"),
    (
        "estimate",
        stage("estimate: soon"),
        "4: estimate of stage 't': 'soon' is not a duration; write for example 30s, 90m, 1h30m or 2d",
    ),
    (
        "strict_deps",
        stage("strict_deps: 1"),
        "4: strict_deps of stage 't' must be true or false, not a number",
    ),
    (
        "twice",
        stage("timeout: 3m", "meta:", "  pinyon:", "    timeout: 4m"),
        "7: timeout of stage 't' stands here and beside cmd",
    ),
]


@pytest.mark.parametrize(
    ("text", "message"), [row[1:] for row in OURS], ids=[row[0].replace(" ", "-") for row in OURS]
)
def test_mistakes_in_pinyon_yaml(text: str, message: str, complain: Complain) -> None:
    assert complain(pinyon=text) == f"pinyon.yaml:{message}"


@pytest.mark.parametrize("key", ["env", "resources", "retry", "timeout", "estimate", "strict_deps", "args"])
def test_our_stage_keys_have_their_place_in_dvc_yaml(key: str, complain: Complain) -> None:
    assert complain(dvc=stage(f"{key}: x")) == (
        f"dvc.yaml:4: unknown key '{key}' in stage 't'; allowed are {STAGE} → "
        f"DVC refuses it there: write meta: {{pinyon: {{{key}: …}}}}"
    )


@pytest.mark.parametrize("key", ["experiments", "targets", "stores", "rules", "project", "dvc"])
def test_our_sections_have_their_place_beside_dvc_yaml(key: str, complain: Complain) -> None:
    assert complain(dvc=f"stages: {{}}\n{key}: x\n") == (
        f"dvc.yaml:2: unknown key '{key}' at the top; allowed are {TOP} → write it in a pinyon.yaml beside this file"
    )


def test_a_number_in_a_list_cmd_is_a_word_for_us_and_a_mistake_for_dvc(
    load: Load, complain: Complain
) -> None:
    text = "stages:\n  a:\n    cmd: [python, 3, 0.5, true]\n"
    assert load(pinyon=text).stages[0].body["cmd"] == ["python", 3, 0.5, True]
    assert (
        complain(dvc=text)
        == "dvc.yaml:3: item 2 of cmd of stage 'a' must be text, not a number → put it in quotes"
    )


EVERYTHING = """\
stages:
  'a/b.c-1':
    cmd: [python a.py, "python b.py ${x}"]
    wdir: "${where}"
    deps: [a.py, "${data.path}", s3://bucket/key, ../outside, /abs/olute]
    params: [lr, "${group}", {p.toml: [a.b]}, {whole.json: }, {"${file}": [k]}]
    outs:
    - plain
    - "${out}"
    - m.pkl: {cache: false, persist: true, checkpoint: true, remote: r, push: false, desc: d, type: t, labels: [l], meta: 3}
    metrics: [m.json, {n.json: {cache: false}}]
    plots: [p.csv, {q.csv: {x: a, y: b, template: t, title: t, x_label: l, y_label: l, header: true}}]
    frozen: true
    always_changed: false
    vars: [v.yaml, "w.yaml:a,b", {k: 1}]
    desc: words
    meta: [anything, {at: all}]
vars: [p.yaml, {a: {b: 1}}]
params: [p.yaml]
metrics: [m.json]
plots: [p.csv, dir, {named: {x: step, y: {f.csv: [a, b], g.csv: c}}}, {bare: }]
artifacts: {model: {path: m.pkl, type: model, desc: d, labels: [l], meta: {a: 1}}}
datasets: [{name: d, type: dvc}]
"""


@pytest.mark.parametrize("dialect", ["dvc", "pinyon"])
def test_everything_that_dvc_allows_is_allowed(dialect: str, load: Load) -> None:
    project = load(**{dialect: EVERYTHING})
    assert [stage.name for stage in project.stages] == ["a/b.c-1"]
    assert set(project.settings) == {"params", "metrics", "plots", "artifacts", "datasets"}


LOOPS = """\
stages:
  swept:
    matrix: {model: [cnn, "${other}"], lr: "${rates}", word: ab}
    cmd: train ${item.model}
    outs: ["${key}.pkl"]
  each:
    do:
      cmd: get ${item}
      wdir: sub
    foreach: [a, {b: c}]
  named: {foreach: {a: 1}, do: {cmd: x}}
  given: {foreach: "${sets}", do: {cmd: [x], meta: {pinyon: {timeout: 3}}}}
  none: {foreach: [], do: {cmd: x, wdir: ""}}
"""


@pytest.mark.parametrize("dialect", ["dvc", "pinyon"])
def test_loops_are_templates_like_others(dialect: str, load: Load) -> None:
    stages = {stage.name: stage for stage in load(**{dialect: LOOPS}).stages}
    assert list(stages) == ["swept", "each", "named", "given", "none"]
    assert stages["each"].at("do", "wdir").line == 9
    assert stages["swept"].at("matrix").line == 3
    assert stages["given"].body["do"]["timeout"] == 3
    assert stages["given"].at("do", "timeout").line == 12


def test_our_keys_of_a_loop_stand_under_do(load: Load, complain: Complain) -> None:
    assert (
        load(pinyon="stages: {a: {foreach: [1], do: {cmd: x, estimate: 3m}}}")
        .stages[0]
        .body["do"]["estimate"]
        == "3m"
    )
    said = complain(pinyon="stages:\n  a:\n    foreach: [1]\n    do: {cmd: x}\n    timeout: 3\n")
    assert (
        said
        == "pinyon.yaml:5: unknown key 'timeout' in stage 'a'; allowed are foreach, do → put it under do:"
    )
    said = complain(
        pinyon="stages:\n  a: {foreach: [1], do: {cmd: x, timeout: 3, meta: {pinyon: {timeout: 4}}}}\n"
    )
    assert said == "pinyon.yaml:2: timeout of do of stage 'a' stands here and beside cmd"


def test_our_own_file_may_hold_notes(load: Load, complain: Complain) -> None:
    assert load(pinyon="meta: {a: 1}\n").settings == {"meta": {"a": 1}}
    assert complain(dvc="meta: {a: 1}\n").startswith("dvc.yaml:1: unknown key 'meta' at the top")


@pytest.mark.parametrize(
    "line",
    [
        "resources: {cpus: 2, memory: 32GB, gpus: 0.5, vram: 512MiB, time: 90m}",
        "resources: {cpus: '${n}', memory: '${m}', time: '${t}', vram: 20000000000}",
        "retry: {times: 2, on: [preempted, lost, exit, signal, timeout, oom, missing_out, setup]}",
        "retry: {times: '${n}', on: ['${cause}']}",
        "retry: {times: 2.0}",
        "retry: {}",
        "timeout: 1h30m",
        "timeout: 30",
        "env: [uv.lock, '${lock}']",
        "estimate: 90m",
        "strict_deps: true",
    ],
)
def test_our_keys_mean_the_same_in_both_files(line: str, load: Load) -> None:
    ours = load(pinyon=stage(line)).stages[0]
    (other,) = load(pinyon="stages: {}\n", dvc=stage("meta:", "  pinyon:", f"    {line}")).stages
    key = line.partition(":")[0]
    assert ours.body[key] == other.body[key]
    assert ours.at(key).line == 4
    assert (other.at(key).file, other.at(key).line) == ("dvc.yaml", 6)
