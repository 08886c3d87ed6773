"""Files of jobs on a cluster that doesn't see ours: sent before, followed, brought back."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from msgspec.structs import replace

from solveyard.backends.base import Order
from solveyard.backends.batch import files, witness
from solveyard.backends.batch.incoming import Incoming, Results
from solveyard.backends.batch.mirror import Mirror, Pair
from solveyard.backends.batch.outgoing import Load, Outgoing, note, noted
from solveyard.backends.batch.witness import Witness
from solveyard.backends.hosts.base import Away
from solveyard.backends.hosts.paths import PathMap
from solveyard.backends.hosts.remote import Part, Remote, Stat
from solveyard.backends.hosts.ssh import Failed
from solveyard.backends.hosts.workspace import RemoteWorkspace
from solveyard.model.errors import InvalidJob
from solveyard.model.jobs import AttemptId

log = logging.getLogger(__name__)

_SLOWER = 1.5
_SELDOM = 10.0  #: s between two looks at outputs that don't grow, at most
_TOGETHER = 50  #: jobs whose results come in one go
_RECORD = 4096  #: bytes; a record has some hundred


class Staged:
    """What lies in a mapped folder is seen there, and isn't sent. Implements `Files`."""

    def __init__(self, remote: Remote, maps: PathMap, *, most: int, often: float) -> None:
        """`most`: bytes of a job's inputs; `often`: s between two looks at growing outputs."""
        self._remote = remote
        self._maps = maps
        self._often = often
        self._mirror = Mirror(remote)
        self._outgoing = Outgoing(remote, most)
        self._incoming = Incoming(remote, self._mirror)
        self._records: dict[AttemptId, Stat] = {}  #: those that are here
        self._wanted: dict[AttemptId, Order] = {}  #: to be brought
        self._brought: dict[AttemptId, tuple[str, ...]] = {}  #: with what could not come
        self._gone: list[AttemptId] = []  #: to be removed there
        self._begun: set[AttemptId] = set()  #: whose own log is followed
        self._work = asyncio.Event()

    async def run(
        self,
        answers: asyncio.Event,
        running: Callable[[], Sequence[Order]],
        news: Callable[[], None],
        away: Callable[[str], None],
    ) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._follow(answers, running, away))
            tasks.create_task(self._bring(answers, news, away))

    def there(self, order: Order) -> Order:
        command = order.command
        place = self._place(order.launch.attempt)
        folder = self._maps.there(command.directory)
        try:
            maps = self._maps if folder else self._maps | {command.directory: place}
        except ValueError as error:
            raise InvalidJob(f"its directory can't be sent: {error}") from error
        command = replace(
            command, argv=tuple(map(maps.word, command.argv)), directory=folder or place
        )
        return order._replace(command=command, stdout=f"{place}.out", stderr=f"{place}.err")

    async def ready(self) -> None:
        try:
            await self._remote.ready()
        except Failed as error:
            raise Away(f"{self._remote.host.where}: {error}") from error

    async def send(self, orders: Sequence[Order], script: str) -> None:
        load = await asyncio.to_thread(self._load, orders, script)
        try:
            await self._outgoing.send(load)
        except Failed as error:
            raise InvalidJob(str(error)) from error

    async def witnesses(self, orders: Sequence[Order]) -> list[Witness]:
        if orders:
            await self.ready()
            try:
                await self._read_records(orders)
            except (Failed, OSError) as error:
                raise Away(f"{self._remote.host.where}: {error}") from error
        return await asyncio.to_thread(lambda: [self._witness(order) for order in orders])

    def bring(self, order: Order) -> None:
        self._wanted[order.launch.attempt] = order
        self._work.set()

    def forget(self, attempt: AttemptId) -> None:
        """What could not come stays there."""
        self._records.pop(attempt, None)
        self._begun.discard(attempt)
        self._wanted.pop(attempt, None)
        if self._brought.pop(attempt, ("",)) == ():
            self._gone.append(attempt)
            self._work.set()

    def workspace(self, attempt: AttemptId, directory: str) -> RemoteWorkspace | None:
        if self._maps.there(directory):
            return None
        loop = asyncio.get_running_loop()
        return RemoteWorkspace(self._remote, lambda: self._place(attempt), loop)

    # Inside

    def _place(self, attempt: AttemptId) -> str:
        """Where its files lie there: with an ending, or the folder in which it runs."""
        return f"{self._remote.root}/jobs/{attempt}"

    def _load(self, orders: Sequence[Order], script: str) -> Load:
        files.write(orders, script)
        load = Load()
        for order in orders:
            there = self.there(order)
            if not self._maps.there(order.command.directory):
                folder = Path(order.command.directory)
                note(_sent(order), self._outgoing.add(load, folder, there.command.directory))
        place = files.script(orders[0])
        self._outgoing.add_file(load, place, str(files.script(self.there(orders[0]))))
        return load

    def _witness(self, order: Order) -> Witness:
        attempt = order.launch.attempt
        here = attempt in self._brought
        return witness.of(order)._replace(here=here, troubles=self._brought.get(attempt, ()))

    async def _read_records(self, orders: Sequence[Order]) -> None:
        places = {f"{self._place(order.launch.attempt)}.record": order for order in orders}
        found = await self._remote.stat(list(places))
        new = {
            place: order
            for place, order in places.items()
            if place in found and found[place] != self._records.get(order.launch.attempt)
        }
        parts = [Part(place, 0, min(_RECORD, found[place].size)) for place in new]
        read = await self._remote.read(parts) if parts else []
        for (place, order), content in zip(new.items(), read, strict=True):
            await asyncio.to_thread(_replace, files.record(order), content)
            self._records[order.launch.attempt] = found[place]

    async def _follow(
        self,
        answers: asyncio.Event,
        running: Callable[[], Sequence[Order]],
        away: Callable[[str], None],
    ) -> None:
        """Outputs, and the files in which solvers tell progress."""
        interval = self._often
        while True:
            await asyncio.sleep(interval)
            await answers.wait()
            came = False
            try:
                await self.ready()
                pairs = [pair for order in running() for pair in await self._growing(order)]
                came = await self._mirror.catch_up(pairs)
            except Away as error:
                away(str(error))
            except (Failed, OSError) as error:
                log.warning("outputs not read", extra={"error": str(error)})
            interval = self._often if came else min(interval * _SLOWER, max(self._often, _SELDOM))

    async def _growing(self, order: Order) -> list[Pair]:
        pairs = self._streams(order)
        if not order.watched or self._maps.there(order.command.directory):
            return pairs
        attempt = order.launch.attempt
        place = Path(order.command.directory) / order.watched
        record = await asyncio.to_thread(witness.record, order)
        if record is None or record.began is None:
            return pairs
        if attempt not in self._begun:  # what is here is of an earlier run
            with suppress(OSError):
                await asyncio.to_thread(place.unlink, missing_ok=True)
            self._begun.add(attempt)
        there = f"{self._place(attempt)}/{order.watched}"
        return [*pairs, Pair(there, place, record.began - 1)]

    def _streams(self, order: Order) -> list[Pair]:
        place = self._place(order.launch.attempt)
        return [
            Pair(f"{place}.out", Path(order.stdout)),
            Pair(f"{place}.err", Path(order.stderr)),
        ]

    async def _bring(
        self, answers: asyncio.Event, news: Callable[[], None], away: Callable[[str], None]
    ) -> None:
        """Results of those that are over, and the end of what nobody asks for any more."""
        while True:
            await self._work.wait()
            await answers.wait()
            self._work.clear()
            orders = list(self._wanted.values())[:_TOGETHER]
            gone, self._gone = self._gone, []
            try:
                await self.ready()
                await self._bring_some(orders)
                await self._remove(gone)
            except Away as error:
                self._gone += gone
                self._work.set()
                away(str(error))
            except Failed as error:
                log.warning("results not brought", extra={"error": str(error)})
                for order in orders:
                    self._arrived(order, (f"its results could not come: {error}",))
            if orders:
                news()
            if self._wanted:
                self._work.set()

    async def _bring_some(self, orders: Sequence[Order]) -> None:
        if not orders:
            return
        several = []
        for order in orders:
            place, directory = self._place(order.launch.attempt), order.command.directory
            mapped = self._maps.there(directory)
            several.append(
                Results(
                    order.launch.attempt,
                    [*self._streams(order), Pair(f"{place}.log", files.log(order))],
                    None if mapped else Pair(place, Path(directory)),
                    {} if mapped else await asyncio.to_thread(noted, _sent(order)),
                )
            )
        troubles = await self._incoming.bring(several)
        for order in orders:
            self._arrived(order, tuple(troubles[order.launch.attempt]))

    def _arrived(self, order: Order, troubles: tuple[str, ...]) -> None:
        if self._wanted.pop(order.launch.attempt, None) is not None:
            self._brought[order.launch.attempt] = troubles

    async def _remove(self, attempts: Sequence[AttemptId]) -> None:
        places = [self._place(attempt) for attempt in attempts]
        ends = ("", ".out", ".err", ".log", ".record", ".sh")
        if places:
            await self._remote.remove([f"{place}{end}" for place in places for end in ends])


def _sent(order: Order) -> Path:
    """The checksums of its inputs."""
    return Path(f"{order.stdout.removesuffix('.out')}.sent")


def _replace(place: Path, content: bytes) -> None:
    fresh = place.with_name(f"{place.name}.new")
    fresh.write_bytes(content)
    fresh.replace(place)
