"""Microsoft HPC Pack, by its `job` command. Written from its documents: nothing of it was run.

Sources: Microsoft's pages on `job submit`, `job list` and `job modify` of HPC Pack 2019, on the
states of a job, and on cmd's batch files. Its queues are job templates, which no command lists.
"""

import math
import re
from collections.abc import Iterator, Mapping, Sequence

from solveyard.backends.dialects import asking
from solveyard.backends.dialects.base import (
    Accepted,
    Answer,
    BatchJob,
    Call,
    Done,
    NativeState,
    Queue,
    Refused,
    Run,
    State,
    Unknown,
    Unreadable,
)
from solveyard.model.batch import BatchOptions
from solveyard.model.errors import InvalidJob
from solveyard.solvers.hfss.commandline import windows_line

name = "winhpc"
arrays = False
ending = "cmd"
minutes = True

_SYSTEM = "Windows HPC"
_MOST = 80  #: letters in a job's name
_NO_WORD = (
    "reservation", "qos", "nice", "gpu_type", "tasks_per_node", "modules", "resources.gpus",
    "resources.disk",
)  # fmt: skip
_NATIVE = re.compile(r"(?P<name>/[A-Za-z]+)(?:(?P<between>:)(?P<value>.+))?")
_OWNED = {"/jobname", "/stdout", "/stderr", "/stdin", "/workdir", "/rerunnable", "/jobfile", "/id"}
_LOST = re.compile(
    r"connect|timed? ?out|not reach|unreachable|rpc|network|unavailable|not responding",
    re.IGNORECASE,
)
_STATES = {
    "configuring": State.PENDING, "submitted": State.PENDING, "validating": State.PENDING,
    "externalvalidation": State.PENDING, "queued": State.PENDING, "running": State.RUNNING,
    "finishing": State.COMPLETING, "canceling": State.COMPLETING, "finished": State.COMPLETED,
    "failed": State.FAILED, "canceled": State.CANCELLED,
}  # fmt: skip
_LINE = re.compile(r"\s*([A-Za-z][A-Za-z ]*?)\s*:\s*(.*?)\s*")
_END = "solveyard: that was all"


def script(job: BatchJob) -> str:
    """A batch file. Only the machine's own code page is certain, so it asks for UTF-8."""
    asking.check(job)
    _check(job)
    return "\r\n".join([*_lines(job), ""])


def plain(job: BatchJob) -> str:
    """A batch file that calls `job submit`."""
    run = job.runs[0]
    _check(job)
    argv = (
        *("job", "submit", *_native(job), f"/jobname:{job.name}", *_asked(job)),
        *(f"/workdir:{run.directory}", f"/stdout:{job.name}.out", f"/stderr:{job.name}.err"),
        *run.argv,
    )
    line = windows_line(_checked("argv", word) for word in argv)
    return f"@echo off\r\n{line.replace('%', '%%')}\r\n"


def submit(job: BatchJob, path: str) -> Call:
    return Call(("job", "submit", *_options(job), "cmd", "/d", "/c", path), timeout=60.0)


def submitted(answer: Answer) -> Accepted | Refused | Unknown:
    """Read "Job has been submitted. ID: 3490639."."""
    match = re.search(r"^Job has been submitted\. ID: +([0-9]+)", answer.stdout, re.MULTILINE)
    if answer.code == 0:
        return Accepted(match[1]) if match else Unknown(f"no id: {answer.words}")
    return _told(answer)


def member(native_id: str, position: int) -> str:
    return f"{native_id}.{position + 1}"


def query(ids: Sequence[str]) -> Call:
    return _line(f"job list /all /format:list && echo {_END}")


