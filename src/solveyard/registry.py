"""What is installed: entry points, ours and other people's, by one mechanism."""

import logging
from functools import cache
from importlib.metadata import entry_points

from solveyard.backends.dialects.base import Dialect
from solveyard.model.errors import InvalidJob
from solveyard.solvers.base import OnSite, Solver

log = logging.getLogger(__name__)


@cache
def solvers() -> dict[str, Solver]:
    """Name to solver, from the entry points `solveyard.solvers`; one that fails is left out."""
    found: dict[str, Solver] = {}
    for entry in entry_points(group="solveyard.solvers"):
        try:
            found[entry.name] = entry.load()()
        except Exception as error:  # somebody else's code: its fault must not stop the others
            log.exception("solver not loaded", extra={"solver": entry.name, "error": repr(error)})
    return found


@cache
def on_site(name: str) -> OnSite | None:
    """The solver of that name, if it has to look at a machine before its jobs are taken."""
    found = solvers().get(name)
    return found if isinstance(found, OnSite) else None


@cache
def dialects() -> dict[str, Dialect]:
    """Name to dialect, from the entry points `solveyard.dialects`; one that fails is left out."""
    found: dict[str, Dialect] = {}
    for entry in entry_points(group="solveyard.dialects"):
        try:
            found[entry.name] = entry.load()
        except Exception as error:  # as above
            log.exception("dialect not loaded", extra={"dialect": entry.name, "error": repr(error)})
    return found


def solver(name: str) -> Solver:
    """Raises InvalidJob where there is none of that name."""
    found = solvers().get(name)
    if found is None:
        known = ", ".join(sorted(solvers())) or "none"
        raise InvalidJob(f"there is no solver {name!r} that can be used (installed: {known})")
    return found
