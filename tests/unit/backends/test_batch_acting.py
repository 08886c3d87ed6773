"""A wish that the batch system didn't hear is not forgotten."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from solveyard.backends.batch.acting import Actor
from solveyard.backends.batch.entries import Entry, Phase
from solveyard.backends.batch.sharing import Shared
from solveyard.backends.dialects import slurm, winhpc
from solveyard.backends.dialects.base import Answer, Dialect, NativeState, State
from solveyard.model.messages import Modify
from unit.backends.clustered import Told, cluster
from unit.backends.test_batch_sent import order

DONE = Answer(0)
UNHEARD = Answer(1, "", "slurm_load_jobs error: Unable to contact slurm controller")
REFUSED = Answer(1, "", "scontrol: error: Access/permission denied for job 42")
HOLD, RELEASE, PRIORITY = (
    f"scontrol {one}" for one in ("hold 42", "release 42", "update JobId=42 Priority=9")
)


class Acting:
    """One job that waits as 42."""

    def __init__(self, folder: Path, dialect: Dialect = slurm) -> None:
        self.host = Told()
        self.cluster = cluster(self.host, Shared(), [])._replace(dialect=dialect)
        self.entry = Entry(order(folder, 7), Phase.THERE, "42")
        self.cluster.entries.add(self.entry)
        answers = asyncio.Event()
        answers.set()
        self.actor = Actor(self.cluster, answers)
        self.shows(State.PENDING)

    def shows(self, state: State) -> None:
        self.entry.state = NativeState(state, state.value.upper())

    def wish(self, *, held: bool, priority: int = 0) -> None:
        launch = self.entry.order.launch
        self.entry.wish = Modify(
            attempt=launch.attempt, placement=launch.placement, held=held, priority=priority
        )
        self.actor.news.set()

    async def acted(self, answer: Answer = DONE) -> list[str]:
        """What it calls when it is woken, before the next look."""
        self.host.answer = lambda _: answer
        self.host.called.clear()
        for _ in range(50):  # nothing here waits for anything but its turn
            await asyncio.sleep(0)
        return [*self.host.called]


@pytest.fixture
async def acting(tmp_path: Path) -> AsyncIterator[Acting]:
    one = Acting(tmp_path)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(one.actor.run())
        yield one
        running.cancel()


async def test_a_hold_is_repeated_after_each_look_until_it_shows(acting: Acting) -> None:
    acting.wish(held=True)
    assert await acting.acted(UNHEARD) == [HOLD]
    assert await acting.acted() == []
    acting.actor.looked()
    assert await acting.acted() == [HOLD]
    acting.actor.looked()  # as the batch system was asked before it heard that
    assert await acting.acted() == [HOLD]
    acting.shows(State.HELD)
    acting.actor.looked()
    assert await acting.acted() == []
    assert acting.entry.wish is None


async def test_a_hold_of_what_runs_is_given_up(acting: Acting) -> None:
    acting.wish(held=True)
    await acting.acted(UNHEARD)
    acting.shows(State.RUNNING)
    acting.actor.looked()
    assert await acting.acted() == []
    assert acting.entry.wish is None


@pytest.mark.parametrize("answer", [DONE, REFUSED])
async def test_a_release_and_a_priority_are_repeated_until_they_are_heard(
    answer: Answer, acting: Acting
) -> None:
    acting.wish(held=False, priority=9)
    for _ in range(3):
        assert await acting.acted(UNHEARD) == [RELEASE, PRIORITY]
        acting.actor.looked()
    assert await acting.acted(answer) == [RELEASE, PRIORITY]
    acting.actor.looked()
    assert await acting.acted() == []


async def test_what_is_wished_for_while_another_wish_is_granted_counts(acting: Acting) -> None:
    def changes_its_mind(_: str) -> Answer:
        if len(acting.host.called) == 1:
            acting.wish(held=True)
        return DONE

    acting.wish(held=False)
    acting.host.answer = changes_its_mind
    for _ in range(50):
        await asyncio.sleep(0)
    assert acting.host.called == [RELEASE, HOLD]


async def test_what_a_batch_system_has_no_command_for_is_wished_for_once(
    tmp_path: Path,
) -> None:
    acting = Acting(tmp_path, winhpc)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(acting.actor.run())
        acting.wish(held=True)
        assert await acting.acted() == []
        assert acting.entry.wish is None
        running.cancel()
