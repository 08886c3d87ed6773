"""Measures: what is found in logs, JSON and Touchstone files."""

import json
import math
import re
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from solveyard.model.criteria import Measure
from solveyard.model.errors import InvalidJob, InvalidResult
from solveyard.solvers import measures, patterns, quantities
from solveyard.solvers.patterns import Lines, Search
from solveyard.solvers.touchstone import Network

lines = st.lists(st.text(alphabet="ab1 :", max_size=6), max_size=12)
#: Expressions that mean the same to Python's `re`, which is the oracle.
expressions = st.sampled_from([
    r"a", r"^a", r"b$", r"^$", r"(a|b)1", r"[^a]b", r"\s1", r"a[^1]*b", r"(?i)A:", r":.*1", r"\bb",
    r"a\n*b", r"b\s+a",
])  # fmt: skip


def cut(text: bytes, sizes: list[int]) -> list[bytes]:
    pieces = []
    for size in sizes:
        pieces.append(text[:size])
        text = text[size:]
    return [*pieces, text]


def searched(pattern: str, pieces: list[bytes], *, last: bool) -> tuple[int, str] | None:
    search, reader = Search(pattern, last=last), Lines()
    for piece in pieces:
        for before, block in reader.feed(piece):
            search.feed(before, block)
    for before, block in reader.feed(b"", last=True):
        search.feed(before, block)
    return None if search.hit is None else (search.hit.number, search.hit.line)


@given(lines, expressions, st.lists(st.integers(0, 9), max_size=6), st.sampled_from(["\n", "\r\n"]))
def test_a_log_is_searched_line_by_line_however_it_comes_in_pieces(
    given_lines: list[str], pattern: str, sizes: list[int], ending: str
) -> None:
    text = "".join(line + ending for line in given_lines)
    hits = [(n, line) for n, line in enumerate(given_lines, 1) if re.search(pattern, line)]
    pieces = cut(text.encode(), sizes)
    assert searched(pattern, pieces, last=False) == (hits[0] if hits else None)
    assert searched(pattern, pieces, last=True) == (hits[-1] if hits else None)


@given(lines, st.integers(0, 9))
def test_of_several_matches_the_last_one_counts(given_lines: list[str], size: int) -> None:
    text = "\n".join(given_lines)
    found = re.findall(r"a(\d)", text)
    search, reader = Search(r"a(\d)", last=True), Lines()
    for piece in (text[:size].encode(), text[size:].encode()):
        for before, block in reader.feed(piece):
            search.feed(before, block)
    for before, block in reader.feed(b"", last=True):
        search.feed(before, block)
    assert (search.hit.groups[0] if search.hit else None) == (found[-1] if found else None)


parts = st.sampled_from([
    "a", "b", "1", " ", "[ab]", "[^a]", "a+", "(b?)", "a{2}", ".*?", "1|a", r"\b", "^", "$",
    "(?:ab)?",
])  # fmt: skip


@given(st.lists(parts, min_size=1, max_size=4).map("".join), st.text(alphabet="aab1 ", max_size=9))
def test_the_last_of_many_matches_is_the_one_that_is_listed_last(parted: str, line: str) -> None:
    pattern = f"({parted})"
    listed = [match[1] for match in re.finditer(pattern, line)]
    assume(all(listed))  # what follows a match of nothing isn't the same to `re`
    search = Search(pattern, last=True)
    search.feed(0, f"{line}\n")
    assert (search.hit.groups[0] if search.hit else None) == (listed[-1] if listed else None)


