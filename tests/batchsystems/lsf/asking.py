"""bjobs, bqueues, bhosts and bparams."""

import json
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path

from batchsystems.answering import Failed
from batchsystems.lsf import words
from batchsystems.scheduling import never, schedule, used, waits
from batchsystems.state import Job, Part, System, opened

_REASONS = {
    "user": "TERM_OWNER: job killed by owner",
    "limit": "TERM_RUNLIMIT: job killed after reaching LSF run time limit",
}
_PENDING = {
    "held": "The job was suspended by the user while pending",
    "begin": "The specified start time has not been reached",
    "array": "The job array has reached its running element limit",
    "queue": "The queue is inactive by its administrator",
    "cores": "Not enough job slot(s)",
    "licence": "Job's requirements for resource reservation not satisfied",
}
_SHOWN = "JOBID   USER    STAT  QUEUE      FROM_HOST   EXEC_HOST   JOB_NAME   SUBMIT_TIME"


def bjobs(folder: Path, arguments: list[str]) -> int:
    given, ids = words.options("bjobs", arguments, {"-o"}, {"-a", "-w", "-json"})
    options = dict(given)
    with opened(folder) as system:
        schedule("lsf", folder, system)
        fields = _fields(system, options.get("-o", ""))
        if "-json" in options and not fields:
            raise Failed("Usage: bjobs [-h] [-V] [-w |-l |-UF] [-a] [-d] ...", words.BAD)
        chosen: list[tuple[Job, str]] = []
        absent: list[str] = []
        for one in ids:
            if (found := words.find(system, one)) and not found[0].said.get("cleaned"):
                chosen += [(found[0], index) for index in found[1]]
            else:
                absent.append(one)
        for job in system.jobs.values() if not ids else ():
            shown = [i for i, part in job.parts.items() if "-a" in options or part.state != "over"]
            chosen += [(job, index) for index in shown if not job.said.get("cleaned")]
        if "-json" not in options:
            return _table(system, chosen, absent)
        records = [
            {name.upper(): FIELDS[name](system, job, index) for name in fields}
            for job, index in chosen
        ]
        return _json(system.ibm, records, absent)


def _json(ibm: bool, records: list[dict[str, str]], absent: list[str]) -> int:
    """IBM's has what isn't there among its records; the relative's has it on standard error."""
    if ibm:
        for one in absent:
            records.append({"JOBID": one, "ERROR": f"Job <{one}> is not found"})
        told = {"COMMAND": "bjobs", "JOBS": len(records), "RECORDS": records}
        print(json.dumps(told, indent=2, separators=(",", ":")))
        return 0
    for one in absent:
        sys.stderr.write(f"Job <{one}> is not found\n")
    if not records:
        if not absent:
            sys.stderr.write("No job found\n")
        return words.BAD
    told = ", ".join(
        "{\n"
        + ",\n".join(f'\t\t\t"{name}":\t{json.dumps(value)}' for name, value in record.items())
        + "\n\t\t}"
        for record in records
    )
    print(f'{{\n\t"COMMAND":\t"bjobs",\n\t"JOBS":\t{len(records)},\n\t"RECORDS":\t[{told}]\n}}')
    return words.BAD if absent else 0


def _table(system: System, chosen: list[tuple[Job, str]], absent: list[str]) -> int:
    for one in absent:
        sys.stderr.write(f"Job <{one}> is not found\n")
    if not chosen:
        if not absent:
            sys.stderr.write("No unfinished job found\n")
        return words.BAD
    print(_SHOWN)
    for job, index in chosen:
        part = job.parts[index]
        host = words.HOST if part.started else ""
        name = f"{job.name}[{index}]" if index else job.name
        when = time.strftime("%b %d %H:%M", time.localtime(job.submitted))
        print(
            f"{job.number:<7} {job.said['user'][:7]:<7} {words.state(system, job, part):<5}"
            f" {job.queue:<10} {words.HOST:<11} {host:<11} {name[-10:]:<10} {when}"
        )
    return words.BAD if absent else 0


