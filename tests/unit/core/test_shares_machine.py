"""Owners share as their weights say and keep their quotas, before and after a crash."""

from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule

from solveyard.model.jobs import JobSpec
from solveyard.model.messages import Sampled
from solveyard.model.resources import Resources
from solveyard.model.shares import Quota, Shares
from unit.core.driven import DrivenEngine, tried
from unit.core.wishes import arrays, options

owners = st.sampled_from(["ann", "bob", "cid"])
wishes = st.one_of(
    st.builds(
        JobSpec,
        solver=st.just("x"),
        resources=st.builds(Resources, cores=st.integers(0, 3), memory=st.sampled_from([0, 50])),
        options=options,
        priority=st.sampled_from([0, 0, 0, 0, 1]),
    ),
    st.builds(JobSpec, solver=st.just("x"), options=options, array=arrays),
)


class SharesMachine(DrivenEngine):
    """Three people of different weight; one is bounded in each way."""

    shares = Shares(
        fair=True,
        half_life=50.0,
        weights={"ann": 2.0, "bob": 1.0, "cid": 1.0},
        quotas={"cid": Quota(running=2, cores=3, waiting=9)},
    )

    @rule(wanted=st.lists(wishes, min_size=1, max_size=4), by=owners)
    def submit(self, wanted: list[JobSpec], by: str) -> None:
        self.wish(wanted, by)

    @rule(wanted=st.lists(wishes, min_size=2, max_size=5), by=owners)
    def submit_while_it_runs(self, wanted: list[JobSpec], by: str) -> None:
        self.wish(wanted, by)
        self.all_goes_well_for_a_while()

    @invariant()
    def whoever_could_start_has(self) -> None:
        """With the next news, which a look at a machine is."""
        for name, machine in self.world.machines.items():
            if machine.connected:
                self.send(Sampled(machine=name, cpu=0.0, memory_free=500, disk_free=500))
                self.books.judge_rest()
                return

    @invariant()
    def quotas_are_kept(self) -> None:
        held = [at.allocation.cores for entry, at in self.books.holding if entry.owner == "cid"]
        assert len(held) <= 2
        assert sum(held) <= 3


SharesMachine.TestCase.settings = tried(100, steps=40)
TestShares = SharesMachine.TestCase
