"""Files that grow there, here as far as they were there: what came since the last look is read."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from solveyard.backends.hosts.remote import PIECE, Part, Remote

_SHARE = 1 << 20  #: bytes of one file in one command


class Pair(NamedTuple):
    there: str
    here: Path
    since: float = 0.0  #: s since 1970, there: what is older isn't meant


class Mirror:
    def __init__(self, remote: Remote) -> None:
        self._remote = remote
        self._turn = asyncio.Lock()

    async def catch_up(self, pairs: Sequence[Pair], *, whole: bool = False) -> bool:
        """Has anything come? `whole`: until nothing more is there. Raises Away, Failed, OSError."""
        came = False
        async with self._turn:
            while pairs:
                stats = await self._remote.stat([pair.there for pair in pairs])
                parts: list[tuple[Pair, Part]] = []
                left = PIECE
                for pair in pairs:
                    found = stats.get(pair.there)
                    size = found.size if found and found.modified >= pair.since else 0
                    have = await asyncio.to_thread(_size, pair.here, size)
                    count = min(size - have, left, _SHARE)
                    if count > 0:
                        left -= count
                        parts.append((pair, Part(pair.there, have, count)))
                if not parts:
                    break
                came = True
                read = await self._remote.read([part for _, part in parts])
                for (pair, part), content in zip(parts, read, strict=True):
                    await asyncio.to_thread(_write, pair.here, part.offset, content)
                if not whole:
                    break
                pairs = [pair for pair, _ in parts]
        return came


def _size(place: Path, most: int) -> int:
    """How much of it is here; more than there ever was is of something else."""
    try:
        size = place.stat().st_size
    except OSError:
        return 0
    if size <= most:
        return size
    place.write_bytes(b"")
    return 0


def _write(place: Path, offset: int, content: bytes) -> None:
    with place.open("r+b" if offset else "wb") as file:
        file.seek(offset)
        file.write(content)
