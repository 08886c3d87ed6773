"""What a file system may have kept when power was lost, from a record of what was done to it.

The rules are those of POSIX at their strictest: what was written since a file's last sync may be
there or not, sector by sector, in any combination; so may its new length; so may a new name, an
unlinked or a renamed one, since the last sync of its folder.
"""

import os
import random
import shlex
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

SECTOR = 512  #: bytes that are written whole, or not at all
_HEAD = struct.Struct("<cHQQ")


class Change(NamedTuple):
    kind: str
    name: str
    offset: int
    data: bytes


def recorder(folder: Path) -> Path | None:
    """The library that records; None: it can't be made here."""
    compiler = shlex.split(os.environ.get("CC") or "cc")
    if sys.platform != "linux" or shutil.which(compiler[0]) is None:
        return None
    library = folder / "record.so"
    source = Path(__file__).with_name("record.c")
    subprocess.run(
        [*compiler, "-O1", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True
    )
    return library


def read(trace: Path) -> list[Change]:
    data, at, found = trace.read_bytes(), 0, []
    while at < len(data):
        kind, length, offset, size = _HEAD.unpack_from(data, at)
        at += _HEAD.size
        name = data[at : at + length].decode()
        found.append(Change(kind.decode(), name, offset, data[at + length : at + length + size]))
        at += length + size
    return found


class File:
    """Its content as far as it was synced, and what was done since."""

    def __init__(self) -> None:
        self.durable = b""
        self.since: list[Change] = []

    def sync(self) -> None:
        self.durable = self.content(lambda: True)
        self.since = []

    def content(self, kept: Callable[[], bool]) -> bytes:
        content = bytearray(self.durable)
        for change in self.since:
            if change.kind == "T":
                if kept():
                    _cut(content, change.offset)
                continue
            at, end = change.offset, change.offset + len(change.data)
            while at < end:
                upto = min(end, (at // SECTOR + 1) * SECTOR)
                if kept():
                    _cut(content, max(len(content), upto))
                    content[at:upto] = change.data[at - change.offset : upto - change.offset]
                at = upto
        return bytes(content)


class Disk:
    """One folder and what is below it, change by change."""

    def __init__(self) -> None:
        self._now: dict[str, File | None] = {}  #: None: a folder
        self._durable: dict[str, File | None] = {}  #: names as of their folder's last sync

    def do(self, change: Change) -> None:
        entries, name = self._now, change.name
        match change.kind:
            case "O":
                entries[name] = File()
            case "M":
                entries[name] = None
            case "W" | "T":
                self._file(name).since.append(change)
            case "S":
                self._file(name).sync()
            case "D":
                there = {key: value for key, value in entries.items() if _folder(key) == name}
                others = {k: v for k, v in self._durable.items() if _folder(k) != name}
                self._durable = {**others, **there}
            case "U":
                entries.pop(name, None)  # what was bound, not opened, isn't known
            case "R":
                entries[change.data.decode()] = entries.pop(name)
            case "L":
                entries[change.data.decode()] = entries[name]

    def after_a_loss(self, draw: random.Random) -> Mapping[str, bytes | None]:
        """What may be there when power is back; None: a folder."""
        share = draw.choice([0.0, 0.1, 0.5, 0.9, 1.0])

        def kept() -> bool:
            return draw.random() < share

        found: dict[str, bytes | None] = {}
        for name in sorted({*self._now, *self._durable}):
            entries = self._now if kept() else self._durable
            if name in entries and (not _folder(name) or _folder(name) in found):
                file = entries[name]
                found[name] = None if file is None else file.content(kept)
        return found

    def _file(self, name: str) -> File:
        file = self._now[name]
        assert file is not None
        return file


def put(found: Mapping[str, bytes | None], place: Path) -> None:
    """Make it so, in an empty folder."""
    for name, content in found.items():
        if content is None:
            (place / name).mkdir(mode=0o700)
        else:
            (place / name).touch(mode=0o600)
            (place / name).write_bytes(content)


def told(trace: Path, line: str, name: str) -> None:
    """Add to the record that somebody was told something."""
    data = line.encode()
    record = _HEAD.pack(b"W", len(name), 0, len(data)) + name.encode() + data
    file = os.open(trace, os.O_WRONLY | os.O_APPEND)
    os.write(file, record)
    os.close(file)


def _folder(name: str) -> str:
    return name.rpartition("/")[0]


def _cut(content: bytearray, size: int) -> None:
    del content[size:]
    content.extend(bytes(size - len(content)))
