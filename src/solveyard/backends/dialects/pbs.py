"""OpenPBS and PBS Professional, by qstat's JSON.

Sources: qsub(1B), qstat(1B), pbsnodes(8B) of OpenPBS 23.06, and what that version does. Without a
job history a job that ended is simply gone, and `qstat -x` tells nothing at all: so `query` asks
without `-x` and `accounting` with it.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from solveyard.backends.dialects import asking
from solveyard.backends.dialects import script as scripts
from solveyard.backends.dialects.base import (
    Accepted,
    Answer,
    BatchJob,
    Call,
    Done,
    NativeState,
    Queue,
    Refused,
    State,
    Unknown,
    Unreadable,
)
from solveyard.model.errors import InvalidJob

name = "pbs"
arrays = True
ending = "sh"
minutes = False

_SYSTEM = "PBS"
_TERMS = scripts.Terms(native='"$PBS_JOBID"', member='"$PBS_JOBID"', task='"$PBS_ARRAY_INDEX"')
_NATIVE = re.compile(r"(?P<name>-[A-Za-z])(?:(?P<between> )(?P<value>.+))?")
_OWNED = {"-N", "-J", "-o", "-e", "-j", "-r", "-S", "-I", "-X", "-z", "-C"}
_CHUNK = re.compile(r"[A-Za-z_]\w*=[A-Za-z0-9_.+-]+(?::[A-Za-z_]\w*=[A-Za-z0-9_.+-]+)*")
_ID = re.compile(r"^([0-9]+(?:\[\])?(?:\.[A-Za-z0-9.-]+)?)\n?\Z", re.MULTILINE)
_LOST = re.compile(
    r"cannot connect|connection|errno|timed? ?out|end of file|premature|communication"
    r"|credential|no server|server not|pbs_iff",
    re.IGNORECASE,
)
#: What a server says of a job that it doesn't take; a name that the job gave may follow.
_REFUSED = re.compile(
    r"^qsub: (?:submit error \()?(?:Unknown (?:queue|resource)|Illegal attribute or resource value"
    r"|illegal -\w+ value|Undefined attribute|Unauthorized Request|Access to queue is denied"
    r"|Queue is not enabled|Job violates queue)",
    re.MULTILINE | re.IGNORECASE,
)
_GONE = re.compile(r"qstat: (?:Unknown Job Id \S+|\S+ Job has finished, .*)")
_WAITING = {
    "Q": State.PENDING, "W": State.PENDING, "T": State.PENDING, "M": State.UNKNOWN,
    "H": State.HELD, "R": State.RUNNING, "B": State.RUNNING, "S": State.SUSPENDED,
    "U": State.SUSPENDED, "E": State.COMPLETING,
}  # fmt: skip
#: Exit statuses below 0 are the machine daemon's own words.
_DAEMON = {
    -29: State.TIMEOUT, -28: State.TIMEOUT, -27: State.OUT_OF_MEMORY, -26: State.OUT_OF_MEMORY,
    -11: State.REQUEUED, -3: State.REQUEUED,
}  # fmt: skip
_DELETED = 91  #: substate of a job that somebody deleted
_FINISHED = 92  #: of one that is over; without an exit status its dependency can't be met
_FAILED = 93  #: of one that failed, or an array of which a part failed; that has exit status 0
_BY_SIGNAL = 256  #: above it an exit status tells the signal by which the daemon ended it
_UNITS = {"b": 1 / (1 << 20), "kb": 1 / 1024, "mb": 1, "gb": 1024, "tb": 1 << 20, "": 1 / (1 << 20)}


def script(job: BatchJob) -> str:
    return scripts.posix(job, (f"#PBS {one}" for one in _directives(job)), _TERMS)


def plain(job: BatchJob) -> str:
    head = (f"-N {asking.quoted('name', job.name)}", "-S /bin/sh")
    directives = (f"#PBS {one}" for one in (*_native(job), *head, *_asked(job)))
    return scripts.plain(job.runs[0], directives)


def submit(job: BatchJob, path: str) -> Call:
    """The prefix is given, since a variable could change it."""
    return Call(("qsub", "-C", "#PBS", path), timeout=60.0)


def submitted(answer: Answer) -> Accepted | Refused | Unknown:
    """Read qsub: "0.server", of an array "6[].server"."""
    if answer.code == 0:
        match = _ID.search(answer.stdout)
        return Accepted(match[1]) if match else Unknown(f"no id: {answer.words}")
    return _told(answer)


def member(native_id: str, position: int) -> str:
    return native_id.replace("[]", f"[{position}]", 1)


def query(ids: Sequence[str]) -> Call:
    return Call(("qstat", "-t", "-f", "-F", "json", *ids))


def queried(answer: Answer) -> Mapping[str, NativeState] | Unreadable:
    told = _object(answer, "pbs_server")
    if isinstance(told, Unreadable):
        return told
    for line in answer.stderr.splitlines():
        if _LOST.search(line) or (line.startswith("qstat:") and not _GONE.fullmatch(line)):
            return Unreadable(line[:300])  # what a server in trouble leaves out isn't gone
    try:
        return {one: _state(job) for one, job in told.get("Jobs", {}).items()}
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        return Unreadable(f"a job that isn't qstat's: {error!r}")


def find(marks: Sequence[str]) -> Call:
    return Call(("qstat", "-f", "-F", "json"))


def found(answer: Answer) -> Mapping[str, Sequence[str]] | Unreadable:
    return asking.by_mark(queried(answer))


def cancel(ids: Sequence[str]) -> Call:
    return Call(("qdel", *ids))


def signal(ids: Sequence[str], signal: str) -> Call:
    return Call(("qsig", "-s", f"SIG{signal}", *ids))


def hold(ids: Sequence[str]) -> Call:
    return Call(("qhold", *ids))


def release(ids: Sequence[str]) -> Call:
    return Call(("qrls", *ids))


def prioritize(ids: Sequence[str], priority: int) -> Call:
    """PBS takes -1024 to 1023."""
    return Call(("qalter", "-p", str(max(-1024, min(1023, priority))), *ids))


def acted(answer: Answer) -> Done | Refused | Unknown:
    return Done() if answer.code == 0 else _told(answer)


def queues() -> Sequence[Call]:
    return (
        Call(("qstat", "-Q", "-f", "-F", "json")),
        Call(("qstat", "-B", "-f", "-F", "json")),
        Call(("pbsnodes", "-a", "-F", "json")),
    )


def queues_told(answers: Sequence[Answer]) -> Sequence[Queue] | Unreadable:
    """A queue has the nodes that name it; where none does, those that name no queue."""
    told = [_object(one, "pbs_server") for one in answers]
    for one in told:
        if isinstance(one, Unreadable):
            return one
    queues, servers, nodes = told
    assert not isinstance(queues, Unreadable)
    assert not isinstance(servers, Unreadable)
    assert not isinstance(nodes, Unreadable)
    try:
        defaults = {one.get("default_queue") for one in servers["Server"].values()}
        return tuple(
            _queue(name, attributes, name in defaults, nodes.get("nodes", {}).values())
            for name, attributes in queues.get("Queue", {}).items()
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        return Unreadable(f"queues that aren't qstat's: {error!r}")


def accounting(ids: Sequence[str]) -> Call:
    return Call(("qstat", "-x", "-t", "-f", "-F", "json", *ids))


def accounted(answer: Answer) -> Mapping[str, NativeState] | Unreadable:
    told = queried(answer)
    if isinstance(told, Unreadable):
        return told
    return {one: state for one, state in told.items() if state.state.over}


def mebibytes(amount: str) -> int:
    """Of "24684092kb"."""
    match = re.fullmatch(r"([0-9]+)([kmgt]?b?)", amount.lower())
    if match is None:
        raise ValueError(f"{amount!r} is no amount of memory")
    return int(int(match[1]) * _UNITS[match[2]])


def _directives(job: BatchJob) -> Iterator[str]:
    yield from _native(job)
    yield f"-N {asking.title(job)}"
    yield f"-v SOLVEYARD_ATTEMPT={job.mark}"
    yield "-r n"
    yield "-S /bin/sh"
    yield "-j oe"
    yield f"-o {_log(job)}"
    if job.array:
        yield f"-J {_range(len(job.runs))}{f'%{job.at_once}' if job.at_once else ''}"
    yield from _asked(job)


def _native(job: BatchJob) -> Iterator[str]:
    """The user's own options come first: of two that say the same, PBS takes the last."""
    for one in job.options.native:
        yield asking.native(one, _NATIVE, _OWNED)


