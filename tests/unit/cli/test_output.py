"""What `logs`, `run` and a YardJob show of a job's output."""

from collections.abc import Callable
from typing import Any

import pytest

from solveyard import Yard
from solveyard.cli import main, submitting
from solveyard.client.replies import LogPart
from solveyard.client.sync import Client
from solveyard.model.jobs import JobId
from solveyard.model.messages import Retry

Said = Callable[..., tuple[int, str, str]]


@pytest.fixture
def said(served: Any, capfd: pytest.CaptureFixture[str]) -> Said:
    """Status, output and error of a command on the fake manager's store."""

    def command(*arguments: str) -> tuple[int, str, str]:
        capfd.readouterr()
        status = main(["--store", str(served.folder), *arguments])
        return status, *capfd.readouterr()

    return command


def two_tries(served: Any, number: int) -> None:
    """Of which the second is over, too."""
    manager = served.manager
    served.do(lambda: manager.start(number), lambda: manager.write(number, b"one\n1\n"))
    served.do(lambda: manager.again(number), lambda: manager.start(number))
    served.do(lambda: manager.write(number, b"two\n2\n"), lambda: manager.end(number, code=1))


def test_a_log_is_shown_as_far_as_it_was_though_its_job_writes_on(
    said: Said, served: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    said("submit", "--", "true")
    served.do(lambda: served.manager.start(1), lambda: served.manager.write(1, b"one\n"))
    log, more = Client.log, iter([b"more\n"] * 9)

    def growing(client: Client, *asked: Any, **how: Any) -> LogPart:
        part = log(client, *asked, **how)
        served.do(lambda: served.manager.write(1, next(more, b"")))
        return part

    monkeypatch.setattr(Client, "log", growing)
    assert said("logs", "1")[:2] == (0, "one\n")
    with Yard(served.folder) as yard:
        assert yard.job(1).output() == "one\nmore\n"


def test_one_attempt_is_followed_until_it_has_ended(said: Said, served: Any) -> None:
    said("submit", "--", "true")
    two_tries(served, 1)
    assert said("logs", "-f", "--attempt", "1", "1")[:2] == (0, "one\n1\n")
    assert said("logs", "-f", "--attempt", "1", "--tail", "1", "1")[1] == "1\n"
    served.run(served.manager.request(Retry(job=JobId(1), by="me")))
    manager = served.manager
    served.do(lambda: manager.start(1), lambda: manager.write(1, b"three\n"))
    served.later(0.1, lambda: manager.write(1, b"3\n"), lambda: manager.again(1))
    assert said("logs", "-f", "--attempt", "3", "1")[:2] == (0, "three\n3\n")
    status, _, told = said("logs", "--attempt", "4", "1")
    assert (status, told) == (2, "error: job 1 has no attempt 4 (it has 3)\n")


def test_all_tries_of_a_command_that_is_run_are_shown_be_they_over_before_it_is_looked_at(
    said: Said, served: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    submitted = submitting.submitted

    def over(*asked: Any) -> Any:
        [job] = submitted(*asked)
        two_tries(served, job.number)
        return [job]

    monkeypatch.setattr(submitting, "submitted", over)
    assert said("run", "--", "true")[:2] == (1, "one\n1\ntwo\n2\n")


@pytest.mark.parametrize("options", [(), ("-f",), ("--tail", "3"), ("--json",)])
def test_an_array_has_no_output_and_says_so(said: Said, options: tuple[str, ...]) -> None:
    said("submit", "--array", "3-5", "--name", "sweep", "--", "true")
    status, _, told = said("logs", *options, "sweep")
    assert (status, told) == (2, "error: sweep is an array: name one of its tasks\n")
