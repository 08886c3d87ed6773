"""Host limits of a real manager on a real machine."""

import json
import sys
from typing import Any

from conftest import until
from e2e.asking import ask, shell
from solveyard.client.sync import Client
from solveyard.model import reading
from solveyard.model.jobs import JobSpec, JobState

PATIENCE = 60.0


def job(*argv: str) -> JobSpec:
    return reading.spec(json.dumps({"solver": "command", "options": {"argv": argv}}).encode())


def test_a_job_waits_for_free_memory_with_the_reading_until_the_gate_opens(service: Any) -> None:
    yard = service("--port", "0").start()
    url = yard.told["url"]
    answer = ask(url, "PUT", "/pool/limits", {"min_memory_gb": 900_000, "max_concurrent_jobs": 4})
    assert answer.status == 200
    with Client(yard.store) as client:
        number = client.submit(job("true")).number
        until(lambda: "would have" in client.job(number).waiting, "the agent's look is told")
        found = client.job(number)
        assert "the limit min_memory_gb of 900000 GiB: here would have" in found.waiting
        assert found.state is JobState.QUEUED
        assert ask(url, "PUT", "/pool/limits", {"min_memory_gb": 0}).status == 200
        assert client.wait([number], PATIENCE)
        assert client.job(number).state is JobState.COMPLETED
        assert client.limits()["max_concurrent"] == 4


def test_limits_outlive_the_manager_and_an_option_changes_its_own_alone(service: Any) -> None:
    yard = service("--port", "0").start()
    told = shell(yard, "limits", "--min-memory-gb", "0.001", "--max-cpu-percent", "99")
    assert (told.returncode, told.stderr) == (0, "")
    yard.stop()
    yard.options = (*yard.options, "--max-concurrent", "3")
    yard.start()
    assert json.loads(shell(yard, "limits", "--json").stdout) == {
        "max_concurrent": 3,
        "max_cpu_percent": 99.0,
        "min_memory_gb": 0.001,
        "min_disk_gb": None,
    }


def test_a_limit_of_the_site_is_changed_by_nobody(service: Any, tmp_path: Any) -> None:
    site = tmp_path / "site.toml"
    site.write_text('locked = ["limits.min_disk_gb"]\n[limits]\nmin_disk_gb = 0.5\n')
    yard = service("--port", "0", environment={"SOLVEYARD_SITE_CONFIG": str(site)}).start()
    answer = ask(yard.told["url"], "PUT", "/pool/limits", {"max_concurrent": 1, "min_disk_gb": 0})
    assert answer.status == 403
    assert f"`limits.min_disk_gb` is locked by {site}:1" in answer.json["error"]
    told = shell(yard, "limits", "--min-disk-gb", "0")
    assert (told.returncode != 0, str(site) in told.stderr) == (True, True)
    assert json.loads(shell(yard, "limits", "--json").stdout)["min_disk_gb"] == 0.5
    assert json.loads(shell(yard, "limits", "--json").stdout)["max_concurrent"] is None


def test_the_sample_tells_how_much_of_the_load_is_our_own_work(service: Any) -> None:
    yard = service("--port", "0").start()
    with Client(yard.store) as client:
        number = client.submit(job(sys.executable, "-c", "while True: pass")).number

        def ours() -> bool:
            [machine] = client.status()["machines"].values()
            return (machine["sample"].get("ours") or 0) > 0.1

        until(ours, "the work is seen")
        client.cancel(number, 0)
        assert client.wait([number], PATIENCE)
