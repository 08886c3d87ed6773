"""Which names a job may have: none that reads like a selector or could not be typed.

"#40" is never one: it is job number 40, whatever others are called.
"""

import re
from collections.abc import Container, Mapping

from solveyard.model.errors import InvalidJob
from solveyard.model.ids import JobId

LONGEST = 200
_FORBIDDEN = frozenset(",/[]")
_DOTS = frozenset({".", ".."})  #: browsers and curl take them out of an address, even encoded
_NUMBER = re.compile(r"#\d+")
_SELECTOR = re.compile(r"\d+(\[.*\])?|[\d,\-\s]+|last|all|none|-.*", re.IGNORECASE)


def check(name: str, *, any_name: bool = False) -> None:
    """Raises InvalidJob. The empty name is no name; with `any_name` it may read like a selector."""
    if not name:
        return
    if len(name) > LONGEST:
        raise InvalidJob(f"the name has {len(name)} letters; at most {LONGEST} are allowed")
    if not name.isprintable() or name != name.strip():
        raise InvalidJob(
            f"the name {name!r} has characters that can't be seen, or blanks at its ends (choose"
            " one that can be typed)"
        )
    if name in _DOTS:
        raise InvalidJob(
            f"the name {name!r} is a folder's in every path and address, so nobody could ask for"
            " the job by it (choose one with a letter in it)"
        )
    never = _NUMBER.fullmatch(name) or not _FORBIDDEN.isdisjoint(name)
    if never or (_SELECTOR.fullmatch(name) and not any_name):
        raise InvalidJob(
            f"the name {name!r} reads like a selection of jobs or a path (choose one with a"
            " letter in it, without any of ,/[], that is not 'last' or 'all')"
        )


def meant(key: str, named: Mapping[str, JobId], jobs: Container[JobId]) -> JobId | None:
    """By name, else by number; "#40" is a name only where no job has the number, and a store of
    before has such a name. It may not be there; None: nothing is meant.
    """
    number = numbered(key)
    if number is not None and key.startswith("#") and number in jobs:
        return number
    return named.get(key, number)


def numbered(key: str) -> JobId | None:
    """The number that "40" or "#40" is; None: it is none."""
    digits = key.removeprefix("#")
    fits = digits.isascii() and digits.isdecimal() and len(digits) < 13
    return JobId(int(digits)) if fits else None
