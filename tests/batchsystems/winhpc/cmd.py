"""cmd /d /c TEXT: as much of Windows' command interpreter as solveyard's batch files need.

It runs on POSIX: backslashes in paths become slashes, a program that a signal ended has 128 and
the signal as its exit code. Variables, quotes, redirections, labels and `errorlevel` follow what
Microsoft's pages say; what isn't known here ends it with 1, saying so.
"""

import contextlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

_OPERATORS = ("&", "||", "&&")  #: the loosest first
_REDIRECTION = re.compile(r'([12]?)(>>?)\s*("[^"]*"|[^\s"&|<>]+)')


class _Exit(Exception):
    """`exit /b`, at the outermost or in what was called."""


class _Goto(Exception):
    def __init__(self, label: str) -> None:
        super().__init__(label)
        self.label = label.lower().lstrip(":")


def cmd(folder: Path, arguments: list[str]) -> int:
    """Runs a line, or a batch file that it names."""
    if [one.lower() for one in arguments[:2]] != ["/d", "/c"]:
        return _unknown(" ".join(arguments))
    text = " ".join(arguments[2:])
    place = Path(_slashes(text.strip('"')))
    if place.suffix.lower() in {".cmd", ".bat"}:
        return Interpreter(_lines(place)).run()
    return Interpreter([text], batch=False).run()


def _lines(batch_file: Path) -> list[str]:
    return batch_file.read_bytes().decode().split("\r\n")


class Interpreter:
    def __init__(self, lines: list[str], *, batch: bool = True, given: Sequence[str] = ()) -> None:
        """`given` are the words after a batch file's name, %1 and so on."""
        self._lines = lines
        self._given = given
        self._batch = batch
        self._code = 0

    def run(self) -> int:
        self._from(0)
        return self._code

    def _from(self, at: int) -> None:
        """Until the lines are over, or `exit /b`."""
        try:
            while at < len(self._lines):
                line, at = self._lines[at], at + 1
                try:
                    if line.strip() and not line.startswith(":"):
                        self._line(self._expanded(line.lstrip("@")))
                except _Goto as jump:
                    at = self._label(jump.label)
        except _Exit:
            return

    def _label(self, name: str) -> int:
        for at, line in enumerate(self._lines):
            if line.lower().strip() == f":{name}":
                return at + 1
        self._code = _unknown(f"label {name}")
        raise _Exit

    def _expanded(self, line: str) -> str:
        """Variables, and in a batch file "%%", when the line is read."""

        def value(match: re.Match[str]) -> str:
            if not match[1]:
                return "%" if self._batch else "%%"
            if match[1].lower() == "errorlevel":
                return str(self._code)
            return os.environ.get(match[1], "" if self._batch else match[0])

        numbered = re.sub(r"%([1-9])(?!\w*%)", lambda one: "".join(
            self._given[int(one[1]) - 1 : int(one[1])]), line)  # fmt: skip
        return re.sub(r"%([A-Za-z_]\w*)?%", value, numbered)

    def _line(self, text: str, loosest: int = 0) -> None:
        """Commands between operators; those behind && and || by how the one before ended."""
        if text.lstrip().lower().startswith("if "):
            self._if(text.lstrip()[3:])
            return
        if loosest == len(_OPERATORS):
            self._redirected(text)
            return
        first, *others = _split(text, _OPERATORS[loosest])
        self._line(first, loosest + 1)
        for other in others:
            if loosest == 0 or (self._code == 0) == (_OPERATORS[loosest] == "&&"):
                self._line(other, loosest + 1)

    def _if(self, text: str) -> None:
        match = re.fullmatch(
            r'(not )?(?:exist "([^"]*)"|"([^"]*)"=="([^"]*)") (.*)', text.strip(), re.IGNORECASE
        )
        if match is None:
            self._code = _unknown(f"if {text}")
            raise _Exit
        so = Path(_slashes(match[2])).exists() if match[2] is not None else match[3] == match[4]
        if so != bool(match[1]):
            self._line(match[5])

    def _redirected(self, text: str) -> None:
        plain, targets = _redirections(text)
        with contextlib.ExitStack() as files:
            streams: dict[str, int] = {"1": 1, "2": 2}
            for stream, how, place in targets:
                name = "/dev/null" if place.lower() == "nul" else _slashes(place)
                try:
                    file = files.enter_context(open(name, "ab" if how == ">>" else "wb"))  # noqa: PTH123
                except OSError as error:
                    os.write(streams["2"], f"{error.strerror}\n".encode())
                    self._code = 1
                    return
                streams[stream or "1"] = file.fileno()
            self._command(plain.strip(), streams)

    def _command(self, text: str, streams: dict[str, int]) -> None:
        name, _, rest = text.partition(" ")
        own = getattr(self, f"_do_{name.lower()}", None)
        if own is not None:
            own(rest.strip(), streams)
        else:
            self._program(text, streams)

    # Its own commands

    def _do_echo(self, rest: str, streams: dict[str, int]) -> None:
        if rest.lower() not in {"on", "off"}:
            os.write(streams["1"], f"{rest}\n".encode())

    def _do_chcp(self, rest: str, streams: dict[str, int]) -> None:
        self._code = 0

    _do_setlocal = _do_chcp

    def _do_set(self, rest: str, streams: dict[str, int]) -> None:
        name, equals, value = rest.strip('"').partition("=")
        if equals:
            os.environ[name] = value
            return
        for each in sorted(os.environ):
            if each.upper().startswith(name.upper()):
                os.write(streams["1"], f"{each}={os.environ[each]}\n".encode())

    def _do_mkdir(self, rest: str, streams: dict[str, int]) -> None:
        try:
            Path(_slashes(rest.strip('"'))).mkdir(parents=True)
            self._code = 0
        except OSError as error:
            os.write(streams["2"], f"{error.strerror}\n".encode())
            self._code = 1

    def _do_type(self, rest: str, streams: dict[str, int]) -> None:
        self._code = 0 if rest.lower() == "nul" else _unknown(f"type {rest}")

    def _do_cd(self, rest: str, streams: dict[str, int]) -> None:
        if not rest:
            os.write(streams["1"], f"{Path.cwd()}\n".encode())
            return
        try:
            os.chdir(_slashes(rest.removeprefix("/d").strip().strip('"')))
            self._code = 0
        except OSError:
            os.write(streams["2"], b"The system cannot find the path specified.\n")
            self._code = 1

    def _do_move(self, rest: str, streams: dict[str, int]) -> None:
        source, target = re.findall(r'"([^"]*)"', rest)
        Path(_slashes(source)).replace(_slashes(target))
        self._code = 0

    def _do_exit(self, rest: str, streams: dict[str, int]) -> None:
        code = rest.lower().removeprefix("/b").strip()
        self._code = int(code) if code else self._code
        raise _Exit

    def _do_goto(self, rest: str, streams: dict[str, int]) -> None:
        raise _Goto(rest)

    def _do_call(self, rest: str, streams: dict[str, int]) -> None:
        if not rest.startswith(":"):
            self._program(rest, streams)
            return
        with _standing_in(streams):
            self._from(self._label(rest[1:].strip().lower()))

    def _program(self, text: str, streams: dict[str, int]) -> None:
        argv = _argv(text)
        argv[0] = _slashes(argv[0])
        if Path(argv[0]).suffix.lower() in {".bat", ".cmd"} and Path(argv[0]).exists():
            with _standing_in(streams):
                self._code = Interpreter(_lines(Path(argv[0])), given=argv[1:]).run()
            return
        try:
            done = subprocess.run(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=streams["1"],
                stderr=streams["2"],
                check=False,
            )
        except OSError:
            said = f"'{argv[0]}' is not recognized as an internal or external command,\n"
            os.write(streams["2"], f"{said}operable program or batch file.\n".encode())
            self._code = 9009
            return
        self._code = done.returncode if done.returncode >= 0 else 128 - done.returncode