def _asked(job: BatchJob) -> Iterator[str]:
    """What the job wants, whoever submits it; qsub hands on no environment by itself."""
    options = job.options
    asking.untimely(_SYSTEM, job)
    asking.refuse(_SYSTEM, job, ("qos", "nice", "gpu_type", "resources.disk"))
    yield f"-l select={_select(job)}"
    place = "pack" if asking.shape(job).nodes is None else "scatter"
    yield f"-l place={place}{':excl' if asking.alone(job) else ''}"
    for feature, seats in asking.licences(job):
        yield f"-l {feature}={seats}"
    if (limit := asking.seconds(job)) is not None:
        yield f"-l walltime={limit // 3600}:{limit // 60 % 60:02}:{limit % 60:02}"
    if options.queue and options.reservation:
        raise InvalidJob("`batch.reservation`: a reservation of PBS is a queue; give one of them")
    if queue := options.queue or options.reservation:
        yield f"-q {queue}"
    if options.account:
        yield f"-A {options.account}"
    if options.priority is not None:
        if not -1024 <= options.priority <= 1023:
            raise InvalidJob(f"`batch.priority` is {options.priority}; PBS takes -1024 to 1023")
        yield f"-p {options.priority}"
    if options.mail:
        letters = {"begin": "b", "end": "e", "fail": "a"}
        yield f"-M {','.join(options.mail)}"
        yield f"-m {''.join(letters[one] for one in options.mail_on) or 'n'}"


