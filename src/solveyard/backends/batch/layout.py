"""Where the files of a cluster's jobs lie there, and which of its folders needn't be sent."""

from pathlib import Path

from msgspec.structs import replace

from solveyard.backends.base import Order
from solveyard.backends.batch import carried, files
from solveyard.backends.batch.mirror import Pair
from solveyard.backends.hosts.base import Away
from solveyard.backends.hosts.paths import PathMap
from solveyard.backends.hosts.remote import Remote
from solveyard.backends.hosts.ssh import Failed
from solveyard.model.errors import InvalidJob
from solveyard.model.jobs import AttemptId


class Layout:
    """A mapped folder is seen there under another name; any other job has a copy of its own."""

    def __init__(self, remote: Remote, maps: PathMap) -> None:
        self.remote = remote
        self._maps = maps
        self._roots: dict[AttemptId, str] = {}  #: of those that an earlier manager sent

    async def ready(self) -> None:
        """Until all is known. Raises Away."""
        try:
            await self.remote.ready()
        except Failed as error:
            raise Away(f"{self.remote.host.where}: {error}") from error

    def place(self, attempt: AttemptId) -> str:
        """Where its files lie: with an ending, or the folder in which it runs."""
        return f"{self.root(attempt)}/jobs/{attempt}"

    def root(self, attempt: AttemptId) -> str:
        """The folder of ours to which it was sent, or will be; it stays the attempt's own."""
        return self._roots.get(attempt, self.remote.root)

    def remember(self, attempt: AttemptId, root: str) -> None:
        """Where an earlier manager sent it, whatever the settings say by now."""
        if root.startswith("/"):
            self._roots[attempt] = root

    def mapped(self, directory: str) -> str | None:
        """Its name there; None: it must be sent."""
        return self._maps.there(directory)

    def unseen(self, order: Order) -> str | None:
        """Its directory there, where that is mapped and nobody sees it here."""
        mapped = self.mapped(order.command.directory)
        return mapped if mapped and not Path(order.command.directory).is_dir() else None

    def there(self, order: Order) -> Order:
        """The same, with the paths that it has there. Raises InvalidJob."""
        command, place = order.command, self.place(order.launch.attempt)
        folder = self.mapped(command.directory)
        # its home folder may not be known yet: then this is for a preview, and never sent
        absolute = place if place.startswith("/") else f"/{place}"
        try:
            maps = self._maps if folder else self._maps | {command.directory: absolute}
        except ValueError as error:
            raise InvalidJob(f"its directory can't be sent: {error}") from error
        argv = tuple(map(maps.word, command.argv))
        if carried.carries(command.argv):
            argv = carried.there(argv, self.programs(order))
        return order._replace(
            command=replace(command, argv=argv, directory=folder or place),
            stdout=f"{place}.out",
            stderr=f"{place}.err",
        )

    def programs(self, order: Order) -> str:
        """Where our own programs lie for it there, if it runs one."""
        return f"{self.place(order.launch.attempt)}.pyz"

    def streams(self, order: Order) -> list[Pair]:
        """Its output, and what its script tells of its processes where somebody watches."""
        place = self.place(order.launch.attempt)
        pairs = [
            Pair(f"{place}.out", Path(order.stdout)),
            Pair(f"{place}.err", Path(order.stderr)),
        ]
        if order.launch.spec.hang is not None:
            pairs.append(Pair(f"{place}.alive", files.alive(order)))
        return pairs