@contextlib.contextmanager
def _standing_in(streams: dict[str, int]) -> Iterator[None]:
    """What is called writes there."""
    saved = {number: os.dup(number) for number in (1, 2)}
    for number in saved:
        os.dup2(streams[str(number)], number)
    try:
        yield
    finally:
        for number, copy in saved.items():
            os.dup2(copy, number)
            os.close(copy)


def _split(text: str, operator: str) -> list[str]:
    """Outside quotes; "&" isn't "&&"."""
    found, quoted, start, at = [], False, 0, 0
    while at < len(text):
        if text[at] == '"':
            quoted = not quoted
        for each in ("&&", "||", "&"):
            if not quoted and text.startswith(each, at):
                if each == operator:
                    found.append(text[start:at])
                    start = at + len(each)
                at += len(each) - 1
                break
        at += 1
    return [*found, text[start:]]


def _redirections(text: str) -> tuple[str, list[tuple[str, str, str]]]:
    """The text without them; and stream, how and where of each."""
    plain, targets, quoted, at = "", [], False, 0
    while at < len(text):
        match = None if quoted else _REDIRECTION.match(text, at)
        if match and (not match[1] or at == 0 or text[at - 1] == " "):
            targets.append((match[1], match[2], match[3].strip('"')))
            at = match.end()
            continue
        quoted ^= text[at] == '"'
        plain += text[at]
        at += 1
    return plain, targets


def _argv(text: str) -> list[str]:
    """As Windows' programs read their command lines."""
    found, word, quoted, begun, at = [], "", False, False, 0
    while at < len(text):
        slashes = len(text[at:]) - len(text[at:].lstrip("\\"))
        if slashes and text[at + slashes : at + slashes + 1] == '"':
            word += "\\" * (slashes // 2)
            begun, at = True, at + slashes
            if slashes % 2:
                word, at = word + '"', at + 1
            continue
        if text[at] == '"':
            quoted, begun = not quoted, True
        elif text[at] in " \t" and not quoted:
            if begun:
                found.append(word)
            word, begun = "", False
        else:
            word, begun = word + text[at], True
        at += 1
    return [*found, word] if begun else found


def _slashes(path: str) -> str:
    return path.replace("\\", "/")


def _unknown(what: str) -> int:
    sys.stderr.write(f"This stand-in for cmd does not know: {what}\n")
    return 1
