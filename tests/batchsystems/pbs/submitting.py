"""qsub: from its options and a script's directives to a job."""

import getopt
import os
import pwd
import re
import shlex
import sys
import time
from pathlib import Path

from batchsystems.answering import Failed
from batchsystems.pbs import words
from batchsystems.scheduling import schedule
from batchsystems.state import Job, Part, System, opened

_OPTIONS = "N:q:l:J:v:VA:p:r:S:j:o:e:ha:W:M:m:C:k:z"
_OWN = {"select", "place", "walltime", "ncpus", "mem", "nodes", "mpiprocs", "ngpus"}
_DEPENDS = {"afterok": "ok", "afternotok": "failed", "afterany": "any"}


def qsub(folder: Path, arguments: list[str]) -> int:
    """Prints its id."""
    given, rest = _parse(arguments)
    command, text = (rest, "") if rest and "--" in arguments else ([], _text(rest))
    prefix = dict(given).get("-C", "#PBS")
    options = [*_directives(text, prefix), *given]
    with opened(folder) as system:
        job = _job(folder, system, options, arguments)
        script = folder / "spool" / f"{job.number}.SC"
        script.write_text(text)
        shell = dict(options).get("-S", "/bin/sh")
        job.argv = command or [shell, str(script)]
        system.add(folder, job)
        schedule("pbs", folder, system)
    print(words.native(job))
    return 0


def _parse(arguments: list[str]) -> tuple[list[tuple[str, str]], list[str]]:
    try:
        return getopt.getopt(arguments, _OPTIONS)
    except getopt.GetoptError as error:
        raise Failed(f"qsub: {error.msg}\nusage: qsub [options] [script]", words.USAGE) from error


def _text(rest: list[str]) -> str:
    if not rest:
        return sys.stdin.read()
    try:
        return Path(rest[0]).read_text()
    except OSError as error:
        raise Failed(f"qsub: script file:: {error.strerror}", 1) from error


def _directives(text: str, prefix: str) -> list[tuple[str, str]]:
    """Of the lines before the first that is a command."""
    found: list[tuple[str, str]] = []
    for line in text.splitlines():
        if line.startswith(prefix) and prefix:
            found += _parse(shlex.split(line[len(prefix) :]))[0]
        elif line.strip() and not line.startswith(("#", ":")):
            break
    return found


def _job(folder: Path, system: System, options: list[tuple[str, str]], arguments: list[str]) -> Job:
    last = dict(options)
    amounts = _amounts(system, [value for option, value in options if option == "-l"])
    queue = last.get("-q", "") or system.queues[0]
    if queue not in system.queues:
        raise Failed("qsub: Unknown queue", words.UNKNOWN_QUEUE)
    indices, at_once = _indices(system, last.get("-J", ""))
    number, now = system.next, time.time()
    name = last.get("-N", "STDIN")
    home, cwd = Path.home(), Path.cwd()
    job = Job(
        number=number,
        name=name,
        queue=queue,
        argv=[],
        cwd=str(home),
        env={},
        out=last.get("-o", str(cwd / f"{name}.o{number}")),
        err="" if last.get("-j", "n") != "n" else last.get("-e", str(cwd / f"{name}.e{number}")),
        parts={index: Part() for index in indices},
        at_once=at_once,
        limit=_seconds(amounts["walltime"]) if "walltime" in amounts else None,
        held="-h" in last,
        begin=_time(last["-a"]) if "-a" in last else 0.0,
        depend=_dependencies(system, [value for option, value in options if option == "-W"]),
        cores=_cores(amounts),
        priority=int(last.get("-p", "0")),
        submitted=now,
    )
    variables = {
        "PBS_O_HOME": str(home), "PBS_O_LOGNAME": _user(), "PBS_O_PATH": os.environ.get("PATH", ""),
        "PBS_O_SHELL": "/bin/sh", "PBS_O_WORKDIR": str(cwd), "PBS_O_SYSTEM": "Linux",
        "PBS_O_QUEUE": queue, "PBS_O_HOST": words.SERVER, **_variables(last),
    }  # fmt: skip
    job.env = {
        "HOME": str(home), "LOGNAME": _user(), "USER": _user(), "PATH": "/usr/bin:/bin",
        "LANG": "C.UTF-8", "PBS_ENVIRONMENT": "PBS_BATCH", "PBS_JOBNAME": name, "PBS_QUEUE": queue,
        **variables,
    }  # fmt: skip
    job.said = {
        "variables": variables, "resources": amounts, "arguments": " ".join(arguments),
        "rerunable": last.get("-r", "y") == "y", "mail": last.get("-m", "a"),
        "account": last.get("-A", ""), "indices": last.get("-J", ""),
    }  # fmt: skip
    return job


