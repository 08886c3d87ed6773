"""Notices: what is told of a job's end to a receiver that the settings name."""

import enum
from typing import Literal

import msgspec

from solveyard.model.jobs import JobId, JobState, Reason
from solveyard.model.records import instant

ANY = "ended"  #: every end
#: What a receiver may choose: states that a job ends in, reasons why it ended, or `ANY`.
ENDINGS = frozenset(
    {ANY, JobState.COMPLETED.value, JobState.FAILED.value, JobState.CANCELLED.value}
    | {reason.value for reason in Reason}
)


class Receiver(msgspec.Struct, frozen=True, kw_only=True):
    """Who wants to know of which ends."""

    name: str
    on: frozenset[str]  #: of `ENDINGS`
    tags: frozenset[str] = frozenset()  #: of jobs that have one of these; empty: of all
    names: tuple[str, ...] = ()  #: of jobs whose name fits one of these, "sweep-*"; empty: of all
    users: frozenset[str] = frozenset()  #: of these owners' jobs; empty: of everybody's
    always: bool = False  #: of jobs, too, that don't name it


class NoticeState(enum.StrEnum):
    PENDING = "pending"  #: not delivered yet
    DELIVERED = "delivered"
    FAILED = "failed"  #: given up


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """One end of one job, for one receiver."""

    event: int  #: the number of the event that it tells
    receiver: str
    job: JobId
    label: str  #: the job's
    ending: JobState
    reason: Reason
    at: float  #: of the event; s since 1970
    payload: str  #: what is sent, JSON
    state: NoticeState = NoticeState.PENDING
    tries: int = 0
    next_at: float = 0.0  #: when it's tried next, or when it was settled; s since 1970
    why: str = ""  #: the last try failed


class ReceiverRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A receiver as people see it. Counted are the notices that are kept."""

    name: str
    way: Literal["webhook", "command"] | None  #: null: the settings don't name it any more
    on: tuple[str, ...]  #: states and reasons that it hears of
    always: bool  #: of jobs, too, that don't name it
    pending: int
    delivered: int
    failed: int  #: given up
    last_error: str  #: of the newest notice that it didn't take, yet; empty: there is none


class NoticeRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A notice as people see it. Times are ISO 8601, UTC, with milliseconds."""

    id: str  #: the same for every try
    receiver: str
    event: int  #: the number of the event that it tells
    job: str  #: its name, else its number
    number: int
    ending: JobState
    reason: Reason
    at: str  #: when the job ended
    state: NoticeState
    tries: int
    next_at: str | None  #: of the next try
    settled_at: str | None
    why: str  #: the last try failed


def record(notice: Notice, notice_id: str) -> NoticeRecord:
    pending = notice.state is NoticeState.PENDING
    when = instant(notice.next_at)
    return NoticeRecord(
        id=notice_id,
        receiver=notice.receiver,
        event=notice.event,
        job=notice.label,
        number=notice.job,
        ending=notice.ending,
        reason=notice.reason,
        at=instant(notice.at) or "",
        state=notice.state,
        tries=notice.tries,
        next_at=when if pending else None,
        settled_at=None if pending else when,
        why=notice.why,
    )
