"""A log that is read in pieces is told whole, in order, to each what they asked for."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from solveyard.doors import pieces
from solveyard.doors.pieces import Piece, Pieces, Slice
from solveyard.model.ids import task_id
from solveyard.model.jobs import JobId
from solveyard.model.messages import AnyEvent, JobAnnotated, MachineLeft
from solveyard.store.base import Numbered

#: A job, an array, two of its tasks, and what is about no job.
ABOUT = (JobId(1), JobId(2), task_id(JobId(2), 0), task_id(JobId(2), 5), None)
FIRST = 11  #: what is before it isn't kept


def event(job: JobId | None, size: int) -> AnyEvent:
    if job is None:
        return MachineLeft(at=1.0, machine="m" * size)
    return JobAnnotated(at=1.0, job=job, note="ä" * size)


events = st.lists(st.builds(event, st.sampled_from(ABOUT), st.integers(0, 150)), min_size=1)
rooms = st.none() | st.frozensets(st.sampled_from([one for one in ABOUT if one] + [JobId(7)]))


@given(log=events, jobs=rooms, many=st.integers(1, 8))
def test_every_event_of_what_was_asked_for_is_told_once_and_in_order(
    log: list[AnyEvent], jobs: frozenset[JobId] | None, many: int
) -> None:
    numbered = [Numbered(FIRST + place, one) for place, one in enumerate(log)]
    heard: list[dict[str, Any]] = []
    after = FIRST - 1
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pieces, "SIZE", 400)
        while after < numbered[-1].number:
            start = after + 1 - FIRST
            piece = Slice(numbered[start : start + many]).piece(jobs)
            assert piece.last > after
            told = json.loads(piece.text) if piece.text else []
            assert len(told) == 1 or len(piece.text) < 500
            heard += told
            after = piece.last
    wanted = []
    for number, one in numbered:
        job = getattr(one, "job", 0)
        array = 2 if job > 100 else job
        if jobs is None or job in jobs or array in jobs:
            wanted.append((number, getattr(one, "note", None), array))
    assert [(one["number"], one.get("note"), one.get("job", 0)) for one in heard] == [
        (number, note or None, job) for number, note, job in wanted
    ]


def test_a_large_event_is_cut_where_it_is_told() -> None:
    [told] = json.loads(Slice([Numbered(3, event(JobId(1), 40_000))]).piece(None).text)
    assert told == {"number": 3, "type": "job.annotated", "at": 1.0, "job": 1, "cut": True}


class Manager:
    first_event = 1


def test_what_was_told_is_kept_for_others_until_the_log_begins_later() -> None:
    manager = Manager()
    log: Any = Pieces(manager)  # type: ignore[arg-type]
    for after in range(pieces.KEPT + 1):
        log.keep(after, Piece("[{}]", after + 1))
    assert log.kept(0) is None, "only so many are"
    assert log.kept(1) == Piece("[{}]", 2)
    manager.first_event = 3
    assert log.kept(1) is None
    assert log.kept(2) is not None
    log.forget()
    assert log.kept(2) is None


def test_only_what_is_all_in_memory_is_near() -> None:
    log: Any = Pieces(Manager())  # type: ignore[arg-type]
    assert not log.near(0)
    log.take([Numbered(number, event(None, 1)) for number in range(5, 5 + pieces.RECENT + 10)])
    assert [log.near(after) for after in (4, 13, 14, 900)] == [False, False, True, True]
    assert log.recent(13) is None
    assert log.recent(5 + pieces.RECENT + 9) is None, "nothing follows"
    assert [one["number"] for one in msgspec.json.decode(log.recent(1010).piece(None).text)] == [
        1011, 1012, 1013, 1014
    ]  # fmt: skip
