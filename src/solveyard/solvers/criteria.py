"""A job's own criteria and measures: what must be read for them, and what they make of it.

They hold for every solver, on top of its verdict.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

from msgspec.structs import replace

from solveyard.model import criteria
from solveyard.model.arrays import Value
from solveyard.model.criteria import STREAMS, Measure, Pattern, SuccessCriteria
from solveyard.model.errors import InvalidJob, InvalidResult
from solveyard.model.jobs import JobSpec, Outcome, Reason
from solveyard.solvers import measures, patterns, touchstone
from solveyard.solvers.base import Exit
from solveyard.solvers.patterns import Lines, Search
from solveyard.solvers.verdicts import RESULT_LIMIT, complaint, criterion

LOG_LIMIT = 1 << 30  #: bytes of one file, from the end, that are searched for patterns

_NONE = SuccessCriteria()


def check(spec: JobSpec) -> None:
    """Raises InvalidJob, naming the field, for what could not be judged later."""
    if spec.success is not None:
        for name in ("must_match", "must_not_match"):
            for index, one in enumerate(criteria.located(getattr(spec.success, name))):
                with _field(f"success.{name}[{index}]"):
                    patterns.compiled(one.pattern)
    for name, measure in spec.measures.items():
        with _field(f"measures.{name}"):
            measures.check(measure)


class Source:
    """A file or stream that is read once, for all who ask something of it."""

    def __init__(self) -> None:
        self.searches: dict[tuple[str, bool], Search] = {}
        self.whole = False  #: somebody wants its content
        self.missing = ""  #: why it couldn't be read
        self.left_out = 0  #: bytes at its beginning that weren't read
        self._lines = Lines()
        self._content = bytearray()
        self._size = 0

    @property
    def limit(self) -> int:
        """Bytes that are to be read, from the end."""
        return LOG_LIMIT if self.searches else RESULT_LIMIT + 1

    def feed(self, piece: bytes, *, last: bool = False) -> None:
        """What there is to read, in order."""
        self._size += len(piece)
        if self.whole and self._size <= RESULT_LIMIT:
            self._content += piece
        if self.searches:
            for before, block in self._lines.feed(piece, last=last):
                for search in self.searches.values():
                    search.feed(before, block)

    def search(self, pattern: str, *, last: bool = False) -> Search:
        """The same for all who ask for the same."""
        return self.searches.setdefault((pattern, last), Search(pattern, last=last))

    def content(self) -> bytes:
        """Raises InvalidResult."""
        if self.left_out or self._size > RESULT_LIMIT:
            raise InvalidResult(f"it is larger than {RESULT_LIMIT >> 20} MiB, and was not read")
        return bytes(self._content)


class Criteria:
    """What one job asks for. Its `sources` are to be fed; then it judges."""

    def __init__(self, spec: JobSpec) -> None:
        """Raises InvalidJob."""
        self._success = spec.success or _NONE
        self._explicit = spec.success is not None
        self._measures = spec.measures
        self.sources: dict[str, Source] = {}
        for pattern in self._patterns():
            for name in _where(pattern):
                self._source(name).search(pattern.pattern)
        for measure in spec.measures.values():
            source = self._source(measure.source)
            if measure.pattern is not None:
                source.search(measure.pattern, last=True)
            else:
                source.whole = True

    def judge(self, passed: Outcome, end: Exit) -> Outcome:
        """`passed` with the measured values; a failure where it was a success and shouldn't be."""
        values, gaps = self._measured(end)
        shown = [f"{name} was not measured: {why}" for name, why in gaps.items()]
        shown += [
            f"{name}: only the last {LOG_LIMIT >> 20} MiB were searched"
            for name, source in self.sources.items()
            if source.left_out and source.searches
        ]
        outcome = replace(
            passed,
            values={**passed.values, **values},
            evidence=(*passed.evidence, *self._facts(end), *shown),
        )
        if outcome.reason is not Reason.SUCCESS or not self._explicit:
            return outcome
        old = [text for path in self._success.files if (text := complaint(end.output(path)))]
        if old:
            message = f"exit code {end.code}, but " + "; ".join(old)
            return replace(outcome, reason=Reason.NO_OUTPUT, message=message)
        wrong = [*self._mismatches(end), *self._out_of_bounds(outcome.values, gaps)]
        if not wrong:
            return outcome
        cause, message = wrong[0]
        others = tuple(text for _, text in wrong[1:])
        return criterion(
            replace(outcome, evidence=(*outcome.evidence, *others)), f"criteria.{cause}", message
        )

    def _measured(self, end: Exit) -> tuple[dict[str, Value], dict[str, str]]:
        """Values by name; and why there is none of the others."""
        values: dict[str, Value] = {}
        gaps: dict[str, str] = {}
        for name, measure in self._measures.items():
            try:
                values[name] = self._measure(measure, end)
            except InvalidResult as error:
                text = str(error)
                gaps[name] = text if measure.source in text else f"{measure.source}: {text}"
        return values, gaps

    def _measure(self, measure: Measure, end: Exit) -> Value:
        source = self.sources[measure.source]
        if missing := _unfresh(measure.source, end) or source.missing:
            raise InvalidResult(missing)
        if measure.pattern is not None:
            hit = source.search(measure.pattern, last=True).hit
            if hit is None:
                raise InvalidResult(f"no line of {measure.source} matches {measure.pattern!r}")
            return measures.of_text(hit.groups[0])
        if measure.json is not None:
            return measures.of_json(source.content(), measure.json)
        assert measure.touchstone is not None
        ports = touchstone.ports_of(measure.source) or 1
        return measures.of_touchstone(source.content(), ports, measure.touchstone)

    def _mismatches(self, end: Exit) -> Iterable[tuple[str, str]]:
        for pattern in criteria.located(self._success.must_not_match):
            for name in _where(pattern):
                hit = self.sources[name].search(pattern.pattern).hit
                if old := _unfresh(name, end) or self.sources[name].missing:
                    yield "pattern", f"{old}, so it can't be searched for {pattern.pattern!r}"
                elif hit:
                    yield "pattern", f"{name} matches {pattern.pattern!r} in {hit}"
        for pattern in criteria.located(self._success.must_match):
            names = _where(pattern)
            old = next((why for name in names if (why := _unfresh(name, end))), "")
            if old:
                yield "pattern", f"{old}, so it can't be searched for {pattern.pattern!r}"
            elif not any(self.sources[name].search(pattern.pattern).hit for name in names):
                yield "pattern", f"no line of {' or '.join(names)} matches {pattern.pattern!r}"

    def _out_of_bounds(
        self, values: Mapping[str, Value], gaps: Mapping[str, str]
    ) -> Iterable[tuple[str, str]]:
        for name, bounds in self._success.bounds.items():
            value = values.get(name)
            if name in gaps:
                yield "measure", f"{name} was not measured: {gaps[name]}"
            elif not isinstance(value, int | float) or isinstance(value, bool):
                yield "measure", f"{name} is {value!r}, which is no number, so it has no bounds"
            elif bounds.min is not None and value < bounds.min:
                yield "bound", f"{name} is {value!r}, below {bounds.min:g}"
            elif bounds.max is not None and value > bounds.max:
                yield "bound", f"{name} is {value!r}, above {bounds.max:g}"

    def _facts(self, end: Exit) -> Iterable[str]:
        """What became of files that the solver itself doesn't look at."""
        for path in self._success.files:
            output = end.output(path)
            yield f"{path}: {'missing' if output.size is None else f'{output.size} bytes'}"

    def _patterns(self) -> list[Pattern]:
        return criteria.located((*self._success.must_match, *self._success.must_not_match))

    def _source(self, name: str) -> Source:
        return self.sources.setdefault(name, Source())


def _where(pattern: Pattern) -> tuple[str, ...]:
    return (pattern.source,) if pattern.source else STREAMS


def _unfresh(name: str, end: Exit) -> str:
    """Why what is in it doesn't come from this run; "": it does."""
    if name in STREAMS:
        return ""
    found = complaint(end.output(name))
    return "" if found.endswith("is empty") else found


@contextmanager
def _field(name: str) -> Iterator[None]:
    try:
        yield
    except InvalidJob as error:
        raise InvalidJob(f"`{name}`: {error}") from error
