"""What a job's success asks for beside its solver's word, and what is measured in its results."""

import re
from collections.abc import Iterable, Mapping

import msgspec

from solveyard.model import paths

STREAMS = ("stdout", "stderr")
MOST = 100  #: of each kind of criterion, and of measures

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}")


class _Part(
    msgspec.Struct, frozen=True, kw_only=True, gc=False, forbid_unknown_fields=True,
    omit_defaults=True,
):  # fmt: skip
    pass


class Pattern(_Part, frozen=True, kw_only=True, gc=False):
    """A regular expression that is looked for in each line."""

    pattern: str
    source: str = msgspec.field(default="", name="from")  #: "stdout", "stderr", a file; "": both

    def __post_init__(self) -> None:
        _pattern(self.pattern)
        if self.source:
            _source(self.source)


class Bounds(_Part, frozen=True, kw_only=True, gc=False):
    """Where a measured value must lie; the bounds themselves are within."""

    min: float | None = None
    max: float | None = None

    def __post_init__(self) -> None:
        if self.min is None and self.max is None:
            raise ValueError("bounds have a `min`, a `max`, or both")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"`min` is {self.min:g}, above `max`, {self.max:g}")


class Measure(_Part, frozen=True, kw_only=True, gc=False):
    """One value in a job's results: where it is, and in one of three ways how it is found."""

    source: str = msgspec.field(default="stdout", name="from")  #: "stdout", "stderr", or a file
    pattern: str | None = None  #: with one group; of several matches the last counts
    json: str | None = None  #: a path in it: "result.gain[0]"
    touchstone: str | None = None  #: "S11 dB min", "S21 dB at 2.4GHz"

    def __post_init__(self) -> None:
        given = [name for name in ("pattern", "json", "touchstone") if getattr(self, name)]
        if len(given) != 1:
            raise ValueError(
                "a measure has one of `pattern`, `json` and `touchstone`, not "
                + (" and ".join(given) or "none")
            )
        if self.pattern is not None:
            _pattern(self.pattern)
        _source(self.source)


class SuccessCriteria(_Part, frozen=True, kw_only=True, gc=False):
    """All of these must hold, on top of the solver's own verdict."""

    exit_codes: tuple[int, ...] = (0,)
    files: tuple[str, ...] = ()  #: in its directory: there, not empty, newer than the start
    must_match: tuple[str | Pattern, ...] = ()  #: each in some line
    must_not_match: tuple[str | Pattern, ...] = ()  #: none in any line
    bounds: Mapping[str, Bounds] = {}  #: by the measure's name

    def __post_init__(self) -> None:
        if not self.exit_codes:
            raise ValueError("`exit_codes` is empty, so nothing could succeed")
        if any(not -(2**31) <= code < 2**32 for code in self.exit_codes):
            raise ValueError("`exit_codes` has a number that no process ends with")
        for name in ("files", "must_match", "must_not_match", "bounds"):
            _few(name, len(getattr(self, name)))
        for path in self.files:
            paths.inside(path)
        for one in (*self.must_match, *self.must_not_match):
            if isinstance(one, str):
                _pattern(one)


def check_measures(measures: Mapping[str, Measure], success: SuccessCriteria | None) -> None:
    """Raises ValueError for a name that can't be, or bounds of what isn't measured."""
    _few("measures", len(measures))
    for name in measures:
        if not _NAME.fullmatch(name):
            raise ValueError(
                f"{name!r} can't be a measure's name: a letter or _, then letters, digits and"
                " _.-, 64 in all"
            )
    for name in success.bounds if success else ():
        if name not in measures:
            known = ", ".join(measures) or "none"
            raise ValueError(f"`success.bounds` has {name!r}, but `measures` has {known}")


def files(measures: Mapping[str, Measure], success: SuccessCriteria | None) -> list[str]:
    """All files that they look at, each once."""
    if not measures and success is None:  # of most jobs, and asked twice of each
        return []
    named: list[str] = [measure.source for measure in measures.values()]
    if success is not None:
        named += success.files
        named += [one.source for one in located((*success.must_match, *success.must_not_match))]
    return list(dict.fromkeys(name for name in named if name and name not in STREAMS))


def located(given: Iterable[str | Pattern]) -> list[Pattern]:
    """A pattern alone is looked for in both streams."""
    return [Pattern(pattern=one) if isinstance(one, str) else one for one in given]


def _pattern(text: str) -> None:
    if not text or len(text) > 1000:
        raise ValueError(f"a pattern has 1 to 1000 characters, not {len(text)}")


def _source(name: str) -> None:
    if name not in STREAMS:
        try:
            paths.inside(name)
        except ValueError as error:
            raise ValueError(f"`from` is {name!r}: {error}, or 'stdout', or 'stderr'") from error


def _few(name: str, number: int) -> None:
    if number > MOST:
        raise ValueError(f"`{name}` has {number} entries; at most {MOST} are taken")
