"""qdel, qhold, qrls, qalter and qsig: silent where they did it."""

import getopt
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from batchsystems.answering import Failed, unknown
from batchsystems.pbs import words
from batchsystems.scheduling import cancel, schedule
from batchsystems.state import Job, System, opened


def qdel(folder: Path, arguments: list[str]) -> int:
    def each(system: System, job: Job, indices: list[str]) -> None:
        for index in indices:
            cancel(system, job, index)

    return _each("qdel", folder, _plain("qdel", arguments), each)


def qhold(folder: Path, arguments: list[str]) -> int:
    return _hold("qhold", folder, arguments, held=True)


def qrls(folder: Path, arguments: list[str]) -> int:
    return _hold("qrls", folder, arguments, held=False)


def qalter(folder: Path, arguments: list[str]) -> int:
    """Priority and name alone."""
    try:
        given, ids = getopt.getopt(arguments, "p:N:")
    except getopt.GetoptError as error:
        raise unknown("qalter", error.opt) from error

    def each(_: System, job: Job, indices: list[str]) -> None:
        for option, value in given:
            if option == "-p":
                job.priority = int(value)
            else:
                job.name = value

    return _each("qalter", folder, ids, each)


def qsig(folder: Path, arguments: list[str]) -> int:
    """Suspending is a manager's to do."""
    try:
        given, ids = getopt.getopt(arguments, "s:")
    except getopt.GetoptError as error:
        raise unknown("qsig", error.opt) from error
    name = dict(given).get("-s", "SIGTERM")

    def each(_: System, job: Job, indices: list[str]) -> None:
        told = words.native(job, indices[0])
        if name in {"suspend", "resume"}:
            raise Failed(f"qsig: Unauthorized Request  {told}", words.UNAUTHORIZED)
        for index in indices:
            if job.parts[index].state != "running":
                raise Failed(f"qsig: Request invalid for state of job {told}", words.BAD_STATE)
            os.killpg(job.parts[index].group, signal.Signals[f"SIG{name.removeprefix('SIG')}"])

    return _each("qsig", folder, ids, each)


def _hold(program: str, folder: Path, arguments: list[str], *, held: bool) -> int:
    def each(_: System, job: Job, indices: list[str]) -> None:
        if "" in job.parts or len(indices) == len(job.parts):
            job.held = held
        else:
            raise Failed(
                f"{program}: Request invalid for state of job {words.native(job, indices[0])}",
                words.BAD_STATE,
            )

    return _each(program, folder, _plain(program, arguments), each)


def _plain(program: str, arguments: list[str]) -> list[str]:
    if options := [one for one in arguments if one.startswith("-")]:
        raise unknown(program, options[0])
    return arguments


def _each(
    program: str,
    folder: Path,
    ids: list[str],
    act: Callable[[System, Job, list[str]], None],
) -> int:
    """Do it to each; the status is the last complaint's."""
    code = 0
    with opened(folder) as system:
        for one in ids:
            try:
                act(system, *words.unfinished(system, one, program))
            except Failed as failure:
                sys.stderr.write(failure.text)
                code = failure.code
        schedule("pbs", folder, system)
    return code
