"""How much may run at once, as PyEDB's users say it."""

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from solveyard.pyedb.errors import InvalidConfig
from solveyard.pyedb.session import Session


@dataclass
class ResourceLimits:
    """What the manager keeps to before it starts a job; see the limits of the store.

    What is assigned to those of a handler or manager is set in its store.
    """

    max_concurrent_jobs: int = 1  #: 0: a store that starts none; it can't be set here
    max_cpu_percent: float = 80.0  #: 100: none
    min_memory_gb: float = 2.0  #: GiB; 0: none
    min_disk_gb: float = 2.0  #: GiB; 0: none

    def __post_init__(self) -> None:
        """Raises InvalidConfig."""
        for name, least, most in (
            ("max_concurrent_jobs", 0, 10**9),
            ("max_cpu_percent", 0, 100),
            ("min_memory_gb", 0, 1e9),
            ("min_disk_gb", 0, 1e9),
        ):
            value = getattr(self, name)
            wrong = isinstance(value, bool) or not isinstance(value, int | float)
            whole = name != "max_concurrent_jobs" or isinstance(value, int)
            if wrong or not whole or not least <= value <= most:
                raise InvalidConfig(f"`{name}` must be from {least} to {most}, not {value!r}")
        if not self.max_cpu_percent:
            raise InvalidConfig("`max_cpu_percent` must be above 0")

    @property
    def session(self) -> Session | None:
        """Whose they are; None: nobody's."""
        found: Session | None = vars(self).get("_session")
        return found

    def __setattr__(self, name: str, value: Any) -> None:  # whatever somebody assigns
        if self.session is not None and name in {field.name for field in fields(self)}:
            replace(self, **{name: value})  # refused here where it makes no sense
            want(self.session, {name: value})
        super().__setattr__(name, value)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def first(session: Session) -> None:
    """Set those that it was opened for; where they can't be, it is closed again."""
    if not session.wanted:
        return
    try:
        session.set_limits(session.wanted)
    except BaseException:
        session.close()
        raise


def assign(session: Session, limits: ResourceLimits) -> None:
    """Have all of them hold. Raises as `want` does."""
    if limits.session is not session:  # else they do
        want(session, limits.to_dict())


def want(session: Session, some: Mapping[str, Any]) -> None:
    """Set these in the session's store, now and whenever it opens. Raises InvalidConfig."""
    if session.host is not None:
        session.set_limits(some)
    session.wanted |= some


def current(session: Session) -> ResourceLimits:
    """Those of the session's store; before it is open, those that it will be given.

    What it won't be given is shown as in a new store.
    """
    if session.host is None:
        told: dict[str, Any] = {
            "max_concurrent_jobs": os.cpu_count() or 1,
            "max_cpu_percent": 100.0,
            "min_memory_gb": 0.0,
            "min_disk_gb": 0.0,
            **session.wanted,
        }
    else:
        with session.client() as client:
            now, machines = client.limits(), client.status()["machines"]
        at_most = now["max_concurrent"]
        if at_most is None:
            at_most = sum(machine["cores"] for machine in machines.values())
        told = {
            "max_concurrent_jobs": at_most,
            "max_cpu_percent": now["max_cpu_percent"] or 100.0,
            "min_memory_gb": now["min_memory_gb"] or 0.0,
            "min_disk_gb": now["min_disk_gb"] or 0.0,
        }
    found = ResourceLimits(**told)
    vars(found)["_session"] = session
    return found
