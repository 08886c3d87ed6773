"""What a batch log says of how its last run went.

A line is "[info] Project:p, Design:d|s : ... (hh:mm:ss AM  Mon dd, yyyy)", a header has no tag; a
message may go on over several lines; line ends are LF, CRLF or stray CRs.
"""

import re
from typing import NamedTuple

_RUN = re.compile(r"^\s*Starting Batch Run:", re.MULTILINE)
_ERROR = re.compile(r"^\s*\[error\][ \t]*(?P<text>.*)$", re.MULTILINE | re.IGNORECASE)
_NORMAL = re.compile(r"Status:\s*Normal Completion|Normal completion of simulation", re.IGNORECASE)
_AT = re.compile(r"\s*\(\d\d?:\d\d:\d\d [AP]M\s+\w{3} \d\d?, \d{4}\)\s*$")


class Ending(NamedTuple):
    """How the last run in a log went."""

    errors: tuple[str, ...]  #: the texts of its error lines, without their times
    normal: bool  #: it says that a simulation was completed normally
    stopped: bool  #: its last line is there: ansysedt itself came to its end


def ending(content: bytes) -> Ending:
    """Any bytes will do; of what is cut off at the beginning nothing is known."""
    text = re.sub(r"\r+\n?", "\n", content.decode("utf-8", "replace"))
    starts = [match.start() for match in _RUN.finditer(text)]
    if starts:
        text = text[starts[-1] :]
    errors = (_AT.sub("", match["text"]).strip() for match in _ERROR.finditer(text))
    return Ending(
        errors=tuple(" ".join(error.split()) or "(no text)" for error in errors),
        normal=_NORMAL.search(text) is not None,
        stopped=re.search(r"^\s*Stopping Batch Run:", text, re.MULTILINE) is not None,
    )
