"""What an engineer does with more on the dashboard than to look at it."""

from pathlib import Path
from typing import Any

import pytest

from pages import findings, open_job, row, shell, waits_for

sync_api = pytest.importorskip("playwright.sync_api")
expect = sync_api.expect
expect.set_options(timeout=20_000)

TWO_PORTS = "# GHz S RI R 50\\n1 0.5 0 0 0 0 0 -0.5 0\\n2 0 1 0 0 0 0 0.5 0\\n"


def test_waiting_jobs_are_given_a_priority_one_by_one_or_together(page: Any, served: Any) -> None:
    served.submit(*(shell(name, "true", hold=True) for name in ("a", "b")))
    open_job(page, served, "a").get_by_role("button", name="Priority…").click()
    dialog = page.get_by_role("dialog", name="Priority of a")
    expect(dialog.get_by_label("Priority")).to_be_focused()
    assert dialog.get_by_label("Priority").input_value() == "0"
    dialog.get_by_label("Priority").fill("7")
    page.keyboard.press("Enter")
    expect(page.get_by_text("a has priority 7.")).to_be_visible()
    assert served.ask("GET", "jobs/a")["priority"] == 7
    page.goto(f"{served.url}#")
    for name in ("a", "b"):
        row(page, name).click(modifiers=["Control"])
    page.get_by_role("button", name="Priority…").click()
    dialog = page.get_by_role("dialog", name="Priority of 2 jobs")
    assert dialog.get_by_label("Priority").input_value() == "", "theirs differ"
    dialog.get_by_role("button", name="Set it").click()
    expect(dialog).to_be_visible()  # a priority is missing
    dialog.get_by_label("Priority").fill("-3")
    dialog.get_by_role("button", name="Set it").click()
    expect(page.get_by_text("Done for 2 jobs.")).to_be_visible()
    assert [served.ask("GET", f"jobs/{name}")["priority"] for name in ("a", "b")] == [-3, -3]


def test_a_job_that_ended_while_its_question_stood_there_is_not_cancelled(
    page: Any, served: Any, tmp_path: Path
) -> None:
    ends = [tmp_path / name for name in ("a", "b", "c")]
    served.submit(*(shell(end.name, waits_for(end), resources={"cores": 0}) for end in ends))
    open_job(page, served, "a").get_by_role("button", name="Cancel…").click()
    ends[0].touch()
    expect(row(page, "a")).to_contain_text("completed")
    page.get_by_role("button", name="Cancel the job").click()
    said = page.locator(".message")
    expect(said).to_contain_text("Could not cancel a: it is completed by now")
    page.goto(f"{served.url}#")
    for name in ("b", "c"):
        row(page, name).click(modifiers=["Control"])
    page.get_by_role("button", name="Cancel…").click()
    ends[1].touch()
    expect(row(page, "b")).to_contain_text("completed")
    page.get_by_role("button", name="Cancel them").click()
    expect(said).to_contain_text("Done for 1 job. Not for b: it is completed by now")
    expect(row(page, "c")).to_contain_text("cancelled")


def test_a_cancel_that_comes_right_after_the_end_is_told_as_none(page: Any, served: Any) -> None:
    def ended(route: Any) -> None:
        answer = route.fetch()
        told = answer.json()
        told["job"] |= {"state": "completed", "cancel_requested": False}
        route.fulfill(response=answer, json=told)

    page.route("**/jobs/%231/cancel", ended)
    served.submit(shell("brief", "true", hold=True))
    open_job(page, served, "brief").get_by_role("button", name="Cancel…").click()
    page.get_by_role("button", name="Cancel the job").click()
    told = "Could not cancel brief: it is completed by now"
    expect(page.locator(".message")).to_contain_text(told)


def test_the_job_that_is_open_stays_so_when_another_is_removed(page: Any, served: Any) -> None:
    served.submit(shell("open", "true", hold=True), shell("gone", "true"))
    detail = open_job(page, served, "open")
    row(page, "gone").click(modifiers=["Control"])
    page.get_by_role("group", name="Selected jobs").get_by_role("button", name="Remove…").click()
    page.get_by_role("button", name="Remove", exact=True).click()
    expect(page.get_by_text("gone is removed.")).to_be_visible()
    expect(row(page, "gone")).to_have_count(0)
    expect(detail).to_contain_text("held")


