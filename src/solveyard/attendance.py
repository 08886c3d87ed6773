"""The sessions of a store: programs whose jobs shall not go on without them.

Each leaves a file while it lives; one that is found without its process died.
"""

import contextlib
import uuid
from collections.abc import Iterator
from pathlib import Path

import msgspec
from msgspec.structs import replace

from solveyard.store import private
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
    content = msgspec.json.encode(holder)
    private.write(_folder(store) / session, content, lasting=True)  # jobs name it, and they last


def _folder(store: Path) -> Path:
    return store / "sessions"
