"""Files of a store that nobody else may read, and that nobody ever finds half written."""

import os
import tempfile
from pathlib import Path

from solveyard.store.database import sync_names


def write(place: Path, content: bytes, *, lasting: bool = False) -> None:
    """Replace `place` as a whole (0600). Where that fails nothing is left behind.

    `lasting`: on disk when this returns, and not taken away by a loss of power. Raises OSError.
    """
    descriptor, name = tempfile.mkstemp(prefix=f".{place.name}.", dir=place.parent)  # 0600
    try:
        with open(descriptor, "wb") as file:  # noqa: PTH123  a descriptor, not a path
            file.write(content)
            if lasting:
                file.flush()
                os.fsync(file.fileno())
        Path(name).replace(place)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    if lasting:
        sync_names(place)
