"""README.md and docs/ say what is so: workflows check, links lead somewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest
from django.conf import settings
from django.core.management import get_commands

from automate import __version__
from tests.contract import docs_tables
from workflows.actions.http_request.build import USER_AGENT
from workflows.expressions import FILTERS, TESTS
from workflows.services import check_document, read_documents
from workflows.triggers.schemes import SCHEMES

ROOT = Path(settings.BASE_DIR)
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
CHANGES = ROOT / "CHANGELOG.md"
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]
_FENCE = re.compile(r"^```([^\n]*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_MAKE = re.compile(r"\bmake ([a-z][a-z-]*)")
# What git leaves where two versions could not be merged.
MERGE = re.compile(r"(<<<<<<<|>>>>>>>) ")
_MANAGE = re.compile(r"manage\.py ([a-z0-9_]+)")
_CODE = re.compile(r"`([^`\n]+)`")

every_page = pytest.mark.parametrize("page", PAGES, ids=NAMES)


def bad_workflows(text: str) -> Iterator[str]:
    """What is wrong with the blocks that are marked as workflows."""
    for info, body in _FENCE.findall(text):
        if info.split() != ["yaml", "workflow"]:
            continue
        for loaded in read_documents(body.encode()):
            if loaded.document is None:
                yield loaded.error
            else:
                yield from map(str, check_document(loaded.document))


def broken_links(text: str, folder: Path) -> Iterator[str]:
    """Links to files that do not exist, and to headings that a page lacks."""
    for target in _LINK.findall(_FENCE.sub("", text)):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, heading = unquote(target).partition("#")
        found = (folder / path).resolve()
        if not found.exists():
            yield target
            continue
        there = found.read_text() if path and heading else text
        if heading and heading not in headings(there):
            yield target


def headings(text: str) -> set[str]:
    """The anchors that GitHub makes of a page's headings."""
    lines = re.findall(r"^#+ (.+)$", _FENCE.sub("", text), re.MULTILINE)
    bare = (re.sub(r"[^\w\- ]", "", line.lower()) for line in lines)
    return {line.replace(" ", "-") for line in bare}


def code_of(text: str) -> str:
    """What a page shows as code: there, `make X` is a command and not a sentence."""
    blocks = [body for info, body in _FENCE.findall(text) if info]
    return "\n".join([*blocks, *_CODE.findall(_FENCE.sub("", text))])


def unknown_commands(text: str) -> Iterator[str]:
    """Each `make X` and `manage.py X` that there is not."""
    code = code_of(text)
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    yield from (f"make {name}" for name in _MAKE.findall(code) if name not in targets)
    known = get_commands()
    yield from (n for n in _MANAGE.findall(code) if n not in known)


@every_page
def test_every_workflow_on_a_page_can_be_published(page: Path) -> None:
    assert list(bad_workflows(page.read_text())) == []


@every_page
def test_every_link_between_pages_leads_somewhere(page: Path) -> None:
    assert list(broken_links(page.read_text(), page.parent)) == []


@every_page
def test_no_page_holds_two_versions_of_itself(page: Path) -> None:
    assert [line for line in page.read_text().splitlines() if MERGE.match(line)] == []


@every_page
def test_every_command_that_a_page_names_exists(page: Path) -> None:
    assert list(unknown_commands(page.read_text())) == []


def test_the_tables_say_what_the_code_says() -> None:
    page = docs_tables.PAGE.read_text()

    assert sorted(docs_tables.marked(page)) == sorted(docs_tables.TABLES)
    assert docs_tables.rewritten(page) == page, (
        "write them anew: python -m tests.contract.docs_tables"
    )


def test_the_table_of_filters_has_each_filter_once() -> None:
    lines = docs_tables.filters().splitlines()[2:]
    assert [re.split(r"[`(]", line)[1] for line in lines] == sorted(FILTERS)
    assert len(docs_tables.tests().splitlines()) == len(TESTS) + 2


def test_every_signature_scheme_is_described_and_in_the_table_of_providers() -> None:
    page = (ROOT / "docs" / "webhooks.md").read_text()
    schemes, _, rest = page.partition("### What to click there, what to choose here")
    providers = rest.partition("\n### ")[0]
    rows = [line.split("|") for line in providers.splitlines() if line.startswith("|")]
    chosen = {name for row in rows for name in _CODE.findall(row[3])}
    for name in SCHEMES:
        assert re.search(rf"^\| `{name}`", schemes, re.MULTILINE), name
        assert name in chosen or name == "none", name


@pytest.mark.parametrize("package", ["runs.engine", "runs.services"])
def test_the_map_of_modules_names_each_once_and_no_other(package: str) -> None:
    page = (ROOT / "docs" / "architecture.md").read_text()
    rows = page.split(f"| in `{package}` |")[1].split("\n\n")[0].splitlines()[2:]
    named = [name for row in rows for name in _CODE.findall(row.split("|")[1])]
    files = (ROOT / package.replace(".", "/")).glob("[!_]*.py")
    there = {path.stem for path in files}
    assert len(named) == len(set(named))
    assert set(named) ^ there == set(), "missing in the map, or in the package"


def test_the_version_is_the_changelog_s_newest() -> None:
    found = re.search(r"^## (\S+)( \(unreleased\))?", CHANGES.read_text(), re.MULTILINE)
    assert found is not None
    newest, unreleased = found.groups()
    assert __version__ == (f"{newest}.dev0" if unreleased else newest)
    assert f"Automate/{__version__}" == USER_AGENT


def test_a_stale_table_is_noticed_and_rewritten() -> None:
    page = "# A\n<!-- table: delay -->\n| old |\n<!-- end -->\nthe rest\n"

    new = docs_tables.rewritten(page)

    assert "| old |" not in new
    assert "`duration`" in new
    assert new.endswith("<!-- end -->\nthe rest\n")
    assert docs_tables.rewritten(new) == new


def test_a_wrong_workflow_is_noticed() -> None:
    page = "```yaml workflow\nname: A\nsteps: [{type: nonsense}]\n```\n"
    assert any("nonsense" in problem for problem in bad_workflows(page))
    assert list(bad_workflows("```yaml workflow\nname: [\n```\n")) != []
    assert list(bad_workflows(page.replace(" workflow", ""))) == []


def test_a_broken_link_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "b.md").write_text("# One thing\n")
    good = "[b](b.md) [h](b.md#one-thing) [w](https://example.com/x)\n"
    assert list(broken_links(good, tmp_path)) == []
    bad = "[a](a.md) [h](b.md#two) [own](#three)\n# Thr\n"
    assert list(broken_links(bad, tmp_path)) == ["a.md", "b.md#two", "#three"]


def test_an_unknown_command_is_noticed() -> None:
    page = "`make nothing` make sense\n```sh\nmanage.py vanish\nmanage.py doctor\n```\n"
    assert list(unknown_commands(page)) == ["make nothing", "vanish"]
    assert list(unknown_commands("`make run PORT=8123`, they make a point")) == []
