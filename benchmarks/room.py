"""What each benchmark is given: fresh folders, the bare machine, and somebody to tell."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from benchmarks.bare import Bare
from benchmarks.service import Service


class Room:
    """A folder of one run. What is in it stays until the run's end.

    ext4 makes new files two to four times slower for a while after many were deleted.
    """

    def __init__(self, folder: Path, bare: Bare, tell: Callable[[str], None]) -> None:
        self.bare = bare
        self.tell = tell  #: a line of progress
        self._folder = folder
        self._made = 0

    def fresh(self) -> Path:
        """An empty folder."""
        self._made += 1
        folder = self._folder / str(self._made)
        folder.mkdir()
        return folder

    @contextmanager
    def service(
        self, store: Path | None = None, environment: Mapping[str, str] | None = None
    ) -> Iterator[Service]:
        """A manager as its own process, ready, on `store` or an empty one; ended afterwards."""
        service = Service(store or self.fresh() / "store", environment or {})
        try:
            service.start()
            yield service
        finally:
            service.end()