def test_the_limits_are_told_and_set(page: Any, served: Any, tmp_path: Path) -> None:
    go = tmp_path / "go"
    page.goto(served.url)
    page.get_by_role("button", name="No limits").click()
    dialog = page.get_by_role("dialog", name="Limits")
    dialog.get_by_label("Jobs at once").fill("1")
    assert findings(page) == []
    dialog.get_by_role("button", name="Set them").click()
    shown = page.get_by_role("button", name="Limits: at most 1 job at once", exact=True)
    expect(shown).to_be_visible()
    served.submit(shell("first", waits_for(go)), shell("second", "true"))
    expect(row(page, "second")).to_contain_text("Waiting for")
    shown.click()
    dialog.get_by_label("Jobs at once").fill("")
    page.keyboard.press("Enter")
    expect(row(page, "second")).to_contain_text("completed")
    expect(page.get_by_role("button", name="No limits")).to_be_visible()
    limits = served.ask("GET", "system/status")["limits"]
    assert limits["max_concurrent"] is None
    go.touch()


def test_whose_a_job_is_stands_there_where_more_than_one_has_some(page: Any, served: Any) -> None:
    me = {"name": "token:ann", "owner": False, "session": True}
    page.route("**/yard/session", lambda route: route.fulfill(json=me))
    served.submit(shell("of-tester", "true"))
    page.goto(served.url)
    expect(row(page, "of-tester")).to_be_visible()
    expect(page.get_by_role("columnheader", name="Owner")).to_have_count(0)
    served.user = "token:ann"
    served.submit(shell("of-ann", "true"))
    expect(row(page, "of-ann").locator(".col-owner")).to_have_text("ann")
    expect(row(page, "of-tester").locator(".col-owner")).to_have_text("tester")
    assert findings(page) == []
    page.get_by_role("button", name="mine").click()
    expect(row(page, "of-tester")).to_have_count(0)
    expect(page.get_by_text("1 of 2 jobs")).to_be_visible()
    page.get_by_role("button", name="mine").click()
    page.get_by_role("searchbox").fill("tester")
    expect(row(page, "of-ann")).to_have_count(0)
    expect(row(page, "of-tester")).to_be_visible()


