"""A repository of DVC's: every dvc.yaml and *.dvc in it, and nothing that is ignored, somebody else's, or data."""

# ruff: noqa: E501 - a stage is easier to read in one line

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pinyon.errors import SpecError
from pinyon.model.project import Origin, Pointer, Project
from pinyon.spec.ignore import hidden, patterns
from pinyon.spec.load import find_root, load_project

STAGE = "stages:\n  train:\n    cmd: x\n    deps: [a]\n"
Fill = Callable[..., Path]


@pytest.fixture
def fill(tmp_path: Path) -> Fill:
    """Make a repository of these files; an absent text makes a directory."""

    def make(files: dict[str, str], root: str = "p") -> Path:
        for name, text in {".dvc/config": "", **files}.items():
            path = tmp_path / root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tmp_path / root

    return make


def test_every_dvc_yaml_counts_and_stages_have_addresses(fill: Fill) -> None:
    root = fill(
        {
            "dvc.yaml": STAGE,
            "a/dvc.yaml": "vars: [{x: 1}]\n" + STAGE,
            "a/b/dvc.yaml": STAGE,
            "z/other.yaml": STAGE,
        }
    )
    project = load_project(root)
    assert project.files == ("dvc.yaml", "a/dvc.yaml", "a/b/dvc.yaml")
    assert [(stage.name, stage.base) for stage in project.stages] == [
        ("train", ""), ("a/dvc.yaml:train", "a"), ("a/b/dvc.yaml:train", "a/b"),
    ]  # fmt: skip
    assert project.stages[1].origin == Origin("a/dvc.yaml", 3)
    assert str(project.stages[1].at("deps", 0)) == "a/dvc.yaml:5"
    assert project.variables == {"a": ({"x": 1},)}
    assert project.folders == ("", "a", "a/b", "z")
    assert project.sections.keys() == {"dvc.yaml", "a/dvc.yaml", "a/b/dvc.yaml"}


def test_without_a_repository_only_the_root_counts(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "dvc.yaml").write_text(STAGE)
    (tmp_path / "sub" / "dvc.yaml").write_text(STAGE)
    (tmp_path / "d.dvc").write_text("outs: [{path: d}]\n")
    project = load_project(tmp_path)
    assert (project.files, project.folders, project.pointers) == (("dvc.yaml",), (), ())


def test_a_pinyon_yaml_in_a_repository_has_its_dvc_yaml_too(fill: Fill) -> None:
    root = fill(
        {"pinyon.yaml": "stages: {own: {cmd: x}}\n", "sub/dvc.yaml": STAGE, "sub/pinyon.yaml": "stages: 3\n"}
    )
    assert [stage.name for stage in load_project(root).stages] == ["own", "sub/dvc.yaml:train"]


def test_a_repository_may_hold_nothing_but_data(fill: Fill) -> None:
    project = load_project(fill({"d.dvc": "outs: [{path: d}]\n"}))
    assert (project.stages, len(project.pointers)) == ((), 1)
    assert load_project(fill({}, "q")).stages == ()


def test_a_mistake_in_any_file_is_told_with_its_place(fill: Fill) -> None:
    for name, text, said in [
        ("sub/dvc.yaml", "stages:\n  a: {}\n", "sub/dvc.yaml:2: stage 'a' has no cmd"),
        ("sub/d.dvc", "outs:\n- md5: abc\n", "sub/d.dvc:2: item 1 of outs has no path"),
    ]:
        with pytest.raises(SpecError, match=said):
            load_project(fill({name: text}, name.replace("/", "-")))


