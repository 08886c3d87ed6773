"""Notices: what is told of a job's end to a receiver that the settings name."""

import enum

import msgspec

from solveyard.model.jobs import JobId, JobState, Reason

#: What a receiver may choose: states that a job ends in, and reasons why it ended.
ENDINGS = frozenset(
    {JobState.COMPLETED.value, JobState.FAILED.value, JobState.CANCELLED.value}
    | {reason.value for reason in Reason}
)


class Receiver(msgspec.Struct, frozen=True, kw_only=True):
    """Who wants to know of which ends."""

    name: str
    on: frozenset[str]  #: of `ENDINGS`
    tags: frozenset[str] = frozenset()  #: of jobs that have one of these; empty: of all
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
