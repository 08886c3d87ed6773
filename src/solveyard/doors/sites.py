"""Which sites may have a browser ask this manager: its own, by the names that it goes by."""

import socket
from collections.abc import Collection
from urllib.parse import SplitResult, urlsplit

from aiohttp import web

from solveyard.doors import encoding, procnet
from solveyard.model.errors import InvalidRequest

LIVE = "/socket.io/"  #: where bodies are Socket.IO's own
SAFE = frozenset({"GET", "HEAD"})
_PORTS = {"http": 80, "https": 443}  #: which browsers leave out
_ADMIT = "admit it with `allowed_hosts` in config.toml or solveyard serve --allowed-host"


def public_url(text: str) -> str:
    """The address by which people come through a proxy, in one form: without a last slash.

    Raises InvalidRequest.
    """
    try:
        split = urlsplit(text)
        host, port = split.hostname or "", split.port
    except ValueError as error:
        raise InvalidRequest(f"{text!r} is no public URL: {error}") from error
    plain = split.scheme in _PORTS and host and split.username is None
    path = split.path.rstrip("/")
    if not plain or split.query or split.fragment or "//" in path or not text.isprintable():
        raise InvalidRequest(f"{text!r} is no public URL (it is like https://host/sub/path)")
    host = f"[{host}]" if ":" in host else host
    shown = f":{port}" if port not in {None, _PORTS[split.scheme]} else ""
    return f"{split.scheme}://{host}{shown}{path}"


class Sites:
    """The names of one manager, and what a request tells about the site that had it sent."""

    def __init__(self, allowed_hosts: Collection[str] = (), public: str = "") -> None:
        """`allowed_hosts`: names by which browsers may call this machine, a proxy's among them,
        with their port where it isn't the scheme's own; `public`: as `public_url` answers it.
        """
        self._public: SplitResult = urlsplit(public)
        self._proxied = {host.lower() for host in allowed_hosts}
        if self._public.netloc:
            self._proxied.add(self._public.netloc)
        self._hosts = {"localhost", socket.gethostname().lower(), *self._proxied}
        self._last = ""  #: the last that was one of them, as it came: nearly all come by one name

    def foreign(self, request: web.Request) -> web.Response | None:
        """The refusal of what another site may have made a browser send; None: nothing of that."""
        host = request.headers.get("Host", "")
        if not self._own(host):
            return encoding.refusal(
                403,
                "forbidden",
                f"the host {host!r} is not one of this manager's names ({_ADMIT})",
            )
        origin = request.headers.get("Origin")
        if origin is not None and not self._same(origin, host):
            return encoding.refusal(
                403,
                "forbidden",
                f"the site {origin!r} may not ask this manager ({_ADMIT})",
            )
        elsewhere = request.headers.get("Sec-Fetch-Site") in {"cross-site", "same-site"}
        if elsewhere and origin is None and request.method not in SAFE:
            return encoding.refusal(403, "forbidden", "another site may not ask this manager")
        declared = "Content-Type" in request.headers and not encoding.is_json(request)
        if declared and request.method not in SAFE and not request.path.startswith(LIVE):
            return encoding.refusal(415, "invalid_request", encoding.not_json(request.content_type))
        return None

    def path(self, request: web.Request) -> str:
        """Below what the browser sees this manager's routes; "/" where it comes by no proxy."""
        return f"{self._public.path}/" if self._by_public(request) else "/"

    def secure(self, request: web.Request) -> bool:
        """Does the browser speak TLS, to us or to a proxy?"""
        public = self._public.scheme == "https" and self._by_public(request)
        return request.secure or public or request.headers.get("X-Forwarded-Proto") == "https"

    def _by_public(self, request: web.Request) -> bool:
        host = request.headers.get("Host", "").lower()
        return bool(host) and host == self._public.netloc

    def _own(self, host: str) -> bool:
        """Numbers are no names: nobody can make a name's owner answer for them."""
        if host and host == self._last:
            return True
        try:
            split = urlsplit(f"//{host}")
            name, _ = split.hostname or "", split.port
        except ValueError:
            return False
        if not name or split.username is not None or split.path or split.query or split.fragment:
            return False
        if not procnet.numeric(name) and self._hosts.isdisjoint({name, host.lower()}):
            return False
        self._last = host
        return True

    def _same(self, origin: str, host: str) -> bool:
        try:
            split = urlsplit(origin)
        except ValueError:
            return False
        if split.scheme not in _PORTS or not split.netloc:
            return False
        if split.netloc.lower() == self._public.netloc and split.scheme != self._public.scheme:
            return False  # who can change what is sent there unencrypted is no part of us
        return split.netloc.lower() == host.lower() or split.netloc.lower() in self._proxied


def page_asks(request: web.Request) -> bool:
    """Does a page of this manager's own ask, as far as a browser says? Foreign ones are refused.

    A cookie goes along with whatever a browser sends; so it counts only here.
    """
    site = request.headers.get("Sec-Fetch-Site")
    if site not in {None, "same-origin", "none"}:
        return False
    upgrades = "Upgrade" in request.headers
    if request.method in SAFE and not upgrades and not request.path.startswith(LIVE):
        return True
    return "Origin" in request.headers or (site == "same-origin" and not upgrades)
