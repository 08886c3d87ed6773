"""How far a running job is, as far as its output tells: a live value, kept nowhere."""

from collections.abc import Mapping

import msgspec

from solveyard.model.arrays import Value


class Curve(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What falls while a solver converges, step by step."""

    name: str  #: of the value: "Max Mag. Delta S"
    step: str  #: of what it is counted by: "pass"
    points: tuple[tuple[int, float | None], ...] = ()  #: step and value; None: there was none
    target: float | None = None  #: below which it has converged; None: not known


class Progress(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a solver's reader makes of its log."""

    fraction: float | None = None  #: 0 to 1; None: not known
    text: str = ""  #: one line for people: "pass 6, delta S 0.029611"
    remaining: float | None = None  #: s; None: nobody can tell honestly
    values: Mapping[str, Value] = {}  #: facts by name, in the solver's own words
    warning: str = ""  #: what is amiss meanwhile, for people
    curve: Curve | None = None
