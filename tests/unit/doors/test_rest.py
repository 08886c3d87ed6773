"""REST: routes, records, refusals."""

import http.client
import json
import os
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from solveyard.backends.here import LocalFile
from solveyard.doors import listing
from solveyard.manager import belongings
from solveyard.model.errors import InvalidRequest, StoreUnusable

SPEC = {"solver": "command", "options": {"argv": ["true"]}}


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def ask(served: Any, method: str, target: str, body: Any = None, kind: str = "json") -> Answer:
    wire = http.client.HTTPConnection("localhost", timeout=20)
    wire.sock = socket.socket(socket.AF_UNIX)
    wire.sock.settimeout(20)
    wire.sock.connect(str(served.socket))
    content = body if isinstance(body, bytes | None) else json.dumps(body).encode()
    headers = {"Content-Type": f"application/{kind}"} if content is not None else {}
    try:
        wire.request(method, target, content, headers)
        response = wire.getresponse()
        text = response.read()
    finally:
        wire.close()
    return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, text)


def test_a_submitted_job_is_answered_with_its_record(served: Any) -> None:
    answer = ask(served, "POST", "/jobs", SPEC | {"name": "dipole", "tags": ["a"]})
    assert answer.status == 201
    assert answer.json["success"] is True
    assert answer.json["job_id"] == "dipole"
    record = answer.json["job"]
    expected = {
        "id": "dipole",
        "number": 1,
        "state": "queued",
        "reason": None,
        "cause": None,
        "waiting": "waits for a core",
        "tags": ["a"],
        "submitted_at": "2026-09-21T14:13:20.000Z",
        "ended_at": None,
        "attempts": [],
    }
    assert {name: record[name] for name in expected} == expected
    assert ask(served, "GET", "/jobs/dipole").json == record
    assert ask(served, "GET", "/jobs/1").json == record


def test_the_documents_own_route_for_a_submission_is_the_same(served: Any) -> None:
    assert ask(served, "POST", "/jobs/submit", SPEC).status == 201
    assert len(served.manager.records) == 1


def test_a_list_is_submitted_whole_or_not_at_all(served: Any) -> None:
    bad = [SPEC, SPEC, SPEC | {"prioritty": 3}]
    answer = ask(served, "POST", "/jobs", bad)
    assert answer.status == 400
    assert answer.json["field"] == "$[2].prioritty"
    assert "did you mean 'priority'" in answer.json["error"]
    assert served.manager.records == {}
    answer = ask(served, "POST", "/jobs", [SPEC, SPEC])
    assert answer.status == 201
    assert [job["number"] for job in answer.json["jobs"]] == [1, 2]


def test_a_wrong_kind_of_value_is_refused_with_path_expected_and_got(served: Any) -> None:
    answer = ask(served, "POST", "/jobs", SPEC | {"resources": {"cores": "many"}})
    assert answer.status == 400
    told = answer.json
    assert told["success"] is False
    assert (told["field"], told["got"]) == ("$.resources.cores", "str")
    assert "int" in told["expected"]


def test_the_jobs_are_an_array_that_pages_newest_first(served: Any) -> None:
    ask(served, "POST", "/jobs", [SPEC] * 5)
    first = ask(served, "GET", "/jobs?limit=2")
    assert [job["number"] for job in first.json] == [5, 4]
    assert first.headers["x-total-count"] == "5"
    second = ask(served, "GET", f"/jobs?limit=3&cursor={first.headers['x-next-cursor']}")
    assert [job["number"] for job in second.json] == [3, 2, 1]
    assert "x-next-cursor" not in second.headers


def test_a_page_may_begin_after_some_jobs_and_goes_on_by_cursor(served: Any) -> None:
    ask(served, "POST", "/jobs", [SPEC] * 5)
    page = ask(served, "GET", "/jobs?offset=1&limit=2")
    assert [job["number"] for job in page.json] == [4, 3]
    assert page.headers["x-total-count"] == "5"
    rest = ask(served, "GET", f"/jobs?cursor={page.headers['x-next-cursor']}")
    assert [job["number"] for job in rest.json] == [2, 1]
    assert ask(served, "GET", "/jobs?offset=5").json == []
    assert ask(served, "GET", "/jobs?offset=-1").status == 400


