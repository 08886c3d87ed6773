"""A spawner's ledger: what it accepted, started and saw ending, on disk before it says so.

A text line for each record, `kind JSON`, appended with one write:
  H ledger's id    A accepted    S started    L limit changed    E ended    F forgotten
A process that is killed loses nothing that was written; a machine that crashes comes back with
another boot id, and nothing here is trusted across boots. So nothing is fsynced but a rewrite.
A line that was cut is no JSON and is ignored: what it announces never happened.
H names the folder in which the ledger is kept, too: in a copy of a store it is another's.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
from typing import Any, Dict, Iterable, List, Optional, Set

from solveyard.agent.platform.base import agent_at, keeper_of

LIMIT = 1024 * 1024  #: bytes; a file that is larger and mostly forgotten is rewritten
_KEYS = dict.fromkeys("ASLE", "attempt")
_KEYS.update(H="ledger", F="attempts")  # what a record of each kind must hold
_ENCODE = json.JSONEncoder(separators=(",", ":")).encode
_log = logging.getLogger(__name__)

Record = Dict[str, Any]


class Entry:
    """What the ledger holds of one attempt."""

    __slots__ = ("accepted", "ended", "size", "started")

    def __init__(self) -> None:
        self.accepted: Optional[Record] = None
        self.started: Optional[Record] = None
        self.ended: Optional[Record] = None  #: the message as it is sent
        self.size = 0  #: bytes of its lines


class Ledger:
    """One file; its spawner alone writes it.

    Records that can't be written wait in memory and are tried again with every `flush`; only
    `accept` insists.
    """

    def __init__(self, path: str) -> None:
        """Open or create. Raises OSError."""
        self.id = ""
        self.keeper: Optional[Record] = None  #: whose it was; None: a version that noted nobody's
        self.entries: Dict[str, Entry] = {}
        self.forgotten: Set[str] = set()  #: ids still in the file, whose ends were acknowledged
        self._path = path
        self._waiting: List[bytes] = []
        self._terms: Record = {}  # of the last that was accepted: the next one's often are the same
        self._terms_text = ""
        self._live = 0
        self._file = _open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND)
        self._size, self._torn = self._load()
        if not self.id:
            self.id = secrets.token_hex(8)
            self.keeper = keeper_of(self._path)
            self._waiting.insert(0, self._title())
            self.flush()

    @property
    def original(self) -> str:
        """The folder of the ledger that this is a copy of, and that is still there; "": it is none.

        A folder that has moved is none's copy.
        """
        noted, ours = self.keeper, keeper_of(self._path)
        if noted is None or ours is None or noted.get("agent") == ours["agent"]:
            return ""
        place = str(noted.get("place", ""))
        return place if agent_at(place) == noted.get("agent") else ""

    def keep(self) -> None:
        """Note that it is ours, once nothing in it is taken for another's."""
        ours = keeper_of(self._path)
        if self.keeper != ours and ours is not None:
            self.keeper = ours
            self._waiting.append(self._title())

    def accept(self, attempt: str, terms: Record) -> Record:
        """Write that `attempt` is about to start; returns its record. `terms`: the rest of it, not
        empty.

        Raises OSError: then it isn't, and must not.
        """
        if terms != self._terms:
            self._terms, self._terms_text = terms, _ENCODE(terms)
        record = {"attempt": attempt, **terms}
        line = _text_line("A", '{"attempt":' + _ENCODE(attempt) + "," + self._terms_text[1:])
        self._waiting.append(line)
        try:
            self._write()
        except OSError as error:
            self._waiting.remove(line)
            why = "cannot write {}: {}".format(self._path, error.strerror or error)
            raise OSError(error.errno, why) from error
        before = self.entries.get(attempt)
        if before is not None and before.started is None and before.ended is None:
            self._live -= before.size  # it was tried before, where there was no room
            before.size = 0
        self._entry(attempt, line).accepted = record
        return record

    def started(self, attempt: str, record: Record) -> None:
        self._add("S", attempt, record).started = record

    def limited(self, attempt: str, limit: Optional[float]) -> None:
        accepted = self._add("L", attempt, {"attempt": attempt, "limit": limit}).accepted
        if accepted is not None:
            accepted["limit"] = limit

    def ended(self, attempt: str, message: Record) -> str:
        """Returns the message as JSON: whoever sends it need not make that again."""
        text = _ENCODE(message)
        self._add_text("E", attempt, text).ended = message
        return text

    def forget(self, attempts: Iterable[str]) -> None:
        """Their ends are on the manager's disk. Those that have not ended stay."""
        gone = [attempt for attempt in attempts if self._drop(attempt)]
        if gone:
            self._waiting.append(_line("F", {"attempts": gone}))

    def flush(self) -> bool:
        """Write what waits; False: the disk doesn't take it now."""
        if not self._waiting and self._size <= LIMIT:
            return True
        try:
            if self._waiting:
                self._write()
            if self._size > LIMIT and self._live < self._size // 2:
                self._rewrite()
        except OSError as error:
            _log.error("cannot write the ledger %s: %s", self._path, error)
            return False
        return True

    def close(self) -> None:
        self.flush()
        self._shut()

    def _drop(self, attempt: str) -> bool:
        entry = self.entries.get(attempt)
        if entry is None or entry.ended is None:
            return False
        del self.entries[attempt]
        self._live -= entry.size
        self.forgotten.add(attempt)
        return True

    def _add(self, kind: str, attempt: str, record: Record) -> Entry:
        return self._add_text(kind, attempt, _ENCODE(record))

    def _add_text(self, kind: str, attempt: str, text: str) -> Entry:
        line = _text_line(kind, text)
        self._waiting.append(line)
        return self._entry(attempt, line)

    def _entry(self, attempt: str, line: bytes) -> Entry:
        entry = self.entries.get(attempt)
        if entry is None:
            entry = self.entries[attempt] = Entry()
        entry.size += len(line)
        self._live += len(line)
        return entry

    def _shut(self) -> None:
        """Until the next write: what is opened meanwhile may get its number."""
        file, self._file = self._file, -1
        if file >= 0:
            os.close(file)

    def _write(self) -> None:
        if self._file < 0:
            self._file = _open(self._path, os.O_RDWR | os.O_APPEND)
        data = b"".join(self._waiting)
        torn = self._torn
        if torn:
            data = b"\n" + data
        written = os.write(self._file, data)
        if written < len(data):  # a full disk takes what fits: take it back, it is cut anywhere
            self._torn = True
            os.ftruncate(self._file, self._size)
            self._torn = torn
            raise OSError("only {} of {} bytes fitted".format(written, len(data)))
        self._size = os.fstat(self._file).st_size if torn else self._size + written
        self._torn = False
        self._waiting.clear()

    def _rewrite(self) -> None:
        lines = [self._title()]
        for entry in self.entries.values():
            for kind, record in (("A", entry.accepted), ("S", entry.started), ("E", entry.ended)):
                if record is not None:
                    lines.append(_line(kind, record))
        data = b"".join(lines)
        fresh = self._path + ".new"
        file = _open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        try:
            if os.write(file, data) < len(data):
                raise OSError("no room to rewrite it")
            os.fsync(file)
        finally:
            os.close(file)
        if os.name == "nt":  # Windows replaces no file that is open
            self._shut()
        os.replace(fresh, self._path)
        self._shut()
        self._size = len(data)
        self.forgotten.clear()

    def _title(self) -> bytes:
        return _line("H", {"ledger": self.id, **(self.keeper or {})})

    def _load(self) -> "tuple[int, bool]":
        with open(self._path, "rb") as file:
            data = file.read()
        for line in data.splitlines():
            kind, record = _parse(line)
            if kind == "H":
                self.id = record.pop("ledger")
                self.keeper = record or None
            elif kind:
                self._replay(kind, record, len(line) + 1)
            elif line:
                _log.warning("ledger %s: ignored a line that was cut: %.80r", self._path, line)
        return len(data), bool(data) and not data.endswith(b"\n")

    def _replay(self, kind: str, record: Record, size: int) -> None:
        if kind == "F":
            for attempt in record["attempts"]:
                self._drop(attempt)
            return
        attempt = record["attempt"]
        entry = self.entries.setdefault(attempt, Entry())
        entry.size += size
        self._live += size
        if kind == "A":
            entry.accepted = record
        elif kind == "S":
            entry.started = record
        elif kind == "E":
            entry.ended = record
        elif entry.accepted is not None:  # L
            entry.accepted["limit"] = record["limit"]


def _open(path: str, flags: int) -> int:
    """Windows would write two bytes for each end of a line, and count one."""
    return os.open(path, flags | getattr(os, "O_BINARY", 0), 0o600)


def _line(kind: str, record: Record) -> bytes:
    return _text_line(kind, _ENCODE(record))


def _text_line(kind: str, text: str) -> bytes:
    return (kind + " " + text + "\n").encode("ascii")


def _parse(line: bytes) -> "tuple[str, Record]":
    """The line's kind and record; kind "" for a line that is none."""
    kind, _, body = line.decode("ascii", "replace").partition(" ")
    try:
        record = json.loads(body)
    except ValueError:
        return "", {}
    key = _KEYS.get(kind)
    if key is None or not isinstance(record, dict) or key not in record:
        return "", {}
    return kind, record
