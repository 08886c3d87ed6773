"""What every store promises, whatever it keeps its records in."""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solveyard.model.errors import Conflict, InvalidRequest
from solveyard.model.ids import task_id
from solveyard.model.jobs import (
    Attempt,
    AttemptId,
    Counter,
    Job,
    JobId,
    JobSpec,
    JobState,
    Limits,
    Outcome,
    Placement,
    Reason,
    Record,
    Removed,
    Submission,
)
from solveyard.model.messages import (
    AnyEvent,
    JobRemoved,
    JobStarted,
    JobSubmitted,
    LimitsChanged,
    MachineLeft,
)
from solveyard.model.notices import Notice, NoticeState
from solveyard.model.resources import Allocation, Resources, Share
from solveyard.model.shares import Spent
from solveyard.store.base import NOT_READ, SETTLED_NOTICES, Filter, Over, Past, Store
from solveyard.store.memory import MemoryStore
from solveyard.store.sqlite import SqliteStore

NewStore = Callable[[], AbstractContextManager[Store]]


@pytest.fixture(params=["memory", "sqlite", "sqlite on a network"], scope="module")
def new_store(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[NewStore]:
    """Makes empty stores of one kind."""

    def empty() -> Store:
        if request.param == "memory":
            return MemoryStore()
        return SqliteStore.open(tmp_path_factory.mktemp("store"))

    @contextmanager
    def new() -> Iterator[Store]:
        store = empty()
        try:
            yield store
        finally:
            store.close()

    with pytest.MonkeyPatch.context() as patch:
        if request.param == "sqlite on a network":
            patch.setattr("solveyard.store.database.on_network", lambda folder: True)
        yield new


@pytest.fixture
def store(new_store: NewStore) -> Iterator[Store]:
    with new_store() as empty:
        yield empty


def a_job(number: int, name: str = "", state: JobState = JobState.QUEUED, **rest: object) -> Job:
    spec = {"solver": "command", "name": name, **rest}
    return Job(
        id=JobId(number),
        spec=msgspec.convert(spec, JobSpec),
        owner="ann" if number % 2 else "bob",
        submitted_at=100.0 + number,
        arrival=number,
        priority=0,
        state=state,
    )


def a_notice(
    event: int,
    receiver: str = "chat",
    state: NoticeState = NoticeState.PENDING,
    next_at: float = 0.0,
    why: str = "",
) -> Notice:
    return Notice(
        event=event, receiver=receiver, job=JobId(1), label="a", ending=JobState.FAILED,
        reason=Reason.EXIT_CODE, at=1.0, payload="{}", state=state, next_at=next_at,
        why=why,
    )  # fmt: skip


times = st.floats(min_value=0, max_value=4e9)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
allocations = st.builds(
    Allocation,
    shares=st.tuples(st.builds(Share, node=texts, cores=st.integers(0, 999))),
    licences=st.dictionaries(texts, st.integers(0, 9), max_size=2),
)
placements = st.builds(
    Placement, machine=texts, allocation=allocations, slot=st.integers(0, 99), boot_id=texts
)
outcomes = st.builds(
    Outcome, reason=st.sampled_from(Reason), message=texts, evidence=st.tuples(texts)
)
attempts = st.builds(
    Attempt,
    id=texts.map(AttemptId),
    placement=placements,
    placed_at=times,
    outcome=st.none() | outcomes,
)


@st.composite
def jobs(draw: st.DrawFn) -> Job:
    number = draw(st.integers(1, 12))
    options = draw(st.dictionaries(texts, texts | st.integers(-9, 9), max_size=3))
    spec = JobSpec(
        solver=draw(texts),
        options=msgspec.Raw(msgspec.json.encode(options)),
        name=draw(st.sampled_from(["", f"name-{number}"])),
        resources=Resources(cores=draw(st.integers(0, 99))),
        tags=tuple(draw(st.lists(st.sampled_from("abc"), max_size=2))),
        note=draw(texts),
    )
    return Job(
        id=JobId(number),
        spec=spec,
        owner=draw(texts),
        submitted_at=draw(times),
        arrival=draw(st.integers(1, 99)),
        priority=draw(st.integers(-(10**9), 10**9)),
        state=draw(st.sampled_from(JobState)),
        cancel_requested=draw(st.booleans()),
        stale_since=draw(st.none() | times),
        attempts=tuple(draw(st.lists(attempts, max_size=2))),
        outcome=draw(st.none() | outcomes),
        ended_at=draw(st.none() | times),
    )


ids = st.integers(1, 12).map(JobId)
records: st.SearchStrategy[Record] = st.one_of(
    jobs(),
    jobs(),
    st.builds(Removed, id=ids),
    st.builds(Limits, max_concurrent=st.none() | st.integers(0, 9)),
    st.builds(Counter, next=st.integers(1, 99)),
    st.builds(Spent, owner=texts, amount=times, at=times),
)
events: st.SearchStrategy[AnyEvent] = st.one_of(
    st.builds(JobStarted, at=times, job=ids, native_id=texts, started_at=times),
    st.builds(JobSubmitted, at=times, job=ids, arrival=ids, spec=jobs().map(lambda job: job.spec)),
    st.builds(LimitsChanged, at=times, by=texts, limits=st.just(Limits(max_concurrent=2))),
    st.builds(MachineLeft, at=times, machine=texts),
)
commits = st.lists(
    st.tuples(st.lists(events, max_size=4), st.lists(records, max_size=6)), max_size=6
)


@settings(max_examples=60, deadline=None)
@given(sequence=commits)
def test_whatever_is_committed_is_loaded_as_a_plain_dictionary_would_hold_it(
    new_store: NewStore, sequence: Sequence[tuple[list[AnyEvent], list[Record]]]
) -> None:
    held: dict[int, Job] = {}
    limits, counter = Limits(), Counter()
    spent: dict[str, Spent] = {}
    log: list[AnyEvent] = []
    with new_store() as store:
        for some_events, some_records in sequence:
            for record in some_records:
                if isinstance(record, Job):
                    held[record.id] = record
                elif isinstance(record, Removed):
                    held.pop(record.id, None)
                elif isinstance(record, Limits):
                    limits = record
                elif isinstance(record, Spent):
                    spent[record.owner] = record
                else:
                    counter = record
            log += some_events
            assert store.commit(some_events, some_records) == len(log)
        state = store.load()
        assert state.jobs == [held[number] for number in sorted(held)]
        assert state.limits == limits
        assert state.counter == counter
        assert state.spent == spent
        assert state.last_at == (log[-1].at if log else 0.0)
        assert [tuple(one) for one in store.all_events()] == list(enumerate(log, 1))
        for number in range(14):
            assert store.job(JobId(number)) == held.get(number)


@settings(max_examples=40, deadline=None)
@given(
    committed=st.lists(jobs(), max_size=12, unique_by=lambda job: job.id),
    which=st.builds(
        Filter,
        states=st.none() | st.frozensets(st.sampled_from(JobState)),
        owner=st.none() | texts,
        name=st.none() | st.sampled_from(["", "name-1", "name-2"]),
        tag=st.none() | st.sampled_from("abc"),
        since=st.none() | times,
        search=st.none() | st.sampled_from(["", "AME-", "-1", "é", "%"]),
    ),
    limit=st.integers(1, 5),
    offset=st.integers(0, 3),
)
def test_pages_walk_every_job_of_the_filter_once_newest_first(
    new_store: NewStore, committed: list[Job], which: Filter, limit: int, offset: int
) -> None:
    wanted = [
        job
        for job in sorted(committed, key=lambda job: -job.id)
        if which.states is None or job.state in which.states
        if which.owner is None or job.owner == which.owner
        if which.name is None or job.spec.name == which.name
        if which.tag is None or which.tag in job.spec.tags
        if which.since is None or job.submitted_at >= which.since
        if which.search is None or which.search.lower() in job.spec.name.lower()
    ]
    with new_store() as store:
        store.commit([], committed)
        walked: list[Job] = []
        cursor = None
        while True:
            page = store.page(which, limit, cursor, offset if cursor is None else 0)
            assert page.total == len(wanted)
            assert len(page.jobs) <= limit
            walked += page.jobs
            cursor = page.cursor
            if cursor is None:
                break
        assert walked == wanted[offset:]


def test_a_page_is_not_disturbed_by_jobs_that_come_or_go_meanwhile(store: Store) -> None:
    store.commit([], [a_job(number) for number in range(1, 7)])
    first = store.page(Filter(), 2)
    store.commit([], [a_job(7), Removed(id=JobId(5)), Removed(id=JobId(3))])
    second = store.page(Filter(), 2, first.cursor)
    assert [job.id for job in first.jobs] == [6, 5]
    assert [job.id for job in second.jobs] == [4, 2]


@pytest.mark.parametrize(
    "cursor", ["", "5", "x" * 200, "YmVmb3JlOg==", "YWZ0ZXI6NQ==", "é", "YmVmb3JlOjE=\n"]
)
def test_a_cursor_that_is_not_ours_is_an_invalid_request(store: Store, cursor: str) -> None:
    with pytest.raises(InvalidRequest, match="cursor"):
        store.page(Filter(), 5, cursor)


@pytest.mark.parametrize("count", [1, 2, 31, 32, 33, 100])
def test_a_commit_of_any_size_is_written_and_removed_whole(store: Store, count: int) -> None:
    jobs = [a_job(number, f"name-{number}") for number in range(1, count + 1)]
    events = [JobStarted(at=1.0, job=job.id, started_at=float(job.id)) for job in jobs]
    assert store.commit(events, jobs) == count
    assert store.load().jobs == jobs
    assert [*store.all_events()] == [*enumerate(events, 1)]
    store.commit([], [Removed(id=job.id) for job in jobs[1:]])
    assert store.load().jobs == jobs[:1]


def test_a_total_that_is_known_is_told_as_it_is(store: Store) -> None:
    store.commit([], [a_job(1), a_job(2)])
    assert store.page(Filter(), 1, total=7) == (store.page(Filter(), 1)._replace(total=7))


def test_a_page_of_no_jobs_is_an_invalid_request(store: Store) -> None:
    with pytest.raises(InvalidRequest, match="at least one"):
        store.page(Filter(), 0)


def test_events_are_read_from_a_number_on_and_for_one_job(store: Store) -> None:
    log = [JobStarted(at=float(n), job=JobId(n % 3), started_at=0.0) for n in range(1, 10)]
    for first in range(0, 9, 3):
        store.commit(log[first : first + 3], [])
    assert [number for number, _ in store.events(after=4, limit=3)] == [5, 6, 7]
    assert [number for number, _ in store.events(after=1, job=JobId(1))] == [4, 7]
    assert [number for number, _ in store.events(job=JobId(2), limit=2)] == [2, 5]
    assert store.events(after=9) == []
    assert store.events(limit=0) == []


def test_a_long_log_is_read_whole_and_in_order(store: Store) -> None:
    log = [MachineLeft(at=float(n), machine="m") for n in range(2503)]
    store.commit(log, [])
    assert [event.at for _, event in store.all_events()] == [event.at for event in log]


def test_the_events_of_a_removed_job_stay(store: Store) -> None:
    store.commit([JobStarted(at=1.0, job=JobId(1), started_at=1.0)], [a_job(1)])
    store.commit([JobRemoved(at=2.0, job=JobId(1))], [Removed(id=JobId(1))])
    assert store.job(JobId(1)) is None
    assert [event.at for _, event in store.events(job=JobId(1))] == [1.0, 2.0]


def test_a_record_that_cannot_be_written_undoes_its_whole_commit(store: Store) -> None:
    before = [a_job(1, name="one")]
    event = MachineLeft(at=1.0, machine="m")
    store.commit([event], before)
    with pytest.raises(UnicodeEncodeError):
        store.commit([event], [a_job(2), a_job(3, note="\ud800"), Counter(next=9)])
    with pytest.raises(Conflict):
        store.commit([event], [Counter(next=9), a_job(2), a_job(3, name="one")])
    with pytest.raises(Conflict):
        store.commit([event], [a_job(2, name="two"), a_job(3, name="two")])
    assert store.load() == (before, [], Limits(), Counter(), 1.0, 1, 1, {})
    assert store.commit([event], [a_job(2)]) == 2


def test_a_name_may_go_from_a_removed_job_to_a_new_one_in_one_commit(store: Store) -> None:
    store.commit([], [a_job(1, name="dipole")])
    store.commit([], [a_job(2, name="dipole"), Removed(id=JobId(1))])
    assert [job.id for job in store.page(Filter(name="dipole")).jobs] == [2]


def test_a_job_submitted_anew_has_its_new_spec(store: Store) -> None:
    store.commit([], [a_job(1, name="dipole", note="old")])
    anew = a_job(1, name="dipole", note="new")
    store.commit([], [anew])
    assert store.job(JobId(1)) == anew


def test_jobs_are_counted_by_state(store: Store) -> None:
    assert store.counts() == {}
    states = [JobState.QUEUED, JobState.QUEUED, JobState.FAILED]
    store.commit([], [a_job(number, state=state) for number, state in enumerate(states, 1)])
    assert store.counts() == {JobState.QUEUED: 2, JobState.FAILED: 1}


def test_ended_tasks_may_be_left_out_and_are_read_by_name(store: Store) -> None:
    array = a_job(2, "sweep", JobState.RUNNING, array={"stop": 50}, tags=["a"])
    states = [state for state in JobState for _ in range(7)]
    tasks = [
        msgspec.structs.replace(array, id=task_id(array.id, position), state=state)
        for position, state in enumerate(states)
    ]
    plain = a_job(1, state=JobState.COMPLETED)
    store.commit([], [plain, array, *tasks])
    ended = [task for task in tasks if task.state.final]
    assert [*store.ended_tasks()] == [(task.id, task.state) for task in ended]
    others = [array, *(task for task in tasks if not task.state.final)]
    assert store.load(ended=False).jobs == others
    assert store.load().jobs == [plain, array, *tasks]
    some = [*reversed(ended), tasks[0]]
    asked = [one.id for one in some]
    found = store.tasks([*asked, task_id(array.id, 49), JobId(99)], array.spec)
    assert found == sorted(some, key=lambda task: task.id)
    assert store.tasks([], array.spec) == []


def test_of_jobs_that_ended_a_start_reads_what_it_needs(store: Store) -> None:
    ended = [
        msgspec.structs.replace(
            job, key=f"k{job.id}", ended_at=200.0 - job.id, earlier=(Submission("eve", "k", 1),)
        )
        for job in (
            a_job(4, state=JobState.FAILED, tags=["keep", "b"], directory="/a"),
            a_job(2, "dipole", JobState.COMPLETED),
            a_job(9, state=JobState.CANCELLED),
        )
    ]
    arrays = [a_job(5, "sweep", JobState.FAILED, array={"stop": 5}), a_job(6, state=JobState.HELD)]
    store.commit([], [*ended, *arrays])
    found = store.load(ended=False)
    assert found.jobs == arrays
    assert found.past == [
        Past(job.id, job.state, job.spec.name, job.owner, job.spec.directory, job.key,
             job.arrival, job.spec.tags, job.earlier)
        for job in sorted(ended, key=lambda job: job.id)
    ]  # fmt: skip
    over = sorted([*ended, arrays[0]], key=lambda job: job.id)
    assert store.ended() == [
        Over(job.id, job.submitted_at, job.ended_at or 0.0, job.state is JobState.FAILED)
        for job in over
    ]
    assert store.load().past == []


def test_a_task_has_the_specification_that_its_array_has_by_now(store: Store) -> None:
    array = a_job(2, "sweep", JobState.RUNNING, array={"stop": 5}, tags=["a"])
    task = msgspec.structs.replace(array, id=task_id(array.id, 3), state=JobState.COMPLETED)
    store.commit([], [array, task])
    tagged = msgspec.structs.replace(array.spec, tags=("b",))
    store.commit([], [msgspec.structs.replace(array, spec=tagged)])
    assert [job.spec for job in store.load().jobs] == [tagged, tagged]
    assert [job.spec for job in store.tasks([task.id], tagged)] == [tagged]


def test_every_store_has_an_id_of_its_own(new_store: NewStore) -> None:
    with new_store() as one, new_store() as other:
        assert len(one.uuid) == 32
        assert set(one.uuid) <= set("0123456789abcdef")
        assert one.uuid != other.uuid


def test_readers_in_other_threads_see_whole_commits_only(store: Store) -> None:
    done = threading.Event()

    def read() -> list[int]:
        seen = []
        while not done.is_set():
            seen.append(len(store.load().jobs))
        return seen

    def write() -> None:
        try:
            for number in range(1, 60):
                store.commit([], [a_job(2 * number), a_job(2 * number + 1)])
        finally:
            done.set()

    with ThreadPoolExecutor() as pool:
        readers = [pool.submit(read) for _ in range(2)]
        pool.submit(write).result()
        seen = [reader.result() for reader in readers]
    assert all(count % 2 == 0 for counts in seen for count in counts)
    assert all(counts == sorted(counts) for counts in seen)


@settings(max_examples=60, deadline=None)
@given(steps=st.lists(st.integers(0, 5) | st.integers(-3, 30).map(str), max_size=8))
def test_a_compacted_log_keeps_its_numbers_and_its_end(
    new_store: NewStore, steps: list[int | str]
) -> None:
    """A number is that many events more; a text is where the log is compacted."""
    last, first = 0, 1
    with new_store() as store:
        for step in steps:
            if isinstance(step, int):
                log = [MachineLeft(at=float(last + n), machine="m") for n in range(1, step + 1)]
                last += step
                assert store.commit(log, []) == last
            else:
                first = max(first, min(int(step), last)) if last else first
                store.compact(int(step))
            state = store.load()
            assert (state.first_number, state.last_number) == (first, last)
            assert state.last_at == float(last)
            for after in range(last + 2):
                kept = [n for n in range(first, last + 1) if n > after]
                assert [number for number, _ in store.events(after)] == kept
                assert [int(event.at) for _, event in store.events(after)] == kept
        assert [number for number, _ in store.all_events()] == list(range(first, last + 1))


def test_a_checkpoint_changes_nothing_that_can_be_read(store: Store) -> None:
    store.commit([MachineLeft(at=1.0, machine="m")], [a_job(1), Counter(next=4)])
    before = store.load()
    store.checkpoint()
    store.commit([], [a_job(2)])
    store.checkpoint()
    assert store.load() == before._replace(jobs=[a_job(1), a_job(2)])


def test_notices_and_how_far_the_log_was_read_are_kept_together(store: Store) -> None:
    assert store.notices_read() == NOT_READ
    store.keep_notices([a_notice(3), a_notice(5)], read=7)
    assert store.notices_read() == 7
    assert [one.event for one in store.notices("chat")] == [5, 3]
    store.keep_notices([a_notice(3, state=NoticeState.DELIVERED)])
    assert store.notices_read() == 7
    assert [one.event for one in store.notices("chat", NoticeState.PENDING)] == [5]
    delivered = a_notice(3, state=NoticeState.DELIVERED)
    assert store.notices("chat", NoticeState.DELIVERED) == [delivered]
    assert store.notices("mail") == []


def test_a_receiver_gets_its_own_pending_notices_the_next_one_first(store: Store) -> None:
    mine = [a_notice(1, next_at=9.0), a_notice(2, next_at=4.0), a_notice(3, next_at=9.0)]
    settled = a_notice(4, state=NoticeState.FAILED)
    store.keep_notices([*mine, a_notice(1, "mail"), settled])
    assert [one.event for one in store.due_notices("chat", 2)] == [2, 1]
    assert store.due_notices("chat", 9) == [mine[1], mine[0], mine[2]]
    assert store.due_notices("nobody", 9) == []


def test_each_receiver_is_told_by_its_counts_and_why_the_newest_failed(store: Store) -> None:
    assert store.standings() == {}
    store.keep_notices(
        [
            a_notice(1, state=NoticeState.FAILED, why="gone"),
            a_notice(2, why="hangs"),
            a_notice(3),
            a_notice(1, "mail", NoticeState.DELIVERED),
        ]
    )
    pending, delivered, failed = NoticeState.PENDING, NoticeState.DELIVERED, NoticeState.FAILED
    assert store.standings() == {
        "chat": ({pending: 2, failed: 1}, "hangs"),
        "mail": ({delivered: 1}, ""),
    }
    store.keep_notices([a_notice(2, state=delivered)])
    assert store.standings()["chat"] == ({pending: 1, failed: 1, delivered: 1}, "gone")


def test_the_notices_settled_last_are_kept_and_all_that_are_pending(store: Store) -> None:
    late = a_notice(1, state=NoticeState.FAILED, next_at=1e6)
    pending = [a_notice(number) for number in (2, 3)]
    many = [
        a_notice(number, state=NoticeState.DELIVERED, next_at=float(number))
        for number in range(10, 10 + SETTLED_NOTICES)
    ]
    store.keep_notices([late, *pending, *many])
    kept = [one.event for one in store.notices("chat", limit=10_000)]
    assert sorted(kept) == [1, 2, 3, *range(11, 10 + SETTLED_NOTICES)]
