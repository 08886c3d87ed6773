"""What all commands of PBS say alike: ids, and what is wrong with them."""

import re

from batchsystems.answering import Failed
from batchsystems.state import Job, System

SERVER = "pbshost"
#: An exit status is the error's number without what is above a byte.
UNKNOWN_ID, FINISHED, BAD_STATE, UNAUTHORIZED, UNKNOWN_QUEUE = 153, 35, 168, 159, 170
UNKNOWN_RESOURCE, BAD_VALUE, USAGE = 187, 166, 2
_ID = re.compile(r"([0-9]+)(\[([0-9]*)\])?(?:\.[\w.-]+)?")


def native(job: Job, index: str = "") -> str:
    """Its id; without `index` of an array the whole one's."""
    brackets = "" if "" in job.parts else f"[{index}]"
    return f"{job.number}{brackets}.{SERVER}"


def full(text: str) -> str:
    """An id with its server, as PBS says it in its answers."""
    return text if "." in text else f"{text}.{SERVER}"


def find(system: System, text: str, program: str) -> tuple[Job, list[str]]:
    """The job, and the indices of its parts that are meant. Raises Failed."""
    match = _ID.fullmatch(text)
    job = system.jobs.get(int(match[1])) if match else None
    if match is None or job is None:
        raise Failed(f"{program}: Unknown Job Id {full(text)}", UNKNOWN_ID)
    if match[2] is None:
        if "" in job.parts:
            return job, [""]
    elif not match[3] and "" not in job.parts:
        return job, [*job.parts]
    elif match[3] in job.parts:
        return job, [match[3]]
    raise Failed(f"{program}: Unknown Job Id {full(text)}", UNKNOWN_ID)


def unfinished(system: System, text: str, program: str) -> tuple[Job, list[str]]:
    """The same, of what isn't over."""
    job, indices = find(system, text, program)
    left = [index for index in indices if job.parts[index].state != "over"]
    if not left:
        raise Failed(f"{program}: Job has finished {full(text)}", FINISHED)
    return job, left
