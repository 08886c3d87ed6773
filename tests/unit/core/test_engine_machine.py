"""The engine keeps its promises under any order of messages, losses and crashes.

SOLVEYARD_EXAMPLES multiplies the number of examples; with SOLVEYARD_SHRINK=no a counterexample
is shown as it was found.
"""

import copy
import os

import msgspec
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from solveyard.core.engine import Engine, Step
from solveyard.core.lifecycle import evolve
from solveyard.core.slots import Pace
from solveyard.model.errors import InvalidRequest
from solveyard.model.jobs import (
    AttemptId,
    Job,
    JobId,
    JobSpec,
    JobState,
    Limits,
    Outcome,
    Placement,
    Reason,
    Usage,
)
from solveyard.model.messages import (
    Accepted,
    AnyJobEvent,
    AnyObservation,
    AnyRequest,
    Cancel,
    Drain,
    Ended,
    Forget,
    Hold,
    JobEvent,
    JobPlaced,
    JobRetried,
    Kill,
    Launch,
    Message,
    Missing,
    Recall,
    Recalled,
    Release,
    Remove,
    Retry,
    SetLimits,
    SetPriority,
    Started,
    Submit,
    Ticked,
)
from solveyard.model.resources import Range, Resources
from unit.core.oracle import WAITING, Books
from unit.core.world import BRIEF, LONG, World

UUID = "0123456789abcdef0123456789abcdef"
EXAMPLES = int(500 * float(os.environ.get("SOLVEYARD_EXAMPLES", "1")))
SHAPES = (b'{"brief":1}', b'{"brief":2}', b"{}")

counts = st.integers(1, 3)
ranges = st.builds(lambda low, more: Range(min=low, max=low + more), counts, st.integers(0, 4))
needs = st.one_of(
    st.builds(Resources, cores=counts | ranges, memory=st.sampled_from([0, 30, 50, 100])),
    st.builds(Resources, cores=counts, licences=st.sampled_from([{"hfss": 1}, {"hfss": 2}])),
    st.builds(Resources, cores=counts, nodes=st.integers(1, 2), memory=st.sampled_from([0, 60])),
    st.builds(Resources, nodes=st.integers(1, 2), whole_nodes=st.just(True)),
    st.builds(Resources, cores=st.just(5), nodes=st.integers(1, 3)),
)
options = st.sampled_from(SHAPES).map(msgspec.Raw)
plain = st.builds(JobSpec, solver=st.just("x"), options=options, priority=st.integers(-1, 1))
specs = st.one_of(
    plain,
    st.builds(JobSpec, solver=st.just("x"), name=st.sampled_from(["a", "b"]), options=options),
    st.builds(JobSpec, solver=st.just("x"), resources=needs, priority=st.integers(-2, 2)),
    st.builds(JobSpec, solver=st.just("x"), resources=needs, options=options),
    st.builds(
        JobSpec,
        solver=st.just("x"),
        options=options,
        exclusive=st.sampled_from([("p",), ("q",), ("p", "q")]),
        priority=st.integers(-1, 1),
    ),
    st.builds(
        JobSpec,
        solver=st.just("x"),
        options=options,
        wait_limit=st.sampled_from([0.3, 1.0, 30.0]),
        hold=st.booleans(),
    ),
)


machines = st.sampled_from(["m", "m", "n"])
spawners = st.sampled_from([("m", 0), ("m", 1), ("n", 0)])
mostly = st.sampled_from([True, True, True, False])


