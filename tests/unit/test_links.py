"""What is written for users: each link to another page, and to a place in it, leads there."""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [
    *ROOT.glob("*.md"),
    *(ROOT / "docs").rglob("*.md"),
    *(ROOT / "examples").rglob("*.md"),
    *(ROOT / "examples").rglob("*.ipynb"),
]
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_CODE = re.compile(r"^```.*?^```|`[^`\n]*`", re.MULTILINE | re.DOTALL)
_TITLE = re.compile(r"^#+ +(.*)$", re.MULTILINE)


def text(page: Path) -> str:
    content = page.read_text(encoding="utf-8")
    if page.suffix != ".ipynb":
        return content
    cells = json.loads(content)["cells"]
    return "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")


def anchors(page: Path) -> set[str]:
    """As GitHub makes them of titles."""
    blocks = re.sub(r"^```.*?^```", "", text(page), flags=re.MULTILINE | re.DOTALL)
    titles = (re.sub(r"\]\([^)]*\)", "]", title) for title in _TITLE.findall(blocks))
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


def broken(page: Path) -> list[str]:
    found = []
    for link in _LINK.findall(_CODE.sub("", text(page))):
        if link.startswith(("http:", "https:", "mailto:")):
            continue
        place, _, anchor = link.partition("#")
        target = (page.parent / place).resolve() if place else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            found.append(link)
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_to_a_page_and_a_title_that_exist(page: Path) -> None:
    assert broken(page) == []


def test_every_page_of_the_documentation_can_be_reached_from_the_readme() -> None:
    seen: set[Path] = set()
    left = [ROOT / "README.md"]
    while left:
        page = left.pop()
        if page in seen or page.suffix != ".md":
            continue
        seen.add(page)
        links = (link.partition("#")[0] for link in _LINK.findall(_CODE.sub("", text(page))))
        left += [(page.parent / link).resolve() for link in links if link and ":" not in link]
    unseen = {page for page in (ROOT / "docs").rglob("*.md") if "decisions" not in page.parts}
    assert unseen - seen == set()


def test_a_broken_link_and_a_missing_title_are_found(tmp_path: Path) -> None:
    (tmp_path / "other.md").write_text("# A title, *here*\n")
    page = tmp_path / "page.md"
    page.write_text("[a](other.md#a-title-here) [b](other.md#none) [c](none.md) `[d](code.md)`\n")
    assert broken(page) == ["other.md#none", "none.md"]
