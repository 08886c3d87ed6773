"""Slurm, by text in formats of our own choice: its JSON differs between versions and loses codes.

Sources: sbatch(1), squeue(1), scontrol(1), scancel(1), sinfo(1), sacct(1) of 22.05, and what
that version does.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

from solveyard.backends.dialects import asking
from solveyard.backends.dialects import script as scripts
from solveyard.backends.dialects import slurm_tables as tables
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

name = "slurm"
arrays = True
ending = "sh"
minutes = True

_TERMS = scripts.Terms(
    native='"$SLURM_JOB_ID"',
    member='"${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID"',
    task='"$SLURM_ARRAY_TASK_ID"',
    host="${SLURMD_NODENAME:-$(uname -n)}",
)
_NATIVE = re.compile(
    r"(?P<name>--[a-z][a-z0-9-]+|-[A-Za-z](?=$| ))(?:(?P<between>[= ])(?P<value>.+))?"
)
_OWNED = {
    "--array", "-a", "--comment", "--job-name", "-J", "--requeue", "--no-requeue", "--wrap",
    "--wait", "-W", "--parsable", "--test-only", "--output", "-o", "--error", "-e", "--chdir", "-D",
}  # fmt: skip
#: What in sbatch's environment would count for more than the script's directives.
_VARIABLES = {
    "--account": "ACCOUNT", "--constraint": "CONSTRAINT", "--exclusive": "EXCLUSIVE",
    "--gres": "GRES", "--mem": "MEM_PER_NODE", "--partition": "PARTITION", "--qos": "QOS",
    "--reservation": "RESERVATION", "--signal": "SIGNAL", "--time": "TIMELIMIT",
}  # fmt: skip
_ALWAYS = ("ARRAY_INX", "ERROR", "JOB_NAME", "OPEN_MODE", "OUTPUT", "REQUEUE", "WAIT")
_LOST = re.compile(
    r"timed out|unable to contact|zero bytes|transport endpoint|connection (?:refused|reset)"
    r"|standby mode|message (?:receive|send) failure|communication|unexpected message|broken pipe"
    r"|temporarily un|authenticat|credential|munge|configuration source|no route to host",
    re.IGNORECASE,
)
#: sbatch's last word. What stands before may repeat a job's own values, a partition's name say.
_FAILED = "Batch job submission failed: "
_STATES = {
    "PENDING": State.PENDING, "CONFIGURING": State.PENDING, "POWER_UP_NODE": State.PENDING,
    "EXPEDITING": State.PENDING, "RUNNING": State.RUNNING, "RESIZING": State.RUNNING,
    "SIGNALING": State.RUNNING, "SUSPENDED": State.SUSPENDED, "STOPPED": State.SUSPENDED,
    "COMPLETING": State.COMPLETING, "STAGE_OUT": State.COMPLETING, "UPDATE_DB": State.COMPLETING,
    "REQUEUED": State.REQUEUED, "REQUEUE_FED": State.REQUEUED, "REQUEUE_HOLD": State.HELD,
    "SPECIAL_EXIT": State.HELD, "RESV_DEL_HOLD": State.HELD, "COMPLETED": State.COMPLETED,
    "FAILED": State.FAILED, "LAUNCH_FAILED": State.FAILED, "CANCELLED": State.CANCELLED,
    "REVOKED": State.CANCELLED, "TIMEOUT": State.TIMEOUT, "DEADLINE": State.TIMEOUT,
    "OUT_OF_MEMORY": State.OUT_OF_MEMORY, "NODE_FAIL": State.NODE_FAILURE,
    "BOOT_FAIL": State.NODE_FAILURE, "RECONFIG_FAIL": State.NODE_FAILURE,
    "PREEMPTED": State.PREEMPTED,
}  # fmt: skip
_HELD = re.compile(r"JobHeld|held", re.IGNORECASE)
_ID = re.compile(r"[0-9]+(?:_[0-9]+)?")
_NOT_BEGUN = re.compile(r"[0-9]+_\[.*\]")  #: of an array's tasks, in one of sacct's lines
_COLUMNS = (
    "JobArrayID", "State", "exit_code", "RestartCnt", "SubmitTime", "EndTime", "NodeList",
    f"Reason:{tables.AND},Dependency", f"Comment:{tables.AND},Name",
)  # fmt: skip
_ACCOUNTS = ("JobID", "State", "ExitCode", "Submit", "End", "NodeList", "Comment", "JobName")
_UNMET = re.compile(r"\(failed\)", re.IGNORECASE)
_NEVER = "DependencyNeverSatisfied"
#: What is no signal in the place of one: "out of memory", and Slurm's own errors.
_NO_SIGNALS = frozenset({125, *range(65, 256)})


def script(job: BatchJob) -> str:
    return scripts.posix(job, (f"#SBATCH {one}" for one in _directives(job)), _TERMS)


def plain(job: BatchJob) -> str:
    run = job.runs[0]
    head = (
        f"--job-name={asking.quoted('name', job.name)}",
        f"--chdir={asking.quoted('directory', run.directory)}",
    )
    return scripts.plain(run, (f"#SBATCH {one}" for one in (*_native(job), *head, *_asked(job))))


def submit(job: BatchJob, path: str) -> Call:
    """Variables that would count for more than the script are taken out of its environment."""
    said = {one.split("=")[0] for one in _directives(job)}
    unset = sorted([*_ALWAYS, *(name for option, name in _VARIABLES.items() if option in said)])
    cleared = [word for one in unset for word in ("-u", f"SBATCH_{one}")]
    return Call(("env", *cleared, "sbatch", "--parsable", path), timeout=60.0)


def submitted(answer: Answer) -> Accepted | Refused | Unknown:
    """Read sbatch --parsable: "42", or "42;cluster"."""
    if answer.code == 0:
        match = re.search(r"^([0-9]+)(?:;\S+)?\n?\Z", answer.stdout, re.MULTILINE)
        return Accepted(match[1]) if match else Unknown(f"no id: {answer.words}")
    return _told(answer)


def member(native_id: str, position: int) -> str:
    return f"{native_id}_{position}"


def query(ids: Sequence[str]) -> Call:
    return tables.squeue(_COLUMNS, "-j", ",".join(ids))


def queried(answer: Answer) -> Mapping[str, NativeState] | Unreadable:
    """Read squeue's columns; `exit_code` is a wait status: 768 is exit 3, 15 is SIGTERM."""
    if answer.code == 1 and _none_such(answer.stderr):
        return {}
    rows = tables.jobs(answer, len(_COLUMNS))
    if isinstance(rows, Unreadable):
        return rows
    found: dict[str, NativeState] = {}
    for native_id, word, status, restarts, *times, nodes, told, titles in rows:
        if not (_ID.fullmatch(native_id) and status.isdecimal() and restarts.isdecimal()):
            return Unreadable(f"a line that isn't squeue's: {native_id[:60]!r}")
        submitted, ended = map(_time, times)
        state = _queried(word, int(status), int(restarts), submitted, nodes, told, titles)
        found[native_id] = state._replace(ended=ended) if state.state.over else state
    return found


