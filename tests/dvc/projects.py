"""Random projects of DVC's in which every rule occurs that is easily missed, each with the rules that occur in it.

A valid project is put together from features, each a stage or a file of its own; a faulty one has one fault more. The same
seed gives the same projects.
"""

# ruff: noqa: E501 - a stage is easier to read in one line

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from random import Random
from typing import Any, NamedTuple


class Case(NamedTuple):
    """Files by path, the rules that occur in them, and whether one of these makes it no project."""

    files: dict[str, str]
    rules: tuple[str, ...]
    faulty: bool


class Raw(str):
    """YAML as it shall stand there."""


FEATURES: list[Callable[[Draft], None]] = []
FAULTS: list[Callable[[Draft], None]] = []


def feature(make: Callable[[Draft], None]) -> Callable[[Draft], None]:
    FEATURES.append(make)
    return make


def fault(make: Callable[[Draft], None]) -> Callable[[Draft], None]:
    FAULTS.append(make)
    return make


def cases(seed: int, valid: int, of_each_fault: int) -> Iterator[Case]:
    """``valid`` projects that are well, and each fault so many times."""
    rng = Random(seed)
    deck: list[Callable[[Draft], None]] = []
    for _ in range(valid):
        draft = Draft(rng)
        for _ in range(rng.randint(5, 8)):
            if not deck:
                deck = rng.sample(FEATURES, len(FEATURES))  # dealt like cards, so that none is rare
            draft.add(deck.pop())
        yield draft.case(faulty=False)
    for make in FAULTS:
        for _ in range(of_each_fault):
            draft = Draft(rng)
            for _ in range(rng.randint(0, 2)):
                draft.add(rng.choice(FEATURES))
            draft.add(make)
            yield draft.case(faulty=True)


class Draft:
    """A project that is being written."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.files: dict[str, str] = {}
        self.rules: list[str] = []
        self.stages: dict[str, list[str]] = {}
        self.top: dict[str, dict[str, Any]] = {}
        self.raw: dict[str, str] = {}  # text before all else in a file
        self.only: set[str] = set()
        self._count = 0
        number, text = self.number, self.text
        self.params: dict[str, Any] = {
            "lr": number(), "n": rng.randint(0, 99), "word": text(), "yes": True, "no": False, "nothing": None,
            "model": {"hidden": rng.randint(1, 512), "heads": [rng.randint(1, 9), 8], "act": text(), "bias": False},
            "opts": {
                "lr": number(), "name": text(), "fast": rng.random() < 0.5, "mods": ["CT", text()], "none": None,
                "deep": {"a": {"b": number()}, "c": [1, True, None, 0.5]}, "empty": [], "": text(), 7: "unseen",
            },
            "names": ["us", "eu", text()], "flags": [True, False], "sizes": [1, 2.5, 1e-5, None],
            "table": [{"x": text(), "y": 1}, {"x": "q", "y": number()}],
            "sets": {"a": {"p": text()}, "b/c": {"p": "z"}, "d.e": {"p": number()}}, "cmd": "echo \\${HOME}",
            "years": {2024: "then", "2025": "now"}, "file": "conf", "key": "alpha",
        }  # fmt: skip

    # -- drawing --------------------------------------------------------------------------------------------------------

    def number(self) -> float:
        return self.rng.choice([0.1, 1e-5, 3e-4, 1e22, 100.0, 0.30000000000000004, -2.5e-7, 12])

    def text(self) -> str:
        return self.rng.choice(
            ["x", "a b", "it's", "ü", "1e3", "true", "a/b.c", "$HOME", 'q"r', "v-1_2", "*"]
        )

    def plain(self) -> str:
        """Text that can be a part of a path."""
        return self.rng.choice(["x", "ü", "1e3", "true", "b.c", "v-1_2", "a b"])

    def fresh(self, stem: str = "s") -> str:
        self._count += 1
        return f"{stem}{self._count}"

    def reference(self) -> str:
        """An expression with a plain value."""
        choices = [
            "lr",
            "n",
            "word",
            "model.hidden",
            "model.heads[1]",
            "model.heads.0",
            "model.act",
            "sizes[-1]",
            "years.2025",
        ]
        name = self.rng.choice(choices)
        return self.rng.choice(["${%s}", "${ %s }", "${%s }"]) % name

    # -- writing --------------------------------------------------------------------------------------------------------

    def add(self, make: Callable[[Draft], None]) -> None:
        make(self)
        self.rules.append(make.__name__)

    def stage(self, body: dict[str, Any], name: str = "", file: str = "dvc.yaml") -> str:
        """A stage written as keys and values."""
        name = name or self.fresh()
        lines = [f"  {json.dumps(name)}:"]
        for key, value in body.items():
            lines.append(f"    {key}: {value if isinstance(value, Raw) else flow(value)}")
        self.stages.setdefault(file, []).append("\n".join(lines))
        return name

    def case(self, *, faulty: bool) -> Case:
        self.files.setdefault("params.yaml", flow(self.params))
        names = dict.fromkeys(["dvc.yaml", *self.stages, *self.top, *self.raw])
        for file in names:
            if file in self.files:
                continue
            blocks = self.stages.get(file, [])
            self.rng.shuffle(blocks)
            text = self.raw.get(file, "")
            for section, value in self.top.get(file, {}).items():
                text += f"{section}: {flow(value)}\n"
            if blocks:
                text += "stages:\n" + "\n".join(blocks) + "\n"
            self.files[file] = text
        return Case(self.files, tuple(self.rules), faulty)

    def section(self, name: str, *values: Any, file: str = "dvc.yaml") -> None:
        self.top.setdefault(file, {}).setdefault(name, []).extend(values)


def flow(value: Any) -> str:
    """Plain data as YAML in one line; unlike JSON it has keys that are numbers."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{flow(key)}: {flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(flow, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


