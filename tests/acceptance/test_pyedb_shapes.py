"""What PyEDB 0.65.2's own service answers, ours answers: both are asked, field by field."""

import json
import os
import signal
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from acceptance.test_pyedb_client import BACKEND, pyedb
from conftest import until
from ports import free_port
from standin import install, project

__all__ = ["pyedb"]  # a fixture

NOTES = {"platform", "timestamp", "version"}  #: where and when `to_dict` wrote a configuration
LIMITS = {"max_concurrent_jobs": 2, "max_cpu_percent": 100, "min_memory_gb": 0, "min_disk_gb": 0}


class Service(NamedTuple):
    """One of the two, with a project of its own."""

    url: str
    board: Path
    edt: Path

    def ask(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        data = None if body is None else json.dumps(body).encode()
        asked = urllib.request.Request(
            self.url + path, data, {"Content-Type": "application/json"}, method=method
        )
        try:
            with urllib.request.urlopen(asked, timeout=60) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.loads(error.read())

    def config(self, jobid: str) -> dict[str, Any]:
        return {
            "project_path": str(self.board), "jobid": jobid, "ansys_edt_path": str(self.edt),
            "user": "eve", "scheduler_type": "none", "design_name": "main",
            "design_mode": "Nominal", "setup_name": "Setup1",
        }  # fmt: skip

    def solved(self, jobid: str) -> None:
        def ended() -> bool:
            told = {one["id"]: one["status"] for one in self.ask("GET", "/jobs")[1]}
            return told[jobid] in {"completed", "failed"}

        until(ended, f"{jobid} has ended")


@pytest.fixture
def both(
    pyedb: str,
    tmp_path: Path,
    service: Callable[..., Any],
) -> Iterator[tuple[Service, Service]]:
    """Theirs and ours. On a PATH of its own theirs finds no sinfo, which would make it Slurm's."""
    sides = []
    for name in ("theirs", "ours"):
        place = tmp_path / name
        edt, board = install(place / "ansys_inc"), project(place, name="board.aedb")
        sides.append(Service(f"http://127.0.0.1:{free_port()}", board, edt))
    theirs, ours = sides
    (tmp_path / "bin").mkdir()
    root = {"ANSYSEM_ROOT252": str(theirs.edt.parent), "PATH": str(tmp_path / "bin")}
    port = theirs.url.rpartition(":")[2]
    started = subprocess.Popen(
        [pyedb, "-m", f"{BACKEND}.start_service", "--host", "127.0.0.1", "--port", port],
        env={**os.environ, **root, "PYTHONWARNINGS": "ignore"}, cwd=tmp_path / "theirs",
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip

    def answers() -> bool:
        assert started.poll() is None
        try:
            return theirs.ask("GET", "/queue")[0] == 200
        except OSError:
            return False

    try:
        until(answers, "PyEDB's service answers")
        mine = service(environment={"ANSYSEM_ROOT252": str(ours.edt.parent)}).start()
        yield theirs, ours._replace(url=str(mine.told["url"]))
    finally:
        started.send_signal(signal.SIGINT)
        try:
            started.wait(30)
        except subprocess.TimeoutExpired:
            started.kill()
            started.wait()


def lacking(theirs: Any, ours: Any, place: str) -> list[str]:
    """What of their answer ours has not, or has of another kind; null is of any."""
    if theirs is None or (ours is None and not isinstance(theirs, dict | list)):
        return []
    if isinstance(theirs, dict):
        if not isinstance(ours, dict):
            return [f"{place}: {ours!r}"]
        missing = [f"{place}.{name}" for name in theirs if name not in ours and name not in NOTES]
        return missing + [
            line
            for name, value in theirs.items()
            if name in ours
            for line in lacking(value, ours[name], f"{place}.{name}")
        ]
    if isinstance(theirs, list):
        if not isinstance(ours, list) or (theirs and not ours):
            return [f"{place}: {ours!r}"]
        return lacking(theirs[0], ours[0], f"{place}[0]") if theirs else []
    return [] if _kind(theirs) == _kind(ours) else [f"{place}: {theirs!r}, {ours!r}"]


def _kind(value: Any) -> type:
    return float if type(value) is int else type(value)


def conversation(one: Service) -> Iterator[tuple[str, int, Any]]:
    """What was asked, and how it was answered."""

    def ask(method: str, path: str, body: object = None) -> tuple[str, int, Any]:
        return (f"{method} {path}", *one.ask(method, path, body))

    yield ask("PUT", "/pool/limits", LIMITS)
    yield ask("POST", "/jobs/submit", {"config": one.config("a"), "priority": 0})
    one.solved("a")
    for path in ("/jobs", "/resources", "/queue", "/system/status"):
        yield ask("GET", path)
    for name in ("jobs", "queue", "resources", "scheduler_type", "cluster_partitions", "me"):
        yield ask("GET", f"/api/{name}")
    yield ask("GET", "/api/jobs/a/log")
    beside = {"user": "eve", "machine_nodes": [], "batch_options": {}}
    yield ask("POST", "/api/submit", {"config": one.config("b"), **beside})
    one.solved("b")
    yield ask("POST", "/system/start_monitoring", {})
    yield ask("POST", "/api/cancel/b", {})
    yield ask("POST", "/jobs/nobody/cancel", {})
    yield ask("POST", "/jobs/nobody/priority", {"priority": 1})
    yield ask("PUT", "/pool/limits", {})
    yield ask("POST", "/jobs/submit", {"config": {}})


def test_every_answer_of_pyedbs_service_has_its_fields_here(both: Any) -> None:
    theirs, ours = map(list, map(conversation, both))
    assert [line[:2] for line in theirs] == [line[:2] for line in ours]
    missing = [
        line
        for (name, _, answer), (_, _, own) in zip(theirs, ours, strict=True)
        for line in lacking(answer, own, name)
    ]
    assert not missing, "\n".join(missing)
    jobs: Any = ours[2][2]
    assert [one["status"] for one in jobs if one["id"] == "a"] == ["completed"]