def test_jobs_are_found_by_when_they_were_submitted_and_by_a_part_of_their_name(
    served: Any,
) -> None:
    ask(served, "POST", "/jobs", [SPEC | {"name": "dipole-1"}, SPEC | {"name": "loop"}])
    assert [job["id"] for job in ask(served, "GET", "/jobs?search=pole").json] == ["dipole-1"]
    for since, found in (
        ("2026-09-21T14:13:20Z", 2),
        ("2026-09-21T16:13:20%2B02:00", 2),
        ("2026-09-21T14:13:20", 2),
        ("1790000000", 2),
        ("2026-09-21T14:13:21Z", 0),
    ):
        assert len(ask(served, "GET", f"/jobs?since={since}").json) == found, since
    for wrong in ("yesterday", "nan", "inf", "9999-99-99"):
        assert ask(served, "GET", f"/jobs?since={wrong}").json["field"] == "$.since"


def test_a_record_says_in_the_documents_words_what_it_says_in_ours(served: Any) -> None:
    ask(served, "POST", "/jobs", SPEC | {"hold": True})
    held = ask(served, "GET", "/jobs").json[0]
    assert (held["state"], held["status"]) == ("held", "queued")
    assert held["user"] == held["owner"]
    names = ("start_time", "end_time", "return_code", "scheduler_job_id")
    assert [held[name] for name in names] == [None] * 4
    ask(served, "POST", "/jobs/1/release")
    served.do(lambda: served.manager.start(1), lambda: served.manager.end(1, 3))
    record = ask(served, "GET", "/jobs/1").json
    assert [record["status"], *(record[name] for name in names)] == [
        "failed",
        "2026-09-21T14:13:22.000+00:00",  # Python 3.10 reads no Z
        "2026-09-21T14:13:27.500+00:00",
        3,
        None,
    ]
    assert [record["started_at"], record["ended_at"]] == [
        "2026-09-21T14:13:22.000Z",
        "2026-09-21T14:13:27.500Z",
    ]


def test_attempts_are_listed_and_told_by_number(served: Any) -> None:
    ask(served, "POST", "/jobs", SPEC)
    assert ask(served, "GET", "/jobs/1/attempts").json == []
    served.do(lambda: served.manager.start(1), lambda: served.manager.end(1, 3))
    [attempt] = ask(served, "GET", "/jobs/1/attempts").json
    assert (attempt["number"], attempt["exit_code"]) == (1, 3)
    assert ask(served, "GET", "/jobs/1/attempts/1").json == attempt
    for wrong in ("0", "2", "x", "-1", "9" * 30):
        answer = ask(served, "GET", f"/jobs/1/attempts/{wrong}")
        assert (answer.status, answer.json["kind"]) == (404, "unknown_attempt")


def test_all_of_them_come_in_one_array(served: Any) -> None:
    assert ask(served, "GET", "/jobs?all=1").json == []
    ask(served, "POST", "/jobs", [SPEC] * 450)
    everything = ask(served, "GET", "/jobs?all=1").json
    assert [job["number"] for job in everything] == list(range(450, 0, -1))


def test_states_filter_and_an_unknown_one_names_the_nearest(served: Any) -> None:
    ask(served, "POST", "/jobs", [SPEC, SPEC | {"hold": True}])
    held = ask(served, "GET", "/jobs?state=held,failed").json
    assert [job["state"] for job in held] == ["held"]
    answer = ask(served, "GET", "/jobs?state=runing")
    assert answer.status == 400
    assert "'running'" in answer.json["error"]


def test_an_unknown_parameter_is_refused_and_names_the_nearest(served: Any) -> None:
    answer = ask(served, "GET", "/jobs?limits=3")
    assert answer.status == 400
    assert "'limit'" in answer.json["error"]
    assert ask(served, "GET", "/jobs?limit=3&limit=4").status == 400


