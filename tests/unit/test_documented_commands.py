"""The pages' command lines are such as the program takes."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.core import TyperGroup

from solveyard.cli import app

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
_BLOCK = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.DOTALL | re.MULTILINE)
_LANGUAGES = {"", "sh", "bash", "console", "text"}
_INDENTED = re.compile(r"^ {4,}(solveyard .*)$", re.MULTILINE)
_INLINE = re.compile(r"`(solveyard [^`\n]+)`")
_SHELL = {";", "|", "||", "&", "&&", ">", ">>", "<", "(", ")"}


def lines(page: str) -> Iterator[str]:
    told = [text for language, text in _BLOCK.findall(page) if language in _LANGUAGES]
    blocks = [*told, *_INDENTED.findall(page), *_INLINE.findall(page)]
    for block in blocks:
        yield from map(str.strip, block.replace("\\\n", " ").splitlines())


def ours(line: str) -> list[str]:
    """What follows `solveyard` on a shell's line; nothing where it isn't run there."""
    if "solveyard " not in line or "..." in line:
        return []
    read = shlex.shlex(line.removeprefix("$ "), posix=True, punctuation_chars=True)
    read.whitespace_split = True
    try:
        words = list(read)
    except ValueError:  # no shell's line
        return []
    for place, word in enumerate(words[:-1]):
        runs = place == 0 or words[place + 1] in {*app.COMMANDS, "--store", "--url"}
        if word.rpartition("/")[2] == "solveyard" and runs:
            rest = words[place + 1 :]
            end = next((at for at, each in enumerate(rest) if each in _SHELL), len(rest))
            return [_plain(each) for each in rest[:end]]
    return []


def _plain(word: str) -> str:
    """A word of a synopsis as one would type it: `[--follow]`, `--attempt N`."""
    return "1" if word == "N" else word.strip("[]") if word.startswith("[") else word


LINES = sorted({(page.name, line) for page in PAGES for line in lines(page.read_text("utf-8"))})
COMMANDS = [(name, line) for name, line in LINES if ours(line)]


def refusal(given: list[str]) -> str:
    """Why the program wouldn't take them; "": it would, or there are only too few."""
    group = typer.main.get_command(app.application(app.COMMANDS))
    assert isinstance(group, TyperGroup)
    if given[0] in {"--store", "--url"}:
        given = given[2:]
    if not given:
        return ""
    with group.make_context("solveyard", given[:1]) as context:
        command = group.get_command(context, given[0])
        if command is None:
            return f"there is no command {given[0]!r}"
        try:
            with command.make_context(given[0], given[1:], parent=context):
                return ""
        except typer.TyperException as error:
            told = error.format_message()
            return "" if told.startswith("Missing argument") else told


def test_what_the_program_would_not_take_is_found() -> None:
    assert len(COMMANDS) > 60
    assert "No such option" in refusal(["submit", "--no-such", "2h", "--", "true"])
    assert "no command 'sbmit'" in refusal(["sbmit"])
    assert not refusal(["submit", "-t", "2h", "-n", "16", "--", "true", "--no-such"])


@pytest.mark.parametrize(("page", "line"), COMMANDS)
def test_a_command_line_of_a_page_is_one_that_the_program_takes(page: str, line: str) -> None:
    assert not refusal(ours(line)), f"{page}: {line}"
