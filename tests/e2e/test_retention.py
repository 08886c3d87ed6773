"""Ended jobs go where somebody says so, with their files, and nothing else does."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from solveyard.client.sync import Client


def prune(store: Path, *words: str) -> Any:
    done = subprocess.run(
        [sys.executable, "-m", "solveyard.cli", "--store", str(store), "prune", *words, "--json"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return json.loads(done.stdout)


def test_jobs_go_with_their_files_and_what_is_wanted_stays(
    service: Callable[..., Any], until: Callable[..., None]
) -> None:
    yard = service().start()
    with Client(yard.store) as client:
        names = [f"job-{n}" for n in range(6)]
        specs = [
            {"solver": "command", "name": name, "options": {"argv": ["echo", name]},
             "tags": ["keep"] if name == "job-0" else []}
            for name in names
        ]  # fmt: skip
        specs.append(
            {"solver": "command", "name": "sweep", "array": {"stop": 3},
             "options": {"argv": ["echo", "{{index}}"], "files": {"x": "{{index}}"}}}
        )  # fmt: skip
        lines = "\n".join(json.dumps(spec) for spec in specs)
        subprocess.run(
            [sys.executable, "-m", "solveyard.cli", "--store", str(yard.store), "submit",
             "--from", "-"],
            input=lines, text=True, check=True, capture_output=True, timeout=60,
        )  # fmt: skip
        assert client.wait([*names, "sweep"], 60)
        folder = yard.store / "jobs" / str(client.job("sweep").number)
        assert len(list(folder.iterdir())) == 3
        told = prune(yard.store, "--keep", "1", "--files", "--dry-run")
        ends = [job["ended_at"] for job in told["jobs"]]
        assert ends == sorted(ends)
        assert "job-0" not in {job["id"] for job in told["jobs"]}
        assert told["count"] == 5
        assert len(client.jobs().jobs) == 7, "a dry run removes nothing"
        prune(yard.store, "--keep", "0", "--files", "--yes")
        until(lambda: [job.id for job in client.jobs().jobs] == ["job-0"], "the others go")
        until(lambda: not folder.exists(), "the array's folder goes")
        kept = sorted(path.name for path in (yard.store / "output").rglob("*.out"))
        assert kept == [f"{client.job('job-0').number}.1.out"]
