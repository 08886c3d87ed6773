"""What systemd wants to hear from a service that is `Type=notify`.

Source: sd_notify(3). The standard library does it: one datagram each.
"""

import logging
import os
import socket
import sys

log = logging.getLogger(__name__)

_VARIABLE = "NOTIFY_SOCKET"


class Readiness:
    """Tells systemd how far the service is; nothing, where nobody listens."""

    def __init__(self, address: str) -> None:
        """`address`: a path, or a name in the abstract namespace that begins with "@"."""
        self._address = address

    def ready(self, status: str) -> None:
        """It is open for requests; `status` is one line, for `systemctl status`."""
        self._send(f"READY=1\nSTATUS={status}")

    def stopping(self) -> None:
        self._send("STOPPING=1\nSTATUS=stopping")

    def _send(self, message: str) -> None:
        if not self._address or sys.platform == "win32":
            return
        address = self._address
        if address.startswith("@"):
            address = "\0" + address[1:]
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as speaker:
                speaker.sendto(message.encode(), address)
        except OSError as error:  # systemd's time-out then says what happened
            log.warning("cannot tell systemd %s: %s", message.partition("\n")[0], error)


def expected() -> bool:
    """Did systemd start this process, and does it want to be told?"""
    return bool(os.environ.get(_VARIABLE))


def taken() -> Readiness:
    """For this process alone: what it starts from now on doesn't inherit the address."""
    return Readiness(os.environ.pop(_VARIABLE, ""))
