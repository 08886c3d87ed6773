"""What the tests in a browser need to look at the dashboard."""

from pathlib import Path
from typing import Any

LOOK_AWAY = """hidden => {
    Object.defineProperty(document, "hidden", {value: hidden, configurable: true});
    document.dispatchEvent(new Event("visibilitychange"));
}"""
AXE = Path(__file__).parent / "browser/vendor/axe.min.js"


def shell(name: str, line: str, **more: Any) -> dict[str, Any]:
    return {"solver": "command", "name": name, "options": {"argv": ["sh", "-c", line]}, **more}


def waits_for(file: Path) -> str:
    """A shell's line that goes on once the file is there."""
    return f"until [ -e {file} ]; do sleep 0.02; done"


def row(page: Any, name: str) -> Any:
    return page.locator("tr.row", has=page.get_by_text(name, exact=True))


def open_job(page: Any, served: Any, name: str) -> Any:
    number = served.ask("GET", f"jobs/{name}")["number"]
    page.goto(f"{served.url}#/jobs/{number}")
    detail = page.get_by_role("complementary", name=f"Job {name}")
    detail.wait_for()
    return detail


def findings(page: Any) -> list[str]:
    """Serious and critical ones by axe-core."""
    if not page.evaluate("typeof axe !== 'undefined'"):
        page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{one['id']}: {[node['html'] for node in one['nodes']]}"
        for one in found["violations"]
        if one["impact"] in {"serious", "critical"}
    ]
