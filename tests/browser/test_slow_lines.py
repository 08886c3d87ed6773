"""The dashboard where answers take their time: a real Chromium, real jobs, late answers."""

from pathlib import Path
from typing import Any

import pytest

from pages import open_job, row, shell, waits_for

sync_api = pytest.importorskip("playwright.sync_api")
expect = sync_api.expect
expect.set_options(timeout=20_000)


def test_a_late_answer_about_how_far_a_job_is_changes_nothing_about_its_end(
    page: Any, served: Any, tmp_path: Path
) -> None:
    go = tmp_path / "go"
    served.submit(shell("breaks", f"{waits_for(go)}; exit 3"))
    served.until(lambda: served.ask("GET", "jobs/breaks")["state"] == "running")
    served.late = "dashboard/jobs/1"
    page.goto(served.url)
    served.until(lambda: bool(served.kept))
    go.touch()
    expect(row(page, "breaks")).to_contain_text("failed")
    with page.expect_response("**/dashboard/jobs/1") as late:
        served.pass_on()
    late.value.finished()
    served.submit(shell("next", "true", hold=True))
    expect(row(page, "next")).to_contain_text("held")
    expect(row(page, "breaks")).to_contain_text("Exit code 3.")
    expect(row(page, "breaks").locator(".badge")).to_contain_text("failed")


def test_what_is_read_slowly_is_shown_though_it_changes_meanwhile(
    page: Any, served: Any, tmp_path: Path
) -> None:
    line = f"until [ -e {tmp_path}/{{{{index}}}} ]; do sleep 0.02; done"
    served.submit(shell("sweep", line, array={"stop": 2}))
    served.late = "jobs/#1/tasks"
    detail = open_job(page, served, "sweep")
    served.until(lambda: bool(served.kept))
    for index in (0, 1):
        with page.expect_request("**/jobs/%231"):  # where its row has changed, as its tasks
            (tmp_path / str(index)).touch()
            expect(row(page, "sweep")).to_contain_text(f"{index + 1}/2")
    expect(detail).to_contain_text("reading…")
    served.pass_on(1)
    expect(detail.locator("tr.task")).to_have_count(2)
    served.pass_on()
    expect(detail.locator("tr.task").first).to_contain_text("completed")


def test_of_a_job_that_is_tried_again_nothing_is_told_of_the_try_before_meanwhile(
    page: Any, served: Any, tmp_path: Path
) -> None:
    seen = tmp_path / "seen"
    served.submit(shell("again", f"[ -e {seen} ] && sleep 1000; touch {seen}; exit 4"))
    detail = open_job(page, served, "again")
    expect(detail.locator(".verdict")).to_have_text("Exit code 4.")
    expect(detail.locator(".facts")).to_contain_text("Exit code")
    served.late = "jobs/#1"
    served.ask("POST", "jobs/again/retry", {})
    expect(detail.locator("header .badge")).to_contain_text("running")
    expect(detail.locator(".verdict")).to_have_count(0)
    expect(detail.locator(".facts")).not_to_contain_text("Exit code")
    served.pass_on()
    expect(detail.locator(".attempts > li")).to_have_count(2)


def test_a_list_whose_reading_was_cut_off_is_read_on_from_there(page: Any, served: Any) -> None:
    served.submit(*[shell(f"job-{i}", "true", hold=True) for i in range(1200)])
    asked: list[str] = []

    def second_fails(route: Any) -> None:
        asked.append(route.request.url)
        if len(asked) == 2:
            route.abort()
        else:
            route.continue_()

    page.route("**/dashboard/jobs?state=submitted,held&*", second_fails)
    page.goto(served.url)
    expect(page.get_by_role("alert")).to_contain_text("Connection lost.")
    expect(page.get_by_text("1\u202f200 jobs", exact=True)).to_be_visible()
    assert ["cursor" in url for url in asked] == [False, True, True, True]
    assert asked[1] == asked[2]
    page.expected.append("net::ERR_FAILED")


ANSWER = """async () => {
    const main = document.querySelector("script[type=module]").src;
    const { ask } = await import(main.replace("main.js", "api.js"));
    const fetched = window.fetch;
    let line;
    window.fetch = (_, { signal }) => {
        window.fetch = fetched;
        const stream = new ReadableStream({ start: one => { line = one; } });
        signal.addEventListener("abort", () => line.error(signal.reason));
        return Promise.resolve(new Response(stream));
    };
    window.told = ask("anything").then(answer => answer.text(), error => error.message);
    window.send = part => line.enqueue(new TextEncoder().encode(part));
    window.end = () => line.close();
}"""


def test_an_answer_may_take_long_while_something_of_it_comes(page: Any, served: Any) -> None:
    page.goto(served.url)
    expect(page.locator(".connection")).to_contain_text("live")
    page.clock.install()
    page.clock.pause_at(page.evaluate("Date.now() + 1000"))
    for whole, told in ((True, "abc"), (False, "the manager does not answer")):
        page.evaluate(ANSWER)
        for part in "abc":
            page.clock.run_for(10_000)
            page.evaluate("part => send(part)", part)
        if whole:
            page.evaluate("end()")
        page.clock.run_for(16_000)
        assert page.evaluate("told") == told
