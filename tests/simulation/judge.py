"""The promises, and who keeps an eye on them: by what the world itself saw.

It knows what was committed, what really started and ended, and what people were told. It never asks
the manager.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from msgspec.structs import replace

from simulation.world import World
from solveyard.agent.platform.base import Order
from solveyard.core.lifecycle import evolve, unopened
from solveyard.model.ids import array_of, position_of
from solveyard.model.jobs import Job, JobId, JobState, Outcome, Reason, Record, Removed
from solveyard.model.messages import (
    AnyEvent,
    CancelRequested,
    JobAnnotated,
    JobEnded,
    JobEvent,
    JobPlaced,
    JobRecalled,
    JobRemoved,
    JobRequeued,
)

if TYPE_CHECKING:
    from simulation.machines import Machine


@dataclass
class Truth:
    """What really became of one attempt."""

    job: JobId
    machine: str
    cores: frozenset[int]
    running: bool = False
    code: int | None = None
    signal: int | None = None


@dataclass
class Judge:
    world: World
    jobs: dict[JobId, Job] = field(default_factory=dict)  #: folded from the events on disk
    unfinished: set[JobId] = field(default_factory=set)  #: of them
    placed: dict[str, JobId] = field(default_factory=dict)  #: attempts on disk
    over: set[str] = field(default_factory=set)  #: of these, those whose end is on disk
    truths: dict[str, Truth] = field(default_factory=dict)  #: attempts that started
    running: dict[str, Truth] = field(default_factory=dict)
    cancelled: set[JobId] = field(default_factory=set)  #: somebody asked for it
    limited: set[JobId] = field(default_factory=set)
    mishaps: int = 0  #: spawners killed and machines crashed so far
    stops: int = 0

    # What machines do

    def started(self, order: Order, machine: str) -> None:
        attempt = order.attempt
        if attempt in self.truths:
            raise self.world.violated(f"{attempt} is started twice")
        if attempt not in self.placed:
            raise self.world.violated(f"{attempt} is started, and its launch is not on disk")
        job = self.placed[attempt]
        for other, there in self.running.items():
            if there.job == job:
                raise self.world.violated(f"{attempt} is started while {other} runs")
        cores = frozenset(map(int, order.env["SOLVEYARD_CORE_IDS"].split(",")))
        for other, there in self.running.items():
            if there.machine == machine and there.cores & cores:
                raise self.world.violated(f"{attempt} is started on the cores of {other}")
        truth = self.truths[attempt] = self.running[attempt] = Truth(job, machine, cores)
        truth.running = True
        self._count_licences()

    def _count_licences(self) -> None:
        used: dict[tuple[str, str], int] = {}
        keys: list[str] = []
        for truth in self.running.values():
            job = self.jobs[truth.job]
            keys += job.keys
            for name, seats in job.need.licences.items():
                used[truth.machine, name] = used.get((truth.machine, name), 0) + seats
        if any(seats > 2 for seats in used.values()):
            raise self.world.violated(f"more licences are used than there are: {used}")
        if len(set(keys)) != len(keys):
            raise self.world.violated(f"an exclusive key is held twice: {keys}")

    def ended(self, attempt: str, code: int | None, signal: int | None) -> None:
        truth = self.running.pop(attempt)
        truth.running, truth.code, truth.signal = False, code, signal

    def machine_crashed(self, machine: "Machine") -> None:
        self.mishaps += 1
        for attempt in [a for a, t in self.running.items() if t.machine == machine.name]:
            self.ended(attempt, None, None)

    def forgotten(self, attempts: Iterable[str]) -> None:
        """A spawner is told that these ends are on the manager's disk."""
        for attempt in attempts:
            if attempt in self.placed and attempt not in self.over:
                raise self.world.violated(
                    f"the end of {attempt} is forgotten, and nobody has it on disk"
                )

    # What the store keeps

    def committed(self, events: Sequence[AnyEvent], records: Sequence[Record]) -> None:
        """These are on disk."""
        for event in events:
            if isinstance(event, JobEvent):
                self._fold(event)
        for record in records:
            if isinstance(record, Job) and self.jobs.get(record.id) != record:
                raise self.world.violated(f"job {record.id} is not what its events make of it")
            if isinstance(record, Removed) and record.id in self.jobs:
                raise self.world.violated(f"the record of job {record.id} goes without an event")

    def _fold(self, event: JobEvent) -> None:
        before = self.jobs.get(event.job)
        if before is None and (array := array_of(event.job)) is not None:
            position = position_of(event.job)
            assert position is not None
            before = unopened(self.jobs[array], position)
        if isinstance(event, JobPlaced):
            self.placed[event.attempt] = event.job
        elif isinstance(event, CancelRequested):
            self.cancelled.add(event.job)
        elif isinstance(event, JobEnded | JobRequeued):
            self._end(before, event.outcome)
        elif isinstance(event, JobRecalled):
            assert before is not None
            self._withdrawn(before)
        after = evolve(before, event)  # type: ignore[arg-type]
        if after is None:
            del self.jobs[event.job]
            for task in [one for one in self.jobs if array_of(one) == event.job]:
                del self.jobs[task]
        else:
            self.jobs[event.job] = after
            (self.unfinished.discard if after.state.final else self.unfinished.add)(after.id)
            if isinstance(event, JobAnnotated):  # an array's tasks have its specification
                for task in [one for one in self.jobs if array_of(one) == event.job]:
                    self.jobs[task] = replace(self.jobs[task], spec=after.spec)
        assert (after is None) == isinstance(event, JobRemoved)

    def _withdrawn(self, job: Job) -> None:
        attempt = job.attempts[-1].id
        self.over.add(attempt)
        if attempt in self.truths:
            raise self.world.violated(f"{attempt} is taken back unstarted, and it had started")

    def _end(self, job: Job | None, told: Outcome) -> None:
        attempt = job.live_attempt if job is not None else None
        if job is None or attempt is None:
            return
        if attempt.id in self.over:
            raise self.world.violated(f"{attempt.id} ends twice")
        self.over.add(attempt.id)
        truth = self.truths.get(attempt.id)
        if truth is not None and truth.running:
            raise self.world.violated(
                f"{attempt.id} is said to have ended by {told.reason}, and it runs"
            )
        if not self._true(job, told, truth):
            raise self.world.violated(
                f"{attempt.id} is said to have ended by {told}, and did so by {truth}"
            )

    def _true(self, job: Job, told: Outcome, truth: Truth | None) -> bool:
        match told.reason:
            case Reason.SUCCESS:
                return truth is not None and truth.code == 0
            case Reason.EXIT_CODE:
                return truth is not None and truth.code == told.exit_code and truth.code != 0
            case Reason.LOST:
                return self.mishaps > 0
            case Reason.CANCELLED:
                array = array_of(job.id)
                return job.id in self.cancelled or array in self.cancelled
            case Reason.SHUTDOWN:
                return self.stops > 0
            case Reason.TIME_LIMIT:
                return job.spec.time_limit is not None and truth is not None
            case _:
                return False

    # The end

    def is_as_stored(self, jobs: Sequence[Job]) -> None:
        """The records are what the events come to."""
        stored = {job.id: job for job in jobs}
        if stored != self.jobs:
            differing = [i for i in {**stored, **self.jobs} if stored.get(i) != self.jobs.get(i)]
            raise self.world.violated(
                f"records of jobs {differing} are not what events make of them"
            )

    def all_is_explained(self) -> None:
        """Once nothing more goes wrong and nothing is held, everything has ended."""
        for job in self.jobs.values():
            if not job.state.final:
                raise self.world.violated(f"job {job.id} is {job.state} for ever: {job}")
            if job.outcome is None:
                raise self.world.violated(f"job {job.id} has ended without a reason")
            if (job.state is JobState.COMPLETED) != (job.outcome.reason is Reason.SUCCESS):
                raise self.world.violated(f"job {job.id} is {job.state}: {job.outcome}")
            for attempt in job.attempts:
                if attempt.live:
                    raise self.world.violated(f"{attempt.id} has no end, and its job has")
        if self.running:
            raise self.world.violated(f"{[*self.running]} run, and nobody knows")
