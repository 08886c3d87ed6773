"""A job's id that may be awaited: documents disagree on whether `submit_job` is a coroutine."""

from collections.abc import Generator
from types import TracebackType
from typing import NoReturn


class SubmittedId(str):
    """The id itself; `await` and `asyncio.run` answer it, too, without any wait.

    It has a coroutine's methods, by which asyncio knows one.
    """

    __slots__ = ()

    def __await__(self) -> Generator[None, None, str]:
        return str(self)
        yield  # that makes it a generator, though nothing is waited for

    def send(self, value: object) -> NoReturn:
        raise StopIteration(str(self))

    def throw(
        self,
        kind: BaseException | type[BaseException],
        value: object = None,
        trace: TracebackType | None = None,
    ) -> NoReturn:
        raise kind

    def close(self) -> None:
        """Nothing is open."""
