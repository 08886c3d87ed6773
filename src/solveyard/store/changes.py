"""What a commit's records come to, when the last word on each thing counts."""

from collections.abc import Iterable
from typing import NamedTuple

from solveyard.model.jobs import Counter, Job, JobId, Limits, Record, Removed
from solveyard.model.shares import Spent


class Changes(NamedTuple):
    """The end of a sequence of records. No id is in both `jobs` and `removed`."""

    jobs: list[Job]
    removed: list[JobId]
    limits: Limits | None  #: None: as they were
    counter: Counter | None  #: None: as it was
    spent: dict[str, Spent]  #: by owner; others: as they were


def changes(records: Iterable[Record]) -> Changes:
    latest: dict[JobId, Job | None] = {}
    limits: Limits | None = None
    counter: Counter | None = None
    spent: dict[str, Spent] = {}
    for record in records:
        match record:
            case Job():
                latest[record.id] = record
            case Removed():
                latest[record.id] = None
            case Limits():
                limits = record
            case Counter():
                counter = record
            case Spent():
                spent[record.owner] = record
    jobs = [job for job in latest.values() if job is not None]
    removed = [job_id for job_id, job in latest.items() if job is None]
    return Changes(jobs, removed, limits, counter, spent)
