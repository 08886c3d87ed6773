"""The engine: messages in, facts and effects out. No clock, no I/O, no randomness.

It is made of three parts in files of their own: what waits (`waiting`), what there is
(`inventory`), what runs where (`slots`). This file decides; `lifecycle.evolve` changes jobs.
"""

from collections.abc import Iterable
from functools import singledispatchmethod
from typing import NamedTuple

from msgspec.structs import replace

from solveyard.core import names
from solveyard.core.inventory import Inventory
from solveyard.core.lifecycle import evolve, never_started
from solveyard.core.scheduler import Scheduler
from solveyard.core.slots import Pace
from solveyard.model.errors import Conflict, InvalidJob, InvalidRequest, UnknownJob
from solveyard.model.jobs import (
    Attempt,
    AttemptId,
    Counter,
    Job,
    JobId,
    JobSpec,
    JobState,
    Limits,
    Outcome,
    Reason,
)
from solveyard.model.messages import (
    Accepted,
    Action,
    AgentJoined,
    AgentLeft,
    AnyEvent,
    Ask,
    Cancel,
    CancelRequested,
    Drain,
    Ended,
    EvidenceAdded,
    Forget,
    Hold,
    JobAccepted,
    JobConfirmed,
    JobEnded,
    JobHeld,
    JobPlaced,
    JobRecalled,
    JobReleased,
    JobRemoved,
    JobRetried,
    JobStale,
    JobStarted,
    JobSubmitted,
    Kill,
    LimitsChanged,
    MachineJoined,
    MachineLeft,
    Message,
    Missing,
    PriorityChanged,
    Recalled,
    Release,
    Remove,
    Retry,
    SetLimits,
    SetPriority,
    SpawnerJoined,
    SpawnerLeft,
    Started,
    Submit,
    Ticked,
)

WAITING = frozenset({JobState.HELD, JobState.QUEUED})


class Step(NamedTuple):
    """What one message led to: facts to store and publish, then effects to perform."""

    events: list[AnyEvent]
    actions: list[Action]
    wake: float | None  #: when time alone will cause something; None: not foreseen


