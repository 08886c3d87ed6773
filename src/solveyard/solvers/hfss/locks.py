"""A project's `.lock`: is it stale? Judged from what can be seen; in doubt it isn't. Pure.

AEDT writes it while a project is open, and a crash leaves it. What it holds isn't documented, so
of its text only names of machines are looked for.
"""

import re
from typing import NamedTuple

#: Programs that may have a project open, or work on one: AEDT and its engines.
PROGRAMS = re.compile(
    r"(ansysedt(sv)?|HFSSCOMENGINE|ENSCOMENGINE|hf3d|G3dMesher|desktopjob)(\.exe)?\Z", re.IGNORECASE
)
_YOUNG = 60.0  #: s; what writes a lock may not be seen at once


class Process(NamedTuple):
    """One that may have the project open."""

    pid: int
    name: str
    user: str
    started: float  #: s since 1970
    names_project: bool  #: on its command line


class Facts(NamedTuple):
    """What was seen of a lock and of the machine that was looked at."""

    written: float  #: s since 1970
    now: float
    booted: float
    text: str  #: what is in it
    host: str  #: the machine's name
    shared: bool  #: other machines may see its file system, too
    hidden: bool  #: other people's processes can't be seen
    processes: tuple[Process, ...]


class Judgement(NamedTuple):
    stale: bool
    evidence: tuple[str, ...]  #: each a sentence; where it isn't stale, the first is the doubt


def judge(facts: Facts) -> Judgement:
    age = facts.now - facts.written
    seen = [f"it was written {_age(age)} ago"]
    doubts = []
    for process in facts.processes:
        told = f"{process.name} (process {process.pid} of {process.user})"
        if process.names_project:
            doubts.append(f"{told} works on this project")
        elif process.started <= facts.written:
            doubts.append(f"{told} was running when it was written, and may have the project open")
    if not facts.processes:
        seen.append(f"no AEDT and no engine runs on {facts.host}")
    elif not doubts:
        seen.append(f"every AEDT on {facts.host} was started after it was written")
    named = _named(facts.text, facts.host)
    if facts.shared and not named:
        doubts.append(
            f"other machines may see its file system, too, and it doesn't name {facts.host}"
        )
    elif named:
        seen.append(f"it names {facts.host}")
    if facts.hidden:
        doubts.append("other people's processes can't be seen here")
    if not doubts and age < _YOUNG:
        doubts.append("it is so young that who wrote it may just be starting")
    if facts.written < facts.booted and not facts.shared:
        seen.append(f"{facts.host} was started after it was written")
    return Judgement(not doubts, (*doubts, *seen))


def _named(text: str, host: str) -> bool:
    short = re.escape(host.partition(".")[0])
    return re.search(rf"(?<![A-Za-z0-9-]){short}(?![A-Za-z0-9-])", text, re.IGNORECASE) is not None


def _age(seconds: float) -> str:
    if seconds < 120:
        return f"{max(0, round(seconds))} s"
    if seconds < 7200:
        return f"{round(seconds / 60)} minutes"
    return (
        f"{round(seconds / 3600)} hours" if seconds < 172800 else f"{round(seconds / 86400)} days"
    )