# -- what a project may say ---------------------------------------------------------------------------------------------


@feature
def meta_takes_anything(d: Draft) -> None:
    d.stage({"cmd": "x", "meta": {"a": [1, {"b": None}], d.text(): d.number(), "at": d.reference()}})


@feature
def cmd_of_several_lines(d: Draft) -> None:
    d.stage({"cmd": f"one {d.reference()}\n\n  two --lr=${{lr}}\nthree", "deps": [d.fresh("in")]})


@feature
def cmd_as_a_list_with_multi_line_items(d: Draft) -> None:
    items = f"\n    - first {d.reference()}\n    - |\n      python x.py \\\n        --n ${{n}} \\\n        --last\n    - >\n      folded\n      item"
    d.stage({"cmd": Raw(items)})


@feature
def folded_cmd_keeps_its_line_break(d: Draft) -> None:
    style = d.rng.choice([">", ">", ">-", "|", ">+", "|-"])
    d.stage({"cmd": Raw(f"{style}\n      python train.py\n      --lr {d.reference()}\n      --n ${{n}}\n")})


@feature
def wdir_is_interpolated_first(d: Draft) -> None:
    folder = d.fresh("dir")
    d.params["where"] = "w"
    d.files[f"w/{folder}/params.yaml"] = flow({"inner": d.number()})
    d.stage({
        "wdir": "${where}/" + folder, "cmd": "x", "deps": ["data", "../up", "./a//b"], "params": ["inner"],
        "outs": [d.fresh("o")],
    })  # fmt: skip


@feature
def wdir_may_be_empty_or_a_dot(d: Draft) -> None:
    d.stage({"wdir": d.rng.choice(["", ".", "./", "./a/.."]), "cmd": "x", "outs": [d.fresh("o")]})


@feature
def outs_have_flags(d: Draft) -> None:
    options = {"cache": d.rng.random() < 0.5, "persist": d.rng.random() < 0.5, "desc": "d", "type": "t", "labels": ["l"],
               "meta": {"k": 1}, "remote": "r", "push": False}  # fmt: skip
    picked = {key: options[key] for key in d.rng.sample(sorted(options), 4)}
    d.stage({"cmd": "x", "outs": [{d.fresh("o"): picked}, d.fresh("o"), {d.fresh("o"): {}}]})


@feature
def several_outs_in_one_map(d: Draft) -> None:
    d.stage({"cmd": "x", "outs": [{d.fresh("o"): {"cache": False}, d.fresh("o"): {"persist": True}}, {}]})


@feature
def one_out_written_twice_has_the_flags_of_both(d: Draft) -> None:
    out = d.fresh("o")
    d.stage({"cmd": "x", "outs": [out, {out: {"cache": False}}, {out: {"persist": True}}]})


@feature
def metrics_and_plots_with_axes(d: Draft) -> None:
    axes = {
        "x": "step",
        "y": "${word}",
        "title": d.text(),
        "template": "linear",
        "x_label": "s",
        "header": False,
    }
    picked = {key: axes[key] for key in d.rng.sample(sorted(axes), 3)}
    d.stage({
        "cmd": "x", "metrics": [{d.fresh("m"): {"cache": False}}, d.fresh("m")],
        "plots": [{d.fresh("p"): {**picked, "cache": False}}, d.fresh("p")],
    })  # fmt: skip


@feature
def always_changed(d: Draft) -> None:
    d.stage({"cmd": "x", "always_changed": d.rng.random() < 0.7, "deps": [d.fresh("in")], "desc": d.text()})


@feature
def frozen_without_its_deps_params_and_outs(d: Draft) -> None:
    d.stage({
        "cmd": "x", "frozen": True, "deps": [d.fresh("gone")], "params": ["gone.key", {"gone.yaml": ["a"]}],
        "outs": [d.fresh("o")],
    })  # fmt: skip


@feature
def deps_named_twice_count_once(d: Draft) -> None:
    dep = d.fresh("in")
    d.stage({"cmd": "x", "deps": [dep, f"./{dep}", dep, f"../{'x'}"]})


@feature
def url_deps_of_a_frozen_stage(d: Draft) -> None:
    d.stage({"cmd": "x", "frozen": True, "deps": ["https://example.org/data.csv", "ds://set", d.fresh("in")]})


# -- parameters ---------------------------------------------------------------------------------------------------------


@feature
def params_with_dotted_names(d: Draft) -> None:
    names = [
        "lr",
        "model",
        "model.hidden",
        "model.heads",
        "model.heads.0",
        "opts.deep.a.b",
        "nothing",
        "sets.b/c.p",
        "years.2024",
    ]
    d.stage({"cmd": "x", "params": d.rng.sample(names, 4)})