def test_aliases_in_a_loop_count_as_often_as_they_are_used(fill: Fill) -> None:
    rows = ["vars:\n- a0: &a0 [1, 2, 3, 4, 5, 6, 7, 8, 9]\n"]
    rows += [f"- a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 9)]
    text = "".join(rows) + "stages:\n  a: {foreach: *a8, do: {cmd: x}}\n"
    with pytest.raises(SpecError, match=r"dvc.yaml:7: more than 250,000 values; aliases count as often"):
        load_project(fill({"dvc.yaml": text}))


class TestTheRoot:
    def test_the_nearest_repository_comes_before_the_nearest_dvc_yaml(self, fill: Fill) -> None:
        root = fill({"dvc.yaml": STAGE, "a/b/dvc.yaml": STAGE, "a/c/.dvc/config": "", "a/c/d/x": ""})
        assert find_root(root / "a" / "b") == root
        assert find_root(root / "a" / "c" / "d") == root / "a" / "c"

    def test_a_pinyon_yaml_comes_before_both(self, fill: Fill) -> None:
        root = fill({"pinyon.yaml": "stages: {}\n", "a/.dvc/config": "", "a/b/dvc.yaml": STAGE})
        assert find_root(root / "a" / "b") == root

    def test_a_file_called_dvc_is_no_repository(self, tmp_path: Path) -> None:
        (tmp_path / "sub").mkdir()
        (tmp_path / ".dvc").write_text("")
        (tmp_path / "sub" / "dvc.yaml").write_text(STAGE)
        assert find_root(tmp_path / "sub") == tmp_path / "sub"


BROKEN = "stages: {broken: 3}\n"


class TestWhatIsLeftOut:
    def left_out(self, fill: Fill, files: dict[str, str]) -> Project:
        project = load_project(fill(files))
        assert all("hid" not in file for file in project.files)
        return project

    def test_what_dvcignore_says(self, fill: Fill) -> None:
        files = {
            ".dvcignore": "/hid\n*.hid/\n",
            "hid/dvc.yaml": BROKEN,
            "a.hid/dvc.yaml": BROKEN,
            "sub/hid/dvc.yaml": STAGE,
        }
        files |= {"sub/.dvcignore": "hid/dvc.yaml\n", "sub/hid/in/dvc.yaml": STAGE}
        project = load_project(fill(files))
        assert project.files == ("sub/hid/in/dvc.yaml",)
        assert ".dvcignore" in project.folders
        assert "sub/.dvcignore" in project.folders

    def test_what_gitignore_says_in_a_git_repository_only(self, fill: Fill) -> None:
        files = {".gitignore": "/hid/\n", "hid/dvc.yaml": STAGE}
        assert load_project(fill(files)).files == ("hid/dvc.yaml",)
        assert self.left_out(fill, {**files, ".git/HEAD": ""}).folders == ("", ".gitignore")

    def test_what_a_gitignore_above_says(self, fill: Fill, tmp_path: Path) -> None:
        (tmp_path / ".git").mkdir()
        (tmp_path / ".gitignore").write_text("p/hid/\nhid2/\n/sub\n")
        self.left_out(fill, {"hid/dvc.yaml": BROKEN, "sub/hid2/dvc.yaml": BROKEN, "sub/dvc.yaml": STAGE})
        assert load_project(tmp_path / "p").files == ("sub/dvc.yaml",)

    def test_repositories_inside_and_rubbish(self, fill: Fill) -> None:
        folders = ["hid/.dvc", ".git", ".pinyon/work", "__pycache__", ".dvc/tmp"]
        files = {f"{folder}/dvc.yaml": BROKEN for folder in folders} | {"hid/dvc.yaml": BROKEN}
        self.left_out(fill, files)

    def test_what_lies_in_an_out_or_in_data(self, fill: Fill) -> None:
        texts = (
            "stages:\n  a: {wdir: sub, cmd: x, outs: [hid, {../hid2: {cache: false}}], metrics: [./hid3]}\n"
        )
        loop = "  b: {foreach: [1], do: {cmd: x, outs: [hid4/x]}}\n"
        files = {"dvc.yaml": texts + loop, "hid5.dvc": "wdir: sub\nouts: [{path: hid5}, {path: hid6}]\n"}
        files |= {
            f"{path}/deep/dvc.yaml": BROKEN
            for path in ("sub/hid", "hid2", "sub/hid3", "hid4/x", "sub/hid5", "sub/hid6")
        }
        project = load_project(fill(files))
        assert project.files == ("dvc.yaml", "hid5.dvc")

    def test_links_to_directories(self, fill: Fill) -> None:
        root = fill({"dvc.yaml": STAGE, "sub/x": ""})
        (root / "sub" / "up").symlink_to("..")
        assert load_project(root).files == ("dvc.yaml",)

    def test_an_ignore_file_that_is_no_text(self, fill: Fill) -> None:
        root = fill({"sub/dvc.yaml": STAGE})
        (root / ".dvcignore").write_bytes(b"\xff\xfe\nsub/\n")
        assert load_project(root).files == ()
        (root / ".dvcignore").unlink()
        (root / ".dvcignore").mkdir()
        assert load_project(root).files == ("sub/dvc.yaml",)


HEX = "0123456789abcdef0123456789abcdef"


class TestPointers:
    def pointers(self, fill: Fill, text: str, name: str = "sub/d.csv.dvc") -> tuple[Pointer, ...]:
        return load_project(fill({name: text})).pointers

    def test_added_data(self, fill: Fill) -> None:
        text = f"outs:\n- md5: {HEX}\n  size: 12\n  hash: md5\n  path: d.csv\n"
        assert self.pointers(fill, text) == (
            Pointer("sub/d.csv", f"md5:{HEX}", 12, Origin("sub/d.csv.dvc", 5), "dvc"),
        )

    def test_a_directory_of_old_and_several_outs_below_a_wdir(self, fill: Fill) -> None:
        text = f"wdir: ../raw\nmeta: {{a: 1}}\nouts:\n- md5: {HEX.upper()}.dir\n  nfiles: 2\n  path: d\n- path: ./e//f\n  md5: ''\n"
        found = self.pointers(fill, text)
        assert [(one.path, one.digest, one.size) for one in found] == [
            ("raw/d", f"md5-dos2unix:{HEX}/", None), ("raw/e/f", "", None),
        ]  # fmt: skip

    def test_imports(self, fill: Fill) -> None:
        text = (
            "frozen: true\ndeps:\n- path: get-started/data.xml\n  repo:\n    url: https://example.org/r\n    rev_lock: ab12\n"
            f"    config: {{a: 1}}\nouts:\n- md5: {HEX}\n  size: 3\n  hash: md5\n  path: data.xml\n"
        )
        assert [one.path for one in self.pointers(fill, text)] == ["sub/data.xml"]
        text = f"deps:\n- etag: '\"x\"'\n  path: s3://b/k\n  fs_config: {{a: b}}\nouts:\n- path: k\n  md5: {HEX}\n  cloud: {{r: {{version_id: v}}}}\n"
        assert [one.path for one in self.pointers(fill, text)] == ["sub/k"]

    @pytest.mark.parametrize("text", ["", "outs:\n", "deps: []\nouts: []\n", "# empty\n"])
    def test_a_file_without_data(self, text: str, fill: Fill) -> None:
        assert self.pointers(fill, text) == ()

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("cmd: x\n", "1: unknown key 'cmd' at the top; allowed are md5, wdir"),
            ("outs: d\n", "1: outs must be a list of data"),
            ("outs:\n- d\n", "2: item 1 of outs must be a mapping, not text"),
            ("outs:\n- path: d\n  sizes: 3\n", "3: unknown key 'sizes' in item 1 of outs"),
            ("outs:\n- path: d\n  md5: a\n", "3: md5 of item 1 of outs is no digest"),
            ("outs:\n- path: d\n  md5: true\n", "3: md5 of item 1 of outs is no digest"),
            ("outs:\n- path: d\n  size: big\n", "3: size of item 1 of outs must be a whole number"),
            ("outs:\n- path: ../../d\n", "2: ../d lies outside of the project"),
            ("outs:\n- path: /d\n", "2: /d lies outside of the project"),
            ("outs:\n- path: e.dvc\n", "2: sub/e.dvc is a file of DVC's own"),
            ("deps:\n- path: d\n  repo: {rev: a}\n", "3: repo of item 1 of deps has no url"),
            ("frozen: 1\n", "1: frozen must be true or false"),
            ("wdir: 3\n", "1: wdir must be text"),
            ("- d\n", ": the file must be a mapping, not a list"),
        ],
    )
    def test_mistakes(self, text: str, said: str, fill: Fill) -> None:
        with pytest.raises(SpecError) as caught:
            self.pointers(fill, text)
        assert f"sub/d.csv.dvc:{said}".replace("dvc::", "dvc:") in str(caught.value)


