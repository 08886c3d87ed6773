"""Who is at the other end of a Unix socket: the kernel says."""

import socket
import struct
import sys
from typing import Optional, Protocol


class Connection(Protocol):
    """A socket, or asyncio's wrapper of one."""

    family: int

    def getsockopt(self, level: int, name: int, size: int) -> bytes: ...


def peer_uid(connection: Connection) -> Optional[int]:
    """The user id of the process that connected; None where the kernel doesn't tell.

    Source: unix(7), SO_PEERCRED; unix(4) of the BSDs and macOS, LOCAL_PEERCRED.
    """
    if sys.platform == "win32" or connection.family != socket.AF_UNIX:
        return None
    if sys.platform == "linux":
        size = struct.calcsize("3i")
        credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
        return int(struct.unpack("3i", credentials)[1])
    if sys.platform == "darwin" or sys.platform.startswith("freebsd"):
        local, local_peercred = 0, 1
        credentials = connection.getsockopt(local, local_peercred, struct.calcsize("2I"))
        return int(struct.unpack("2I", credentials)[1])
    return None
