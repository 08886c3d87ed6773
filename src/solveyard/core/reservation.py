"""When the first in line can start, and who may start before it meanwhile.

What holds something now is expected to end with its time limit; without one, nobody knows when,
so it is assumed to end after all others, in the order in which they came. Freeing them in that
order until the first fits gives its place. Where that has a time, whoever starts meanwhile must be
over by then, or leave enough for it then. Where nobody knows the time, its place is kept: whoever
starts takes nothing there that it needs. So it gets what comes free, whichever of them ends next,
and one that never ends keeps it waiting only for what that holds.

A place that is kept stands idle while it drains, so it is lent first, to equals: those of the same
priority, which arrived later. Once those that went before the first have taken as much as its
place has, twice as much where nobody knows the time, nothing more is lent. How much that is stands
in the records of those that hold something. Who went before it and is gone no longer counts, which
delays it by nothing: it didn't fit beside those that are left. A time that is later because the
place was lent is none to be over by.

Less urgent ones are lent nothing. Where nobody knows the time, they fill gaps as long as the first
could start once all more urgent jobs have ended and fewer than half of what runs came later.

Seats of a licence that other people hold come free when they please. A first in line that waits
for such keeps nobody from cores, only from those licences; seats that it needs are never lent.

So it is with one that no machine could run whoever ended, since the one that could is away, or too
busy with what isn't ours: it keeps what it needs of licences and counts, and nobody from cores.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from solveyard.core.inventory import Inventory, Shadow
from solveyard.model.jobs import JobId, Passed
from solveyard.model.resources import Allocation, Resources

#: What is lent before a place is kept, where it has a time; 1.0: as much as its nodes have.
LENT_TO_A_TIME = 1.0
#: The same, where nobody knows the time. Others can't fill the place for so long, so it costs more.
LENT = 2.0
_ROUNDING = 1e-9  #: three thirds are a whole


@dataclass(frozen=True, slots=True)
class Holder:
    """Something that holds an allocation."""

    machine: str
    allocation: Allocation
    until: float  #: s since 1970; inf: nobody knows
    slot: int
    placed_at: float
    ahead: bool  #: it is more urgent than the first in line
    passed: Passed | None  #: whom it went before

    def lent_by(self, job: JobId) -> float:
        """What `job` had lent when this was lent to; 0: it wasn't, or by another."""
        return self.passed.lent if self.passed is not None and self.passed.job == job else 0.0


@dataclass(frozen=True, slots=True)
class Reservation:
    job: JobId  #: the first in line
    need: Resources
    machine: str  #: empty: nobody knows which
    at: float  #: s since 1970, unless more is lent; inf: once what runs now has ended
    then: Shadow  #: what will be free by then, where nobody else starts
    now: Shadow  #: what is free
    kept: Allocation | None = None  #: its place; None: only licences and counts are kept
    lent: float = 0.0  #: to those that hold something
    promised: float = math.inf  #: `at`, as it would be if nothing were lent
    late: Shadow | None = None  #: free once all more urgent have ended, while that counts

    def admits(self, machine: str, allocation: Allocation, until: float, *, equal: bool) -> bool:
        """May this start now and hold its allocation `until` then, with nothing lent?

        `equal`: it is as urgent as the first, but for its arrival.
        """
        if until <= self.promised and not math.isinf(self.promised):
            return True
        if self.kept is None or not math.isinf(self.at):
            return self._leaves_enough(self.then, machine, allocation)
        late = self.late if not equal else None
        if late is not None and self._leaves_enough(late, machine, allocation):
            return True
        alone = self.need.whole_nodes
        return self.now.spares(machine, allocation, self.machine, self.kept, alone=alone)

    def lend(self, machine: str, allocation: Allocation) -> Passed | None:
        """To an equal, which isn't admitted otherwise; None: it may not start."""
        most = LENT if math.isinf(self.at) else LENT_TO_A_TIME
        kept, alone = self.kept, self.need.whole_nodes
        if (
            kept is None
            or self.lent + _ROUNDING >= most
            or not self.now.spares_pools(allocation, kept)
        ):
            return None
        part = self.now.part(machine, allocation, self.machine, kept, alone=alone)
        return Passed(job=self.job, lent=self.lent + part) if part else None

    def _leaves_enough(self, shadow: Shadow, machine: str, allocation: Allocation) -> bool:
        after = shadow.copy()
        after.give(machine, allocation, -1)
        if self.kept is None:
            return after.has_pools(self.need)
        return after.fits(self.need, self.machine)


