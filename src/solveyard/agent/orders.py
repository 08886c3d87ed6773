"""What a manager may tell a spawner, checked.

A field that is missing or of the wrong type raises Malformed, which names it. Fields that are
not known are ignored: a newer manager may send them.
"""

from __future__ import annotations

import math
import os
from operator import itemgetter
from types import MappingProxyType
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Sequence

from solveyard.wire.beneath import CLOSED
from solveyard.wire.frames import Message

#: What a launch may ask for that spawners before did not know, and would not heed.
ABILITIES = ("bounds",)  # `within`


class Malformed(ValueError):
    """A known message with a field that is missing or of the wrong type."""


class Launch(NamedTuple):
    """One command to start, once."""

    attempt: str
    argv: List[str]
    env: Dict[str, str]  #: beside the agent's own
    cwd: str  #: absolute
    stdout: str  #: absolute
    stderr: str  #: absolute
    grace: float  #: s between TERM and KILL
    mkdir: bool = False  #: make `cwd` where it is missing
    files: Mapping[str, str] = MappingProxyType({})  #: relative path -> text
    outputs: Sequence[str] = ()  #: relative paths that are looked at before and after
    limit: Optional[float] = None  #: s of running
    warning: Optional[float] = None  #: s before the limit
    warning_signal: str = "USR1"
    after: Optional[str] = None  #: start once this attempt has ended
    brief: bool = False  #: expected to take milliseconds: cheap checks alone
    pin: Sequence[int] = ()  #: the processors that its whole tree is bound to; none: unbound
    session: str = ""  #: file that tells of the process without which it shall not go on
    alone: float = 0.0  #: s for which TERM is the first process's alone, at most half of the grace
    within: Sequence[str] = ()  #: real folders that bound `cwd`, see `beneath`; none: anywhere


_TEXT = frozenset({str})  # what JSON brings is of exactly these types


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _filled(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _absolute(value: Any) -> bool:
    return isinstance(value, str) and (value[:1] == "/" or os.path.isabs(value))


def _flag(value: Any) -> bool:
    return isinstance(value, bool)


def _seconds(value: Any) -> bool:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return number and math.isfinite(value) and value >= 0


def _texts(value: Any) -> bool:
    return isinstance(value, list) and set(map(type, value)) <= _TEXT


def _numbers(value: Any) -> bool:
    return isinstance(value, list) and all(type(each) is int and each >= 0 for each in value)


def _inside(path: str) -> bool:
    parts = path.replace("\\", "/").split("/")
    return bool(path) and not os.path.isabs(path) and ".." not in parts


def _paths(value: Any) -> bool:
    return _texts(value) and all(_inside(path) for path in value)


def _mapping(value: Any) -> bool:
    return isinstance(value, dict) and set(map(type, value.values())) <= _TEXT


def _files(value: Any) -> bool:
    return _mapping(value) and all(_inside(path) for path in value)


def _optional(check: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: value is None or check(value)


_LAUNCH: Dict[str, Callable[[Any], bool]] = {
    "attempt": _filled,
    "argv": lambda value: _texts(value) and len(value) > 0,
    "env": _mapping,
    "cwd": _absolute,
    "stdout": _absolute,
    "stderr": _absolute,
    "grace": _seconds,
    "mkdir": _flag,
    "files": _files,
    "outputs": _paths,
    "limit": _optional(_seconds),
    "warning": _optional(_seconds),
    "warning_signal": _text,
    "after": _optional(_filled),
    "brief": _flag,
    "pin": _numbers,
    "session": _text,
    "alone": _seconds,
    "within": lambda value: _texts(value) and all(_absolute(one.lstrip(CLOSED)) for one in value),
}
_REQUIRED = ("attempt", "argv", "env", "cwd", "stdout", "stderr", "grace")


_FIELDS = itemgetter(*Launch._fields)
_TYPES = (str, list, dict, str, str, str, float, bool, dict, list)  # of the fields before `limit`


def launch(message: Message) -> Launch:
    """A launch message, checked. Raises Malformed."""
    try:
        order = Launch(*_FIELDS(message))
    except KeyError:  # a field that has a default, or one that must be there
        return _launch(message)
    return order if _usual(order) else _launch(message)


def _usual(order: Launch) -> bool:
    """Is it what managers send for a plain command? Then no field needs a closer look."""
    return (
        tuple(map(type, order[:10])) == _TYPES
        and order.argv != []
        and set(map(type, order.argv)) == _TEXT
        and set(map(type, order.env.values())) <= _TEXT
        and order.attempt != ""
        and order.cwd[:1] == order.stdout[:1] == order.stderr[:1] == "/"
        and 0.0 <= order.grace < math.inf
        and not order.files
        and (order.outputs == [] or _paths(order.outputs))
        and (order.limit is None or (type(order.limit) is float and 0.0 <= order.limit < math.inf))
        and order.warning is None
        and type(order.warning_signal) is str
        and (order.after is None or (type(order.after) is str and order.after != ""))
        and type(order.brief) is bool
        and order.pin == []
        and type(order.session) is str
        and type(order.alone) is float
        and 0.0 <= order.alone < math.inf
        and order.within == []
    )


def _launch(message: Message) -> Launch:
    """Field by field, so that what is wrong can be named."""
    fields = {}
    for name, check in _LAUNCH.items():
        if name in message:
            value = message[name]
            if not check(value):
                raise Malformed("the launch's field `{}` is {!r:.100}".format(name, value))
            fields[name] = value
        elif name in _REQUIRED:
            raise Malformed("the launch has no field `{}`".format(name))
    return Launch(**fields)


def text(message: Message, name: str) -> str:
    """The field `name`, a string that is not empty. Raises Malformed."""
    return str(_field(message, name, _filled))


def texts(message: Message, name: str) -> List[str]:
    """The field `name`, a list of strings. Raises Malformed."""
    return list(_field(message, name, _texts))


def seconds(message: Message, name: str) -> float:
    """The field `name`, a number of seconds from 0. Raises Malformed."""
    return float(_field(message, name, _seconds))


def limit(message: Message) -> Optional[float]:
    """The field `limit`: seconds, or None for no limit. Raises Malformed."""
    value = _field(message, "limit", _optional(_seconds))
    return None if value is None else float(value)


def _field(message: Message, name: str, check: Callable[[Any], bool]) -> Any:
    if name not in message or not check(message[name]):
        found = repr(message[name])[:100] if name in message else "missing"
        raise Malformed("field `{}` of a `{}` is {}".format(name, message["t"], found))
    return message[name]
