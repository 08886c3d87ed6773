"""The write-ahead log's space on disk, taken before it is used.

A commit that makes the file longer has the file system note where it grew, beside what was
written: on ext4 its fsync took 0.3 to 1 ms, and 0.1 to 0.2 ms over bytes that are there already. So
zeros are put behind what the log has. SQLite reads none of them: what follows the last frame
with the log's own salts and sums is no part of it (sqlite.org/fileformat2.html, 4.1 to 4.3).
"""

import os
import shutil
from contextlib import suppress
from pathlib import Path

from solveyard.store.database import Connection

ROOM = 8 << 20  #: bytes; two seconds of many commits, after which the log begins anew
_STEP = 1 << 20  #: bytes that a commit may have to wait for
_SCARCE = 128 * ROOM  #: bytes; where less is free, none of it is taken


def more(writer: Connection) -> bool:
    """Make the log longer by a step; False: it is long enough, or the disk has little room.

    Raises what a transaction does.
    """
    log = Path(f"{writer.path}-wal")
    with suppress(OSError), writer.transaction("IMMEDIATE"):  # nobody adds to the log meanwhile
        size = log.stat().st_size
        return (
            size < ROOM
            and shutil.disk_usage(log).free >= _SCARCE
            and _added(log, size, min(_STEP, ROOM - size))
        )
    return False


def _added(log: Path, size: int, count: int) -> bool:
    """False: the disk didn't take it all, and has none of it."""
    whole = False
    with log.open("r+b", buffering=0) as file:
        file.seek(size)
        try:
            whole = file.write(bytes(count)) == count
            os.fsync(file.fileno())
        except OSError:
            whole = False
        if not whole:
            file.truncate(size)
    return whole
