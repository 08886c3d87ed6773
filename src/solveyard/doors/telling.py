"""Our events, as they are told in the documents' words."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from solveyard.doors import documents
from solveyard.manager.manager import Manager
from solveyard.model.jobs import Job, JobId, JobState
from solveyard.model.messages import (
    AnyEvent,
    JobEnded,
    JobHeld,
    JobPlaced,
    JobReleased,
    JobRequeued,
    JobRetried,
    JobStarted,
    JobSubmitted,
    LimitsChanged,
    PriorityChanged,
)
from solveyard.store.base import Numbered


class _Known(NamedTuple):
    """What the events so far have told about a job."""

    priority: int
    queued: bool = False  #: it waits, and nobody holds it
    started: bool = False
    forwarded: bool = False  #: it is with a batch system, or was when it ended


_NOTHING = _Known(0)


class Telling:
    """Follows each job that has not ended; its records may be ahead of the event that is told."""

    def __init__(self, manager: Manager) -> None:
        self._manager = manager
        self._fresh: list[documents.News] = []
        self._limits = manager.limits
        self._kinds: dict[_Known, _Known] = {}  #: many jobs are alike, and share one
        self._known: dict[JobId, _Known] = {}
        for job in manager.jobs().values():
            if not job.state.final:
                self._know(job.id, _known(job))

    def take(self, events: Sequence[Numbered]) -> None:
        """To be told."""
        self._fresh += [self._follow(event) for _, event in events]

    def pass_over(self, events: Sequence[Numbered]) -> None:
        """Nobody listens."""
        for _, event in events:
            self._learn(event)
            if isinstance(event, LimitsChanged):
                self._limits = event.limits

    def told(self) -> list[tuple[str, dict[str, Any]]]:
        """What there is to tell, each thing once."""
        fresh, self._fresh = self._fresh, []
        if not fresh:
            return []
        queued = self._manager.counts().get(JobState.QUEUED, 0)
        sample = documents.resources(self._manager)
        found: list[tuple[str, dict[str, Any]]] = []
        for news in fresh:
            if isinstance(news.event, LimitsChanged):
                found.append(("limits_updated", self._changed(news.event)))
            else:
                found += documents.messages(news, queued=queued, sample=sample)
        return found

    def _follow(self, event: AnyEvent) -> documents.News:
        before, after = self._learn(event)
        name = self._name(getattr(event, "job", JobId(0)), event)
        return documents.News(
            event, name, after.priority, before.queued, before.started, before.forwarded
        )

    def _learn(self, event: AnyEvent) -> tuple[_Known, _Known]:
        """What was known of its job, and what is now."""
        number = getattr(event, "job", JobId(0))
        before = self._known.get(number)
        if before is None:
            before = _NOTHING if isinstance(event, JobSubmitted) else self._ended(number)
        after = _after(before, event)
        if isinstance(event, JobEnded):
            self._known.pop(number, None)
        elif after is not before:
            self._know(number, after)
        return before, after

    def _know(self, number: JobId, known: _Known) -> None:
        self._known[number] = self._kinds.setdefault(known, known)

    def _name(self, number: JobId, event: AnyEvent) -> str:
        """A job's stays the same as long as there is one."""
        if isinstance(event, JobSubmitted):
            return event.spec.name or str(number)
        job = self._manager.look(number) if number else None
        return str(number) if job is None else documents.job_id(job)

    def _ended(self, number: JobId) -> _Known:
        """A job that had ended, or is new: only its priority matters."""
        job = self._manager.look(number)
        if job is None:
            return _NOTHING
        return _Known(job.priority)

    def _changed(self, event: LimitsChanged) -> dict[str, Any]:
        """Of the old ones those that are others now."""
        old, new = documents.pool_limits(self._limits), documents.pool_limits(event.limits)
        self._limits = event.limits
        changed = {name: value for name, value in old.items() if value != new[name]}
        return {"old_limits": changed, "new_limits": new}


def _known(job: Job) -> _Known:
    return _Known(
        job.priority,
        queued=job.state in {JobState.QUEUED, JobState.SUBMITTED},
        started=job.state is JobState.RUNNING,
        forwarded=job.attempt is not None and job.attempt.placement.forwarded,
    )


def _after(known: _Known, event: AnyEvent) -> _Known:
    match event:
        case JobSubmitted(spec=spec) | JobRetried(spec=spec) if spec is not None:
            return _Known(spec.priority, queued=not spec.hold)
        case JobReleased() | JobRetried() | JobRequeued():
            return known._replace(queued=True, started=False)
        case JobPlaced(placement=placement) if placement.forwarded != known.forwarded:
            return known._replace(forwarded=placement.forwarded)
        case JobHeld():
            return known._replace(queued=False)
        case JobStarted():
            return known._replace(queued=False, started=True)
        case PriorityChanged(priority=priority):
            return known._replace(priority=priority)
        case _:
            return known
