"""Speaking: the answer goes to standard output, everything else to standard error."""

import os
import re
import sys
from collections.abc import Sequence

import msgspec

from solveyard.model.errors import SolveyardError
from solveyard.model.texts import plain


class NobodyReads(Exception):
    """Whoever read our standard output has gone."""


class Unwritable(SolveyardError):
    """Standard output takes nothing: its disk is full."""


def answer(text: str) -> None:
    """Lines of the answer; what would steer a terminal is replaced. Raises NobodyReads, Unwritable.

    A fact that others wrote, and that belongs on one line, is made `plain` before.
    """
    answer_bytes((_lines(text) + "\n").encode())


def answer_exactly(text: str) -> None:
    """What a program is to read, such as a script: every character as it is."""
    answer_bytes((text + "\n").encode(errors="surrogateescape"))


def answer_json(content: object) -> None:
    """The answer as one line of JSON; `content` is whatever msgspec encodes."""
    answer_bytes(msgspec.json.encode(content) + b"\n")


def answer_bytes(content: bytes) -> None:
    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(content)
        sys.stdout.flush()
    except BrokenPipeError as error:
        _silence()
        raise NobodyReads from error
    except OSError as error:
        _silence()
        raise Unwritable(f"cannot write to standard output: {error.strerror}") from error


def answer_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table: drawn by rich on a terminal, aligned elsewhere; what would steer one is replaced."""
    header, *rows = [[plain(cell) for cell in row] for row in (header, *rows)]
    if not sys.stdout.isatty():
        answer(aligned(header, rows))
        return
    from rich import box
    from rich.console import Console
    from rich.table import Column, Table
    from rich.text import Text

    table = Table(*(Column(Text(name)) for name in header), box=box.SIMPLE_HEAD, pad_edge=False)
    for row in rows:
        table.add_row(*(Text(cell, style=_style(cell)) for cell in row))
    Console().print(table)


def aligned(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns of equal width, two blanks apart."""
    lines = [header, *([cell or "-" for cell in row] for row in rows)]
    widths = [max(len(cell) for cell in column) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def say(text: str) -> None:
    """A note, a hint, progress: for people."""
    try:
        sys.stderr.write(_lines(text) + "\n")
        sys.stderr.flush()
    except OSError:
        _silence()


def confirmed(question: str) -> bool:
    """Ask on the terminal; nobody there to answer counts as yes."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return True
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


def _lines(text: str) -> str:
    """Each of them plain."""
    return "\n".join(map(plain, text.split("\n")))


def _style(cell: str) -> str:
    """A state's own, also where an array's progress follows it: "running 3/6"."""
    state = _PROGRESS.match(cell)
    return _STYLES.get(state[1] if state else cell, "")


_PROGRESS = re.compile(r"(\w+) \d+/\d+$")
_STYLES = {
    "held": "dim",
    "queued": "dim",
    "submitted": "yellow",
    "running": "blue",
    "completed": "green",
    "failed": "red",
    "cancelled": "dim",
}


def _silence() -> None:
    """Nothing more can be said there; the interpreter's last flush shall not fail either."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
