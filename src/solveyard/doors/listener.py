"""A socket that listens. Each of its connections is told of as it is accepted.

asyncio's own servers tell of one by TLS once its handshake is over, which who connects may delay,
and log a traceback for each that they find no room for.
"""

import asyncio
import logging
import socket
from collections.abc import Callable

log = logging.getLogger(__name__)

_AGAIN = 1.0  #: s until the next try where the system has no room for a connection


class Listener:
    """Accepts what comes at `listening`, until it is closed."""

    def __init__(self, listening: socket.socket, take: Callable[[socket.socket], None]) -> None:
        self._listening = listening
        self._take = take
        self._short = False  #: the last one could not be accepted
        self._accepting = asyncio.get_running_loop().create_task(self._accept())

    async def close(self) -> None:
        """Its port is free on return."""
        self._accepting.cancel()
        try:
            await asyncio.wait((self._accepting,))
        finally:
            self._listening.close()

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                wire, _ = await loop.sock_accept(self._listening)
            except ConnectionError:  # it has gone already
                continue
            except OSError as error:
                if not self._short:
                    log.warning("connections can't be accepted", extra={"error": str(error)})
                self._short = True
                await asyncio.sleep(_AGAIN)
                continue
            self._short = False
            self._take(wire)
            await asyncio.sleep(0)  # what is under way goes on, however many come
