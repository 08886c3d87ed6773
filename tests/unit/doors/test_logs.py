"""A job's output over HTTP: parts, ranges, last lines, and following."""

import http.client
import io
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import IncompleteRead
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from solveyard.doors import logs
from solveyard.doors.logs import read_log, tail
from solveyard.model.jobs import JobId
from solveyard.model.messages import Cancel

SPEC = b'{"solver": "command", "options": {"argv": ["true"]}}'
TEXT = b"one\ntwo\nthree\nfour"


@contextmanager
def asked(
    served: Any, target: str, headers: dict[str, str] | None = None, method: str = "GET"
) -> Iterator[http.client.HTTPResponse]:
    wire = http.client.HTTPConnection("localhost", timeout=20)
    wire.sock = socket.socket(socket.AF_UNIX)
    wire.sock.settimeout(20)
    wire.sock.connect(str(served.socket))
    kind = {"Content-Type": "application/json"} if method == "POST" else {}
    wire.request(method, target, SPEC if method == "POST" else None, {**kind, **(headers or {})})
    try:
        yield wire.getresponse()
    finally:
        wire.close()


def got(served: Any, target: str, **headers: str) -> tuple[int, bytes, Any]:
    with asked(served, target, headers) as response:
        return response.status, response.read(), response.headers


@pytest.fixture
def running(served: Any) -> Any:
    """A job that runs, and has written something."""
    with asked(served, "/jobs", method="POST") as response:
        assert response.status == 201
    served.do(lambda: served.manager.start(1), lambda: served.manager.write(1, TEXT))
    return served


@pytest.mark.parametrize(
    ("asked_for", "status", "body", "told"),
    [
        ("bytes=0-2", 206, b"one", "bytes 0-2/18"),
        ("bytes=14-", 206, b"four", "bytes 14-17/18"),
        ("bytes=-6", 206, b"e\nfour", "bytes 12-17/18"),
        ("bytes=14-99", 206, b"four", "bytes 14-17/18"),
        ("bytes=0-", 200, TEXT, None),
        ("bytes=18-", 416, None, "bytes */18"),
        ("bytes=0-1,3-4", 200, TEXT, None),
        ("lines=0-1", 200, TEXT, None),
        ("bytes=x", 200, TEXT, None),
    ],
)
def test_a_range_of_a_log_is_206_and_one_beyond_its_end_416(
    running: Any, asked_for: str, status: int, body: bytes | None, told: str | None
) -> None:
    found, content, headers = got(running, "/jobs/1/logs", Range=asked_for)
    assert (found, headers["Content-Range"]) == (status, told)
    assert body is None or content == body


@pytest.mark.parametrize(
    ("lines", "body"), [(0, b""), (1, b"four"), (2, b"three\nfour"), (4, TEXT), (9, TEXT)]
)
def test_the_last_lines_of_a_log_count_an_unfinished_one(
    running: Any, lines: int, body: bytes
) -> None:
    assert got(running, f"/jobs/1/logs?tail={lines}")[1] == body


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    pieces=st.lists(st.sampled_from([b"\n", b"a", b"b" * 300_000, b"\n" * 1000]), max_size=12),
    lines=st.integers(0, 5),
)
def test_the_last_lines_begin_where_splitting_the_whole_says(
    tmp_path: Path, pieces: list[bytes], lines: int
) -> None:
    place = tmp_path / "log"
    text = b"".join(pieces)
    place.write_bytes(text)
    found = text[tail(place, lines) :]
    assert found == b"".join(text.splitlines(keepends=True)[-lines:] if lines else [])


def test_a_log_is_followed_until_its_attempt_has_ended(running: Any) -> None:
    with asked(running, "/jobs/1/logs?follow=1&tail=1") as response:
        assert response.status == 200
        assert response.read(4) == b"four"
        running.do(lambda: running.manager.write(1, b" and\nfive"))
        assert response.read(9) == b" and\nfive"
        running.do(lambda: running.manager.write(1, b"!"), lambda: running.manager.end(1))
        assert response.read() == b"!"


def test_who_follows_a_job_that_waits_gets_its_output_from_the_first_byte(served: Any) -> None:
    with asked(served, "/jobs", method="POST"), asked(served, "/jobs/1/logs?follow=1") as response:
        assert response.status == 200
        served.do(lambda: served.manager.start(1), lambda: served.manager.write(1, TEXT))
        assert response.read(len(TEXT)) == TEXT


