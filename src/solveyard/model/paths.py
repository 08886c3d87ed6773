"""Paths that people write into specifications."""

import re

_DRIVE = re.compile(r"[A-Za-z]:")


def absolute(path: str) -> bool:
    """On any system."""
    return path.startswith(("/", "\\\\")) or _DRIVE.match(path) is not None


def inside(path: str) -> str:
    """`path`, if it stays in the job's directory. Raises ValueError."""
    parts = re.split(r"[/\\]", path)
    if "\0" in path or _DRIVE.match(path) or any(part in {"", ".", ".."} for part in parts):
        raise ValueError("expected a path inside the job's directory, such as 'results/out.s2p'")
    return path
