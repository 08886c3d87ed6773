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


def test_earlier_output_in_another_encoding_comes_once(
    page: Any, served: Any, tmp_path: Path
) -> None:
    some, rest = tmp_path / "some", tmp_path / "rest"
    line = "d=$(printf '\\260'); lines() { seq -f \"%06g 20 ${d}C\" $1 $2; }"
    parts = f"{waits_for(some)}; lines 1 40000; {waits_for(rest)}; lines 40001 60000"
    served.submit(shell("writer", f"{line}; echo begun; {parts}"))
    log, output = open_log(page, served, "writer")
    some.touch()
    expect(output).to_contain_text("040000")
    rest.touch()
    expect(output).to_contain_text("060000")
    expect(log.locator(".foot")).to_contain_text("ended")
    begun = output.text_content()[:6]
    log.get_by_role("button", name=re.compile("Earlier output")).click()
    served.until(lambda: output.text_content()[:6] != begun)
    numbers = [int(line[:6]) for line in output.text_content().splitlines()[1:]]
    assert numbers == list(range(numbers[0], 60_001))


TYPED = {
    r"\033[31mred\033[0m": "red",
    r"a\033(B\033[mb": "ab",
    r"10%%\b\b\b20%%": "20%",
    r"1/3\r2/3\r3/3": "3/3",
    r"\033]0;title\007after": "after",
    r"\033]8;;there\033\\link\033]8;;\033\\.": "link.",
    r"\0337saved\0338\033=\033M": "saved",
    r"\033Pq#0\nq#1\033\\dcs": "dcs",
    r"\033]2;without an end": "",
    r"nothing is hidden\007": "nothing is hidden",
}


def test_of_what_is_meant_for_a_terminal_the_text_is_left(page: Any, served: Any) -> None:
    served.submit(shell("terminal", "".join(f"printf '{one}\\n';" for one in TYPED) + "echo begun"))
    _, output = open_log(page, served, "terminal")
    assert output.text_content().splitlines() == [*TYPED.values(), "begun"]
