"""IBM Spectrum LSF, and its open relatives as far as they go, by bjobs' JSON.

Sources: IBM's pages of 10.1 on bsub, bjobs -o, bqueues, bhosts and termination reasons; what an
open relative (volclava 2.2) does. That one knows few of the fields and tells no exit code: the
same call asks again with those that it knows.
"""

import json
import math
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence

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
from solveyard.model.batch import BatchOptions
from solveyard.model.errors import InvalidJob

name = "lsf"
arrays = True
ending = "sh"
minutes = True

_SYSTEM = "LSF"
_TERMS = scripts.Terms(
    native='"$LSB_JOBID"',
    member='"$LSB_JOBID[$LSB_JOBINDEX]"',
    task='"$LSB_JOBINDEX"',
    first=1,
)
_NATIVE = re.compile(r"(?P<name>-[A-Za-z_]+)(?:(?P<between> )(?P<value>.+))?")
_OWNED = {"-J", "-o", "-oo", "-e", "-eo", "-K", "-I", "-Ip", "-Is", "-r", "-pack", "-Zs", "-cwd"}
_FIELDS = "jobid stat job_name:200 exec_host:500 exit_code exit_reason:200 pend_reason:500"
_FEWER = "jobid stat job_name exec_host"  #: what open relatives have of them
_FEWER_STATUS = 99  #: of bjobs that doesn't know a field
_LOST = re.compile(
    r"LSF is down|please wait|timed out|library call|communication|connect|cannot open"
    r"|batch daemon not responding|retrying|not responding|lim is down|bad host",
    re.IGNORECASE,
)
#: What it says of a job that it doesn't take, after a name that the job gave.
_REFUSED = re.compile(
    r"\b(?:No such (?:queue|project|user group)|User cannot use the queue|Queue has been closed"
    r"|Bad host name, host group name or cluster name|Bad resource requirement syntax)"
    r"\. Job not submitted",
    re.IGNORECASE,
)
_STATES = {
    "PEND": State.PENDING, "WAIT": State.PENDING, "PROV": State.PENDING, "PSUSP": State.HELD,
    "RUN": State.RUNNING, "USUSP": State.SUSPENDED, "SSUSP": State.SUSPENDED,
    "DONE": State.COMPLETED, "EXIT": State.FAILED, "UNKWN": State.UNKNOWN, "ZOMBI": State.UNKNOWN,
}  # fmt: skip
_REASONS = {
    "TERM_RUNLIMIT": State.TIMEOUT, "TERM_CPULIMIT": State.TIMEOUT, "TERM_DEADLINE": State.TIMEOUT,
    "TERM_WINDOW": State.TIMEOUT, "TERM_MEMLIMIT": State.OUT_OF_MEMORY,
    "TERM_SWAP": State.OUT_OF_MEMORY, "TERM_OWNER": State.CANCELLED, "TERM_ADMIN": State.CANCELLED,
    "TERM_FORCE_OWNER": State.CANCELLED, "TERM_FORCE_ADMIN": State.CANCELLED,
    "TERM_BUCKET_KILL": State.CANCELLED, "TERM_PREEMPT": State.PREEMPTED,
    "TERM_REQUEUE_OWNER": State.REQUEUED, "TERM_REQUEUE_ADMIN": State.REQUEUED,
}  # fmt: skip
_ABSENT = re.compile(r"Job <[0-9\[\]]+> is not found|No (?:unfinished )?job found")
_TROUBLE = re.compile(rf"Job <|.*(?:{_LOST.pattern})", re.IGNORECASE)
_HISTORY = re.compile(r"^Job <([0-9]+(?:\[[0-9]+\])?)>(?:, Job Name <([^>]*)>)?", re.MULTILINE)
_ID = re.compile(r"[0-9]+(?:\[[0-9]+\])?")
_ELEMENT = re.compile(r"(.*)\[([0-9]+)\]")
_ARRAY = re.compile(r"\[[0-9,:-]+\](?:%[0-9]+)?$")  #: behind its name; a task's, too


def script(job: BatchJob) -> str:
    return scripts.posix(job, (f"#BSUB {one}" for one in _directives(job)), _TERMS, _unset(job))


def plain(job: BatchJob) -> str:
    run = job.runs[0]
    head = (
        f"-J {asking.quoted('name', job.name)}",
        f"-cwd {asking.quoted('directory', run.directory)}",
        f"-o {asking.quoted('name', f'{job.name}.%J.out')}",
        f"-e {asking.quoted('name', f'{job.name}.%J.err')}",
    )
    directives = (f"#BSUB {one}" for one in (*_native(job), *head, *_asked(job)))
    return scripts.plain(run, directives, _unset(job))