@feature
def params_of_four_kinds_of_file(d: Draft) -> None:
    name, number = d.fresh("p"), d.number()
    d.files[f"{name}.json"] = json.dumps({"a": {"b": number}, "c": [1, 2]})
    d.files[f"{name}.toml"] = f'[a]\nb = 0.5\nc = "{name}"\n'
    d.files[f"{name}.py"] = (
        f"A = {number!r}\nclass B:\n    c: int = 3\n    def __init__(self):\n        self.d = [1, 2]\nE = A\n"
    )
    d.files[f"{name}.yml"] = "a: 1e-4\n"
    d.stage({"cmd": "x", "params": [
        {f"{name}.json": ["a.b", "c"], f"{name}.toml": ["a"]}, {f"{name}.py": ["A", "B.c", "B.d"]}, {f"{name}.yml": ["a"]},
    ]})  # fmt: skip


@feature
def params_as_a_whole_file(d: Draft) -> None:
    name = d.fresh("p")
    d.files[f"{name}.yaml"] = flow({"a.b": d.number(), "c": {"*": 1}, "d": [d.text()]})
    d.stage(
        {
            "cmd": "x",
            "params": [{f"{name}.yaml": d.rng.choice([None, [], {}])}, {f"{name}.yaml": ["d"]}, "lr"],
        }
    )


@feature
def params_with_templated_file_and_key(d: Draft) -> None:
    name = d.fresh("conf")
    d.files[f"conf-{name}.yaml"] = flow({"alpha": {"x": d.number()}, "beta": d.text()})
    d.stage({"cmd": "x", "params": [{"${file}-" + name + ".yaml": ["${key}.x", "beta"]}, "model.${mkey}"]})
    d.params["mkey"] = "hidden"


@feature
def params_with_a_star(d: Draft) -> None:
    name = d.fresh("p")
    d.files[f"{name}.yaml"] = flow({"globs": {"data/*": d.number()}, "one": {"only": 3}, "list": [[5]]})
    d.stage({"cmd": "x", "params": [{f"{name}.yaml": ["globs.data/*", "one.*", "o*.onl?", "list.*.0"]}]})


@feature
def params_that_a_stage_makes(d: Draft) -> None:
    name = d.fresh("made")
    d.stage({"cmd": "x", "params": [{f"{name}/p.yaml": ["a"]}]})
    d.stage({"cmd": "y", "outs": [name]})


# -- vars ---------------------------------------------------------------------------------------------------------------


@feature
def vars_from_files_and_maps(d: Draft) -> None:
    file, key = d.fresh("v"), d.fresh("k")
    d.files[f"{file}.yaml"] = flow({key: {"a": d.number()}, f"{key}b": d.text()})
    d.section("vars", f"{file}.yaml", {f"{key}c": [1, 2]})
    d.stage({"cmd": f"x ${{{key}.a}} ${{{key}b}} ${{{key}c[1]}}"})


@feature
def vars_with_picked_keys(d: Draft) -> None:
    file, key = d.fresh("v"), d.fresh("k")
    d.files[f"{file}.json"] = json.dumps({key: d.number(), f"{key}b": 2, "lr": "hidden"})
    d.section("vars", f"{file}.json:{key}", f"{file}.json:{key}b")
    d.stage({"cmd": f"x ${{{key}}} ${{{key}b}} ${{lr}}"})


@feature
def vars_are_merged_deeply(d: Draft) -> None:
    one, two = d.fresh("k"), d.fresh("k")
    d.section(
        "vars",
        {"model": {one: d.number()}},
        {"model": {two: {"z": d.text()}}, "opts": {"deep": {"a": {two: 1}}}},
    )
    d.stage({"cmd": f"x ${{model.{one}}} ${{model.{two}.z}} ${{model.hidden}} ${{opts.deep}}"})


@feature
def params_yaml_is_loaded_and_may_be_listed(d: Draft) -> None:
    d.section("vars", d.rng.choice(["params.yaml", "./params.yaml", "w/../params.yaml"]))
    d.stage({"cmd": "x ${lr}"})


@feature
def vars_from_above_with_a_wdir(d: Draft) -> None:
    folder, key = d.fresh("dir"), d.fresh("k")
    d.files[f"{folder}/params.yaml"] = flow({"inner": d.number(), "lr": "local"})
    d.files[f"{folder}/own.yaml"] = flow({key: d.text()})
    d.stage(
        {
            "wdir": folder,
            "vars": ["../params.yaml", "own.yaml"],
            "cmd": f"x ${{lr}} ${{{key}}}",
            "params": ["lr", {"../params.yaml": ["lr"]}],
        }
    )


@feature
def vars_of_one_stage_only(d: Draft) -> None:
    key = d.fresh("k")
    d.stage({"vars": [{key: {"x": d.text()}}], "cmd": f"x ${{{key}.x}}", "deps": [f"d-${{{key}.x}}"]})


@feature
def vars_keep_an_escape(d: Draft) -> None:
    key = d.fresh("k")
    d.section("vars", {key: "\\${HOME}"})
    d.stage({"cmd": f"x ${{{key}}} y"})
    d.stage({"cmd": f"${{{key}}}"})


