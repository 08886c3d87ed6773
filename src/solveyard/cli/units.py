"""Amounts as people type them: durations, sizes, settings."""

import re

from solveyard.amounts import seconds as seconds
from solveyard.model.errors import InvalidRequest

_MEBIBYTES = {"": 1.0, "K": 1 / 1024, "M": 1.0, "G": 1024.0, "T": 1024.0**2}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:I?B)?", re.IGNORECASE)


def mebibytes(text: str) -> int:
    """Memory, or disk, in MiB: 512, 512M, 4G, 4GiB, 1.5GB. Raises InvalidRequest."""
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise InvalidRequest(
            f"{text!r} is no amount of memory or disk (512M, 4G; a bare number is MiB)"
        )
    amount = float(match[1]) * _MEBIBYTES[match[2].upper()]
    return max(1, round(amount)) if amount else 0


def setting(text: str) -> tuple[str, str]:
    """An environment variable, "NAME=value". Raises InvalidRequest."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise InvalidRequest(f"{text!r} is no setting of the environment (NAME=value)")
    return name, value


def short(duration: float | None) -> str:
    """A duration in s, as people read it: "3.2 s", "4 m 05 s", "2 h 10 m"."""
    if duration is None:
        return ""
    if duration < 59.95:
        return f"{duration:.1f} s"
    whole = round(duration)
    if whole < 3600:
        return f"{whole // 60} m {whole % 60:02d} s"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} m"
    return f"{whole // 86400} d {whole % 86400 // 3600:02d} h"


def size(amount: int) -> str:
    """A number of bytes, as people read it."""
    value, unit = float(amount), "B"
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if value < 1024 or unit == "TiB":
            break
        value /= 1024
    return f"{amount} B" if unit == "B" else f"{value:.1f} {unit}"
