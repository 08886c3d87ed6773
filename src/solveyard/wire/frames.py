"""Framing: a header of eight bytes, then a JSON list of messages (objects with a type, "t").

Header, big-endian: b"SY", frame version, reserved (0), length of the body in bytes.
Nothing that arrives can make the decoder hold more than LIMIT bytes or raise anything but
WireError; after a WireError the connection is of no more use.
"""

import json
import struct
from typing import Any, Dict, Iterable, List

VERSION = 1
LIMIT = 16 * 1024 * 1024  #: bytes in one body
MAGIC = b"SY"
_HEADER = struct.Struct(">2sBBI")
_ENCODER = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False)

Message = Dict[str, Any]  # JSON objects: what they hold is checked where they are used


class WireError(Exception):
    """The other side sent something that is no frame of ours."""


def encode(messages: Iterable[Message]) -> bytes:
    """Messages to bytes: as few frames as LIMIT allows.

    Raises WireError for a single message over LIMIT, which nobody could receive.
    """
    return pack([body_of(message) for message in messages])


def body_of(message: Message) -> bytes:
    """A message as it stands in a frame."""
    return _ENCODER.encode(message).encode("utf-8", "surrogatepass")


def pack(encoded: List[bytes]) -> bytes:
    """As `encode`, for messages that are JSON already."""
    frames, start, size = [], 0, 1
    for index, body in enumerate(encoded):
        if len(body) + 2 > LIMIT:
            raise WireError(
                "a message of {} bytes is over the limit of {}".format(len(body), LIMIT)
            )
        if size + len(body) + 1 > LIMIT:
            frames.append(_frame(encoded[start:index]))
            start, size = index, 1
        size += len(body) + 1
    if start < len(encoded):
        frames.append(_frame(encoded[start:]))
    return b"".join(frames)


def _frame(bodies: List[bytes]) -> bytes:
    body = b"[" + b",".join(bodies) + b"]"
    return _HEADER.pack(MAGIC, VERSION, 0, len(body)) + body


class Decoder:
    """Bytes, in any chunks, to messages."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    @property
    def pending(self) -> int:
        """Bytes of an unfinished frame; not 0 at the end of a stream: it was cut."""
        return len(self._buffer)

    def feed(self, chunk: bytes) -> List[Message]:
        """The messages that `chunk` completes. Raises WireError."""
        buffer = self._buffer
        buffer += chunk
        messages: List[Message] = []
        start = 0
        while len(buffer) - start >= _HEADER.size:
            magic, version, _, length = _HEADER.unpack_from(buffer, start)
            if magic != MAGIC:
                raise WireError("not a solveyard frame: it begins with {!r}".format(bytes(magic)))
            if version != VERSION:
                raise WireError(
                    "frame version {}; this side speaks version {}".format(version, VERSION)
                )
            if length > LIMIT:
                raise WireError("a frame of {} bytes is over the limit of {}".format(length, LIMIT))
            end = start + _HEADER.size + length
            if len(buffer) < end:
                break
            messages += _messages(bytes(buffer[start + _HEADER.size : end]))
            start = end
        del buffer[:start]
        return messages


def _no_number(word: str) -> None:
    raise ValueError("{} is no number".format(word))


_decode = json.JSONDecoder(parse_constant=_no_number).decode


def _messages(body: bytes) -> List[Message]:
    try:
        found = _decode(body.decode("utf-8", "surrogatepass"))
    except (ValueError, RecursionError) as error:
        raise WireError("a frame's body is not JSON: {}".format(error)) from error
    if not isinstance(found, list) or not all(
        isinstance(message, dict) and isinstance(message.get("t"), str) for message in found
    ):
        raise WireError("a frame's body is not a list of messages")
    return found