# -- expressions --------------------------------------------------------------------------------------------------------


@feature
def values_inside_text(d: Draft) -> None:
    d.stage(
        {
            "cmd": f"x {d.reference()}{d.reference()} --n=${{n}} ${{yes}}/${{no}} ${{nothing}}",
            "deps": ["d-${n}/${yes}"],
        }
    )


@feature
def a_whole_expression_keeps_its_type(d: Draft) -> None:
    d.stage(
        {
            "cmd": "${cmd}",
            "desc": "${lr}",
            "meta": {"v": "${yes}", "w": "${nothing}"},
            "deps": ["${model.act}"],
        }
    )


@feature
def a_map_becomes_options(d: Draft) -> None:
    d.stage({"cmd": "run ${opts} end ${model} ${years}"})


@feature
def an_escape_is_for_the_shell(d: Draft) -> None:
    d.stage(
        {
            "cmd": d.rng.choice(
                [
                    "x \\${V:-x} ${n}",
                    "\\${A} \\${B}",
                    "x \\${V:-${n}}",
                    "for f in \\${a[@]}; do $f; done",
                    "x ${",
                    "$${n} $n {n}",
                ]
            )
        }
    )


@feature
def keys_of_maps_are_templates(d: Draft) -> None:
    d.stage(
        {
            "cmd": "x",
            "outs": [{d.fresh("o") + "-${n}": {"cache": False}}],
            "plots": [{"${file}" + d.fresh() + ".csv": {"x": "${word}"}}],
        }
    )


# -- loops --------------------------------------------------------------------------------------------------------------


@feature
def foreach_over_a_list(d: Draft) -> None:
    items = d.rng.sample(["us", "uk", 1, 1.5, True, None, "a/b", "v.1", "us", "a b", 1e-5], 3)
    out = f"{d.fresh('o')}/${{item}}.txt"
    d.stage({"foreach": items, "do": {"cmd": "x ${item}", "outs": [out]}})


@feature
def foreach_over_a_map_with_key(d: Draft) -> None:
    items = {"a": {"x": d.number(), "deep": {"y": d.text()}}, "b/c": {"x": 2, "deep": {"y": "z"}}}
    cmd = "x ${key} ${item.x} ${item.deep.y} ${item.deep}"
    d.stage({"foreach": items, "do": {"cmd": cmd, "outs": [d.fresh("o") + "-${key}"]}})


@feature
def foreach_over_a_list_of_maps(d: Draft) -> None:
    items: list[Any] = [{"x": d.plain() + "1"}, {"x": d.number(), "y": 1}]
    d.stage({"foreach": items, "do": {"cmd": "x ${item.x} ${item}", "outs": [d.fresh("o") + "-${item.x}"]}})
    d.stage({"foreach": [["p", 1], "q"], "do": {"cmd": "x"}})


@feature
def foreach_over_a_parameter(d: Draft) -> None:
    source = d.rng.choice(["names", "flags", "sizes", "table", "sets", "years", "model.heads"])
    d.stage(
        {"foreach": f"${{{source}}}", "do": {"cmd": "x ${item}" if source != "years" else "x ${item} ${key}"}}
    )


@feature
def foreach_with_parameters_as_items(d: Draft) -> None:
    d.stage(
        {"foreach": ["${yes}", True, "${model.act}-z", "${sizes[3]}", "${lr}"], "do": {"cmd": "x ${item}"}}
    )
    d.stage(
        {
            "foreach": {"one": "${table[0].y}", "${file}1": "${model.hidden}"},
            "do": {"cmd": "x ${key} ${item}"},
        }
    )


@feature
def do_before_foreach(d: Draft) -> None:
    d.stage({"do": {"cmd": "x ${item}", "deps": ["d/${item}"]}, "foreach": ["p", d.plain()]})


@feature
def foreach_with_params_wdir_and_vars(d: Draft) -> None:
    folder = d.fresh("dir")
    for item in ("a", "b"):
        d.files[f"{folder}/{item}/params.yaml"] = flow({item: {"lr": d.number()}, "own": item})
    d.stage({"foreach": {"a": 1, "b": 2}, "do": {
        "wdir": folder + "/${key}", "vars": [{"mine": d.text()}], "cmd": "x ${mine} ${item}", "params": ["${key}.lr", {"params.yaml": ["own"]}],
        "metrics": [{"m-${key}.json": {"cache": False}}],
    }})  # fmt: skip


@feature
def a_loop_over_nothing(d: Draft) -> None:
    d.stage(
        d.rng.choice(
            [
                {"foreach": [], "do": {"cmd": "x"}},
                {"foreach": {}, "do": {"cmd": "x"}},
                {"matrix": {"a": []}, "cmd": "x"},
            ]
        )
    )


@feature
def matrix_of_plain_values(d: Draft) -> None:
    body = {"matrix": {"m": ["cnn", "x/y.z", d.plain() + "w"], "lr": [0.1, 1e-5], "on": [True, None]}}
    d.stage({**body, "cmd": "x --m ${item.m} --lr ${item.lr} ${item}", "outs": [d.fresh("o") + "/${key}"]})


