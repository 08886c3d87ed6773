"""Paths: those that people write into specifications, and those of files that jobs leave."""

import re

_DRIVE = re.compile(r"[A-Za-z]:")
_BYTE = re.compile("[\udc80-\udcff]")  #: how Python has a byte that isn't UTF-8 in a name
_OTHER = re.compile("[\ud800-\udfff]")  #: on Windows
_WRITTEN = re.compile(r"%([89A-Fa-f][0-9A-Fa-f])")


def absolute(path: str) -> bool:
    """On any system."""
    return path.startswith(("/", "\\\\")) or _DRIVE.match(path) is not None


def inside(path: str) -> str:
    """`path`, if it stays in the job's directory. Raises ValueError."""
    parts = re.split(r"[/\\]", path)
    if "\0" in path or _DRIVE.match(path) or any(part in {"", ".", ".."} for part in parts):
        raise ValueError("expected a path inside the job's directory, such as 'results/out.s2p'")
    return path


def spelt(path: str) -> str:
    """As any text can hold it: of a name that isn't UTF-8, a byte is "%FF"."""
    if path.isascii():
        return path
    return _OTHER.sub("\ufffd", _BYTE.sub(lambda byte: f"%{ord(byte[0]) - 0xDC00:02X}", path))


def unencodable(error: UnicodeEncodeError) -> str:
    """Why a text can't be written, in words that can."""
    near = error.object[max(0, error.start - 100) : error.end + 100]
    return f"{spelt(near)!r} isn't UTF-8 (%FF is a byte of it)"


def unspelt(path: str) -> str:
    """What `spelt` was given. It may be another file's own name: look for that first."""
    return _WRITTEN.sub(lambda byte: chr(0xDC00 + int(byte[1], 16)), path)