@lru_cache(maxsize=1024)  # of an array's tasks most are alike
def _queried(
    word: str, status: int, restarts: int, submitted: float | None, nodes: str, told: str,
    titles: str,
) -> NativeState:  # fmt: skip
    reason, _, dependency = told.partition(tables.AND)
    state = _state(word, reason, restarts)
    if state is State.CANCELLED and _unmet(dependency):
        reason = _NEVER
    code, signal = divmod(status, 256) if state.over else (None, None)
    return NativeState(
        state=state,
        word=word,
        reason="" if reason == "None" else reason,
        code=_code(state, code, signal),
        signal=signal if signal and signal not in _NO_SIGNALS else None,
        restarts=restarts,
        nodes=nodes,
        mark=_mark(titles),
        asked=_asked_to_end(state, status, nodes),
        submitted=submitted,
    )


def find(marks: Sequence[str]) -> Call:
    return tables.squeue(("ArrayJobID", f"Comment:{tables.AND},Name"), "--me")


def found(answer: Answer) -> Mapping[str, Sequence[str]] | Unreadable:
    rows = tables.jobs(answer, 2)
    if isinstance(rows, Unreadable):
        return rows
    known: dict[str, list[str]] = {}
    for native_id, titles in rows:
        mark = _mark(titles)
        if mark and native_id not in known.setdefault(mark, []):
            known[mark].append(native_id)
    return known


def cancel(ids: Sequence[str]) -> Call:
    return Call(("scancel", *ids))


def signal(ids: Sequence[str], signal: str) -> Call:
    """The script has it, and hands it on."""
    return Call(("scancel", "--batch", f"--signal={signal}", *ids))


def hold(ids: Sequence[str]) -> Call:
    return Call(("scontrol", "hold", ",".join(ids)))


def release(ids: Sequence[str]) -> Call:
    return Call(("scontrol", "release", ",".join(ids)))


def prioritize(ids: Sequence[str], priority: int) -> Call:
    return Call(("scontrol", "update", f"JobId={','.join(ids)}", f"Priority={priority}"))