def reserve(
    job: JobId, need: Resources, inventory: Inventory, held: Iterable[Holder], since: float
) -> Reservation:
    """For `job`, the first in line, which has been waiting `since`."""
    machines = [name for name in sorted(inventory.machines) if inventory.connected(name)]
    holders = sorted(held, key=lambda holder: (holder.until, holder.slot))
    found = _place(need, inventory, machines, holders)
    if found is None:
        return _of_pools(job, need, inventory, machines, holders)
    holder, machine, then = found
    lent = max((one.lent_by(job) for one in holders), default=0.0)
    return Reservation(
        job=job,
        need=need,
        machine=machine,
        at=holder.until,
        then=then,
        now=inventory.shadow(),
        kept=then.place(need, machine),
        lent=lent,
        promised=_promised(job, need, inventory, machines, holders) if lent else holder.until,
        late=_late(inventory, holders, since) if math.isinf(holder.until) else None,
    )


def _of_pools(
    job: JobId, need: Resources, inventory: Inventory, machines: list[str], holders: list[Holder]
) -> Reservation:
    """Of what has no place: it wouldn't fit if all that runs ended now."""
    empty = inventory.shadow()
    for holder in holders:
        empty.give(holder.machine, holder.allocation, +1)
    then = empty.with_licences(inventory.seats.all())
    awaits_seats = inventory.seats.lacking(need.licences) is not None
    seats_alone = awaits_seats and any(then.fits(need, machine) for machine in machines)
    counts = {} if seats_alone else need.counts
    pools = Resources(cores=0, licences=need.licences, counts=counts)
    return Reservation(job, pools, "", math.inf, then, inventory.shadow())


def _place(
    need: Resources, inventory: Inventory, machines: list[str], holders: list[Holder]
) -> tuple[Holder, str, Shadow] | None:
    """Who has to end last, as they end in this order; the machine; and what is free by then."""
    shadow = inventory.shadow()
    pooled = bool(need.licences or need.counts)  # what one machine's end frees is of use elsewhere
    for place, holder in enumerate(holders):
        shadow.give(holder.machine, holder.allocation, +1)
        for machine in machines if pooled or not place else [holder.machine]:
            if inventory.connected(machine) and shadow.fits(need, machine):
                return holder, machine, shadow
    return None


def _promised(
    job: JobId, need: Resources, inventory: Inventory, machines: list[str], holders: list[Holder]
) -> float:
    """When the first could start if those that it lent to were gone."""
    holders = sorted(holders, key=lambda holder: not holder.lent_by(job))
    found = _place(need, inventory, machines, holders)
    return -math.inf if found is None or found[0].lent_by(job) else found[0].until


def _late(inventory: Inventory, holders: list[Holder], since: float) -> Shadow | None:
    """What is free once all that is more urgent has ended; None: it's too late for that."""
    ahead = [holder for holder in holders if holder.ahead]
    if not ahead:
        return None
    newest = max(holder.slot for holder in ahead)
    later = sum(holder.slot > newest and holder.placed_at >= since for holder in holders)
    if 2 * later >= len(holders):
        return None
    shadow = inventory.shadow()
    for holder in ahead:
        shadow.give(holder.machine, holder.allocation, +1)
    return shadow