@pytest.mark.parametrize(
    ("query", "field", "why"),
    [
        ("jobs?limit=0", "$.limit", "`limit` is 0; it must be from 1 to 1000"),
        ("events?after=-1", "$.after", "`after` is -1; it must be from 0"),
        ("jobs/1/results?format=xml", "$.format", "is 'xml'; it must be 'csv' or 'json'"),
        ("jobs/1/logs?stream=both", "$.stream", "`stream` is 'stdout' or 'stderr', not 'both'"),
    ],
)
def test_a_parameter_that_may_not_be_so_is_named_with_what_it_may_be(
    served: Any, query: str, field: str, why: str
) -> None:
    answer = ask(served, "GET", f"/{query}")
    assert (answer.status, answer.json["field"]) == (400, field)
    assert why in answer.json["error"]


@pytest.mark.parametrize(
    ("verb", "before", "after"),
    [("cancel", "queued", "cancelled"), ("hold", "queued", "held"), ("release", "held", "queued")],
)
def test_what_is_asked_of_a_job_is_answered_with_its_new_record(
    served: Any, verb: str, before: str, after: str
) -> None:
    ask(served, "POST", "/jobs", SPEC | {"hold": before == "held"})
    answer = ask(served, "POST", f"/jobs/1/{verb}")
    assert answer.status == 200
    assert answer.json["job"]["state"] == after
    assert answer.json["status"] == answer.json["job"]["status"]
    assert after in answer.json["message"]


def test_a_page_tells_each_job_as_it_is_by_then(served: Any) -> None:
    ask(served, "POST", "/jobs", [SPEC, SPEC | {"hold": True}, SPEC | {"name": "dipole"}])

    def told() -> list[Any]:
        page = ask(served, "GET", "/jobs").json
        assert page == ask(served, "GET", "/jobs").json
        assert page == [ask(served, "GET", f"/jobs/{one['id']}").json for one in page]
        return page

    before = told()
    changes = [
        lambda: ask(served, "POST", "/jobs/2/release"),
        lambda: ask(served, "POST", "/jobs/1/hold"),
        lambda: ask(served, "POST", "/jobs/2/priority", {"priority": 7}),
        lambda: ask(served, "PATCH", "/jobs/dipole", {"note": "short"}),
        lambda: served.do(lambda: served.manager.end(2)),
        lambda: ask(served, "POST", "/jobs/1/cancel"),
    ]
    for change in changes:
        change()
        after = told()
        assert after != before
        before = after
    ask(served, "DELETE", "/jobs/2")
    assert [one["number"] for one in told()] == [3, 1]


def test_what_the_state_does_not_allow_is_409(served: Any) -> None:
    ask(served, "POST", "/jobs", SPEC)
    assert ask(served, "POST", "/jobs/1/release").status == 409
    assert ask(served, "DELETE", "/jobs/1").status == 409


def test_cancelling_what_has_ended_is_200_with_its_state(served: Any) -> None:
    ask(served, "POST", "/jobs", SPEC)
    served.do(lambda: served.manager.end(1))
    answer = ask(served, "POST", "/jobs/1/cancel", {"grace": 3})
    assert (answer.status, answer.json["job"]["state"]) == (200, "completed")


def test_a_priority_is_changed_by_a_number_only(served: Any) -> None:
    ask(served, "POST", "/jobs", SPEC)
    answer = ask(served, "POST", "/jobs/1/priority", {"priority": -3})
    assert answer.json["job"]["priority"] == -3
    for wrong in ({"priority": "3"}, {"priority": 2.5}, {}, {"prio": 3}, [3], {"priority": 10**12}):
        assert ask(served, "POST", "/jobs/1/priority", wrong).status == 400