def acted(answer: Answer) -> Done | Refused | Unknown:
    return Done() if answer.code == 0 else _told(answer)


def queues() -> Sequence[Call]:
    return (tables.sinfo(("%P", "%a", "%l", "%A", "%C", "%m", "%G", "%D")),)


def queues_told(answers: Sequence[Answer]) -> Sequence[Queue] | Unreadable:
    """Read sinfo: a line for the nodes of a partition that are alike."""
    rows = tables.partitions(answers[0], 8)
    if isinstance(rows, Unreadable):
        return rows
    told: dict[str, Queue] = {}
    try:
        for partition, up, limit, free, cpus, memory, gres, count in rows:
            queue = partition.removesuffix("*")
            one = Queue(
                name=queue,
                up=up == "up",
                state=up,
                default=partition.endswith("*"),
                time_limit=clock(limit),
                nodes=int(count),
                nodes_free=int(free.split("/")[1]),
                cores=int(cpus.split("/")[3]),
                cores_free=int(cpus.split("/")[1]),
                memory=int(memory.rstrip("+")),
                gpus=int(count) * _gpus(gres),
            )
            told[queue] = _together(told[queue], one) if queue in told else one
    except (ValueError, IndexError) as error:
        return Unreadable(f"a line that isn't sinfo's: {error}")
    return tuple(told.values())


def accounting(ids: Sequence[str]) -> Call:
    return tables.sacct(_ACCOUNTS, ids)


def accounted(answer: Answer) -> Mapping[str, NativeState] | Unreadable:
    """Read sacct's columns, e.g. "2_1", "CANCELLED by 1000", "0:15", "1795828564".

    What is told of a task itself counts for more than what is told of those that never began.
    """
    rows = tables.accounts(answer, len(_ACCOUNTS))
    if isinstance(rows, Unreadable):
        return rows
    found: dict[str, NativeState] = {}
    never: dict[str, NativeState] = {}
    for native_id, word, status, submitted, ended, nodes, comment, title in rows:
        match = re.fullmatch(r"([0-9]+):([0-9]+)", status)
        several = _NOT_BEGUN.fullmatch(native_id)
        if match is None or not (several or _ID.fullmatch(native_id)):
            return Unreadable(f"a line that isn't sacct's: {native_id[:60]!r}")
        first, _, by = word.partition(" ")
        nodes = "" if nodes == "None assigned" else nodes
        state, code, signal = _state(first, "", 0), int(match[1]), int(match[2])
        told = NativeState(
            state=state,
            word=word,
            reason=by,
            code=_code(state, code, signal),
            signal=signal if state.over and signal and signal not in _NO_SIGNALS else None,
            nodes=nodes,
            mark=_mark(f"{comment}{tables.AND}{title}"),
            asked=_asked_to_end(state, code or signal, nodes),
            submitted=_time(submitted),
            ended=_time(ended) if state.over else None,
        )
        if not several:
            found[native_id] = told
        elif state.over:
            never |= dict.fromkeys(tables.tasks(native_id), told)
    return never | found


def clock(text: str) -> int | None:
    """A time as Slurm prints one, in s: "30:00" is half an hour; "infinite" and "n/a" are none."""
    if text in {"infinite", "UNLIMITED", "n/a", "NOT_SET"}:
        return None
    days, _, rest = text.rpartition("-")
    parts = [int(part) for part in rest.split(":")]
    hours, minutes, seconds = [0, 0, 0, *parts][-3:]
    return int(days or 0) * 86400 + hours * 3600 + minutes * 60 + seconds


_NO_SUCH = "slurm_load_jobs error: Invalid job id specified"


def _directives(job: BatchJob) -> Iterator[str]:
    yield from _native(job)
    yield f"--job-name={asking.title(job)}"
    yield f"--comment={job.mark}"
    yield "--no-requeue"
    yield "--kill-on-invalid-dep=yes"
    yield "--open-mode=append"
    yield "--chdir=/"
    for stream in ("output", "error"):
        yield f"--{stream}={asking.quoted('log', job.log.replace('%', '%%'))}"
    if job.array:
        limit = f"%{job.at_once}" if job.at_once else ""
        yield f"--array=0-{len(job.runs) - 1}{limit}"
    yield from _asked(job)


def _native(job: BatchJob) -> Iterator[str]:
    """The user's own options come first: of two that say the same, Slurm takes the last."""
    for one in job.options.native:
        yield asking.native(one, _NATIVE, _OWNED)


