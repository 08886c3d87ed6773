"""All jobs in one JSON array, written while it is made: no list of a million records."""

from collections.abc import AsyncIterator, Callable

import msgspec
from aiohttp import web

from solveyard.manager.manager import Manager
from solveyard.model.jobs import Job
from solveyard.pauses import Pauses
from solveyard.store.base import Filter, Page

_PAGE = 200  #: jobs that are read from the store at once
_PIECE = 1 << 16  #: bytes that are sent at once


async def array(
    request: web.Request,
    manager: Manager,
    which: Filter,
    shown: Callable[[Job], object],
) -> web.StreamResponse:
    """The jobs that `which` chooses, newest first, each as it is `shown`.

    X-Total-Count: how many there are.
    """
    first = await manager.page(which, _PAGE, None)
    response = web.StreamResponse(headers={"X-Total-Count": str(first.total)})
    response.content_type = "application/json"
    await response.prepare(request)
    pauses, piece, separator = Pauses(), bytearray(b"["), b""
    async for page in _pages(manager, which, first):
        for one in page.jobs:
            piece += separator + msgspec.json.encode(shown(one))
            separator = b",\n"
            if len(piece) > _PIECE:
                await response.write(bytes(piece))
                piece.clear()
            await pauses.due()
    await response.write(bytes(piece) + b"]\n")
    return response


async def _pages(manager: Manager, which: Filter, page: Page) -> AsyncIterator[Page]:
    while True:
        yield page
        if page.cursor is None:
            return
        page = await manager.page(which, _PAGE, page.cursor)
