"""Both clients, against the real REST of a manager that only remembers."""

import asyncio
import json
import socket
import threading
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from solveyard.backends.here import LocalWorkspace
from solveyard.backends.workspace import Page
from solveyard.client import calls, find, replies
from solveyard.client.aio import AsyncClient
from solveyard.client.output import Place
from solveyard.client.replies import LogPart
from solveyard.client.sync import Client
from solveyard.model.errors import (
    Conflict,
    InvalidJob,
    InvalidRequest,
    ManagerUnavailable,
    NotAllowed,
    StoreFull,
    UnknownJob,
)
from solveyard.model.jobs import JobSpec, JobState
from solveyard.places import StorePlaces

SPEC = JobSpec(solver="command", options=msgspec.Raw(b'{"argv":["true"]}'))


class Blocking:
    """An AsyncClient that is used as the other one is."""

    def __init__(self, where: Any, **options: Any) -> None:
        self._where, self._options = where, options

    def __getattr__(self, name: str) -> Callable[..., Any]:
        async def ask(*args: Any, **options: Any) -> Any:
            async with AsyncClient(self._where, **self._options) as client:
                method = getattr(client, name)
                if name == "follow_log":
                    return [piece async for piece in method(*args, **options)]
                return await method(*args, **options)

        return lambda *args, **options: asyncio.run(ask(*args, **options))


@pytest.fixture(params=["sync", "aio"])
def client(request: pytest.FixtureRequest, served: Any) -> Any:
    if request.param == "aio":
        yield Blocking(served.folder)
        return
    with Client(served.folder) as one:
        yield one


def named(name: str) -> JobSpec:
    return msgspec.structs.replace(SPEC, name=name)


def test_a_job_is_submitted_found_and_listed(client: Any) -> None:
    first = client.submit(named("a b"))
    client.submit_many([SPEC, SPEC])
    assert (first.id, first.number, first.state) == ("a b", 1, JobState.QUEUED)
    assert client.job("a b") == client.job(1) == first
    page = client.jobs(limit=2)
    assert ([job.number for job in page.jobs], page.total) == ([3, 2], 3)
    assert [job.number for job in client.jobs(limit=2, cursor=page.cursor).jobs] == [1]
    assert [job.number for job in client.jobs(limit=None).jobs] == [3, 2, 1]
    assert client.jobs(states=[JobState.HELD]).jobs == []
    assert client.queue()["queued"] == 3
    assert [event["number"] for event in client.events(after=1)] == [2, 3]


def test_what_is_asked_is_answered_with_the_new_record(client: Any, served: Any) -> None:
    client.submit(SPEC)
    assert client.hold(1).state is JobState.HELD
    assert client.release(1).state is JobState.QUEUED
    assert client.set_priority(1, -7).priority == -7
    assert client.annotate(1, tags=["a", "b"]).tags == ("a", "b")
    noted = client.annotate(1, note="as measured")
    assert (noted.note, noted.tags) == ("as measured", ("a", "b"))
    assert client.annotate(1, add_tags=["b", "c"], remove_tags=["a", "x"]).tags == ("b", "c")
    assert client.annotate(1, tags=[], note="").tags == ()
    assert client.cancel(1, 2.5).state is JobState.CANCELLED
    assert served.manager.requests[-1].grace == 2.5
    assert client.retry(1).state is JobState.QUEUED
    client.cancel(1)
    client.remove(1)
    assert client.set_limits(max_concurrent=3)["max_concurrent"] == 3
    held = client.set_limits(min_memory_gb=2.5)
    assert held == client.limits()
    assert held == {
        "max_concurrent": 3, "max_cpu_percent": None, "min_memory_gb": 2.5, "min_disk_gb": None
    }  # fmt: skip
    with pytest.raises(InvalidRequest, match="min_disk_gb"):
        client.set_limits(max_concurrent=9, min_disk_gb=-1)
    with pytest.raises(InvalidRequest, match="self"):
        client.set_limits(self=5)
    assert client.limits() == held
    assert client.jobs().jobs == []
    assert client.status()["blocked"] == ""
    assert client.stop("drain") == {"success": True, "how": "drain", "running": 0}


