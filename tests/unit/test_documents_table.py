"""The table of what the PyEDB job manager's documents promise: complete, and each test is there."""

import ast
import re
from collections.abc import Iterator
from keyword import iskeyword
from pathlib import Path
from typing import NamedTuple

import pytest

from acceptance import documents

TESTS = Path(__file__).parents[1]
PAGE = TESTS.parent / "docs" / "reference" / "documents.md"
MARKS = {"shown", "in part", "instead", "not yet", ""}
TITLES = {
    documents.FACADE: "The facade's document",
    documents.SERVICE: "The service module's document",
    documents.BACKEND: "The backend's document",
}
_TEST = re.compile(r"`(\w+(?:/\w+)*\.py)?::(\w+)`")


class Row(NamedTuple):
    place: str
    promise: str
    mark: str
    held_by: str


def rows(document: str) -> list[Row]:
    return below(TITLES[document])


def below(title: str) -> list[Row]:
    part = PAGE.read_text(encoding="utf-8").split(f"\n## {title}\n")[1].split("\n## ")[0]
    lines = [line for line in part.splitlines() if line.startswith("| ")][1:]
    found = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert all(len(cells) == 4 for cells in found), [one for one in found if len(one) != 4]
    return [Row(*cells) for cells in found]


DEFECTS = below("What 0.65.2 did not hold")
ROWS = [*(row for name in documents.NAMES for row in rows(name)), *DEFECTS]


def named_in(row: Row) -> Iterator[tuple[str, str]]:
    """File and function of each; one without a file is in the file before it."""
    before = ""
    for file, name in _TEST.findall(row.held_by):
        before = file or before
        yield before, name


def functions(place: Path) -> set[str]:
    tree = ast.parse(place.read_text(encoding="utf-8"))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name for node in ast.walk(tree) if isinstance(node, kinds)}


def test_every_test_that_is_named_is_there() -> None:
    named = {one for row in ROWS for one in named_in(row)}
    assert len(named) > 100
    known = {file: functions(TESTS / file) for file, _ in named}
    assert [f"{file}::{name}" for file, name in sorted(named) if name not in known[file]] == []
    assert all(name.startswith("test_") for _, name in named)


def test_every_row_has_a_known_mark_and_names_its_test() -> None:
    for row in ROWS:
        assert row.mark in MARKS, row
        if row.mark not in {"not yet", ""}:
            assert _TEST.search(row.held_by), row


def test_what_is_said_to_wait_is_not_said_to_be_shown() -> None:
    waiting = {row.promise for row in ROWS if row.mark == "not yet"}
    assert all("Windows" in promise for promise in waiting), waiting


@documents.needed
@pytest.mark.parametrize("name", documents.NAMES)
def test_every_section_of_a_document_has_its_rows_in_order(name: str) -> None:
    places = list(dict.fromkeys(row.place for row in rows(name)))
    titles = [title.split(" --- ")[0] for title in documents.sections(name)]
    assert places == titles


@documents.needed
@pytest.mark.parametrize("name", documents.NAMES)
def test_every_route_event_class_and_listed_name_of_a_document_is_in_its_rows(name: str) -> None:
    text = documents.text(name)
    wanted = {
        f"{verb} {path}"
        for verb, path in re.findall(r"\* - ``(GET|POST|PUT)``\s+- ``(/[\w/{}]*)``", text)
    }
    wanted |= set(re.findall(r"\* ``(\w+_\w+)``", text))
    wanted |= set(re.findall(r"autoclass:: [\w.]+\.(\w+)", text))
    wanted |= set(re.findall(r":py:obj:`~[\w.]*?(\w+)`", text))
    wanted |= set(re.findall(r"^   (\w+\.\w+)$", text, re.MULTILINE))
    told = " ".join(row.promise for row in rows(name))
    assert len(wanted) > 3
    assert [one for one in sorted(wanted) if f"`{one}`" not in told] == []


@documents.needed
@pytest.mark.parametrize("name", documents.NAMES)
def test_every_option_and_field_that_a_document_names_is_on_the_page(name: str) -> None:
    text = documents.text(name)
    named = set(re.findall(r"``([A-Za-z_][\w.]*(?:\(\))?)``", text))
    named |= set(re.findall(r":(?:class|meth|func|mod):`([\w.]+)`", text))
    named |= set(re.findall(r"\b(\w+)=", text))
    page = PAGE.read_text(encoding="utf-8")
    told = {*re.findall(r"[\w.]+(?:\(\))?", page), *re.findall(r"\w+", page)}
    assert [one for one in sorted(named) if one not in told and not iskeyword(one)] == []


@documents.needed
def test_no_sentence_of_the_documents_is_in_the_table() -> None:
    """Eight of their words in a row; names are nobody's sentence."""
    prose = re.sub(r"`[^`]*`", "", " ".join(row.promise for row in ROWS))
    ours = " ".join(re.findall(r"\w+", prose.lower()))
    for name in documents.NAMES:
        words = re.findall(r"\w+", documents.text(name).lower())
        runs = (" ".join(words[at : at + 8]) for at in range(len(words) - 7))
        assert [run for run in runs if run in ours] == []
