"""Files that grow there, here as far as they were there: what came since the last look is read."""

import asyncio
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from solveyard.backends.hosts.base import Away
from solveyard.backends.hosts.remote import PIECE, Part, Remote
from solveyard.backends.hosts.ssh import Failed
from solveyard.wire.beneath import Folder

_SHARE = 1 << 20  #: bytes of one file in one command


class Pair(NamedTuple):
    there: str
    here: Path
    since: float = 0.0  #: s since 1970, there: what is older isn't meant
    root: Path | None = None  #: the job's folder, in which `here` is; None: `here` is beside it
    within: tuple[str, ...] = ()  #: real folders, in one of which `root` must be; none: anywhere

    def make(self) -> None:
        """Its folder here, should it have gone, where it may be anywhere. Raises OSError."""
        if not self.within:
            (self.root or self.here.parent).mkdir(parents=True, exist_ok=True)


class Came(NamedTuple):
    anything: bool
    failed: dict[Path, str]  #: what can't be looked at there or written here, and why


class Mirror:
    def __init__(self, remote: Remote) -> None:
        self._remote = remote
        self._turn = asyncio.Lock()

    async def catch_up(self, pairs: Sequence[Pair], *, whole: bool = False) -> Came:
        """`whole`: until nothing more is there. Raises Away, Failed."""
        failed: dict[Path, str] = {}
        anything = False
        while pairs:
            async with self._turn:
                parts = await self._news(pairs, failed)
                try:
                    read = await self._remote.read([part for _, part in parts]) if parts else []
                except Failed as error:  # look again
                    raise Away(str(error)) from error
                for (pair, part), content in zip(parts, read, strict=True):
                    try:
                        await asyncio.to_thread(_write, pair, part.offset, content)
                    except OSError as error:
                        failed[pair.here] = error.strerror or str(error)
            anything = anything or bool(parts)
            pairs = [pair for pair, _ in parts if whole and pair.here not in failed]
        return Came(anything, failed)

    async def _news(
        self, pairs: Sequence[Pair], failed: dict[Path, str]
    ) -> list[tuple[Pair, Part]]:
        """What isn't here yet, as much as one command reads: of the last perhaps nothing."""
        looked = await self._remote.look([pair.there for pair in pairs])
        parts: list[tuple[Pair, Part]] = []
        left = PIECE
        for pair in pairs:
            if why := looked.unknown.get(pair.there):
                failed[pair.here] = why
            found = looked.found.get(pair.there)
            if found is None or found.modified < pair.since:
                continue  # what is here may be all that there ever will be
            size = found.size
            try:
                have = await asyncio.to_thread(_size, pair, size)
            except OSError as error:
                failed[pair.here] = error.strerror or str(error)
                continue
            count = min(size - have, left, _SHARE)
            left -= count
            if size > have:
                parts.append((pair, Part(pair.there, have, count)))
        return parts


def _size(pair: Pair, most: int) -> int:
    """How much of it is here; more than there ever was is of something else."""
    try:
        with _folder(pair) as (folder, path):
            size = folder.stat(path).st_size
            if size > most:
                os.close(_emptied(folder, path))
                return 0
    except FileNotFoundError:
        return 0
    return size


def _write(pair: Pair, offset: int, content: bytes) -> None:
    pair.make()
    with _folder(pair) as (folder, path):
        folder.make(path.rpartition("/")[0])
        into = folder.open(path, os.O_RDWR) if offset else _emptied(folder, path)
        with os.fdopen(into, "r+b") as file:
            file.seek(offset)
            file.write(content)


def _emptied(folder: Folder, path: str) -> int:
    """The file, open; made where it isn't there."""
    file = folder.open(path, os.O_RDWR | os.O_CREAT)
    os.ftruncate(file, 0)
    return file


@contextmanager
def _folder(pair: Pair) -> Iterator[tuple[Folder, str]]:
    """In which it is, and its path there."""
    root = pair.root or pair.here.parent
    with Folder(str(root), pair.within) as folder:
        yield folder, pair.here.relative_to(root).as_posix()
