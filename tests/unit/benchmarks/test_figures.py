"""Whether a promise is judged as it should be, and told as it was judged."""

import math
from io import StringIO

import pytest
from benchmarks.figures import (
    REFERENCE,
    Figure,
    Judged,
    Verdict,
    at_least,
    rows,
    table,
    under,
    verdict,
)
from rich.console import Console


def a_ratio(ratio: float | None, **rest: object) -> Figure:
    return Figure(name="launches", value=1500.0, unit="launches/s", ratio=ratio, **rest)


def a_time(seconds: float, **rest: object) -> Figure:
    return Figure(name="restart", value=seconds, unit="s", judged=Judged.TIME, **rest)


@pytest.mark.parametrize(
    ("ratio", "expected"),
    [(0.59, Verdict.MISSED), (0.6, Verdict.OK), (0.61, Verdict.OK), (math.nan, Verdict.MISSED)],
)
def test_at_least_holds_from_its_limit_on(ratio: float, expected: Verdict) -> None:
    assert verdict(a_ratio(ratio, target=at_least(0.6)), REFERENCE) is expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(2.9, Verdict.OK), (3.0, Verdict.MISSED), (3.1, Verdict.MISSED), (math.nan, Verdict.MISSED)],
)
def test_under_holds_below_its_limit(seconds: float, expected: Verdict) -> None:
    assert verdict(a_time(seconds, target=under(3)), REFERENCE) is expected


@pytest.mark.parametrize(
    ("loop", "judged"), [(2330, False), (2340, True), (2920, True), (3500, True), (3510, False)]
)
def test_an_absolute_time_is_judged_within_20_percent_of_2920(loop: float, judged: bool) -> None:
    expected = Verdict.MISSED if judged else Verdict.NOT_JUDGED
    assert verdict(a_time(99.0, target=under(3)), loop) is expected


@pytest.mark.parametrize("loop", [300.0, 2920.0, 30_000.0])
def test_ratios_and_amounts_are_judged_on_any_machine(loop: float) -> None:
    memory = Figure(name="memory", value=0.9, unit="kB", target=under(0.8), judged=Judged.AMOUNT)
    assert verdict(a_ratio(0.5, target=at_least(0.6)), loop) is Verdict.MISSED
    assert verdict(a_ratio(0.7, target=at_least(0.6)), loop) is Verdict.OK
    assert verdict(memory, loop) is Verdict.MISSED


def test_a_target_for_a_ratio_that_is_not_there_is_missed() -> None:
    assert verdict(a_ratio(None, target=at_least(0.6)), REFERENCE) is Verdict.MISSED


def test_a_target_for_a_time_is_about_the_time_though_there_is_a_ratio() -> None:
    assert verdict(a_time(2.0, ratio=7.0, target=under(3)), REFERENCE) is Verdict.OK


def test_a_goal_without_a_target_is_no_verdict() -> None:
    assert verdict(a_ratio(0.1, goal=at_least(0.82)), REFERENCE) is Verdict.NO_TARGET


def test_the_rows_have_the_documented_fields() -> None:
    found = [a_ratio(0.7, target=at_least(0.6), goal=at_least(0.82)), a_time(2.0, goal=under(3))]
    assert rows(found, REFERENCE) == [
        {"name": "launches", "figure": 1500.0, "unit": "launches/s", "ratio": 0.7,
         "target": 0.6, "verdict": "ok"},
        {"name": "restart", "figure": 2.0, "unit": "s", "ratio": None,
         "target": None, "verdict": "no target"},
    ]  # fmt: skip


def test_the_table_says_target_goal_and_verdict() -> None:
    shown = StringIO()
    found = [a_ratio(0.5, target=at_least(0.6), goal=at_least(0.82)), a_time(2.346)]
    Console(file=shown, width=120).print(table(found, REFERENCE))
    [first, second] = [
        [cell.strip() for cell in line.split("│")[1:-1]]
        for line in shown.getvalue().splitlines()
        if line.startswith("│")
    ]
    assert first == ["launches", "1500 launches/s", "0.50", "at least 0.6", "at least 0.82",
                     "missed"]  # fmt: skip
    assert second == ["restart", "2.35 s", "", "", "", "no target"]
