"""Files of jobs on a cluster that doesn't see ours: sent before, followed, brought back."""

import asyncio
import hashlib
import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from solveyard.backends.base import Order
from solveyard.backends.batch import carried, files, notes, witness
from solveyard.backends.batch.bringing import Bringing
from solveyard.backends.batch.layout import Layout
from solveyard.backends.batch.notes import Note
from solveyard.backends.batch.outgoing import Load, Outgoing, TooLarge
from solveyard.backends.batch.sharing import Ties
from solveyard.backends.batch.witness import Witness
from solveyard.backends.hosts.base import Away
from solveyard.backends.hosts.paths import PathMap
from solveyard.backends.hosts.remote import Part, Remote, Stat, Step
from solveyard.backends.hosts.ssh import Failed
from solveyard.backends.hosts.workspace import RemoteWorkspace
from solveyard.model.errors import InvalidJob
from solveyard.model.jobs import AttemptId

_ENDING = "sh"  #: of scripts, wherever ssh goes
#: What a disk there says that takes nothing now, and may later.
_FULL = re.compile(r"no space left on device|quota exceeded|input/output error", re.IGNORECASE)
_READ_ONLY = "read-only file system"
_RECORD = 4096  #: bytes; a record has some hundred


class Staged:
    """What lies in a mapped folder is seen there, and isn't sent. Implements `Files`."""

    def __init__(
        self, remote: Remote, maps: PathMap, store: str, *, most: int, often: float
    ) -> None:
        """`store`: its id; `most`: bytes of a job's inputs; `often`: s between looks at outputs."""
        self._remote = remote
        self._layout = Layout(remote, maps)
        self._outgoing = Outgoing(remote, most, store)
        self._bringing = Bringing(self._layout, store, often)
        self._records: dict[AttemptId, Stat] = {}  #: those that are here
        self._strays: dict[AttemptId, list[str]] = {}  #: see `remember`; what shows them, if seen

    async def run(self, ties: Ties) -> None:
        await self._bringing.run(ties)

    def there(self, order: Order) -> Order:
        return self._layout.there(order)

    async def ready(self) -> None:
        await self._layout.ready()

    async def remember(self, order: Order) -> str:
        attempt = order.launch.attempt
        note = await asyncio.to_thread(notes.read, order)
        self._layout.remember(attempt, note.root)
        if note.host in {"", self._remote.host.where}:
            return ""
        sent = await asyncio.to_thread(files.sent, order, _ENDING)
        mark = AttemptId(sent[0]) if sent is not None else attempt
        script = f"{self._layout.root(attempt)}/jobs/{mark}.{_ENDING}"
        self._strays[attempt] = [self._layout.place(attempt), script]
        return f"{note.host}:{note.root}"

    async def send(self, orders: Sequence[Order], script: str, ending: str) -> None:
        load, own = await asyncio.to_thread(self._load, orders, script, ending)
        where = self._remote.host.where
        try:
            if own.steps:
                await self._outgoing.send(own)
        except Failed as error:
            kind = files.Full if _FULL.search(str(error)) else InvalidJob
            raise kind(f"{where}: {own.steps[0].path}: {error}") from error
        try:
            await self._outgoing.send(load)
        except TooLarge as error:
            one = len({order.command.directory for order in orders}) == 1
            place = self._layout.root(orders[0].launch.attempt)
            raise (files.Full if one else files.NoRoom)(f"{where}: {place}: {error}") from error
        except Failed as error:
            if _FULL.search(str(error)) or _READ_ONLY in str(error).lower():
                root = self._layout.root(orders[0].launch.attempt)
                raise files.NoRoom(f"{where} takes no files: {root}: {error}") from error
            raise InvalidJob(str(error)) from error

    async def witnesses(self, orders: Sequence[Order]) -> list[Witness]:
        unseen: Mapping[str, Stat] = {}
        if orders:
            await self.ready()
            try:
                await self._look_for_strays(orders)
                await self._read_records(orders)
                unseen = await self._unseen_outputs(orders)
            except (Failed, OSError) as error:
                raise Away(f"{self._remote.host.where}: {error}") from error
        return await asyncio.to_thread(lambda: [self._witness(order, unseen) for order in orders])

    async def all_ended(self, orders: Sequence[Order]) -> bool:
        return False

    def bring(self, order: Order) -> None:
        self._bringing.want(order)

    def forget(self, attempt: AttemptId, array: str) -> None:
        self._records.pop(attempt, None)
        self._strays.pop(attempt, None)
        self._bringing.forget(attempt, array)

    def workspace(
        self, attempt: AttemptId, directory: str, *, runs: bool
    ) -> RemoteWorkspace | None:
        mapped = self._layout.mapped(directory)
        if Path(directory).is_dir() if mapped else not runs:
            return None
        loop = asyncio.get_running_loop()
        return RemoteWorkspace(self._remote, lambda: mapped or self._layout.place(attempt), loop)

    # Inside

    def _load(self, orders: Sequence[Order], script: str, ending: str) -> tuple[Load, Load]:
        """For the folder of ours there, and for folders of the jobs' own."""
        files.write(orders, script, ending, lambda order: self._layout.unseen(order) is None)
        load, own = Load(), Load()
        folders = Counter(order.command.directory for order in orders)
        for order in orders:
            there = self._layout.there(order).command.directory
            sums: dict[str, str] = {}
            if carried.carries(order.command.argv):
                content = carried.archive()
                digest = hashlib.sha256(content).hexdigest()
                load.steps.append(
                    Step("file", self._layout.programs(order), digest, 0o600, content)
                )
            if self._layout.unseen(order) is not None:
                for name, text in order.command.files.items():
                    content = text.encode()
                    digest = hashlib.sha256(content).hexdigest()
                    own.steps.append(Step("file", f"{there}/{name}", digest, 0o600, content))
            elif not self._layout.mapped(order.command.directory):
                folder = order.command.directory
                sums = self._outgoing.add(
                    load, Path(folder), there, within=order.within, shared=folders[folder] > 1
                )
            root = self._layout.root(order.launch.attempt)
            with files.in_store(order.stdout):
                notes.write(order, Note(sums, self._remote.host.where, root))
        place = files.script(orders[0], ending)
        there = str(files.script(self._layout.there(orders[0]), ending))
        self._outgoing.add_file(load, place, there)
        return load, own

    def _witness(self, order: Order, unseen: Mapping[str, Stat]) -> Witness:
        folder = self._layout.unseen(order)

        def look(path: str) -> tuple[int, float] | None:
            found = unseen.get(f"{folder}/{path}")
            return found and (found.size, float(found.modified))

        seen = witness.of(order, look if folder else None)
        brought = self._bringing.brought.get(order.launch.attempt)
        there = order.launch.attempt not in self._strays
        return seen._replace(here=brought is not None, troubles=brought or (), there=there)

    async def _look_for_strays(self, orders: Sequence[Order]) -> None:
        """Another host may see the same files: then it is none."""
        asked = {
            order.launch.attempt: self._strays[order.launch.attempt]
            for order in orders
            if order.launch.attempt in self._strays
        }
        found = await self._remote.stat([path for paths in asked.values() for path in paths])
        for attempt, paths in asked.items():
            if not found.keys().isdisjoint(paths):
                self._strays.pop(attempt, None)

    async def _unseen_outputs(self, orders: Sequence[Order]) -> Mapping[str, Stat]:
        folders = [(order, folder) for order in orders if (folder := self._layout.unseen(order))]
        return await self._remote.stat(
            [f"{folder}/{path}" for order, folder in folders for path in order.command.outputs]
        )

    async def _read_records(self, orders: Sequence[Order]) -> None:
        places = {f"{self._layout.place(order.launch.attempt)}.record": order for order in orders}
        found = await self._remote.stat(list(places))
        new = {
            place: order
            for place, order in places.items()
            if place in found and found[place] != self._records.get(order.launch.attempt)
        }
        parts = [Part(place, 0, min(_RECORD, found[place].size)) for place in new]
        read = await self._remote.read(parts) if parts else []
        for (place, order), content in zip(new.items(), read, strict=True):
            modified = found[place].modified
            await asyncio.to_thread(_replace, files.record(order), content, modified)
            self._records[order.launch.attempt] = found[place]


def _replace(place: Path, content: bytes, modified: int) -> None:
    """With the time that it has there."""
    fresh = place.with_name(f"{place.name}.new")
    fresh.write_bytes(content)
    os.utime(fresh, (modified, modified))
    fresh.replace(place)
