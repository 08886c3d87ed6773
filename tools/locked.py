"""The part of requirements.lock that something needs: `python tools/locked.py [EXTRA]`.

Without an extra: what solveyard itself needs, and none of its extras. Hashes stay, so that pip
checks what it installs. Runs wherever Python 3.11 does, since images are built with it.
"""

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
_ENTRY = re.compile(r"^[A-Za-z0-9]", re.MULTILINE)
_NAME = re.compile(r"[A-Za-z0-9._-]+")
_PARENT = re.compile(r"^ +#(?: via)? +([A-Za-z0-9._-]+)$", re.MULTILINE)


def subset(lock: str, roots: set[str]) -> str:
    """The entries of `lock` that are among `roots`, or that these need, as its "via" notes say."""
    starts = [match.start() for match in _ENTRY.finditer(lock)]
    entries = [lock[a:b] for a, b in zip(starts, [*starts[1:], len(lock)], strict=True)]
    wanted, before = set(roots), -1
    while len(wanted) != before:
        before = len(wanted)
        wanted |= {_name(entry) for entry in entries if wanted & set(_PARENT.findall(entry))}
    missing = roots - {_name(entry) for entry in entries}
    if missing:
        raise SystemExit(f"not in the lock: {', '.join(sorted(missing))} (make lock)")
    return "".join(entry for entry in entries if _name(entry) in wanted)


def roots(project: str, extra: str = "") -> set[str]:
    """What pyproject.toml asks for by name: for everybody, or for one extra."""
    table = tomllib.loads(project)["project"]
    asked = table["optional-dependencies"][extra] if extra else table["dependencies"]
    return {_name(one) for one in asked}


def _name(requirement: str) -> str:
    found = _NAME.match(requirement)
    return re.sub(r"[-_.]+", "-", found[0]).lower() if found else ""


if __name__ == "__main__":
    wanted = roots((ROOT / "pyproject.toml").read_text(), *sys.argv[1:2])
    sys.stdout.write(subset((ROOT / "requirements.lock").read_text(), wanted))
