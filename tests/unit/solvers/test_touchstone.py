"""Touchstone files, against the format's specification."""

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from solveyard.model.errors import InvalidResult
from solveyard.solvers.touchstone import Network, NotRead, parse, ports_of, write

GOLDEN = Path(__file__).parents[2] / "golden" / "command"

values = st.complex_numbers(max_magnitude=1e6, allow_nan=False, allow_infinity=False)


@st.composite
def networks(draw: st.DrawFn) -> Network:
    ports = draw(st.integers(1, 5))
    frequencies = sorted(draw(st.sets(st.floats(0, 1e12), min_size=1, max_size=4)))
    row = st.tuples(*[values] * ports)
    matrices = draw(
        st.lists(st.tuples(*[row] * ports), min_size=len(frequencies), max_size=len(frequencies))
    )
    return Network(tuple(frequencies), tuple(matrices), draw(st.floats(0.1, 1000)))


@given(networks())
def test_what_is_written_reads_back_without_loss(network: Network) -> None:
    assert parse(write(network), len(network.s[0])) == network


@given(st.text(alphabet="#!0123456789.eE+- \nHzSRIMADBGnaif_[]", max_size=200), st.integers(1, 4))
def test_any_text_is_a_network_or_an_invalid_result(text: str, ports: int) -> None:
    refusal, network = "", Network((), ())
    try:
        network = parse("# Hz S RI R 50\n" + text, ports)
    except InvalidResult as error:
        refusal = str(error)
    assert bool(refusal) != bool(network.frequencies)
    assert "\n" not in refusal
    assert len(refusal) < 200
    flat = [value for matrix in network.s for row in matrix for value in row]
    assert len(flat) == len(network.frequencies) * ports * ports
    assert all(math.isfinite(value.real) and math.isfinite(value.imag) for value in flat)


def test_a_two_port_is_filed_by_columns_and_its_noise_is_left_out() -> None:
    network = parse((GOLDEN / "line.s2p").read_text(), 2)
    assert network.frequencies == (100e6, 200e6)
    (s11, s12), (s21, s22) = network.s[0]
    assert [abs(value) for value in (s11, s21, s12, s22)] == pytest.approx([0.1, 0.9, 0.8, 0.2])
    assert s11 == pytest.approx(0.1j)
    assert s21 == pytest.approx(-0.9j)


def test_three_ports_are_filed_by_rows_in_decibels() -> None:
    network = parse((GOLDEN / "splitter.s3p").read_text(), 3)
    assert network.frequencies == (1e9,)
    assert network.resistance == 75
    matrix = network.s[0]
    assert matrix[0][1] == pytest.approx(1j * 10**-0.3)
    assert matrix[1][0] == pytest.approx(10**-0.15)
    assert matrix[2][2] == pytest.approx(0.1)


def test_lines_are_wrapped_and_comments_end_them() -> None:
    matrix = parse((GOLDEN / "hybrid.s4p").read_text(), 4).s[0]
    assert matrix[0] == (0.1, 0.2, 0.3, 0.4)
    assert matrix[2] == (0.9, 1.0, 0.1 + 1j, 0.2 + 1j)


def test_an_option_line_without_options_means_ghz_magnitude_50_ohm() -> None:
    assert parse("#\n2 0.5 180\n", 1) == Network((2e9,), (((pytest.approx(-0.5),),),), 50.0)


@pytest.mark.parametrize(("unit", "hertz"), [("Hz", 1), ("kHz", 1e3), ("MHz", 1e6), ("GHz", 1e9)])
def test_frequencies_are_given_in_hertz(unit: str, hertz: float) -> None:
    assert parse(f"# {unit} S RI R 50\n3 0 0\n", 1).frequencies == (3 * hertz,)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "no frequency"),
        ("# Hz S RI R 50\n", "no frequency"),
        ("1 0 0\n", "line 1: data before an option line"),
        ("# Hz X RI R 50\n", "line 1: option 'X'"),
        ("# Hz S RI R fifty\n", "line 1: 'FIFTY' is no number"),
        ("# Hz S RI R\n", "line 1: 'nothing' is no number"),
        ("# Hz S RI R 50\n1 0 zero\n", "line 2: 'zero' is no number"),
        ("# Hz S RI R 50\n1 0 1_0\n", "line 2: '1_0' is no number"),
        ("# Hz S RI R 50\n1 0 0\n2 nan 0\n", "line 3: nan is not finite"),
        ("# Hz S RI R 50\n1 0 1e999\n", "line 2: 1e999 is not finite"),
        ("# GHz S RI R 50\n1e300 0 0\n", "line 2: frequency 1e+300 is too large"),
        ("# Hz S DB R 50\n1 99999 0\n", "line 2: a value in dB is not finite"),
        ("# Hz S RI R 50\n2 0 0\n1 0 0\n", "line 3: frequency 1 is not ascending"),
        ("# Hz S RI R 50\n1 0 0\n1 0 0\n", "line 3: frequency 1 is not ascending"),
        ("# Hz S RI R 50\n1 0 0 0\n", "line 2: 4 values at one frequency; 1 ports have 3"),
        ("# Hz S RI R 50\n1 0 0\n2 0\n", "line 3: the file ends after 2 of 3 values"),
    ],
)
def test_what_is_no_touchstone_is_refused_with_its_line(text: str, complaint: str) -> None:
    with pytest.raises(InvalidResult) as caught:
        parse(text, 1)
    assert str(caught.value).startswith((complaint, "there is " + complaint))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("! by hand\n[Version] 2.0\n", "line 2: [Version] is Touchstone 2"),
        *((f"# GHz {kind} MA R 50\n1 2 3\n", f"line 1: {kind}-parameters") for kind in "YZGH"),
    ],
)
def test_what_is_touchstone_of_another_kind_is_told_from_what_is_none(
    text: str, complaint: str
) -> None:
    with pytest.raises(NotRead) as caught:
        parse(text, 1)
    assert str(caught.value).startswith(complaint)


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("inside", ["\x0b", "\x0c", "\x1c", "\x85", "\u2028"])
def test_a_comment_ends_with_its_line_alone(inside: str, ending: str) -> None:
    text = f"\ufeff! page 1{inside}page 2\n# Hz S RI R 50\n1 0.5 0 ! a{inside}b\n2 0.25 0\n"
    network = parse(text.replace("\n", ending), 1)
    assert network == Network((1.0, 2.0), (((0.5,),), ((0.25,),)), 50.0)


def test_a_files_name_tells_its_ports() -> None:
    names = ["a.s1p", "x/b.S12P", "c.s0p", "d.txt", "s2p", "e.s2p.gz"]
    assert [ports_of(name) for name in names] == [1, 12, None, None, None, None]
