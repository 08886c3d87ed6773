"""When the first in line can start at the latest, and who may start before it meanwhile.

What holds something now is expected to end with its time limit; without one, nobody knows when,
so it is assumed to end after all others, in the order in which they came. Freeing them in that
order until the first fits gives its place. Where that has a time, whoever starts meanwhile must be
over by then, or leave enough for it then.

Where nobody knows the time, others fill the gaps as long as the first could start once all more
urgent jobs have ended. When half of what runs has started since it came to be the first, its place
is kept for it: whoever starts then takes nothing there that it needs. So it gets what comes free,
whichever of them ends next, and one that never ends keeps it waiting only for what that holds.

Seats of a licence that other people hold come free when they please. A first in line that waits
for such keeps nobody from cores, only from those licences.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from solveyard.core.inventory import Inventory, Shadow
from solveyard.model.resources import Allocation, Resources


@dataclass(frozen=True, slots=True)
class Holder:
    """Something that holds an allocation."""

    machine: str
    allocation: Allocation
    until: float  #: s since 1970; inf: nobody knows
    slot: int
    placed_at: float
    ahead: bool  #: it is more urgent than the first in line


@dataclass(frozen=True, slots=True)
class Reservation:
    need: Resources
    machine: str
    at: float  #: s since 1970, at the latest; inf: once what runs now has ended
    then: Shadow  #: what will be free by then, where nobody else starts
    now: Shadow  #: what is free
    kept: Allocation | None = None  #: its place, where nobody knows when; None: seats alone
    late: Shadow | None = None  #: free once all more urgent have ended, while that counts

    def admits(self, machine: str, allocation: Allocation, until: float) -> bool:
        """May this start now and hold its allocation `until` then?"""
        if until <= self.at and not math.isinf(self.at):
            return True
        if self.kept is None:
            return self._leaves_enough(self.then, machine, allocation)
        if self.late is not None and self._leaves_enough(self.late, machine, allocation):
            return True
        alone = self.need.whole_nodes
        return self.now.spares(machine, allocation, self.machine, self.kept, alone=alone)

    def _leaves_enough(self, shadow: Shadow, machine: str, allocation: Allocation) -> bool:
        after = shadow.copy()
        after.give(machine, allocation, -1)
        return after.fits(self.need, self.machine)


def reserve(
    need: Resources, inventory: Inventory, held: Iterable[Holder], since: float
) -> Reservation | None:
    """For the first in line, which has been waiting `since`.

    None: no machine that is connected could run it, whoever ended.
    """
    machines = [name for name in sorted(inventory.machines) if inventory.connected(name)]
    holders = sorted(held, key=lambda holder: (holder.until, holder.slot))
    free, shadow = inventory.shadow(), inventory.shadow()
    pooled = bool(need.licences or need.counts)  # what one machine's end frees is of use elsewhere
    for place, holder in enumerate(holders):
        shadow.give(holder.machine, holder.allocation, +1)
        for machine in machines if pooled or not place else [holder.machine]:
            if inventory.connected(machine) and shadow.fits(need, machine):
                if not math.isinf(holder.until):
                    return Reservation(need, machine, holder.until, shadow, free)
                kept = shadow.place(need, machine)
                late = _late(inventory, holders, since)
                return Reservation(need, machine, math.inf, shadow, free, kept, late)
    if inventory.seats.lacking(need.licences) is not None:
        for machine in machines:
            then = shadow.with_licences(inventory.seats.all())
            if then.fits(need, machine):
                seats = Resources(cores=0, licences=need.licences)
                return Reservation(seats, machine, math.inf, then, free)
    return None


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
