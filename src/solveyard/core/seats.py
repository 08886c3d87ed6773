"""Licences: how many our jobs may hold, how many they do, and what a licence server says is free.

The server sees everybody's seats, ours too, some time after they are taken. So what it says is in
use is parted once, when it says so: what our jobs held then, as far as it could be seen, is ours,
the rest is others'. From then on ours is what we count ourselves, so that a job that has just
started counts before the server shows it, and not twice once it does.
"""

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from solveyard.model.messages import LicencesSeen, LicencesUnseen, LicenceUse

#: A licence server that names no users shows a job's seats that long after its start at the
#: latest; s.
SETTLE = 60.0


@dataclass(frozen=True, slots=True)
class _Told:
    """What the server said of one feature."""

    issued: int
    others: int  #: seats in use that are not ours
    kept: int  #: that stay free for people

    @property
    def ours(self) -> int:
        """As many as our jobs may hold where nobody else holds any."""
        return self.issued - self.kept


class Seats:
    """Of all machines together."""

    def __init__(self) -> None:
        self._capacity: dict[str, int] = {}
        self._taken: dict[str, int] = {}
        self._told: dict[str, _Told] = {}
        self.asked_at: float | None = None  #: when the server was asked what it last answered
        self.stale = False  #: it was asked again since, and didn't answer
        self._awaited = False  #: it was asked for the first time, and may still answer

    def count(self, capacities: Iterable[Mapping[str, int]]) -> None:
        """These are there, by machine."""
        self._capacity = {}
        for licences in capacities:
            for name, seats in licences.items():
                self._capacity[name] = self._capacity.get(name, 0) + seats

    def shift(self, licences: Mapping[str, int], sign: int) -> None:
        """They are given back, or with a negative sign taken."""
        for name, seats in licences.items():
            self._taken[name] = self._taken.get(name, 0) - sign * seats

    def seen(self, report: LicencesSeen, held: Iterable[tuple[float, Mapping[str, int]]]) -> bool:
        """What the server said; `held`: since when jobs hold what. Is another total there?

        Of a feature that an answer doesn't name, the one before stands: it may be cut.
        """
        old = {name: self.most(name) for name in self._capacity}
        holders = list(held)
        for name, use in report.use.items():
            shown = _shown(use, report.asked_at, name, holders)
            kept = report.kept.get(name, 0)
            self._told[name] = _Told(use.issued, max(0, use.used - shown), kept)
        self.asked_at, self.stale, self._awaited = report.asked_at, False, False
        return old != {name: self.most(name) for name in self._capacity}

    def unseen(self, report: LicencesUnseen) -> None:
        """It didn't answer: what it said last stands."""
        self._awaited = report.first
        self.stale = not report.first

    def has(self, licences: Mapping[str, int]) -> bool:
        return all(seats <= self.free(name) for name, seats in licences.items())

    def free(self, name: str) -> int:
        if self._awaited:
            return 0
        taken = self._taken.get(name, 0)
        free = self._capacity.get(name, 0) - taken
        told = self._told.get(name)
        return free if told is None else min(free, told.ours - told.others - taken)

    def most(self, name: str) -> int:
        """As many as there could be for our jobs if nobody held any."""
        told = self._told.get(name)
        have = self._capacity.get(name, 0)
        return have if told is None else max(0, min(have, told.ours))

    def now(self) -> dict[str, int]:
        """What is free of all that is known."""
        return {name: self.free(name) for name in (*self._capacity, *self._taken)}

    def all(self) -> dict[str, int]:
        """What there is of all that is known."""
        return {name: self.most(name) for name in self._capacity}

    # In words

    def misfit(self, licences: Mapping[str, int]) -> str:
        for name, seats in licences.items():
            if seats > (have := self.most(name)):
                told = self._told.get(name)
                limited = told is not None and told.ours < self._capacity.get(name, 0)
                why = f" ({told.issued} issued, {told.kept} kept back)" if told and limited else ""
                return f"it needs {seats} of licence {name}, and there are {have}{why}"
        return ""

    def lacking(self, licences: Mapping[str, int]) -> str | None:
        """A feature of which not enough is free."""
        return next((name for name, seats in licences.items() if seats > self.free(name)), None)

    def use(self, name: str, by: str) -> str:
        """How a feature is used: "30 of 36 in use, 24 by job board-7". `by`: the last part."""
        if self._awaited:
            return "the licence server hasn't answered yet"
        taken, told = self._taken.get(name, 0), self._told.get(name)
        have = self._capacity.get(name, 0)
        if told is None or have - taken < told.ours - told.others - taken:
            used, total, kept = taken, have, 0
        else:
            used, total, kept = taken + told.others, told.issued, told.kept
        words = [f"{used} of {total} in use", f"{kept} kept back" if kept else "", by]
        stale = f" (stale since {moment(self.asked_at)})" if self.stale and self.asked_at else ""
        return ", ".join(filter(None, words)) + stale

    def status(self) -> dict[str, dict[str, object]]:
        """Each feature in numbers, for people."""
        return {
            name: {
                "seats": have,
                "ours": self._taken.get(name, 0),
                "others": None if (told := self._told.get(name)) is None else told.others,
                "issued": None if told is None else told.issued,
                "kept": 0 if told is None else told.kept,
                "stale_since": self.asked_at if self.stale and told is not None else None,
            }
            for name, have in self._capacity.items()
        }


def moment(at: float) -> str:
    """Seconds since 1970 as a day and a time, UTC; the dashboard tells it by its own clock."""
    return f"{dt.datetime.fromtimestamp(int(at), tz=dt.UTC):%Y-%m-%d %H:%M:%S} UTC"


def _shown(
    use: LicenceUse, asked_at: float, name: str, held: Iterable[tuple[float, Mapping[str, int]]]
) -> int:
    """The seats in use that are surely our jobs': never more than they held when it was asked."""
    since = asked_at if use.ours is not None else asked_at - SETTLE
    booked = sum(licences.get(name, 0) for begun, licences in held if begun <= since)
    return booked if use.ours is None else min(booked, use.ours)
