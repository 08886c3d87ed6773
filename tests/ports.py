"""Ports for servers that a test starts."""

import itertools
import os
import socket

#: Below those that the kernel gives to connections; where each process begins differs.
_untried = itertools.count(20_000 + os.getpid() * 37 % 12_000)


def free_port() -> int:
    """Nobody has it, and nobody who asks the kernel for any port gets it meanwhile."""
    for port in _untried:
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("unreachable: there is always another")
