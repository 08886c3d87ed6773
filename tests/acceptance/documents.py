"""The PyEDB job manager's documents, where they are: sections, code blocks and command lines.

They aren't ours to publish, so they lie beside the project, in `../shared/documents`, or where
PYEDB_DOCUMENTS says. Where they are not, tests that read them are skipped and say so.
"""

import ast
import keyword
import os
import re
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDER = Path(os.environ.get("PYEDB_DOCUMENTS") or ROOT.parent / "shared" / "documents")
BACKEND = "pyedb-job-manager-backend.txt"
FACADE = "pyedb-job-manager.txt"
SERVICE = "pyedb-service-module.txt"
NAMES = (BACKEND, FACADE, SERVICE)

needed = pytest.mark.skipif(
    not all((FOLDER / name).is_file() for name in NAMES),
    reason=f"NOT SHOWN: the PyEDB job manager's documents are not in {FOLDER}",
)

_DIRECTIVE = re.compile(
    r"^(\s*)\.\. code-block:: (\w+)\n(.*?)(?=^\1?\S|\Z)", re.MULTILINE | re.DOTALL
)
_UNDERLINED = re.compile(r"^(\S.*)\n([-~=])\2{3,}$", re.MULTILINE)
_FLAT_DIRECTIVE = re.compile(r"\.\. code-block:: (\w+) (.*?)\n", re.DOTALL)
_FLAT_TITLE = re.compile(r"-{5,} (\S[^\n-]*) -{5,}")
_FLAT_UNDERLINE = re.compile(r" (~{4,})(?= |$)")


@dataclass(frozen=True)
class Block:
    document: str
    language: str
    text: str


def text(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


def flat(name: str) -> bool:
    """Is it kept as one line, with its line ends lost?"""
    return "\n" not in text(name).strip()


def blocks(name: str) -> list[Block]:
    """In order."""
    if flat(name):
        return [
            Block(name, language, statements(body) if language == "python" else commands(body))
            for language, body in _FLAT_DIRECTIVE.findall(_broken_at_titles(name))
        ]
    return [
        Block(name, language, _dedented(body))
        for _, language, body in _DIRECTIVE.findall(text(name))
    ]


def sections(name: str) -> list[str]:
    """Its headings, in order."""
    if flat(name):
        return [line[2:] for line in _broken_at_titles(name).split("\n") if line.startswith("= ")]
    return [title for title, _ in _UNDERLINED.findall(text(name))]


def _broken_at_titles(name: str) -> str:
    """A flat document with each title on a line of its own, after "= ".

    A title's line of dashes or tildes is as long as the title.
    """
    found = _FLAT_TITLE.sub("\n= \\1\n", text(name))
    while match := _FLAT_UNDERLINE.search(found):
        start = match.start() - len(match[1])
        title = found[start : match.start()]
        found = f"{found[:start].rstrip(' ')}\n= {title}\n{found[match.end() :].lstrip(' ')}"
    return found


def _dedented(body: str) -> str:
    lines = body.strip("\n").rstrip().split("\n")
    margin = min(len(line) - len(line.lstrip()) for line in lines if line.strip())
    return "\n".join(line[margin:] for line in lines) + "\n"


def statements(line: str) -> str:
    """A Python block whose line ends are lost, one statement to a line.

    Two statements side by side are no Python, so each is as long as it can be. A comment ends
    before a keyword.
    """
    words = line.strip().split(" ")
    found = []
    while words:
        if words[0] == "#":
            end = next(at for at, word in enumerate(words) if keyword.iskeyword(word))
        else:
            most = words.index("#") if "#" in words else len(words)
            end = max(at for at in range(1, most + 1) if _complete(" ".join(words[:at])))
        found.append(" ".join(words[:end]))
        words = words[end:]
    return "\n".join(found) + "\n"


def commands(line: str) -> str:
    """A shell's block whose line ends are lost: a backslash before a space was before one."""
    return line.strip().replace("\\ ", "\\\n") + "\n"


def _complete(source: str) -> bool:
    try:
        compile(source, "block", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    except SyntaxError:
        return False
    return True


def curl_lines(block: Block) -> list[str]:
    """Its command lines, continued lines joined."""
    joined = block.text.replace("\\\n", " ")
    return [line for line in joined.splitlines() if line.startswith("curl ")]
