"""qstat and pbsnodes: what PBS tells, as JSON and as its short table."""

import getopt
import sys
import time
from pathlib import Path
from typing import Any

from batchsystems.answering import Failed, unknown
from batchsystems.pbs import words
from batchsystems.scheduling import over, schedule, used, waits
from batchsystems.state import Job, Part, System, opened

_STATES = {"running": "R", "suspended": "S", "over": "F"}
_WAITING = {"held": "H", "dependency": "H", "begin": "W"}
_SUBSTATES = {"Q": 10, "H": 20, "W": 30, "R": 42, "S": 45, "B": 43}
_WHY = {
    "queue": "Not Running: Queue not started.",
    "array": "Not Running: Number of concurrent running subjobs limit reached",
    "cores": "Not Running: Not enough free nodes available",
}


def qstat(folder: Path, arguments: list[str]) -> int:
    given, ids = _options("qstat", arguments, "fF:txQB")
    options = dict(given)
    if "-f" in options and options.get("-F") != "json":
        raise unknown("qstat", "-f without -F json")
    with opened(folder) as system:
        schedule("pbs", folder, system)
        if "-Q" in options:
            _write({"Queue": {one: _queue(system, one) for one in system.queues}})
            return 0
        if "-B" in options:
            _write({"Server": {words.SERVER: _server(system)}})
            return 0
        shown, code = _chosen(system, ids, options)
    if "-f" not in options:
        _table(system, shown)
    else:
        told = {words.native(job, index): _job(system, job, index) for job, index in shown}
        _write({"Jobs": told} if told else {})
    return code


def pbsnodes(folder: Path, arguments: list[str]) -> int:
    options = dict(_options("pbsnodes", arguments, "aF:")[0])
    if options.get("-F") != "json" or "-a" not in options:
        raise unknown("pbsnodes", "other than -a -F json")
    with opened(folder) as system:
        _write({"nodes": {words.SERVER: _node(system)}})
    return 0


def _options(
    program: str, arguments: list[str], known: str
) -> tuple[list[tuple[str, str]], list[str]]:
    try:
        return getopt.gnu_getopt(arguments, known)
    except getopt.GetoptError as error:
        raise unknown(program, error.opt) from error


def _chosen(
    system: System, ids: list[str], options: dict[str, str]
) -> tuple[list[tuple[Job, str]], int]:
    """Jobs and indices, "" for whole ones; complaints are written as they come."""
    history, code = "-x" in options, 0
    if history and not system.keeps:
        for one in ids or [""]:
            what = words.full(one) if one else ""
            sys.stderr.write(f"qstat: PBS is not configured to maintain job history {what}\n")
        return [], 0
    chosen: list[tuple[Job, str]] = []
    for one in ids:
        try:
            job, indices = words.find(system, one, "qstat")
        except Failed as failure:
            sys.stderr.write(failure.text)
            code = failure.code
            continue
        if over(job) and not history:
            said = "Job has finished, use -x or -H to obtain historical job information"
            sys.stderr.write(f"qstat: {words.full(one)} {said}\n")
            code = words.FINISHED
        elif len(indices) > 1 or "[]" in one:
            chosen += [(job, ""), *((job, index) for index in indices if "-t" in options)]
        else:
            chosen.append((job, indices[0]))
    for job in system.jobs.values() if not ids else ():
        if history or not over(job):
            chosen.append((job, ""))
            if "-t" in options and "" not in job.parts:
                chosen += [(job, index) for index in job.parts]
    return chosen, code


def _job(system: System, job: Job, index: str) -> dict[str, Any]:
    array = "" not in job.parts
    whole = array and not index
    part = _together(job) if whole else job.parts[index]
    state, why = _state(system, job, part, whole)
    said = job.said
    told: dict[str, Any] = {"Job_Name": job.name, "Job_Owner": f"{job.env['USER']}@{words.SERVER}"}
    if part.started and not whole:
        clock = _clock((part.ended or time.time()) - part.started)
        told["resources_used"] = {
            "cpupercent": 0, "cput": "00:00:00", "mem": "0kb", "ncpus": job.cores, "vmem": "0kb",
            "walltime": clock,
        }  # fmt: skip
    suffix = ".^array_index^" if array and "^array_index^" not in job.out else ""
    told |= {
        "job_state": state,
        "queue": job.queue,
        "server": words.SERVER,
        "Checkpoint": "u",
        "ctime": _date(job.submitted),
        "Error_Path": f"{words.SERVER}:{job.err or job.out}{suffix}",
    }
    if part.started and not whole:
        told |= {
            "exec_host": f"{words.SERVER}/0*{job.cores}" if job.cores > 1 else f"{words.SERVER}/0"
        }
        told |= {"exec_vnode": f"({words.SERVER}:ncpus={job.cores})"}
    told |= {
        "Hold_Types": "u" if job.held or part.held else "s" if why == "dependency" else "n",
        "Join_Path": "n" if job.err else "oe",
        "Keep_Files": "n",
        "Mail_Points": said["mail"],
        "mtime": _date(part.changed or job.submitted),
        "Output_Path": f"{words.SERVER}:{job.out}{suffix}",
        "Priority": job.priority,
        "qtime": _date(job.submitted),
        "Rerunable": "True" if said["rerunable"] else "False",
        "Resource_List": {"ncpus": job.cores, "nodect": 1, **said["resources"]},
    }
    if part.started:
        told["stime"] = _date(part.started)
    told["substate"] = _substate(state, part)
    told["Variable_List"] = said["variables"]
    if comment := _comment(system, job, part, why, whole):
        told["comment"] = comment
    if part.starts:
        told["run_count"] = part.starts
    if part.state == "over" and part.started and (system.keeps or state == "F"):
        told["Exit_status"] = _status(part)
    told["Submit_arguments"] = said["arguments"]
    if state == "F":
        told["history_timestamp"] = int(part.ended)
    if whole:
        told |= {"array": "True", "array_indices_submitted": said["indices"].partition("%")[0]}
        if job.at_once:
            told["max_run_subjobs"] = job.at_once
    return told | {"project": "_pbs_project_default", "Submit_Host": words.SERVER}


