"""A log that grows faster than anybody reads, in the dashboard: a real Chromium, real jobs."""

import re
from pathlib import Path
from typing import Any

import pytest

from pages import open_job, shell, waits_for

sync_api = pytest.importorskip("playwright.sync_api")
expect = sync_api.expect
expect.set_options(timeout=20_000)

TAIL = 1 << 16  #: bytes that the page shows first
KEPT = 1 << 19  #: characters that it shows while it follows


def open_log(page: Any, served: Any, name: str) -> tuple[Any, Any]:
    """The log's part of the page, and the output in it."""
    detail = open_job(page, served, name)
    detail.get_by_role("tab", name="Log").click()
    output = detail.get_by_role("region", name="stdout of the job")
    expect(output).to_contain_text("begun")
    return detail.locator(".log"), output


def test_a_log_that_grows_by_more_than_is_shown_is_followed_at_its_end_which_is_said(
    page: Any, served: Any, tmp_path: Path
) -> None:
    go, end = tmp_path / "go", tmp_path / "end"
    much = f"echo begun; {waits_for(go)}; seq 1 1500000; echo over; {waits_for(end)}"
    served.submit(shell("writer", much))
    log, output = open_log(page, served, "writer")
    expect(log).to_contain_text("following")
    go.touch()
    expect(output).to_contain_text("over")
    expect(log.locator(".foot")).to_contain_text(re.compile(r"following · passed over \d.* MiB"))
    assert output.text_content().endswith("\n1499999\n1500000\nover\n")
    expect(log.get_by_role("button", name=re.compile("Earlier output"))).to_be_visible()
    end.touch()
    expect(log.locator(".foot")).to_contain_text("ended")


def test_what_is_read_stays_while_more_comes_and_goes_when_the_log_is_followed_again(
    page: Any, served: Any, tmp_path: Path
) -> None:
    ready, go = tmp_path / "ready", tmp_path / "go"
    some, much = "seq 1 30000; echo begun", "seq 1 1500000; echo over"
    served.submit(shell("writer", f"{some}; touch {ready}; {waits_for(go)}; {much}"))
    served.until(ready.exists)
    log, output = open_log(page, served, "writer")
    log.get_by_role("button", name=re.compile("Earlier output")).click()
    served.until(lambda: len(output.text_content()) > TAIL)
    begun = output.text_content()
    go.touch()
    assert served.ask("GET", "jobs/writer/wait")["state"] == "completed"
    served.until(lambda: len(output.text_content()) >= KEPT)
    assert output.text_content().startswith(begun)
    log.get_by_role("button", name="Follow").click()
    expect(output).to_contain_text("over")
    expect(log.locator(".foot")).to_contain_text("ended")
    assert len(output.text_content()) <= KEPT