@feature
def matrix_with_maps_and_lists(d: Draft) -> None:
    dims = {
        "dataset": [{"name": "d1", "path": "p 1"}, {"name": "d2", "path": "p"}],
        "mods": [["CT", "MRI"], ["US"]],
        "k": [3],
    }
    d.stage(
        {
            "matrix": dims,
            "cmd": "x --name ${item.dataset.name} --m ${item.mods[0]} ${item}",
            "outs": [d.fresh("o") + "-${key}.bin"],
        }
    )


@feature
def matrix_with_an_empty_value(d: Draft) -> None:
    d.stage(
        {"matrix": {"a": ["p", "q"], "b": ["", "z"]}, "cmd": "x ${key}", "deps": ["d/${item.a}${item.b}"]}
    )


@feature
def matrix_over_parameters(d: Draft) -> None:
    d.stage(
        {
            "matrix": {"n": "${names}", "f": "${flags}", "s": "${sets}", "t": "${table}"},
            "cmd": "x ${item.n} ${item.f} ${item.s} ${item.t.y}",
        }
    )
    d.stage({"matrix": {"n": ["${lr}", "${model}"], "t": "ab"}, "cmd": "x ${key}"})


@feature
def matrix_overridden_by_merge_keys(d: Draft) -> None:
    name, out = d.fresh(), d.fresh("o")
    d.stages.setdefault("dvc.yaml", []).append(
        f"  {name}:\n    matrix: &dims-{name}\n      a: [1, 2]\n      b: [x]\n    cmd: run ${{key}}\n    outs: ['{out}-${{key}}']\n"
        f"  {name}b:\n    matrix:\n      <<: *dims-{name}\n      b: [y, z]\n      c: [{d.rng.randint(1, 9)}]\n    cmd: run ${{item}}"
    )


@feature
def merge_keys_between_stages(d: Draft) -> None:
    name = d.fresh()
    d.stages.setdefault("dvc.yaml", []).append(
        f"  {name}: &base-{name}\n    cmd: run ${{lr}}\n    deps: [a, b]\n    params: [lr]\n"
        f"  {name}b:\n    <<: *base-{name}\n    cmd: other ${{n}}\n    deps: [c]"
    )


# -- several files ------------------------------------------------------------------------------------------------------


@feature
def a_dvc_yaml_below_with_params_of_its_own(d: Draft) -> None:
    folder, out = d.fresh("sub"), d.fresh("o")
    d.files[f"{folder}/params.yaml"] = flow({"lr": d.number(), "low": d.text()})
    d.stage(
        {"cmd": "x ${lr} ${low}", "params": ["lr"], "deps": [f"../{out}", "own"], "outs": ["made"]},
        file=f"{folder}/dvc.yaml",
        name="train",
    )
    d.stage({"foreach": ["a"], "do": {"cmd": "x ${item}"}}, file=f"{folder}/dvc.yaml", name="loop")
    d.stage({"cmd": "y", "outs": [out], "deps": [f"{folder}/made/../raw"]})


@feature
def edges_over_several_files_by_path(d: Draft) -> None:
    one, two = d.fresh("sub"), d.fresh("sub")
    d.stage({"cmd": "x", "outs": ["data"]}, file=f"{one}/dvc.yaml", name="get")
    d.stage(
        {"cmd": "x", "wdir": "..", "deps": [f"{one}/data/part"], "outs": [f"{two}/model"]},
        file=f"{two}/dvc.yaml",
        name="fit",
    )
    d.stage({"cmd": "x", "deps": [two]})


@feature
def a_dep_above_and_a_dep_inside_an_out(d: Draft) -> None:
    folder = d.fresh("dir")
    d.stage({"cmd": "x", "outs": [f"{folder}/a", f"{folder}/b/c"]})
    d.stage({"cmd": "x", "deps": [folder]})
    d.stage({"cmd": "x", "deps": [f"{folder}/a/inner.txt"]})


@feature
def pointers_to_data(d: Draft) -> None:
    name = d.fresh("data")
    size = d.rng.randint(1, 10**6)
    d.files[f"raw/{name}.dvc"] = (
        f"outs:\n- md5: 0123456789abcdef0123456789abcde{d.rng.randint(0, 9)}\n  size: {size}\n  hash: md5\n  path: {name}\n"
    )
    d.files[f"{name}-dir.dvc"] = (
        f"md5: aaaabbbbccccddddaaaabbbbccccdddd\nwdir: raw\nouts:\n- md5: 0123456789abcdef0123456789abcdef.dir\n  nfiles: 2\n  path: {name}-dir\n- path: {name}-two\n  md5: ffff456789abcdef0123456789abcdef\n"
    )
    d.stage({"cmd": "x", "deps": [f"raw/{name}", f"raw/{name}-dir/part"]})


@feature
def imports_are_pointers(d: Draft) -> None:
    name = d.fresh("imp")
    d.files[f"{name}.dvc"] = (
        "frozen: true\ndeps:\n- path: data\n  repo:\n    url: https://example.org/r\n    rev: v1\n    rev_lock: abc\n"
        f"outs:\n- md5: 0123456789abcdef0123456789abcdef\n  hash: md5\n  path: {name}\n"
    )
    d.files[f"{name}-url.dvc"] = (
        "deps:\n- path: https://example.org/a.csv\n  checksum: '\"e-tag\"'\n  size: 3\nouts:\n- path: "
        + name
        + "-url\n"
    )