# -- the patterns, against git itself -----------------------------------------------------------------------------------

NAMES = ["a", "b", "ab", "a.b", ".c", "a b", "x*", "[a]"]
WORDS = st.sampled_from(
    [
        "a",
        "b",
        "*",
        "?",
        "**",
        "a*",
        "*.b",
        ".c",
        "[ab]",
        "[!a]",
        "[^a]b",
        "\\*",
        "x\\*",
        "[]a]",
        "a b",
        "[a",
    ]
)
LINES = st.builds(
    lambda bang, lead, words, tail, blank: f"{bang}{lead}{'/'.join(words)}{tail}{blank}",
    st.sampled_from(["", "", "", "!", "\\!"]), st.sampled_from(["", "", "/", "**/"]),
    st.lists(WORDS, min_size=1, max_size=3), st.sampled_from(["", "", "/", "/**"]), st.sampled_from(["", "", " ", "\\ "]),
)  # fmt: skip
TEXTS = st.lists(st.one_of(LINES, st.sampled_from(["", "# a", "\\#a", "/", "!"])), min_size=1, max_size=4)
PATHS = [(*head, name) for head in ((), ("a",), ("b", "ab"), ("a", "b", "a.b")) for name in NAMES]


@pytest.fixture(scope="module")
def git(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("git")
    subprocess.run(["git", "init", "-q", root], check=True)
    for path in PATHS:
        (root.joinpath(*path) / "in").mkdir(parents=True, exist_ok=True)
    return root


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(TEXTS, st.sampled_from(["", "a"]))
def test_patterns_mean_what_they_mean_to_git(git: Path, lines: list[str], base: str) -> None:
    for ignore in git.glob("**/.gitignore"):
        ignore.unlink()
    (git / base / ".gitignore").write_text("\n".join(lines) + "\n")
    known = patterns("\n".join(lines), base)
    asked = ["/".join(path) for path in PATHS]
    command = [
        "git",
        "-C",
        str(git),
        "-c",
        "core.quotepath=off",
        "check-ignore",
        "--no-index",
        "--stdin",
        "-z",
    ]
    done = subprocess.run(command, input="\0".join(asked), capture_output=True, text=True)
    theirs = set(done.stdout.split("\0")) - {""}

    def ours(path: str) -> bool:
        parts = path.split("/")
        return any(hidden(known, "/".join(parts[:end]), folder=True) for end in range(1, len(parts) + 1))

    assert {path for path in asked if ours(path)} == theirs, lines
