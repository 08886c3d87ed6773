"""The dashboard where answers take their time: a real Chromium, real jobs, late answers."""

from pathlib import Path
from typing import Any

import pytest

from pages import row, shell, waits_for

sync_api = pytest.importorskip("playwright.sync_api")
expect = sync_api.expect
expect.set_options(timeout=20_000)


class Kept:
    """Answers that the page waits for, until they are passed on as they were."""

    def __init__(self, page: Any, address: str, most: int = 1) -> None:
        self.most = most  #: how many are kept back
        self.answers: list[tuple[Any, Any]] = []
        page.route(address, self._keep)

    def _keep(self, route: Any) -> None:
        if len(self.answers) < self.most:
            self.answers.append((route, route.fetch()))
        else:
            route.continue_()

    def all_there(self, page: Any) -> bool:
        page.evaluate("0")  # answers come while the browser is talked to
        return len(self.answers) == self.most

    def pass_on(self) -> None:
        self.most = 0
        while self.answers:
            route, answer = self.answers.pop(0)
            route.fulfill(response=answer)


def test_a_late_answer_about_how_far_a_job_is_changes_nothing_about_its_end(
    page: Any, served: Any, tmp_path: Path
) -> None:
    go = tmp_path / "go"
    served.submit(shell("breaks", f"{waits_for(go)}; exit 3"))
    served.until(lambda: served.ask("GET", "jobs/breaks")["state"] == "running")
    kept = Kept(page, "**/dashboard/jobs/1")
    page.goto(served.url)
    served.until(lambda: kept.all_there(page))
    go.touch()
    expect(row(page, "breaks")).to_contain_text("failed")
    with page.expect_response("**/dashboard/jobs/1") as late:
        kept.pass_on()
    late.value.finished()
    served.submit(shell("next", "true", hold=True))
    expect(row(page, "next")).to_contain_text("held")
    expect(row(page, "breaks")).to_contain_text("Exit code 3.")
    expect(row(page, "breaks").locator(".badge")).to_contain_text("failed")