@feature
def dvcignore_hides_files(d: Draft) -> None:
    folder = d.fresh("hid")
    d.files[".dvcignore"] = d.files.get(".dvcignore", "# comment\n") + d.rng.choice(
        [f"/{folder}/\n", f"{folder}\n", f"{folder}/dvc.yaml\n", f"**/{folder}/*.yaml\n"]
    )
    d.files[f"{folder}/dvc.yaml"] = "stages: {broken: 3}\n"


@feature
def a_repository_inside_is_not_ours(d: Draft) -> None:
    folder = d.fresh("repo")
    d.files[f"{folder}/.dvc/config"] = ""
    d.files[f"{folder}/dvc.yaml"] = "stages: {broken: 3}\n"


@feature
def what_lies_in_an_out_is_data(d: Draft) -> None:
    folder = d.fresh("dir")
    d.stage({"cmd": "x", "outs": [folder]})
    d.files[f"{folder}/deep/dvc.yaml"] = "stages: {broken: 3}\n"


@feature
def files_without_stages(d: Draft) -> None:
    file = f"{d.fresh('sub')}/dvc.yaml"
    texts = ["stages: {}\n", "# nothing\n# but comments\n", "metrics: [m.json]\n", "plots: [p.csv, {q.csv: {x: a, y: {f.csv: [b]}}}, {r: null}]\n",
             "artifacts: {model: {path: m.pkl, type: t, desc: d, labels: [a], meta: {b: 1}}}\n", "params: [p.yaml]\n", "datasets: []\n"]  # fmt: skip
    d.files[file] = d.rng.choice(texts)


@feature
def sections_beside_stages(d: Draft) -> None:
    d.section("metrics", "m-${n}.json")
    d.section("plots", {"p.csv": {"title": "${word}", "x": {"f": "a"}, "y": ["b", "c"]}}, "plots/${file}")
    d.top["dvc.yaml"].setdefault("artifacts", {})[d.fresh("art")] = {"path": "models/${file}"}


# -- what is no project -------------------------------------------------------------------------------------------------


@fault
def an_unknown_key(d: Draft) -> None:
    key = d.rng.choice(["resources", "dep", "Cmd", "retry", "env", "estimate", "name"])
    where = d.rng.randint(0, 2)
    if where == 0:
        d.stage({"cmd": "x", key: 1})
    elif where == 1:
        d.stage({"foreach": [1], "do": {"cmd": "x", key: 1}})
    else:
        d.top.setdefault("dvc.yaml", {})[d.rng.choice(["meta", "targets", "stage"])] = {}


@fault
def a_value_of_the_wrong_kind(d: Draft) -> None:
    d.stage(d.rng.choice([
        {"cmd": 3}, {"deps": ["a"]}, {"cmd": "x", "deps": "a"}, {"cmd": "x", "deps": [1]}, {"cmd": "x", "deps": None},
        {"cmd": "x", "frozen": "yes"}, {"cmd": "x", "always_changed": 1}, {"cmd": "x", "outs": [{"o": None}]},
        {"cmd": "x", "outs": [{"o": {"cache": "no"}}]}, {"cmd": "x", "outs": [{"o": {"axes": 1}}]}, {"cmd": "x", "params": [1]},
        {"cmd": "x", "params": {"a": ["b"]}}, {"cmd": "x", "params": [{"f.yaml": "a"}]}, {"cmd": "x", "plots": [{"p": [{"x": "a"}]}]},
        {"cmd": "x", "vars": {"a": 1}}, {"cmd": "x", "vars": [1]}, {"cmd": "x", "desc": 1}, {"cmd": "x", "wdir": None},
        {"cmd": "x", "deps": [""]}, {"cmd": "x", "outs": [{1: {}}]}, {"cmd": None},
    ]))  # fmt: skip


@fault
def a_loop_of_the_wrong_shape(d: Draft) -> None:
    d.stage(d.rng.choice([
        {"foreach": [1]}, {"do": {"cmd": "x"}}, {"foreach": 3, "do": {"cmd": "x"}}, {"foreach": [1], "do": {"deps": []}},
        {"foreach": [1], "do": {"cmd": "x"}, "deps": []}, {"foreach": [1], "cmd": "x"}, {"matrix": [1], "cmd": "x"},
        {"matrix": {"a": {"b": 1}}, "cmd": "x"}, {"matrix": {"a": 1}, "cmd": "x"}, {"matrix": {"a": [1]}},
        {"foreach": [1], "do": {"cmd": "x", "foreach": [1]}}, {"foreach": "abc", "do": {"cmd": "x"}},
        {"foreach": "${lr}", "do": {"cmd": "x"}}, {"foreach": "${word}", "do": {"cmd": "x"}}, {"matrix": {"a": "${lr}"}, "cmd": "x"},
        {"matrix": {"a": "${word}"}, "cmd": "x"}, {"matrix": {"a": [1]}, "foreach": [1], "do": {"cmd": "x"}},
        {"matrix": {}, "cmd": "x"}, {"foreach": "${nothing}", "do": {"cmd": "x"}}, {"foreach": "x${names}", "do": {"cmd": "x"}},
    ]))  # fmt: skip


