"""Who looks at the dashboard, and what is left of who looked before: a real Chromium, real jobs."""

from typing import Any

import pytest

from pages import LOOK_AWAY, row, shell

sync_api = pytest.importorskip("playwright.sync_api")
expect = sync_api.expect
expect.set_options(timeout=20_000)


def sign_in(page: Any, served: Any) -> None:
    """Any token will do."""

    def session(route: Any) -> None:
        served.locked = route.request.method == "DELETE"
        route.fulfill(json={"name": served.user, "owner": False, "session": True})

    page.route("**/yard/session", session)
    page.get_by_label("Token").fill("any")
    page.get_by_role("button", name="Sign in").click()


def test_what_was_asked_and_searched_for_is_gone_when_a_token_is_revoked(
    page: Any, served: Any
) -> None:
    served.submit(shell("secret", "true", hold=True))
    page.goto(f"{served.url}#/jobs/1")
    page.get_by_role("button", name="0 running").click()
    page.get_by_role("searchbox").fill("secret")
    page.get_by_role("button", name="Cancel…").click()
    expect(page.get_by_role("dialog", name="Cancel secret?")).to_be_visible()
    served.locked = True
    expect(page.get_by_role("dialog", name="Sign in")).to_be_visible()
    expect(page.get_by_role("searchbox")).to_have_value("")
    assert page.evaluate("location.hash") == ""
    served.user = "token:ann"
    sign_in(page, served)
    expect(row(page, "secret")).to_contain_text("held")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_role("complementary")).to_have_count(0)
    expect(page.get_by_role("button", name="0 running")).to_have_attribute("aria-pressed", "false")
    page.expected.append("401 (Unauthorized)")


def test_who_signs_in_comes_to_the_job_that_the_address_names(page: Any, served: Any) -> None:
    served.submit(shell("wanted", "true", hold=True))
    served.locked = True
    page.goto(f"{served.url}#/jobs/1")
    sign_in(page, served)
    expect(page.get_by_role("complementary", name="Job wanted")).to_contain_text("held")
    page.expected.append("401 (Unauthorized)")


def test_who_signs_in_beside_a_page_is_who_it_knows_from_then_on(page: Any, served: Any) -> None:
    def session(route: Any) -> None:
        route.fulfill(json={"name": served.user, "owner": False, "session": True})

    page.route("**/yard/session", session)
    served.user = "token:ann"
    served.submit(shell("kept", "true", hold=True))
    page.goto(f"{served.url}#/jobs/1")
    expect(page.locator(".who")).to_have_text("ann")
    page.get_by_role("button", name="Cancel…").click()
    expect(page.get_by_role("dialog", name="Cancel kept?")).to_be_visible()
    page.evaluate(LOOK_AWAY, True)
    served.user = "token:bob"
    page.evaluate(LOOK_AWAY, False)
    expect(page.locator(".who")).to_have_text("bob")
    expect(row(page, "kept")).to_contain_text("held")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_role("complementary")).to_have_count(0)


def test_nothing_is_done_in_the_name_of_who_signed_in_beside_a_page(page: Any, served: Any) -> None:
    served.submit(shell("kept", "true", hold=True))
    page.goto(f"{served.url}#/jobs/1")
    release = page.get_by_role("button", name="Release")
    release.wait_for()
    page.clock.install()  # from now on nothing is looked at by itself
    page.clock.pause_at(page.evaluate("Date.now() + 1000"))
    served.user = "token:bob"
    release.click()
    expect(page.get_by_role("status")).to_contain_text(
        "Could not release kept: somebody else is signed in by now"
    )
    assert served.ask("GET", "jobs/kept")["state"] == "held"


def test_a_page_that_asks_for_a_token_shows_jobs_once_somebody_has_signed_in_beside_it(
    page: Any, served: Any
) -> None:
    served.submit(shell("found", "true", hold=True))
    served.locked = True
    page.goto(served.url)
    page.get_by_label("Token").fill("half a tok")
    page.evaluate(LOOK_AWAY, True)
    page.evaluate(LOOK_AWAY, False)
    expect(page.get_by_label("Token")).to_have_value("half a tok")
    page.evaluate(LOOK_AWAY, True)
    served.locked = False
    page.evaluate(LOOK_AWAY, False)
    expect(row(page, "found")).to_contain_text("held")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.expected.append("401 (Unauthorized)")


def test_what_can_be_no_token_is_told_as_that(page: Any, served: Any) -> None:
    served.locked = True
    page.goto(served.url)
    dialog = page.get_by_role("dialog", name="Sign in")
    for text in ("\u201ctoken\u201d", "x" * 20_000, "to ken"):
        dialog.get_by_label("Token").fill(text)
        dialog.get_by_role("button", name="Sign in").click()
        expect(dialog.get_by_role("alert")).to_contain_text("that is no token")
        dialog.get_by_label("Token").fill("")
    page.route("**/yard/session", lambda route: route.abort())
    dialog.get_by_label("Token").fill("right")
    dialog.get_by_role("button", name="Sign in").click()
    expect(dialog.get_by_role("alert")).to_have_text("the manager does not answer")
    page.expected += ["401 (Unauthorized)", "net::ERR_"]
