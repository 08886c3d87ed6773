"""`job submit`, `list`, `view`, `cancel` and `modify`, as far as their documents go.

They show no answer whole, and few words of a refusal: labels and sentences are made after the
properties that they name.
"""

import os
import pwd
import re
import time
from pathlib import Path

from batchsystems.answering import Failed
from batchsystems.scheduling import cancel, schedule
from batchsystems.state import Job, Part, System, opened

_SUBMIT = {
    "jobname", "numcores", "numnodes", "numsockets", "numprocessors", "priority", "runtime",
    "stdout", "stderr", "stdin", "workdir", "env", "jobtemplate", "nodegroup", "requestednodes",
    "requirednodes", "projectname", "license", "exclusive", "rerunnable", "holduntil",
    "memorypernode", "emailaddress", "notifyonstart", "notifyoncompletion", "validexitcodes",
    "scheduler",
}  # fmt: skip
_STATES = {"waiting": "Queued", "running": "Running", "suspended": "Running"}


def job(folder: Path, arguments: list[str]) -> int:
    what, rest = (arguments[0].lower(), arguments[1:]) if arguments else ("", [])
    with opened(folder) as system:
        schedule("winhpc", folder, system)
        if what == "submit":
            _submit(folder, system, rest)
        elif what == "list":
            _list(system, rest)
        elif what == "view":
            for number in rest:
                _show(_find(system, number))
        elif what == "cancel":
            for number in rest:
                _cancel(system, _find(system, number))
        elif what == "modify":
            one, (given, _) = _find(system, rest[0]), _options(rest[1:], {"priority"})
            one.priority = int(given.get("priority", one.priority))
        else:
            raise Failed(f"This stand-in does not know the subcommand '{what}'.", 1)
        schedule("winhpc", folder, system)
    return 0


def _options(arguments: list[str], known: set[str]) -> tuple[dict[str, str], list[str]]:
    """Those before the first word that is none, and the rest."""
    given, rest = {}, [*arguments]
    while rest and (match := re.fullmatch(r"/([A-Za-z]+)(?::(.*))?", rest[0])):
        if match[1].lower() not in known:
            raise Failed(f"The parameter '{match[1]}' is not valid.", 1)
        given[match[1].lower()] = match[2] or ""
        rest.pop(0)
    return given, rest


def _submit(folder: Path, system: System, arguments: list[str]) -> None:
    given, command = _options(arguments, _SUBMIT)
    template = given.get("jobtemplate", system.queues[0])
    if template not in system.queues:
        raise Failed(f"The job template '{template}' does not exist.", 1)
    if not command:
        raise Failed("A command line is required.", 1)
    name = given.get("jobname", "")
    if len(name) > 80:
        raise Failed("The job name can have at most 80 characters.", 1)
    wanted = given.get("numcores") or given.get("numprocessors") or "1"
    user = pwd.getpwuid(os.getuid()).pw_name
    one = Job(
        number=max(1, system.next),
        name=name,
        queue=template,
        argv=command,
        cwd=given.get("workdir", str(Path.home())),
        env={"PATH": os.environ["PATH"], "HOME": str(Path.home()), "USERNAME": user},
        out=given.get("stdout", "/dev/null"),
        err="" if given.get("stderr") == given.get("stdout") else given.get("stderr", ""),
        parts={"": Part()},
        limit=_minutes(given["runtime"], system.minute) if "runtime" in given else None,
        begin=_date(given["holduntil"]) if "holduntil" in given else 0.0,
        cores=int(wanted.split("-")[0]) if "numnodes" not in given else system.cores,
        priority=int(given.get("priority", "2000")),
        submitted=time.time(),
        said={"user": user},
    )
    system.add(folder, one)
    print(f"Job has been submitted. ID: {one.number}.")


def _minutes(text: str, minute: float) -> float | None:
    """Of "[[days:]hours:]minutes"; None: "Infinite"."""
    if text.lower() == "infinite":
        return None
    days, hours, minutes = [0, 0, 0, *map(int, text.split(":"))][-3:]
    return ((days * 24 + hours) * 60 + minutes) * minute


def _date(text: str) -> float:
    return time.mktime(time.strptime(text, "%m/%d/%Y"))


def _find(system: System, number: str) -> Job:
    one = system.jobs.get(int(number)) if number.isdecimal() else None
    if one is None:
        raise Failed(f"The job with ID {number} could not be found.", 1)
    return one


def _cancel(system: System, one: Job) -> None:
    if one.parts[""].state == "over":
        raise Failed(f"Job {one.number} is already in the {_state(one)} state.", 1)
    cancel(system, one, "")


def _list(system: System, arguments: list[str]) -> None:
    given, _ = _options(arguments, {"all", "format", "scheduler"})
    if given.get("format", "table").lower() != "list":
        raise Failed("This stand-in lists with /format:list alone.", 1)
    shown = [
        one
        for one in system.jobs.values()
        if "all" in given or _state(one) in {"Queued", "Running"}
    ]
    for one in shown:
        _show(one)
    print(f"{len(shown)} matching jobs for HPC\\{pwd.getpwuid(os.getuid()).pw_name}")


def _show(one: Job) -> None:
    part = one.parts[""]
    told = {
        "Id": str(one.number),
        "Job Name": one.name,
        "State": _state(one),
        "Owner": f"HPC\\{one.said['user']}",
        "Priority": str(one.priority),
        "Job Template": one.queue,
        "Allocated Nodes": "NODE1" if part.started else "",
        "Error Message": "",
    }
    if _state(one) == "Failed":
        code = 128 + part.signal if part.signal else part.code
        told["Error Message"] = f"Task {one.number}.1 failed with exit code {code}."
    for label, value in told.items():
        print(f"{label:<17} : {value}")
    print()


def _state(one: Job) -> str:
    part = one.parts[""]
    if part.state != "over":
        return "Canceling" if part.by and part.state == "running" else _STATES[part.state]
    if part.by:
        return "Canceled"  # by somebody, or when its run time was over
    return "Finished" if part.code == 0 else "Failed"
