"""What `lmutil lmstat -a` prints: how many seats of each feature there are, and who has them.

    Users of anshpc:  (Total of 36 licenses issued;  Total of 30 licenses in use)
        eve ws1 ws1:0 (v2025.0506) (lic1/1055 234), start Tue 11/24 9:12, 24 licenses

Source: FlexNet's License Administration Guide, lmstat; and what sites have published.
"""

import re
from collections.abc import Collection, Iterator

from solveyard.model.messages import LicenceUse

_FEATURE = re.compile(r"\s*Users of (?P<name>[^\s:]+):\s*\(", re.IGNORECASE)
_ISSUED = re.compile(r"Total of (\d+) licen[sc]es? issued", re.IGNORECASE | re.ASCII)
_USED = re.compile(r"Total of (\d+) licen[sc]es? in use", re.IGNORECASE | re.ASCII)
_USER = re.compile(
    r"\s+(?P<user>\S+)\s+(?P<host>\S+)\s.*\),\s*start\s.*?"
    r"(,\s*(?P<seats>\d+)\s+licen[sc]es?)?\s*\Z",
    re.IGNORECASE | re.ASCII,
)
_MOST = 10**9


def read(text: str, user: str, hosts: Collection[str]) -> dict[str, LicenceUse]:
    """By feature; of more servers' together. What it doesn't know is read over.

    Ours are the seats of `user` on `hosts`, which are compared up to their first dot.
    """
    places = {_short(host) for host in hosts}
    found: dict[str, LicenceUse] = {}
    for name, issued, used, users in _features(text):
        mine: int | None = sum(
            seats for who, host, seats in users if who == user and _short(host) in places
        )
        if used and not users:
            mine = None
        before = found.get(name)
        if before is not None:
            both = mine is not None and before.ours is not None
            mine = (mine or 0) + (before.ours or 0) if both else None
            issued, used = issued + before.issued, used + before.used
        found[name] = LicenceUse(issued=issued, used=used, ours=mine)
    return found


def _features(text: str) -> Iterator[tuple[str, int, int, list[tuple[str, str, int]]]]:
    """Those that are counted: name, issued, in use, and the seats of each user on a host."""
    open_: tuple[str, int, int] | None = None
    users: list[tuple[str, str, int]] = []
    for line in text.splitlines():
        if feature := _FEATURE.match(line):
            if open_ is not None:
                yield (*open_, users)
            issued, used = _ISSUED.search(line), _USED.search(line)
            counted = issued is not None and used is not None
            open_ = (feature["name"], _number(issued), _number(used)) if counted else None
            users = []
        elif user := _USER.match(line):
            users.append((user["user"], user["host"], min(int(user["seats"] or 1), _MOST)))
    if open_ is not None:
        yield (*open_, users)


def _number(match: re.Match[str] | None) -> int:
    return min(int(match[1]), _MOST) if match is not None else 0


def _short(host: str) -> str:
    return host.partition(".")[0].lower()