def test_of_a_line_with_many_matches_only_those_of_its_last_piece_are_listed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And none where no match is of nothing."""
    listed: list[int] = []
    finditer = patterns.re2._Regexp.finditer

    def listing(regexp: Any, text: str) -> Any:
        listed.append(len(text))
        return finditer(regexp, text)

    monkeypatch.setattr(patterns.re2._Regexp, "finditer", listing)
    pieces = [b"1 2 " * (patterns.PIECE // 4)] * 5 + [b"3 4 \n"]
    for pattern in (r"(\d)", r"(\d*)"):
        search, reader = Search(pattern, last=True), Lines()
        for number, piece in enumerate(pieces, 1):
            for block in reader.feed(piece, last=number == len(pieces)):
                search.feed(*block)
        assert search.hit is not None
        assert (search.hit.number, search.hit.groups) == (1, ("4",))
        assert listed == ([] if pattern == r"(\d)" else [4])


@pytest.mark.parametrize(
    ("pattern", "value"),
    [
        ("(.*)", "-12.5 dB v=7"), ("^(.*)$", "-12.5 dB v=7"), ("([0-9]*)", "7"),
        ("v=([0-9]*)", "7"), ("([0-9.]*) dB", "12.5"), ("w?([0-9]*)", "7"),
        ("v=7(.*)", ""), ("(x*)", ""),
    ],
)  # fmt: skip
def test_a_match_of_nothing_counts_where_its_line_has_no_other(pattern: str, value: str) -> None:
    search = Search(pattern, last=True)
    search.feed(0, "another line\n-12.5 dB v=7\n")
    assert search.hit is not None
    assert search.hit.groups == (value,)


def test_no_expression_takes_longer_than_its_log_is_long() -> None:
    search = Search(r"(a+)+$")
    search.feed(0, "a" * 1_000_000 + "b\n")  # for ever, where ways are tried one after another
    assert search.hit is None


def test_an_expression_that_would_hold_the_others_up_is_refused() -> None:
    with pytest.raises(InvalidJob, match="too large"):
        patterns.compiled(r"(?:.*a.{900})+b")


def test_a_line_longer_than_a_piece_is_searched_in_pieces() -> None:
    pieces = [b"x" * patterns.PIECE, b"x" * patterns.PIECE, b"needle\nnext\n"]
    assert searched("^next$", pieces, last=False) == (2, "next")
    found = searched("needle", pieces, last=False)
    assert found is not None
    assert found[0] == 1


@pytest.mark.parametrize("pattern", ["(", "a)(b", "(?=a)", r"(a)\1", "[b-a]", "a{1001}"])
def test_what_is_no_expression_is_refused_with_the_way_out(pattern: str) -> None:
    with pytest.raises(InvalidJob, match="RE2's syntax"):
        patterns.compiled(pattern)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12", 12), ("-3", -3), ("1e-3", 1e-3), ("0.5", 0.5), ("nan", "nan"), ("1_0", "1_0"),
        ("inf", "inf"), ("5 V", "5 V"), ("1e999", "1e999"), ("9" * 30, 1e30), ("٣", "٣"),
    ],
)  # fmt: skip
def test_a_match_is_a_number_where_it_is_a_finite_one(text: str, value: object) -> None:
    found = measures.of_text(text)
    assert (type(found), found) == (type(value), value)


scalars = (
    st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5)
)
names = st.text(alphabet="abc é_-", min_size=1, max_size=3)


@st.composite
def somewhere(draw: st.DrawFn) -> tuple[Any, str, Any]:
    """A JSON value, the path to a scalar in it, and the scalar."""
    scalar = draw(scalars)
    value, path = scalar, ""
    for _ in range(draw(st.integers(1, 4))):
        if draw(st.booleans()):
            name = draw(names)
            value = {**draw(st.dictionaries(names, scalars, max_size=3)), name: value}
            path = name + (f".{path}" if path and path[0] != "[" else path)
        else:
            before, after = draw(st.integers(0, 3)), draw(st.integers(0, 3))
            index = draw(st.sampled_from([before, -after - 1]))
            value = [None] * before + [value] + [None] * after
            path = f"[{index}]" + (f".{path}" if path and path[0] != "[" else path)
    return value, path, scalar


@given(somewhere())
def test_the_value_at_a_path_in_json_is_found(case: tuple[Any, str, Any]) -> None:
    value, path, scalar = case
    found = measures.of_json(json.dumps(value).encode(), path)
    assert found == scalar or math.isclose(float(found), float(scalar))
    assert isinstance(found, bool) is isinstance(scalar, bool)
    assert measures.of_json(json.dumps(value).encode("utf-8-sig"), path) == found


@pytest.mark.parametrize(
    ("content", "path", "why"),
    [
        (b"{", "a", "no JSON"),
        (b'{"a": {"b": []}}', "a.b[0]", r"nothing at 'a.b\[0\]'"),
        (b'{"a": {"b": []}}', "a.b", "no single value"),
        (b'{"a": null}', "a", "nothing at 'a'"),
        (b'{"a": 1}', "a.b", "nothing at 'a.b'"),
        (b"[1]", "a", "nothing at 'a'"),
        (b'{"0": 1}', "[0]", "nothing at"),
        (b"\xff", "a", "no JSON"),
        (b"[" * 100_000, "a", "no JSON"),
    ],
)
def test_json_without_the_value_says_where_it_ends(content: bytes, path: str, why: str) -> None:
    with pytest.raises(InvalidResult, match=why):
        measures.of_json(content, path)


@given(st.text(max_size=12))
def test_any_text_is_a_path_or_is_refused(text: str) -> None:
    try:
        found = measures.steps(text)
    except InvalidJob:
        return
    assert measures.steps(text.strip(".") if not found else text) == found


@pytest.mark.parametrize("path", [".a", "a..b", "a.", "a[", "a[x]", "a]b", "[0]a", "a.[0]"])
def test_a_path_that_is_none_is_refused(path: str) -> None:
    with pytest.raises(InvalidJob, match="no path in JSON"):
        measures.steps(path)


def network(values: list[complex]) -> Network:
    """One port, a frequency each 1 GHz from 1."""
    frequencies = tuple(1e9 * (n + 1) for n in range(len(values)))
    return Network(frequencies, tuple(((value,),) for value in values))


def asked(text: str, of: Network) -> float:
    return quantities.value(quantities.parse(text), of)


points = st.lists(
    st.tuples(st.floats(1e-6, 1e6), st.floats(-3, 3)).map(lambda p: complex(p[0], p[1])),
    min_size=1,
    max_size=8,
)


@given(points, st.data())
def test_quantities_are_what_arithmetic_says(values: list[complex], data: st.DataObject) -> None:
    of = network(values)
    decibels = [20 * math.log10(abs(value)) for value in values]
    assert asked("S11 dB min", of) == pytest.approx(min(decibels))
    assert asked("S1,1 dB max", of) == pytest.approx(max(decibels))
    assert asked("S11 re mean", of) == pytest.approx(sum(v.real for v in values) / len(values))
    lowest = asked("S11 dB argmin", of)
    assert decibels[round(lowest / 1e9) - 1] == pytest.approx(min(decibels))
    low = data.draw(st.integers(1, len(values)))
    high = data.draw(st.integers(low, len(values)))
    within = [value.imag for value in values[low - 1 : high]]
    assert asked(f"S11 im max from {low}GHz to {high}000 MHz", of) == pytest.approx(max(within))
    at = data.draw(st.integers(1, len(values)))
    assert asked(f"S11 mag at {at}GHz", of) == pytest.approx(abs(values[at - 1]))


def test_between_two_frequencies_s_is_interpolated() -> None:
    of = network([1 + 0j, 0 + 1j])
    assert asked("S11 re at 1.25 GHz", of) == pytest.approx(0.75)
    assert asked("S11 im at 1250MHz", of) == pytest.approx(0.25)


units = st.sampled_from([("Hz", 1.0), ("kHz", 1e3), ("MHz", 1e6), ("GHz", 1e9)])


@given(st.integers(1, 40_000), units, units)
def test_a_frequency_is_the_files_in_whatever_unit_either_is_written(
    kilohertz: int, ask: tuple[str, float], filed: tuple[str, float]
) -> None:
    steps = [kilohertz, 2 * kilohertz, 3 * kilohertz]
    written = [Decimal(step) * 1000 / Decimal(int(filed[1])) for step in steps]
    frequencies = tuple(float(one) * filed[1] for one in written)
    of = Network(frequencies, (((1 + 0j,),), ((2 + 0j,),), ((3 + 0j,),)))
    first, second, third = (
        f"{Decimal(step) * 1000 / Decimal(int(ask[1])):f}{ask[0]}" for step in steps
    )
    assert [asked(f"S11 mag at {one}", of) for one in (first, second, third)] == [1.0, 2.0, 3.0]
    assert asked(f"S11 mag min from {first} to {second}", of) == 1.0
    assert asked(f"S11 mag max from {first} to {second}", of) == 2.0
    assert asked(f"S11 mag min from {second} to {third}", of) == 2.0
    assert asked(f"S11 mag max from {second} to {third}", of) == 3.0


def test_a_band_of_one_frequency_in_two_units_is_no_band_downwards() -> None:
    of = Network((67e6, 134e6), (((1 + 0j,),), ((2 + 0j,),)))
    assert asked("S11 mag max from 0.067GHz to 67MHz", of) == 1.0


def test_a_zero_hinders_no_number_of_db_but_its_own() -> None:
    of = network([0j, 0.1 + 0j, 1 + 0j])
    assert asked("S11 dB max", of) == 0.0
    assert asked("S11 dB argmin", of) == 1e9
    assert asked("S11 dB min from 2GHz to 3GHz", of) == pytest.approx(-20)


def test_an_entry_is_named_as_the_wave_goes() -> None:
    of = Network((1e9,), (((1 + 0j, 2 + 0j), (3 + 0j, 4 + 0j)),))
    assert asked("S21 mag min", of) == 3.0
    assert asked("S12 mag min", of) == 2.0


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("S11 dB at 9GHz", "none at 9000000000"),
        ("S11 dB at 2.00001GHz", "to 2000000000 Hz, so it has none at 2000010000"),
        ("S11 dB min from 5GHz to 6GHz", "no frequency from 5000000000"),
        ("S21 dB min", "1 ports, so no S2,1"),
        ("S11 dB min", "zero"),
        ("S11 dB mean", "zero"),
        ("S11 dB at 1GHz", "zero"),
    ],
)
def test_what_the_file_does_not_have_is_said(text: str, why: str) -> None:
    with pytest.raises(InvalidResult, match=why):
        asked(text, network([0j, 1 + 0j]))


@pytest.mark.parametrize(
    "text",
    [
        "", "S11", "S11 dB", "S11 dB at", "S11 db min", "S1 dB min", "S111 dB min", "S0,1 dB min",
        "S11 dB min from 2GHz", "S11 dB min from 3GHz to 2GHz", "S11 dB at 2.4", "S11 dB at -1GHz",
        "Z11 re min", "S11 dB min max",
    ],
)  # fmt: skip
def test_what_is_no_quantity_is_refused(text: str) -> None:
    with pytest.raises(InvalidJob):
        quantities.parse(text)


@pytest.mark.parametrize(
    ("measure", "why"),
    [
        (Measure(pattern="gain"), "needs one group"),
        (Measure(pattern="(a)(b)"), "needs one group"),
        (Measure(source="a.csv", touchstone="S11 dB min"), ".s1p"),
        (Measure(json="a["), "no path"),
    ],
)
def test_a_measure_that_can_never_be_read_is_refused(measure: Measure, why: str) -> None:
    with pytest.raises(InvalidJob, match=why):
        measures.check(measure)
