"""Whose is what a batch system tells under a job's id: by its mark, else by when it was handed in.

A batch system that lost its state gives ids from 1 again, so that a stranger may have it. Somebody
may change a job's comment and name; if that runs and counts as absent, it is lost, and a second
one runs beside it.
"""

import asyncio
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
    """The same of one of which nobody knows: a stranger is handed in after ours has begun."""
    if record is None or record.native_id not in {"", entry.native_id}:
        return None if entry.sure else False
    if state.submitted is not None and record.began is not None and not state.restarts:
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
            for one, how in zip(doubtful, sent, strict=True):
                one.mark, one.position = how or (one.attempt, None)
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

    def _sent(self, orders: Sequence[Order]) -> list[tuple[str, int | None] | None]:
        """Blocking."""
        return [files.sent(order, self._cluster.dialect.ending) for order in orders]


def _apart(
    whose: Sequence[tuple[AttemptId, NativeState, bool | None]],
    own: Mapping[AttemptId, NativeState],
) -> Told:
    return Told(
        {**own, **{attempt: state for attempt, state, ours in whose if ours}},
        {attempt: state for attempt, state, ours in whose if ours is None},
    )
