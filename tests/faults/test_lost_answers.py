"""Answers that never come: the request had passed, the answer was swallowed, cut, or its writer
was killed. No job is lost, none is there twice, and a retry is one retry.
"""

import asyncio
import os
import random
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import msgspec
import pytest

from solveyard import Yard
from solveyard.client import calls
from solveyard.client.aio import AsyncClient
from solveyard.client.sync import Client
from solveyard.model.errors import ManagerUnavailable
from solveyard.model.jobs import JobSpec
from solveyard.pyedb.job_submission import HFSSSimulationConfig
from solveyard.pyedb.service import submit_job_to_manager
from solveyard.tokens import Tokens
from standin import install, project

SPEC = JobSpec(solver="command", options=msgspec.Raw(b'{"argv":["true"]}'))
SWALLOW = 0  #: bytes of an answer that pass


class Cutting:
    """A proxy in front of a manager. Of the next answers it lets so many bytes pass, and cuts."""

    def __init__(self, url: str) -> None:
        where = urlsplit(url)
        self._target = (where.hostname, where.port)
        self.cuts: list[int] = []
        self.cut = 0  #: answers
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(30)

    def _run(self) -> None:
        while True:
            try:
                here, _ = self._listener.accept()
            except OSError:
                return
            with here, socket.create_connection(self._target) as there:
                self._pass(here, there)

    def _pass(self, here: socket.socket, there: socket.socket) -> None:
        """One request, and its answer; the connection is closed after it."""
        request = _message(here)
        if not request:
            return
        there.sendall(request.replace(b"\r\n", b"\r\nConnection: close\r\n", 1))
        answer = b""
        while piece := there.recv(65536):
            answer += piece
        if self.cuts and not request.startswith(b"GET"):
            answer = answer[: self.cuts.pop(0)]
            self.cut += 1
        here.sendall(answer)


def _message(link: socket.socket) -> bytes:
    found = b""
    while b"\r\n\r\n" not in found:
        piece = link.recv(65536)
        if not piece:
            return b""  # somebody only looked whether we are here
        found += piece
    length = re.search(rb"(?i)content-length: (\d+)", found)
    whole = found.index(b"\r\n\r\n") + 4 + (int(length[1]) if length else 0)
    while len(found) < whole:
        found += link.recv(65536)
    return found


@pytest.fixture
def proxied(service: Any) -> Iterator[tuple[Any, Cutting]]:
    running = service("--allow", "command").start()
    proxy = Cutting(running.told["url"])
    yield running, proxy
    proxy.close()


def ask(kind: str, where: Any, work: Callable[[Any], Any]) -> Any:
    """What `work` asks a client of that kind."""
    if kind == "sync":
        with Client(where) as client:
            return work(client)

    async def awaited() -> Any:
        async with AsyncClient(where) as client:
            return await work(client)

    return asyncio.run(awaited())


def numbers(running: Any) -> list[int]:
    return sorted(record.number for record in running.client.jobs(limit=None).jobs)


@pytest.mark.parametrize("kind", ["sync", "aio"])
def test_swallowed_and_cut_answers_neither_lose_a_job_nor_double_it(
    kind: str, proxied: tuple[Any, Cutting]
) -> None:
    running, proxy = proxied
    token = Tokens(running.store).create("test")
    where = Client.at(proxy.url, token)._find()
    for cuts in ([SWALLOW], [SWALLOW, 40], [60, SWALLOW, 12]):
        proxy.cuts = list(cuts)
        one = ask(kind, where, lambda client: client.submit(SPEC))
        proxy.cuts = list(cuts)
        many = ask(kind, where, lambda client: client.submit_many([SPEC] * 20))
        assert running.client.wait([one.number, *(job.number for job in many)], 60)
        proxy.cuts = list(cuts)
        job = one.number
        ask(kind, where, lambda client, job=job: client.retry(job))
        assert running.client.wait([job], 60)
        assert len(running.client.job(job).attempts) == 2
        proxy.cuts = list(cuts)
        ask(kind, where, lambda client, job=job: client.remove(job))
    assert proxy.cut == 6 * 4
    assert len(numbers(running)) == 3 * 20
    assert running.client.submit(SPEC).number == 3 * 21 + 1  # none was taken and lost