def submit(job: BatchJob, path: str) -> Call:
    """bsub reads directives on its standard input alone."""
    return Call(("bsub",), stdin=script(job), timeout=60.0)


def submitted(answer: Answer) -> Accepted | Refused | Unknown:
    """Read "Job <7> is submitted to default queue <normal>."; a refused job uses up an id."""
    match = re.search(r"^Job <([0-9]+)> is submitted to ", answer.stdout, re.MULTILINE)
    if match:
        return Accepted(match[1])
    if answer.code == 0:
        return Unknown(f"no id: {answer.words}")
    return _told(answer)


def member(native_id: str, position: int) -> str:
    return f"{native_id}[{position + _TERMS.first}]"


def query(ids: Sequence[str]) -> Call:
    return _bjobs(_FIELDS, _FEWER, *ids)


def queried(answer: Answer) -> Mapping[str, NativeState] | Unreadable:
    """A job that it doesn't know is a record with an error, or a line beside them; or both."""
    records = _records(answer)
    if isinstance(records, Unreadable):
        return records
    found: dict[str, NativeState] = {}
    for one in records:
        if "ERROR" in one and not one.get("STAT"):
            continue
        native_id = one.get("JOBID", "")
        if not _ID.fullmatch(native_id) or not one.get("STAT"):
            return Unreadable(f"a job that isn't bjobs': {str(one)[:60]}")
        element = _ELEMENT.fullmatch(one.get("JOB_NAME", "").strip())
        if element and native_id.isdecimal():
            native_id += f"[{element[2]}]"
        found[native_id] = _state(one, element[1] if element else one.get("JOB_NAME"))
    return found


def find(marks: Sequence[str]) -> Call:
    return _bjobs("jobid stat job_name", "jobid stat job_name")


def found(answer: Answer) -> Mapping[str, Sequence[str]] | Unreadable:
    told = queried(answer)
    if isinstance(told, Unreadable):
        return told
    known: dict[str, list[str]] = {}
    for native_id, state in told.items():
        whole = native_id.partition("[")[0]
        if state.mark and whole not in known.setdefault(state.mark, []):
            known[state.mark].append(whole)
    return known


def cancel(ids: Sequence[str]) -> Call:
    return Call(("bkill", *ids))


def signal(ids: Sequence[str], signal: str) -> Call:
    return Call(("bkill", "-s", signal, *ids))


def hold(ids: Sequence[str]) -> Call:
    return Call(("bstop", *ids))


def release(ids: Sequence[str]) -> Call:
    return Call(("bresume", *ids))


def prioritize(ids: Sequence[str], priority: int) -> Call:
    return Call(("bmod", "-sp", str(max(1, priority)), *ids))


def acted(answer: Answer) -> Done | Refused | Unknown:
    return Done() if answer.code == 0 else _told(answer)


def queues() -> Sequence[Call]:
    return (Call(("bqueues", "-w")), Call(("bhosts", "-w")), Call(("bparams",)))


def queues_told(answers: Sequence[Answer]) -> Sequence[Queue] | Unreadable:
    """Read the tables; which hosts serve a queue they don't say, so it is all of them."""
    queues, hosts = (_table(one) for one in answers[:2])
    default = re.search(r"^Default Queues:\s+(\S+)", answers[2].stdout, re.MULTILINE)
    if isinstance(queues, Unreadable):
        return queues
    if isinstance(hosts, Unreadable):
        return hosts
    try:
        up = [one for one in hosts if one["STATUS"] in {"ok", "closed", "closed_Full"}]
        slots = [(int(one["MAX"]), int(one["NJOBS"])) for one in up if one["MAX"].isdecimal()]
        return tuple(
            Queue(
                name=one["QUEUE_NAME"],
                up=one["STATUS"] == "Open:Active",
                state=one["STATUS"],
                default=default is not None and default[1] == one["QUEUE_NAME"],
                nodes=len(hosts),
                nodes_free=sum(1 for each in up if each["NJOBS"] == "0"),
                cores=sum(most for most, _ in slots) or None,
                cores_free=sum(max(0, most - taken) for most, taken in slots) if slots else None,
            )
            for one in queues
        )
    except (KeyError, ValueError) as error:
        return Unreadable(f"a table that isn't LSF's: {error!r}")


