"""What a QCG-PilotJob job runs, as an argument list and an environment."""

from collections.abc import Mapping

from solveyard.model.errors import InvalidJob
from solveyard.pilot.description import Execution
from solveyard.pilot.words import Known, Shell, Word, plain, word

MODELS = ("default", "threads", "openmpi", "intelmpi", "srunmpi")
_OPTIONS = {"mpirun": str, "mpirun_args": list, "srun_args": list}


def check(execution: Execution) -> None:
    """Raises InvalidJob."""
    if not execution.exec and not execution.script:
        raise InvalidJob("`execution` has neither `exec` nor `script`")
    if execution.script and (execution.exec or execution.args or execution.env):
        raise InvalidJob("`script` excludes `exec`, `args` and `env`")
    if execution.model is not None and execution.model.lower() not in MODELS:
        models = ", ".join(MODELS)
        raise InvalidJob(f"unknown job execution model {execution.model!r} (there is {models})")
    for name, value in (execution.model_opts or {}).items():
        kind = _OPTIONS.get(name)
        if kind is None:
            raise InvalidJob(f"`model_opts` has no field {name!r} (there is {', '.join(_OPTIONS)})")
        if not isinstance(value, kind):
            raise InvalidJob(f"`model_opts.{name}` must be a {'text' if kind is str else 'list'}")


def command(execution: Execution, known: Known) -> tuple[list[str], dict[str, str]]:
    """The argument list and the environment.

    A plain program is started as it is. A shell stands before one that has a folder, files for its
    streams, modules, a virtual environment or a variable that only its start tells; it becomes
    the program, so that a signal reaches it and its exit status is told.
    """
    given = [] if execution.exec is None else [execution.exec, *map(str, execution.args or [])]
    argv = [word(text, known) for text in given]
    told, late = _environment(execution.env or {}, known)
    certain = [text for w in argv if (text := plain(w)) is not None]
    if len(certain) == len(argv) and not late and not _wrapped(execution):
        return certain, told
    login = execution.script or execution.modules or execution.venv
    # bash hands on variables whose names only other programs can read; -p: BASH_ENV isn't for it
    shell = Shell("bash", "-l", "-c") if login else Shell("bash", "-p", "-c")
    _prepare(shell, execution, known)
    if execution.script:
        shell.last(word(execution.script, known))
    else:
        words: list[Word] = [("env",), ("--",), *late, *argv] if late else argv
        shell.step("exec -- " + " ".join(map(shell.quoted, words)))
    return shell.argv, told


def _environment(given: Mapping[str, str], known: Known) -> tuple[dict[str, str], list[Word]]:
    """What is known of it, and what only the start tells, as the program env takes it."""
    told: dict[str, str] = {}
    late: list[Word] = []
    for name, value in given.items():
        variable, text = word(name, known), word(value, known)
        _check_variable(name, variable)
        name_told, text_told = plain(variable), plain(text)
        if name_told is not None and text_told is not None:
            told[name_told] = text_told
            continue
        if variable != word(name, {**known, "itval": "", "nlist": ""}):  # nobody could look at it
            raise InvalidJob(
                f"`env`: {name!r}: expected a name without ${{itval}} and ${{nlist}}, where only"
                " the start tells the variable"
            )
        late.append((*variable, "=", *text))
    return told, late


def _check_variable(name: str, word_: Word) -> None:
    """Raises InvalidJob. With what an array fills in, its solver looks at it."""
    text = "".join(part if isinstance(part, str) else "$" for part in word_)
    if not text or "=" in text or "\0" in text:
        raise InvalidJob(f"`env`: expected a variable's name, without '=', got {name!r}")
    if text.upper().startswith("SOLVEYARD_"):
        raise InvalidJob(f"`env`: {name!r}: expected another name: SOLVEYARD_ is the manager's")


def _wrapped(execution: Execution) -> bool:
    return bool(
        execution.script
        or execution.wd
        or execution.stdin
        or execution.stdout
        or execution.stderr
        or execution.modules
        or execution.venv
    )


def _prepare(shell: Shell, execution: Execution, known: Known) -> None:
    if execution.wd:
        folder = shell.quoted(word(execution.wd, known))
        # with /. it's a folder's path, be it called "-"; without CDPATH it's below this one
        shell.step(f"mkdir -p -- {folder} && CDPATH= cd -- {folder}/.")
    _redirect(shell, execution, known)  # so that the job's own file tells what fails from here on
    given = execution.modules or ()
    entries = [given] if isinstance(given, str) else given
    names = [name for entry in entries for name in entry.split()]
    if names:
        loaded = " ".join(shell.quoted(word(name, known)) for name in names)
        shell.step(f"source /etc/profile && module load {loaded}")
    if execution.venv:
        place = word(f"{execution.venv}/bin/activate", known)
        shell.step(f"source {shell.quoted(place)}")


def _redirect(shell: Shell, execution: Execution, known: Known) -> None:
    text = ""
    if execution.stdin:
        text += f" <{shell.quoted(word(execution.stdin, known))}"
    if execution.stdout:
        text += f" >{shell.quoted(word(execution.stdout, known))}"
    if execution.stderr and execution.stderr == execution.stdout:
        text += " 2>&1"
    elif execution.stderr:
        text += f" 2>{shell.quoted(word(execution.stderr, known))}"
    if text:
        shell.step(f"exec{text}")
