"""Lines: whole ones out of a log that arrives in chunks, and those of a text."""

import io
from collections.abc import Iterator

LIMIT = 4096  #: bytes; a longer line is skipped whole


def of_text(text: str) -> Iterator[str]:
    """As a file's reader gives them; `str.splitlines` ends lines at form feeds and \\x85, too."""
    return io.StringIO(text, newline=None)


class Lines:
    """Holds at most LIMIT bytes, and gives the same lines however they were cut."""

    def __init__(self) -> None:
        self._rest = b""
        self._skipping = False

    def feed(self, chunk: bytes) -> list[bytes]:
        """The lines that `chunk` completes, without their ends."""
        *complete, rest = (self._rest + chunk).split(b"\n")
        if complete and self._skipping:
            del complete[0]
            self._skipping = False
        self._skipping = self._skipping or len(rest) > LIMIT
        self._rest = b"" if self._skipping else rest
        return [line for line in complete if len(line) <= LIMIT]
