"""The engine keeps its promises under any order of messages, losses and crashes."""

import msgspec
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from solveyard.model.arrays import ArraySpec
from solveyard.model.ids import task_id
from solveyard.model.jobs import JobSpec, JobState
from solveyard.model.messages import (
    Annotate,
    Cancel,
    Drain,
    Forget,
    Hold,
    Kill,
    Missing,
    OfSeveral,
    Release,
    Remove,
    Retry,
    SetPriority,
    Submit,
)
from solveyard.model.policies import Dependency, On
from unit.core.driven import DrivenEngine, mostly, tried
from unit.core.wishes import plain, specs

ends: st.SearchStrategy[On] = st.sampled_from(["success", "success", "end", "failure"])


class EngineMachine(DrivenEngine):
    """All that people may ask for."""

    # What people ask for

    @rule(wanted=st.lists(specs, min_size=1, max_size=3))
    def submit(self, wanted: list[JobSpec]) -> None:
        self.wish(wanted)

    @rule(data=st.data(), ons=st.lists(st.sampled_from(["success", "end", "failure"]), min_size=1))
    def submit_after_others(self, data: st.DataObject, ons: list[On]) -> None:
        """Jobs and tasks; some of those may not have begun."""
        others = [job.label for job in self.jobs.values()]
        for entry in self.books.entries.values():
            if entry.is_array:
                assert entry.spec.array is not None
                others += [f"{entry.id}[{n}]" for n in range(len(entry.spec.array))]
        if not others:
            return
        named = [data.draw(st.sampled_from(others)) for _ in ons[:3]]
        wishes = [Dependency(job=job, on=on) for job, on in zip(named, ons, strict=False)]
        spec = data.draw(specs)
        spec = msgspec.structs.replace(spec, after=tuple(wishes), name="")
        possible = self.books.possible(spec.resources) or not self.books.machines
        assert (self.request(Submit(specs=(spec,))) is not None) == possible

    @rule(size=st.integers(2, 4), ons=st.lists(ends, min_size=1, max_size=2))
    def submit_in_pairs(self, size: int, ons: list[On]) -> None:
        """Arrays, each task of which waits for its counterpart in the one before."""
        wishes: list[Dependency] = []
        for on in (*ons, None):
            spec = JobSpec(solver="x", array=ArraySpec(stop=size), priority=1, after=tuple(wishes))
            step = self.request(Submit(specs=(spec,)))
            assert step is not None
            if on is not None:
                wishes = [Dependency(job=f"{step.events[0].job}[{{{{index}}}}]", on=on)]

    @rule(data=st.data(), size=st.integers(2, 4), ons=st.tuples(ends, ends, ends))
    def submit_in_pairs_after_another(self, data: st.DataObject, size: int, ons: list[On]) -> None:
        """As well as for their counterparts they wait for one job that is there."""
        others = [f"#{i}" for i, job in self.jobs.items() if job.spec.array is None]
        array = ArraySpec(stop=size)
        mates = [
            JobSpec(solver="x", array=array, name=f"{n}-{self.engine.counter.next}") for n in "xy"
        ]
        named = [f"{mate.name}[{{{{index}}}}]" for mate in mates]
        named += [data.draw(st.sampled_from(others))] if others else []
        after = tuple(Dependency(job=job, on=on) for job, on in zip(named, ons, strict=False))
        waiting = JobSpec(solver="x", array=array, after=after, priority=1)
        assert self.request(Submit(specs=(*mates, waiting))) is not None

    @rule(size=st.integers(2, 4), whom=st.sampled_from(["[{{index}}]", "[1]", ""]), on=ends)
    def submit_who_waits_first(self, size: int, whom: str, on: On) -> None:
        """Of two arrays the one that waits for the other, or for a task of it."""
        other = f"mesh-{self.engine.counter.next}"
        wish = Dependency(job=other + whom, on=on)
        waiting = JobSpec(solver="x", array=ArraySpec(stop=size), after=(wish,), priority=1)
        first = JobSpec(solver="x", array=ArraySpec(stop=size), name=other)
        assert self.request(Submit(specs=(waiting, first))) is not None

    @rule(copies=st.integers(2, 12), spec=plain)
    def submit_many_alike(self, copies: int, spec: JobSpec) -> None:
        assert self.request(Submit(specs=(spec,) * copies)) is not None

    @rule(data=st.data(), kind=st.sampled_from([Hold, Retry, Remove]), fitting=mostly)
    def change(self, data: st.DataObject, kind: type[Hold | Retry | Remove], fitting: bool) -> None:
        states = {JobState.QUEUED} if kind is Hold else {state for state in JobState if state.final}
        self.request(kind(job=self.pick(data, states if fitting else None)))

    @rule(data=st.data(), kind=st.sampled_from([Hold, Release, Retry, Cancel]))
    def change_several(
        self, data: st.DataObject, kind: type[Hold | Release | Retry | Cancel]
    ) -> None:
        arrays = [job for job in self.jobs.values() if job.is_array]
        if not arrays:
            return
        array = data.draw(st.sampled_from(arrays))
        assert array.spec.array is not None
        first = data.draw(st.integers(0, len(array.spec.array) - 1))
        tasks = tuple(task_id(array.id, n) for n in range(first, len(array.spec.array)))
        self.request(OfSeveral(jobs=tasks, wish=kind(job=tasks[0])))

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

    @rule(data=st.data(), tag=st.sampled_from(["", "a", "b"]))
    def annotate(self, data: st.DataObject, tag: str) -> None:
        job_id = self.pick(data)
        if self.request(Annotate(job=job_id, tags=(tag,))) is not None:
            assert self.jobs[job_id].spec.tags == (tag,)

    @precondition(lambda self: not self.draining and len(self.books.ids) > 12)
    @rule(leave=st.booleans())
    def drain(self, leave: bool) -> None:
        self.draining = True
        step = self.request(Drain(leave=leave))
        assert step is not None
        killed = {action.attempt for action in step.actions if isinstance(action, Kill)}
        assert killed == (set() if leave else {entry.attempt for entry, _ in self.books.holding})

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


EngineMachine.TestCase.settings = tried(400, steps=50)
TestEngine = EngineMachine.TestCase
