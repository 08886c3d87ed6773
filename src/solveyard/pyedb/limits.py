"""How much may run at once, as PyEDB's users say it."""

from dataclasses import asdict, dataclass
from typing import Any

from solveyard.pyedb.errors import InvalidConfig
from solveyard.pyedb.session import Session


@dataclass
class ResourceLimits:
    """What the manager keeps to before it starts a job; see the limits of the store."""

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

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def first(session: Session, given: ResourceLimits) -> None:
    """Set those that a session was opened for; where they can't be, it is closed again."""
    try:
        session.set_limits(given.to_dict())
    except BaseException:
        session.close()
        raise


def current(session: Session, given: ResourceLimits | None) -> ResourceLimits:
    """Those of the session's store; before it is open, those that it will be given."""
    if session.host is None:
        return given or ResourceLimits()
    with session.client() as client:
        now, machines = client.limits(), client.status()["machines"]
    at_most = now["max_concurrent"]
    if at_most is None:
        at_most = sum(machine["cores"] for machine in machines.values())
    return ResourceLimits(
        max_concurrent_jobs=at_most,
        max_cpu_percent=now["max_cpu_percent"] or 100.0,
        min_memory_gb=now["min_memory_gb"] or 0.0,
        min_disk_gb=now["min_disk_gb"] or 0.0,
    )
