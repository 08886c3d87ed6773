"""The routes' description in a real Chromium: offline, under its policy, and it can be tried."""

from typing import Any

import pytest

sync_api = pytest.importorskip("playwright.sync_api")
expect = sync_api.expect


def test_every_route_is_shown_and_can_be_tried_without_asking_anybody_else(
    page: Any, served: Any
) -> None:
    served.submit({"solver": "command", "name": "dipole", "hold": True, "options": {"argv": ["x"]}})
    page.goto(f"{served.url}docs")
    described = served.ask("GET", "openapi.json")["paths"]
    expect(page.locator(".opblock")).to_have_count(sum(map(len, described.values())))
    shown = page.locator("#operations-default-get_jobs_id")
    shown.locator(".opblock-summary-control").click()
    shown.get_by_role("button", name="Try it out").click()
    shown.get_by_placeholder("id").fill("dipole")
    shown.get_by_role("button", name="Execute").click()
    answer = shown.locator(".live-responses-table tbody")
    expect(answer).to_contain_text('"state": "held"')
    expect(shown.locator(".request-url")).to_contain_text(f"{served.url}jobs/dipole")
