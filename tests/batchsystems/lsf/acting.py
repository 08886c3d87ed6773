"""bkill, bstop, bresume and bmod: a line for each job, whether it was done or not."""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from batchsystems.answering import Failed
from batchsystems.lsf import words
from batchsystems.scheduling import cancel, schedule
from batchsystems.state import Job, Part, System, opened


def bkill(folder: Path, arguments: list[str]) -> int:
    given, ids = words.options("bkill", arguments, {"-s"}, ())
    name = dict(given).get("-s", "")

    def each(system: System, job: Job, index: str) -> None:
        if not name:
            cancel(system, job, index)
        elif job.parts[index].group:
            os.killpg(job.parts[index].group, signal.Signals[f"SIG{name}"])

    return _each(folder, ids, each, "signaled" if name else "terminated")


def bstop(folder: Path, arguments: list[str]) -> int:
    def each(_: System, job: Job, index: str) -> None:
        part = job.parts[index]
        if part.state == "waiting":
            part.held = True
        elif part.state == "running":
            part.state = "suspended"
            _send(part, signal.SIGSTOP)

    return _each(folder, words.options("bstop", arguments, (), ())[1], each, "stopped")


def bresume(folder: Path, arguments: list[str]) -> int:
    def each(_: System, job: Job, index: str) -> None:
        part = job.parts[index]
        part.held = job.held = False
        if part.state == "suspended":
            part.state = "running"
            _send(part, signal.SIGCONT)

    return _each(folder, words.options("bresume", arguments, (), ())[1], each, "resumed")


def bmod(folder: Path, arguments: list[str]) -> int:
    """Priority alone."""
    given, ids = words.options("bmod", arguments, {"-sp"}, ())
    code = 0
    with opened(folder) as system:
        if given and not system.ibm:
            raise Failed("Job priority control undefined. Job not modified.", words.BAD)
        for one in ids:
            found = words.find(system, one)
            if found is None:
                sys.stderr.write(f"{one}: No matching job found. Job not modified.\n")
                code = words.BAD
                continue
            for _, value in given:
                found[0].priority = int(value)
            print(f"Parameters of job <{one}> are being changed")
        schedule("lsf", folder, system)
    return code


def _send(part: Part, number: signal.Signals) -> None:
    if part.group:
        os.killpg(part.group, number)


def _each(folder: Path, ids: list[str], act: Callable[[System, Job, str], None], done: str) -> int:
    code = 0
    with opened(folder) as system:
        for one in ids:
            found = words.find(system, one)
            left = [i for i in found[1] if found[0].parts[i].state != "over"] if found else []
            if found and left:
                for index in left:
                    act(system, found[0], index)
                print(f"Job <{one}> is being {done}")
                continue
            why = "Job has already finished" if found else "No matching job found"
            sys.stderr.write(f"Job <{one}>: {why}\n")
            code = words.BAD
        schedule("lsf", folder, system)
    return code