def _together(job: Job) -> Part:
    """An array as one: it runs from its first task's start to its last one's end."""
    parts = [*job.parts.values()]
    begun = [part for part in parts if part.starts]
    whole = Part(state="running" if begun else "waiting", changed=max(p.changed for p in parts))
    if over(job):
        whole.state, whole.ended = "over", max(part.ended for part in parts)
        whole.code = int(any(part.code or part.by or part.signal for part in begun))
        whole.by = "user" if all(part.by == "user" for part in parts) else ""
    if begun:
        whole.started = min(part.started for part in begun)
    return whole


def _state(system: System, job: Job, part: Part, whole: bool) -> tuple[str, str]:
    """Its letter, and why it waits."""
    if part.state == "waiting":
        why = waits(system, job, part)
        return _WAITING.get(why, "Q"), why
    if whole and part.state == "running":
        return "B", ""
    if part.state == "over" and not over(job):
        return "X", ""
    return _STATES[part.state], ""


def _substate(state: str, part: Part) -> int:
    if state not in {"F", "X"}:
        return _SUBSTATES[state]
    if part.by == "user":
        return 91
    return 92 if part.by == "dependency" or (part.code == 0 and not part.by) else 93


def _status(part: Part) -> int:
    if part.by == "limit":
        return -29
    return 256 + part.signal if part.signal else part.code or 0


def _comment(system: System, job: Job, part: Part, why: str, whole: bool) -> str:
    if why == "never":
        wanted = f"(R: {job.cores} A: {system.cores} T: {system.cores})"
        return f"Can Never Run: Insufficient amount of resource: ncpus {wanted}"
    if part.state == "waiting":
        return _WHY.get(why, "")
    if not part.started:
        return ""
    when = time.strftime("%a %b %d at %H:%M", time.localtime(part.started))
    began = f"Job Array Began at {when}" if whole else (
        f"Job run at {when} on ({words.SERVER}:ncpus={job.cores})"
    )  # fmt: skip
    if part.state != "over":
        return began
    how = {"user": f"terminated by {job.env['USER']}@{words.SERVER}",
           "limit": "exceeded resource walltime"}  # fmt: skip
    return f"{began} and {how.get(part.by, 'finished' if part.code == 0 else 'failed')}"


def _queue(system: System, name: str) -> dict[str, Any]:
    jobs = [job for job in system.jobs.values() if job.queue == name and not over(job)]
    return {
        "queue_type": "Execution",
        "total_jobs": len(jobs),
        "resources_assigned": {"ncpus": used(system)},
        "enabled": "True",
        "started": "False" if name in system.stopped else "True",
    }


def _server(system: System) -> dict[str, Any]:
    return {
        "server_state": "Active",
        "server_host": words.SERVER,
        "scheduling": "True",
        "default_queue": system.queues[0],
        "max_array_size": system.array_size,
        "pbs_version": "23.06.06",
    }


def _node(system: System) -> dict[str, Any]:
    taken = used(system)
    return {
        "Mom": words.SERVER,
        "Port": 15002,
        "pbs_version": "23.06.06",
        "ntype": "PBS",
        "state": "free" if taken < system.cores else "job-busy",
        "pcpus": system.cores,
        "resources_available": {
            "arch": "linux", "host": words.SERVER, "mem": "16000000kb", "ncpus": system.cores,
            "vnode": words.SERVER,
        },
        "resources_assigned": {"ncpus": taken} if taken else {},
        "resv_enable": "True",
        "sharing": "default_shared",
    }  # fmt: skip


def _table(system: System, shown: list[tuple[Job, str]]) -> None:
    if not shown:
        return
    print("Job id            Name             User              Time Use S Queue")
    print("----------------  ---------------- ----------------  -------- - -----")
    for job, index in shown:
        whole = index not in job.parts
        part = _together(job) if whole else job.parts[index]
        state, _ = _state(system, job, part, whole)
        time_used = "00:00:00" if part.started else "0"
        print(
            f"{words.native(job, index):<17} {job.name[:16]:<16} {job.env['USER']:<17}"
            f" {time_used:>8} {state} {job.queue:<16}"
        )


def _write(told: dict[str, Any]) -> None:
    """As cJSON does, by tabs."""
    head = {"timestamp": int(time.time()), "pbs_version": "23.06.06", "pbs_server": words.SERVER}
    print(_json({**head, **told}, 0))


def _json(value: Any, depth: int) -> str:
    if not isinstance(value, dict):
        if isinstance(value, int):
            return str(value)
        return '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'
    tabs = "\t" * (depth + 1)
    lines = [f'{tabs}"{name}":\t{_json(each, depth + 1)}' for name, each in value.items()]
    inside = ",\n".join(lines) + ("\n" if lines else "")
    return "{\n" + inside + "\t" * depth + "}"


def _date(at: float) -> str:
    return time.strftime("%a %b %d %H:%M:%S %Y", time.localtime(at))


def _clock(seconds: float) -> str:
    whole = int(seconds)
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}"
