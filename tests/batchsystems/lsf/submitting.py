"""bsub: from its options and a script's directives to a job."""

import os
import pwd
import re
import shlex
import sys
import time
from pathlib import Path

from batchsystems.answering import Failed
from batchsystems.lsf import words
from batchsystems.scheduling import schedule
from batchsystems.state import Job, Part, System, opened

_VALUED = {
    "-J", "-o", "-e", "-n", "-R", "-W", "-q", "-P", "-b", "-w", "-sp", "-u", "-M", "-L", "-m", "-E",
}  # fmt: skip
_PLAIN = {"-x", "-H", "-r", "-N", "-B"}
#: What open relatives don't have.
_IBM = {"-gpu", "-U", "-sla", "-wa", "-wt", "-oo", "-eo", "-app", "-cwd", "-Jd"}
_NOT = "Job not submitted."
_CONDITIONS = {"done": "ok", "exit": "failed", "ended": "any"}


def bsub(folder: Path, arguments: list[str]) -> int:
    """Prints its id. A job that is refused uses up a number."""
    with opened(folder) as system:
        valued = _VALUED | (_IBM if system.ibm else set())
        given, command = words.options("bsub", arguments, valued, _PLAIN)
    text = sys.stdin.read() if not command else " ".join(command)
    said = _directives(text, valued) if not command else []
    with opened(folder) as system:
        try:
            job = _job(system, [*said, *given])
        except Failed:
            system.next = max(1, system.next) + 1
            raise
        script = folder / "spool" / str(job.number)
        script.write_text(text)
        job.argv = ["/bin/sh", str(script)]
        system.add(folder, job)
        schedule("lsf", folder, system)
    default = "" if any(option == "-q" for option, _ in [*said, *given]) else "default "
    print(f"Job <{job.number}> is submitted to {default}queue <{job.queue}>.")
    return 0


def _directives(text: str, valued: set[str]) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for line in text.splitlines():
        if line.startswith("#BSUB"):
            found += words.options("bsub", shlex.split(line[5:]), valued, _PLAIN)[0]
    return found


def _job(system: System, options: list[tuple[str, str]]) -> Job:
    last = dict(options)
    queue = last.get("-q", system.queues[0])
    if queue not in system.queues:
        raise Failed(f"{queue}: No such queue. {_NOT}", words.BAD)
    cores = int(last.get("-n", "1").split(",")[0])
    if cores > system.cores:
        raise Failed(f"Too many processors requested. {_NOT}", words.BAD)
    if "-sp" in last and not system.ibm:
        raise Failed(f"Job priority control undefined. {_NOT}", words.BAD)
    name, indices, at_once = _name(last.get("-J", ""))
    user = pwd.getpwuid(os.getuid()).pw_name
    return Job(
        number=max(1, system.next),
        name=name,
        queue=queue,
        argv=[],
        cwd=str(Path.cwd()),
        env=dict(os.environ),
        out=last.get("-oo", last.get("-o", "/dev/null")),
        err=last.get("-eo", last.get("-e", "")),
        parts={index: Part() for index in indices},
        at_once=at_once,
        limit=_minutes(last["-W"]) * system.minute if "-W" in last else None,
        held="-H" in last,
        begin=_time(last["-b"]) if "-b" in last else 0.0,
        depend=_conditions(system, last.get("-w", "")),
        cores=cores,
        licences=_licences(system, [value for option, value in options if option == "-R"]),
        priority=int(last.get("-sp", "0")),
        submitted=time.time(),
        said={"user": user, "stays": True},
    )


def _licences(system: System, requirements: list[str]) -> dict[str, int]:
    """What their "rusage[...]" reserve, but memory and disk, which it doesn't count."""
    found: dict[str, int] = {}
    for part in re.findall(r"rusage\[([^\]]*)\]", " ".join(requirements)):
        for name, _, amount in (one.partition("=") for one in re.split("[:,]", part)):
            if name in {"mem", "tmp"}:
                continue
            if name not in system.licences or not amount.isdecimal():
                raise Failed(f"Bad resource requirement syntax. {_NOT}", words.BAD)
            found[name] = int(amount)
    return found


def _name(text: str) -> tuple[str, list[str], int]:
    """Of "arr[1-4]%2": its name, its indices, and how many run at once."""
    match = re.fullmatch(r"(.*)\[([0-9,:-]+)\](?:%([0-9]+))?", text)
    if match is None:
        return text, [""], 0
    indices: list[str] = []
    for each in match[2].split(","):
        span, _, step = each.partition(":")
        first, _, end = span.partition("-")
        indices += map(str, range(int(first), int(end or first) + 1, int(step or 1)))
    if not indices:
        raise Failed(f"Bad job name. {_NOT}", words.BAD)
    return match[1], indices, int(match[3] or 0)


def _conditions(system: System, text: str) -> list[tuple[str, int]]:
    found = []
    for each in text.split("&&") if text else ():
        match = re.fullmatch(r"\s*(done|exit|ended)\(([0-9]+)\)\s*", each)
        if match is None:
            raise Failed(f"Bad dependency condition. {_NOT}", words.BAD)
        if int(match[2]) not in system.jobs:
            raise Failed(f"{match[2]}: No matching job found. {_NOT}", words.BAD)
        found.append((_CONDITIONS[match[1]], int(match[2])))
    return found


def _minutes(text: str) -> int:
    """Of "[hours:]minutes"."""
    hours, _, minutes = text.rpartition(":")
    if not minutes.isdecimal():
        raise Failed(f"Bad RUNLIMIT specification. {_NOT}", words.BAD)
    return int(hours or 0) * 60 + int(minutes)


def _time(text: str) -> float:
    """Of [[month:]day:]hour:minute."""
    now = time.localtime()
    parts = [int(part) for part in text.split(":")]
    month, day, hour, minute = [now.tm_mon, now.tm_mday, 0, 0][: 4 - len(parts)] + parts
    return time.mktime((now.tm_year, month, day, hour, minute, 0, 0, 0, -1))