def test_refusals_come_back_as_the_models_errors(client: Any, served: Any) -> None:
    with pytest.raises(UnknownJob, match="7"):
        client.job(7)
    with pytest.raises(UnknownJob, match="no name is so long"):
        client.cancel("a" * 100_000)
    with pytest.raises(InvalidJob, match="no solver"):
        client.submit(JobSpec(solver="nothing"))
    client.submit(SPEC)
    with pytest.raises(Conflict, match="queued"):
        client.release(1)
    with pytest.raises(InvalidRequest, match="no file"):
        client.read_file(1, "nothing")
    served.manager.blocked = "no space"
    with pytest.raises(StoreFull, match="no space"):
        client.submit(SPEC)


def test_waiting_ends_with_the_jobs_or_with_the_time(client: Any, served: Any) -> None:
    client.submit_many([SPEC, SPEC])
    assert client.wait([1, 2], timeout=0.01) is False
    served.later(0.05, lambda: served.manager.end(2), lambda: served.manager.end(1))
    assert client.wait([1, 2], timeout=20) is True
    assert client.wait([]) is True


@pytest.mark.parametrize(
    "timeout", [Fraction(1, 100), np.float32(0.01), np.float64(0.01), np.int64(0), -np.inf]
)
def test_a_wait_may_last_any_kind_of_number_of_seconds(
    client: Any, served: Any, timeout: Any
) -> None:
    client.submit(SPEC)
    assert client.wait([1], timeout=timeout) is False


@pytest.mark.parametrize("timeout", [float("nan"), np.float32("nan"), "5", True, 1j, 10**400])
def test_a_wait_of_no_number_of_seconds_is_refused(client: Any, served: Any, timeout: Any) -> None:
    client.submit(SPEC)
    with pytest.raises(InvalidRequest, match="`timeout` must be a number of seconds"):
        client.wait([1], timeout=timeout)


@pytest.mark.parametrize("number", [np.int64, np.float32, np.float64, Fraction])
def test_numbers_may_be_of_any_kind(client: Any, served: Any, number: Any) -> None:
    client.submit(msgspec.structs.replace(SPEC, time_limit=number(7)))
    assert served.manager.jobs()[1].spec.time_limit == 7
    assert client.set_limits(min_memory_gb=number(2))["min_memory_gb"] == 2
    asked = calls.prune({"max_age": number(5)}, dry_run=True)
    assert json.loads(asked.body or b"") == {"max_age": 5, "dry_run": True}
    assert client.log(np.int64(1), wait=number(0), offset=np.int64(0)).content == b""
    assert client.set_priority(1, np.int64(5)).priority == 5
    client.cancel(1, number(3))
    assert served.manager.requests[-1].grace == 3


@pytest.mark.parametrize("number", [float("nan"), np.float32("inf"), 1j])
def test_what_json_has_no_number_for_is_refused_and_changes_nothing(
    client: Any, number: Any
) -> None:
    before = client.limits()
    with pytest.raises(InvalidRequest, match="sent as JSON"):
        client.set_limits(max_cpu_percent=number)
    with pytest.raises(InvalidRequest, match="`wait` must be a number of seconds"):
        client.log(1, wait=number)
    assert client.limits() == before


def test_one_text_is_taken_for_one_where_several_may_be(client: Any, served: Any) -> None:
    client.submit(named("trunc"))
    assert client.annotate(1, tags="urgent").tags == ("urgent",)
    assert client.annotate(1, add_tags="late").tags == ("urgent", "late")
    assert client.annotate(1, remove_tags="urgent").tags == ("late",)
    assert [job.number for job in client.jobs(states=JobState.QUEUED).jobs] == [1]
    assert client.wait("trunc", timeout=0) is client.wait(np.int64(1), timeout=0) is False
    served.manager.end(1)
    assert client.wait("trunc") is client.wait(1) is True


