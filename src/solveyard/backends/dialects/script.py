"""The shell script of a batch job, the same for every batch system but its directives.

Any POSIX shell runs it, from a file or its standard input. It claims its attempt by making the
record's file: whoever comes second, because a batch system was given a job twice, runs nothing.
Nothing that a job says begins a line of it, so that nothing is read as a directive. Each program
that it starts costs a millisecond or two, which is why a shell's own words do what they can.
"""

import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import NamedTuple

from solveyard.backends.dialects import asking, licences
from solveyard.backends.dialects.alive import WATCH
from solveyard.backends.dialects.base import Answer, BatchJob, Call, Run
from solveyard.model.batch import BatchOptions
from solveyard.model.errors import InvalidJob

_BEGIN = r"""
solveyard_nl='
'
solveyard_path=$PATH
solveyard_up=
{ IFS=' ' read -r solveyard_up solveyard_rest </proc/uptime; } 2>/dev/null
[ -n "$solveyard_up" ] || solveyard_began=$(date +%s)
solveyard_stage=directory
solveyard_child=
solveyard_signalled=
solveyard_kept=

solveyard_tell() {
  if [ -n "$solveyard_up" ]; then
    IFS=' ' read -r solveyard_now solveyard_rest </proc/uptime
    solveyard_when="\"up\":$solveyard_up,\"now\":$solveyard_now"
  else
    solveyard_when="\"began\":$solveyard_began"
  fi
  printf '{"attempt":"%s","native":"%s","host":"%s",%s%s}\n' "$solveyard_attempt" \
    "$solveyard_native" "$solveyard_host" "$solveyard_when" "$1"
}
solveyard_finish() {
  solveyard_code=$?
  trap - EXIT
  trap '' HUP INT TERM USR1 USR2
  unset LD_PRELOAD LD_LIBRARY_PATH
  PATH=$solveyard_path
  solveyard_end=",\"stage\":\"$solveyard_stage\",\"code\":$solveyard_code"
  [ -n "$solveyard_up" ] || solveyard_end=",\"ended\":$(date +%s)$solveyard_end"
  [ -z "$solveyard_signalled" ] ||
    solveyard_end="$solveyard_end,\"signalled\":\"$solveyard_signalled\""
  solveyard_tell "$solveyard_end" >>"$solveyard_record"
  [ -z "$solveyard_kept" ] || (eval "$solveyard_kept")
  exit "$solveyard_code"
}
solveyard_trap() {
  trap solveyard_finish EXIT
  for solveyard_signal in HUP INT TERM USR1 USR2; do
    trap "solveyard_forward $solveyard_signal" "$solveyard_signal"
  done
}
solveyard_forward() {
  solveyard_again=yes
  case $1 in HUP | INT | TERM) solveyard_signalled=$1 ;; esac
  if [ -n "$solveyard_child" ]; then
    kill -s "$1" "$solveyard_child" 2>/dev/null
  elif [ "$solveyard_stage" != command ]; then
    case $1 in INT | TERM) exit 143 ;; esac
  fi
}
"""

_CLAIM = r"""
set -C
{ solveyard_tell >"$solveyard_record"; } 2>/dev/null || {
  echo "$solveyard_attempt: it has begun elsewhere, or can't write $solveyard_record" >&2
  exit 125
}
set +C
solveyard_trap

cd -- "$solveyard_directory" || exit 125
true >>"$solveyard_stdout" || exit 125
true >>"$solveyard_stderr" || exit 125
exec >>"$solveyard_stdout" 2>>"$solveyard_stderr"
export SOLVEYARD_ATTEMPT="$solveyard_attempt"
"""

#: Modules and prologue may have set what they like; what they want done at the end is done then,
#: where a shell tells it.
_AFTER = r"""
solveyard_after() {
  set +e +u
  solveyard_traps=$(trap)
  case $solveyard_traps in
  '' | *solveyard_finish*) ;;
  *) solveyard_kept="$solveyard_kept$solveyard_nl$solveyard_traps" ;;
  esac
  solveyard_trap
  [ -z "$solveyard_failed" ] || exit "$solveyard_failed"
}
solveyard_failed=
set --
"""

_MODULES = r"""command -v module >/dev/null 2>&1 ||
  for solveyard_init in "${LMOD_PKG:-/usr/share/lmod/lmod}/init/sh" \
    "${MODULESHOME:-/usr/share/modules}/init/sh" \
    /etc/profile.d/lmod.sh /etc/profile.d/modules.sh
  do [ ! -r "$solveyard_init" ] || { . "$solveyard_init"; break; }; done
"""

