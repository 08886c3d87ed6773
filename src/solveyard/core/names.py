"""Which names a job may have: none that reads like a selector or could not be typed.

"#40" is never one: it is job number 40, whatever others are called.
"""

import re
from collections.abc import Container, Mapping

from solveyard.model.errors import InvalidJob
from solveyard.model.ids import JobId

LONGEST = 200
_FORBIDDEN = ",/[]"
_DOTS = frozenset({".", ".."})  #: browsers and curl take them out of an address, even encoded
_NUMBER = re.compile(r"#\d+")
_NUMBERS = re.compile(r"[\d\-\s]+")
_WORDS = frozenset({"last", "all", "none"})


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
    why = _never(name) or ("" if any_name else _selects(name))
    if why:
        raise InvalidJob(f"the name {name!r} {why}")


def _never(name: str) -> str:
    """Why no job has such a name, by whatever door it comes; "": one may."""
    if _NUMBER.fullmatch(name):
        return f"is how people ask for job {name[1:]} (choose one that isn't '#' and a number)"
    if found := [letter for letter in name if letter in _FORBIDDEN]:
        return (
            f"holds {found[0]!r}, as a selection of jobs or a path does (choose one without any of"
            f" {_FORBIDDEN})"
        )
    return ""


def _selects(name: str) -> str:
    """Why it reads like something else on a command line; "": it doesn't."""
    if name.lower() in _WORDS:
        return "reads like a selection of jobs (choose one that is not 'last', 'all' or 'none')"
    if name.startswith("-"):
        return "begins with '-', as an option does (choose one that begins otherwise)"
    if _NUMBERS.fullmatch(name):
        return "reads like jobs by their numbers (choose one with a letter in it)"
    return ""


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
