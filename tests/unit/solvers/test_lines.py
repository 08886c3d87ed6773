"""Lines out of chunks."""

from hypothesis import given
from hypothesis import strategies as st

from solveyard.solvers.lines import LIMIT, Lines

PIECES = st.lists(
    st.one_of(
        st.binary(max_size=5),
        st.just(b"\n"),
        st.integers(LIMIT - 2, LIMIT + 2).map(lambda size: b"x" * size),
    ),
    max_size=20,
)


@given(PIECES)
def test_the_lines_are_the_same_however_they_were_cut(pieces: list[bytes]) -> None:
    lines = Lines()
    found = [line for piece in pieces for line in lines.feed(piece)]
    whole = b"".join(pieces).split(b"\n")[:-1]
    assert found == [line for line in whole if len(line) <= LIMIT]


def test_a_line_without_end_is_not_kept() -> None:
    lines = Lines()
    for _ in range(100):
        assert lines.feed(b"x" * 1000) == []
    assert len(lines._rest) <= LIMIT
    assert lines.feed(b"y\nnext\n") == [b"next"]
