"""The kernel's table of TCP sockets on Linux: whose is the other end, and who listens at a port.

Source: proc_net_tcp.txt of the kernel's documentation: addresses are hexadecimal, in words of
four bytes in the machine's own order; a socket that no process has any more shows inode 0 and
the uid 0, whoever made it.
"""

import ipaddress
import socket
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
_LISTENS = 0x0A
_OVERFLOW = Path("/proc/sys/kernel/overflowuid")  #: stands for accounts of other namespaces


class Row(NamedTuple):
    local: str  #: address and port, as the kernel writes them
    remote: str
    state: int
    uid: int
    inode: int


class Holder(NamedTuple):
    """Who listens at a port, as far as can be seen."""

    uid: int
    pid: int | None
    command: str


def loopback(host: str) -> bool:
    """Is it an address of this machine to itself?"""
    address = _address(host)
    return address is not None and address.is_loopback


def numeric(host: str) -> bool:
    """Is it an address, not a name?"""
    return _address(host) is not None


def uid_of_peer(local: tuple[str, int], remote: tuple[str, int]) -> int | None:
    """The account whose process has the socket at `remote`, connected to `local`.

    None where the kernel doesn't say: no such socket here, or no process that has it any more.
    """
    theirs, ours = _texts(*remote), _texts(*local)
    for _ in range(2):  # the table is read in pieces, between which a row may move
        for row in _rows():
            if row.local in theirs and row.remote in ours and row.inode:
                return row.uid if row.uid != _overflow() else None
    return None


def holder(port: int) -> Holder | None:
    """Who listens at `port`; None: nobody that can be seen."""
    suffix = f":{port:04X}"
    for row in _rows():
        if row.state == _LISTENS and row.local.endswith(suffix):
            pid = _process_with(row.inode)
            return Holder(row.uid, pid, _command(pid) if pid is not None else "")
    return None


def _rows() -> Iterator[Row]:
    if sys.platform != "linux":
        return
    for table in TABLES:
        try:
            lines = table.read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            words = line.split()
            yield Row(words[1], words[2], int(words[3], 16), int(words[7]), int(words[9]))


def _texts(host: str, port: int) -> set[str]:
    """How the kernel may write it: an IPv4 address may be in a socket for IPv6."""
    address = _address(host)
    if address is None:
        return set()
    found = {_written(address.packed, port)}
    if isinstance(address, ipaddress.IPv4Address):
        found.add(_written(ipaddress.ip_address(f"::ffff:{address}").packed, port))
    return found


def _written(packed: bytes, port: int) -> str:
    words = struct.unpack(f"={len(packed) // 4}I", packed)
    return "".join(f"{word:08X}" for word in words) + f":{port:04X}"


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _overflow() -> int:
    try:
        return int(_OVERFLOW.read_text())
    except (OSError, ValueError):
        return -1


def _process_with(inode: int) -> int | None:
    """The process that has the socket, where its files can be seen."""
    link = f"socket:[{inode}]"
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            if any(str(file.readlink()) == link for file in (entry / "fd").iterdir()):
                return int(entry.name)
        except OSError:
            continue
    return None


def _command(pid: int) -> str:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return ""
    return b" ".join(words).decode(errors="replace").strip()[:200]


def endpoints(connection: socket.socket) -> tuple[tuple[str, int], tuple[str, int]]:
    """Our end of a TCP connection, and theirs."""
    ours, theirs = connection.getsockname(), connection.getpeername()
    return (ours[0], ours[1]), (theirs[0], theirs[1])
