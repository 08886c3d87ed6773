"""A disk under the agents' ledgers: what was written is there until power is lost, and what was
synced is there for ever.

Takes the place of `os` and `open` in `solveyard.agent.ledger`.
"""

import io
import os
import random
from dataclasses import dataclass, field

from simulation.world import World

SECTOR = 128  #: bytes that are written whole, or not at all; few, since the ledgers are short


@dataclass
class File:
    content: bytearray = field(default_factory=bytearray)
    durable: bytes = b""  #: what no loss of power takes away


class Disk:
    O_RDWR, O_WRONLY, O_CREAT = os.O_RDWR, os.O_WRONLY, os.O_CREAT
    O_TRUNC, O_APPEND = os.O_TRUNC, os.O_APPEND
    name = "posix"

    def __init__(self, world: World) -> None:
        self.full: set[str] = set()  #: machines whose disk takes nothing now
        self._world = world
        self._files: dict[str, File] = {}
        self._before: dict[str, File] = {}  #: what a rename took the place of, not synced yet
        self._open: dict[int, tuple[str, File]] = {}
        self._next = 3

    def open(self, path: str, flags: int, mode: int = 0o600) -> int:
        if path not in self._files or flags & self.O_TRUNC:
            self._files[path] = File()
        self._next += 1
        self._open[self._next] = (path, self._files[path])
        return self._next

    def read(self, path: str, mode: str) -> io.BytesIO:
        """The builtin `open`."""
        return io.BytesIO(bytes(self._files[path].content))

    def write(self, descriptor: int, data: bytes) -> int:
        path, file = self._open[descriptor]
        self._world.boundary(f"write {path}")
        if path.partition("/")[0] in self.full:
            some = self._world.random.randrange(len(data))
            if some == 0:
                raise OSError(28, "No space left on device")
            data = data[:some]
        file.content += data
        self._world.boundary(f"written {path}", data)
        return len(data)

    def fstat(self, descriptor: int) -> os.stat_result:
        """Nothing but its size."""
        size = len(self._open[descriptor][1].content)
        return os.stat_result((0, 0, 0, 1, 0, 0, size, 0, 0, 0))

    def ftruncate(self, descriptor: int, size: int) -> None:
        del self._open[descriptor][1].content[size:]

    def fsync(self, descriptor: int) -> None:
        file = self._open[descriptor][1]
        file.durable = bytes(file.content)

    def close(self, descriptor: int) -> None:
        del self._open[descriptor]

    def replace(self, source: str, target: str) -> None:
        self._before.setdefault(target, self._files[target])
        self._files[target] = self._files.pop(source)
        self._world.boundary(f"renamed {target}")

    def lose_power(self, machine: str) -> None:
        """Of what was not synced, some is lost: the end, sectors before it, or all of the file.

        What is lost may be zeros.
        """
        for path in [path for path in self._files if path.startswith(f"{machine}/")]:
            file = self._files[path]
            if path in self._before and self._world.chance(0.5):
                file = self._before[path]
            whole = bytes(file.content)
            kept = whole[: self._world.random.randint(len(file.durable), len(whole))]
            if not whole.startswith(file.durable):  # it was truncated meanwhile
                kept = whole
            if self._world.chance(0.2):
                kept += bytes(len(whole) - len(kept))
            kept = _with_holes(kept, len(file.durable), random.Random(f"{path} {self._world.now}"))
            if not kept and self._world.chance(0.5):
                del self._files[path]
            else:
                self._files[path] = File(bytearray(kept), kept)
        self._before = {p: f for p, f in self._before.items() if not p.startswith(f"{machine}/")}
        for path in [p for p in self._files if p.startswith(f"{machine}/") and p.endswith(".new")]:
            del self._files[path]


def _with_holes(content: bytes, durable: int, draw: random.Random) -> bytes:
    """Now and then some of the sectors that were not synced are zeros."""
    if draw.random() < 0.7:
        return content
    whole = bytearray(content)
    for at in range(durable, len(whole), SECTOR):
        if draw.random() < 0.3:
            whole[at : at + SECTOR] = bytes(len(whole[at : at + SECTOR]))
    return bytes(whole)
