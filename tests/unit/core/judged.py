"""An engine in its world, where every step is judged."""

import copy

import msgspec
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant

from solveyard.core.engine import Engine, Step
from solveyard.core.lifecycle import evolve, unopened
from solveyard.core.shelf import Fetch, Reread, Shelf
from solveyard.core.slots import Pace
from solveyard.model.errors import InvalidRequest
from solveyard.model.ids import array_of, position_of
from solveyard.model.jobs import (
    AttemptId,
    Job,
    JobId,
    JobState,
    Placement,
)
from solveyard.model.messages import (
    AnyJobEvent,
    AnyRequest,
    Forget,
    JobAnnotated,
    JobEvent,
    JobPlaced,
    JobRetried,
    Kill,
    Launch,
    Message,
    Recall,
)
from solveyard.model.shares import NO_SHARES
from unit.core.amounts import amounts_of
from unit.core.oracle import WAITING, Books
from unit.core.world import World

UUID = "0123456789abcdef0123456789abcdef"


def reader(disk: dict[JobId, Job]) -> Fetch:
    return lambda task, array: msgspec.structs.replace(disk[task], spec=array.spec)


def rereader(disk: dict[JobId, Job]) -> Reread:
    return lambda ids: [disk[job] for job in ids]


class JudgedEngine(RuleBasedStateMachine):
    """The promises; who derives from it makes things happen."""

    shares = NO_SHARES

    def __init__(self) -> None:
        super().__init__()
        self.world, self.books, self.pace = World(), Books(shares=self.shares), Pace()
        self.disk: dict[JobId, Job] = {}  #: records of tasks that were ever put away
        self.away: dict[JobId, Job] = {}  #: tasks that are away now, as they are to whoever asks
        self.fetch = reader(self.disk)
        self.reread = rereader(self.disk)
        self.shelf = Shelf(self.fetch, reread=self.reread)
        self.engine = Engine(UUID, pace=self.pace, shares=self.shares, shelf=self.shelf)
        self.now = 1000.0
        self.folded: dict[JobId, Job] = {}
        self.launched: dict[AttemptId, Placement] = {}
        self.draining = False
        self.tidy = False  #: whoever may is put away at once

    @property
    def jobs(self) -> dict[JobId, Job]:
        """All that the engine knows, what was put away too."""
        whole = {i: job for i, job in self.disk.items() if self.shelf.whole(i) is not None}
        return {**self.away, **whole, **self.engine.jobs}

    def put_whole_away(self, many: int | None = None) -> None:
        """Jobs that only wait their turn, or have ended: those that came first."""
        there = self.engine.jobs
        whole = [i for i, job in there.items() if job.spec.array is None]
        over = [i for i in whole if there[i].state.final]
        waiting = [i for i in whole if there[i].state in WAITING]
        for job in [*over, *(i for i in waiting if self.engine.may_wait_away(i))][:many]:
            self.disk[job] = there[job]
            self.shelf.put_whole(job, there[job].state)
            self.engine.put_away(job)

    def ended_tasks(self) -> list[JobId]:
        """Those at hand."""
        there = self.engine.jobs
        return [i for i, job in there.items() if array_of(i) is not None and job.state.final]

    def put_away(self, task: JobId) -> None:
        job = self.engine.jobs[task]
        self.disk[task] = self.away[task] = job
        self.shelf.put(task, job.state)
        self.engine.put_away(task)

    # How the engine is asked, and judged

    def send(self, *messages: Message) -> Step:
        """Several come together, and are concluded at once."""
        self.books.now = self.now
        for message in messages:
            self.books.hear(message)
        if self.tidy:
            self.put_whole_away()
        before = self.jobs
        if len(messages) == 1:
            step = self.engine.handle(messages[0], self.now)
        else:
            steps = [self.engine.take(message, self.now) for message in messages]
            step = self.engine.conclude()
            step = step._replace(
                events=[event for each in (*steps, step) for event in each.events],
                actions=[action for each in (*steps, step) for action in each.actions],
            )
        self.judge(before, step)
        for event in step.events:  # they are on disk
            if isinstance(event, JobEvent) and event.job in self.engine.jobs:
                self.shelf.take(event.job)
                self.away.pop(event.job, None)
            elif isinstance(event, JobEvent):
                self.shelf.clear(event.job)
        if self.tidy:
            for task in self.ended_tasks():
                self.put_away(task)
        self.world.perform(step.actions)
        return step

    def request(self, request: AnyRequest) -> Step | None:
        """None: it was refused, and that changed nothing."""
        engine = self.engine
        before = self.jobs, dict(engine.names), engine.counter, engine.limits
        spent = dict(engine.spent)
        try:
            return self.send(request)
        except InvalidRequest:
            pass
        assert before == (self.jobs, engine.names, engine.counter, engine.limits)
        assert spent == engine.spent
        return None

    def judge(self, before: dict[JobId, Job], step: Step) -> None:
        retried, touched = set(), set()
        for event in step.events:
            self.books.note(event)
            if isinstance(event, JobEvent):
                self.fold(event)
                touched.add(event.job)
                retried |= {event.job} if isinstance(event, JobRetried) else set()
        jobs, entries = self.jobs, self.books.entries
        assert sorted(jobs) == sorted(entries)
        for job_id, old in before.items():
            new = jobs.get(job_id)
            if job_id not in touched:
                changed = array_of(job_id) in touched
                assert new is old or (new is None and changed) or job_id in self.away
            elif new is not None:
                assert self.folded[job_id] == new
                assert not old.state.final or job_id in retried or new.state is old.state
                self.judge_attempts(old, new)
        for job_id, entry in entries.items():
            assert (jobs[job_id].state, jobs[job_id].priority) == (entry.state, entry.priority)
            assert not self.books.overdue(entry, self.now)
        self.judge_actions(step)
        assert step.wake is None or step.wake > self.now
        if self.draining:
            assert not any(isinstance(event, JobPlaced) for event in step.events)
        elif not self.shares.fair:  # there what time alone changes waits for the next news
            self.books.judge_rest()

    def fold(self, event: AnyJobEvent) -> None:
        before = self.folded.get(event.job)
        if before is None and (array := array_of(event.job)) is not None:
            before = unopened(self.folded[array], position_of(event.job) or 0)
        after = evolve(before, event)
        if after is None:
            for gone in [i for i in self.folded if event.job in {i, array_of(i)}]:
                del self.folded[gone]
                self.away.pop(gone, None)
        else:
            self.folded[event.job] = after
        if isinstance(event, JobAnnotated) and after is not None:
            for task in [i for i in self.folded if array_of(i) == event.job]:
                self.folded[task] = msgspec.structs.replace(self.folded[task], spec=after.spec)
                if task in self.away:
                    self.away[task] = self.folded[task]

    def judge_attempts(self, old: Job, new: Job) -> None:
        assert len(new.attempts) >= len(old.attempts)
        for was, now in zip(old.attempts, new.attempts, strict=False):
            if not was.live:
                assert now.notes[: len(was.notes)] == was.notes
                assert msgspec.structs.replace(now, notes=was.notes) == was, "an end was changed"

    def judge_actions(self, step: Step) -> None:
        live = {entry.attempt: placement for entry, placement in self.books.holding}
        for action in step.actions:
            if isinstance(action, Launch):
                assert not self.draining
                assert live[action.attempt] == action.placement
                known = self.launched.setdefault(action.attempt, action.placement)
                assert known == action.placement
                at = action.placement
                spawner = self.world.spawners[at.machine, at.spawner]
                here = (spawner.machine.boot_id, spawner.ledger)
                assert here == (at.boot_id, at.ledger), "it was meant for another boot"
            elif isinstance(action, Kill | Recall):
                assert action.attempt in live
            elif isinstance(action, Forget):
                assert action.attempt not in live

    def pick(self, data: st.DataObject, states: set[JobState] | None = None) -> JobId:
        able = [i for i, job in self.jobs.items() if states is None or job.state in states]
        return data.draw(st.sampled_from(able or [JobId(10**6)]))

    def restored(self, shelf: Shelf | None = None) -> Engine:
        """With its own shelf, if none is given."""
        over = self.over()
        there = {i: job for i, job in self.jobs.items() if i not in {*self.away, *over}}
        known = sorted(there.values(), key=lambda job: job.id)
        records = msgspec.json.encode(known)
        jobs = msgspec.json.decode(records, type=list[Job])
        pace = copy.deepcopy(self.pace)
        spent = [*self.engine.spent.values()]
        limits, counter = self.engine.limits, self.engine.counter
        shelf = shelf or self.same_shelf()
        names = {job.spec.name: i for i, job in over.items() if job.spec.name}
        return Engine(UUID, jobs, limits, counter, pace, self.shares, spent, shelf, names)

    def over(self) -> dict[JobId, Job]:
        """Whole jobs that have ended and are away."""
        return {
            i: job
            for i, job in self.disk.items()
            if (state := self.shelf.whole(i)) is not None and state.final
        }

    def same_shelf(self) -> Shelf:
        """Those that have ended are away on it, too."""
        away = [(i, job.state) for i, job in self.away.items()]
        shelf = Shelf(self.fetch, away, reread=self.reread)
        for job_id, job in self.over().items():
            shelf.put_whole(job_id, job.state)
        return shelf

    # What is always so

    @invariant()
    def nothing_runs_that_should_not(self) -> None:
        world, running = self.world, self.world.running
        assert len(set(world.started)) == len(world.started), "an attempt was started twice"
        believed = {entry.attempt for entry, _ in self.books.holding}
        assert running.keys() <= believed, "something runs that is believed to have ended"
        used: dict[str, list[int]] = {}
        for run in running.values():
            for share in run.placement.allocation.shares:
                amounts = used.setdefault(share.node, [0, 0, 0, 0])
                for place, amount in enumerate(amounts_of(share)):
                    amounts[place] += amount
        for machine in world.machines.values():
            for node, there in machine.nodes.items():
                held = used.get(node, [0, 0, 0, 0])
                assert all(amount <= most for amount, most in zip(held, there, strict=True))
        needs = [run.spec.resources for run in running.values()]
        assert sum(need.licences.get("hfss", 0) for need in needs) <= 3
        assert sum(need.counts.get("bench", 0) for need in needs) <= 2
        gpus = [
            (share.node, number)
            for run in running.values()
            for share in run.placement.allocation.shares
            for number in share.gpu_ids
        ]
        assert len(set(gpus)) == len(gpus), "two jobs have one GPU"
        slots = [run.placement.slot for run in running.values()]
        assert len(set(slots)) == len(slots), "two run in one slot"
        held = [entry for entry, _ in self.books.holding if entry.attempt in running]
        keys = [key for entry in held for key in entry.keys]
        assert len(set(keys)) == len(keys), "two that exclude each other run at once"

    @invariant()
    def what_waits_has_a_reason(self) -> None:
        for job_id, job in self.jobs.items():
            if job.is_array:
                assert not job.state.final or not self.engine.why(job_id)
                continue
            assert bool(self.engine.why(job_id)) == (job.state in {*WAITING, JobState.SUBMITTED})

    @invariant()
    def no_job_is_forgotten(self) -> None:
        submitted = sum(isinstance(each, int) for each in self.books.ids)
        assert submitted == len(self.jobs) + self.books.removed
