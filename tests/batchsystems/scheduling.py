"""Who starts next, on the one node that there is, and why the others wait."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from batchsystems.state import Job, Part, System

MAIN = Path(__file__).with_name("main.py")
_RUNS = {"running", "suspended"}


def schedule(kind: str, folder: Path, system: System) -> None:
    """Start what may run now; take out what never may."""
    now = time.time()
    while _doomed(system, now):
        pass  # what depends on these is doomed, too
    for job in sorted(system.jobs.values(), key=lambda one: (-one.priority, one.number)):
        for index, part in job.parts.items():
            if part.state == "waiting" and not waits(system, job, part):
                _start(kind, folder, job, index, now)
    if not system.keeps:
        for number in [number for number, job in system.jobs.items() if _forgotten(system, job)]:
            del system.jobs[number]


def waits(system: System, job: Job, part: Part) -> str:
    """Why it does, in one word of ours; "": it may run."""
    running = [one for one in job.parts.values() if one.state in _RUNS]
    free = system.cores - used(system)
    for why, so in (
        ("held", job.held or part.held),
        ("begin", job.begin > time.time()),
        ("dependency", not all(_met(system, how, which) for how, which in job.depend)),
        ("queue", job.queue in system.stopped),
        ("array", bool(job.at_once) and len(running) >= job.at_once),
        ("never", job.cores > system.cores),
        ("cores", job.cores > free),
        ("licence", any(seats > _seats(system, name) for name, seats in job.licences.items())),
    ):
        if so:
            return why
    return ""


def used(system: System) -> int:
    """Cores that jobs have."""
    return sum(
        job.cores
        for job in system.jobs.values()
        for part in job.parts.values()
        if part.state in _RUNS
    )


def _seats(system: System, name: str) -> int:
    """That are free."""
    held = sum(
        job.licences.get(name, 0)
        for job in system.jobs.values()
        for part in job.parts.values()
        if part.state in _RUNS
    )
    return system.licences.get(name, 0) - held


def over(job: Job) -> bool:
    return all(part.state == "over" for part in job.parts.values())


def ended_well(job: Job) -> bool:
    return all(part.code == 0 and not part.by for part in job.parts.values())


def cancel(system: System, job: Job, index: str) -> None:
    """As somebody wished: what runs is asked to end, what waits is over."""
    part = job.parts[index]
    part.by = "user"
    if part.state in _RUNS:
        os.kill(part.pid, signal.SIGTERM)
    elif part.state == "waiting":
        _end(part, time.time())


def _end(part: Part, now: float) -> None:
    part.state, part.ended, part.changed = "over", now, now


def _met(system: System, how: str, which: int) -> bool:
    other = system.jobs.get(which)
    if other is None:
        return how == "any"
    return over(other) and (how == "any" or ended_well(other) == (how == "ok"))


def _doomed(system: System, now: float) -> bool:
    """What depends on something that went otherwise is taken out, if its system does so."""
    found = False
    for job in system.jobs.values():
        if job.said.get("stays") or over(job):
            continue
        if any(never(system, how, which) for how, which in job.depend):
            for part in job.parts.values():
                part.by, found = "dependency", True
                _end(part, now)
    return found


def never(system: System, how: str, which: int) -> bool:
    """A dependency that can't be met any more."""
    other = system.jobs.get(which)
    return how != "any" and (other is None or (over(other) and ended_well(other) != (how == "ok")))


def _forgotten(system: System, job: Job) -> bool:
    """Nobody depends on it, and it is over."""
    wanted = any(
        which == job.number for other in system.jobs.values() for _, which in other.depend
        if not over(other)
    )  # fmt: skip
    return over(job) and not wanted


def _start(kind: str, folder: Path, job: Job, index: str, now: float) -> None:
    part = job.parts[index]
    part.state, part.started, part.changed = "running", now, now
    part.starts += 1
    mask = {signal.SIGTERM, signal.SIGCHLD}
    node = subprocess.Popen(
        [sys.executable, "-S", "-E", str(MAIN), kind, str(folder), "node", str(job.number), index],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=lambda: signal.pthread_sigmask(signal.SIG_BLOCK, mask),
    )  # fmt: skip
    node.returncode = 0  # it outlives whoever started it
    part.pid = node.pid
