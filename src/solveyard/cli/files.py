"""Files that a command is told to read."""

import sys
from pathlib import Path

from solveyard.model.errors import InvalidRequest


def content(path: str) -> bytes:
    """All of it; "-" is standard input. Raises InvalidRequest."""
    try:
        return sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
    except OSError as error:
        raise InvalidRequest(f"cannot read {path}: {error.strerror or error}") from error


def named(path: str) -> str:
    """As people call it."""
    return "standard input" if path == "-" else path
