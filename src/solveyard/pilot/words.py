"""Texts with QCG-PilotJob's variables, and the command line that fills in those of a start.

What is known when a job is translated is filled in at once; the iteration becomes a place of an
array's task. Only cores and nodes are known no sooner than the job starts: a shell puts them in,
from variables of the job's environment. It gets every text as an argument of its own, so that
none is read as a part of its program.
"""

from collections.abc import Mapping, Sequence
from string import Template
from typing import NamedTuple

# What the line names for itself nobody else does: no job's variable may begin like that.
_NODES = (
    "solveyard_nnodes=0; solveyard_nlist=; IFS=,; for solveyard_node in $SOLVEYARD_NODES; do"
    " solveyard_nnodes=$((solveyard_nnodes+1));"
    ' solveyard_nlist="$solveyard_nlist${solveyard_nlist:+,}${solveyard_node%:*}"; done; unset IFS'
)
_AT_START = {
    "ncores": "$SOLVEYARD_CORES",
    "nnodes": "$solveyard_nnodes",
    "nlist": "$solveyard_nlist",
}
_OUT_OF_SIGHT = "set --; unset solveyard_nnodes solveyard_nlist solveyard_node; "


class Variable(NamedTuple):
    """One that the shell knows."""

    name: str


Word = tuple[str | Variable, ...]


def substitute(text: str, known: Mapping[str, str]) -> str:
    """The variables that are `known`; "$$" becomes "$", and the others stay."""
    return Template(text).safe_substitute(known)


def substituted(value: object, known: Mapping[str, str]) -> object:
    """The same of all texts in `value`, as JSON has them."""
    match value:
        case str():
            return substitute(value, known)
        case list():
            return [substituted(one, known) for one in value]
        case dict():
            return {substitute(str(k), known): substituted(one, known) for k, one in value.items()}
        case _:
            return value


def word(text: str, known: Mapping[str, str]) -> Word:
    """A text with what is `known` filled in, and places for what the start tells."""
    parts: list[str | Variable] = []
    begin = 0
    for match in Template.pattern.finditer(text):
        parts.append(text[begin : match.start()])
        begin = match.end()
        name = match["named"] or match["braced"]
        if match["escaped"] is not None:
            parts.append("$")
        elif name in known:
            parts.append(known[name])
        elif name in _AT_START:
            parts.append(Variable(name))
        else:
            parts.append(match.group())
    parts.append(text[begin:])
    return _joined(parts)


def _joined(parts: Sequence[str | Variable]) -> Word:
    found: list[str | Variable] = []
    for part in parts:
        if isinstance(part, str) and found and isinstance(found[-1], str):
            found[-1] += part
        elif part != "":
            found.append(part)
    return tuple(found)


def plain(word_: Word) -> str | None:
    """Its text; None: only the start tells it."""
    if any(isinstance(part, Variable) for part in word_):
        return None
    return "".join(part for part in word_ if isinstance(part, str))


class Shell:
    """A line for a shell, built word by word."""

    def __init__(self, *program: str) -> None:
        """`program`: the shell, up to the option before its line."""
        self._program = program
        self._steps: list[str] = []
        self._arguments: list[str] = []
        self._nodes = False

    def quoted(self, word_: Word) -> str:
        """How the line writes `word_`."""
        written = ""
        for part in word_:
            if isinstance(part, Variable):
                self._nodes = self._nodes or part.name != "ncores"
                written += _AT_START[part.name]
            else:
                self._arguments.append(part)
                written += f"${{{len(self._arguments)}}}"
        return f'"{written}"'

    def step(self, text: str) -> None:
        """What follows happens only where it succeeds."""
        self._steps.append(text)

    def last(self, script: Word) -> None:
        """The last step: `script`, which sees nothing of the line's own arguments and names."""
        self.step(f'eval "{_OUT_OF_SIGHT}"{self.quoted(script)}')

    @property
    def argv(self) -> list[str]:
        line = " && ".join(self._steps)
        if self._nodes:
            line = f"{_NODES}; {line}"
        return [*self._program, line, self._program[0], *self._arguments]
