"""Texts that people write and others look at, in any script."""

import re

#: What ends a line or commands a terminal, the controls that turn what follows around (Unicode's
#: embeddings, overrides and isolates), and halves of characters, as Python has bytes that are no
#: UTF-8. Blanks and joiners are part of how words are written: Japanese, Persian, French.
_STEERING = re.compile("[\0-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def is_plain(text: str) -> bool:
    """On one line, without what would steer a terminal?"""
    return _STEERING.search(text) is None


def plain(text: str) -> str:
    """On one line, without what would steer a terminal: others may have written it."""
    return _STEERING.sub(lambda one: " " if one[0].isspace() else "\ufffd", text)


def escaped(json: str) -> str:
    """The same JSON without what would steer a terminal: each of it as \\uXXXX."""
    return _STEERING.sub(lambda one: f"\\u{ord(one[0]):04x}", json)