_RUN = r"""
solveyard_run() {
  "$@" &
  solveyard_child=$!
  WATCHED
  solveyard_code=
  solveyard_again=yes
  while [ -n "$solveyard_again" ]; do
    solveyard_again=
    wait "$solveyard_child"
    solveyard_now=$?
    [ "$solveyard_now" -eq 127 ] && [ -n "$solveyard_code" ] || solveyard_code=$solveyard_now
  done
  solveyard_child=
}
solveyard_stage=command
"""
#: A shell's background commands ignore INT and QUIT; where `env` can, this one doesn't.
_ENV = "env --default-signal=INT,QUIT"
_ASKED_FIRST = rf"""
case $1 in *=*) ;; *)
  if {_ENV} >/dev/null 2>&1; then set -- {_ENV} "$@"; fi ;;
esac
solveyard_run "$@"
"""
#: Where it should, and can't, nothing has run.
_TRIED = rf"""
case $1 in
*=*) solveyard_run "$@" ;;
*) solveyard_run {_ENV} "$@"
  case $solveyard_code$solveyard_signalled in
  125 | 126 | 127) {_ENV} >/dev/null 2>&1 || solveyard_run "$@" ;;
  esac ;;
esac
"""
#: Succeeds where nodes like the one that runs it can.
ABLE = Call(("env", "--default-signal=INT,QUIT", "true"))
_WATCHED = r"""solveyard_watch "$solveyard_child" {} &
  solveyard_watcher=$!
"""


_HEARD = "solveyard: what follows says the command"
_FIELDS = ("attempt", "directory", "stdout", "stderr", "record")
#: Variables that bash keeps to itself, and one that dash wants a number in.
_SHELLS_OWN = frozenset({
    "BASHOPTS", "BASHPID", "BASH_ALIASES", "BASH_ARGC", "BASH_ARGV", "BASH_CMDS", "BASH_COMMAND",
    "BASH_LINENO", "BASH_SOURCE", "BASH_SUBSHELL", "BASH_VERSINFO", "DIRSTACK", "EPOCHREALTIME",
    "EPOCHSECONDS", "EUID", "FUNCNAME", "GROUPS", "HISTCMD", "LINENO", "OPTIND", "PPID", "RANDOM",
    "SECONDS", "SHELLOPTS", "SRANDOM", "UID",
})  # fmt: skip
_ARGV = "set -- "
_TOGETHER = 25  #: lines of a table that a shell reads for one of them
_DIGITS = re.compile("([0-9]+)")
_NUMBER = re.compile(r"0|[1-9][0-9]{0,14}")  #: as a shell prints it


class Terms(NamedTuple):
    """Where a batch system's jobs find what they are, as shell words."""

    native: str  #: native id
    member: str  #: of an array's task; both as queries have them
    task: str  #: index in an array
    first: int = 0  #: the index of position 0
    host: str = "$(uname -n)"  #: the node's name, where it is told without a program of its own


def posix(job: BatchJob, directives: Iterable[str], terms: Terms, unset: Sequence[str] = ()) -> str:
    """The whole script; `unset`: variables that it leaves behind. Raises InvalidJob."""
    asking.check(job)
    _check(job.runs)
    options, native = job.options, terms.member if job.array else terms.native
    head = "\n".join(
        [
            "#!/bin/sh",
            *directives,
            _BEGIN.rstrip("\n"),
            "",
            f"solveyard_native={native}",
            f"solveyard_host={terms.host}",
            *_unset(unset),
        ]
    )
    apart, argv = _runs(job, terms)
    parts = [head, apart, _CLAIM.strip("\n"), ""]
    for name, value in sorted(_shared(job.runs).items()):
        parts.append(f"export {name}={word(value)}")
    if options.modules or options.prologue:
        parts.append(_AFTER.strip("\n"))
    if options.modules:
        parts += _stage("modules", _modules(options.modules))
    if options.prologue:
        parts += _stage("prologue", f"eval {word(options.prologue)}")
    parts.append(argv)
    if wanted := asking.served(job):
        assert job.server is not None
        parts.append(licences.ask(job.server, wanted, word))
    watched = _WATCHED.format(job.watch) if job.watch else ""
    if watched:
        parts.append(WATCH.strip("\n"))
    parts.append(_RUN.strip("\n").replace("  WATCHED\n", f"  {watched}" if watched else ""))
    parts.append((_TRIED if job.able else _ASKED_FIRST).strip("\n"))
    if watched:
        parts.append('kill "$solveyard_watcher" 2>/dev/null')
    if options.epilogue:
        parts += [
            'export SOLVEYARD_EXIT="$solveyard_code"',
            f"(eval {word(options.epilogue)}) </dev/null",
        ]
    return "\n".join([*parts, 'exit "$solveyard_code"', ""])