def _select(job: BatchJob) -> str:
    """Chunks; without `nodes` all cores are one, on one node, which memory is meant for."""
    shape, wanted, condition = asking.shape(job), job.resources, job.options.constraint
    chunk = f"{shape.nodes or 1}:ncpus={shape.tasks * shape.cores}:mpiprocs={shape.tasks}"
    if wanted.memory:
        chunk += f":mem={wanted.memory}mb"
    if wanted.gpus:
        chunk += f":ngpus={wanted.gpus}"
    if condition and not _CHUNK.fullmatch(condition):
        raise InvalidJob(
            f"`batch.constraint`: {condition!r} isn't PBS's; expected such as 'arch=linux'"
        )
    return f"{chunk}:{condition}" if condition else chunk


def _range(count: int) -> str:
    """Indices from 0; PBS takes no range of one, but steps beyond its end."""
    return f"0-{count - 1}" if count > 1 else "0-1:2"


def _log(job: BatchJob) -> str:
    if ":" in job.log or "^" in job.log:
        raise InvalidJob(f"`log`: PBS takes no ':' and '^' in a path, got {job.log[:60]!r}")
    apart = ".^array_index^" if job.array and job.log != "/dev/null" else ""
    return asking.quoted("log", job.log + apart)


def _object(answer: Answer, key: str) -> dict[str, Any] | Unreadable:  # as JSON comes in
    if answer.code is None:
        return Unreadable(answer.words)
    try:
        told = json.loads(answer.stdout, strict=False)  # some write tabs as they are
    except (ValueError, RecursionError) as error:
        why = answer.words if answer.stderr.strip() else f"no JSON: {error}"
        return Unreadable(why)
    if not isinstance(told, dict) or key not in told:
        return Unreadable("an answer without the server's name")
    return told


def _told(answer: Answer) -> Refused | Unknown:
    words = answer.words
    if answer.code is None or answer.code < 0 or not answer.stderr.strip():
        return Unknown(words)
    if _LOST.search(words) and not _REFUSED.search(answer.stderr):
        return Unknown(words)
    return Refused(words)


def _state(job: Mapping[str, Any]) -> NativeState:
    word, restarts = str(job["job_state"]), max(0, int(job.get("run_count", 0)) - 1)
    given = job.get("Exit_status")
    status = None if given is None else int(given)
    variables = job.get("Variable_List", {})
    attempt = variables.get("SOLVEYARD_ATTEMPT", "") if isinstance(variables, dict) else ""
    name = job.get("Job_Name")
    state = _WAITING.get(word, State.UNKNOWN)
    code = signal = None
    if word in {"F", "X"}:
        state = _ended(status, int(job.get("substate", 0)), word)
        if state.over and status is not None:
            code = status if 0 <= status < _BY_SIGNAL else None
            code = None if state is State.FAILED and code == 0 else code
            signal = status - _BY_SIGNAL if status > _BY_SIGNAL else None
    elif state is State.PENDING and restarts:
        state = State.REQUEUED
    reason = str(job.get("comment", ""))
    if state is State.CANCELLED and status is None and job.get("substate") == _FINISHED:
        reason = reason or "a dependency that can't be met"
    return NativeState(
        state=state,
        word=word,
        reason=reason,
        code=code,
        signal=signal,
        restarts=restarts,
        nodes=str(job.get("exec_host", "")),
        mark=asking.marked(str(attempt)) or (None if name is None else asking.marked(str(name))),
    )


def _ended(status: int | None, substate: int, word: str) -> State:
    """A job that was deleted before it ran has no exit status; nor has one by a dependency."""
    if substate == _DELETED:
        return State.CANCELLED
    if status is None:
        return State.ENDED if word == "X" else State.CANCELLED
    if status < 0:
        return _DAEMON.get(status, State.FAILED)
    return State.FAILED if status or substate == _FAILED else State.COMPLETED


def _queue(
    name: str, told: Mapping[str, Any], default: bool, nodes: Any
) -> Queue:  # as JSON comes in
    own = [one for one in nodes if one.get("queue") == name]
    serving = own or [one for one in nodes if not one.get("queue")]
    free = [one for one in serving if one.get("state") == "free"]
    limit = told.get("resources_max", {}).get("walltime")

    def amount(node: Mapping[str, Any], resource: str, whose: str = "available") -> int:
        return int(node.get(f"resources_{whose}", {}).get(resource, 0))

    memory = [
        mebibytes(str(one["resources_available"]["mem"]))
        for one in serving
        if "mem" in one.get("resources_available", {})
    ]
    running = told.get("started") == "True"
    return Queue(
        name=name,
        up=running and told.get("enabled") == "True",
        state="started" if running else "stopped",
        default=default,
        time_limit=None if limit is None else _clock(str(limit)),
        nodes=len(serving),
        nodes_free=sum(1 for one in free if not amount(one, "ncpus", "assigned")),
        cores=sum(amount(one, "ncpus") for one in serving),
        cores_free=sum(amount(one, "ncpus") - amount(one, "ncpus", "assigned") for one in free),
        memory=min(memory, default=None),
        gpus=sum(amount(one, "ngpus") for one in serving),
    )


def _clock(text: str) -> int:
    """ "24:00:00", or seconds."""
    total = 0
    for part in text.split(":"):
        total = total * 60 + int(part)
    return total
