"""The query: a command that is run now and then, bounded in time, beside everything else."""

import asyncio
import getpass
import logging
import socket
import tempfile
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from solveyard.licensing import lmstat
from solveyard.model.messages import LicencesSeen, LicencesUnseen
from solveyard.model.texts import plain
from solveyard.processes import end_group, start

log = logging.getLogger(__name__)

_MOST = 8 << 20  #: bytes of an answer that are read


@dataclass(frozen=True, kw_only=True)
class LicenceServer:
    """How it is asked."""

    command: tuple[str, ...]  #: prints what `lmutil lmstat -a` does
    interval: float = 30.0  #: s between an answer and the next question
    timeout: float = 20.0  #: s that an answer may take
    keep: Mapping[str, int] = field(default_factory=dict)  #: seats that no job takes, by feature
    withheld: frozenset[str] = frozenset()  #: variables of the manager's that it doesn't get


class _NoAnswer(Exception):
    """Why there is none: one sentence."""


class Licensing:
    """Asks a licence server, and tells what it says, or that it says nothing."""

    def __init__(
        self,
        server: LicenceServer | None,
        hosts: Callable[[], Collection[str]],
        tell: Callable[[LicencesSeen | LicencesUnseen], None],
    ) -> None:
        """`hosts`: where our jobs run."""
        self._server = server
        self._hosts = hosts
        self._tell = tell
        self._seen: LicencesSeen | None = None
        self._unseen = LicencesUnseen(first=True) if server is not None else None

    def told(self) -> list[LicencesSeen | LicencesUnseen]:
        """What an engine that begins anew must know."""
        return [one for one in (self._seen, self._unseen) if one is not None]

    async def run(self) -> None:
        """Until cancelled."""
        if self._server is None:
            return
        for report in self.told():
            self._tell(report)
        while True:
            try:
                self._seen = await self._look(self._server)
            except _NoAnswer as why:
                if self._unseen is None or self._unseen.first:  # once, not every interval
                    log.warning("licence server not read", extra={"why": str(why)})
                self._unseen = LicencesUnseen()
                self._tell(self._unseen)
            else:
                self._unseen = None
                self._tell(self._seen)
            await asyncio.sleep(self._server.interval)

    async def _look(self, server: LicenceServer) -> LicencesSeen:
        """Raises _NoAnswer."""
        asked_at = time.time()
        text = await self._ask(server)
        use = lmstat.read(text, _me(), {socket.gethostname(), *self._hosts()})
        if not use:
            raise _NoAnswer(f"it names no feature: {_last_line(text)}")
        return LicencesSeen(asked_at=asked_at, use=use, kept=server.keep)

    @staticmethod
    async def _ask(server: LicenceServer) -> str:
        """Raises _NoAnswer. What it started is gone afterwards."""
        # a file, not a pipe: nobody waits for one that leaves it open
        with tempfile.TemporaryFile() as said:
            try:
                process = await start(server.command, server.withheld, said=said)
            except (OSError, ValueError) as error:
                raise _NoAnswer(f"cannot start {server.command[0]}: {error}") from error
            try:
                async with asyncio.timeout(server.timeout):
                    status = await process.wait()
            except TimeoutError as error:
                raise _NoAnswer(f"no answer within {server.timeout:g} s") from error
            finally:
                end_group(process)
                await process.wait()
            said.seek(0)
            text = said.read(_MOST).decode(errors="replace")
        if status != 0:
            raise _NoAnswer(f"exit status {status}: {_last_line(text)}")
        return text


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return plain(lines[-1][:200]) if lines else ""


def _me() -> str:
    """The account that jobs run under; empty where it has no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""
