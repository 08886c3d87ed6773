"""How a job's output is read by a client: so far, and how far somebody is who follows it."""

import pytest

from solveyard.client.output import Place, present, so_far
from solveyard.client.replies import LogPart
from solveyard.model import records
from solveyard.model.jobs import (
    Attempt,
    AttemptId,
    Job,
    JobId,
    JobSpec,
    JobState,
    Outcome,
    Placement,
    Reason,
)
from solveyard.model.records import JobRecord
from solveyard.model.resources import Allocation

FAILED = Outcome(reason=Reason.EXIT_CODE, exit_code=1)


def record(state: JobState, *ends: Outcome | str | None) -> JobRecord:
    """Of a job with such attempts; None: it runs, "": it was taken back."""
    attempts = tuple(
        Attempt(
            id=AttemptId(f"store.1.0.{number}"),
            placement=Placement(machine="here", allocation=Allocation(shares=()), slot=1),
            placed_at=0.0,
            outcome=end if isinstance(end, Outcome) else None,
            withdrawn=end == "",
        )
        for number, end in enumerate(ends, 1)
    )
    job = Job(
        id=JobId(1),
        spec=JobSpec(solver="command"),
        owner="me",
        submitted_at=0.0,
        arrival=1,
        priority=0,
        state=state,
        attempts=attempts,
    )
    return records.record(job, 1.0)


class Talking:
    """Writes more whenever it is read, and begins anew as its second attempt."""

    def __init__(self, *texts: bytes) -> None:
        self.texts = list(texts)

    def log(
        self,
        _job: str | int,
        _stream: str = "stdout",
        /,
        *,
        offset: int = 0,
        limit: int = 4,
        attempt: int | None = None,
    ) -> LogPart:
        number = attempt or len(self.texts)
        text = self.texts[number - 1]
        content = text[offset : offset + min(limit, 4)]
        if len(self.texts) == 1:
            self.texts.append(b"TWO")
        self.texts[-1] += b"more"
        return LogPart(content, offset + len(content), len(text), number, False)


@pytest.mark.parametrize(("offset", "found"), [(0, b"0123456789"), (7, b"789"), (10, b"")])
def test_a_log_that_grows_is_read_to_where_it_was_and_of_one_attempt(
    offset: int, found: bytes
) -> None:
    assert b"".join(so_far(Talking(b"0123456789"), 1, "stdout", offset)) == found
    assert b"".join(so_far(Talking(b"x", b"0123456789"), 1, "stdout", offset)) == found


def test_of_a_log_that_is_cut_while_it_is_read_nothing_of_the_new_is_taken_for_the_old() -> None:
    cut = Talking(b"0123456789", b"")
    pieces = so_far(cut, 1, "stdout", 0, 1)
    assert next(pieces) == b"0123"
    cut.texts[0] = b"new text"
    assert list(pieces) == []


@pytest.mark.parametrize(
    ("job", "number"),
    [
        (record(JobState.QUEUED), 1),
        (record(JobState.CANCELLED), 1),
        (record(JobState.RUNNING, None), 1),
        (record(JobState.COMPLETED, FAILED, FAILED), 2),
        (record(JobState.QUEUED, FAILED, FAILED), 3),
        (record(JobState.QUEUED, ""), 2),
        (record(JobState.RUNNING, FAILED, None), 2),
    ],
)
def test_the_present_attempt_is_the_one_that_runs_or_comes_next_or_was_the_last(
    job: JobRecord, number: int
) -> None:
    assert present(job) == number


def test_who_follows_a_job_that_was_cancelled_before_it_began_and_is_retried_goes_on() -> None:
    place = Place(0)
    part = LogPart(b"", 0, 0, 1, True)
    assert place.read(part) == b""
    assert not place.at_end(part, record(JobState.QUEUED))
    assert (place.attempt, place.pause > 0) == (1, True)
    assert place.at_end(part, record(JobState.CANCELLED))


def test_after_an_attempt_that_was_taken_back_the_next_one_is_followed_be_there_more_by_then() -> (
    None
):
    place = Place(0, 1)
    part = LogPart(b"", 0, 0, 1, True)
    place.read(part)
    assert not place.at_end(part, record(JobState.QUEUED, ""))
    assert (place.attempt, place.pause) == (2, 0.0)
    assert Place(0, 1, only=True).at_end(part, record(JobState.QUEUED, ""))


def test_who_waits_for_output_that_is_not_as_far_yet_asks_less_and_less_often() -> None:
    place, pauses = Place(100), []
    for _ in range(8):
        place.read(LogPart(b"", 100, 9, 1, False))
        pauses.append(place.pause)
    assert pauses == [0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0, 2.0]
    place.read(LogPart(b"x", 101, 101, 1, False))
    assert place.pause == 0.0