def _check(runs: Iterable[Run]) -> None:
    for run in runs:
        if own := sorted(_SHELLS_OWN & run.env.keys()):
            raise InvalidJob(f"`env`: {own[0]!r} is a shell's own: a batch job can't be given it")


def _stage(stage: str, text: str) -> list[str]:
    """It reads nothing of what is the script's, and the script goes on if it succeeds."""
    return [
        f"solveyard_stage={stage}",
        f"{text} </dev/null || solveyard_failed=$?",
        "solveyard_after",
    ]


def plain(run: Run, directives: Iterable[str], unset: Sequence[str] = ()) -> str:
    """A script for whoever submits it by hand: it keeps no record, and may run again.

    Raises InvalidJob.
    """
    _check([run])
    lines = [f"export {name}={word(value)}" for name, value in sorted(run.env.items())]
    folder = f"cd -- {word(run.directory)} || exit 125"
    command = " ".join(map(word, run.argv))
    return "\n".join(["#!/bin/sh", *directives, folder, *_unset(unset), *lines, command, ""])


def _unset(names: Sequence[str]) -> list[str]:
    return [f"unset {' '.join(names)}"] if names else []


def word(text: str) -> str:
    """One word of a shell, on one line: line ends come from the variable `solveyard_nl`."""
    return '"$solveyard_nl"'.join(shlex.quote(part) for part in text.split("\n"))


def within(call: Call, options: BatchOptions) -> Call:
    """The same call with `options`' modules and prologue before it, as a cluster may ask.

    They neither read nor change what the command is given nor write into what it answers; what
    they complain about ends where `heard` begins.
    """
    if not options.modules and not options.prologue:
        return call
    loaded = f"{_modules(options.modules)} || exit\n" if options.modules else ""
    prologue = f"eval {shlex.quote(options.prologue)} || exit\n" if options.prologue else ""
    text = (
        f'solveyard_call="$*"\nset --\n{{ {loaded}{prologue}}} </dev/null >/dev/null\n'
        f"{{ set +e +u +x; }} 2>/dev/null\necho '{_HEARD}' >&2\n"
        'eval "exec $solveyard_call"'
    )
    return call._replace(argv=("/bin/sh", "-c", text, "sh", *map(shlex.quote, call.argv)))


def heard(answer: Answer) -> Answer:
    """What the command itself said, of an answer to `within`."""
    _, _, words = answer.stderr.partition(f"{_HEARD}\n")
    return answer._replace(stderr=words) if _HEARD in answer.stderr else answer


def _modules(names: Sequence[str]) -> str:
    return f"{_MODULES}module load {shlex.join(names)}"


def _runs(job: BatchJob, terms: Terms) -> tuple[str, str]:
    """Set what tells the runs apart: their variables, and later their commands' words."""
    shared = _shared(job.runs)
    texts = [_texts(run, shared) for run in job.runs]
    if not job.array:
        return _set(texts[0].items())
    if any(one.keys() != texts[0].keys() for one in texts):
        each = [_set(one.items()) for one in texts]
        return _cases([one for one, _ in each], terms), _cases([one for _, one in each], terms)
    return _table(texts, terms)


def _cases(texts: Sequence[str], terms: Terms) -> str:
    lines = [f"case {terms.task} in"]
    for position, text in enumerate(texts, terms.first):
        lines += [f"{position})", text, ";;"]
    return "\n".join([*lines, "*) exit 125 ;;", "esac"])


def _texts(run: Run, shared: Mapping[str, str]) -> dict[str, str]:
    """What it sets, by what stands before it: variables, and at last the command's words."""
    told = {f"solveyard_{field}=": getattr(run, field) for field in _FIELDS}
    told |= {f"export {name}=": run.env[name] for name in sorted(run.env.keys() - shared.keys())}
    return told | {f"{_ARGV}{place}": text for place, text in enumerate(run.argv)}