@fault
def a_file_of_the_wrong_shape(d: Draft) -> None:
    file = f"{d.fresh('sub')}/dvc.yaml"
    d.files[file] = d.rng.choice([
        "stages:\n", "vars:\n", "stages: []\n", "- a\n", "just text\n", "stages: {a: }\n", "plots: {a: }\n", "plots: [{}]\n",
        "metrics: [1]\n", "artifacts: {a: {desc: d}}\n", "artifacts: []\n", "plots: [{p: {z: 1}}]\n", "params: [{a: [b]}]\n",
        "stages: {1: {cmd: x}}\n", "stages: {'': {cmd: x}}\n", "stages: {a: x}\n", "plots: ['${zzz}']\n", "stages: {a: {cmd: x}\n",
        "stages:\n\ta: 1\n", "a: 1\na: 2\n", "stages: {a: {cmd: x}, a: {cmd: y}}\n", "stages: &a {b: *c}\n", "metrics: ['m${zzz}.json']\n",
    ])  # fmt: skip


@fault
def a_name_that_cannot_be_addressed(d: Draft) -> None:
    d.stage(d.rng.choice([
        {"foreach": ["x@y"], "do": {"cmd": "x"}}, {"foreach": ["", "a"], "do": {"cmd": "x"}}, {"matrix": {"a": [""]}, "cmd": "x"},
        {"matrix": {"a": ["p@q"], "b": [1]}, "cmd": "x"}, {"foreach": {"@": 1}, "do": {"cmd": "x"}},
    ]) if d.rng.random() < 0.8 else {"cmd": "x"}, name="ok")  # fmt: skip
    d.stage({"cmd": "x"}, name="a@b")


@fault
def an_unknown_parameter_in_an_expression(d: Draft) -> None:
    name = d.rng.choice(
        [
            "lrr",
            "model.hiden",
            "model.heads[2]",
            "word.x",
            "years.2024",
            "model.heads.x",
            "nothing.a",
            "item",
            "key1",
            "model..hidden",
            "",
            "model.",
            ".lr",
            "model[hidden",
            "names.0.a",
        ]
    )
    place = d.rng.choice(["cmd", "deps", "outs", "wdir", "params", "meta", "desc"])
    text = d.rng.choice(["${%s}", "a ${%s} b"]) % name
    body: dict[str, Any] = {"cmd": "x", place: text if place in ("cmd", "wdir", "meta", "desc") else [text]}
    d.stage(body if d.rng.random() < 0.7 else {"matrix": {"q": [1]}, **body})


@fault
def what_the_shell_means_without_an_escape(d: Draft) -> None:
    d.stage(
        {
            "cmd": "x "
            + d.rng.choice(
                ["${V:-x}", "${HOME}", "${#a}", "${a[@]}", "${f%.*}", "${V:-${n}}", "${1}", "${a b}"]
            )
        }
    )


@fault
def a_list_or_a_map_where_text_is_needed(d: Draft) -> None:
    d.stage(d.rng.choice([
        {"cmd": "x ${names}"}, {"cmd": "x", "deps": ["${model}"]}, {"cmd": "x", "deps": "${names}"}, {"cmd": "x", "outs": ["o${opts}"]},
        {"cmd": "x", "meta": {"a": "${model}"}}, {"cmd": "x", "desc": "a ${names}"}, {"cmd": "x ${table[0]} ${table}"},
        {"cmd": "x", "deps": ["${names}"]}, {"cmd": "x ${bad}"}, {"cmd": ["a", "b ${model.heads}"]}, {"cmd": "x", "wdir": "${model}"},
        {"cmd": "x", "deps": ["${lr}"]}, {"cmd": "x", "outs": ["${n}"]}, {"cmd": "x", "wdir": "${n}"}, {"cmd": "x", "deps": ["${nothing}"]},
        {"cmd": "x", "params": ["${model}"]},
    ]))  # fmt: skip
    d.params["bad"] = {"a": [[1], 2]}


@fault
def vars_that_say_two_things(d: Draft) -> None:
    d.files["w.yaml"] = "lr: 3\nfresh: 1\n"
    entries = d.rng.choice([
        [{"lr": 2}], [{"lr": d.params["lr"]}], ["w.yaml"], [{"model": {"hidden": 1}}], [{"model": 1}], [{"own": 1}, {"own": 1}], ["w.yaml:lr"],
        [{"own": {"a": 1}}, {"own": {"a": 2}}], ["params.yaml:lr"], ["w.yaml:fresh", "w.yaml"], ["w.yaml:fresh", "w.yaml:fresh"], [{"names": ["us"]}],
    ])  # fmt: skip
    if d.rng.random() < 0.5:
        d.section("vars", *entries)
        d.stage({"cmd": "x"})
    else:
        d.stage({"cmd": "x", "vars": entries})


@fault
def vars_that_cannot_be_loaded(d: Draft) -> None:
    d.files["list.yaml"], d.files["broken.json"], d.files["fine.yaml"] = "[1]\n", "{", "a: 1\n"
    entry = d.rng.choice(
        [
            "gone.yaml",
            "list.yaml",
            "broken.json",
            "fine.yaml:b",
            {"a${lr}": 1},
            {"a": ["x${lr}"]},
            "${file}.yaml",
            "sub",
        ]
    )
    d.files["sub/x"] = ""
    if d.rng.random() < 0.5:
        d.section("vars", entry)
        d.stage({"cmd": "x"})
    else:
        d.stage({"cmd": "x", "vars": [entry]})


