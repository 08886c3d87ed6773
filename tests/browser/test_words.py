"""Numbers, times and names, as people read them on the dashboard."""

import datetime as dt
import re
from typing import Any

import pytest

from pages import open_job, row, shell

sync_api = pytest.importorskip("playwright.sync_api")
expect = sync_api.expect
expect.set_options(timeout=20_000)


def test_no_digit_of_a_parameter_is_left_out(page: Any, served: Any) -> None:
    grid = {
        "seed": [1234567, 1234568],
        "hertz": [2400002500, 2400005000],
        "length": [0.30000000000000004, 0.5],
    }
    served.submit(
        shell(
            "seeds",
            "echo gain 0.123456789; echo hertz 2400001234.56",
            array={"grid": grid},
            measures={
                "gain": {"pattern": r"gain (\S+)"},
                "resonance": {"pattern": r"hertz (\S+)"},
            },
        )
    )
    detail = open_job(page, served, "seeds")
    expect(detail.locator("header .badge")).to_contain_text("completed")
    first = "seed 1234567, hertz 2400002500, length 0.3"
    expect(detail.locator("tr.task td").nth(1)).to_have_text(first)
    detail.get_by_role("tab", name="Results").click()
    cells = detail.locator("table.results tbody tr").last.locator("td")
    expect(cells.nth(0)).to_have_text("1234568")
    expect(cells.nth(1)).to_have_text("2400005000")
    expect(cells.nth(-2)).to_have_text("0.123457")
    expect(cells.nth(-2)).to_have_attribute("title", "0.123456789")
    expect(cells.nth(-1)).to_have_text("2400001235")
    detail.get_by_role("combobox", name="over").select_option("hertz")
    legend = detail.locator(".canvas .u-legend")
    expect(legend).to_contain_text("seed 1234567, length 0.3")
    expect(legend).to_contain_text("seed 1234568, length 0.3")
    page.goto(f"{served.url}#/jobs/1/0")
    facts = page.get_by_role("complementary", name="Job seeds[0]").locator(".facts")
    expect(facts).to_contain_text("gain 0.123457, resonance 2400001235")
    expect(facts.get_by_title("gain 0.123456789, resonance 2400001234.56")).to_be_visible()


def test_no_magnitude_is_less_than_nothing_by_its_sign_alone(page: Any, served: Any) -> None:
    write = "printf '# GHz S DB R 50\\n1 -0.004 0\\n2 -0.016 0\\n' > open.s1p"
    served.submit(shell("open", write), shell("opens", write, array={"stop": 2}))
    detail = open_job(page, served, "open")
    expect(detail.locator("header .badge")).to_contain_text("completed")
    detail.get_by_role("tab", name="Plots").click()
    cells = detail.locator(".plot .facts-table td")
    expect(cells).to_have_text(["-0.02 dB at 2 GHz", "0.00 dB at 1 GHz"])
    detail = open_job(page, served, "opens")
    expect(detail.locator("header .badge")).to_contain_text("completed")
    detail.get_by_role("tab", name="Plots").click()
    name = "Plot of |S11| of 2 tasks over frequency: -0.02 dB to 0.00 dB"
    expect(detail.get_by_role("img", name=name, exact=True)).to_be_visible()


def placed(page: Any, zone: str, locale: str) -> None:
    """The browser is there."""
    session = page.context.new_cdp_session(page)
    session.send("Emulation.setTimezoneOverride", {"timezoneId": zone})
    session.send("Emulation.setLocaleOverride", {"locale": locale})


def test_when_a_job_was_submitted_is_told_whole_and_anew_each_day(page: Any, served: Any) -> None:
    placed(page, "Europe/Berlin", "en-GB")
    submitted = dt.datetime(2026, 11, 27, 23, 5, 7, tzinfo=dt.UTC)  # it is 0:05 in Berlin
    later = dt.timedelta(minutes=5)

    def answer(route: Any) -> None:
        response = route.fetch()
        told = response.json()
        told["now"] = (submitted + later).timestamp()
        for job in told["jobs"]:
            job["submitted_at"] = submitted.timestamp()
        route.fulfill(response=response, json=told)

    page.route("**/dashboard/**", answer)
    served.submit(shell("first", "true", hold=True))
    page.goto(served.url)
    cell = row(page, "first").locator(".col-submitted")
    expect(cell).to_have_text("00:05:07")
    expect(cell).to_have_attribute("title", "28 Nov 2026 00:05:07")
    later = dt.timedelta(days=1)
    served.submit(shell("second", "true", hold=True))
    expect(cell).to_have_text("28 Nov, 00:05")
    assert cell.evaluate("cell => cell.scrollWidth <= cell.clientWidth")
    later = dt.timedelta(days=40)
    served.submit(shell("third", "true", hold=True))
    expect(cell).to_have_text("28 Nov 2026")
    assert cell.evaluate("cell => cell.scrollWidth <= cell.clientWidth")


@pytest.mark.parametrize("delay", [3600, 3 * 86400])
def test_when_a_job_is_tried_again_is_told_by_the_clock_of_the_browser_and_on_which_day(
    page: Any, served: Any, delay: int
) -> None:
    placed(page, "Asia/Kolkata", "en-GB")  # it has no summer time
    false = {"solver": "command", "options": {"argv": ["false"]}}
    retry = {"tries": 2, "delay": delay, "longest": delay}
    served.submit(false | {"name": "again", "retry": retry})
    detail = open_job(page, served, "again")
    verdict = detail.locator(".verdict")
    expect(verdict).to_contain_text("its next try at ")
    told = served.ask("GET", "jobs/again")["waiting"]
    [moment] = re.findall(r"[-\d]{10} [:\d]{8} UTC", told)
    there = dt.timezone(dt.timedelta(hours=5, minutes=30))
    at = dt.datetime.strptime(f"{moment} +0000", "%Y-%m-%d %H:%M:%S UTC %z").astimezone(there)
    date = "" if at.date() == dt.datetime.now(there).date() else f"{at.day} {at:%b %Y} "
    said = f"Waiting for {told.replace(moment, f'{date}{at:%H:%M:%S}')}."
    assert date or delay == 3600
    expect(verdict).to_have_text(said)
    expect(row(page, "again").locator(".col-why")).to_have_text(said)
    expect(row(page, "again").locator(".col-why")).to_have_attribute("title", said)


BOXES = """row => ["name", "faint"].map(part => {
    const range = document.createRange();
    range.selectNodeContents(row.querySelector(`.col-job .${part}`));
    const {left, right} = range.getBoundingClientRect();
    return [left, right];
})"""


def test_a_name_from_right_to_left_stands_before_its_number(page: Any, served: Any) -> None:
    name = "\u062a\u062c\u0631\u0628\u0629"
    served.submit(shell(name, "true", hold=True), shell(f"{name} " * 30 + name, "true", hold=True))
    page.goto(served.url)
    short = page.locator("#row-1")
    called, number = short.evaluate(BOXES)
    assert called[1] <= number[0]
    expect(short.locator(".col-job .faint")).to_have_text("#1")
    long = page.locator("#row-2").locator(".name")
    shown = long.evaluate("name => name.getBoundingClientRect().right")
    [called, number] = page.locator("#row-2").evaluate(BOXES)
    assert called[1] <= shown <= number[0]  # its beginning, at the right, is not cut
    assert called[0] < long.evaluate("name => name.getBoundingClientRect().left")
