"""TERM, the grace period, KILL, until nobody is left; judged with processes that are made up."""

import itertools
import logging

import pytest

from solveyard.agent.platform.base import Platform, Row, Tree, during, with_descendants
from solveyard.agent.trees import LOOKS, OBSTINATE, RESTLESS, Ending

TREE = Tree("a", 10, "0:0", "")


class MadeUp(Platform):
    """Members that die of KILL, or of TERM unless they are deaf."""

    def __init__(self, living: set[int], deaf: set[int]) -> None:
        self.living = living
        self.deaf = deaf
        self.sent: list[tuple[str, int]] = []
        self.seeing = True

    def members(self, tree: Tree, *, alone: bool) -> set[int]:
        return set(self.living) if self.seeing else set()

    def signal(self, pids: object, name: str) -> None:
        assert isinstance(pids, set)
        for pid in sorted(pids):
            self.sent.append((name, pid))
            if name == "KILL" or (name == "TERM" and pid not in self.deaf):
                self.living.discard(pid)


class Sure(MadeUp):
    def sure(self, tree: Tree, *, alone: bool) -> bool:
        return True


def test_who_obeys_is_told_once_and_never_killed() -> None:
    platform = Sure({10, 11}, set())
    ending = Ending(platform, TREE, "cancelled", until=5.0)
    assert ending.step(0.0, alone=False) is not None
    assert ending.step(0.1, alone=False) is None
    assert platform.sent == [("TERM", 10), ("TERM", 11), ("CONT", 10), ("CONT", 11)]


def test_who_is_deaf_is_killed_when_the_grace_is_over_and_not_before() -> None:
    platform = MadeUp({10}, {10})
    ending = Ending(platform, TREE, "cancelled", until=5.0)
    now, looks = 0.0, 0
    while (again := ending.step(now, alone=False)) is not None:
        assert ("KILL", 10) not in platform.sent[:-1]
        now += again
        looks += 1
    assert platform.sent == [("TERM", 10), ("CONT", 10), ("KILL", 10)]
    assert 5.0 <= now < 5.1
    assert looks < 20


def test_where_one_look_may_miss_somebody_several_must_find_nobody() -> None:
    platform = MadeUp({10}, {10})
    ending = Ending(platform, TREE, "cancelled", until=0.0)
    platform.seeing = False
    now = 0.0
    for _ in range(LOOKS - 1):
        again = ending.step(now, alone=False)
        assert again is not None
        assert ending.step(now + again / 2, alone=False) is not None  # too soon to count
        now += again
    platform.seeing = True
    assert ending.step(now, alone=False) is not None
    assert platform.sent == [("KILL", 10)]
    again, looks = 0.0, 0
    while again is not None:
        now += again
        again = ending.step(now, alone=False)
        looks += 1
    assert looks == LOOKS


def test_who_outlives_kill_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    class Immortal(MadeUp):
        def signal(self, pids: object, name: str) -> None:
            self.sent.append((name, 0))

    ending = Ending(Immortal({10}, set()), TREE, "cancelled", until=0.0)
    with caplog.at_level(logging.WARNING, logger="solveyard"):
        for now in (0.0, OBSTINATE / 2, OBSTINATE, 2 * OBSTINATE):
            assert ending.step(now, alone=False) is not None
    assert ["outlive KILL" in record.message for record in caplog.records] == [True]


def test_an_end_waits_for_who_is_too_fast_to_be_known_but_not_for_ever(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Restless(MadeUp):
        restless = True

    ending = Ending(Restless(set(), set()), TREE, "cancelled", until=0.0)
    with caplog.at_level(logging.WARNING, logger="solveyard"):
        now, again = 0.0, ending.step(0.0, alone=False)
        while again is not None:
            now += again
            again = ending.step(now, alone=False)
    assert RESTLESS <= now < RESTLESS + 1.0
    assert ["taken for ended" in record.message for record in caplog.records] == [True]


def test_who_joins_later_is_told_too() -> None:
    platform = MadeUp({10}, {10, 12})
    ending = Ending(platform, TREE, "", until=5.0)
    ending.step(0.0, alone=False)
    platform.living.add(12)
    ending.step(1.0, alone=False)
    assert [pid for name, pid in platform.sent if name == "TERM"] == [10, 12]


@pytest.mark.parametrize(("second", "killed_at"), [(1.0, 1.0), (9.0, 5.0)])
def test_the_grace_is_shortened_but_never_prolonged(second: float, killed_at: float) -> None:
    platform = Sure({10}, {10})
    ending = Ending(platform, TREE, "cancelled", until=5.0)
    ending.hurry(second)
    moments = itertools.takewhile(lambda now: not ending_step(ending, now), _moments())
    assert max(moments, default=0.0) <= killed_at
    assert ("KILL", 10) in platform.sent


def ending_step(ending: Ending, now: float) -> bool:
    return ending.step(now, alone=False) is None


def _moments() -> list[float]:
    return [n / 10 for n in range(100)]


def test_descendants_are_followed_to_the_end() -> None:
    parents = {2: 1, 3: 2, 4: 3, 5: 1, 6: 5}
    rows = {pid: Row(parent, 0, 0, 0.0, dead=False) for pid, parent in parents.items()}
    assert with_descendants({2}, rows) == {2, 3, 4}


def test_a_start_is_told_apart_from_another() -> None:
    assert during("10:12", 11.0)
    assert not during("10:12", 13.0)