@fault
def vars_that_set_a_loops_own_name(d: Draft) -> None:
    d.stage(d.rng.choice([
        {"foreach": [1], "do": {"cmd": "x", "vars": [{"item": 1}]}}, {"foreach": {"a": 1}, "do": {"cmd": "x", "vars": [{"key": 1}]}},
        {"matrix": {"a": [1]}, "cmd": "x", "vars": [{"key": 1}]}, {"foreach": [1], "do": {"cmd": "x ${key2}"}},
    ]))  # fmt: skip


@fault
def a_parameter_that_is_not_there(d: Draft) -> None:
    d.files["p.yaml"] = "a: {b: 1, c: 2}\n"
    d.stage({"cmd": "x", "params": [d.rng.choice([
        "gone", "model.gone", {"p.yaml": ["a.d"]}, {"gone.yaml": ["a"]}, {"gone.yaml": None}, {"p.yaml": ["a.*"]}, "model.hidden.x", "names.7",
    ])]})  # fmt: skip


@fault
def a_dep_that_is_also_an_out(d: Draft) -> None:
    d.stage(d.rng.choice([
        {"cmd": "x", "deps": ["same"], "outs": ["same"]}, {"cmd": "x", "deps": ["dir"], "outs": ["dir/a"]}, {"cmd": "x", "deps": ["dir/a"], "outs": ["./dir"]},
        {"cmd": "x", "params": [{"p.yaml": ["a"]}], "outs": ["p.yaml"]}, {"cmd": "x", "deps": ["m"], "metrics": ["m"]},
    ]))  # fmt: skip


@fault
def outs_that_overlap(d: Draft) -> None:
    first, second = d.rng.choice(
        [("o", "o"), ("o", "./o"), ("dir", "dir/a"), ("dir/a/b", "dir"), ("dir/", "dir/x/../y")]
    )
    key = d.rng.choice(["outs", "metrics", "plots"])
    if d.rng.random() < 0.5:
        d.stage({"cmd": "x", "outs": [first]})
        d.stage({"cmd": "y", key: [second]})
    else:
        d.stage({"cmd": "x", "outs": [first], "metrics": [second]})


@fault
def copies_that_write_one_place(d: Draft) -> None:
    d.stage({"foreach": [1, 2], "do": {"cmd": "x ${item}", "outs": [d.rng.choice(["same", "same-${n}"])]}})


@fault
def stages_that_wait_for_each_other(d: Draft) -> None:
    d.stage({"cmd": "x", "deps": ["c-a"], "outs": ["c-b"]})
    d.stage({"cmd": "x", "deps": ["c-b/part" if d.rng.random() < 0.5 else "c-b"], "outs": ["c-c"]})
    d.stage({"cmd": "x", "deps": ["c-c"], "outs": ["c-a"], "frozen": d.rng.random() < 0.5})


@fault
def two_files_that_write_one_place(d: Draft) -> None:
    d.stage({"cmd": "x", "outs": ["made"]}, file="sub/dvc.yaml", name="a")
    d.stage(
        {
            "cmd": "x",
            "wdir": d.rng.choice(["sub", "./sub"]),
            "outs": [d.rng.choice(["made", "made/inner", "./made"])],
        },
        name="ok",
    )


@fault
def a_pointer_to_what_a_stage_writes(d: Draft) -> None:
    d.files["data.dvc"] = "outs:\n- md5: 0123456789abcdef0123456789abcdef\n  path: data\n"
    d.stage({"cmd": "x", "outs": [d.rng.choice(["data", "data/inner", "./data"])]})


@fault
def a_pointer_that_is_none(d: Draft) -> None:
    d.files["data.dvc"] = d.rng.choice([
        "outs:\n- md5: 0123456789abcdef0123456789abcdef\n", "out: []\n", "cmd: x\nouts:\n- path: a\n", "outs: a\n", "outs:\n- path: a\n  size: big\n",
        "outs:\n- path: a\n  md5: ab\n", "outs:\n- path: a\n- path: a\n", "outs:\n- path: a\n- path: a/b\n", "outs:\n- path: x.dvc\n", "- a\n",
        "deps:\n- path: a\n  repo: {}\nouts:\n- path: b\n", "frozen: 1\n", "outs:\n- path: a\n  cache: x\n",
    ])  # fmt: skip


@fault
def a_file_of_dvcs_own_as_data(d: Draft) -> None:
    d.stage(
        {
            "cmd": "x",
            d.rng.choice(["deps", "outs", "metrics"]): [
                d.rng.choice(["data.dvc", "sub/dvc.yaml", "dvc.yaml", "a/.dvc"])
            ],
        }
    )


@fault
def an_out_around_the_file_that_declares_it(d: Draft) -> None:
    if d.rng.random() < 0.5:
        d.stage({"cmd": "x", "outs": [d.rng.choice([".", "./", "a/.."])]})
    else:
        d.stage({"cmd": "x", "wdir": "..", "outs": ["subdir"]}, file="subdir/dvc.yaml", name="a")