def _fields(system: System, text: str) -> list[str]:
    names = [each.partition(":")[0].lower() for each in text.split()]
    known = set(FIELDS) if system.ibm else set(FIELDS) - _IBM
    for name in names:
        if name not in known:
            raise Failed(f"<{name.upper()}> in the format string is not a valid field name.", 99)
    return names


def _pending(system: System, job: Job, part: Part) -> str:
    why = waits(system, job, part) if part.state == "waiting" else ""
    if why == "dependency":
        lost = any(never(system, how, which) for how, which in job.depend)
        said = "Dependency condition invalid or never satisfied"
        return f"{said if lost else 'Job dependency condition not satisfied'}: 1 host;"
    return f"{_PENDING[why]}: 1 host;" if why in _PENDING else ""


def _exec_host(_: System, job: Job, index: str) -> str:
    if not job.parts[index].started:
        return "-"
    return words.HOST if job.cores == 1 else f"{job.cores}*{words.HOST}"


def _exit_code(_: System, job: Job, index: str) -> str:
    part = job.parts[index]
    return str(words.exit_code(part) or "") if part.state == "over" else ""


_IBM = {"exit_code", "exit_reason", "pend_reason"}  #: that open relatives don't know
FIELDS: dict[str, Callable[[System, Job, str], str]] = {
    "jobid": lambda _, job, index: str(job.number),
    "user": lambda _, job, index: job.said["user"],
    "stat": lambda system, job, index: words.state(system, job, job.parts[index]),
    "queue": lambda _, job, index: job.queue,
    "job_name": lambda _, job, index: f"{job.name}[{index}]" if index else job.name,
    "exec_host": _exec_host,
    "exit_code": _exit_code,
    "exit_reason": lambda _, job, index: _REASONS.get(job.parts[index].by, ""),
    "pend_reason": lambda system, job, index: _pending(system, job, job.parts[index]),
}


def bqueues(folder: Path, arguments: list[str]) -> int:
    words.options("bqueues", arguments, (), {"-w"})
    with opened(folder) as system:
        head = "QUEUE_NAME      PRIO STATUS          MAX JL/U JL/P JL/H NJOBS  PEND   RUN  SUSP "
        print(head)
        for queue in system.queues:
            parts = [p for job in system.jobs.values() if job.queue == queue
                     for p in job.parts.values() if p.state != "over"]  # fmt: skip
            pending, run, stopped = (
                sum(part.state == state for part in parts)
                for state in ("waiting", "running", "suspended")
            )
            status = "Open:Inact" if queue in system.stopped else "Open:Active"
            print(
                f"{queue:<15} {30:>4} {status:<15} {'-':>3} {'-':>4} {'-':>4} {'-':>4}"
                f" {len(parts):>5} {pending:>5} {run:>5} {stopped:>5}"
            )
    return 0


def bhosts(folder: Path, arguments: list[str]) -> int:
    words.options("bhosts", arguments, (), {"-w"})
    with opened(folder) as system:
        taken = used(system)
        status = "ok" if taken < system.cores else "closed_Full"
        print("HOST_NAME          STATUS          JL/U    MAX  NJOBS    RUN  SSUSP  USUSP    RSV ")
        print(
            f"{words.HOST:<18} {status:<15} {'-':>4} {system.cores:>6} {taken:>6} {taken:>6}"
            f" {0:>6} {0:>6} {0:>6}"
        )
    return 0


def bparams(folder: Path, arguments: list[str]) -> int:
    with opened(folder) as system:
        print(f"Default Queues:  {system.queues[0]}")
        print(f"MBD_SLEEP_TIME used for calculations:  {10:>2} seconds")
    return 0


def wrapped(line: str) -> str:
    """As bhist goes on, after 21 blanks, in the middle of a word."""
    first, rest = line[:79], line[79:]
    return "\n".join([first, *(f"{' ' * 21}{each}" for each in re.findall(".{1,58}", rest))])
