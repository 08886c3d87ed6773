"""Durations and sizes of files as people write them, in settings and on command lines."""

import re

from solveyard.model.errors import InvalidRequest

_SECONDS = {"": 1.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]*)")
_CLOCK = re.compile(r"(?:(\d+):)?(\d{1,3}):(\d{2}(?:\.\d+)?)")
_BYTES = {"K": 2.0**10, "M": 2.0**20, "G": 2.0**30, "": 2.0**30, "T": 2.0**40}
_SIZE = re.compile(r"(\d{1,15}(?:\.\d+)?)\s*([KMGT]?)(?:I?B)?", re.IGNORECASE)


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


def file_size(text: str) -> int:
    """Bytes of files: 10G, 500M, 1.5TiB; a bare number is GiB. Raises InvalidRequest."""
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise InvalidRequest(f"{text!r} is no size (500M, 10G, 1.5T; a bare number is GiB)")
    return round(float(match[1]) * _BYTES[match[2].upper()])


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
