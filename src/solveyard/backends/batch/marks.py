"""Whose is what a batch system tells under a job's id: by its mark, else by when it was handed in.

A batch system that lost its state gives ids from 1 again, so that a stranger may have it. Somebody
may change a job's comment and name; if that runs and counts as absent, it is lost, and a second
one runs beside it.
"""

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from solveyard.backends.base import Order
from solveyard.backends.batch import files
from solveyard.backends.batch.common import Cluster
from solveyard.backends.batch.ending import CLOCKS
from solveyard.backends.batch.entries import Entry
from solveyard.backends.batch.witness import Witness
from solveyard.backends.dialects.base import NativeState
from solveyard.backends.dialects.record import Record
from solveyard.model.jobs import AttemptId
from solveyard.model.messages import Accepted, Stale


class Told(NamedTuple):
    own: Mapping[AttemptId, NativeState]  #: of the jobs themselves
    unmarked: Mapping[AttemptId, NativeState]  #: of them, or of strangers; nobody knows


def is_at(entry: Entry, state: NativeState) -> bool | None:
    """Is it told of this one? None: nobody knows, but its record may."""
    if state.mark in {None, entry.mark or entry.attempt} or entry.native_id in entry.before:
        return True
    if state.mark:
        return False
    if not entry.sure or None in {state.submitted, entry.submitted}:
        return None
    if state.submitted == entry.submitted:
        return True
    return None if state.restarts else False  # submitted anew, or another


def is_at_by(entry: Entry, state: NativeState, record: Record | None) -> bool | None:
    """The same of one of which nobody knows: a stranger is handed in after ours has begun.

    Without a record it may wait there, as ours under a name that somebody gave it.
    """
    if record is None:
        if state.restarts or None in {state.submitted, entry.written}:
            return None
        return state.submitted == entry.written
    its = record.native_id in {"", entry.native_id} and not state.restarts
    if its and state.submitted is not None and record.began is not None:
        return state.submitted <= record.began + CLOCKS
    return None if record.ended is None else False  # then its end is known


class Marks:
    """While nobody knows, a job keeps its state, and nothing is done to what has its id."""

    def __init__(self, cluster: Cluster, blocked: dict[AttemptId, str]) -> None:
        """`blocked`: what is told of those that wait."""
        self._cluster = cluster
        self._blocked = blocked

    async def own(self, entries: Sequence[Entry], told: Mapping[str, NativeState]) -> Told:
        """`told`: by native id. What is a stranger's is left out."""
        named = [(one, told[one.native_id]) for one in entries if one.native_id in told]
        doubtful = [one for one, state in named if not (one.mark or is_at(one, state))]
        if doubtful:  # an earlier manager may have sent it in an array
            sent = await asyncio.to_thread(self._sent, [one.order for one in doubtful])
            for one, (how, at) in zip(doubtful, sent, strict=True):
                one.mark, one.position = how or (one.attempt, None)
                one.written = at
        return _apart([(one.attempt, state, is_at(one, state)) for one, state in named], {})

    def by_records(
        self, told: Told, entries: Sequence[Entry], witnesses: Mapping[AttemptId, Witness]
    ) -> Told:
        """The same, once they are there."""
        named = [
            (one, told.unmarked[one.attempt]) for one in entries if one.attempt in told.unmarked
        ]
        whose = [
            (one.attempt, state, is_at_by(one, state, witnesses[one.attempt].record))
            for one, state in named
        ]
        return _apart(whose, told.own)

    def unseen(self, entry: Entry) -> None:
        """Nobody knows of this one."""
        if entry.unmarked:
            return
        entry.unmarked = True
        self._blocked[entry.attempt] = (
            f"{self._cluster.name} to show it again: job {entry.native_id} there has another"
            " comment and name than it was given"
        )
        self._cluster.report(Stale(attempt=entry.attempt))

    def seen(self, entry: Entry) -> None:
        """It is there, and its own."""
        if not entry.unmarked:
            return
        entry.unmarked = False
        self._blocked.pop(entry.attempt, None)
        self._cluster.report(Accepted(attempt=entry.attempt, native_id=entry.native_id))

    async def keep(self, entries: Sequence[Entry]) -> None:
        """Write down when those were submitted that wait there: of those that run a record tells.

        By it a manager that comes after this one knows them again without their mark.
        """
        new = [one for one in entries if not one.kept and _waits(one)]
        if new:
            for one in new:
                one.kept = True
            await asyncio.to_thread(self._keep, [(one.order, one.submitted) for one in new])

    def _keep(self, times: Sequence[tuple[Order, float | None]]) -> None:
        """Blocking. Where it can't be written, nobody will know."""
        for order, at in times:
            if at is not None:
                with contextlib.suppress(OSError):
                    files.keep_submitted(order, self._cluster.dialect.ending, at)

    def _sent(
        self, orders: Sequence[Order]
    ) -> list[tuple[tuple[str, int | None] | None, float | None]]:
        """How, and when. Blocking."""
        ending = self._cluster.dialect.ending
        return [(files.sent(order, ending), files.submitted(order, ending)) for order in orders]


def _waits(entry: Entry) -> bool:
    """Is it there as its own, told when it was submitted, and has it not begun?"""
    state = entry.state
    if entry.recorded or entry.unmarked or state is None or state.submitted is None:
        return False
    return not (state.state.over or state.restarts)


def _apart(
    whose: Sequence[tuple[AttemptId, NativeState, bool | None]],
    own: Mapping[AttemptId, NativeState],
) -> Told:
    return Told(
        {**own, **{attempt: state for attempt, state, ours in whose if ours}},
        {attempt: state for attempt, state, ours in whose if ours is None},
    )