def accounting(ids: Sequence[str]) -> Call:
    return Call(("bhist", "-n", "2", "-l", *ids), timeout=60.0)


def accounted(answer: Answer) -> Mapping[str, NativeState] | Unreadable:
    """Read bhist -l; long lines go on after 21 blanks, in the middle of a word.

    The summary after each job shows that it is whole.
    """
    if answer.code is None:
        return Unreadable(answer.words)
    found: dict[str, NativeState] = {}
    for block in re.split(r"^-{20,}$|(?=^Job <)", answer.stdout, flags=re.MULTILINE):
        if "Summary of time in seconds" not in block:
            continue
        text = re.sub(r"\n {21}", "", block)
        head = _HISTORY.search(text)
        ended = [*re.finditer(r": (Done successfully|Exited(?: with exit code ([0-9]+))?)", text)]
        if head is None or not ended:
            continue
        last = ended[-1]
        code = 0 if last[1].startswith("Done") else int(last[2]) if last[2] else None
        by = re.search(r"(TERM_[A-Z_]+)", text[last.start() :])
        state = State.COMPLETED if code == 0 else State.FAILED
        if state is State.FAILED and by:
            state = _REASONS.get(by[1], state)
        elif state is State.FAILED and re.search(r"Signal <KILL> requested by user", text):
            state = State.CANCELLED
        name = _ARRAY.sub("", head[2] or "")
        found[head[1]] = NativeState(
            state=state,
            word="DONE" if code == 0 else "EXIT",
            reason=by[1] if by else "",
            code=code if state in {State.COMPLETED, State.FAILED} else None,
            explains=state is not State.FAILED or by is not None,
            mark=asking.marked(name),
        )
    return found


def _directives(job: BatchJob) -> Iterator[str]:
    yield from _native(job)
    if job.array:
        limit = f"%{job.at_once}" if job.at_once else ""
        yield f'-J "{asking.title(job)}[1-{len(job.runs)}]{limit}"'
    else:
        yield f"-J {asking.title(job)}"
    yield f"-o {_log(job)}"
    yield from _asked(job)


def _native(job: BatchJob) -> Iterator[str]:
    """The user's own options come first: of two that say the same, LSF takes the last."""
    for one in job.options.native:
        yield asking.native(one, _NATIVE, _OWNED)


def _unset(job: BatchJob) -> tuple[str, ...]:
    """bsub hands on all that it finds, and not all relatives can be told otherwise."""
    return ("LD_PRELOAD", "LD_LIBRARY_PATH") if job.options.clean_environment else ()


def _asked(job: BatchJob) -> Iterator[str]:
    """What the job wants, whoever submits it."""
    options, shape = job.options, asking.shape(job)
    asking.refuse(_SYSTEM, job, ("nice",))
    yield f"-n {(shape.nodes or 1) * shape.tasks * shape.cores}"
    if shape.nodes is not None:
        yield f'-R "span[ptile={shape.tasks * shape.cores}]"'
    if reserved := _reserved(job):
        yield f'-R "rusage[{reserved}]"'
    if options.constraint:
        yield f"-R {asking.quoted('batch.constraint', f'select[{options.constraint}]')}"
    if job.resources.gpus:
        model = f":gmodel={options.gpu_type}" if options.gpu_type else ""
        yield f'-gpu "num={job.resources.gpus}/host{model}"'
    limit_s = asking.seconds(job)
    if limit_s is not None:
        yield f"-W {_minutes(limit_s)}"
    if job.warning is not None:
        if limit_s is None:
            raise InvalidJob("`warning`: LSF warns before a limit; give one")
        yield f"-wa {asking.signal(job)}"
        yield f"-wt {_minutes(job.warning)}"
    if asking.alone(job):
        yield "-x"
    yield from _wishes(options)


def _wishes(options: BatchOptions) -> Iterator[str]:
    for option, field in (("q", "queue"), ("P", "account"), ("U", "reservation"), ("sla", "qos")):
        if value := getattr(options, field):
            yield f"-{option} {asking.quoted(f'batch.{field}', value)}"
    if options.priority is not None:
        if options.priority < 1:
            raise InvalidJob(f"`batch.priority` is {options.priority}; LSF takes 1 and more")
        yield f"-sp {options.priority}"
    if options.mail:
        yield f'-u "{" ".join(options.mail)}"'
        if "begin" in options.mail_on:
            yield "-B"
        if {"end", "fail"} & {*options.mail_on}:
            yield "-N"