def test_a_removed_job_is_gone_and_its_own_files_with_it_where_asked(served: Any) -> None:
    ask(served, "POST", "/jobs", [SPEC, SPEC])
    for number in (1, 2):
        served.do(
            lambda n=number: served.manager.start(n),
            lambda n=number: served.manager.write(n, b"text"),
            lambda n=number: served.manager.end(n),
        )
    outputs = [served.manager.log_paths(number)[0] for number in (1, 2)]
    own = served.manager.workspace(2).root
    own.mkdir(parents=True)
    assert ask(served, "DELETE", "/jobs/1").status == 200
    gone = ask(served, "DELETE", "/jobs/2?files=1")
    assert (gone.status, "files_stay" in gone.json["job"]) == (200, False)
    assert ask(served, "GET", "/jobs/2").status == 404
    assert [path.exists() for path in outputs] == [True, False]
    assert not own.exists()


def test_a_removal_that_leaves_files_says_so(served: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    ask(served, "POST", "/jobs", SPEC)
    served.do(lambda: served.manager.end(1))
    served.manager.workspace(1).root.mkdir(parents=True)
    monkeypatch.setattr(belongings, "delete", lambda _: None)
    gone = ask(served, "DELETE", "/jobs/1?files=1").json["job"]
    assert gone == {"id": "1", "number": 1, "removed": True, "files_stay": True}


def test_a_folder_that_is_not_the_jobs_own_is_never_deleted(served: Any, tmp_path: Path) -> None:
    for mine in (tmp_path / "mine", served.folder / "mine"):
        mine.mkdir()
        submitted = ask(served, "POST", "/jobs", SPEC | {"directory": str(mine)})
        number = submitted.json["job"]["number"]
        served.do(lambda n=number: served.manager.end(n))
        assert ask(served, "DELETE", f"/jobs/{number}?files=1").status == 200
        assert mine.exists()


def test_waiting_answers_at_the_end_or_with_504(served: Any) -> None:
    ask(served, "POST", "/jobs", SPEC)
    assert ask(served, "GET", "/jobs/1/wait?timeout=0").status == 504
    served.later(0.05, lambda: served.manager.end(1))
    answer = ask(served, "GET", "/jobs/1/wait")
    assert (answer.status, answer.json["state"]) == (200, "completed")
    for wrong in ("-1", "nan", "inf", "soon"):
        assert ask(served, "GET", f"/jobs/1/wait?timeout={wrong}").status == 400


def test_waiting_for_several_answers_when_all_have_ended_or_tells_which_have_not(
    served: Any,
) -> None:
    ask(served, "POST", "/jobs", [{**SPEC, "name": "dipole"}, SPEC, SPEC])
    served.do(lambda: served.manager.end(2))
    answer = ask(served, "POST", "/jobs/wait", {"jobs": ["dipole", "2", "3"], "timeout": 0})
    assert (answer.status, answer.json) == (200, {"success": True, "left": ["dipole", "3"]})
    served.later(0.05, lambda: served.manager.end(3), lambda: served.manager.end(1))
    answer = ask(served, "POST", "/jobs/wait", {"jobs": ["dipole", "2", "3"]})
    assert (answer.status, answer.json["left"]) == (200, [])
    assert ask(served, "POST", "/jobs/wait", {"jobs": []}).json["left"] == []
    assert ask(served, "POST", "/jobs/wait", {"jobs": ["1", "9"]}).status == 404
    for wrong in ({"jobs": [1]}, {"timeout": 1}, {"jobs": ["1"], "timeout": -1}):
        assert ask(served, "POST", "/jobs/wait", wrong).status == 400


@pytest.mark.parametrize("several", [False, True])
def test_who_waits_is_answered_when_the_manager_stops(served: Any, several: bool) -> None:
    ask(served, "POST", "/jobs", SPEC)
    how = ("POST", "/jobs/wait", {"jobs": ["1"]}) if several else ("GET", "/jobs/1/wait")
    with ThreadPoolExecutor() as threads:
        waiting = threads.submit(ask, served, *how)
        served.manager.asked.wait(10)
        served.stop()
        answer = waiting.result()
        assert (answer.status, answer.json["kind"]) == (503, "unavailable")


def test_a_log_is_bytes_from_an_offset_and_says_where_to_go_on(served: Any) -> None:
    ask(served, "POST", "/jobs", SPEC)
    empty = ask(served, "GET", "/jobs/1/logs")
    assert (empty.body, empty.headers["x-ended"]) == (b"", "0")
    served.do(lambda: served.manager.start(1), lambda: served.manager.write(1, b"a\xff\0z" * 4))
    part = ask(served, "GET", "/jobs/1/logs?offset=2&limit=3")
    assert part.body == b"\0za"
    assert (part.headers["x-next-offset"], part.headers["x-size"]) == ("5", "16")
    assert ask(served, "GET", "/jobs/1/logs?offset=-1").body == b"z"
    assert ask(served, "GET", "/jobs/1/logs?stream=stderr").body == b""
    assert ask(served, "GET", "/jobs/1/logs?stream=both").status == 400
    assert ask(served, "GET", "/jobs/1/logs?attempt=2").status == 404


def test_a_log_can_be_waited_for(served: Any) -> None:
    ask(served, "POST", "/jobs", SPEC)
    served.do(lambda: served.manager.start(1))
    served.later(0.05, lambda: served.manager.write(1, b"late"))
    assert ask(served, "GET", "/jobs/1/logs?wait=20").body == b"late"
    served.later(0.05, lambda: served.manager.end(1))
    assert ask(served, "GET", "/jobs/1/logs?offset=4&wait=20").headers["x-ended"] == "1"


def test_a_jobs_files_are_listed_and_read_and_none_outside_its_folder(
    served: Any, tmp_path: Path
) -> None:
    folder = tmp_path / "work"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "r 1.s1p").write_bytes(b"\0" * 3_000_000)
    (tmp_path / "secret").write_text("s")
    (folder / "link").symlink_to(tmp_path / "secret")
    ask(served, "POST", "/jobs", SPEC | {"directory": str(folder)})
    listed = ask(served, "GET", "/jobs/1/files").json
    assert [(one["path"], one["size"]) for one in listed] == [("sub/r 1.s1p", 3_000_000)]
    assert ask(served, "GET", "/jobs/1/files/sub/r%201.s1p").body == b"\0" * 3_000_000
    assert ask(served, "GET", "/jobs/1/files/nothing").status == 404
    for path in ("link", "..%2fsecret", "%2fetc%2fpasswd", "a%00b", "x" * 3000, "sub/r%201.s1p/x"):
        answer = ask(served, "GET", f"/jobs/1/files/{path}")
        assert answer.status in {400, 404}, path
        assert answer.json["success"] is False


