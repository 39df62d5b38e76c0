"""``${…}``: DVC's rules, and ours where DVC says nothing useful."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinyon.errors import PlanError
from pinyon.plan.interpolate import resolve, resolve_command, resolve_plain

CONTEXT: dict[str, Any] = {
    "lr": 1e-5, "epochs": 3, "name": "a b", "yes": True, "no": False, "nothing": None, "text": "x",
    "model": {"hidden": 64, "heads": [4, 8], "bias": False}, "lists": [["a"], {"b": 2}],
    "options": {"lr": 0.1, "name": "it's", "fast": True, "slow": False, "none": None, "mods": ["CT", "M R"], "empty": ""},
    7: {"x": "seven"}, "years": {2024: "then"}, "a b": "blank",
}  # fmt: skip


def filled(text: Any) -> Any:
    return resolve(text, CONTEXT, lambda: "here:1")


def command(text: str) -> str:
    return resolve_command(text, CONTEXT, lambda: "here:1")


@pytest.mark.parametrize(
    ("template", "value"),
    [
        ("${lr}", 1e-5),
        ("${ epochs }", 3),
        ("${yes}", True),
        ("${nothing}", None),
        ("${model}", {"hidden": 64, "heads": [4, 8], "bias": False}),
        ("${model.heads}", [4, 8]),
        ("${model.heads[1]}", 8),
        ("${model.heads.1}", 8),
        ("${model.heads[-1]}", 8),
        ("${lists[1].b}", 2),
        ("${ model.heads[ 1 ] }", 8),
        ("${a b}", "blank"),
    ],
)
def test_a_whole_expression_keeps_the_type(template, value):
    assert filled(template) == value
    assert type(filled(template)) is type(value)


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("lr=${lr}", "lr=1e-05"),
        ("${epochs}${epochs}", "33"),
        ("${yes}-${no}", "true-false"),
        ("out/${text}/${model.hidden}.bin", "out/x/64.bin"),
        (r"\${text}", "${text}"),
        (r"a \${V:-${text}} b", "a ${V:-x} b"),
        (r"\${a} ${text} \${b}", "${a} x ${b}"),
        ("$text {text} $(date)", "$text {text} $(date)"),
        ("$${text}", "$x"),
        ("${nothing} ${text}}", "None x}"),
    ],
)
def test_inside_text_values_become_text(template, text):
    assert filled(template) == text
    assert command(template) == text


def test_keys_and_items_are_templates_too_at_any_depth():
    assert filled({"${text}.yaml": ["${epochs}", {"deep": "${model.heads[0]}"}]}) == {
        "x.yaml": [3, {"deep": 4}]
    }


def test_what_is_no_template_is_left_alone():
    assert filled([1, None, 2.5, True, "plain"]) == [1, None, 2.5, True, "plain"]


def test_a_map_is_options_in_a_command():
    assert command("run ${options} end") == (
        "run --lr 0.1 --name 'it'\"'\"'s' --fast --none None --mods CT 'M R' --empty '' end"
    )
    assert command("${model}") == "--hidden 64 --heads 4 8"


@pytest.mark.parametrize("template", ["run ${options}", "x ${model.heads}"])
def test_inside_text_only_plain_values_fit(template):
    with pytest.raises(PlanError, match=r"here:1: \$\{.*\} is (a map|a list)"):
        filled(template)


def test_options_of_nested_maps_have_dotted_names():
    nested = {"o": {"b": {"c": 1, "d": {}, 3: 4}, "e": [True, None, "x y"], "f": [], 5: 6}}
    assert resolve_command("${o}", nested, lambda: "") == "--b.c 1 --e True None 'x y'"
    with pytest.raises(PlanError, match=r"\$\{o\.b\} is a list of lists"):
        resolve_command("x ${o}", {"o": {"b": [[1]]}}, lambda: "")


@pytest.mark.parametrize("template", ["${model}", "${model.heads}"])
def test_a_field_of_a_stage_takes_plain_values_only(template):
    with pytest.raises(PlanError, match="here a value must be text, a number or a boolean"):
        resolve_plain({"a": [template]}, CONTEXT, lambda: "here:1")


def test_a_text_does_not_grow_without_end():
    with pytest.raises(PlanError, match="a text grows past 1,000,000 characters"):
        resolve("${t}${t} " * 2000, {"t": "x" * 1000}, lambda: "here:1")


@pytest.mark.parametrize("template", ["echo ${unclosed", "${", "a ${b\nc} d"])
def test_what_is_no_expression_is_left_to_the_shell(template):
    assert filled(template) == template
    assert command(template) == template


@pytest.mark.parametrize(
    "template", ["echo ${V:-x}", "${V:-x}", "${HOME%/}", "${#array}", "${b c!}", "${a..b}", "${a[}", "${}"]
)
def test_what_the_shell_means_must_be_escaped(template):
    for fill in (filled, command):
        with pytest.raises(PlanError) as caught:
            fill(template)
        assert caught.value.next == "write \\${ for a literal ${, as the shell's ${V:-x} needs"
        assert caught.value.where == "here:1"


@pytest.mark.parametrize("template", ["echo ${a{b}}", "x ${}", "${.a}", "${a]}"])
def test_a_broken_expression_is_refused_with_the_same_hint(template):
    with pytest.raises(PlanError, match="is not a name"):
        filled(template)


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("${epoch}", "did you mean epochs?"),
        ("${model.hiden}", "did you mean hidden?"),
        ("${model.hidden.deeper}", "'deeper', which is not a parameter"),
        ("${model.heads[2]}", "'2', which is not a parameter"),
        ("${model.zzz}", "there are hidden, heads, bias"),
        ("${years.2024}", "'2024', which is not a parameter; there are none"),
    ],
)
def test_an_unknown_name_is_told_the_nearest(template, said):
    with pytest.raises(PlanError) as caught:
        filled(template)
    assert said in str(caught.value)


@given(st.text(alphabet="ab${}\\ :.[]", max_size=20))
def test_any_text_is_resolved_or_refused_never_worse(text):
    for read in (filled, command):
        try:
            found = read(text)
        except PlanError:
            continue
        assert found == text or "${" in text  # what holds no expression stays as it is


@given(st.text(max_size=30).filter(lambda text: "\\${" not in text))
def test_escaping_gives_the_text_back(text):
    assert filled(text.replace("${", "\\${")) == text