def queried(answer: Answer) -> Mapping[str, NativeState] | Unreadable:
    """Read a list of "Label : value" lines; each job begins with its id."""
    if answer.code != 0:
        return Unreadable(answer.words)
    lines = answer.stdout.splitlines()
    if not lines or lines[-1].strip() != _END:
        return Unreadable("the answer is cut off")
    jobs: list[dict[str, str]] = []
    for line in lines:
        match = _LINE.fullmatch(line)
        label = re.sub(r"[^a-z]", "", match[1].lower()) if match else ""
        if match and label in {"id", "jobid"}:
            jobs.append({"id": match[2]})
        elif match and jobs:
            jobs[-1].setdefault(label, match[2])
    if any(not one["id"].isdecimal() or not one.get("state") for one in jobs):
        return Unreadable("a list that isn't `job list`'s")
    count = re.search(r"^([0-9]+) matching jobs", answer.stdout, re.MULTILINE)
    if count and int(count[1]) != len(jobs):
        return Unreadable("an answer that doesn't hold as many jobs as it says")
    return {one["id"]: _state(one) for one in jobs}


def find(marks: Sequence[str]) -> Call:
    return query(())


def found(answer: Answer) -> Mapping[str, Sequence[str]] | Unreadable:
    return asking.by_mark(queried(answer))


def cancel(ids: Sequence[str]) -> Call:
    return _line(" & ".join(f"job cancel {one}" for one in ids))


def signal(ids: Sequence[str], signal: str) -> Call | None:
    return None


def hold(ids: Sequence[str]) -> Call | None:
    return None


def release(ids: Sequence[str]) -> Call | None:
    return None


def prioritize(ids: Sequence[str], priority: int) -> Call:
    """It takes 0 to 4000; 2000 is normal."""
    number = max(0, min(4000, priority))
    return _line(" & ".join(f"job modify {one} /priority:{number}" for one in ids))


def acted(answer: Answer) -> Done | Refused | Unknown:
    return Done() if answer.code == 0 else _told(answer)


def queues() -> Sequence[Call]:
    return ()


def queues_told(answers: Sequence[Answer]) -> Sequence[Queue] | Unreadable:
    return ()


def accounting(ids: Sequence[str]) -> Call | None:
    return None


def accounted(answer: Answer) -> Mapping[str, NativeState] | Unreadable:
    return Unreadable("Windows HPC keeps no accounting that a command tells")


def _options(job: BatchJob) -> Iterator[str]:
    _check(job)
    yield from _native(job)
    yield f"/jobname:{asking.title(job, _MOST)}"
    yield from _asked(job)
    yield "/rerunnable:false"
    if job.log != "/dev/null":
        yield f"/stdout:{job.log}"
        yield f"/stderr:{job.log}"


def _native(job: BatchJob) -> Iterator[str]:
    for one in job.options.native:
        yield asking.native(one, _NATIVE, _OWNED)


def _asked(job: BatchJob) -> Iterator[str]:
    """What the job wants, whoever submits it; the environment is each node's own."""
    options = job.options
    yield from _amounts(job)
    for option, field in (("jobtemplate", "queue"), ("projectname", "account")):
        if value := getattr(options, field):
            yield f"/{option}:{value}"
    if options.constraint:
        yield f"/nodegroup:{options.constraint}"
    if asking.alone(job):
        yield "/exclusive:true"
    if options.priority is not None:
        if not 0 <= options.priority <= 4000:
            raise InvalidJob(f"`batch.priority` is {options.priority}; Windows HPC takes 0 to 4000")
        yield f"/priority:{options.priority}"
    yield from _mail(options)


def _amounts(job: BatchJob) -> Iterator[str]:
    shape, wanted = asking.shape(job), job.resources
    if shape.nodes is None:
        yield f"/numcores:{shape.tasks}-{shape.tasks}"
    else:
        yield f"/numnodes:{shape.nodes}-{shape.nodes}"
    if wanted.memory:
        yield f"/memorypernode:{wanted.memory}"
    if seats := asking.licences(job):
        yield f"/license:{','.join(f'{feature}:{count}' for feature, count in seats)}"
    if (limit := asking.seconds(job)) is not None:
        minutes = math.ceil(limit / 60)
        yield f"/runtime:{minutes // 1440}:{minutes // 60 % 24}:{minutes % 60}"
    elif asking.no_limit(job):
        yield "/runtime:Infinite"


def _mail(options: BatchOptions) -> Iterator[str]:
    if options.mail:
        yield f"/emailaddress:{','.join(options.mail)}"
        yield f"/notifyonstart:{str('begin' in options.mail_on).lower()}"
        yield f"/notifyoncompletion:{str(bool({'end', 'fail'} & {*options.mail_on})).lower()}"