def test_a_url_may_stand_where_a_folder_may(served: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOLVEYARD_TOKEN", "said")
    assert find.locator("http://h:1/base")() == find.address("http://h:1/base", "said")
    socket = find.running(served.folder).socket
    with Client(f"unix:{socket}") as client:
        assert client.jobs().jobs == []


def test_a_stores_folder_may_be_a_text(served: Any) -> None:
    with Client(str(served.folder)) as client:
        assert client.jobs().jobs == []
    assert Blocking(str(served.folder)).jobs().jobs == []


def test_output_is_followed_until_the_job_has_ended(client: Any, served: Any) -> None:
    client.submit(SPEC)
    served.later(0.05, lambda: served.manager.start(1))
    served.later(0.15, lambda: served.manager.write(1, b"one\n"))
    served.later(0.35, lambda: served.manager.write(1, b"two\n"), lambda: served.manager.end(1))
    assert b"".join(client.follow_log(1)) == b"one\ntwo\n"


def test_output_is_followed_from_attempt_to_attempt(client: Any, served: Any) -> None:
    manager = served.manager
    client.submit(SPEC)
    served.do(lambda: manager.start(1), lambda: manager.again(1, withdrawn=True))
    served.later(0.1, lambda: manager.start(1), lambda: manager.again(1, withdrawn=True))
    served.later(0.2, lambda: manager.start(1), lambda: manager.write(1, b"one\n"))
    served.later(0.3, lambda: manager.again(1))
    served.later(0.7, lambda: manager.start(1), lambda: manager.write(1, b"two\n"))
    served.later(0.8, lambda: manager.end(1))
    assert b"".join(client.follow_log(1)) == b"one\ntwo\n"


def test_output_is_followed_from_the_attempt_that_is_asked_for(client: Any, served: Any) -> None:
    manager = served.manager
    client.submit(SPEC)
    served.do(lambda: manager.start(1), lambda: manager.write(1, b"one\n"))
    served.do(lambda: manager.again(1), lambda: manager.start(1))
    served.do(lambda: manager.write(1, b"two\n"), lambda: manager.end(1))
    assert b"".join(client.follow_log(1)) == b"two\n"
    assert b"".join(client.follow_log(1, attempt=1)) == b"one\ntwo\n"
    assert b"".join(client.follow_log(1, attempt=1, only=True)) == b"one\n"


def test_who_follows_begins_anew_with_output_that_was_cut_and_not_where_nothing_ever_was() -> None:
    place = Place(1 << 40)
    assert place.read(LogPart(b"", 1 << 40, 9, 1, False)) == b""
    assert (place.offset, place.attempt) == (1 << 40, 1)
    place = Place(0)
    assert place.read(LogPart(b"x" * 9, 9, 9, 1, False)) == b"x" * 9
    assert place.read(LogPart(b"", 9, 4, 1, True)) is None
    assert place.offset == 0
    assert place.read(LogPart(b"anew", 4, 4, 1, True)) == b"anew"
    assert place.offset == 4


def test_files_are_listed_and_read(client: Any, served: Any, tmp_path: Path) -> None:
    content = bytes(range(256)) * 9000
    (tmp_path / "r #1.bin").write_bytes(content)
    spec = msgspec.structs.replace(SPEC, directory=str(tmp_path))
    client.submit(spec)
    assert (("r #1.bin", len(content))) in [(one.path, one.size) for one in client.files(1)]
    found = client.read_file(1, "r #1.bin")
    assert (found if isinstance(found, bytes) else b"".join(found)) == content


def test_all_files_are_listed_however_many_and_what_could_not_be_looked_at_is_said(
    client: Any, served: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(10_001):
        (tmp_path / f"{number:05}").touch()
    client.submit(msgspec.structs.replace(SPEC, directory=str(tmp_path)))
    paths = [one.path for one in client.files(1) if one.path.isdecimal()]
    assert paths == [f"{number:05}" for number in range(10_001)]
    page = client.file_page(1)
    assert (len(page.files), page.total >= 10_001, page.unread) == (10_000, True, "")

    unread = Page([], 0, "", "é\udcff/x: Permission denied")
    monkeypatch.setattr(LocalWorkspace, "page", lambda *_: unread)
    assert client.file_page(1) == ([], 0, None, "é%FF/x: Permission denied")


@pytest.mark.parametrize("kind", [Client, Blocking])
def test_no_manager_is_said_with_the_way_out(kind: Any, tmp_path: Path) -> None:
    with pytest.raises(ManagerUnavailable, match=f"solveyard --store {tmp_path} serve"):
        kind(tmp_path).queue()
    told = {"url": f"unix:{tmp_path / 'gone'}", "pid": 2**22 + 1}
    StorePlaces(tmp_path).manager_json.write_text(json.dumps(told))
    with pytest.raises(ManagerUnavailable, match="solveyard serve"):
        kind(tmp_path).queue()
    with pytest.raises(ManagerUnavailable, match="solveyard serve"):
        kind(tmp_path).submit(SPEC)


async def test_a_closed_client_is_asked_nothing(served: Any) -> None:
    async with AsyncClient(served.folder) as client:
        await client.queue()
    with pytest.raises(InvalidRequest, match="this client is closed"):
        await client.queue()


class Dropping:
    """Takes requests and hangs up without an answer, `times` times; then answers as told."""

    def __init__(self, path: Path, times: int) -> None:
        self.requests: list[bytes] = []
        self.keys: list[str] = []
        self._times = times
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(str(path))
        self._socket.listen()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(10)

    def _run(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection:
                lines = self._request(connection)
                self.requests.append(lines[0].encode())
                key = [line for line in lines if line.lower().startswith("idempotency-key:")]
                self.keys.append(key[0].partition(": ")[2] if key else "")
                if len(self.requests) > self._times:
                    connection.sendall(
                        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                        b"Content-Length: 2\r\nConnection: close\r\n\r\n{}"
                    )

    def _request(self, connection: socket.socket) -> list[str]:
        """The lines of its head; its body has been read, too."""
        with connection.makefile("rb") as file:
            lines = [line.decode().rstrip() for line in iter(file.readline, b"\r\n")]
            name = "content-length: "
            lengths = [int(one[16:]) for one in lines if one.lower().startswith(name)]
            file.read(sum(lengths))
        return lines


@pytest.fixture
def dropping(tmp_path: Path) -> Any:
    made: list[Dropping] = []

    def make(times: int) -> find.Address:
        path = tmp_path / f"s{len(made)}"
        made.append(Dropping(path, times))
        return find.address(f"unix:{path}")

    make.made = made  # type: ignore[attr-defined]  # what the test looks at
    yield make
    for one in made:
        one.close()


@pytest.mark.parametrize("kind", [Client, Blocking])
def test_a_question_without_an_answer_is_asked_again(kind: Any, dropping: Any) -> None:
    assert kind(dropping(2)).queue() == {}
    assert dropping.made[0].requests == [b"GET /queue HTTP/1.1"] * 3


@pytest.mark.parametrize("kind", [Client, Blocking])
def test_a_question_is_not_asked_for_ever(kind: Any, dropping: Any) -> None:
    with pytest.raises(ManagerUnavailable, match="went away"):
        kind(dropping(99), patience=0.4).queue()
    # Pauses of 0.05, 0.1 and 0.2 s. aiohttp sends what changes nothing once again by itself.
    assert len(dropping.made[0].requests) in {4, 8}


@pytest.mark.parametrize("kind", [Client, Blocking])
def test_what_changes_something_is_sent_again_with_the_key_it_had(kind: Any, dropping: Any) -> None:
    kind(dropping(2)).set_limits(max_concurrent=3)
    assert dropping.made[0].requests == [b"POST /pool/limits HTTP/1.1"] * 3
    with pytest.raises(ManagerUnavailable, match=r"with key='mine' gives them") as caught:
        kind(dropping(99), patience=0.2).submit(SPEC, key="mine")
    assert "solveyard ps --all" in str(caught.value)
    assert dropping.made[1].keys == ["mine"] * 3
    for act, job, told in (
        ("cancel", "plate", "plate"),
        ("hold", 7, "'#7'"),
        ("release", "#7", "'#7'"),
        ("retry", "a b", "'a b'"),
        ("annotate", 7, "'#7'"),
    ):
        with pytest.raises(ManagerUnavailable, match=rf"is not known \(look: .* show {told}\)$"):
            getattr(kind(dropping(99), patience=0.2), act)(job)
    made = [one.keys for one in dropping.made[2:]]
    assert [len(set(keys)) for keys in made] == [1] * 5
    assert len({keys[0] for keys in made} - {""}) == 5


@pytest.mark.parametrize("kind", [Client, Blocking])
def test_a_stop_is_never_sent_twice(kind: Any, dropping: Any) -> None:
    with pytest.raises(ManagerUnavailable, match="whether it stops is not known"):
        kind(dropping(9)).stop()
    assert dropping.made[0].requests == [b"POST /system/stop HTTP/1.1"]


@pytest.mark.parametrize("key", ["x" * 256, "a\nb", "ä"])
def test_a_key_that_no_header_can_carry_is_refused(key: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="printable"):
        Client(tmp_path).submit(SPEC, key=key)


def test_a_manager_that_was_restarted_elsewhere_is_found_again(served: Any) -> None:
    with Client(served.folder) as client:
        client.submit(SPEC)
        place = StorePlaces(served.folder).manager_json
        told = json.loads(place.read_text())
        moved = served.socket.with_name("t")
        served.socket.rename(moved)
        place.write_text(json.dumps(told | {"url": f"unix:{moved}"}))
        client.close()
        assert client.submit(SPEC).number == 2


def test_an_address_is_read_from_what_a_manager_leaves(tmp_path: Path) -> None:
    place = StorePlaces(tmp_path).manager_json
    assert find.manager(tmp_path) is None
    told = {"url": "http://[::1]:8080", "token": "t", "pid": 7, "agent_pid": 8, "spawner_pids": [9]}
    place.write_text(json.dumps(told))
    assert find.manager(tmp_path) == find.Address("", "::1", 8080, "t", 7, 8, (9,))
    for wrong in ('{"url":"ftp://x"}', "{}", "[]", "no json", '{"url": 3}', '{"url":"http://"}'):
        place.write_text(wrong)
        with pytest.raises(ManagerUnavailable):
            find.manager(tmp_path)


def test_what_answers_nonsense_is_no_manager() -> None:
    for body in (b"<html>", b"[]", b"{}"):
        with pytest.raises(ManagerUnavailable, match="502"):
            replies.checked(replies.Reply(502, {}, body))


def test_a_url_may_have_a_path_and_leave_out_its_port() -> None:
    found = find.address("https://host/solveyard/", "t")
    assert (found.host, found.port, found.secure, found.base) == ("host", 443, True, "/solveyard")
    assert found.url == "https://host:443/solveyard"
    assert find.address("http://[::1]").url == "http://[::1]:80"
    wrongs = ["host:80", "ftp://x", "http://", "http://a:b", "http://u:p@h", "http://h/?q", ""]
    for wrong in [*wrongs, "http://a..b", f"http://{'x' * 70}"]:
        with pytest.raises(InvalidRequest, match="no manager's address"):
            find.address(wrong)


def test_url_and_token_come_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "token"
    file.write_text("of-the-file\n")
    monkeypatch.setenv("SOLVEYARD_TOKEN_FILE", str(file))
    with pytest.raises(NotAllowed, match="chmod 600"):
        find.remote("http://h:1")
    file.chmod(0o600)
    monkeypatch.setenv("SOLVEYARD_URL", "http://h:1")
    assert find.locator(None)() == find.address("http://h:1", "of-the-file")
    monkeypatch.setenv("SOLVEYARD_TOKEN", "said")
    assert find.locator(None)().token == "said"
    assert find.remote("http://h:1", "given").token == "given"
    monkeypatch.setenv("SOLVEYARD_TOKEN", "")
    file.unlink()
    with pytest.raises(NotAllowed, match="cannot read the token"):
        find.remote("http://h:1")


def test_the_page_of_a_job_that_a_notice_tells_is_no_managers_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOLVEYARD_HOME", str(tmp_path))
    for name in ("SOLVEYARD_URL", "SOLVEYARD_PAGE"):
        monkeypatch.setenv(name, "http://h/#/jobs/7")
    assert find.elsewhere() == ""
    monkeypatch.setenv("SOLVEYARD_URL", "http://another:1")  # set by the notice's command
    assert find.locator(None)().host == "another"


@pytest.mark.parametrize(
    "ask",
    [
        lambda c: c.job("a\udcff"),
        lambda c: c.jobs(name="a\udcff"),
        lambda c: c.files("a\udcff"),
        lambda c: c.submit(named("a\udcff")),
        lambda c: c.preview(named("a\udcff")),
        lambda c: c.cancel("a\udcff"),
        lambda c: c.notices("a\udcff"),
    ],
)
def test_text_that_is_not_utf_8_is_refused_by_name(client: Any, ask: Callable[[Any], Any]) -> None:
    with pytest.raises(InvalidRequest, match=r"'a%FF' isn't UTF-8"):
        ask(client)


def test_a_token_loses_blanks_at_its_ends_and_is_else_refused_without_being_told() -> None:
    assert find.address("http://h:1", " tok\n").token == "tok"
    for token in ("hunter\n2", "hunterü", "hunter\0", "hunter\udcff"):
        with pytest.raises(InvalidRequest, match="no token") as told:
            Client.at("http://h:1", token)
        assert "hunter" not in str(told.value)
