"""Who has how much: what each owner's jobs hold, wait for and have used, and what they may.

An owner has used the core-seconds of the runs that have ended, halved in each half-life, and of
those that go on, in full. Whoever has used least for their weight is furthest below their share.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from msgspec.structs import replace

from solveyard.core.arrays import Arrays
from solveyard.core.fitting import count
from solveyard.core.leaps import Leaps
from solveyard.model.ids import array_of
from solveyard.model.jobs import WAITING, Attempt, Job, JobId
from solveyard.model.resources import Range, Resources
from solveyard.model.shares import NO_QUOTA, OTHERS, Shares, Spent

#: s that whatever runs counts beside its time, so that a burst is shared, too.
PLEDGE = 60.0


@dataclass(slots=True)
class _Account:
    jobs: int = 0  #: that run, or are about to, those that wait in slots for others too
    cores: int = 0  #: of all those
    since: int = 0  #: the sum, core by core, of when they were placed; microseconds, exact
    waiting: int = 0  #: jobs and tasks, held ones too


class Standing(NamedTuple):
    """One owner, for people."""

    owner: str
    weight: float
    used: float  #: core-seconds that count now
    running: int
    cores: int
    waiting: int


class Owners:
    """Kept in step with every change of a job, where it matters whose it is."""

    def __init__(
        self,
        shares: Shares,
        spent: Iterable[Spent],
        jobs: Mapping[JobId, Job],
        arrays: Arrays,
        leaps: Leaps,
    ) -> None:
        self.shares = shares
        self.spent = {one.owner: one for one in spent}  #: what the store has to keep
        self._now = 0.0  #: of the step under way
        self._jobs = jobs
        self._arrays = arrays
        self._leaps = leaps
        self._accounts: dict[str, _Account] = {}
        self._leads: dict[str, float] = {}  #: as known at this moment
        self._unopened: dict[JobId, int] = {}  #: tasks without a record that wait, by array

    # What changes

    def replace(self, before: Job | None, after: Job | None) -> None:
        """A job has changed; None: it wasn't there before, or isn't any more."""
        job = after or before
        assert job is not None
        self._leads.pop(job.owner, None)
        account = self._accounts.setdefault(job.owner, _Account())
        if job.is_array:
            self._recount(account, job.id, after)
        else:
            account.waiting += _waits(after) - _waits(before)
            whole = array_of(job.id)
            if whole is not None and before is None:
                self._recount(account, whole, self._jobs.get(whole))
        old = before.live_attempt if before is not None else None
        new = after.live_attempt if after is not None else None
        if old is not None and (new is None or new.id != old.id):
            self._hold(account, old, -1)
            if after is not None and self.shares.fair:
                self._charge(job.owner, after.attempts[len(before.attempts) - 1 if before else 0])
        if new is not None and (old is None or new.id != old.id):
            self._hold(account, new, +1)
        if not (account.jobs or account.waiting):
            del self._accounts[job.owner]

    def _recount(self, account: _Account, array_id: JobId, array: Job | None) -> None:
        waits = array is not None and self._arrays.waits(array)
        now = self._arrays.tray(array_id).unopened if waits else 0
        account.waiting += now - self._unopened.pop(array_id, 0)
        if now:
            self._unopened[array_id] = now

    def leapt(self) -> None:
        """There is one leap more: nobody has used that, and nothing fades by it."""
        self._leads.clear()
        if not self._accounts:
            return
        for account in self._accounts.values():
            account.since = 0
        for job in self._jobs.values():
            attempt = job.live_attempt
            if attempt is not None and not attempt.placement.forwarded:
                self._accounts[job.owner].since += self._since(attempt)

    def _hold(self, account: _Account, attempt: Attempt, sign: int) -> None:
        if attempt.placement.forwarded:
            return
        account.jobs += sign
        account.cores += sign * attempt.placement.allocation.cores
        account.since += sign * self._since(attempt)

    def _since(self, attempt: Attempt) -> int:
        """Core by core when it was placed; microseconds."""
        placed_at = self._leaps.later(attempt.placed_at)
        return attempt.placement.allocation.cores * round(placed_at * 1e6)

    def _charge(self, owner: str, attempt: Attempt) -> None:
        if attempt.withdrawn or attempt.placement.forwarded or attempt.ended_at is None:
            return
        at = attempt.ended_at
        wall = at - self._leaps.later(attempt.placed_at)
        if attempt.usage is not None:
            wall = attempt.usage.wall
        amount = self._spent(owner, at) + attempt.placement.allocation.cores * max(0.0, wall)
        self.spent[owner] = Spent(owner=owner, amount=amount, at=at)

    # Who goes first

    def used(self, owner: str, now: float) -> float:
        """Core-seconds that count."""
        account = self._accounts.get(owner)
        running = 0.0 if account is None else account.cores * now - account.since / 1e6
        return self._spent(owner, now) + max(0.0, running)

    def begin(self, now: float) -> None:
        """A new step."""
        if now != self._now:
            self._now = now
            self._leads.clear()

    def lead(self, owner: str) -> float:
        """How far they are ahead of others of their weight; the smallest goes first."""
        if not self.shares.fair:
            return 0.0
        lead = self._leads.get(owner)
        if lead is None:
            lead = self._leads[owner] = self._lead(owner)
        return lead

    def _lead(self, owner: str) -> float:
        account = self._accounts.get(owner)
        pledged = 0.0 if account is None else account.cores * PLEDGE
        used = self.used(owner, self._now) + pledged
        return round(used / self.shares.weight(owner), 3)  # in sums, what is equal isn't quite

    def _spent(self, owner: str, now: float) -> float:
        one = self.spent.get(owner)
        if one is None:
            return 0.0
        return one.by(now - self._leaps.since(one.at), self.shares.half_life)

    # What they may

    def bounded(self, owner: str) -> bool:
        """Does a quota say what may run?"""
        if not self.shares.quotas:
            return False
        quota = self.shares.quota(owner)
        return quota.running is not None or quota.cores is not None

    def within(self, owner: str, need: Resources) -> Resources:
        """What may be taken of a range; of several nodes only the least."""
        if (left := self._left(owner)) is None:
            return need
        if need.nodes is not None or need.whole_nodes:
            return replace(need, cores=_least(need.cores), nodes=_least(need.nodes or 1))
        if isinstance(need.cores, int):
            return need
        most = left if need.cores.max is None else min(left, need.cores.max)
        return replace(need, cores=replace(need.cores, max=max(need.cores.min, most)))

    def closed(self, owner: str, cores: int) -> str:
        """Why nothing with so many cores may start for them, with the reading; "": it may."""
        quota, account = self.shares.quota(owner), self._accounts.get(owner, _Account())
        if quota.running is not None and account.jobs >= quota.running:
            told = f"{count(quota.running, 'running job')}: {account.jobs}"
            return f"{owner}'s quota of {told} run{'s' if account.jobs == 1 else ''}"
        if quota.cores is not None and account.cores + cores > quota.cores:
            told = f"{count(quota.cores, 'core')}: {account.cores} in use"
            return f"{owner}'s quota of {told}, and it needs {cores}"
        return ""

    def misfit(self, owner: str, cores: int) -> str:
        """Why their quota never lets it run, in words; "": it may."""
        quota = self.shares.quota(owner)
        if quota.running == 0:
            return f"{owner}'s quota lets no job run"
        if quota.cores is not None and cores > quota.cores:
            return f"it needs {count(cores, 'core')}, and {owner}'s quota is {quota.cores}"
        return ""

    def overflow(self, owner: str, more: int) -> str:
        """Why so many more may not wait, in words; "": they may."""
        most = self.shares.quota(owner).waiting
        account = self._accounts.get(owner, _Account())
        if most is None or account.waiting + more <= most:
            return ""
        jobs = count(most, "waiting job")
        return f"{owner}'s quota is {jobs}: {account.waiting} wait, and this would add {more}"

    def _left(self, owner: str) -> int | None:
        """Cores that they may still take."""
        quota = self.shares.quota(owner) if self.shares.quotas else NO_QUOTA
        if quota.cores is None:
            return None
        account = self._accounts.get(owner)
        return quota.cores - (0 if account is None else account.cores)

    # For people

    def standings(self, now: float, running: Iterable[Job]) -> list[Standing]:
        """Whoever has jobs, has used something or is named, by name. `running`: all that run here,
        or are about to; those that wait in a slot for another to end hold nothing yet.
        """
        shares = self.shares
        names = {*self._accounts, *self.spent, *shares.weights, *shares.quotas} - {OTHERS}
        jobs, cores = Counter[str](), Counter[str]()
        for job in running:
            jobs[job.owner] += 1
            cores[job.owner] += job.attempts[-1].placement.allocation.cores
        found = []
        for owner in sorted(names):
            waiting = self._accounts.get(owner, _Account()).waiting
            used, weight = self.used(owner, now), shares.weight(owner)
            found.append(Standing(owner, weight, used, jobs[owner], cores[owner], waiting))
        return found


def _least(amount: int | Range) -> int:
    return amount if isinstance(amount, int) else amount.min


def _waits(job: Job | None) -> int:
    return int(job is not None and job.state in WAITING)
