"""Speaking: the answer goes to standard output, everything else to standard error."""

import os
import re
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from solveyard.model.errors import SolveyardError
from solveyard.model.texts import escaped, plain

if TYPE_CHECKING:
    from rich.table import Table


_FOLDED = 20  #: letters of a sentence in a table that stay on one line
_UNBOUNDED = 100_000  #: letters of a line


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
    answer_bytes(json_line(content))


def json_line(content: object) -> bytes:
    """What would steer a terminal is escaped: what is read from it stays the same."""
    return (escaped(msgspec.json.encode(content).decode()) + "\n").encode()


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
    """A table: drawn by rich on a terminal, aligned elsewhere; what would steer one is replaced.

    Nothing is cut: where a terminal is too narrow, each row is a block of lines.
    """
    header, *rows = [[plain(cell) for cell in row] for row in (header, *rows)]
    if not sys.stdout.isatty():
        answer(aligned(header, rows))
        return
    from rich.console import Console
    from rich.text import Text

    console = Console()
    for close in (False, True):
        table = _drawn(header, rows, close=close)
        unbounded = console.options.update(width=_UNBOUNDED)
        if table.__rich_measure__(console, unbounded).minimum <= console.width:
            console.print(table)
            return
    wide = max(map(len, header))
    for row in rows:
        for name, cell in zip(header, row, strict=True):
            line = Text(f"{name.ljust(wide)}  {cell or '-'}", style=_style(cell))
            console.print(line, soft_wrap=True)
        console.print()


def _drawn(header: Sequence[str], rows: Sequence[Sequence[str]], *, close: bool) -> "Table":
    """Sentences fold, nothing else does. `close`: one blank between columns, and no line."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    if close:
        table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False)
    else:
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name, *cells in zip(header, *rows, strict=True):
        longest = max(cells, key=len, default="")
        folds = " " in longest and len(longest) > _FOLDED
        table.add_column(
            Text(name), no_wrap=not folds, overflow="fold", min_width=_FOLDED if folds else None
        )
    for row in rows:
        table.add_row(*(Text(cell, style=_style(cell)) for cell in row))
    return table


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