def _amounts(system: System, texts: list[str]) -> dict[str, str]:
    found = {}
    for text in texts:
        for each in text.split(","):
            name, _, value = each.partition("=")
            if name not in _OWN | {*system.resources}:
                raise Failed("qsub: Unknown resource", words.UNKNOWN_RESOURCE)
            found[name] = value
    if "walltime" in found and not re.fullmatch(r"[0-9]+(:[0-9]+){0,2}", found["walltime"]):
        raise Failed(
            "qsub: Illegal attribute or resource value Resource_List.walltime", words.BAD_VALUE
        )
    return found


def _cores(amounts: dict[str, str]) -> int:
    if "select" not in amounts:
        return int(amounts.get("ncpus", "1"))
    total = 0
    for chunk in amounts["select"].split("+"):
        count, *each = chunk.split(":")
        if not count.isdecimal():
            count, each = "1", [count, *each]
        wanted = dict(one.split("=", 1) for one in each)
        total += int(count) * int(wanted.get("ncpus", "1"))
    return total


def _indices(system: System, text: str) -> tuple[list[str], int]:
    """Of "0-9:2%3". A range of one is none for PBS."""
    if not text:
        return [""], 0
    match = re.fullmatch(r"([0-9]+)-([0-9]+)(?::([0-9]+))?(?:%([0-9]+))?", text)
    if match is None or int(match[1]) >= int(match[2]):
        raise Failed("qsub: illegal -J value", words.USAGE)
    indices = [*range(int(match[1]), int(match[2]) + 1, int(match[3] or 1))]
    if len(indices) > system.array_size:
        raise Failed("qsub: Array job exceeds server or queue size limit", 232)
    return [str(index) for index in indices], int(match[4] or 0)


def _dependencies(system: System, texts: list[str]) -> list[tuple[str, int]]:
    found = []
    for text in texts:
        name, _, value = text.partition("=")
        if name != "depend":
            continue
        for each in value.split(","):
            kind, *which = each.split(":")
            if kind not in _DEPENDS:
                raise Failed("qsub: illegal -W value", words.USAGE)
            found += [(_DEPENDS[kind], words.find(system, one, "qsub")[0].number) for one in which]
    return found


def _variables(last: dict[str, str]) -> dict[str, str]:
    """Those that -v names; all with -V."""
    found = dict(os.environ) if "-V" in last else {}
    for each in last.get("-v", "").split(","):
        name, equals, value = each.partition("=")
        if name:
            found[name] = value if equals else os.environ.get(name, "")
    return found


def _seconds(text: str) -> float:
    total = 0
    for part in text.split(":"):
        total = total * 60 + int(part)
    return float(total)


def _time(text: str) -> float:
    """Of [[[[CC]YY]MM]DD]hhmm[.SS], in local time."""
    match = re.fullmatch(r"([0-9]{4,12})(?:\.([0-9]{2}))?", text)
    if match is None or len(match[1]) % 2:
        raise Failed("qsub: illegal -a value", words.USAGE)
    now = time.strftime("%Y%m%d")
    date = (
        (now + match[1][-4:])[: 12 - len(match[1])] + match[1] if len(match[1]) < 12 else match[1]
    )
    return time.mktime(time.strptime(date + (match[2] or "00"), "%Y%m%d%H%M%S"))


def _user() -> str:
    return pwd.getpwuid(os.getuid()).pw_name