def test_what_pyedbs_helper_sent_and_heard_nothing_of_is_looked_up_and_not_solved_here(
    service: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = str(install(tmp_path / "ansys_inc").parent)
    monkeypatch.setenv("ANSYSEM_ROOT252", root)
    running = service(environment={"ANSYSEM_ROOT252": root}).start()
    proxy = Cutting(running.told["url"])
    try:
        for jobid, cuts in (("a", [SWALLOW]), ("b", [20, SWALLOW])):
            proxy.cuts = cuts
            board = project(tmp_path, name=f"{jobid}.aedt")
            config = HFSSSimulationConfig(project_path=str(board), jobid=jobid)
            assert asyncio.run(submit_job_to_manager(config, 0, proxy.url)) == jobid
            assert running.client.wait([jobid], 60)
            assert running.client.job(jobid).state == "completed"
            assert board.with_suffix(".aedt.batchinfo").joinpath(f"{jobid}-{jobid}.log").is_file()
    finally:
        proxy.close()
    assert proxy.cut == 3
    assert [len(job.attempts) for job in running.client.jobs().jobs] == [1, 1]


def test_without_its_key_the_same_request_makes_two_jobs(
    proxied: tuple[Any, Cutting], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The proxy's cuts do what they are for: it is the key that keeps the promise."""
    running, proxy = proxied
    monkeypatch.setattr(calls.Call, "headers", _without_key(calls.Call.headers))
    proxy.cuts = [SWALLOW]
    ask("sync", Client.at(proxy.url, Tokens(running.store).create("test"))._find(),
        lambda client: client.submit(SPEC))  # fmt: skip
    assert numbers(running) == [1, 2]


def _without_key(headers: Any) -> Any:
    return lambda call, token: headers(call._replace(key=""), token)


@pytest.mark.parametrize("kind", ["sync", "aio"])
def test_a_manager_killed_at_any_moment_and_replaced_takes_each_job_once(
    kind: str, service: Any, until: Any
) -> None:
    running = service("--allow", "command").start()
    old = running.client.submit(SPEC).number
    assert running.client.wait([old], 60)
    taken: list[int] = []
    rounds = 3

    def submitted(count: int) -> list[int]:
        """Where no manager is there at all, nothing was sent; the key makes it safe anyway."""
        key = str(uuid4())
        while True:
            try:
                jobs = ask(kind, running.store, lambda c: c.submit_many([SPEC] * count, key=key))
            except ManagerUnavailable:
                continue
            return [job.number for job in jobs]

    def submitting() -> None:
        for _ in range(rounds * 3):
            taken.extend(submitted(1))
            taken.extend(submitted(5))

    thread = threading.Thread(target=submitting)
    thread.start()
    chance = random.Random(7)
    for turn in range(rounds):
        wanted = min(len(taken) + chance.randrange(1, 9), rounds * 18)
        until(lambda wanted=wanted: len(taken) >= wanted, f"jobs were taken in turn {turn}")
        running.kill()
        running.start()  # at another port
    thread.join(120)
    assert len(taken) == len(set(taken)) == rounds * 18
    assert numbers(running) == sorted([old, *taken])
    assert running.client.wait(taken, 120)
    jobs = running.client.jobs(limit=None).jobs
    ran = [[attempt for attempt in job.attempts if not attempt.withdrawn] for job in jobs]
    assert [attempts for attempts in ran if len(attempts) != 1] == []


def test_a_retry_whose_manager_was_killed_before_it_answered_is_one_retry(service: Any) -> None:
    running = service().start()
    job = running.client.submit(SPEC).number
    assert running.client.wait([job], 60)
    running.client.retry(job, key="mine")
    running.kill()  # as if the answer had not come
    running.start()
    assert running.client.wait([job], 60)
    assert running.client.retry(job, key="mine").number == job
    assert len(running.client.job(job).attempts) == 2
    running.client.retry(job, key="another")
    assert running.client.wait([job], 60)
    assert len(running.client.job(job).attempts) == 3


@pytest.mark.parametrize("replaced", [True, False])
def test_a_yard_goes_on_waiting_when_its_manager_is_killed(
    replaced: bool, service: Any, tmp_path: Path
) -> None:
    """By another manager, or, where there is none, by becoming it."""
    running = service("--cores", "1").start()
    gate = tmp_path / "gate"
    argv = ["sh", "-c", f"while [ ! -e {gate} ]; do sleep 0.05; done"]
    with Yard(running.store, cores=1) as yard:
        job = yard.command(argv)
        ended: list[bool] = []
        thread = threading.Thread(target=lambda: ended.append(yard.wait([job], 60)))
        thread.start()
        running.kill()
        if replaced:
            other = subprocess.Popen(
                [sys.executable, "-m", "solveyard.cli", "--store", str(running.store), "serve",
                 "--port", "0"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip
        gate.touch()
        thread.join(90)
        assert ended == [True]
        assert job.refresh().state == "completed"
        if replaced:
            other.send_signal(signal.SIGTERM)
            other.wait(60)


def test_the_command_line_and_a_yard_reach_a_manager_by_its_url(service: Any) -> None:
    running = service("--allow", "command", "--project-root", str(Path.cwd())).start()
    url, token = str(running.told["url"]), Tokens(running.store).create("far")
    environment = {**os.environ, "SOLVEYARD_TOKEN": token, "SOLVEYARD_HOME": "/nonexistent"}

    def line(*words: str, **more: str) -> tuple[int, str, str]:
        done = subprocess.run(
            [sys.executable, "-m", "solveyard.cli", *words],
            env=environment | more, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        return done.returncode, done.stdout, done.stderr

    with Yard(url=url, token=token) as yard:
        assert yard.command(["echo", "far"], name="far").wait(60).owner == "token:far"
        assert yard.job("far").output() == "far\n"
    assert "far" in line("--url", url, "ps", "--all")[1]
    assert "far" in line("ps", "--all", SOLVEYARD_URL=url)[1]
    assert line("--url", url, "submit", "--wait", "--", "true")[0] == 0
    status, _, told = line("--url", url, "ps", SOLVEYARD_TOKEN="wrong")
    assert (status, "token" in told) == (4, True)
    status, _, told = line("--url", "http://127.0.0.1:1", "ps")
    assert (status, "no manager answers at http://127.0.0.1:1" in told) == (3, True)
    status, _, told = line("--url", url, "stop")
    assert (status, "leave out --url" in told) == (2, True)
    assert line("--url", "nowhere", "ps")[0] == 2
