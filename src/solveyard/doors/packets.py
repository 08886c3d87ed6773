"""What a client of live events may send: a strict part of Engine.IO and Socket.IO.

There are no attachments, acknowledgements or JSONP in it, since nothing of ours asks for them.
"""

from typing import Any

from socketio.packet import CONNECT, DISCONNECT, EVENT, Packet

MANY = 16  #: packets in one request
_MESSAGES = ("40", "41", "42")  #: connect, disconnect, event
_PLAIN = frozenset({"1", "3"})  #: close, pong
_UPGRADE = frozenset({"2probe", "5"})
_RESERVED = frozenset({"connect", "disconnect"})


class Refused(Exception):
    """It is no packet that a client may send."""


class Checked(Packet):  # type: ignore[misc]  # it has no types
    """A Socket.IO packet that the server can handle, whatever it was read from."""

    def decode(self, encoded_packet: Any) -> int:
        """Raises Refused."""
        try:
            attachments = super().decode(encoded_packet)
        except (ValueError, RecursionError) as error:
            raise Refused("a message is not Socket.IO's") from error
        if attachments or self.packet_type not in {CONNECT, DISCONNECT, EVENT}:
            raise Refused("a message is of a kind that nothing here takes")
        if self.packet_type == EVENT and not _named(self.data):
            raise Refused("an event has no name, or one that is the protocol's own")
        return 0


def check(packet: str | bytes, *, upgrading: bool = False) -> None:
    """Raises Refused; `upgrading`: a websocket takes the place of polling."""
    if isinstance(packet, bytes):
        raise Refused("a packet is binary")
    plain = _UPGRADE if upgrading else _PLAIN
    if packet not in plain and (upgrading or not packet.startswith(_MESSAGES)):
        raise Refused("a packet is not Engine.IO's, or not a client's")


def check_body(body: bytes) -> None:
    """The same for all packets in the body of a request."""
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise Refused("the body is not UTF-8") from error
    packets = text.split("\x1e")
    if len(packets) > MANY:
        raise Refused(f"the body has {len(packets)} packets; it may have {MANY}")
    for packet in packets:
        check(packet)


def _named(event: object) -> bool:
    if not isinstance(event, list) or not event or not isinstance(event[0], str):
        return False
    return event[0] not in _RESERVED