def test_an_attempt_that_was_taken_back_is_no_end_and_the_next_ones_output_comes(
    served: Any,
) -> None:
    manager = served.manager
    with asked(served, "/jobs", method="POST"):
        served.do(lambda: manager.start(1))
    with asked(served, "/jobs/1/logs?follow=1") as early, ThreadPoolExecutor() as threads:
        waiting = threads.submit(got, served, "/jobs/1/logs?wait=20")
        served.do(lambda: manager.again(1, withdrawn=True))
        with asked(served, "/jobs/1/logs?follow=1") as late:
            assert late.headers["X-Attempt"] == "2"
            assert got(served, "/jobs/1/logs")[2]["X-Ended"] == "0"
            assert got(served, "/jobs/1/logs?attempt=2")[0] == 200
            assert got(served, "/jobs/1/logs?attempt=3")[0] == 404
            assert got(served, "/jobs/1/logs?attempt=1")[2]["X-Ended"] == "1"
            served.do(lambda: manager.start(1), lambda: manager.write(1, TEXT))
            assert (early.read(len(TEXT)), late.read(len(TEXT))) == (TEXT, TEXT)
            _, content, headers = waiting.result()
            assert (content, headers["X-Attempt"]) == (TEXT, "2")
            served.do(lambda: manager.again(1, withdrawn=True))
            served.run(manager.request(Cancel(job=JobId(1), by="me")))
            assert (early.read(), late.read()) == (b"", b"")
    _, content, headers = got(served, "/jobs/1/logs")
    assert (content, headers["X-Ended"], headers["X-Attempt"]) == (TEXT, "1", "2")


def test_output_that_was_cut_is_followed_from_its_new_beginning(running: Any) -> None:
    place = running.manager.log_paths(1)[0]
    with asked(running, "/jobs/1/logs?follow=1") as response:
        assert response.read(len(TEXT)) == TEXT
        running.do(lambda: place.write_bytes(b"anew"))
        assert response.read(4) == b"anew"
        running.do(lambda: running.manager.write(1, b", and on"), lambda: running.manager.end(1))
        assert response.read() == b", and on"