def _asked(job: BatchJob) -> Iterator[str]:
    """What the job wants, whoever submits it."""
    options, shape = job.options, asking.shape(job)
    if options.clean_environment:
        yield "--export=NONE"
    if shape.nodes is None:
        yield f"--ntasks={shape.tasks}"
    else:
        yield f"--nodes={shape.nodes}"
        yield f"--ntasks-per-node={shape.tasks}"
    yield f"--cpus-per-task={shape.cores}"
    if job.resources.memory:
        yield f"--mem={job.resources.memory}M"
    if job.resources.disk:
        yield f"--tmp={job.resources.disk}M"
    if job.resources.gpus:
        kind = f"{options.gpu_type}:" if options.gpu_type else ""
        yield f"--gres=gpu:{kind}{job.resources.gpus}"
    if seats := asking.licences(job):
        yield f"--licenses={','.join(f'{feature}:{count}' for feature, count in seats)}"
    if (limit_s := asking.seconds(job)) is not None:
        yield f"--time={_clock(limit_s)}"
    elif asking.no_limit(job):
        yield "--time=UNLIMITED"
    if job.warning is not None:
        yield f"--signal=B:{asking.signal(job)}@{round(job.warning)}"
    yield from _wishes(job)


def _wishes(job: BatchJob) -> Iterator[str]:
    options = job.options
    for option, field in (
        ("partition", "queue"),
        ("account", "account"),
        ("reservation", "reservation"),
        ("qos", "qos"),
        ("constraint", "constraint"),
    ):
        if value := getattr(options, field):
            yield f"--{option}={asking.quoted(f'batch.{field}', value)}"
    if asking.alone(job):
        yield "--exclusive"
    if options.priority is not None:
        yield f"--priority={options.priority}"
    if options.nice is not None:
        yield f"--nice={options.nice}"
    if options.mail:
        yield f"--mail-user={','.join(options.mail)}"
        yield f"--mail-type={','.join(options.mail_on).upper()}"


def _told(answer: Answer) -> Refused | Unknown:
    """What a command that failed says: that it can't be done, or that nobody heard it."""
    words = answer.words.replace("sbatch: error: ", "")
    why = answer.stderr.rpartition(_FAILED)[2] if _FAILED in answer.stderr else words
    if answer.killed or not answer.stderr.strip() or _LOST.search(why):
        return Unknown(words)
    return Refused(words)


def _none_such(words: str) -> bool:
    """It knows none of those asked for; a site may say more beside that."""
    return _NO_SUCH in map(str.strip, words.splitlines()) and not _LOST.search(words)


def _mark(titles: str) -> str:
    """Of a comment or a name: what a site does to submissions may change one of them."""
    comment, _, title = titles.partition(tables.AND)
    return asking.marked(comment) or asking.marked(title)


def _state(word: str, reason: str, restarts: int) -> State:
    state = _STATES.get(word, State.UNKNOWN)
    if state is State.PENDING and _HELD.search(reason):
        return State.HELD
    if state is State.PENDING and restarts:
        return State.REQUEUED
    return state


def _asked_to_end(state: State, status: int, nodes: str) -> bool:
    """What has nodes and no status ran nothing: it is cancelled where a prolog fails, too."""
    return state is not State.CANCELLED or status != 0 or not nodes


def _time(text: str) -> float | None:
    """Unix time; it has several words for none."""
    return float(text) if text.isdecimal() else None


def _unmet(dependency: str) -> bool:
    """Can't it be met any more? The reason of such a job is a node's where its nodes are away."""
    return "?" not in dependency and _UNMET.search(dependency) is not None


def _code(state: State, code: int | None, signal: int | None) -> int | None:
    """What failed with 0 never ran, or was ended by a signal."""
    if state is State.COMPLETED:
        return code
    return code or None if state is State.FAILED and not signal else None


def _clock(seconds: int) -> str:
    days, rest = divmod(seconds, 86400)
    return f"{days}-{rest // 3600:02}:{rest // 60 % 60:02}:{rest % 60:02}"


def _gpus(gres: str) -> int:
    """Of a node: "gpu:2", "gpu:a100:4(S:0-1),shard:8"."""
    return sum(int(number) for number in re.findall(r"(?:^|,)gpu(?::[^:,()]+)?:([0-9]+)", gres))


def _together(one: Queue, other: Queue) -> Queue:
    """Two groups of nodes of one partition."""
    return one._replace(
        nodes=_sum(one.nodes, other.nodes),
        nodes_free=_sum(one.nodes_free, other.nodes_free),
        cores=_sum(one.cores, other.cores),
        cores_free=_sum(one.cores_free, other.cores_free),
        gpus=_sum(one.gpus, other.gpus),
        memory=min(one.memory or 0, other.memory or 0),
    )


def _sum(one: int | None, other: int | None) -> int:
    return (one or 0) + (other or 0)
