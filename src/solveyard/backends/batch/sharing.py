"""Where a cluster's jobs find their files, and how what they leave comes here."""

import asyncio
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from solveyard.backends.base import Order
from solveyard.backends.batch import files, witness
from solveyard.backends.batch.witness import Witness
from solveyard.backends.workspace import Workspace
from solveyard.model.jobs import AttemptId


class Ties(NamedTuple):
    """Between a cluster's files and its other loops."""

    answers: asyncio.Event  #: the cluster does; nothing is tried unless it is set
    running: Callable[[], Sequence[Order]]
    news: Callable[[], None]  #: something arrived
    away: Callable[[str], None]  #: why nothing does
    over: Callable[[AttemptId], bool]  #: has an attempt ended, as this store surely knows?


class Files(Protocol):
    """Between this machine's paths and the nodes'. What goes there or comes raises Away."""

    async def run(self, ties: Ties) -> None:
        """Keep the output of those that run as it is there, until cancelled."""
        ...

    def there(self, order: Order) -> Order:
        """The same, with the paths that it has there. Raises InvalidJob."""
        ...

    async def ready(self) -> None:
        """Until `there` knows all."""
        ...

    async def remember(self, order: Order) -> str:
        """Take up one that an earlier manager sent. Not "": to this other host, and folder."""
        ...

    async def send(self, orders: Sequence[Order], script: str, ending: str) -> None:
        """All that the jobs need, and the script of the first, whose name ends so.

        Raises OSError, InvalidJob; files.NoRoom, files.Full.
        """
        ...

    async def witnesses(self, orders: Sequence[Order]) -> list[Witness]:
        """What each has left by now."""
        ...

    async def all_ended(self, orders: Sequence[Order]) -> bool:
        """Has each left the record of its end, as far as that can be seen here at once?"""
        ...

    def bring(self, order: Order) -> None:
        """Have its results come here: it is over."""
        ...

    def forget(self, attempt: AttemptId, array: str) -> None:
        """Nobody asks for it any more. `array`: the mark of its array; empty: it went alone."""
        ...

    def workspace(self, attempt: AttemptId, directory: str, *, runs: bool) -> Workspace | None:
        """Of a job that has begun; `runs`: its results are not here. None: its files are."""
        ...


class Shared:
    """A file system that manager and nodes see under the same paths."""

    async def run(self, ties: Ties) -> None:
        return

    def there(self, order: Order) -> Order:
        return order

    async def ready(self) -> None:
        return

    async def remember(self, order: Order) -> str:
        return ""

    async def send(self, orders: Sequence[Order], script: str, ending: str) -> None:
        await asyncio.to_thread(files.write, orders, script, ending)

    async def witnesses(self, orders: Sequence[Order]) -> list[Witness]:
        return await asyncio.to_thread(lambda: [witness.of(order) for order in orders])

    async def all_ended(self, orders: Sequence[Order]) -> bool:
        newest_first = reversed(orders)  # the newest are likely to end last
        return await asyncio.to_thread(lambda: all(map(witness.has_ended, newest_first)))

    def bring(self, order: Order) -> None:
        """It is here."""

    def forget(self, attempt: AttemptId, array: str) -> None:
        """It stays."""

    def workspace(self, attempt: AttemptId, directory: str, *, runs: bool) -> None:
        return None
