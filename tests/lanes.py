"""A run in several lanes: what stays together in one, and what is begun first."""

from typing import Any

#: Begun first, or the others would have to wait for them in the end.
DEAR = (
    "tests/unit/core/test_planted_faults.py",
    "tests/unit/core/test_engine_machine.py",
    "tests/unit/core/test_capacity_machine.py",
    "tests/unit/core/test_shares_machine.py",
)
#: In one lane all of it: its agents find, by the mark in the environment, attempts named alike.
ALONE = "tests/faults"


def scope(nodeid: str) -> str:
    """What stays together: the tests of a file."""
    return ALONE if nodeid.startswith(f"{ALONE}/") else nodeid.partition("::")[0]


def turn(nodeid: str) -> int:
    """The dear ones, then the others as they come."""
    first = (*DEAR, ALONE)
    return first.index(scope(nodeid)) if scope(nodeid) in first else len(first)


def scheduler(*arguments: Any) -> Any:
    """Gives each lane the next scope when it has done its own."""
    from xdist.scheduler import LoadScopeScheduling

    class Lanes(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return scope(nodeid)

    return Lanes(*arguments)
