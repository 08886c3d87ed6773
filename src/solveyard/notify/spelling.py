"""A secret in an address: how it is sent there, and how others write it who repeat it.

A server that repeats the address in what it answers may write it anew, part of it, or escape it for
the text that it stands in. So text and secret are both read for what they mean, then compared.
"""

import html
import re
from urllib.parse import quote

PLACE = "{secret}"  #: in an address: the secret goes there; in what is told: it stood there

_LEGAL = "!$&'()*+,;=:@/-._~%"  #: letters that an address's path and query may both hold
_ALONE = re.compile(r"%(?![0-9A-Fa-f]{2})")
#: Percent-encoding, and the escapes of JSON, Python and HTML.
_ESCAPE = re.compile(
    r"%[0-9a-f]{2}|\\ud[89ab][0-9a-f]{2}\\ud[c-f][0-9a-f]{2}|\\u[0-9a-f]{4}|\\x[0-9a-f]{2}|\\"
    r"|&(?:\#\d{1,7}|\#x[0-9a-f]{1,6}|[a-z]{2,8}\d{0,2});",
    re.IGNORECASE,
)
_DEPTH = 3  #: times that escapes are undone: some are escaped themselves
_WIDE = 10  #: bytes that others make of one, where they escape it once: "\\u002f", "&#0000047;"
#: Letters at the end of what was cut that may belong to an escape, 11 for each time it is undone.
_PENDING = _DEPTH * 11


def quoted(secret: str) -> str:
    """As one part of an address. What is legal there stays, be it percent-encoded already."""
    return quote(_ALONE.sub("%25", secret), safe=_LEGAL)


def longest(secret: str) -> int:
    """Bytes of a text that are to be read beyond those that are told."""
    return _WIDE * (len(secret.encode()) + _PENDING)


def without(secret: str, text: bytes, limit: int) -> bytes:
    """The first `limit` bytes of `text`, with PLACE where the secret begins among them.

    A text that goes on for `longest` bytes may have been cut: then PLACE is also where the secret
    may begin and end later, however wide it is written, and nothing is told from there on.
    """
    sought, _ = _meant(secret.encode())
    meant, places = _meant(text)
    kept, begin, end = [], 0, 0
    at = meant.find(sought) if sought else -1
    while at >= 0 and places[at] < limit:
        kept += [text[end : places[at]], PLACE.encode()]
        begin = at + len(sought)
        end = places[begin]
        at = meant.find(sought, begin)
    if sought and len(text) >= limit + longest(secret):
        known = max(begin, len(meant) - _PENDING)
        for at in range(max(begin, known - len(sought) + 1), known + 1):
            if places[at] < limit and sought.startswith(meant[at:known]):
                return b"".join([*kept, text[end : places[at]], PLACE.encode()])
    return b"".join([*kept, text[end:limit]])


def _meant(text: bytes) -> tuple[str, list[int]]:
    """What `text` is without escapes, a letter for each byte; and where in `text` each begins,
    and after the last one its end.
    """
    meant, places = text.decode("latin-1"), list(range(len(text) + 1))
    for _ in range(_DEPTH):
        meant, places = _undone(meant, places)
    return meant.replace("+", " ").lower(), places  # a form's blank; %2f; a host's name


def _undone(text: str, places: list[int]) -> tuple[str, list[int]]:
    parts, begins, end = [], [], 0
    for found in _ESCAPE.finditer(text):
        letters = _letters(found[0])
        parts += [text[end : found.start()], letters]
        begins += places[end : found.start()]
        begins += [places[found.start()]] * len(letters)
        end = found.end()
    return "".join([*parts, text[end:]]), begins + places[end:]


def _letters(escape: str) -> str:
    """What it stands for, a letter for each byte of UTF-8."""
    if escape.startswith("&"):
        letters = html.unescape(escape)
    elif escape[1:2] in {"u", "U"}:
        units = bytes.fromhex(re.sub(r"\\u", "", escape, flags=re.IGNORECASE))
        letters = units.decode("utf-16-be", errors="surrogatepass")
    else:  # a backslash alone only says that the next letter is meant as it is
        return chr(int(escape.lstrip("%\\xX"), 16)) if len(escape) > 1 else ""
    return letters.encode(errors="surrogatepass").decode("latin-1")