class EngineMachine(RuleBasedStateMachine):
    """Drives an engine and the world that obeys it."""

    def __init__(self) -> None:
        super().__init__()
        self.world, self.books, self.pace = World(), Books(), Pace()
        self.engine = Engine(UUID, pace=self.pace)
        self.now = 1000.0
        self.folded: dict[JobId, Job] = {}
        self.launched: dict[AttemptId, Placement] = {}
        self.draining = False

    # How the engine is asked, and judged

    def send(self, message: Message) -> Step:
        self.books.hear(message)
        before = dict(self.engine.jobs)
        step = self.engine.handle(message, self.now)
        self.judge(before, step)
        self.world.perform(step.actions)
        return step

    def request(self, request: AnyRequest) -> Step | None:
        """None: it was refused, and that changed nothing."""
        engine = self.engine
        before = dict(engine.jobs), dict(engine.names), engine.counter, engine.limits
        try:
            return self.send(request)
        except InvalidRequest:
            pass
        assert before == (engine.jobs, engine.names, engine.counter, engine.limits)
        return None

    def judge(self, before: dict[JobId, Job], step: Step) -> None:
        retried, touched = set(), set()
        for event in step.events:
            self.books.note(event)
            if isinstance(event, JobEvent):
                self.fold(event)
                touched.add(event.job)
                retried |= {event.job} if isinstance(event, JobRetried) else set()
        jobs, entries = self.engine.jobs, self.books.entries
        assert [*jobs] == [*entries]
        for job_id, old in before.items():
            new = jobs.get(job_id)
            if job_id not in touched:
                assert new is old
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
        else:
            self.books.judge_rest()

    def fold(self, event: AnyJobEvent) -> None:
        after = evolve(self.folded.get(event.job), event)
        if after is None:
            del self.folded[event.job]
        else:
            self.folded[event.job] = after

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
            elif isinstance(action, Kill | Recall):
                assert action.attempt in live
            elif isinstance(action, Forget):
                assert action.attempt not in live

    def pick(self, data: st.DataObject, states: set[JobState] | None = None) -> JobId:
        able = [i for i, job in self.engine.jobs.items() if states is None or job.state in states]
        return data.draw(st.sampled_from(able or [JobId(10**6)]))

    # What people ask for

    @initialize(warm=mostly, machines=st.sampled_from([["m"], ["m", "n"]]))
    def begin(self, warm: bool, machines: list[str]) -> None:
        for shape in SHAPES[: 2 if warm else 0]:
            for _ in range(4):
                self.pace.ended(JobSpec(solver="x", options=msgspec.Raw(shape)), BRIEF)
            self.books.brief[shape] = 4
        for name in machines:
            self.connect(name)

    @rule(wanted=st.lists(specs, min_size=1, max_size=3))
    def submit(self, wanted: list[JobSpec]) -> None:
        busy = [e.spec.name for e in self.books.entries.values() if not e.state.final]
        given = [spec.name for spec in wanted if spec.name]
        wrong = len(set(given)) < len(given) or any(name in busy for name in given)
        if self.books.machines:
            wrong = wrong or not all(self.books.possible(spec.resources) for spec in wanted)
        step = self.request(Submit(by="eve", specs=tuple(wanted)))
        assert (step is None) == wrong

    @rule(copies=st.integers(2, 12), spec=plain)
    def submit_many_alike(self, copies: int, spec: JobSpec) -> None:
        assert self.request(Submit(specs=(spec,) * copies)) is not None

    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        self.send(Ticked())  # so that what time causes is done
        job_id = self.pick(data)
        before = self.books.entries.get(job_id)
        state = before.state if before is not None else None
        step = self.request(Cancel(job=job_id))
        if step is None:
            assert before is None
        elif state in WAITING:
            assert self.engine.jobs[job_id].state is JobState.CANCELLED
        elif before is not None and before.attempt is not None:
            kills = [action.attempt for action in step.actions if isinstance(action, Kill)]
            assert kills == [before.attempt]
        else:
            assert (step.events, step.actions) == ([], [])

    @rule(data=st.data(), kind=st.sampled_from([Hold, Retry, Remove]), fitting=mostly)
    def change(self, data: st.DataObject, kind: type[Hold | Retry | Remove], fitting: bool) -> None:
        states = {JobState.QUEUED} if kind is Hold else {state for state in JobState if state.final}
        self.request(kind(job=self.pick(data, states if fitting else None)))

    @rule(data=st.data())
    def retry_or_release(self, data: st.DataObject) -> None:
        waiting = [each.id for each in self.engine.jobs.values() if each.state is JobState.HELD]
        if waiting:
            self.request(Release(job=data.draw(st.sampled_from(waiting))))
        else:
            self.request(Retry(job=self.pick(data, {JobState.FAILED, JobState.COMPLETED})))

    @rule(data=st.data(), priority=st.integers(-3, 3))
    def set_priority(self, data: st.DataObject, priority: int) -> None:
        job_id = self.pick(data, {JobState.QUEUED, JobState.HELD, JobState.SUBMITTED})
        self.request(SetPriority(job=job_id, priority=priority))

    @rule(most=st.sampled_from([None, None, 3, 1, 0]))
    def set_limits(self, most: int | None) -> None:
        self.request(SetLimits(limits=Limits(max_concurrent=most)))

    @precondition(lambda self: not self.draining and len(self.books.ids) > 12)
    @rule(leave=st.booleans())
    def drain(self, leave: bool) -> None:
        self.draining = True
        step = self.request(Drain(leave=leave))
        assert step is not None
        killed = {action.attempt for action in step.actions if isinstance(action, Kill)}
        assert killed == (set() if leave else {entry.attempt for entry, _ in self.books.holding})

    # What machines do

    @rule(data=st.data(), steps=st.integers(1, 12))
    def spawners_work(self, data: st.DataObject, steps: int) -> None:
        """One of them takes some of its orders."""
        busy = [spawner for spawner in self.world.spawners.values() if spawner.inbox]
        spawner = data.draw(st.sampled_from(busy)) if busy else None
        while spawner is not None and spawner.inbox and steps:
            spawner.obey()
            steps -= 1

    @rule(data=st.data(), steps=st.integers(1, 12))
    def news_arrives(self, data: st.DataObject, steps: int) -> None:
        """Some of what one spawner has to say."""
        telling = [spawner for spawner in self.world.spawners.values() if spawner.outbox]
        spawner = data.draw(st.sampled_from(telling)) if telling else None
        while spawner is not None and spawner.outbox and steps:
            self.send(spawner.outbox.popleft())
            steps -= 1

    @rule()
    def all_goes_well_for_a_while(self) -> None:
        for spawner in self.world.spawners.values():
            while spawner.inbox:
                spawner.obey()
            while spawner.outbox:
                self.send(spawner.outbox.popleft())

    @rule(data=st.data())
    def news_arrives_twice(self, data: st.DataObject) -> None:
        """All but Missing, which answers one question once."""
        telling = [s for s in self.world.spawners.values() if s.outbox]
        if not telling:
            return
        message = data.draw(st.sampled_from(telling)).outbox.popleft()
        self.send(message)
        if not isinstance(message, Missing):
            again = self.send(message)
            assert again.events == []
            assert all(isinstance(action, Forget | Kill) for action in again.actions)

    @rule(key=spawners, brief=mostly, ok=mostly)
    def commands_end(self, key: tuple[str, int], brief: bool, ok: bool) -> None:
        spawner = self.world.spawners[key]
        reason = Reason.SUCCESS if ok else Reason.EXIT_CODE
        for attempt in [*spawner.running]:
            spawner.finish(attempt, reason, BRIEF if brief else LONG)

    @rule(name=machines)
    def connect(self, name: str) -> None:
        machine = self.world.machines[name]
        if not machine.connected:
            self.send(machine.join())
        for spawner in machine.spawners:
            if not spawner.connected:
                self.send(spawner.join())

    @rule(key=spawners, agent=st.booleans(), killed=st.booleans(), back=mostly)
    def a_connection_is_lost(
        self, key: tuple[str, int], agent: bool, killed: bool, back: bool
    ) -> None:
        machine, spawner = self.world.machines[key[0]], self.world.spawners[key]
        if killed:
            spawner.die()
        if agent and machine.connected:
            self.send(machine.leave())
        if spawner.connected:
            self.send(spawner.leave())
        if back:
            self.connect(key[0])

    @rule(name=machines, ledger_gone=st.booleans(), back=mostly)
    def a_machine_crashes(self, name: str, ledger_gone: bool, back: bool) -> None:
        machine = self.world.machines[name]
        for spawner in machine.spawners:
            spawner.crash(ledger_gone=ledger_gone)
            if spawner.connected:
                self.send(spawner.leave())
        machine.boots += 1
        if machine.connected:
            self.send(machine.leave())
        if back:
            self.connect(name)

    # What time does

    @rule(seconds=st.sampled_from([0.0, 0.01, 0.09, 0.5, 3.0, 40.0]))
    def time_passes(self, seconds: float) -> None:
        wake = self.send(Ticked()).wake
        self.now += seconds
        step = self.send(Ticked())
        if wake is None or wake > self.now:
            assert (step.events, step.actions) == ([], []), "nobody would have woken it for this"

    @rule()
    def it_is_woken(self) -> None:
        wake = self.send(Ticked()).wake
        if wake is not None:
            self.now = wake
            self.send(Ticked())  # `judge` sees that the next wake is later

    # What a crash of the manager does

    def restored(self) -> Engine:
        records = msgspec.json.encode([*self.engine.jobs.values()])
        jobs = msgspec.json.decode(records, type=list[Job])
        pace = copy.deepcopy(self.pace)
        return Engine(UUID, jobs, self.engine.limits, self.engine.counter, pace)

    @rule(data=st.data(), news=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 99))))
    def the_manager_crashes(self, data: st.DataObject, news: list[tuple[int, int]]) -> None:
        assert self.folded == self.engine.jobs
        if not self.draining:
            self.compare_with_restored(news)
        self.engine = self.restored()
        assert self.engine.jobs == self.folded
        names = {entry.spec.name: i for i, entry in self.books.entries.items() if entry.spec.name}
        assert self.engine.names == names
        self.pace = self.engine.scheduler.pace
        self.draining = False
        self.books.restart()
        self.world.lose_manager()
        for name in data.draw(st.sampled_from([["m", "n"], ["m", "n"], ["m"], []])):
            self.connect(name)

    def compare_with_restored(self, news: list[tuple[int, int]]) -> None:
        """All machines lose the one manager and join the other: both decide alike from there."""
        world = copy.deepcopy(self.world)
        live, fresh = copy.deepcopy(self.engine), self.restored()
        for spawner in world.spawners.values():
            live.handle(spawner.leave(), self.now)
        for machine in world.machines.values():
            live.handle(machine.leave(), self.now)
        messages: list[Message] = [machine.join() for machine in world.machines.values()]
        messages += [spawner.join() for spawner in world.spawners.values()]
        now = self.now
        for message in messages:
            assert decision(live, message, now) == decision(fresh, message, now)
        for kind, index in news:
            now += 0.06
            told = some_news(live, kind, index)
            assert decision(live, told, now) == decision(fresh, told, now)
        assert live.jobs == fresh.jobs

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
                amounts = used.setdefault(share.node, [0, 0])
                amounts[0] += share.cores
                amounts[1] += share.memory
        for machine in world.machines.values():
            for node, (cores, memory) in machine.nodes.items():
                assert used.get(node, [0, 0])[0] <= cores
                assert used.get(node, [0, 0])[1] <= memory
        seats = sum(run.spec.resources.licences.get("hfss", 0) for run in running.values())
        assert seats <= 3
        slots = [run.placement.slot for run in running.values()]
        assert len(set(slots)) == len(slots), "two run in one slot"
        keys = [key for run in running.values() for key in run.spec.exclusive]
        assert len(set(keys)) == len(keys), "two that exclude each other run at once"

    @invariant()
    def what_waits_has_a_reason(self) -> None:
        for job_id, job in self.engine.jobs.items():
            assert bool(self.engine.why(job_id)) == (job.state in {*WAITING, JobState.SUBMITTED})

    @invariant()
    def no_job_is_forgotten(self) -> None:
        submitted = sum(isinstance(each, int) for each in self.books.ids)
        assert submitted == len(self.engine.jobs) + self.books.removed

    def teardown(self) -> None:
        """Once nothing more goes wrong, every job ends, or waits for what it can't get."""
        if self.draining:
            self.engine = self.restored()
            self.draining = False
            self.books.restart()
            self.world.lose_manager()
        self.set_limits(None)
        self.connect("m")
        self.connect("n")
        while self._something_happens():
            pass
        assert self.folded == self.engine.jobs
        for entry in self.books.entries.values():
            possible = self.books.possible(entry.spec.resources)
            assert entry.state.final or entry.state is JobState.HELD or not possible
            assert entry.state not in {JobState.SUBMITTED, JobState.RUNNING}

    def _something_happens(self) -> bool:
        happened = False
        for spawner in self.world.spawners.values():
            while spawner.inbox:
                spawner.obey()
                happened = True
            while spawner.outbox:
                self.send(spawner.outbox.popleft())
                happened = True
            for attempt in list(spawner.running):
                spawner.finish(attempt, Reason.SUCCESS, LONG)
                happened = True
        self.nothing_runs_that_should_not()
        return happened


