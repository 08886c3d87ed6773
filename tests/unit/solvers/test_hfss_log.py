"""A batch log as it grows: the grammar, what a run comes to, and what the log alone proves."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from solveyard.model.progress import Progress
from solveyard.solvers.hfss import causes, log
from solveyard.solvers.hfss.log import Entries, Entry
from solveyard.solvers.hfss.progress import HfssProgress
from solveyard.solvers.hfss.reader import Ending, HfssReader, read
from solveyard.solvers.hfss.verdict import Summary, summary

WRITTEN = Path(__file__).parents[2] / "golden" / "hfss" / "written"
LOGS = sorted(WRITTEN.glob("*.log"))
ONE = (
    b"[error] Project:a, Design:b, Null body found for part P1\n"
    b" on layer TOP (01:02:03 PM  Nov 04, 2026)\n"
)

every_log = pytest.mark.parametrize("place", LOGS, ids=[place.stem for place in LOGS])


def content(name: str) -> bytes:
    return (WRITTEN / f"{name}.log").read_bytes()


def entries(text: bytes) -> list[Entry]:
    reader = Entries()
    return reader.feed(text) + reader.pending()


def cut(text: bytes, seed: int) -> Iterator[bytes]:
    dice = random.Random(seed)
    while text:
        size = dice.choice((0, 1, 2, 7, 80, 1000))
        yield text[:size]
        text = text[size:]


def through(chunks: Iterator[bytes]) -> tuple[HfssProgress, Ending]:
    reader = HfssReader()
    for chunk in chunks:
        reader.feed(chunk)
    return reader.seen()


# The grammar


def test_a_message_over_lines_is_one_entry_with_its_first_lines_number() -> None:
    header, one = entries(b" \nStarting Batch Run: 5:46:09 PM  Nov 10, 2025\n" + ONE)
    assert (header.line, header.level, str(header.at)) == (2, "", "2025-11-10 17:46:09")
    assert (one.line, one.level, one.where) == (3, "error", "Project:a, Design:b")
    assert one.text == "Null body found for part P1 on layer TOP"
    assert str(one.at) == "2026-11-04 13:02:03"


def test_a_place_is_told_apart_from_what_happened_there() -> None:
    for place, told in (
        ("Project:a, Design:b|S1 : ", "x"),
        ("Project:a, Design:b, ", "x"),
        ("Project:a, S1 : [PROFILE]     ", "x"),
        ("", "x : y, z"),
    ):
        [one] = entries(f"[info] {place}{told} (1:02:03 AM  May 01, 2026)\n".encode())
        assert (one.where, one.text) == (place.split("[")[0].rstrip(" ,:"), told)


def test_noon_and_midnight_are_told_apart() -> None:
    assert str(log.instant("12:00:01 AM  Jan 02, 2026")) == "2026-01-02 00:00:01"
    assert str(log.instant("12:00:01 PM  Jan 02, 2026")) == "2026-01-02 12:00:01"
    assert log.instant("25:00:01  Jan 02, 2026") is None


def test_a_header_ends_a_message_that_has_no_time() -> None:
    told = entries(b"[info] Using command line\nStopping Batch Run: 1:02:03 AM  May 1, 2026\nx\n")
    assert [(one.line, one.level) for one in told] == [(1, "info"), (2, ""), (3, "")]


def test_the_last_line_counts_where_it_is_whole_or_of_an_error() -> None:
    assert entries(ONE[:-1]) == entries(ONE)
    assert entries(b"Stopping Batch Run: 5:50:59 PM  Nov 10, 2025")[0].text.startswith("Stopping")
    assert entries(b"Stopping Batch Run: 5:50:59 PM  Nov 10, 20") == []
    assert entries(b"[info] Project:a, S : [CONVERGE] Pass Number: 3; Solved Elements: 65") == []
    assert [one.level for one in entries(b"[error] Project:a, process hf3d: Out of mem")] == [
        "error"
    ]


def test_a_line_without_end_costs_no_more_than_its_beginning() -> None:
    reader = Entries()
    for _ in range(100):
        assert reader.feed(b"x" * 1000 + b"\r" * 1000 + b"y" * 1000 + b"z" * 100_000) is not None
    assert len(reader._rest) <= log.LINE_LIMIT + 1
    endless = Entries()
    endless.feed(b"[info] begins\n" + b"goes on and on\n" * 100_000)
    [message] = endless.pending()
    assert len(message.text) <= log.MESSAGE_LIMIT + 100


@given(
    st.lists(
        st.binary(max_size=12)
        | st.sampled_from(
            [b"\r", b"\n", b"\r\n", b"[error] ", b"[info] ", b" (1:02:03 AM  May 01, 2026)"]
            + [line + b"\n" for line in content("parametric").splitlines()[20:]]
        ),
        max_size=30,
    ),
    st.integers(0, 99),
)
def test_any_bytes_are_read_and_the_same_however_they_are_cut(
    pieces: list[bytes], seed: int
) -> None:
    text = b"".join(pieces)
    assert through(cut(text, seed)) == through(iter([text]))


# What a run comes to


@every_log
def test_every_log_reads_the_same_byte_by_byte_and_in_any_chunks(place: Path) -> None:
    text = place.read_bytes()
    whole = read(text)
    assert through(text[i : i + 1] for i in range(len(text))) == whole
    for seed in range(20):
        assert through(cut(text, seed)) == whole


@every_log
def test_line_ends_of_any_system_make_no_difference(place: Path) -> None:
    text = place.read_bytes()
    for ends in (b"\r\n", b"\r\r\n", b"\r"):
        assert read(text.replace(b"\n", ends)) == read(text)


@every_log
def test_a_log_that_was_cut_anywhere_is_read_and_claims_no_success(place: Path) -> None:
    text = place.read_bytes().rstrip()
    for end in range(0, len(text) - 1, 61):
        found = summary(*read(text[:end]))
        assert found.verdict in {"unfinished", "failed"}
        assert (found.verdict == "failed") == (b"[error]" in text[:end])


def test_nothing_is_known_of_an_empty_log() -> None:
    found = summary(*read(b""))
    known = {name: getattr(found, name) for name in Summary.__struct_fields__}
    assert {name for name, value in known.items() if value is not None} == {"verdict", "evidence"}
    assert found.verdict == "unfinished"


def test_a_solve_that_converges_is_told_pass_by_pass() -> None:
    told, ending = read(content("converged"))
    assert [one.delta for one in told.passes] == [None, 0.41207, 0.118302, 0.0143]
    assert [one.tetrahedra for one in told.passes] == [9120, 11804, 15391, 20077]
    assert [one.memory for one in told.passes] == [612.0, 744.0, 980.0, 1.62 * 1024]
    assert told.passes[-1].matrix_size == 20077 * 5 + 3
    assert (told.product, told.phase, told.converged) == ("HFSS 2024.2.0", "ended", True)
    assert (told.host, told.tasks, told.cores, told.free_disk) == ("field7", 2, 8, 1280.0)
    assert (told.sweep, told.sweep_kind, told.sweep_points) == ("Fine", "Interpolating", 401)
    assert (told.sweep_points_solved, told.sweep_error) == (6, 0.31)
    assert told.elapsed == 9 + 14 + 4 * 16 + 6 * 7 + 4
    assert (ending.normal, ending.stopped) == (92, 93)


def test_the_time_that_is_left_is_told_for_a_discrete_sweep_alone() -> None:
    told, _ = read(content("discrete"))
    assert (told.sweep_points_solved, told.remaining) == (6, (41 - 6) * 20)
    text = content("converged")
    half, _ = read(text[: text.index(b"Basis Element # 5")])
    assert (half.phase, half.remaining) == ("sweep", None)


def test_each_variation_begins_anew() -> None:
    told, ending = read(content("parametric"))
    assert (told.variation, told.phase) == (2, "adaptive")
    assert [one.number for one in told.passes] == [1, 2]
    assert told.converged is None
    assert ending.normal == 0


def test_repeated_headers_begin_no_run_and_a_later_start_does() -> None:
    text = content("converged")
    headers = b"".join(text.splitlines(keepends=True)[:9])
    middle = text.index(b"[info] Project:coupler, Setup2 : [PROFILE] Adaptive Pass 3")
    told, ending = read(text[:middle] + headers + text[middle:])
    assert [one.number for one in told.passes] == [1, 2, 3, 4]
    assert ending.stopped
    told, ending = read(text + content("memory"))
    assert (len(told.passes), ending.normal) == (1, 0)
    assert ending.errors[0].cause == "hfss.memory"


def test_progress_is_one_line_and_a_curve() -> None:
    text = content("converged")
    reader = HfssReader()
    told = reader.feed(text[: text.index(b"[info] Project:coupler, Setup2 : [PROFILE] Adaptive P"
                                        b"ass 4")])  # fmt: skip
    assert isinstance(told, Progress)
    assert told.text == "pass 3, delta S 0.118302, 15391 tetrahedra"
    assert told.curve is not None
    assert told.curve.points == ((1, None), (2, 0.41207), (3, 0.118302))
    assert (told.values["pass"], told.values["peak_memory_mib"]) == (3, 980)
    assert told.values["elapsed_s"] == 71
    assert told.fraction is None
    assert reader.feed(b"[info] Project:coupler, Set") is None


@pytest.mark.parametrize(
    ("under_way", "told"),
    [
        (1, "pass 1, 9011 tetrahedra"),
        (2, "pass 2, after pass 1: 9120 tetrahedra"),
        (4, "pass 4, after pass 3: delta S 0.118302, 15391 tetrahedra"),
    ],
)
def test_what_a_pass_came_to_is_not_told_as_the_next_ones(under_way: int, told: str) -> None:
    before, begins, after = content("converged").partition(
        b"[PROFILE] Adaptive Pass %d" % under_way
    )
    found, _ = read(before + begins + after.partition(b"\n")[0] + b"\n")
    assert found.text == told


# What the log alone proves


@pytest.mark.parametrize(
    ("name", "verdict", "cause"),
    [
        ("converged", "success", None),
        ("unconverged", "not_converged", "hfss.not_converged"),
        ("discrete", "unfinished", None),
        ("parametric", "unfinished", None),
        ("memory", "failed", "hfss.memory"),
        ("licence", "failed", "hfss.licence"),
        ("sweep", "failed", "hfss.sweep"),
    ],
)
def test_the_verdict_of_a_log_alone(name: str, verdict: str, cause: str | None) -> None:
    found = summary(*read(content(name)))
    assert (found.verdict, found.cause) == (verdict, cause)
    assert found.evidence


def test_an_end_without_a_normal_completion_is_a_failure() -> None:
    text = content("converged").replace(b"Normal", b"Strange")
    found = summary(*read(text))
    assert (found.verdict, found.cause) == ("failed", "hfss.error")
    without = b"".join(
        line for line in content("converged").splitlines(keepends=True) if b"Normal" not in line
    )
    found = summary(*read(without))
    assert (found.verdict, found.cause) == ("failed", "hfss.incomplete")


def test_a_parametric_analysis_that_isnt_done_is_one_too() -> None:
    begun = b"[info] Project:c, Design:d, Parametric Analysis on P has been started (%s)\n"
    done = b"[info] Project:c, Design:d, Parametric Analysis is done. (%s)\n"
    head, stop, tail = content("converged").partition(b"Stopping Batch Run:")
    time = b"09:16:14 AM  Mar 02, 2026"
    assert summary(*read(head + begun % time + done % time + stop + tail)).verdict == "success"
    found = summary(*read(head + begun % time + stop + tail))
    assert (found.verdict, found.cause) == ("failed", "hfss.incomplete")
    assert "line 93: a parametric analysis began, and isn't done" in found.evidence
    assert summary(*read(head + begun % time)).verdict == "unfinished"


def test_a_hang_that_passed_is_no_failure() -> None:
    warned = content("converged").replace(
        b"[info] Project:coupler, Design:Coupler3, Normal",
        b"[warning] Project:coupler, Design:Coupler3, Com Engine non-responsive since 9:14\n"
        b"[info] Project:coupler, Design:Coupler3, Normal",
    )
    assert summary(*read(warned)).verdict == "success"


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("FlexNet Licensing error:-15,10", "hfss.licence"),
        ("Licensed number of users already reached. Feature: anshpc", "hfss.licence"),
        ("process hf3d: Out of memory", "hfss.memory"),
        ("process hf3d exited with code 259", "hfss.crash"),
        ("Unable to create child process: 3dedy", "hfss.crash"),
        ("Unable to locate or start COM engine on 'node3'", "hfss.crash"),
        ("Too few conductors were found on port 1", "hfss.model"),
        ("Verify conduction path", "hfss.model"),
        ("Null body found for part", "hfss.model"),
        ("The project requires Parasolid migration", "hfss.migration"),
        ("was created with ACIS geometry kernel", "hfss.migration"),
        ("Project 'a' is locked", "hfss.lock"),
        ("Disk quota exceeded", "hfss.disk"),
        ("Error closing file: %1", "hfss.error"),
        ("Simulation completed with execution error on server: a", "hfss.error"),
        ("something that nobody foresaw", "hfss.error"),
    ],
)
def test_sentences_and_their_causes(text: str, cause: str) -> None:
    found = causes.find(1, "error", text)
    assert found is not None
    assert found.cause == cause


def test_the_tail_is_never_told_where_a_line_says_more() -> None:
    lines = ["Simulation completed with execution error on server: a", "something unforeseen"]
    found = sorted(filter(None, (causes.find(i, "error", one) for i, one in enumerate(lines, 1))))
    assert found[0].text == "something unforeseen"
    aside = causes.find(3, "warning", "Com Engine non-responsive since 9:14")
    unknown = causes.find(4, "error", "something unforeseen")
    tail = causes.find(5, "error", "Simulation completed with execution error on server: a")
    assert aside is not None
    assert unknown is not None
    assert tail is not None
    assert sorted([tail, aside, unknown]) == [unknown, aside, tail]
    assert causes.find(1, "info", "all is well with the interpolation error") is None


def test_a_message_of_a_project_without_a_design_is_not_taken_for_its_name() -> None:
    entries = Entries()
    text = b"[info] Project:b.aedb : Normal completion of simulation. (09:00:00 AM  Nov 26, 2026)\n"
    (entry,) = [*entries.feed(text), *entries.end()]
    assert (entry.where.strip(" :"), entry.text) == (
        "Project:b.aedb", "Normal completion of simulation."
    )  # fmt: skip


def test_what_was_seen_stays_as_it_was_while_the_log_goes_on():
    reader = HfssReader()
    reader.feed(b"Starting Batch Run: 09:00:00 AM  Nov 26, 2026\n")
    before, _ = reader.seen()
    assert before.phase == "starting"
    reader.feed(b"Stopping Batch Run: 09:00:07 AM  Nov 26, 2026\n")
    assert (before.phase, before.elapsed) == ("starting", 0.0)
    assert reader.seen()[0].phase == "ended"
