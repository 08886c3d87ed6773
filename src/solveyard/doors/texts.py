"""Jobs' records as JSON, kept: who asks for the newest every second gets mostly the same again."""

from collections import OrderedDict
from typing import NamedTuple

import msgspec

from solveyard.doors import encoding
from solveyard.manager.manager import Manager
from solveyard.model.errors import UnknownJob
from solveyard.model.jobs import Job, JobId, JobState

KEPT = 500  #: records, of those that were asked for last


class _Kept(NamedTuple):
    job: Job
    waiting: str  #: why it waits
    text: msgspec.Raw


class Texts:
    """One manager's."""

    def __init__(self) -> None:
        self._kept: OrderedDict[JobId, _Kept] = OrderedDict()

    def of(self, manager: Manager, job: Job) -> msgspec.Raw:
        """As `encoding.shown`, encoded. What changes with time alone is told anew."""
        if job.state is JobState.RUNNING or job.is_array:
            return msgspec.Raw(msgspec.json.encode(encoding.shown(manager, job)))
        try:
            waiting = "" if job.state.final else manager.why(job, place=False)
        except UnknownJob:  # removed since it was read
            waiting = ""
        kept = self._kept.get(job.id)
        if kept is None or kept.waiting != waiting or kept.job != job:
            text = msgspec.json.encode(encoding.shown(manager, job, waiting=waiting))
            kept = _Kept(job, waiting, msgspec.Raw(text))
            self._kept[job.id] = kept
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(job.id)
        return kept.text
