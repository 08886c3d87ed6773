"""Files that grow there, here as far as they were there: what came since the last look is read."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from solveyard.backends.hosts.base import Away
from solveyard.backends.hosts.remote import PIECE, Part, Remote
from solveyard.backends.hosts.ssh import Failed

_SHARE = 1 << 20  #: bytes of one file in one command


class Pair(NamedTuple):
    there: str
    here: Path
    since: float = 0.0  #: s since 1970, there: what is older isn't meant


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
                        await asyncio.to_thread(_write, pair.here, part.offset, content)
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
                have = await asyncio.to_thread(_size, pair.here, size)
            except OSError as error:
                failed[pair.here] = error.strerror or str(error)
                continue
            count = min(size - have, left, _SHARE)
            left -= count
            if size > have:
                parts.append((pair, Part(pair.there, have, count)))
        return parts


def _size(place: Path, most: int) -> int:
    """How much of it is here; more than there ever was is of something else."""
    try:
        size = place.stat().st_size
    except FileNotFoundError:
        return 0
    if size <= most:
        return size
    place.write_bytes(b"")
    return 0


def _write(place: Path, offset: int, content: bytes) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    with place.open("r+b" if offset else "wb") as file:
        file.seek(offset)
        file.write(content)
