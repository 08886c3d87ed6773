"""Slots: what runs one after the other in the same allocation, on the same spawner."""

from bisect import insort
from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

from solveyard.model import criteria
from solveyard.model.jobs import AttemptId, Job, JobId, JobSpec, Placement
from solveyard.model.resources import Resources

#: A command that ended within this time was brief; s.
BRIEF = 0.025
#: So many brief ends of the same command in a row, and successors are handed out.
ENOUGH = 4
#: Work that waits in a slot behind its first attempt, at most; s.
AHEAD = 0.05
#: When a slot's first attempt takes so long, those behind it are taken back; s.
PATIENCE = 0.1
#: What one takes at least that is only presumed to be brief; s.
PRESUMED = 0.001
_SHAPES = 1024
_Shape = tuple[str, bytes]  #: solver and options


class Member(NamedTuple):
    """An attempt in a slot; they sort by turn."""

    turn: int
    attempt: AttemptId
    job: JobId
    placed_at: float


class Slot:
    """One allocation and its attempts: the first runs, or starts; the others wait for it."""

    __slots__ = ("members", "moved_at", "need", "placement")

    def __init__(self, placement: Placement, need: Resources) -> None:
        self.placement = placement
        self.need = need
        self.members: list[Member] = []
        self.moved_at = 0.0  #: when its first attempt came to be the first

    def add(self, job: Job) -> None:
        attempt = job.attempts[-1]
        if not self.members:
            self.moved_at = attempt.placed_at
        insort(self.members, Member(attempt.placement.turn, attempt.id, job.id, attempt.placed_at))

    def discard(self, attempt: AttemptId) -> None:
        if self.members and self.members[0].attempt == attempt:
            del self.members[0]
            return
        self.members = [member for member in self.members if member.attempt != attempt]

    def before(self, attempt: AttemptId) -> AttemptId | None:
        """The attempt that this one follows."""
        members = self.members
        for place in range(len(members) - 1, 0, -1):  # most often it is the last
            if members[place].attempt == attempt:
                return members[place - 1].attempt
        return None

    @property
    def waiting(self) -> list[Member]:
        return self.members[1:]


class Seat:
    """A spawner, as the engine knows it."""

    __slots__ = ("boot_id", "connected", "ledger", "left_at", "stale")

    def __init__(self, boot_id: str = "", ledger: str = "", *, connected: bool = False) -> None:
        self.boot_id = boot_id
        self.ledger = ledger
        self.connected = connected
        self.left_at: float | None = None  #: None while connected, or not noticed yet
        self.stale = False


class Pace:
    """How long the same command took lately.

    A hint, not a record: it isn't stored, and a restarted engine gathers it anew. It decides
    only whether a job may be handed out a few milliseconds early, never which job goes first.
    """

    def __init__(self, read_later: Callable[[JobSpec], bool] = lambda spec: False) -> None:
        """`read_later`: whether its solver reads files of such a job after its end, which the next
        in its slot could have written anew by then.
        """
        self._read_later = read_later
        self._asked: tuple[JobSpec | None, bool] = (None, False)  #: the last one, often asked again
        self._shapes: OrderedDict[_Shape, tuple[int, float]] = OrderedDict()
        self._solvers: dict[str, tuple[int, float]] = {}  #: whatever their options are

    def ended(self, spec: JobSpec, wall: float) -> None:
        """The command of `spec` took `wall` seconds."""
        shape = (spec.solver, bytes(spec.options))
        self._shapes[shape] = _paced(self._shapes.pop(shape, None), wall)
        if len(self._shapes) > _SHAPES:
            self._shapes.popitem(last=False)
        self._solvers[spec.solver] = _paced(self._solvers.get(spec.solver), wall)

    def brief(self, spec: JobSpec) -> float | None:
        """The seconds that `spec` will take; None: not known to be brief."""
        if not self._shapes:
            return None
        count, mean = self._shapes.get((spec.solver, bytes(spec.options)), (0, 0.0))
        return max(mean, 0.0005) if count >= ENOUGH and not self.reads_later(spec) else None

    def presumably(self, spec: JobSpec) -> float | None:
        """The same; of one that never ran, judged by its solver's last jobs."""
        if (spec.solver, bytes(spec.options)) in self._shapes:
            return self.brief(spec)
        count, mean = self._solvers.get(spec.solver, (0, 0.0))
        return max(mean, PRESUMED) if count >= ENOUGH and not self.reads_later(spec) else None

    def reads_later(self, spec: JobSpec) -> bool:
        """Nobody may follow such a job, nor it others."""
        if self._asked[0] is not spec:
            self._asked = spec, self._read_later(spec)
        return self._asked[1]


def _paced(known: tuple[int, float] | None, wall: float) -> tuple[int, float]:
    """Brief ends in a row, and their mean, after one more end."""
    count, mean = known or (0, wall)
    return (count + 1, 0.8 * mean + 0.2 * wall) if wall < BRIEF else (0, wall)


def may_follow(spec: JobSpec) -> bool:
    """Could a job like this be handed out before its slot is free, or another behind it?

    Not where files are looked at after its end that the next one may have written anew by then,
    as they are in a folder that isn't its own.
    """
    need = spec.resources
    if need.licences or need.counts:
        return False
    return not (spec.directory and criteria.files(spec.measures, spec.success))


def alike(one: JobSpec, other: JobSpec) -> bool:
    """Do both run the same command? Then both take as long."""
    return one is other or (one.solver == other.solver and one.options == other.options)
