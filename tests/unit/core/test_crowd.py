"""Slots in which somebody waits are looked at when their time has come, and not before."""

from solveyard.core.crowd import Crowd
from solveyard.core.slots import PATIENCE, Slot
from solveyard.model.jobs import Placement
from solveyard.model.resources import Allocation, Resources, Share


def slot(number: int, moved_at: float) -> Slot:
    allocation = Allocation(shares=(Share(node="n", cores=1),))
    made = Slot(Placement(machine="m", allocation=allocation, slot=number), Resources())
    made.moved_at = moved_at
    return made


def test_those_that_waited_too_long_are_told_once_as_they_came() -> None:
    crowd = Crowd()
    late, later, early = slot(3, 0.0), slot(1, 0.01), slot(2, 5.0)
    for one in (late, later, early):
        crowd.keep(one)
    assert crowd.impatient(PATIENCE + 0.01) == [later, late]
    assert crowd.impatient(PATIENCE + 0.02) == []
    assert list(crowd) == [later, early, late]


def test_a_slot_whose_first_has_changed_waits_anew() -> None:
    crowd, one = Crowd(), slot(1, 0.0)
    crowd.keep(one)
    one.moved_at = 1.0
    assert crowd.impatient(PATIENCE) == []
    assert crowd.impatient(1.0 + PATIENCE) == [one]


def test_one_that_was_told_is_told_again_when_it_is_kept_again() -> None:
    crowd, one = Crowd(), slot(1, 0.0)
    crowd.keep(one)
    assert crowd.impatient(1.0) == [one]
    crowd.keep(one)
    assert crowd.impatient(1.0) == [one]


def test_nobody_waits_where_it_was_discarded() -> None:
    crowd, one = Crowd(), slot(1, 0.0)
    crowd.keep(one)
    crowd.discard(one)
    assert not crowd
    assert crowd.impatient(1.0) == []
