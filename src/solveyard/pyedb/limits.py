"""How much may run at once, as PyEDB's users say it."""

import numbers
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from solveyard.pyedb.errors import InvalidConfig
from solveyard.pyedb.session import Session


class _Kept(int):
    """How many a store's own limit was, which holds again, be it 0."""


class _Owned:
    """What belongs to a session; a copy of it is nobody's, and `vars` tells of none."""

    __slots__ = ("_none", "_session")

    @property
    def session(self) -> Session | None:
        """Whose it is; None: nobody's."""
        return getattr(self, "_session", None)

    @property
    def none(self) -> dict[str, float]:
        """What it shows where there is no limit."""
        return getattr(self, "_none", {})

    def belong(self, session: Session, none: dict[str, float]) -> None:
        self._session, self._none = session, none

    def __getstate__(self) -> dict[str, Any]:
        return dict(vars(self))


@dataclass
class ResourceLimits(_Owned):
    """What the manager keeps to before it starts a job; see the limits of the store.

    What is assigned to those of a handler or manager is set in its store. Numbers may be of any
    kind, numpy's too.
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
            kind = numbers.Integral if name == "max_concurrent_jobs" else numbers.Real
            wrong = isinstance(value, bool) or not isinstance(value, kind)
            if wrong or not least <= value <= most:
                raise InvalidConfig(f"`{name}` must be from {least} to {most}, not {value!r}")
            setattr(self, name, int(value) if isinstance(value, numbers.Integral) else float(value))
        if not self.max_cpu_percent:
            raise InvalidConfig("`max_cpu_percent` must be above 0")

    def __setattr__(self, name: str, value: Any) -> None:  # whatever somebody assigns
        if self.session is not None and name in {field.name for field in fields(self)}:
            # refused here where it makes no sense
            value = getattr(replace(self, **{name: value}), name)
            if name == "max_concurrent_jobs" and not value:
                raise InvalidConfig("`max_concurrent_jobs` must be above 0")
            want(self.session, {name: value})
            self.none.pop(name, None)
        super().__setattr__(name, value)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def first(session: Session) -> None:
    """Set those that it was opened for; where they can't be, it is closed again."""
    if not session.wanted:
        return
    try:
        session.set_limits(_named(session.wanted))
    except BaseException:
        session.close()
        raise


def assign(session: Session, limits: ResourceLimits) -> None:
    """Have all of them hold, be they of the session as it was before. Raises as `want` does."""
    if not isinstance(limits, ResourceLimits):
        raise InvalidConfig(
            f"`resource_limits` must be limits, such as ResourceLimits(max_concurrent_jobs=2), not"
            f" {limits!r:.100}"
        )
    content: dict[str, Any] = limits.to_dict()
    if limits.session is session:  # what shows no limit stands for none
        if not content["max_concurrent_jobs"]:
            content["max_concurrent_jobs"] = _Kept(0)
        none = [name for name, shown in limits.none.items() if content[name] == shown]
        if session.host is not None:
            content |= dict.fromkeys(none)
        else:
            for name in none:
                del content[name]
                session.wanted.pop(name, None)
    want(session, content)


def want(session: Session, some: Mapping[str, Any]) -> None:
    """Set these in the session's store, now and whenever it opens. Raises InvalidConfig."""
    if session.host is not None:
        session.set_limits(_named(some))
    session.wanted |= some


def _named(some: Mapping[str, Any]) -> dict[str, Any]:
    """As the manager takes them: by PyEDB's name it takes no 0, which its store may have had."""
    found = dict(some)
    if isinstance(found.get("max_concurrent_jobs"), _Kept):
        found["max_concurrent"] = int(found.pop("max_concurrent_jobs"))
    return found


def current(session: Session) -> ResourceLimits:
    """Those of the session's store; before it is open, those that it will be given.

    What it won't be given is shown as in a new store.
    """
    if session.host is None:
        told, at_most = dict(session.wanted), os.cpu_count() or 1
    else:
        with session.client() as client:
            told, machines = client.limits(), client.status()["machines"]
        told["max_concurrent_jobs"] = told.pop("max_concurrent")
        at_most = sum(machine["cores"] for machine in machines.values())
    shown: dict[str, Any] = {
        "max_concurrent_jobs": at_most,
        "max_cpu_percent": 100.0,
        "min_memory_gb": 0.0,
        "min_disk_gb": 0.0,
    }
    told = {name: value for name, value in told.items() if value is not None}
    found = ResourceLimits(**shown | told)
    found.belong(session, {name: value for name, value in shown.items() if name not in told})
    return found
