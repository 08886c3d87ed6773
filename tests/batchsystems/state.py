"""What a stand-in batch system knows: its jobs and settings, in one file under a lock."""

import contextlib
import fcntl
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any


class Record:
    """Named fields with defaults; one that can be called makes a new value each time.

    Not a dataclass: to import what makes those is half of a command's start.
    """

    def __init__(self, **given: Any) -> None:
        fields = type(self).__annotations__
        if strangers := given.keys() - fields.keys():
            raise TypeError(f"no such fields: {strangers}")
        for name in fields:
            if name in given:
                value = given[name]
            else:
                default = getattr(type(self), name)
                value = default() if callable(default) else default
            setattr(self, name, value)


class Part(Record):
    """What runs: a job, or one task of an array."""

    state: str = "waiting"  #: then "running", "suspended" and again, in the end "over"
    code: int | None = None  #: how its script ended
    signal: int | None = None
    by: str = ""  #: who ended it: "user", "limit" or "dependency"; "": itself
    pid: int = 0  #: of the process that watches over it, its node
    group: int = 0  #: of its script
    held: bool = False
    starts: int = 0
    changed: float = 0.0  #: times are s since 1970
    started: float = 0.0
    ended: float = 0.0


class Job(Record):
    number: int
    name: str
    queue: str
    argv: list[str]
    cwd: str
    env: dict[str, str]
    out: str
    err: str  #: "": with the output
    parts: dict[str, Part]  #: by index in the array; a single job's is ""
    limit: float | None = None  #: s
    held: bool = False
    begin: float = 0.0  #: it may run from then on
    depend: list[tuple[str, int]] = list  #: "ok", "failed" or "any" of one
    cores: int = 1
    licences: dict[str, int] = dict  #: that it holds as it runs
    at_once: int = 0  #: of an array; 0: all
    priority: int = 0
    submitted: float = 0.0
    said: dict[str, Any] = dict  #: what its system keeps of it beside


class System(Record):
    next: int = 0  #: number of the next job
    cores: int = 8
    queues: list[str] = lambda: ["workq"]  #: the first is the default
    stopped: list[str] = list  #: queues that start nothing
    resources: list[str] = list  #: that it knows beside its own
    licences: dict[str, int] = dict  #: seats by feature
    keeps: bool = True  #: what has ended is remembered
    array_size: int = 10000
    minute: float = 60.0  #: s; a test may have shorter ones
    grace: float = 5.0  #: s from the first signal to KILL
    ibm: bool = True  #: LSF's forms are those of IBM's documents, not those of an open relative
    jobs: dict[int, Job] = dict

    def add(self, folder: Path, job: Job) -> None:
        """And note it for the tests, whatever becomes of it."""
        self.jobs[job.number] = job
        self.next = job.number + 1
        with (folder / "given").open("a") as given:
            given.writelines(f"{job.number}[{index}] {job.name}\n" for index in job.parts)


@contextlib.contextmanager
def opened(folder: Path) -> Iterator[System]:
    """It, to look at and to change; nobody else does meanwhile."""
    place = folder / "state.json"
    with (folder / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        system = _read(json.loads(place.read_bytes())) if place.exists() else System()
        yield system
        new = folder / "state.new"
        new.write_text(json.dumps(system, default=vars))
        new.replace(place)


def _read(told: dict[str, Any]) -> System:
    jobs = {}
    for number, each in told.pop("jobs").items():
        parts = {index: Part(**one) for index, one in each.pop("parts").items()}
        depend = [(how, which) for how, which in each.pop("depend")]
        jobs[int(number)] = Job(parts=parts, depend=depend, **each)
    return System(jobs=jobs, **told)
