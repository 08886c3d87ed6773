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
_WIDEST = 6  #: bytes that others may make of one: "\\u002f", "&#x2f;"


def quoted(secret: str) -> str:
    """As one part of an address. What is legal there stays, be it percent-encoded already."""
    return quote(_ALONE.sub("%25", secret), safe=_LEGAL)


def longest(secret: str) -> int:
    """Bytes that it may take, however it is written."""
    return _WIDEST * len(secret.encode())


def without(secret: str, text: bytes, limit: int) -> bytes:
    """The first `limit` bytes of `text`, with PLACE where the secret begins among them.

    None of it is left at the end where `text` goes on for `longest` bytes, or no more was to come.
    """
    sought, _ = _meant(secret.encode())
    meant, places = _meant(text)
    kept, end = [], 0
    at = meant.find(sought) if sought else -1
    while at >= 0 and places[at] < limit:
        kept += [text[end : places[at]], PLACE.encode()]
        end = places[at + len(sought)]
        at = meant.find(sought, at + len(sought))
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
