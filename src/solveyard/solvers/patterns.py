"""Regular expressions over the lines of a log, in time that grows with the log alone.

RE2 never tries an expression's ways one after another, so none can hold the manager up; in
exchange it has no look-around and no back-references. Source: RE2's syntax,
https://github.com/google/re2/wiki/Syntax.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import re2

from solveyard.model.errors import InvalidJob

PIECE = 1 << 17  #: bytes, searched at once while all else waits; a longer line goes in pieces
LARGEST = 2000  #: of RE2's instructions: the larger, the longer a piece may take
_LONGEST_SHOWN = 120  #: characters of a line


class Hit(NamedTuple):
    """A line with a match."""

    number: int  #: from 1, among the lines that were read
    line: str
    groups: tuple[str, ...]

    def __str__(self) -> str:
        shown = self.line.strip()
        shown = shown if len(shown) <= _LONGEST_SHOWN else f"{shown[: _LONGEST_SHOWN - 1]}…"
        return f"line {self.number}: {shown}"


@lru_cache(maxsize=512)
def compiled(pattern: str) -> "re2._Regexp":
    """Raises InvalidJob, with the way out."""
    options = re2.Options()
    options.log_errors = False
    options.never_nl = True
    try:
        re2.compile(pattern, options)
        made = re2.compile(f"(?m:{pattern})", options)
    except re2.error as error:
        [said] = error.args or ("",)
        why = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
        raise InvalidJob(
            f"{pattern!r} is no regular expression: {why} (RE2's syntax holds: no look-around,"
            " no back-references)"
        ) from error
    if made.programsize > LARGEST:
        raise InvalidJob(f"{pattern!r} is too large an expression (repeat less in {{...}})")
    return made


class Lines:
    """Cuts text that comes in pieces into blocks of whole lines."""

    def __init__(self) -> None:
        self._rest = b""
        self._seen = 0  #: lines

    def feed(self, piece: bytes, *, last: bool = False) -> Iterator[tuple[int, str]]:
        """Blocks, each with the number of lines before it; each line ends with a newline."""
        text = self._rest + piece
        cut = len(text) if last or len(text) - text.rfind(b"\n") > PIECE else text.rfind(b"\n") + 1
        block, self._rest = text[:cut], text[cut:]
        if block:
            before, self._seen = self._seen, self._seen + block.count(b"\n")
            told = block.replace(b"\r\n", b"\n").decode("utf-8", "replace")
            yield before, told if told.endswith("\n") else f"{told}\n"


class Search:
    """One expression, looked for in blocks of lines: its first match, or its last."""

    def __init__(self, pattern: str, *, last: bool = False) -> None:
        self._pattern = pattern
        self._regexp = compiled(pattern)
        self._last = last
        self._hit: Hit | None = None
        self._line: tuple[int, str] | None = None  #: with the last match; lines before it

    @property
    def hit(self) -> Hit | None:
        """In what was fed by now."""
        if self._line is not None:  # of all that were fed only the last one is looked into
            before, line = self._line
            self._hit, self._line = _hit(before, line, self._final(line)), None
        return self._hit

    def feed(self, before: int, block: str) -> None:
        if self._last:
            self._line = self._last_line(before, block) or self._line
        elif self._hit is None and (match := self._regexp.search(_unended(block))):
            self._hit = _hit(before, block, match)

    def _last_line(self, before: int, block: str) -> tuple[int, str] | None:
        """Halving: the last match is in the later half that has one."""
        low, high = 0, len(block)
        if self._regexp.search(_unended(block)) is None:
            return None
        while True:
            middle = block.find("\n", (low + high) // 2, high - 1) + 1
            if not middle:
                middle = block.rfind("\n", low, (low + high) // 2) + 1
            if not low < middle < high:
                break
            if self._regexp.search(_unended(block[middle:high])):
                low = middle
            else:
                high = middle
        return before + block.count("\n", 0, low), _unended(block[low:high])

    def _final(self, line: str) -> "re2._Match":
        chain = _chain(self._pattern)
        if chain is not None and (whole := chain.match(line)) and whole.start(1) >= 0:
            return self._regexp.match(line, whole.start(1))
        matches = list(self._regexp.finditer(line))
        # "(.*)" matches once more behind its line, where there is nothing
        return next((one for one in reversed(matches) if one.end() > one.start()), matches[-1])


@lru_cache(maxsize=512)
def _chain(pattern: str) -> "re2._Regexp | None":
    """Goes from match to match as `finditer` does, in one go: its group 1 is the last of them.

    Listing takes some 10 us a match. None: a match may be of nothing, after which they differ.
    """
    regexp = compiled(pattern)
    beside = ("", "\n", "a", " ")  # all that a match of nothing can tell apart
    if any(
        regexp.fullmatch(f"{left}{right}", len(left), len(left))
        for left in beside
        for right in beside
    ):
        return None
    return re2.compile(f"(?m:(?:(?s:.*?)({pattern}))*)", regexp.options)


def _unended(block: str) -> str:
    """Without the last line's end, after which an expression would see one more line, empty."""
    return block.removesuffix("\n")


def _hit(before: int, block: str, match: "re2._Match") -> Hit:
    begin = block.rfind("\n", 0, match.start()) + 1
    end = block.find("\n", match.start())
    line = block[begin : end if end >= 0 else len(block)]
    return Hit(before + block.count("\n", 0, begin) + 1, line, match.groups(default=""))
