"""How the system's ssh is called for one cluster: one connection, which all commands share.

Its master process outlives who opened it, so what somebody typed once is typed once. Source:
ssh(1), ssh_config(5) of OpenSSH 9.2.
"""

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field

#: What the settings may say; nothing here runs a program or opens a port.
OPTIONS = frozenset({
    "AddressFamily", "BindAddress", "BindInterface", "CertificateFile", "Ciphers", "Compression",
    "ConnectTimeout", "ConnectionAttempts", "GSSAPIAuthentication", "HostKeyAlgorithms",
    "HostKeyAlias", "HostName", "IdentitiesOnly", "IdentityAgent", "IdentityFile", "IPQoS",
    "KbdInteractiveAuthentication", "KexAlgorithms", "MACs", "NumberOfPasswordPrompts",
    "PasswordAuthentication", "Port", "PreferredAuthentications", "ProxyJump",
    "PubkeyAcceptedAlgorithms", "PubkeyAuthentication", "ServerAliveCountMax",
    "ServerAliveInterval", "StrictHostKeyChecking", "TCPKeepAlive", "User", "UserKnownHostsFile",
})  # fmt: skip
HOST = re.compile(r"(?:[A-Za-z0-9_][A-Za-z0-9_.+-]{0,63}@)?[A-Za-z0-9_][A-Za-z0-9_.:-]{0,252}")
VALUE = re.compile(r"[A-Za-z0-9_./~%+@:,=\[\]*^ -]{1,1024}")
_LEAVES = 600  #: s without a command after which a connection that nobody typed for is closed

#: Not what people's own settings may want of a session: nobody sits before this one.
_PLAIN = {
    "ForwardAgent": "no", "ForwardX11": "no", "ClearAllForwardings": "yes", "RequestTTY": "no",
    "RemoteCommand": "none", "PermitLocalCommand": "no", "ExitOnForwardFailure": "no",
}  # fmt: skip
#: What holds where the settings say nothing else: a cut wire is noticed within 15 s.
_USUAL = {"ConnectTimeout": "10", "ServerAliveInterval": "5", "ServerAliveCountMax": "3"}


@dataclass(frozen=True, kw_only=True)
class Login:
    """The way to a cluster's login node."""

    cluster: str
    host: str  #: "user@host", or a name from ssh's own configuration
    socket: str  #: path by which its connection is shared
    config: str = ""  #: ssh's configuration file; empty: the user's and the machine's
    options: Mapping[str, str] = field(default_factory=dict)  #: of OPTIONS

    def open(self, *, person: bool) -> list[str]:
        """Opens the connection and returns; `person`: somebody can be asked on this terminal."""
        persist = "yes" if person else str(_LEAVES)
        told = {
            "ControlMaster": "yes", "ControlPath": self.socket.replace("%", "%%"),
            "ControlPersist": persist, "BatchMode": "no" if person else "yes",
            **_PLAIN, **self.options,
        }  # fmt: skip
        usual = {name: value for name, value in _USUAL.items() if name not in self.options}
        return ["ssh", *self._config, "-N", *_options(told | usual), "--", self.host]

    def command(self, line: str) -> list[str]:
        """One command over the open connection; there is no other way but that."""
        only = {"ControlPath": self.socket.replace("%", "%%"), "ControlMaster": "no"}
        only |= {"ProxyCommand": "false", "BatchMode": "yes", "LogLevel": "ERROR"}
        return ["ssh", "-F", "none", "-T", *_options(only), "--", self.host, line]

    def control(self, what: str) -> list[str]:
        """`what`: "check" whether it is open, or "exit"."""
        path = {"ControlPath": self.socket.replace("%", "%%")}
        return ["ssh", "-F", "none", "-O", what, *_options(path), "--", self.host]

    @property
    def way_out(self) -> str:
        return f"run `solveyard cluster connect {self.cluster}`"

    @property
    def by_hand(self) -> str:
        """A command of nothing there, as a person types it: in by the same way, without us."""
        return shlex.join(["ssh", *self._config, *_options(self.options), self.host, "true"])

    @property
    def _config(self) -> list[str]:
        return ["-F", self.config] if self.config else []


def _options(options: Mapping[str, str]) -> list[str]:
    return [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
