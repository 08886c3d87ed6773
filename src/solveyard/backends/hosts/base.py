"""What a host is: a machine on which a batch system's client commands run."""

from typing import Protocol

from solveyard.backends.dialects.base import Answer, Call


class Away(Exception):
    """The way to a host is broken: nobody knows what became of what was asked there."""


class Host(Protocol):
    commands: int  #: that were issued

    @property
    def where(self) -> str:
        """Which machine it is, for people."""
        ...

    @property
    def silent(self) -> str:
        """That it has owed an answer for some time, for people; "": it hasn't."""
        ...

    async def run(self, call: Call) -> Answer:
        """Until it ends, its time is over, it has written too much, or the way to it breaks.

        Then nothing is believed: the answer has no code.
        """
        ...
