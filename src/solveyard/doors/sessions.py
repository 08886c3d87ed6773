"""Signing in with a browser: a cookie stands for a token that was shown once.

The cookie's value is random and known here alone, in memory: a manager that was started anew
knows none. Scripts can't read it, and it counts only for what the manager's own page asks.
"""

import asyncio
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec
from aiohttp import web

from solveyard.doors import encoding
from solveyard.doors.keys import KEEPER, Caller, caller
from solveyard.doors.openapi import Route
from solveyard.model.reading import Malformed
from solveyard.tokens import digest

LIFETIME = 12 * 3600.0  #: s
PER_TOKEN = 20  #: sessions; the oldest ends when one more begins
LARGEST = 4096  #: bytes of what signs in
PATIENCE = 10.0  #: s for it to come


class _Session(NamedTuple):
    caller: Caller
    address: str  #: where it was begun, and is good from
    until: float


class Sessions:
    """Those of one manager."""

    def __init__(self, name: str, clock: Callable[[], float] = time.monotonic) -> None:
        """`name` tells this manager's cookie from others' at the same host, since cookies know no
        ports.
        """
        self.cookie = f"solveyard-{name}"
        self._clock = clock
        self._known: OrderedDict[str, _Session] = OrderedDict()  #: by the hash of their secret

    def begin(self, caller: Caller, address: str) -> str:
        """The secret of a new session."""
        secret = secrets.token_urlsafe(32)
        sha256 = digest(secret)
        self._forget_old()
        same = [one for one, kept in self._known.items() if kept.caller.token == caller.token]
        for one in same[: max(0, len(same) + 1 - PER_TOKEN)]:
            del self._known[one]
        known = caller._replace(session=sha256, private=False)
        self._known[sha256] = _Session(known, address, self._clock() + LIFETIME)
        return secret

    def whose(self, secret: str, address: str) -> Caller | None:
        """Who signed in with it; whether their token is good still, others have to ask."""
        self._forget_old()
        found = self._known.get(digest(secret))
        return found.caller if found is not None and found.address == address else None

    def live(self, caller: Caller) -> bool:
        """Has the session that let `caller` in not ended?"""
        self._forget_old()
        return caller.session in self._known

    def end(self, caller: Caller) -> None:
        self._known.pop(caller.session, None)

    def _forget_old(self) -> None:
        """They end in the order in which they began."""
        now = self._clock()
        while self._known and next(iter(self._known.values())).until <= now:
            self._known.popitem(last=False)


class SignIn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    token: str = ""  #: where it isn't sent as `Authorization: Bearer TOKEN`


class Who(msgspec.Struct, frozen=True, kw_only=True):
    name: str  #: an account, or "token:" and the token's name
    owner: bool
    session: bool  #: signed in, so that signing out means something


async def sign_in(request: web.Request) -> web.Response:
    """Sign in: a cookie stands for the token from now on, for 12 hours at most."""
    keeper = request.app[KEEPER]
    found = await _shown(request)
    if not isinstance(found, Caller):
        return keeper.turned_away(request, found)
    secret = keeper.sessions.begin(found, keeper.origin(request))
    response = encoding.answer(Who(name=found.name, owner=found.owner, session=True))
    response.set_cookie(
        keeper.sessions.cookie,
        secret,
        path=keeper.sites.path(request),
        secure=keeper.sites.secure(request),
        httponly=True,
        samesite="Strict",
    )
    response.headers["Cache-Control"] = "no-store"
    return response


async def _shown(request: web.Request) -> Caller | web.Response:
    """Whose token it is, or why it's nobody's."""
    small = request.clone(client_max_size=LARGEST)
    try:
        encoding.query(request, encoding.NoQuery)
        async with asyncio.timeout(PATIENCE):
            wish = await encoding.message(small, SignIn)
    except TimeoutError:
        return encoding.refusal(408, "timeout", "the body didn't come")
    except web.HTTPRequestEntityTooLarge:
        why = f"what signs in has at most {LARGEST} bytes"
        return encoding.refusal(413, "invalid_request", why)
    except web.HTTPUnsupportedMediaType as error:
        return encoding.refusal(415, "invalid_request", error.text or error.reason)
    except Malformed as error:
        return encoding.refused(error)
    return request.app[KEEPER].by_token(request, wish.token)


async def who(request: web.Request) -> web.Response:
    """Who you are."""
    encoding.query(request, encoding.NoQuery)
    found = caller(request)
    told = Who(name=found.name, owner=found.owner, session=bool(found.session))
    return encoding.answer(told, headers={"Cache-Control": "no-store"})


async def sign_out(request: web.Request) -> web.Response:
    """Sign out. Without a session, nothing changes."""
    encoding.query(request, encoding.NoQuery)
    keeper = request.app[KEEPER]
    keeper.sessions.end(caller(request))
    response = encoding.answer({"success": True})
    response.del_cookie(keeper.sessions.cookie, path=keeper.sites.path(request))
    return response


_Answer: Any = Who
ROUTES = (
    Route("POST", "/session", sign_in, body=SignIn, answer=_Answer, refused=(408,)),
    Route("GET", "/session", who, answer=_Answer),
    Route("DELETE", "/session", sign_out),
)
