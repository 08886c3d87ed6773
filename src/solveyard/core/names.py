"""Which names a job may have: none that reads like a selector or could not be typed."""

import re

from solveyard.model.errors import InvalidJob

LONGEST = 200
_FORBIDDEN = frozenset(",/[]")
_NUMBER = re.compile(r"#\d+")  # a job's number whatever others are called
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
    never = _NUMBER.fullmatch(name) or not _FORBIDDEN.isdisjoint(name)
    if never or (_SELECTOR.fullmatch(name) and not any_name):
        raise InvalidJob(
            f"the name {name!r} reads like a selection of jobs or a path (choose one with a"
            " letter in it, without any of ,/[], that is not 'last' or 'all')"
        )
