"""Texts with QCG-PilotJob's variables, and the command line that fills in those of a start.

What is known when a job is translated is filled in at once; the iteration becomes a place of an
array's task. Only cores and nodes are known no sooner than the job starts: a shell puts them in,
from variables of the job's environment, and the iteration too where a text has braces of its own.
It gets every text as an argument of its own, so that none is read as a part of its program.
"""

import re
from collections.abc import Mapping, Sequence
from string import Template
from typing import NamedTuple

# What the line names for itself nobody else does: no job's variable may begin like that. What is
# sourced would take the line's arguments for its own.
_WORDS = 'solveyard_words=("$@"); set --; '
_NODES = (
    "IFS=,; solveyard_nodes=($SOLVEYARD_NODES); solveyard_nnodes=${#solveyard_nodes[@]}; "
    'solveyard_nlist="${solveyard_nodes[*]%:*}"; unset IFS; '
)
_OUT_OF_SIGHT = "unset solveyard_words solveyard_nodes solveyard_nnodes solveyard_nlist; "
_BETWEEN_BRACES = re.compile(r"(?<=\{)(?=\{)")


class Variable(NamedTuple):
    """One that the shell knows."""

    shell: str
    place: str = ""  #: what the texts of an array may have instead


Word = tuple[str | Variable, ...]
Known = Mapping[str, str | Variable]

AT_START: Known = {
    "ncores": Variable("$SOLVEYARD_CORES"),
    "nnodes": Variable("$solveyard_nnodes"),
    "nlist": Variable("$solveyard_nlist"),
}
_OF_NODES = {AT_START["nnodes"], AT_START["nlist"]}
ITERATION: Known = {
    "it": Variable("$SOLVEYARD_TASK", "{{index}}"),
    "itval": Variable("$SOLVEYARD_VALUE", "{{value}}"),
}


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


def word(text: str, known: Known) -> Word:
    """A text with what is `known` filled in; other variables stay as they are."""
    parts: list[str | Variable] = []
    begin = 0
    for match in Template.pattern.finditer(text):
        parts.append(text[begin : match.start()])
        begin = match.end()
        name = match["named"] or match["braced"] or ""
        parts.append("$" if match["escaped"] is not None else known.get(name, match.group()))
    found = _joined([*parts, text[begin:]])
    return _of_an_array(found) if "it" in known else found


def _of_an_array(word_: Word) -> Word:
    """An array fills in what is in double braces: ours, but no text's own. A text that has some
    is torn between them, for the shell to put together.
    """
    if any(isinstance(part, str) and "{{" in part for part in word_):
        return tuple(
            piece
            for part in word_
            for piece in (_BETWEEN_BRACES.split(part) if isinstance(part, str) else (part,))
        )
    return _joined([part.place or part if isinstance(part, Variable) else part for part in word_])


def _joined(parts: Sequence[str | Variable]) -> Word:
    found: list[str | Variable] = []
    for part in parts:
        if isinstance(part, str) and found and isinstance(found[-1], str):
            found[-1] += part
        elif part != "":
            found.append(part)
    return tuple(found)


def plain(word_: Word) -> str | None:
    """Its text; None: a shell puts it together."""
    match word_:
        case ():
            return ""
        case (str() as text,):
            return text
        case _:
            return None


class Shell:
    """A line for bash, built word by word."""

    def __init__(self, *program: str) -> None:
        """`program`: the shell, up to the option before its line."""
        self._program = program
        self._steps: list[str] = []
        self._words: list[str] = []
        self._nodes = False

    def quoted(self, word_: Word) -> str:
        """How the line writes `word_`."""
        written = ""
        for part in word_:
            if isinstance(part, Variable):
                self._nodes = self._nodes or part in _OF_NODES
                written += part.shell
            else:
                written += f"${{solveyard_words[{len(self._words)}]}}"
                self._words.append(part)
        return f'"{written}"'

    def step(self, text: str) -> None:
        """What follows happens only where it succeeds."""
        self._steps.append(text)

    def last(self, script: Word) -> None:
        """The last step: `script`, which sees nothing of what the line has for itself."""
        self.step(f'eval "{_OUT_OF_SIGHT}"{self.quoted(script)}')

    @property
    def argv(self) -> list[str]:
        line = _WORDS + (_NODES if self._nodes else "") + " && ".join(self._steps)
        return [*self._program, line, self._program[0], *self._words]
