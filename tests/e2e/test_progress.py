"""How far a running solve is, told everywhere while its log grows; a program plays the log."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from standin.player import player
from watching import listening


class Solve:
    """A running solve that waits before its fourth pass."""

    def __init__(self, service: Callable[..., Any], folder: Path) -> None:
        program = player(folder / "ansys_inc")
        self.project = folder / "board.aedt"
        self.project.write_text("played")
        os.mkfifo(self.project.with_suffix(".go"))
        root = {"ANSYSEM_ROOT252": str(program.parent)}
        self.service = service(environment=root).start()
        self.client = self.service.client

    def submit(self) -> None:
        config = {"config": {"project_path": str(self.project), "jobid": "board-7"}}
        answer = self.ask("POST", "/jobs/submit", json.dumps(config))
        assert answer["success"], answer

    def go_on(self) -> None:
        self.project.with_suffix(".go").write_text("go on")

    def ask(self, method: str, target: str, body: str | None = None) -> Any:
        import http.client
        from urllib.parse import urlsplit

        where = urlsplit(self.service.told["url"])
        wire = http.client.HTTPConnection(where.hostname or "", where.port or 80, timeout=60)
        try:
            wire.request(method, target, body, {"Content-Type": "application/json"})
            return json.loads(wire.getresponse().read())
        finally:
            wire.close()

    def told(self, *words: str) -> str:
        """What the command line answers."""
        done = subprocess.run(
            [sys.executable, "-m", "solveyard.cli", "--store", str(self.service.store), *words],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        return done.stdout


@pytest.fixture
def solve(service: Callable[..., Any], tmp_path: Path) -> Solve:
    return Solve(service, tmp_path)


async def test_pass_and_delta_s_are_told_everywhere_while_it_solves(
    solve: Solve, until: Callable[..., None]
) -> None:
    async with listening(solve.service.told["url"]) as heard:
        assert (await heard.subscribe(rooms=["all"]))["success"]
        solve.submit()
        news: list[Any] = []

        def third() -> bool:
            news[:] = [told for name, told in heard.messages if name == "job_progress"]
            return any(told["progress"]["values"].get("pass") == 3 for told in news)

        await heard.until(third)
    assert (news[-1]["id"], news[-1]["task"]) == ("board-7", None)
    progress = solve.ask("GET", "/jobs/board-7")["progress"]
    assert progress == news[-1]["progress"]
    assert progress["text"] == "pass 3, delta S 0.118302, 15391 tetrahedra"
    assert progress["curve"]["points"] == [[1, None], [2, 0.41207], [3, 0.118302]]
    assert (progress["fraction"], progress["values"]["cores"]) == (None, 8)
    assert "pass 3, delta S 0.118302" in solve.told("ps")
    shown = solve.told("show", "board-7")
    assert "progress    pass 3, delta S 0.118302, 15391 tetrahedra" in shown
    assert "convergence pass 1: Max Mag. Delta S N/A" in shown
    log = solve.ask("GET", "/api/jobs/board-7/log")
    assert [one["delta_s"] for one in log["adaptive"]] == [None, 0.41207, 0.118302]
    assert (log["project"]["name"], log["summary"]["verdict"]) == ("coupler", "unfinished")
    solve.go_on()
    ended = solve.ask("GET", "/jobs/board-7/wait?timeout=60")
    assert (ended["state"], ended["reason"]) == ("completed", "success"), ended["message"]
    assert ended["progress"] is None
    assert solve.ask("GET", "/jobs/board-7")["progress"] is None
    log = solve.ask("GET", "/api/jobs/board-7/log")
    assert (log["summary"]["verdict"], log["sweep"]["frequencies"]) == ("success", 401)


def test_a_manager_that_starts_anew_reads_the_log_from_its_beginning(
    solve: Solve, until: Callable[..., None]
) -> None:
    def told() -> Any:
        return (solve.ask("GET", "/jobs/board-7")["progress"] or {}).get("text", "")

    solve.submit()
    until(lambda: told().startswith("pass 3"), "it is followed")
    solve.service.kill()
    solve.service.start()
    until(lambda: told().startswith("pass 3"), "it is followed again")
    solve.go_on()
    assert solve.ask("GET", "/jobs/board-7/wait?timeout=60")["state"] == "completed"


def test_other_jobs_have_no_batch_log(solve: Solve) -> None:
    wire = {"length": 0.5, "radius": 0.001, "segments": 21}
    options = {"dipole": wire, "frequencies": {"start": 2e8, "stop": 4e8, "points": 3}}
    body = {"solver": "nec", "options": options, "name": "other"}
    assert solve.ask("POST", "/jobs", json.dumps(body))["success"]
    told = solve.ask("GET", "/api/jobs/other/log")
    assert told["success"] is False
    assert "HFSS jobs alone have a batch log" in told["error"]
    assert solve.ask("GET", "/api/jobs/gone/log")["kind"] == "unknown_job"
    assert solve.ask("GET", "/jobs/other/wait?timeout=60")["progress"] is None
