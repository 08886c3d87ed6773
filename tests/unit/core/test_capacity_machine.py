"""Every dimension of capacity is kept: cores, memory, scratch disk, GPUs, licences and counts.

No node and no pool ever gives more than it has, a GPU is one job's, host limits hold for what was
promised too, and all that could start does; before and after a crash.
"""

from hypothesis import strategies as st
from hypothesis.stateful import rule

from solveyard.model.jobs import JobSpec
from unit.core.driven import DrivenEngine, tried
from unit.core.wishes import loaded


class CapacityMachine(DrivenEngine):
    """Jobs that each need something of everything."""

    @rule(wanted=st.lists(loaded, min_size=1, max_size=4))
    def submit(self, wanted: list[JobSpec]) -> None:
        self.wish(wanted)

    @rule(wanted=st.lists(loaded, min_size=3, max_size=6))
    def submit_while_it_runs(self, wanted: list[JobSpec]) -> None:
        self.wish(wanted)
        self.all_goes_well_for_a_while()

    @rule(memory=st.sampled_from([60, 90]), disk=st.sampled_from([25, 45]))
    def room_is_short(self, memory: int, disk: int) -> None:
        """On each machine that is there, and the limits mind it."""
        self.set_limits(None, None, 40, 20)
        for name in self.world.machines:
            self.a_machine_is_looked_at(name, 0.0, 0, memory, disk)


CapacityMachine.TestCase.settings = tried(150, steps=40)
TestCapacity = CapacityMachine.TestCase
