"""What a backend is: where commands run."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from solveyard.model.jobs import AttemptId
from solveyard.model.messages import AnyObservation, Ask, Forget, Kill, Launch, Modify, Recall
from solveyard.solvers.base import Command, Exit


class Order(NamedTuple):
    """A launch and the command that its solver made of it."""

    launch: Launch
    command: Command
    stdout: str  #: path
    stderr: str  #: path
    watched: str = ""  #: the file in its directory that tells progress; "": its standard output
    session: str = ""  #: path; while the process that it tells of is dead, it isn't to go on

    @property
    def within(self) -> tuple[str, ...]:
        """Real folders, in one of which its directory must be; none: anywhere, or it is its own."""
        return () if self.command.own_folder else self.launch.within


class RawEnd(NamedTuple):
    """A command's end before its solver judged it."""

    attempt: AttemptId
    exit: Exit
    native_id: str
    started_at: float | None
    #: What it wrote is no older, by its machine's clock as it was at the end; s since 1970
    since: float | None = None


class Abilities(NamedTuple):
    """What a backend can do by itself; the engine does the rest."""

    places_cores: bool  #: it runs exactly where the engine says
    successors: bool  #: it can be handed a command to start after another
    native_arrays: bool = False
    holds: bool = False
    pending_reasons: bool = False


Report = AnyObservation | RawEnd


class Backend(Protocol):
    """What is asked of a backend. Its `observations()` are what happens there, in batches."""

    name: str
    abilities: Abilities

    async def submit(self, orders: Sequence[Order]) -> None:
        """Send, in order. Returns when sent, not when started; safe to repeat."""
        ...

    async def recall(self, recalls: Sequence[Recall]) -> None: ...

    async def kill(self, kills: Sequence[Kill]) -> None: ...

    async def modify(self, modifies: Sequence[Modify]) -> None:
        """Of attempts that wait elsewhere."""
        ...

    async def forget(self, forgets: Sequence[Forget]) -> None: ...

    async def ask(self, ask: Ask) -> None: ...