def test_a_download_is_of_one_file_whatever_takes_its_name_meanwhile(
    served: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "large").write_bytes(b"\0" * 3_000_000)
    (tmp_path / "secret").write_bytes(b"s" * 3_000_000)
    ask(served, "POST", "/jobs", SPEC | {"directory": str(folder)})
    read = LocalFile.read

    def exchanged(self: LocalFile, offset: int, limit: int) -> bytes:
        if offset:
            (folder / "large").unlink(missing_ok=True)
            (folder / "large").symlink_to(tmp_path / "secret")
        return read(self, offset, limit)

    monkeypatch.setattr(LocalFile, "read", exchanged)
    assert ask(served, "GET", "/jobs/1/files/large").body == b"\0" * 3_000_000
    assert ask(served, "GET", "/jobs/1/files/large").status == 400


@pytest.mark.parametrize("error", [InvalidRequest("it is gone"), OSError(5, "Input/output error")])
def test_a_download_that_can_not_go_on_is_cut_off_and_nothing_is_added_to_it(
    served: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    (tmp_path / "large").write_bytes(b"\0" * 3_000_000)
    ask(served, "POST", "/jobs", SPEC | {"directory": str(tmp_path)})
    read = LocalFile.read

    def failing(self: LocalFile, offset: int, limit: int) -> bytes:
        if offset:
            raise error
        return read(self, offset, limit)

    monkeypatch.setattr(LocalFile, "read", failing)
    with pytest.raises(http.client.IncompleteRead) as cut:
        ask(served, "GET", "/jobs/1/files/large")
    assert set(cut.value.partial) == {0}


def test_a_list_that_can_not_go_on_is_cut_off_and_no_refusal_is_added_to_it(
    served: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(2):
        ask(served, "POST", "/jobs", SPEC)
    page = served.manager.page

    async def failing(which: Any, limit: int, cursor: str | None) -> Any:
        if cursor is not None:
            raise StoreUnusable("disk I/O error")
        return await page(which, limit, cursor)

    monkeypatch.setattr(listing, "_PAGE", 1)
    monkeypatch.setattr(listing, "_PIECE", 1)
    monkeypatch.setattr(served.manager, "page", failing)
    with pytest.raises(http.client.IncompleteRead) as cut:
        ask(served, "GET", "/jobs?all=1")
    assert b"HTTP" not in cut.value.partial
    assert b"I/O" not in cut.value.partial


def test_of_many_files_pages_are_answered_that_say_how_many_there_are(
    served: Any, tmp_path: Path
) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    names = [b"a.dat", "é.s1p".encode(), b"\xff.s2p", b"sub dir.txt"]
    for name in names:
        Path(os.fsdecode(os.fsencode(folder) + b"/" + name)).touch()
    ask(served, "POST", "/jobs", SPEC | {"directory": str(folder)})
    seen, target = [], "/jobs/1/files?limit=1"
    for more in (True, True, True, False):
        page = ask(served, "GET", target)
        assert page.headers["x-total-count"] == "4"
        assert ("x-next-cursor" in page.headers, "x-unread" in page.headers) == (more, False)
        seen += [one["path"] for one in page.json]
        target = f"/jobs/1/files?limit=1&cursor={page.headers.get('x-next-cursor')}"
    assert seen == ["a.dat", "sub dir.txt", "é.s1p", "%FF.s2p"]
    plots = ask(served, "GET", "/jobs/1/files?touchstone=true")
    assert [one["path"] for one in plots.json] == ["é.s1p", "%FF.s2p"]
    assert plots.headers["x-total-count"] == "2"
    for query in ("limit=0", "limit=10001", "cursor=%C3%A9", "cursor=x", "offset=1"):
        assert ask(served, "GET", f"/jobs/1/files?{query}").status == 400, query


def test_files_whose_names_are_not_utf_8_or_no_line_are_listed_and_read(
    served: Any, tmp_path: Path
) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    names = {b"a\xff.txt": "a%FF.txt", b"\xe9t\xe9/b": "%E9t%E9/b", "é".encode(): "é"}
    names |= {b"two\nlines\n": "two\nlines\n", b"a\r\n\tb": "a\r\n\tb"}
    (folder / "\udce9t\udce9").mkdir()
    for name in [*names, b"c%FE", b"d%41"]:
        Path(os.fsdecode(os.fsencode(folder) + b"/" + name)).write_bytes(name)
    ask(served, "POST", "/jobs", SPEC | {"directory": str(folder)})
    listed = ask(served, "GET", "/jobs/1/files")
    assert listed.status == 200
    expected = {"c%FE", "d%41", *names.values()}
    assert {one["path"] for one in listed.json} == expected
    for name, told in [*names.items(), (b"c%FE", "c%FE"), (b"d%41", "d%41")]:
        assert ask(served, "GET", f"/jobs/1/files/{quote(told)}").body == name
    assert ask(served, "GET", "/jobs/1/files/a%FF.txt").body == b"a\xff.txt"
    assert ask(served, "GET", "/jobs/1/files/b%25FF.txt").status == 404


def test_events_are_numbered(served: Any) -> None:
    ask(served, "POST", "/jobs", [SPEC] * 3)
    events = ask(served, "GET", "/events?after=1&limit=1").json
    assert [(one["number"], one["type"], one["job"]) for one in events] == [(2, "job.submitted", 2)]


def test_the_queue_counts_every_state(served: Any) -> None:
    ask(served, "POST", "/jobs", [SPEC] * 2)
    counts = ask(served, "GET", "/queue").json
    assert counts["queued"] == 2
    assert counts["running"] == 0


def test_limits_must_be_said(served: Any) -> None:
    assert ask(served, "POST", "/pool/limits", {"max_concurrent": 3}).status == 200
    assert ask(served, "POST", "/pool/limits", {"max_concurrent": None}).status == 200
    for wrong in ({}, {"max_concurrent": -1}, {"max": 3}, {"max_concurrent": "3"}):
        assert ask(served, "POST", "/pool/limits", wrong).status == 400
    assert len(served.manager.requests) == 2


def test_a_stop_says_how_and_what_runs(served: Any) -> None:
    ask(served, "POST", "/jobs", SPEC)
    served.do(lambda: served.manager.start(1))
    answer = ask(served, "POST", "/system/stop", {"how": "drain"})
    assert (answer.status, answer.json["how"], answer.json["running"]) == (202, "drain", 1)
    assert ask(served, "POST", "/system/stop", {"how": "gently"}).status == 400
    ask(served, "POST", "/system/stop")
    assert served.stops == ["drain", ""]


def test_a_full_store_is_507_and_not_ready(served: Any) -> None:
    assert ask(served, "GET", "/readyz").status == 200
    served.manager.blocked = "no space"
    assert ask(served, "POST", "/jobs", SPEC).status == 507
    assert ask(served, "GET", "/readyz").status == 503
    assert ask(served, "GET", "/healthz").status == 200


def test_what_is_not_there_is_404_and_a_wrong_method_405(served: Any) -> None:
    for target in ("/nothing", "/jobs/7", "/jobs/nobody/logs", "/jobs/" + "9" * 40):
        answer = ask(served, "GET", target)
        assert (answer.status, answer.json["success"]) == (404, False)
    answer = ask(served, "PUT", "/jobs")
    assert answer.status == 405
    assert answer.headers["allow"] == "GET, HEAD, POST"


def test_a_body_must_be_declared_as_json_and_have_a_bound(served: Any) -> None:
    answer = ask(served, "POST", "/jobs", json.dumps(SPEC).encode(), kind="x-www-form-urlencoded")
    assert answer.status == 415
    assert "application/json" in answer.json["error"]
    assert ask(served, "POST", "/jobs", b"[" + b" " * (64 << 20)).status == 413


@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    body=st.binary(max_size=200)
    | st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(st.text() | st.sampled_from(["solver", "priority", "options"]), inner)
        ),
        max_leaves=8,
    ).map(lambda value: json.dumps(value).encode())
    | st.sampled_from([b"[" * 100_000, b'{"solver":' * 50_000, b'{"solver":"\\ud800"}', b"\xff"]),
    target=st.sampled_from(
        ["/jobs", "/jobs/1/priority", "/jobs/1/cancel", "/pool/limits", "/system/stop"]
    ),
)
def test_no_body_whatever_is_answered_with_5xx(served: Any, body: bytes, target: str) -> None:
    if not served.manager.records:
        ask(served, "POST", "/jobs", SPEC)
    answer = ask(served, "POST", target, body)
    assert answer.status < 500
    assert answer.json["success"] is (answer.status < 300)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    query=st.text(alphabet="abcstateliminofrx0123456789=&%+-.,\"'[]", max_size=40),
    path=st.sampled_from(["/jobs", "/jobs/1", "/jobs/1/logs", "/jobs/1/wait", "/events", "/queue"]),
)
def test_no_query_whatever_is_answered_with_5xx(served: Any, query: str, path: str) -> None:
    if not served.manager.records:
        ask(served, "POST", "/jobs", SPEC)
        served.do(lambda: served.manager.end(1))
    assert ask(served, "GET", f"{path}?{query}").status < 500


