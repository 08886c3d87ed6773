"""Tables, as a terminal of some width shows them."""

import json
import re
import sys

import pytest

from solveyard.cli import talk

HEADER = ["ID", "LENGTH", "STATE", "RESONANCE", "WHY"]
WHY = "Waiting for 2 cores (1 core free), held by jobs 3, 4 and others"
ROWS = [
    ["sweep[0]", "0.512345", "completed", "2.8123456e+08", ""],
    ["sweep[1]", "0.523456", "running 3/6", "", WHY],
]


def shown(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    columns: int,
    rows: list[list[str]],
) -> list[str]:
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    talk.answer_table(HEADER, rows)
    return re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out).splitlines()


@pytest.mark.parametrize("columns", [200, 100, 80, 70, 60, 40, 12])
def test_no_id_number_or_word_is_cut_however_narrow_the_terminal_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], columns: int
) -> None:
    lines = shown(monkeypatch, capsys, columns, ROWS)
    told = " ".join(lines)
    for cell in [*HEADER, *(cell for row in ROWS for cell in row if cell != WHY)]:
        assert cell in told
    assert "…" not in told
    assert [word for word in WHY.split() if word not in told] == []
    if columns >= 70:  # a table
        assert max(map(len, lines)) <= columns
        assert any(line.split()[:2] == ["ID", "LENGTH"] for line in lines)
    if columns < 60:  # a block for each row
        assert [line for line in lines if line.startswith("ID ")] == [
            "ID         sweep[0]",
            "ID         sweep[1]",
        ]


def test_what_others_wrote_is_no_markup(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    row = ["[bold]a[/bold]", "1", "failed", ":smile:", ""]
    for columns in (80, 12):
        told = "\n".join(shown(monkeypatch, capsys, columns, [row]))
        assert "[bold]a[/bold]" in told
        assert ":smile:" in told


def test_json_steers_no_terminal_and_says_the_same(capfd: pytest.CaptureFixture[str]) -> None:
    steering = [*range(0x20), *range(0x7F, 0xA0), 0x202E, 0x2028, 0x2066]
    content = {"na\x9bme": ["Süd 日本 \U0001f600", *map(chr, steering)]}
    talk.answer_json(content)
    told = capfd.readouterr().out
    assert json.loads(told) == content
    assert told.endswith("\n")
    assert not {*map(chr, steering)} & {*told.removesuffix("\n")}
    assert "Süd 日本 \U0001f600" in told
