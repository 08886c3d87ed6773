"""What the records look like on disk: JSON, written and read by msgspec."""

import base64
import binascii
import re
from operator import attrgetter
from typing import Any

import msgspec
from msgspec.structs import force_setattr

from solveyard.model.errors import InvalidRequest
from solveyard.model.jobs import Job, JobId, JobSpec, JobState, Submission
from solveyard.model.messages import AnyEvent
from solveyard.model.notices import Notice
from solveyard.model.shares import Spent
from solveyard.store.base import Past

_KEPT = [field for field in msgspec.structs.fields(Job) if field.name != "spec"]


def _definition(field: msgspec.structs.FieldInfo) -> tuple[str, Any] | tuple[str, Any, Any]:
    if field.default is msgspec.NODEFAULT:
        return (field.name, field.type)
    return (field.name, field.type, field.default)


# All of a Job but its spec, field by field: a change of state doesn't write the spec again.
# Its fields are Any to a type checker, since they are made here.
_Rest: Any = msgspec.defstruct(
    "_Rest", [_definition(field) for field in _KEPT], frozen=True, omit_defaults=True
)


class _Submitted(msgspec.Struct, frozen=True):
    """Of a job's body what is to be known of one that has ended."""

    arrival: int
    key: str = ""
    earlier: tuple[Submission, ...] = ()


class _Asked(msgspec.Struct, frozen=True):
    """The same of its specification's."""

    directory: str = ""
    tags: tuple[str, ...] = ()
    array: Any = None


_names = tuple(field.name for field in _KEPT)
_values = attrgetter(*_names)

encode = msgspec.json.Encoder().encode
decode_event = msgspec.json.Decoder[AnyEvent](AnyEvent).decode
decode_spent = msgspec.json.Decoder(Spent).decode
decode_notice = msgspec.json.Decoder(Notice).decode
_decode_spec = msgspec.json.Decoder(JobSpec).decode
_decode_submitted = msgspec.json.Decoder(_Submitted).decode
_decode_asked = msgspec.json.Decoder(_Asked).decode
_STATES = {state.value: state for state in JobState}
_decode_job = msgspec.json.Decoder(Job).decode
_ANY_SPEC = b'{"spec":{"solver":""},'  #: what a job's body goes on from, to be read as a job


def encode_job(job: Job) -> bytes:
    """`job` without its spec."""
    return encode(_Rest(*_values(job)))


def decode_job(body: bytes, spec: bytes) -> Job:
    """What `encode_job` and the encoded spec were made of."""
    return decode_task(body, _decode_spec(spec))


def decode_task(body: bytes, spec: JobSpec) -> Job:
    """What `encode_job` was made of, where the specification is known: its array's."""
    if not isinstance(body, bytes):  # then it isn't ours, and is to be told as damaged
        body = str(body).encode()
    job = _decode_job(_ANY_SPEC + body[1:])
    force_setattr(job, "spec", spec)  # nobody has seen it without yet
    return job


def past(job: Job) -> Past:
    """Of one that has ended."""
    of, spec = (job.key, job.arrival), job.spec
    return Past(
        job.id, job.state, spec.name, job.owner, spec.directory, *of, spec.tags, job.earlier
    )


def decode_past(
    job_id: JobId, state: str, name: str, owner: str, body: bytes, spec: bytes
) -> Past | None:
    """What is to be known of a row's job, which has ended; None: it's an array."""
    asked = _decode_asked(spec)
    if asked.array is not None:
        return None
    of = _decode_submitted(body)
    known = job_id, _STATES[state], name, owner, asked.directory
    return Past(*known, of.key, of.arrival, asked.tags, of.earlier)


def cursor_before(job_id: JobId) -> str:
    """The cursor of the page that goes on below `job_id`."""
    return base64.urlsafe_b64encode(b"before:%d" % job_id).decode()


def read_cursor(cursor: str) -> JobId:
    """The id that the page goes on below. Raises InvalidRequest when it is not one of ours."""
    try:
        plain = base64.b64decode(cursor.encode("ascii"), altchars=b"-_", validate=True)
    except (UnicodeEncodeError, binascii.Error, ValueError):
        plain = b""
    found = re.fullmatch(rb"before:(-?\d{1,18})", plain)
    if found is None:
        raise InvalidRequest(
            f"not a page's cursor: {cursor!r} (take `cursor` from the page before, or none)"
        )
    return JobId(int(found[1]))
