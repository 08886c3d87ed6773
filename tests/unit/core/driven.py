"""What every engine under test lives through: people, machines, time and its own crashes.

SOLVEYARD_EXAMPLES multiplies the number of examples; with SOLVEYARD_SHRINK=no a counterexample
is shown as it was found.
"""

import os
from dataclasses import astuple

import msgspec
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from solveyard.model.jobs import JobSpec, JobState, Limits, Reason
from solveyard.model.messages import (
    AnyObservation,
    Cancel,
    Kill,
    Sampled,
    SetLimits,
    Submit,
    Ticked,
)
from unit.core.judged import JudgedEngine
from unit.core.oracle import LIVE, WAITING, Entry
from unit.core.restart import decide_alike
from unit.core.wishes import SHAPES
from unit.core.world import BRIEF, LONG, Spawner

machines = st.sampled_from(["m", "m", "n"])
spawners = st.sampled_from([("m", 0), ("m", 1), ("n", 0)])
mostly = st.sampled_from([True, True, True, False])
GIB = 1024  #: MiB


def tried(examples: int, *, steps: int) -> settings:
    """How a state machine is run."""
    return settings(
        max_examples=int(examples * float(os.environ.get("SOLVEYARD_EXAMPLES", "1"))),
        stateful_step_count=steps,
        deadline=None,
        phases=(Phase.generate,) if os.environ.get("SOLVEYARD_SHRINK") == "no" else tuple(Phase),
        suppress_health_check=list(HealthCheck),
        print_blob=True,
    )


