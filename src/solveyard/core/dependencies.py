"""Who waits for whom. Whether a wait is over is read off the other job's present state."""

from collections.abc import Callable, Iterable
from typing import Protocol

from solveyard.core.names import numbered
from solveyard.model.ids import array_of, position_of, task_id
from solveyard.model.jobs import Job, JobId, JobState, Outcome, Reason
from solveyard.model.policies import Link

_LONGEST = 20  #: links of a chain that are named
_WANTED = {"success": "to succeed", "end": "to end", "failure": "to fail"}
_ONLY = {"success": "the success", "end": "the end", "failure": "a failure"}
_DID = {
    JobState.COMPLETED: "succeeded",
    JobState.FAILED: "failed",
    JobState.CANCELLED: "was cancelled",
}


class Known(Protocol):
    """Who knows all jobs."""

    def look(self, job_id: JobId, /) -> Job | None:
        """A job, a task without a record too; None: there is none."""
        ...

    def state(self, job_id: JobId, /) -> JobState | None:
        """Its state alone."""
        ...


class Dependencies:
    """Waiting jobs by whom they wait for."""

    def __init__(self, known: Known) -> None:
        self._known = known
        self._waiting: dict[JobId, dict[JobId, None]] = {}  #: by the job that is waited for
        self._tasks: dict[JobId, dict[JobId, None]] = {}  #: those of them that are tasks, by array
        self._links: dict[JobId, dict[JobId, list[Link]]] = {}  #: by who waits, and for whom
        self._unmet: dict[JobId, set[JobId]] = {}  #: by who waits: whose end is still to come

    @property
    def awaited(self) -> bool:
        """Is there anybody that somebody waits for?"""
        return bool(self._waiting)

    def watch(self, waiting: JobId, job: Job) -> None:
        """`waiting` is `job`, or the array whose next task it is; it has none from before."""
        links: dict[JobId, list[Link]] = {}
        for link in job.after:
            links.setdefault(_meant(link, job.id), []).append(link)
        self._links[waiting] = links
        self._unmet[waiting] = {other for other in links if not self._met(waiting, other)}
        for other in links:
            self._waiting.setdefault(other, {})[waiting] = None
            if (array := array_of(other)) is not None:
                self._tasks.setdefault(array, {})[other] = None

    def discard(self, waiting: JobId) -> None:
        for other in self._links.pop(waiting, ()):
            those = self._waiting[other]
            del those[waiting]
            if not those:
                del self._waiting[other]
                self._forget_task(other)
        self._unmet.pop(waiting, None)

    def changed(self, other: JobId) -> list[JobId]:
        """Of those who wait for `other`, the ones for which that makes a difference."""
        found: list[JobId] = []
        for waiting in self._waiting.get(other, ()):
            unmet = self._unmet[waiting]
            before = bool(unmet)
            if self._met(waiting, other):
                unmet.discard(other)
            else:
                unmet.add(other)
            if before != bool(unmet) or self.never(waiting, other) is not None:
                found.append(waiting)
        return found

    def waits(self, waiting: JobId) -> bool:
        """For an end that is still to come, or never will."""
        return bool(self._unmet.get(waiting))

    def waiting_for(self, job: JobId) -> list[JobId]:
        return list(self._waiting.get(job, ()))

    def watched_tasks(self, array: JobId) -> list[JobId]:
        """Those of its tasks that somebody waits for."""
        return list(self._tasks.get(array, ()))

    def waited_for(self) -> set[JobId]:
        """All jobs that somebody waits for; of a task its array."""
        return {array_of(other) or other for other in self._waiting}

    def never(self, waiting: JobId, other: JobId | None = None) -> tuple[Job, Link] | None:
        """What can't come true any more, and with whom; looked for at all, or at `other`."""
        for one in self._unmet.get(waiting, ()) if other is None else (other,):
            state = self._known.state(one)
            for link in self._links[waiting][one]:
                if state is not None and state.final and not met(state, link):
                    job = self._known.look(one)
                    assert job is not None
                    return job, link
        return None

    def fate(self, job: JobId, links: Iterable[Link]) -> bool | None:
        """Will it have all that these ask for? None: nobody knows yet."""
        ends = [(self._known.state(_meant(link, job)), link) for link in links]
        if all(met(other, link) for other, link in ends):
            return True
        lost = any(o is not None and o.final and not met(o, link) for o, link in ends)
        return False if lost else None

    def why(self, waiting: JobId) -> str:
        """Whom it waits for, in words."""
        unmet = self._unmet[waiting]
        first = next(other for other in self._links[waiting] if other in unmet)
        job = self._known.look(first)
        assert job is not None  # nobody waits for a job that isn't there
        link = next(one for one in self._links[waiting][first] if not met(job.state, one))
        more = f", and {len(unmet) - 1} others" if len(unmet) > 1 else ""
        return f"job {_called(job)} {_WANTED[link.on]} (it is {job.state}){more}"

    def why_of(self, task: Job) -> str:
        """The same of one that isn't watched; "": it waits for nobody."""
        self.watch(task.id, task)
        told = self.why(task.id) if self.waits(task.id) else ""
        self.discard(task.id)
        return told

    def _forget_task(self, other: JobId) -> None:
        """Nobody waits for it any more, if it is one."""
        array = array_of(other)
        if array is not None:
            del self._tasks[array][other]
            if not self._tasks[array]:
                del self._tasks[array]

    def _met(self, waiting: JobId, other: JobId) -> bool:
        state = self._known.state(other)
        return all(met(state, link) for link in self._links[waiting][other])


