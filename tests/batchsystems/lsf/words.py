"""What LSF's commands say alike: options that they have, ids, and states."""

import re
from collections.abc import Iterable

from batchsystems.answering import Failed
from batchsystems.scheduling import waits
from batchsystems.state import Job, Part, System

HOST = "volhost"
BAD = 255
_ID = re.compile(r"([0-9]+)(?:\[([0-9]+)\])?")
_STATES = {"running": "RUN", "suspended": "USUSP"}


def options(
    program: str, arguments: list[str], valued: Iterable[str], plain: Iterable[str]
) -> tuple[list[tuple[str, str]], list[str]]:
    """Those before the first word that is none, and the rest. Its options have several letters."""
    given, rest = [], [*arguments]
    while rest and rest[0].startswith("-"):
        option = rest.pop(0)
        if option in plain:
            given.append((option, ""))
        elif option in valued and rest:
            given.append((option, rest.pop(0)))
        else:
            raise Failed(
                f"{program}: invalid option -- '{option[1:2]}'\nUsage: {program} [-h] ...", BAD
            )
    return given, rest


def find(system: System, text: str) -> tuple[Job, list[str]] | None:
    """The job, and the indices of its elements that are meant."""
    match = _ID.fullmatch(text)
    job = system.jobs.get(int(match[1])) if match else None
    if match is None or job is None:
        return None
    if match[2] is None:
        return job, [*job.parts]
    return (job, [match[2]]) if match[2] in job.parts else None


def state(system: System, job: Job, part: Part) -> str:
    if part.state == "waiting":
        return "PSUSP" if waits(system, job, part) == "held" else "PEND"
    if part.state == "over":
        return "DONE" if part.code == 0 and not part.by else "EXIT"
    return _STATES[part.state]


def exit_code(part: Part) -> int:
    """As it counts: 128 and the signal where one ended it."""
    return 128 + part.signal if part.signal else part.code or 0