def _set(
    texts: Iterable[tuple[str, str]], quote: Callable[[str], str] | None = None
) -> tuple[str, str]:
    quote, texts = quote or word, [*texts]
    lines = [f"{name}{quote(text)}" for name, text in texts if not name.startswith(_ARGV)]
    argv = [quote(text) for name, text in texts if name.startswith(_ARGV)]
    return "\n".join(lines), f"{_ARGV}{' '.join(argv)}"


def _table(texts: Sequence[Mapping[str, str]], terms: Terms) -> tuple[str, str]:
    """What each run sets, from its index where that is all; else from a short line for each.

    Every task of an array is sent all of it, and reads it. What runs have alike at both ends of a
    text isn't repeated, nor what several texts share.
    """
    columns: dict[tuple[str, ...], int] = {}

    def said(pieces: tuple[str, ...]) -> str:
        if word_of := _counted(pieces, terms.first):
            return word_of
        return f'"$solveyard_{columns.setdefault(pieces, len(columns) + 1)}"'

    whole = [(name, _joined(_apart([one[name] for one in texts]), said)) for name in texts[0]]
    last = terms.first + len(texts) - 1
    lines = [
        f"solveyard_task={terms.task}",
        f'[ "$solveyard_task" -ge {terms.first} ] && [ "$solveyard_task" -le {last} ] || exit 125',
    ]
    if columns:
        lines += _rows(list(zip(*columns, strict=True)), terms.first)
        lines += [f"solveyard_{at}=${{{at}}}" for at in columns.values()]
    variables, argv = _set(whole, str)
    return "\n".join([*lines, variables]), argv


def _rows(rows: Sequence[Sequence[str]], first: int) -> Iterator[str]:
    """Set a run's own words. A shell reads a text that it passes by faster than what it may do."""
    yield f"case $(((solveyard_task - {first}) / {_TOGETHER})) in"
    for at in range(0, len(rows), _TOGETHER):
        lines = ["case $solveyard_task in"]
        for position, row in enumerate(rows[at : at + _TOGETHER], at + first):
            lines.append(f"{position}) set -- {' '.join(map(word, row))} ;;")
        text = "\n".join([*lines, "esac"])
        yield f"{at // _TOGETHER}) eval {shlex.quote(text)} ;;"
    yield "esac"


def _counted(numbers: Sequence[str], first: int) -> str:
    """A shell's word for what goes up or down in equal steps, else ""."""
    if not all(map(_NUMBER.fullmatch, numbers)):
        return ""
    start, step = int(numbers[0]), int(numbers[1]) - int(numbers[0])
    if any(int(number) != start + step * at for at, number in enumerate(numbers)):
        return ""
    begin = start - step * first
    times, plus = f" * {step}" if step != 1 else "", f" + {begin}" if begin else ""
    return f'"$((solveyard_task{times}{plus}))"'


def _joined(columns: Iterable[tuple[str, ...]], said: Callable[[tuple[str, ...]], str]) -> str:
    """One word of a shell; `said`: for a column whose pieces are not all alike."""
    words = [""]
    alike = ""
    for pieces in columns:
        if pieces.count(pieces[0]) == len(pieces):
            alike += pieces[0]
            continue
        words += [alike and word(alike), said(pieces)]
        alike = ""
    return "".join([*words, alike and word(alike)]) or word("")


def _apart(texts: Sequence[str]) -> list[tuple[str, ...]]:
    """Their pieces side by side: all are alike, or numbers, or one is all in which they differ."""
    if texts.count(texts[0]) == len(texts):
        return [tuple(texts)]
    columns = list(zip_longest(*map(_DIGITS.split, texts)))
    if all(column.count(column[0]) == len(texts) for column in columns[::2]):
        return columns
    begin = _alike(texts)
    rest = [text[len(begin) :] for text in texts]
    end = _alike([text[::-1] for text in rest])[::-1]
    middles = tuple(text[: len(text) - len(end)] for text in rest)
    return [(begin,) * len(texts), middles, (end,) * len(texts)]


def _alike(texts: Sequence[str]) -> str:
    """What all begin with."""
    first, last = min(texts), max(texts)
    many = 0
    while many < len(first) and first[many] == last[many]:
        many += 1
    return first[:many]


def _shared(runs: Sequence[Run]) -> dict[str, str]:
    """Variables that all runs have alike."""
    first = runs[0].env
    return {
        name: value
        for name, value in first.items()
        if all(run.env.get(name) == value for run in runs)
    }