def _check(job: BatchJob) -> None:
    if job.array:
        raise InvalidJob("Windows HPC has no arrays that solveyard knows")
    asking.untimely(_SYSTEM, job)
    asking.refuse(_SYSTEM, job, _NO_WORD)


def _lines(job: BatchJob) -> Iterator[str]:
    run, options = job.runs[0], job.options
    record, streams = _path("record", run.record), _streams(run)
    yield "@echo off"
    yield "chcp 65001 >nul"
    yield "setlocal EnableExtensions DisableDelayedExpansion"
    yield "set solveyard_stage=directory"
    yield f'mkdir "{record}.begun" 2>nul || exit /b 125'
    yield 'cd /d "' + _path("directory", run.directory) + '" || goto solveyard_end'
    for name, value in sorted({**run.env, "SOLVEYARD_ATTEMPT": run.attempt}.items()):
        yield f'set "{name}={_cmd(f"env.{name}", value)}"'
    if options.prologue:
        yield "set solveyard_stage=prologue"
        yield f"call :solveyard_prologue {streams}"
        yield 'if not "%errorlevel%"=="0" goto solveyard_end'
    yield "set solveyard_stage=command"
    yield f"{_command(run)} {streams}"
    yield "set SOLVEYARD_EXIT=%errorlevel%"
    if options.epilogue:
        yield f"call :solveyard_epilogue {streams}"
    yield "goto solveyard_told"
    yield ":solveyard_end"
    yield "set SOLVEYARD_EXIT=%errorlevel%"
    yield ":solveyard_told"
    told = (
        f'"attempt":"{run.attempt}","native":"%CCP_JOBID%","host":"%COMPUTERNAME%",'
        '"stage":"%solveyard_stage%","code":%SOLVEYARD_EXIT%,"shell":false'
    )
    yield f'>"{record}.new" echo {{{told}}}'
    yield f'move /y "{record}.new" "{record}" >nul'
    yield "exit /b %SOLVEYARD_EXIT%"
    for label, text in (("prologue", options.prologue), ("epilogue", options.epilogue)):
        if text:
            yield from (f":solveyard_{label}", *text.splitlines(), "exit /b %errorlevel%")


def _command(run: Run) -> str:
    """A batch file is called, or it would never come back; cmd reads what it is told twice then."""
    program = run.argv[0].replace("/", "\\")
    line = windows_line(_checked("argv", word) for word in (program, *run.argv[1:]))
    if not program.lower().endswith((".bat", ".cmd")):
        return line.replace("%", "%%")
    if "%" in line or "^" in line:
        raise InvalidJob("`argv`: a batch file can't be given '%' or '^'")
    return f"call {line}"


def _streams(run: Run) -> str:
    out, error = _path("stdout", run.stdout), _path("stderr", run.stderr)
    return f'>>"{out}" 2>>"{error}"'


def _path(field: str, value: str) -> str:
    return _cmd(field, value.replace("/", "\\"))


def _cmd(field: str, value: str) -> str:
    """Inside the double quotes of a batch file."""
    return _checked(field, value).replace("%", "%%")


def _checked(field: str, value: str) -> str:
    if re.search(r'[\0-\x1f\x7f"]', value):
        raise InvalidJob(f"`{field}`: a batch file can't hold a line or quote: {value[:60]!r}")
    return value


def _line(text: str) -> Call:
    return Call(("cmd", "/d", "/c", text))


def _state(one: Mapping[str, str]) -> NativeState:
    word, name = one["state"], one.get("name") or one.get("jobname")
    return NativeState(
        state=_STATES.get(word.lower(), State.UNKNOWN),
        word=word,
        reason=one.get("errormessage") or one.get("pendingreason") or "",
        nodes=one.get("allocatednodes", ""),
        mark=None if name is None else asking.marked(name),
    )


def _told(answer: Answer) -> Refused | Unknown:
    words = answer.words
    if answer.code is None or words.startswith("exit status") or _LOST.search(words):
        return Unknown(words)
    return Refused(words)
