"""The grammar of a batch log: bytes become entries, as they come and however they are cut.

An entry is "[info] Project:p, Design:d|s : [PROFILE] ... (hh:mm:ss AM  Mon dd, yyyy)", or a header
without a tag. A message may go on over several lines, to its time; lines end with LF, CRLF or stray
CRs. Dates are American ones.
"""

import copy
import datetime as dt
import re
from typing import NamedTuple

LINE_LIMIT = 1 << 13  #: bytes of a line that are read; of a longer one the rest is skipped
MESSAGE_LIMIT = 1 << 14  #: characters of a message that are kept

#: What begins a line that belongs to no message before it.
HEADERS = (
    "Ansys Electronics Desktop", "STAND-IN", "Location:", "Batch Solve/Save:",
    "Starting Batch Run:", "Stopping Batch Run:", "Running as user", "Temp directory:",
    "Project directory:", "Simulation settings:", "Design type:", "Allow off core:",
    "Using manual settings", "Using automatic settings", "Two level:", "Distribution types:",
    "Machines:",
)  # fmt: skip
_END = re.compile(rb"\r+\n?|\n")
_TAG = re.compile(r"\[(info|warning|error|fatal)\]\s*", re.IGNORECASE)
_CLOCK = (
    r"(\d{1,2}):(\d\d):(\d\d)(?: ([AP])M)?\s+"
    r"(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) (\d{1,2}), (\d{4})"
)
_AT = re.compile(rf"\({_CLOCK}\)$")
_BARE = re.compile(rf"{_CLOCK}$")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_WHERE = re.compile(r"Project:[^,:]*(?:,\s*Design:[^,:]*)?[,:]?\s*")
_KIND = re.compile(r"\[(PROFILE|CONVERGE)\]\s*")


class Entry(NamedTuple):
    """One message, or one header."""

    line: int  #: the number of its first line, from 1
    level: str  #: "info", "warning", "error"; "": a header
    kind: str  #: "PROFILE", "CONVERGE", or ""
    where: str  #: "Project:board, Setup1"; "": it doesn't say
    text: str  #: without tag, place and time; on one line
    at: dt.datetime | None  #: by the clock of the machine that solves, whose zone isn't told


class _Open(NamedTuple):
    """A message whose end hasn't come."""

    line: int
    level: str
    text: str


class Entries:
    """Takes a log in any chunks; holds at most one line and one message."""

    def __init__(self) -> None:
        self.lines = 0  #: that have ended
        self._rest = b""
        self._open: _Open | None = None

    @property
    def seen(self) -> int:
        """Lines, with one that has no end yet."""
        return self.lines + bool(self._rest)

    def feed(self, chunk: bytes) -> list[Entry]:
        """What `chunk` completes."""
        joined = self._rest + chunk
        body = joined.rstrip(b"\r")  # whether a LF follows, and is part of this end, isn't known
        waits = b"\r" if len(body) < len(joined) else b""
        *complete, rest = _END.split(body)
        self._rest = rest[:LINE_LIMIT] + waits
        found: list[Entry] = []
        for line in complete:
            self.lines += 1
            self._take(line[:LINE_LIMIT].decode("utf-8", "replace").strip(" \t\ufeff\0"), found)
        return found

    def pending(self) -> list[Entry]:
        """What would be complete if nothing more came.

        A last line that was cut counts where it has its time, or is of an error.
        """
        return copy.copy(self).end()

    def end(self) -> list[Entry]:
        """What is complete now that nothing more comes; feed it no more."""
        found: list[Entry] = []
        rest = self._rest.rstrip(b"\r").decode("utf-8", "replace").strip(" \t")
        if not rest:
            self._close(found)
            return found
        tag = _TAG.match(rest)
        whole = _AT.search(rest) or _BARE.search(rest) or self._rest.endswith(b"\r")
        wrong = tag is not None and _level(tag) == "error"
        goes_on = tag is None and self._open is not None and self._open.level == "error"
        if whole or wrong or goes_on:
            self.lines += 1
            self._take(rest, found)
        self._close(found)
        return found

    def _take(self, line: str, found: list[Entry]) -> None:
        tag = _TAG.match(line)
        if tag is not None:
            self._close(found)
            self._open = _Open(self.lines, _level(tag), line[tag.end() :])
        elif self._open is None or line.startswith(HEADERS):
            self._close(found)
            if line:
                found.append(_header(self.lines, line))
            return
        elif line:
            text = f"{self._open.text} {line}"
            if len(text) > MESSAGE_LIMIT:  # the beginning says what it is about, the end when
                text = self._open.text[:MESSAGE_LIMIT] + line[-64:]
            self._open = self._open._replace(text=text)
        if self._open is not None and line.endswith(")") and _AT.search(line):
            self._close(found)

    def _close(self, found: list[Entry]) -> None:
        if self._open is not None:
            found.append(_message(self._open))
            self._open = None


def instant(text: str) -> dt.datetime | None:
    """The time that `text` ends with, as in "5:50:59 PM  Nov 10, 2025"."""
    match = _BARE.search(text.rstrip(" )"))
    return _moment(match) if match else None


def _level(tag: "re.Match[str]") -> str:
    level = tag[1].lower()
    return "error" if level == "fatal" else level


def _header(line: int, text: str) -> Entry:
    return Entry(line, "", "", "", text, instant(text))


def _message(one: _Open) -> Entry:
    text, at = one.text, None
    if stamped := _AT.search(text):
        text, at = text[: stamped.start()].rstrip(), _moment(stamped)
    kind = _KIND.search(text)
    place = _WHERE.match(text)
    if kind is not None:
        where, text = text[: kind.start()].rstrip(" :"), text[kind.end() :]
    else:
        cut = place.end() if place else 0
        where, text = text[:cut].rstrip(" :,"), text[cut:]
    told = " ".join(text.split())
    return Entry(one.line, one.level, kind[1] if kind else "", where, told, at)


def _moment(match: "re.Match[str]") -> dt.datetime | None:
    hour, minute, second, half, month, day, year = match.groups()
    hours = int(hour)
    if half:
        hours = hours % 12 + (12 if half == "P" else 0)
    try:
        return dt.datetime(  # noqa: DTZ001  the log tells no zone
            int(year), _MONTHS.index(month) + 1, int(day), hours, int(minute), int(second)
        )
    except ValueError:
        return None