def _reserved(job: BatchJob) -> str:
    wanted = job.resources
    amounts = [f"{feature}={seats}" for feature, seats in asking.licences(job)]
    if wanted.memory:
        amounts.insert(0, f"mem={wanted.memory}MB/host")
    if wanted.disk:
        amounts.append(f"tmp={wanted.disk}MB/host")
    return ":".join(amounts)


def _log(job: BatchJob) -> str:
    if "%" in job.log:
        raise InvalidJob(f"`log`: LSF replaces what follows a '%' in a path, got {job.log[:60]!r}")
    apart = ".%I" if job.array and job.log != "/dev/null" else ""
    return asking.quoted("log", job.log + apart)


def _minutes(seconds: float) -> str:
    """LSF's "hours:minutes", rounded up."""
    minutes = max(1, math.ceil(seconds / 60))
    return f"{minutes // 60}:{minutes % 60:02}"


def _bjobs(fields: str, fewer: str, *ids: str) -> Call:
    """With all that it knows of its jobs; those ended, too."""
    ask = "bjobs -a -json -o {} " + '"$@"'
    text = (
        f"{ask.format(shlex.quote(fields))}; code=$?; [ $code -eq {_FEWER_STATUS} ] || exit $code;"
        f" {ask.format(shlex.quote(fewer))}"
    )
    return Call(("/bin/sh", "-c", text, "sh", *ids))


def _records(answer: Answer) -> list[dict[str, str]] | Unreadable:
    """Its exit status says nothing: a setting of the site decides it."""
    if answer.code is None:
        return Unreadable(answer.words)
    if not answer.stdout.strip() and answer.stderr.strip():
        lines = [line.strip() for line in answer.stderr.splitlines()]
        others = [line for line in lines if not _ABSENT.match(line)]  # a site may say more
        if len(others) < len(lines) and not any(map(_TROUBLE.match, others)):
            return []
    try:
        told = json.loads(answer.stdout, strict=False)
    except (ValueError, RecursionError) as error:
        return Unreadable(answer.words if answer.stderr.strip() else f"no JSON: {error}")
    records = told.get("RECORDS") if isinstance(told, dict) else None
    if _LOST.search(answer.stderr) or not isinstance(records, list):
        return Unreadable(answer.words)
    if not all(isinstance(one, dict) for one in records):
        return Unreadable("records that aren't bjobs'")
    jobs = sum(1 for one in records if "ERROR" not in one)
    if told.get("JOBS") not in {jobs, len(records)}:
        return Unreadable("an answer that doesn't hold as many jobs as it says")
    return [{key: str(value) for key, value in one.items()} for one in records]


def _state(one: Mapping[str, str], name: str | None) -> NativeState:
    word, by = one["STAT"], one.get("EXIT_REASON", "").strip(" -")
    state = _STATES.get(word, State.UNKNOWN)
    if state is State.FAILED:
        state = _REASONS.get(by.partition(":")[0], state)
    nodes = one.get("EXEC_HOST", "").strip(" -")
    if state is State.FAILED and "EXIT_REASON" not in one and "EXEC_HOST" in one and not nodes:
        state = State.CANCELLED  # it ended where it waited; a relative has no word for that
    code = one.get("EXIT_CODE", "").strip(" -")
    if state is State.COMPLETED and "EXIT_CODE" in one:
        code = "0"  # where it tells codes; a relative's DONE may have been killed
    return NativeState(
        state=state,
        word=word,
        reason=by or one.get("PEND_REASON", "").strip(" -"),
        code=int(code) if code.isdecimal() and state in {State.COMPLETED, State.FAILED} else None,
        nodes=nodes,
        explains="EXIT_REASON" in one,
        mark=None if name is None else asking.marked(name.strip()),
    )


def _table(answer: Answer) -> list[dict[str, str]] | Unreadable:
    lines = [line.split() for line in answer.stdout.splitlines() if line.strip()]
    if answer.code != 0 or not lines or not answer.stdout.endswith("\n"):
        return Unreadable(answer.words)
    head, *rows = lines
    if any(len(row) != len(head) for row in rows):
        return Unreadable("a table with other columns than its head")
    return [dict(zip(head, row, strict=True)) for row in rows]


def _told(answer: Answer) -> Refused | Unknown:
    words = answer.words
    if answer.killed or words.startswith("exit status"):
        return Unknown(words)
    if _LOST.search(words) and not _REFUSED.search(words):
        return Unknown(words)
    return Refused(words)
