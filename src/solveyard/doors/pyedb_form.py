"""PyEDB's form of a submission: {"config": {...}, "priority": 0}, or a bare configuration; or a
list of such.

The configuration's `jobid` is the job's name. A jobid of an HFSS job that has not ended is that
job again; one of an ended job is a new attempt. `user` is a label alone.
"""

import datetime as dt
import re
import secrets
import sys
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec
from aiohttp import web
from pydantic import ValidationError

from solveyard.doors import documents, encoding
from solveyard.doors.keys import MANAGER
from solveyard.doors.submitting import submitted
from solveyard.model import reading
from solveyard.model.errors import BackendError, Conflict, InvalidJob, UnknownJob
from solveyard.model.jobs import Job, JobSpec
from solveyard.model.reading import MalformedJob
from solveyard.model.records import JobRecord
from solveyard.pauses import Pauses
from solveyard.solvers import options
from solveyard.solvers.hfss import forwarded
from solveyard.solvers.hfss.config import HFSSSimulationConfig, SchedulerType

_OPEN = re.compile(rb'"scheduler_type"\s*:\s*null')
_SESSION = re.compile(r"[0-9a-f]{32}\Z")


class Form(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A configuration, with its place among others."""

    config: msgspec.Raw
    priority: int = 0
    session: str = ""  #: of the program that it shall not go on without

    def __post_init__(self) -> None:
        if not -(10**9) <= self.priority <= 10**9:
            raise ValueError(f"`priority` is {self.priority}; it must be within +-1 000 000 000")
        if self.session and not _SESSION.match(self.session):
            raise ValueError("`session` must be 32 hexadecimal digits")


class Asked(NamedTuple):
    config: HFSSSimulationConfig
    priority: int = 0
    session: str = ""
    open: bool = False  #: any batch system that there is may have it


def read(content: bytes | msgspec.Raw, at: str = "$") -> Asked | None:
    """What is asked for; None: it's another form. Raises MalformedJob; a field begins with `at`."""
    text = bytes(content)
    one = text.lstrip().startswith(b"{")
    if not one or (b'"config"' not in text and b'"project_path"' not in text):
        return None
    keys = reading.read(text, dict[str, msgspec.Raw], at=at, error=MalformedJob)
    if "config" in keys:
        form = reading.read(text, Form, at=at, error=MalformedJob)
        wanted = config(form.config, f"{at}.config")
        return Asked(wanted, form.priority, form.session, left_open(form.config))
    if "project_path" in keys and "options" not in keys:
        return Asked(config(text, at), open=left_open(text))
    return None


def of_list(content: msgspec.Raw, place: int) -> Asked:
    """`read`, in a list of such forms."""
    asked = read(content, f"$[{place}]")
    if asked is None:
        raise MalformedJob(
            f'`$[{place}]`: expected {{"config": ...}} as in the first place of the list (submit'
            " other forms in a list of their own)",
            field=f"$[{place}]",
            expected="a configuration",
        )
    return asked


async def submit(request: web.Request, asked: Asked) -> web.Response:
    """Submit one, and answer as PyEDB's service did; raises what `submitted` does."""
    record, known = await taken(request, asked)
    message = f"job {record.id} is {record.state}"
    return encoding.answer(
        encoding.Submitted(
            success=True,
            job_id=record.id,
            status=record.status,
            message=f"{message} already" if known else message,
            job=record,
        )
    )


async def taken(request: web.Request, asked: Asked) -> tuple[JobRecord, bool]:
    """Its job, and whether that was there before; raises what `submitted` does."""
    made = await specification(request, asked)
    session = sys.intern(asked.session)  # one object for all of a session's jobs
    try:
        [job], known = await submitted(request, [made], any_name=True, session=session)
    except Conflict:
        job, known = _unfinished(request, made.name), True
    return encoding.shown(request.app[MANAGER], job), known


async def all_taken(request: web.Request, asked: Sequence[Asked]) -> list[Job]:
    """Their jobs, in order: those that were not there are submitted, all or none.

    Raises what `submitted` does.
    """
    sessions = {one.session for one in asked}
    if len(sessions) > 1:
        raise MalformedJob("the jobs of one list have one `session`, or none", field="$[0].session")
    session = sys.intern(sessions.pop())
    wanted: dict[str, JobSpec] = {}
    names = []
    pauses = Pauses()
    for index, one in enumerate(asked):
        try:
            made = await specification(request, one)
        except (BackendError, InvalidJob) as error:
            raise type(error)(f"job {index + 1} of {len(asked)}: {error}") from error
        names.append(made.name)
        wanted.setdefault(made.name, made)
        await pauses.due()
    for last in (False, True):
        known = {name: job for name in wanted if (job := _under_way(request, name)) is not None}
        new = [made for name, made in wanted.items() if name not in known]
        try:
            found, _ = (
                await submitted(request, new, any_name=True, session=session)
                if new
                else ([], False)
            )
        except Conflict:  # one of them was submitted just now
            if last:
                raise
            continue
        break
    known |= {job.spec.name: job for job in found}
    if gone := [name for name in names if name not in known]:
        raise Conflict(f"job {gone[0]!r} was removed just now (submit it again)")
    return [known[name] for name in names]


async def specification(request: web.Request, asked: Asked) -> JobSpec:
    """The job that is asked for.

    Raises BackendError for a batch system that is neither configured nor answers here.
    """
    forwarding, config = request.app[MANAGER].forwarding, asked.config
    kind = config.scheduler_type
    if kind is SchedulerType.NONE and asked.open:
        await forwarding.sought()
        kind = documents.scheduler_type(request.app[MANAGER])
        config = config.model_copy(update={"scheduler_type": kind})
    if kind is SchedulerType.NONE:
        return spec(config, asked.priority)
    return spec(config, asked.priority, await forwarding.speaking(forwarded.dialect(kind)))


def spec(config: HFSSSimulationConfig, priority: int = 0, cluster: str = "") -> JobSpec:
    """The job that a configuration asks for; `cluster`: where its batch system is.

    Here it counts as one core, whatever its machine list says: that is ansysedt's to share out, and
    how many run at once is what `max_concurrent_jobs` limits. Raises InvalidJob.
    """
    jobid = config.jobid or _unique()
    chosen = config.model_copy(update={"jobid": jobid})
    if cluster:
        return JobSpec(
            solver="hfss",
            options=msgspec.Raw(chosen.as_json()),
            name=jobid,
            priority=priority,
            tags=_tags(config.user),
            on=cluster,
            resources=forwarded.resources(config.scheduler_options),
            batch=forwarded.wishes(config.scheduler_type, config.scheduler_options),
        )
    return JobSpec(
        solver="hfss",
        options=msgspec.Raw(chosen.as_json()),
        name=jobid,
        priority=priority,
        tags=_tags(config.user),
    )


@lru_cache(maxsize=256)
def _tags(user: str) -> tuple[str, ...]:
    """One object for all jobs of one user, who may have a hundred thousand."""
    return () if user == "unknown" else (f"user:{user}",)


def left_open(content: bytes | msgspec.Raw) -> bool:
    """Is its `scheduler_type` null?"""
    return _OPEN.search(bytes(content)) is not None


def config(content: bytes | msgspec.Raw, at: str) -> HFSSSimulationConfig:
    """Read one. Raises MalformedJob, whose field begins with `at`."""
    told: Any = reading.read(content, dict[str, Any], at=at, error=MalformedJob)
    told = {key: value for key, value in told.items() if (key, value) not in _NOT_GIVEN}
    try:
        return HFSSSimulationConfig.model_validate_json(msgspec.json.encode(told))
    except ValidationError as error:
        found = options.problem(error)
        path = "".join(f"[{one}]" if isinstance(one, int) else f".{one}" for one in found.place)
        more = f" (and {found.more} more)" if found.more else ""
        raise MalformedJob(
            f"`{at}{path}`: {found.sentence}{more}",
            field=f"{at}{path}",
            expected=found.expected,
            got=found.got,
        ) from error


#: As PyEDB's clients write what they leave to the service.
_NOT_GIVEN = (("jobid", ""), ("ansys_edt_path", ""), ("jobid", None), ("ansys_edt_path", None))


def _unfinished(request: web.Request, name: str) -> Job:
    """The job that has the name. Raises Conflict where it ended, or went away, just now."""
    job = _under_way(request, name)
    if job is None:
        raise Conflict(f"job {name!r} has ended just now (submit it again)")
    return job


def _under_way(request: web.Request, name: str) -> Job | None:
    """The job of that very name, unless it has ended; another's number may read like it.

    Raises Conflict where it is none that a configuration asks for.
    """
    try:
        job = request.app[MANAGER].find(name)
    except UnknownJob:
        return None
    if job.spec.name != name or job.state.final:
        return None
    if job.is_array or job.spec.solver != "hfss":
        kind = "an array" if job.is_array else f"a job of solver {job.spec.solver!r}"
        raise Conflict(
            f"the jobid {name!r} is the name of {kind}, number {job.id}, which is {job.state}"
            " (wait for its end, or choose another jobid)"
        )
    return job


def _unique() -> str:
    now = dt.datetime.now(dt.UTC)
    return f"JOB_{now:%Y%m%d_%H%M%S}_{secrets.token_hex(4)}"
