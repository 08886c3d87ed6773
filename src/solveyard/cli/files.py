"""Files that a command is told to read."""

import sys
from codecs import BOM_UTF8
from pathlib import Path

from solveyard.model.errors import InvalidRequest


def content(path: str) -> bytes:
    """All of it, but for the mark that some editors put first; "-" is standard input.

    Raises InvalidRequest.
    """
    try:
        found = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
    except OSError as error:
        raise InvalidRequest(f"cannot read {path}: {error.strerror or error}") from error
    return found.removeprefix(BOM_UTF8)


def named(path: str) -> str:
    """As people call it."""
    return "standard input" if path == "-" else path
