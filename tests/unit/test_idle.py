"""When a manager without work leaves."""

from typing import Any

from solveyard import serve


class Quiet:
    """A manager and its door: nothing to do, and for so many looks it listens for another."""

    busy = False
    requests = 0

    def __init__(self, looks: int) -> None:
        self.looks = looks

    @property
    def lends(self) -> bool:
        self.looks -= 1
        return self.looks >= 0


async def test_who_listens_for_another_stays() -> None:
    quiet: Any = Quiet(5)
    left: list[str] = []
    await serve._stop_when_idle(quiet, quiet, 0.001, left.append)
    assert (left, quiet.looks) == (["leave"], -1)
