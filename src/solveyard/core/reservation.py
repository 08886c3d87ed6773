"""When the first in line can start at the latest, and who may start before it meanwhile.

What holds something now is expected to end with its time limit; without one, nobody knows when,
so it is assumed to end after all others, in the order in which they came. Freeing them in that
order until the first fits gives its reservation. Whoever starts meanwhile must be over by then, or
leave enough for it then: so nobody who comes later delays it.

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


@dataclass(frozen=True, slots=True)
class Reservation:
    need: Resources
    machine: str
    at: float  #: s since 1970, at the latest; inf: once what runs now has ended
    then: Shadow  #: what will be free by then, where nobody else starts

    def admits(self, machine: str, allocation: Allocation, until: float) -> bool:
        """May this start now and hold its allocation `until` then?"""
        if until <= self.at and not math.isinf(self.at):
            return True
        after = self.then.copy()
        after.give(machine, allocation, -1)
        return after.fits(self.need, self.machine)


def reserve(need: Resources, inventory: Inventory, holders: Iterable[Holder]) -> Reservation | None:
    """None: no machine that is connected could run it, whoever ended."""
    machines = [name for name in sorted(inventory.machines) if inventory.connected(name)]
    shadow = inventory.shadow()
    for holder in sorted(holders, key=lambda holder: (holder.until, holder.slot)):
        shadow.give(holder.machine, holder.allocation, +1)
        for machine in machines:
            if shadow.fits(need, machine):
                return Reservation(need, machine, holder.until, shadow)
    if inventory.seats.lacking(need.licences) is not None:
        for machine in machines:
            then = shadow.with_licences(inventory.seats.all())
            if then.fits(need, machine):
                seats = Resources(cores=0, licences=need.licences)
                return Reservation(seats, machine, math.inf, then)
    return None
