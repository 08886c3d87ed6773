"""Amounts as people type them: durations, sizes, settings."""

import re

from solveyard.model.errors import InvalidRequest

_SECONDS = {"": 1.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]*)")
_CLOCK = re.compile(r"(?:(\d+):)?(\d{1,3}):(\d{2}(?:\.\d+)?)")
_MEBIBYTES = {"": 1.0, "K": 1 / 1024, "M": 1.0, "G": 1024.0, "T": 1024.0**2}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:I?B)?", re.IGNORECASE)


def seconds(text: str) -> float:
    """A duration in s: 90, 90s, 15m, 2h, 1h30m, 1d, H:MM or H:MM:SS. Raises InvalidRequest."""
    word = text.strip().lower()
    if match := _CLOCK.fullmatch(word):
        return _clock(match, text)
    parts = _PART.findall(word)
    known = all(unit in _SECONDS for _, unit in parts)
    whole = "".join(number + unit for number, unit in parts) == word.replace(" ", "")
    alone = len(parts) == 1 or all(unit for _, unit in parts)
    if not parts or not known or not whole or not alone:
        raise InvalidRequest(f"{text!r} is no duration (90, 90s, 15m, 2h, 1h30m, 1:30:00)")
    return sum(float(number) * _SECONDS[unit] for number, unit in parts)


def mebibytes(text: str) -> int:
    """An amount of memory in MiB: 512, 512M, 4G, 4GiB, 1.5GB. Raises InvalidRequest."""
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise InvalidRequest(f"{text!r} is no amount of memory (512M, 4G; a bare number is MiB)")
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


def _clock(match: re.Match[str], text: str) -> float:
    """H:MM, or H:MM:SS."""
    first, second, third = match[1], match[2], match[3]
    if first is None:
        hours, minutes, rest = float(second), float(third), 0.0
    else:
        hours, minutes, rest = float(first), float(second), float(third)
    if minutes >= 60 or rest >= 60:
        raise InvalidRequest(f"{text!r} is no duration (H:MM or H:MM:SS)")
    return hours * 3600 + minutes * 60 + rest