def test_what_an_earlier_attempt_wrote_can_be_read(page: Any, served: Any, tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    line = f"if [ -e {seen} ]; then echo now well; else touch {seen}; echo no mesh; exit 3; fi"
    served.submit(shell("again", line))
    detail = open_job(page, served, "again")
    detail.get_by_role("tab", name="Log").click()
    expect(detail.locator("pre.output")).to_have_text("no mesh\n")
    expect(detail.get_by_label("Attempt")).to_have_count(0)
    served.ask("POST", "jobs/again/retry", {})
    expect(detail.locator("pre.output")).to_have_text("now well\n")
    detail.get_by_label("Attempt").select_option("1, exit_code")
    expect(detail.locator("pre.output")).to_have_text("no mesh\n")
    download = detail.get_by_role("link", name="Download")
    expect(download).to_have_attribute("download", "again.1.stdout.txt")
    assert "attempt=1" in download.get_attribute("href")
    detail.get_by_label("Attempt").select_option("2, the newest")
    expect(detail.locator("pre.output")).to_have_text("now well\n")


def test_a_reflection_at_one_frequency_is_a_point_and_one_outside_the_disk_is_in_the_picture(
    page: Any, served: Any
) -> None:
    served.submit(shell("one", "printf '# GHz S RI R 50\\n1 1.5 0\\n' > out.s1p"))
    detail = open_job(page, served, "one")
    detail.get_by_role("tab", name="Plots").click()
    expect(detail.locator("caption")).to_contain_text("1 frequency")
    detail.get_by_role("button", name="Smith").click()
    chart = detail.get_by_role("img", name="Smith chart")
    expect(chart.locator("circle.mark")).to_have_count(1)
    box = [float(one) for one in chart.locator("svg").get_attribute("viewBox").split()]
    assert box[0] < -1.5
    assert box[0] + box[2] > 1.5


def test_reflections_are_drawn_in_the_smith_chart_and_phases_over_frequency(
    page: Any, served: Any
) -> None:
    served.submit(shell("filter", f"printf '{TWO_PORTS}' > out.s2p"))
    detail = open_job(page, served, "filter")
    detail.get_by_role("tab", name="Plots").click()
    detail.get_by_role("button", name="Smith").click()
    detail.get_by_role("button", name="S22").click()
    chart = detail.get_by_role("img", name="Smith chart")
    expect(chart.locator("path.trace")).to_have_count(2)
    assert chart.locator("path.trace").first.get_attribute("d") == (
        "M0.5000 0.0000L0.0000 -1.0000"  # the picture's second axis points down
    )
    told = {
        (0.5, 0): "S11 at 1 GHz: 150 + 0j Ω",
        (0, 1): "S11 at 2 GHz: 0 + 50j Ω",
        (-0.5, 0): "S22 at 1 GHz: 16.67 + 0j Ω",
    }
    for (real, imaginary), said in told.items():
        picture = chart.locator("svg")
        width = picture.bounding_box()["width"]
        place = {"x": width * (0.5 + real / 2.16), "y": width * (0.5 - imaginary / 2.16)}
        picture.hover(position=place)
        expect(chart.locator("figcaption")).to_have_text(said)
    assert findings(page) == []
    expect(chart.locator("circle.mark")).to_have_count(4 + 1)
    detail.get_by_role("button", name="S22").click()
    detail.get_by_role("button", name="S21").click()
    detail.get_by_role("button", name="S11").click()
    expect(detail.get_by_text("The Smith chart shows reflections")).to_be_visible()
    detail.get_by_role("button", name="S11").click()
    detail.get_by_role("button", name="Phase").click()
    expect(detail.locator(".canvas .u-legend")).to_contain_text("S11")
    detail.get_by_role("button", name="dB").click()
    expect(detail.locator(".canvas .u-legend")).to_contain_text("|S11|")


def test_licences_and_batch_systems_are_seen_beside_the_machines(page: Any, served: Any) -> None:
    feature = {"seats": 36, "ours": 24, "others": 6, "issued": 36, "kept": 2, "stale_since": None}
    counted = {**feature, "seats": 2, "ours": 1, "others": None, "issued": None, "kept": 0}
    partition = {"cluster": "slurm", "up": True, "default": True, "cores_total": 64}
    partitions = [
        {**partition, "name": "big", "cores_used": 12},
        {**partition, "name": "old", "default": False, "up": False, "cores_used": None},
    ]
    cluster = {"name": "slurm", "answers": False, "trouble": "no answer", "jobs": {"running": 3}}

    def told(route: Any) -> None:
        answer = route.fetch()
        told = answer.json()
        told["status"]["licences"] = {"hfss": feature, "layout": counted}
        told["status"]["clusters"] = [{**cluster, "partitions": partitions}]
        route.fulfill(response=answer, json=told)

    page.route("**/dashboard/changes*", told)
    page.goto(served.url)
    seats = page.get_by_role("meter", name="hfss")
    text = "30 of 36 in use, 24 by jobs here, 2 kept back"
    expect(seats).to_have_attribute("aria-valuetext", text)
    expect(page.get_by_role("meter", name="layout")).to_have_attribute(
        "aria-valuetext", "1 of 2 in use"
    )
    expect(page.get_by_text("3 running")).to_be_visible()
    expect(page.get_by_text("doesn't answer")).to_be_visible()
    expect(page.get_by_role("meter", name="big")).to_have_attribute(
        "aria-valuetext", "12 of 64 cores in use"
    )
    expect(page.get_by_role("meter", name="old (down)")).to_be_visible()
    assert findings(page) == []
