"""Every relative link of the documentation leads somewhere."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINK = re.compile(r"(?<!!)\[[^\]]*\]\((?P<target>[^)\s]+)\)")
PAGES = sorted(
    page
    for page in [
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/*.md"),
        *ROOT.glob("examples/*/*.md"),
        *ROOT.glob("changelog/*.md"),
    ]
)


def anchors(page: Path) -> set[str]:
    """The headings of a page, as they are written behind ``#``."""
    titles = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).strip().replace(" ", "-") for title in titles}


def broken(page: Path) -> list[str]:
    """The links of a page that lead nowhere."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    found = []
    for target in LINK.findall(text):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        there = page.parent / file if file else page
        if not there.exists() or (anchor and anchor not in anchors(there)):
            found.append(target)
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    assert not broken(page)


def test_a_broken_link_is_found(tmp_path: Path) -> None:
    (tmp_path / "there.md").write_text("# A title, and more\n")
    page = tmp_path / "page.md"
    page.write_text(
        "[a](there.md) [b](there.md#a-title-and-more) [c](https://example.org) [d](gone.md) [e](there.md#b)\n"
    )
    assert broken(page) == ["gone.md", "there.md#b"]


def test_every_page_of_docs_can_be_reached_from_the_readme() -> None:
    readme = (ROOT / "README.md").read_text()
    missing = [page.name for page in ROOT.glob("docs/*.md") if f"(docs/{page.name})" not in readme]
    assert not missing


TESTS = re.findall(r'\]\(((?:tests|src)/[\w/.-]+) "(\w+)"\)', (ROOT / "README.md").read_text())


@pytest.mark.parametrize(("file", "test"), sorted(set(TESTS)))
def test_a_test_that_the_readme_names_is_there(file: str, test: str) -> None:
    assert f"def {test}(" in (ROOT / file).read_text()


def test_every_promise_of_the_readme_names_a_test() -> None:
    section = (ROOT / "README.md").read_text().partition("\n## Promises")[2].partition("\n## ")[0]
    promises = re.findall(r"^\| (.+) \| (.+) \|$", section, re.MULTILINE)[1:]
    assert len(promises) >= 15
    assert [said for said, shown in promises if ' "test_' not in shown] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_pictures_are_there_and_small(page: Path) -> None:
    for target in re.findall(r"!\[[^\]]+\]\((?P<target>[^)\s]+)\)", page.read_text()):
        picture = page.parent / target
        assert picture.read_bytes().startswith(b"<svg " if picture.suffix == ".svg" else b"\x89PNG")
        assert picture.stat().st_size < 150_000
