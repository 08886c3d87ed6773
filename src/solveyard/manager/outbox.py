"""What is to be done, on its way to the backend: no door waits for a slow one."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from itertools import groupby
from typing import assert_never

from solveyard.backends.base import Backend, Order
from solveyard.manager.judging import storable
from solveyard.manager.ordering import Ordering
from solveyard.model.errors import InvalidJob
from solveyard.model.jobs import AttemptId, Outcome, Reason
from solveyard.model.messages import Action, Ask, Ended, Forget, Kill, Launch, Modify, Recall
from solveyard.store.failures import NO_SPACE

log = logging.getLogger(__name__)

#: Actions that are sent between two turns of the loop.
SLICE = 64
_AGAIN = 1.0  #: s between two tries to make what the disk has no room for
#: Turns of the loop in which those hear of an end who waited for it, before its machine forgets it.
HEARD = 3


class Outbox:
    """Sends actions in the order in which they were put.

    But what is to be forgotten goes last of those that are sent together: nothing depends on it.
    """

    def __init__(
        self, backend: Backend, ordering: Ordering, unable: Callable[[Ended], None]
    ) -> None:
        self._backend = backend
        self._ordering = ordering
        self._unable = unable  #: told of a launch that can't be made
        self._waiting: deque[Action] = deque()
        self._held: dict[AttemptId, Launch] = {}  #: launches for which the disk has no room now
        self._news = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    def put(self, actions: Sequence[Action]) -> None:
        if actions:
            self._waiting.extend(actions)
            self._idle.clear()
            self._news.set()

    async def flushed(self) -> None:
        """Until all that was put has been sent."""
        await self._idle.wait()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._news.wait()
            self._news.clear()
            if all(map(_is_forget, self._waiting)):
                for _ in range(HEARD):
                    await asyncio.sleep(0)
            actions = list(self._waiting)
            self._waiting.clear()
            for start in range(0, len(actions), SLICE):
                some = sorted(actions[start : start + SLICE], key=_is_forget)
                for _, same in groupby(some, key=type):
                    await self._send(list(same))
                await asyncio.sleep(0)
            if not self._waiting:
                self._idle.set()

    async def _send(self, actions: Sequence[Action]) -> None:
        """All of one type."""
        match actions[0]:
            case Launch():
                await self._backend.submit(self._orders(actions))
            case Recall():
                recalls = [a for a in actions if isinstance(a, Recall)]
                self._drop(recalls)
                await self._backend.recall(recalls)
            case Kill():
                kills = [a for a in actions if isinstance(a, Kill)]
                self._drop(kills)
                await self._backend.kill(kills)
            case Modify():
                await self._backend.modify([a for a in actions if isinstance(a, Modify)])
            case Forget():
                await self._backend.forget([a for a in actions if isinstance(a, Forget)])
            case Ask():
                for ask in actions:
                    assert isinstance(ask, Ask)
                    await self._backend.ask(ask)
            case unknown:
                assert_never(unknown)

    def _orders(self, actions: Sequence[Action]) -> list[Order]:
        orders: list[Order] = []
        for launch in actions:
            assert isinstance(launch, Launch)
            try:
                orders.append(self._ordering.order(launch))
            except (InvalidJob, OSError) as error:
                if isinstance(error, OSError) and error.errno in NO_SPACE:
                    self._hold(launch, error)
                else:
                    self._refuse(launch, f"cannot start it: {error}")
            except Exception as fault:  # somebody else's code: its fault becomes the job's outcome
                log.exception("a solver's command failed", extra={"solver": launch.spec.solver})
                self._refuse(
                    launch,
                    f"the solver {launch.spec.solver!r} could not make its command:"
                    f" {type(fault).__name__} (the manager's log has more)",
                )
        return orders

    def _refuse(self, launch: Launch, why: str) -> None:
        log.warning("launch not made", extra={"job": launch.job, "error": why})
        outcome = storable(Outcome(reason=Reason.LAUNCH, message=why))
        self._unable(Ended(attempt=launch.attempt, outcome=outcome))

    def _hold(self, launch: Launch, error: OSError) -> None:
        """Room may come back: it is tried again."""
        log.warning("launch put off", extra={"job": launch.job, "error": str(error)})
        if not self._held:
            asyncio.get_running_loop().call_later(_AGAIN, self._let_go)
        self._held[launch.attempt] = launch

    def _let_go(self) -> None:
        held, self._held = self._held, {}
        self.put(list(held.values()))

    def _drop(self, actions: Sequence[Recall | Kill]) -> None:
        """Its spawner says of what never left that it is missing, and so it ends."""
        for action in actions:
            self._held.pop(action.attempt, None)


def _is_forget(action: Action) -> bool:
    return type(action) is Forget