class Engine:
    """All decisions about all jobs. `handle` is the only way in."""

    def __init__(
        self,
        store_uuid: str,
        jobs: Iterable[Job] = (),
        limits: Limits | None = None,
        counter: Counter | None = None,
        pace: Pace | None = None,
    ) -> None:
        self._uuid = store_uuid
        self.jobs: dict[JobId, Job] = {}
        self.names: dict[str, JobId] = {}
        self.limits = limits or Limits()
        self.counter = counter or Counter()
        self.draining = False
        self._ending: float | None = None  #: draining ends what runs, with this grace; s
        self.scheduler = Scheduler(self.jobs, pace or Pace())
        self._events: list[AnyEvent] = []
        self._actions: list[Action] = []
        for job in jobs:
            self._replace(None, job)
        self.scheduler.restore()

    @property
    def inventory(self) -> Inventory:
        return self.scheduler.inventory

    def handle(self, message: Message, now: float) -> Step:
        """Take one message at time `now`, s since 1970, never before the last one's.

        Raises InvalidRequest where a request can't be granted; then nothing has changed.
        """
        self._events, self._actions = [], []
        self._decide(message, now)
        self._let_time_pass(now)
        self._schedule(now)
        return Step(self._events, self._actions, self.scheduler.wake())

    def why(self, job_id: JobId) -> str:
        """Why a waiting job waits, in a sentence; "" when it doesn't."""
        return self.scheduler.why(self.jobs[job_id], self.limits, draining=self.draining)

    # Requests

    @singledispatchmethod
    def _decide(self, message: Message, now: float) -> None:
        raise TypeError(f"the engine takes no {type(message).__name__}")

    @_decide.register
    def _(self, message: Submit, now: float) -> None:
        many = len(message.specs) > 1
        taken: set[str] = set()
        for index, spec in enumerate(message.specs):
            try:
                self._check(spec, taken)
            except InvalidRequest as error:
                raise type(error)(
                    f"job {index + 1} of {len(message.specs)}: {error}" if many else str(error)
                ) from error
        by, key = message.by, message.key
        for spec in message.specs:
            known = self.names.get(spec.name) if spec.name else None
            arrival = self._next("arrival")
            if known is None:
                new = JobId(self._next("next"))
                self._record(
                    JobSubmitted(job=new, at=now, by=by, spec=spec, arrival=arrival, key=key)
                )
            else:
                self._record(
                    JobRetried(job=known, at=now, by=by, spec=spec, arrival=arrival, key=key)
                )

    def _check(self, spec: JobSpec, taken: set[str]) -> None:
        """Raises InvalidJob or Conflict; `taken` are the names of the same submission."""
        names.check(spec.name)
        if misfit := self.inventory.misfit(spec.resources):
            raise InvalidJob(f"this job could never run: {misfit} (ask for less)")
        if not spec.name:
            return
        if spec.name in taken:
            raise Conflict(f"the name {spec.name!r} is given twice (choose another)")
        taken.add(spec.name)
        job = self.jobs.get(self.names.get(spec.name, JobId(0)))
        if job is not None and not job.state.final:
            raise Conflict(
                f"the name {spec.name!r} is job {job.id}'s, which is {job.state}"
                " (wait for its end, cancel it, or choose another name)"
            )

    @_decide.register
    def _(self, message: Cancel, now: float) -> None:
        job = self._known(message.job)
        if job.state.final:
            return
        if job.state in WAITING:
            told = f"cancelled{_by(message.by)} before it started"
            self._end(job, never_started(Reason.CANCELLED, told), now, message.by)
            return
        if not job.cancel_requested:
            self._record(CancelRequested(job=job.id, at=now, by=message.by))
        self._kill(job, message.grace, "cancelled")

    @_decide.register
    def _(self, message: Hold, now: float) -> None:
        job = self._known(message.job)
        if job.state is JobState.HELD:
            return
        if job.state is not JobState.QUEUED:
            raise Conflict(f"job {job.id} is {job.state}; only a queued job can be held")
        self._record(JobHeld(job=job.id, at=now, by=message.by))

    @_decide.register
    def _(self, message: Release, now: float) -> None:
        job = self._known(message.job)
        if job.state is JobState.QUEUED:
            return
        if job.state is not JobState.HELD:
            raise Conflict(f"job {job.id} is {job.state}; only a held job can be released")
        self._record(JobReleased(job=job.id, at=now, by=message.by))

    @_decide.register
    def _(self, message: Retry, now: float) -> None:
        job = self._known(message.job)
        if not job.state.final:
            raise Conflict(f"job {job.id} is {job.state}; only an ended job can be retried")
        self._record(JobRetried(job=job.id, at=now, by=message.by, arrival=self._next("arrival")))

    @_decide.register
    def _(self, message: Remove, now: float) -> None:
        job = self._known(message.job)
        if not job.state.final:
            raise Conflict(f"job {job.id} is {job.state}; cancel it before you remove it")
        self._record(JobRemoved(job=job.id, at=now, by=message.by))

    @_decide.register
    def _(self, message: SetPriority, now: float) -> None:
        job = self._known(message.job)
        if job.state.final:
            raise Conflict(f"job {job.id} has ended; its priority can't matter any more")
        if not -(10**9) <= message.priority <= 10**9:
            raise InvalidJob(f"priority {message.priority} is not within +-1 000 000 000")
        if job.priority != message.priority:
            self._record(
                PriorityChanged(job=job.id, at=now, by=message.by, priority=message.priority)
            )
            if message.priority < job.priority:
                self._actions += self.scheduler.recall_successor(self.jobs[job.id])

    @_decide.register
    def _(self, message: SetLimits, now: float) -> None:
        if message.limits != self.limits:
            self.limits = message.limits
            self._events.append(LimitsChanged(at=now, by=message.by, limits=message.limits))
            self._actions += self.scheduler.recall_all()

    @_decide.register
    def _(self, message: Drain, now: float) -> None:
        self.draining = True
        self._actions += self.scheduler.recall_all()
        if not message.leave:
            self._ending = message.grace
            for job in self.scheduler.holding():
                self._kill(job, message.grace, "shutdown")

    # Observations

    @_decide.register
    def _(self, message: Accepted, now: float) -> None:
        if (job := self._live(message.attempt, now)) is not None:
            known = job.attempts[-1].native_id
            if job.state is JobState.SUBMITTED and message.native_id not in {"", known}:
                self._record(JobAccepted(job=job.id, at=now, native_id=message.native_id))
            self._kill_again(job)

    @_decide.register
    def _(self, message: Started, now: float) -> None:
        if (job := self._live(message.attempt, now)) is None:
            return
        if job.state is JobState.SUBMITTED:
            started = message.at if message.at is not None else now
            self._record(
                JobStarted(job=job.id, at=now, native_id=message.native_id, started_at=started)
            )
        self._kill_again(job)

    @_decide.register
    def _(self, message: Ended, now: float) -> None:
        found = self.attempt(message.attempt)
        if found is None:
            return
        job, attempt = found
        self._actions.append(Forget(attempt=attempt.id, placement=attempt.placement))
        if attempt.live:
            if message.usage is not None and message.outcome.reason is Reason.SUCCESS:
                self.scheduler.pace.ended(job.spec, message.usage.wall)
            self._end(job, message.outcome, now, "", message)
        elif _contradicts(attempt.outcome, message.outcome):
            note = f"reported later: {message.outcome.reason}, {message.outcome.message}"
            self._evidence(job, attempt, note, now)

    @_decide.register
    def _(self, message: Recalled, now: float) -> None:
        job = self._live(message.attempt, now)
        if job is None or job.state is not JobState.SUBMITTED:
            return
        self._record(JobRecalled(job=job.id, at=now))
        if job.cancel_requested:
            told = never_started(Reason.CANCELLED, "cancelled before it started")
            self._end(self.jobs[job.id], told, now, "")

    @_decide.register
    def _(self, message: Missing, now: float) -> None:
        found = self.attempt(message.attempt)
        if found is None or not found[1].live:
            return
        job, attempt = found
        placement = attempt.placement
        same_boot = placement.boot_id == message.boot_id
        same_ledger = placement.ledger == message.ledger
        if job.state is JobState.SUBMITTED and same_boot and same_ledger:
            job = self._live(attempt.id, now) or job
            if job.cancel_requested:
                told = never_started(Reason.CANCELLED, "cancelled before it started")
                self._end(job, told, now, "")
            elif self.draining or not self.scheduler.may_launch_again(attempt):
                self._record(JobRecalled(job=job.id, at=now))
            else:
                self._actions.append(self.scheduler.launch(job))
            return
        if not same_ledger:
            evidence = "the ledger that would know is gone"
        elif not same_boot:
            evidence = "the machine was rebooted after the launch, and its ledger has no start"
        else:
            evidence = "it had started, and its spawner's ledger doesn't know it"
        outcome = Outcome(
            reason=Reason.LOST,
            message="it is not known whether it ran or how it ended: look at its output,"
            " then retry it",
            evidence=(evidence,),
        )
        self._end(job, outcome, now, "")

    @_decide.register
    def _(self, message: AgentJoined, now: float) -> None:
        self.scheduler.machine_joined(message)
        self._events.append(MachineJoined(at=now, machine=message.machine, nodes=message.nodes))

    @_decide.register
    def _(self, message: AgentLeft, now: float) -> None:
        self.inventory.leave(message.machine)
        self._events.append(MachineLeft(at=now, machine=message.machine))

    @_decide.register
    def _(self, message: SpawnerJoined, now: float) -> None:
        attempts = self.scheduler.spawner_joined(message)
        if attempts:
            self._actions.append(
                Ask(machine=message.machine, spawner=message.spawner, attempts=attempts)
            )

    @_decide.register
    def _(self, message: SpawnerLeft, now: float) -> None:
        self.scheduler.spawner_left(message, now)

    @_decide.register
    def _(self, message: Ticked, now: float) -> None:
        pass  # time passes with every message

    # What time causes, and what capacity allows

    def _let_time_pass(self, now: float) -> None:
        for job_id in self.scheduler.deadlines.due(now):
            job = self.jobs[job_id]
            if job.state in WAITING:
                told = f"it waited {job.spec.wait_limit:g} s and had not started"
                why = self.why(job_id)
                evidence = (f"it waited for {why}",) if why else ()
                outcome = Outcome(reason=Reason.WAIT_LIMIT, message=told, evidence=evidence)
                self._end(job, outcome, now, "")
        for job_id in self.scheduler.gone_stale(now):
            self._record(JobStale(job=job_id, at=now))
        self._actions += self.scheduler.recall_impatient(now)

    def _schedule(self, now: float) -> None:
        if self.draining:
            return
        while (start := self.scheduler.next_start(self.limits)) is not None:
            job, planned = start
            placement = replace(planned, slot=planned.slot or self._next("slot"))
            attempt = AttemptId(f"{self._uuid}.{job.id}.0.{len(job.attempts) + 1}")
            self._record(JobPlaced(job=job.id, at=now, attempt=attempt, placement=placement))
            self._actions.append(self.scheduler.launch(self.jobs[job.id]))
        self._actions += self.scheduler.recall_outranked()

    # The one way in which a job changes

    def _record(self, event: AnyEvent) -> None:
        job_id = event.job  # type: ignore[union-attr]  # only job events come here
        before = self.jobs.get(job_id)
        self._replace(before, evolve(before, event))  # type: ignore[arg-type]  # as above
        self._events.append(event)

    def _replace(self, before: Job | None, after: Job | None) -> None:
        """Put `after` in the place of `before`, in every index."""
        if after is not None:
            self.jobs[after.id] = after
            if before is None and after.spec.name:
                self.names[after.spec.name] = after.id
        elif before is not None:
            del self.jobs[before.id]
            if before.spec.name:
                del self.names[before.spec.name]
        self.scheduler.replace(before, after)

    def _end(
        self, job: Job, outcome: Outcome, now: float, by: str, report: Ended | None = None
    ) -> None:
        self._record(
            JobEnded(
                job=job.id,
                at=now,
                by=by,
                outcome=outcome,
                usage=report.usage if report else None,
                native_id=report.native_id if report else "",
                started_at=report.started_at if report else None,
            )
        )

    def _evidence(self, job: Job, attempt: Attempt, note: str, now: float) -> None:
        if note not in attempt.notes:
            self._record(EvidenceAdded(job=job.id, at=now, attempt=attempt.id, note=note))

    def _kill(self, job: Job, grace: float | None, because: str) -> None:
        attempt = job.live_attempt
        if attempt is not None:
            self._actions.append(
                Kill(
                    attempt=attempt.id,
                    placement=attempt.placement,
                    grace=job.spec.grace if grace is None else grace,
                    because=because,
                )
            )

    def _kill_again(self, job: Job) -> None:
        """Its machine answers: what was asked for meanwhile could not be told."""
        if job.cancel_requested:
            self._kill(job, None, "cancelled")
        elif self._ending is not None:
            self._kill(job, self._ending, "shutdown")

    def _next(self, what: str) -> int:
        number: int = getattr(self.counter, what)
        self.counter = replace(self.counter, **{what: number + 1})
        return number

    def _known(self, job_id: JobId) -> Job:
        job = self.jobs.get(job_id)
        if job is None:
            raise UnknownJob(f"there is no job {job_id}")
        return job

    def attempt(self, attempt_id: AttemptId) -> tuple[Job, Attempt] | None:
        """Whose it is; None for one of another store, or of a job that was removed."""
        uuid, _, rest = attempt_id.partition(".")
        parts = rest.split(".")
        if uuid != self._uuid or len(parts) != 3 or not all(p.isdecimal() for p in parts):
            return None
        job, number = self.jobs.get(JobId(int(parts[0]))), int(parts[2])
        if job is None or not 1 <= number <= len(job.attempts):
            return None
        return job, job.attempts[number - 1]

    def _live(self, attempt_id: AttemptId, now: float) -> Job | None:
        """The job whose live attempt this is; its state is then confirmed."""
        found = self.attempt(attempt_id)
        if found is None or not found[1].live:
            return None
        job = found[0]
        self.scheduler.heard(attempt_id)
        if job.stale_since is not None:
            self._record(JobConfirmed(job=job.id, at=now))
        return self.jobs[job.id]


def _contradicts(told: Outcome | None, later: Outcome) -> bool:
    """Is the later report news about an attempt that was given up as lost?"""
    return told is not None and told.reason is Reason.LOST and later.reason is not Reason.LOST


def _by(who: str) -> str:
    return f" by {who}" if who else ""
