"""The sessions of a store: programs whose jobs shall not go on without them.

Each leaves a file while it lives; one that is found without its process died.
"""

import contextlib
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import msgspec
from msgspec.structs import replace

from solveyard.store.database import sync_folder
from solveyard.store.holder import Holder


def begin(store: Path) -> str:
    """This process's new session, by its id. Raises OSError."""
    session = uuid.uuid4().hex
    _folder(store).mkdir(mode=0o700, parents=True, exist_ok=True)
    _write(store, session, Holder.this_process(session, {}))
    return session


def abandon(store: Path, session: str) -> None:
    """As if its process had died: for what may be left of it that it knows nothing of."""
    with contextlib.suppress(OSError):
        never = replace(Holder.this_process(session, {}), start_time=-1.0)
        _write(store, session, never)


def end(store: Path, session: str) -> None:
    """It ended, or what it left was looked after."""
    with contextlib.suppress(OSError):
        (_folder(store) / session).unlink()


def dead(store: Path) -> Iterator[str]:
    """Those whose process died without an `end`."""
    try:
        names = [entry.name for entry in _folder(store).iterdir()]
    except OSError:
        return
    for name in names:
        try:
            holder = msgspec.json.decode((_folder(store) / name).read_bytes(), type=Holder)
        except OSError:  # it has just ended
            continue
        except msgspec.DecodeError:  # a crash left half of it, or it is being written
            if not name.startswith("."):
                yield name
            continue
        if holder.gone:
            yield name


def place(store: Path, session: str) -> str:
    """The session's file; empty: there is no session."""
    return str(_folder(store) / session) if session else ""


def _write(store: Path, session: str, holder: Holder) -> None:
    """Raises OSError."""
    temporary = _folder(store) / f".{session}"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "wb") as file:  # noqa: PTH123  a descriptor, not a path
        file.write(msgspec.json.encode(holder))
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(_folder(store) / session)
    sync_folder(_folder(store))  # jobs name it, and they are on disk


def _folder(store: Path) -> Path:
    return store / "sessions"