def test_who_waits_for_more_of_output_that_is_cut_is_told_at_once(
    running: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, looked = running.manager.log_paths(1)[0], threading.Event()

    def noted(path: Path, offset: int, limit: int) -> tuple[bytes, int, int]:
        found = read_log(path, offset, limit)
        looked.set()
        return found

    monkeypatch.setattr(logs, "read_log", noted)
    with ThreadPoolExecutor() as threads:
        waiting = threads.submit(got, running, f"/jobs/1/logs?offset={len(TEXT)}&wait=60")
        assert looked.wait(20)
        running.do(lambda: place.write_bytes(b"anew"))
        _, content, headers = waiting.result()
    assert (content, headers["X-Size"], headers["X-Ended"]) == (b"", "4", "0")


def test_who_comes_back_for_more_of_output_that_was_cut_meanwhile_is_told_at_once(
    running: Any,
) -> None:
    running.do(lambda: running.manager.log_paths(1)[0].write_bytes(b"anew"))
    _, content, headers = got(running, f"/jobs/1/logs?offset={len(TEXT)}&wait=60")
    assert (content, headers["X-Size"], headers["X-Ended"]) == (b"", "4", "0")


def test_the_next_attempt_may_be_asked_for_before_it_is_there_and_if_it_never_comes(
    running: Any,
) -> None:
    manager = running.manager
    assert got(running, "/jobs/1/logs?attempt=2")[0] == 404
    running.do(lambda: manager.again(1))
    assert got(running, "/jobs/1/logs?attempt=3")[0] == 404
    status, content, headers = got(running, "/jobs/1/logs?attempt=2")
    assert (status, content, headers["X-Ended"], headers["X-Attempt"]) == (200, b"", "0", "2")
    running.run(manager.request(Cancel(job=JobId(1), by="me")))
    status, content, headers = got(running, "/jobs/1/logs?attempt=2&wait=60")
    assert (status, content, headers["X-Ended"]) == (200, b"", "1")


class Growing(io.BytesIO):
    """A file that gets longer right after somebody looked how long it is."""

    def open(self, _mode: str) -> "Growing":
        return self

    def seek(self, place: int, whence: int = 0) -> int:
        found = super().seek(place, whence)
        if whence == 2:
            self.write(b" and more")
        return found


def test_a_part_of_a_log_is_never_larger_than_what_is_told_of_it() -> None:
    log: Any = Growing(TEXT)
    assert read_log(log, 4, 1000) == (TEXT[4:], 4, len(TEXT))


def test_a_large_part_comes_whole_and_one_that_is_cut_meanwhile_is_left_unfinished(
    running: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, text = running.manager.log_paths(1)[0], bytes(range(251)) * 20_000
    place.write_bytes(text)
    most = f"limit={16 << 20}"
    status, content, headers = got(running, f"/jobs/1/logs?{most}")
    assert (status, content == text, headers["Content-Length"]) == (200, True, str(len(text)))
    assert (headers["X-Next-Offset"], headers["X-Size"]) == (str(len(text)), str(len(text)))
    status, content, headers = got(running, "/jobs/1/logs?offset=-9&limit=4")
    assert (content, headers["X-Next-Offset"]) == (text[-9:-5], str(len(text) - 5))
    status, content, headers = got(running, "/jobs/1/logs", Range="bytes=7-3000006")
    assert (status, content == text[7:3_000_007]) == (206, True)
    assert headers["Content-Range"] == f"bytes 7-3000006/{len(text)}"
    with asked(running, f"/jobs/1/logs?{most}", method="HEAD") as response:
        assert response.headers["Content-Length"] == str(len(text))
        assert response.read() == b""
    asked_for: list[int] = []

    def shrunk(path: Path, offset: int, limit: int) -> tuple[bytes, int, int]:
        asked_for.append(limit)
        if offset:
            place.write_bytes(b"")
        return read_log(path, offset, limit)

    monkeypatch.setattr(logs, "read_log", shrunk)
    with asked(running, f"/jobs/1/logs?{most}") as response, pytest.raises(IncompleteRead):
        response.read()
    assert max(asked_for) == logs.CHUNK


def test_following_is_cut_off_when_the_manager_stops_before_the_end(running: Any) -> None:
    with asked(running, "/jobs/1/logs?follow=1") as response, ThreadPoolExecutor() as threads:
        assert response.read(len(TEXT)) == TEXT
        threads.submit(running.stop)
        with pytest.raises(IncompleteRead):
            response.read()


def test_a_followed_job_that_is_removed_ends_the_answer(running: Any) -> None:
    with asked(running, "/jobs/1/logs?follow=1") as response:
        assert response.read(len(TEXT)) == TEXT
        running.do(lambda: running.manager.records.clear())
        assert response.read() == b""


def test_the_head_of_a_followed_log_comes_at_once(running: Any) -> None:
    with asked(running, "/jobs/1/logs?follow=1", method="HEAD") as response:
        assert response.status == 200


@pytest.mark.parametrize("offset", [18, 19, 1 << 53, 99999999999999999, 1 << 62])
def test_nothing_is_read_from_beyond_the_end_however_far(running: Any, offset: int) -> None:
    status, content, headers = got(running, f"/jobs/1/logs?offset={offset}")
    assert (status, content, headers["X-Next-Offset"]) == (200, b"", str(offset))
    assert headers["X-Size"] == "18"
    assert got(running, "/jobs/1/logs", Range=f"bytes={offset}-")[0] == 416
    assert got(running, "/jobs/1/logs", Range=f"bytes={offset}-{offset + 9}")[0] == 416
    with asked(running, f"/jobs/1/logs?follow=1&offset={offset}") as response:
        assert response.status == 200
        running.do(lambda: running.manager.end(1))
        assert response.read() == b""


@pytest.mark.parametrize(
    "query", ["tail=-1", "tail=x", "tail=2&offset=3", "follow=perhaps", "limit=99999999"]
)
def test_a_part_that_makes_no_sense_is_refused(running: Any, query: str) -> None:
    assert got(running, f"/jobs/1/logs?{query}")[0] == 400


def test_files_come_in_ranges_and_no_browser_shows_them(running: Any, tmp_path: Path) -> None:
    folder = running.manager.workspace(1).root
    folder.mkdir(parents=True)
    page = folder / 'röhre "1";.html'
    page.write_bytes(b"<script>steal()</script>")
    target = "/jobs/1/files/r%C3%B6hre%20%221%22%3B.html"
    status, body, headers = got(running, target)
    assert (status, body) == (200, b"<script>steal()</script>")
    assert headers["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Content-Type"] == "application/octet-stream"
    assert headers["Content-Disposition"] == (
        "attachment; filename=\"r_hre _1__.html\"; filename*=UTF-8''r%C3%B6hre%20%221%22%3B.html"
    )
    status, body, part = got(running, target, Range="bytes=1-6")
    assert (status, body, part["Content-Range"]) == (206, b"script", "bytes 1-6/24")
    assert got(running, target, **{"Range": "bytes=1-6", "If-Range": headers["ETag"]})[0] == 206
    assert got(running, target, **{"Range": "bytes=1-6", "If-Range": '"old"'})[0] == 200
    status, body, part = got(running, target, Range="bytes=24-")
    assert (status, part["Content-Range"]) == (416, "bytes */24")
    assert b'"success":false' in body
    (folder / "empty").write_bytes(b"")
    assert got(running, "/jobs/1/files/empty")[:2] == (200, b"")