@pytest.mark.skipif(os.name != "posix" or os.getuid() != 0, reason="needs root for another user")
def test_another_user_gets_401(served: Any) -> None:
    served.socket.parent.chmod(0o755)
    served.socket.chmod(0o666)
    program = (
        "import os, socket; os.setuid(65534); s = socket.socket(socket.AF_UNIX);"
        f"s.connect({str(served.socket)!r});"
        "s.sendall(b'GET /jobs HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n');"
        "print(s.recv(65536).decode())"
    )
    told = subprocess.run(
        [sys.executable, "-I", "-c", program], capture_output=True, check=True
    ).stdout.decode()
    assert told.startswith("HTTP/1.1 401")
    assert '"success":false' in told


def test_the_owner_of_a_job_is_the_account_at_the_sockets_other_end(served: Any) -> None:
    import pwd

    ask(served, "POST", "/jobs", SPEC)
    assert ask(served, "GET", "/jobs/1").json["owner"] == pwd.getpwuid(os.getuid()).pw_name


def test_a_change_of_nothing_is_refused_and_one_of_an_ended_job_is_not(served: Any) -> None:
    ask(served, "POST", "/jobs", SPEC | {"note": "old"})
    served.do(lambda: served.manager.end(1))
    answer = ask(served, "PATCH", "/jobs/1", {})
    assert (answer.status, answer.json["kind"]) == (400, "invalid_request")
    assert "give `tags`, `add_tags`, `remove_tags` or `note`" in answer.json["error"]
    answer = ask(served, "PATCH", "/jobs/1", {"tags": ["a"]})
    assert (answer.status, answer.json["job"]["tags"], answer.json["job"]["note"]) == (
        200, ["a"], "old",
    )  # fmt: skip
    assert ask(served, "PATCH", "/jobs/1", {"tags": "a"}).status == 400


