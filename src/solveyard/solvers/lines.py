"""Whole lines out of a log that arrives in chunks."""

LIMIT = 4096  #: bytes; a longer line is skipped whole


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
