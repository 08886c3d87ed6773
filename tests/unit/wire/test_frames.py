"""Frames: what goes in comes out; nothing else does harm."""

import itertools
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from solveyard.wire.frames import LIMIT, Decoder, Message, WireError, encode

NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)
MESSAGES = st.lists(
    st.dictionaries(st.text(), VALUES).map(lambda fields: {**fields, "t": "x"}), max_size=5
)


@given(messages=MESSAGES, cuts=st.lists(st.integers(0, 2000)))
def test_messages_arrive_in_order_in_whatever_pieces(
    messages: list[Message], cuts: list[int]
) -> None:
    data = encode(messages)
    edges = sorted({0, len(data), *[cut for cut in cuts if cut < len(data)]})
    decoder = Decoder()
    found: list[Message] = []
    for begin, end in itertools.pairwise(edges):
        found += decoder.feed(data[begin:end])
    assert found == messages
    assert decoder.pending == 0


#: What is in a frame says nothing about where it may be cut.
SMALL = st.lists(
    st.dictionaries(st.text(max_size=5), NUMBERS, max_size=3).map(
        lambda fields: {**fields, "t": "x"}
    ),
    min_size=1,
    max_size=3,
)


@given(messages=SMALL, cut=st.integers(1, 10))
def test_a_frame_that_was_cut_is_pending(messages: list[Message], cut: int) -> None:
    decoder = Decoder()
    data = encode(messages)
    assert decoder.feed(data[:-cut]) == []
    assert decoder.pending == max(0, len(data) - cut)


@given(junk=st.binary(max_size=300))
def test_random_bytes_raise_a_wire_error_or_wait(junk: bytes) -> None:
    decoder = Decoder()
    try:
        decoder.feed(junk)
    except WireError:
        return
    assert decoder.pending <= len(junk)


@given(body=st.binary(max_size=300))
def test_random_bodies_raise_a_wire_error_or_are_messages(body: bytes) -> None:
    frame = b"SY" + struct.pack(">BBI", 1, 0, len(body)) + body
    try:
        found: list[Any] = Decoder().feed(frame)
    except WireError:
        return
    assert all(isinstance(message["t"], str) for message in found)


@pytest.mark.parametrize(
    ("header", "words"),
    [
        (b"XX" + struct.pack(">BBI", 1, 0, 2), "not a solveyard frame"),
        (b"SY" + struct.pack(">BBI", 9, 0, 2), "version 9"),
        (b"SY" + struct.pack(">BBI", 1, 0, LIMIT + 1), "over the limit"),
    ],
)
def test_a_wrong_header_is_refused_before_its_body_comes(header: bytes, words: str) -> None:
    with pytest.raises(WireError, match=words):
        Decoder().feed(header)


def test_deep_nesting_is_a_wire_error() -> None:
    body = b"[" * 100_000
    with pytest.raises(WireError, match="not JSON"):
        Decoder().feed(b"SY" + struct.pack(">BBI", 1, 0, len(body)) + body)


def test_a_message_over_the_limit_is_refused_by_its_sender() -> None:
    with pytest.raises(WireError, match="over the limit"):
        encode([{"t": "x", "v": "y" * LIMIT}])


def test_many_messages_are_split_into_frames_below_the_limit() -> None:
    messages = [{"t": "x", "v": "y" * (LIMIT // 3)} for _ in range(7)]
    data = encode(messages)
    assert len(data) > 2 * LIMIT
    decoder = Decoder()
    assert decoder.feed(data) == messages
