"""A store whose turns go on while a test looks."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Protocol, TypeVar

from solveyard.manager.turns import Turns
from solveyard.store.sqlite import SqliteStore


class Lives(Protocol):
    turns: Turns


Kind = TypeVar("Kind", bound=Lives)


@contextlib.asynccontextmanager
async def living(folder: Path, kind: Callable[[SqliteStore], Kind]) -> AsyncIterator[Kind]:
    store = SqliteStore.open(folder)
    one = kind(store)
    try:
        async with asyncio.TaskGroup() as tasks:
            going = tasks.create_task(one.turns.run())
            yield one
            going.cancel()
    finally:
        one.turns.close()
        store.close()