def decision(engine: Engine, message: Message, now: float) -> object:
    """What the engine makes of it; a recall may be repeated, so none counts."""
    try:
        step = engine.handle(message, now)
    except InvalidRequest as refusal:
        return type(refusal), str(refusal)
    return step.events, [action for action in step.actions if not isinstance(action, Recall)]


def some_news(engine: Engine, kind: int, index: int) -> Message:
    """Something that could be said next, chosen by two numbers."""
    ids = [*engine.jobs] or [JobId(1)]
    job_id = ids[index % len(ids)]
    live = [job.attempts[-1] for job in engine.jobs.values() if job.live_attempt is not None]
    if not live or kind > 6:
        spec = JobSpec(solver="x", options=msgspec.Raw(SHAPES[index % 3]), priority=index % 3 - 1)
        requests: list[Message] = [Submit(specs=(spec,) * 3), Cancel(job=job_id), Ticked()]
        return requests[kind % 3]
    attempt = live[index % len(live)]
    at = attempt.placement
    success = Outcome(reason=Reason.SUCCESS)
    reports: list[AnyObservation] = [
        Accepted(attempt=attempt.id, native_id=""),
        Started(attempt=attempt.id, native_id="1", at=1.0),
        Ended(attempt=attempt.id, outcome=success, usage=Usage(wall=BRIEF)),
        Ended(attempt=attempt.id, outcome=Outcome(reason=Reason.EXIT_CODE)),
        Recalled(attempt=attempt.id),
        Missing(attempt=attempt.id, boot_id=at.boot_id, ledger=at.ledger),
        Missing(attempt=attempt.id, boot_id="another", ledger=at.ledger),
    ]
    return reports[kind]


EngineMachine.TestCase.settings = settings(
    max_examples=EXAMPLES,
    stateful_step_count=50,
    deadline=None,
    phases=(Phase.generate,) if os.environ.get("SOLVEYARD_SHRINK") == "no" else tuple(Phase),
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)
TestEngine = EngineMachine.TestCase