def met(other: JobState | None, link: Link) -> bool:
    """Has a job in state `other` ended as `link` wants? None: it was removed, and so had."""
    if other is None:
        return True
    if not other.final:
        return False
    if link.on == "end":
        return True
    return (other is JobState.COMPLETED) == (link.on == "success")


def doom(other: Job, link: Link) -> Outcome:
    """Why what waited for `other` can never run."""
    told = other.outcome.message if other.outcome is not None else ""
    label = _called(other)
    because = f"job {label} {_DID[other.state]}"
    return Outcome(
        reason=Reason.DEPENDENCY,
        message=f"it could run only after {_ONLY[link.on]} of job {label},"
        f" which {_DID[other.state]} (retry that, then this)",
        evidence=(f"{because}: {told}" if told else because, *_chain(other)),
    )


def _called(job: Job) -> str:
    """By its label; by its number, too, where its name reads like another's."""
    whole = array_of(job.id) or job.id
    reads_like = numbered(job.spec.name)
    return job.label if reads_like in {None, whole} else f"#{whole} ({job.label})"


def _chain(other: Job) -> tuple[str, ...]:
    """Whom `other` waited for in turn, where that was its own end."""
    if other.outcome is None or other.outcome.reason is not Reason.DEPENDENCY:
        return ()
    return other.outcome.evidence[:_LONGEST]


def circle(new: Iterable[JobId], links: Callable[[JobId], tuple[Link, ...]]) -> list[JobId]:
    """Jobs of which each would wait for the next, and the last is the first; empty: there are
    none. Only those are looked at whom one of `new` waits for, in the end.
    """
    done: set[JobId] = set()
    for start in new:
        path: list[JobId] = []
        stack: list[tuple[JobId, bool]] = [(start, False)]
        on_path: set[JobId] = set()
        while stack:
            job, leaving = stack.pop()
            if leaving:
                path.pop()
                on_path.discard(job)
                done.add(job)
                continue
            if job in on_path:
                return [*path[path.index(job) :], job]
            if job in done:
                continue
            path.append(job)
            on_path.add(job)
            stack.append((job, True))
            stack.extend((JobId(link.job), False) for link in links(job))
    return []


def _meant(link: Link, job: JobId) -> JobId:
    if not link.each:
        return JobId(link.job)
    position = position_of(job)
    return task_id(JobId(link.job), position or 0)