def test_tags_are_added_and_removed_in_one_step(served: Any) -> None:
    ask(served, "POST", "/jobs", SPEC | {"tags": ["a", "b"]})
    change = {"add_tags": ["c", "a", "c"], "remove_tags": ["b", "never"]}
    assert ask(served, "PATCH", "/jobs/1", change).json["job"]["tags"] == ["a", "c"]
    for wrong, told in (
        ({"tags": ["a"], "add_tags": ["b"]}, "not both"),
        ({"add_tags": ["b"], "remove_tags": ["b"]}, "both name 'b'"),
        ({"add_tags": []}, "give `tags`"),
        ({"add_tags": "b"}, "add_tags"),
    ):
        answer = ask(served, "PATCH", "/jobs/1", wrong)
        assert (answer.status, answer.json["kind"]) == (400, "invalid_request")
        assert told in str(answer.json)
    assert ask(served, "GET", "/jobs/1").json["tags"] == ["a", "c"]


def test_tags_with_control_characters_are_refused_but_taken_away(served: Any) -> None:
    bad = "a\x1b[2J"
    answer = ask(served, "POST", "/jobs", [SPEC, SPEC | {"tags": ["ok", bad]}])
    assert (answer.status, answer.json["kind"]) == (400, "invalid_job")
    assert answer.json["error"].startswith("job 2 of 2: the tag 'a\\x1b[2J' has control")
    assert ask(served, "POST", "/jobs/preview", SPEC | {"tags": ["a\nb"]}).status == 400
    everywhere = ["grün ✓", "試作\u3000二号", "essai\u00a0: 3", "نمی\u200cشود", "👩\u200d🔬"]
    assert ask(served, "POST", "/jobs", SPEC | {"tags": everywhere}).status == 201
    changed = ask(served, "PATCH", "/jobs/1", {"tags": everywhere})
    assert changed.json["job"]["tags"] == everywhere
    for steering in ("\x9b1A", "a\u2028b", "a\u2029b", "a\u202eb", "a\u2067b"):
        assert ask(served, "PATCH", "/jobs/1", {"add_tags": [steering]}).status == 400
    for change in ({"tags": [bad]}, {"add_tags": [bad]}):
        answer = ask(served, "PATCH", "/jobs/1", change)
        assert answer.status == 400
        assert "control characters" in answer.json["error"]
    assert ask(served, "PATCH", "/jobs/1", {"remove_tags": [bad]}).status == 200