class DrivenEngine(JudgedEngine):
    """Drives an engine and the world that obeys it; who derives from it submits jobs."""

    # What people ask for

    @initialize(warm=mostly, machines=st.sampled_from([["m"], ["m", "n"]]), tidy=mostly)
    def begin(self, warm: bool, machines: list[str], tidy: bool) -> None:
        self.tidy = tidy
        for shape in SHAPES[: 2 if warm else 0]:
            for _ in range(4):
                self.pace.ended(JobSpec(solver="x", options=msgspec.Raw(shape)), BRIEF)
            self.books.brief[shape] = 4
            self.books.solvers_brief += 4
        for name in machines:
            self.connect(name)

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
            assert self.jobs[job_id].state is JobState.CANCELLED
        elif before is not None and before.is_array:
            live = {task.attempt for task in self.books.tasks(before)} - {None}
            assert {a.attempt for a in step.actions if isinstance(a, Kill)} == live
        elif before is not None and before.attempt is not None:
            kills = [action.attempt for action in step.actions if isinstance(action, Kill)]
            assert kills == [before.attempt]
        else:
            assert (step.events, step.actions) == ([], [])

    @rule(
        name=machines,
        cpu=st.sampled_from([0.0, 1.0, 3.0, 8.0]),
        ours=st.integers(0, 3),
        memory=st.sampled_from([200, 90, 20]),
        disk=st.sampled_from([100, 45, 10]),
    )
    def a_machine_is_looked_at(
        self, name: str, cpu: float, ours: int, memory: int, disk: int
    ) -> None:
        if self.world.machines[name].connected:
            self.send(Sampled(machine=name, cpu=cpu, ours=ours, memory_free=memory, disk_free=disk))

    def wish(self, wanted: list[JobSpec], by: str = "eve") -> None:
        """Refused where a name is taken, too many wait, or something could never run."""
        busy = [e.spec.name for e in self.books.entries.values() if not e.state.final]
        given = [spec.name for spec in wanted if spec.name]
        wrong = len(set(given)) < len(given) or any(name in busy for name in given)
        if self.books.machines:
            wrong = wrong or not all(self.books.possible(spec.resources) for spec in wanted)
        wrong = wrong or not self.books.admitted(by, wanted)
        step = self.request(Submit(by=by, specs=tuple(wanted)))
        assert (step is None) == wrong

    @rule(
        most=st.sampled_from([None, None, 3, 1, 0]),
        cpu=st.sampled_from([None, None, None, 50.0, 99.0, 100.0]),
        memory=st.sampled_from([None, None, None, 0, 40]),
        disk=st.sampled_from([None, None, None, 0, 20]),
    )
    def set_limits(
        self, most: int | None, cpu: float | None, memory: int | None, disk: int | None
    ) -> None:
        limits = Limits(
            max_concurrent=most,
            max_cpu_percent=cpu,
            min_memory_gb=None if memory is None else memory / GIB,
            min_disk_gb=None if disk is None else disk / GIB,
        )
        self.request(SetLimits(limits=limits))

    # What machines do

    @rule(data=st.data(), steps=st.integers(1, 12))
    def spawners_work(self, data: st.DataObject, steps: int) -> None:
        """One of them takes some of its orders."""
        busy = [spawner for spawner in self.world.spawners.values() if spawner.inbox]
        spawner = data.draw(st.sampled_from(busy)) if busy else None
        while spawner is not None and spawner.inbox and steps:
            spawner.obey()
            steps -= 1

    @rule(data=st.data(), steps=st.integers(1, 12), together=st.booleans())
    def news_arrives(self, data: st.DataObject, steps: int, together: bool) -> None:
        """Some of what one spawner has to say."""
        telling = [spawner for spawner in self.world.spawners.values() if spawner.outbox]
        spawner = data.draw(st.sampled_from(telling)) if telling else None
        if spawner is not None and together:
            self.send_together(self.news_of(spawner, steps))
            return
        while spawner is not None and spawner.outbox and steps:
            self.send(spawner.outbox.popleft())
            steps -= 1

    @rule(most=st.integers(1, 6))
    def news_of_all_arrives(self, most: int) -> None:
        """What several spawners have to say comes at the same moment."""
        self.send_together(
            [one for each in self.world.spawners.values() for one in self.news_of(each, most)]
        )

    @staticmethod
    def news_of(spawner: Spawner, most: int) -> list[AnyObservation]:
        return [spawner.outbox.popleft() for _ in range(min(most, len(spawner.outbox)))]

    def send_together(self, news: list[AnyObservation]) -> None:
        """But what comes again: the books take the first for true."""
        once: dict[object, AnyObservation] = {}
        again = []
        for one in news:
            kept = once.setdefault(getattr(one, "attempt", None) or one, one)
            if kept is not one:
                again.append(one)
        if once:
            self.send(*once.values())
        for one in again:
            self.send(one)

    @rule()
    def all_goes_well_for_a_while(self) -> None:
        for spawner in self.world.spawners.values():
            while spawner.inbox:
                spawner.obey()
            while spawner.outbox:
                self.send(spawner.outbox.popleft())

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

    @rule(many=st.integers(1, 3))
    def ended_tasks_are_put_away(self, many: int) -> None:
        for task in self.ended_tasks()[:many]:
            self.put_away(task)
        for task, job in self.away.items():
            assert self.engine.look(task) == job == self.folded[task]
            assert self.engine.state(task) is job.state

    @rule(many=st.integers(1, 3))
    def whole_jobs_are_put_away(self, many: int) -> None:
        self.put_whole_away(many)
        for job_id, job in self.jobs.items():
            assert self.engine.state(job_id) is job.state

    def restart(self) -> None:
        shelf = self.same_shelf()
        self.engine, self.shelf = self.restored(shelf), shelf

    # What a crash of the manager does

    @rule(data=st.data(), news=st.lists(st.tuples(st.integers(0, 11), st.integers(0, 99))))
    def the_manager_crashes(self, data: st.DataObject, news: list[tuple[int, int]]) -> None:
        assert self.folded == self.jobs
        if not self.draining:
            decide_alike(self.engine, self.restored(), self.world, self.now, news)
        self.restart()
        assert self.jobs == self.folded
        whole = {i: e for i, e in self.books.entries.items() if not e.array}
        names = {entry.spec.name: i for i, entry in whole.items() if entry.spec.name}
        assert self.engine.names == names
        self.pace = self.engine.scheduler.pace
        self.draining = False
        self.books.restart()
        self.world.lose_manager()
        for name in data.draw(st.sampled_from([["m", "n"], ["m", "n"], ["m"], []])):
            self.connect(name)

    def teardown(self) -> None:
        """Once nothing more goes wrong, every job ends, or waits for what it can't get."""
        if self.draining:
            self.restart()
            self.draining = False
            self.books.restart()
            self.world.lose_manager()
        self.request(SetLimits(limits=Limits()))
        self.connect("m")
        self.connect("n")
        while self._something_happens():
            pass
        assert self.folded == self.jobs
        for entry in self.books.entries.values():
            assert entry.state.final or self.stuck(entry)
            assert entry.state not in LIVE or entry.is_array
        now = self.engine.inventory.shadow()
        for machine in self.world.machines.values():
            for name, there in machine.nodes.items():
                left = astuple(now.nodes[machine.name][name].free)
                assert left == there, "not all came back"
        assert (now.licences, now.counts) == ({"hfss": 3}, {"bench": 2})

    def stuck(self, entry: Entry) -> bool:
        """Is it held, impossible here, or waits for one that is?"""
        if entry.state is JobState.HELD or entry.held:
            return True
        if not self.books.possible(entry.spec.resources):
            return True
        if entry.is_array:
            return any(self.stuck(task) for task in self.books.tasks(entry) if not task.state.final)
        return any(not self.books.met(link, entry) for link in entry.after)

    def _something_happens(self) -> bool:
        happened = False
        for spawner in self.world.spawners.values():
            while spawner.inbox:
                spawner.obey()
                happened = True
            while spawner.outbox:
                self.send(spawner.outbox.popleft())
                happened = True
            for attempt in [*reversed(spawner.running)]:
                spawner.finish(attempt, Reason.SUCCESS, LONG)
                happened = True
        pauses = [e.not_before for e in self.books.entries.values() if e.not_before > self.now]
        if not happened and pauses:
            self.now = min(pauses)
            self.send(Ticked())
            happened = True
        self.nothing_runs_that_should_not()
        return happened
