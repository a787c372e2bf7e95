"""The documentation: links lead somewhere, commands exist, pages stay short, figures of cost are those of the code."""

import argparse
import re
from pathlib import Path

import pytest

from ratchet.__main__ import _parser

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
TARGETS = {
    line.partition(":")[0] for line in (ROOT / "Makefile").read_text().splitlines() if re.match(r"[a-z-]+:", line)
}
TWO_SCREENS = 160


def commands(parser):
    """The names of a parser's sub-commands, of all levels, each with its options."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, below in action.choices.items():
                yield name, set(below._option_string_actions)
                yield from ((f"{name} {deeper}", options) for deeper, options in commands(below))


COMMANDS = dict(commands(_parser()))


def anchors(page):
    heads = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.fixture(params=PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def page(request):
    return request.param


def test_every_link_of_a_page_leads_to_something(page):
    lost = []
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if re.match(r"https?://|mailto:", target):
            continue
        name, _, anchor = target.partition("#")
        there = (page.parent / name) if name else page
        if not there.exists() or (anchor and there.suffix == ".md" and anchor not in anchors(there)):
            lost.append(target)
    assert lost == []


def test_every_make_target_that_a_page_names_exists(page):
    named = set(re.findall(r"(?:`|^|\s)make ([a-z][a-z-]+)(?=[`\s;:.,)]|$)", code_of(page), re.MULTILINE))
    assert named - TARGETS == set()


def test_every_ratchet_command_that_a_page_names_exists(page):
    if page.name == "CHANGELOG.md":
        return
    named = set(re.findall(r"(?:`|^)(?:\.venv/bin/)?ratchet ([a-z]+)(?: |`|$)", code_of(page), re.MULTILINE))
    assert named - COMMANDS.keys() == set()


def test_every_option_of_a_ratchet_command_that_a_page_names_exists(page):
    unknown = []
    for first, second, rest in re.findall(r"ratchet ([a-z]+)(?: ([a-z]+))?([^`\n#]*)", code_of(page)):
        options = COMMANDS.get(f"{first} {second}") or COMMANDS.get(first, set())
        unknown += [f"{first} {one}" for one in re.findall(r"--[a-z-]+", rest) if one not in options]
    assert unknown == []


def code_of(page):
    """What a page shows as code: blocks and spans."""
    text = page.read_text()
    return "\n".join([*re.findall(r"```\w*[^\n]*\n(.*?)```", text, re.DOTALL), *re.findall(r"`[^`\n]+`", text)])


GUIDES = sorted(path.stem for path in (ROOT / "docs").glob("*.md"))


@pytest.mark.parametrize("name", GUIDES)
def test_a_guide_is_two_screens_at_most(name):
    assert (ROOT / "docs" / f"{name}.md").read_text().count("\n") <= TWO_SCREENS


def test_files_that_a_guide_names_exist(page):
    named = re.findall(
        r"`((?:src|tests|iac|inference|router|monitoring|containers|tools|dags)/[\w./-]+)`", page.read_text()
    )
    assert [name for name in named if not (ROOT / name).exists()] == []
