"""ansysedt's command line, as public documents, scripts and logs show it; names in any case."""

import re
from pathlib import Path

FLAGS = {
    "-auto", "-distributed", "-iconic", "-local", "-monitor", "-ng", "-queue", "-remote",
    "-showmonitorjob", "-useelectronicsppe", "-usenonwebhelp", "-waitforlicense",
}  # fmt: skip
VALUED = {
    "-batchextract", "-batchoptions", "-features", "-grpcsrv", "-jobid", "-logfile",
    "-machinelist", "-machinelistfile", "-runscript", "-runscriptandexit", "-scriptargs",
}  # fmt: skip
#: What may follow an option as "name=value".
FOLLOWING = {
    "-auto": {"numdistributedvariations"},
    "-distributed": {"includetypes", "maxlevels", "numlevel1"},
}
RUN = {"-batchsolve", "-batchsave"}
MACHINE = re.compile(r"(?P<host>[^:]+)(:(?P<tasks>-?\d+)(:(?P<cores>\d+)(:\d+%(:\d+)?)?)?)?\Z")
PAIR = re.compile(r"""'([^']+)'\s*=\s*'([^']*)'|'([^']+)'\s*=\s*(\S+)|([^\s'=]+)=(\S+)""")


class Wrong(Exception):
    """This command line can't be run."""


class Asked:
    """A command line, read."""

    def __init__(self) -> None:
        self.command = ""
        self.project = Path()
        self.spec = ""
        self.options: dict[str, str] = {}  #: the last of each; flags hold ""
        self.batch: dict[str, str] = {}  #: -batchoptions, keys in lower case
        self.machines: tuple[str, ...] = ("localhost",)
        self.tasks = 1
        self.cores = 1

    @property
    def jobid(self) -> str:
        return self.options.get("-jobid", "RSM")

    @property
    def hosts(self) -> list[str]:
        return [machine.split(":")[0] for machine in self.machines]

    @property
    def design(self) -> str:
        return self.spec.split(":")[0]

    @property
    def setup(self) -> str:
        parts = self.spec.split(":")[1:]
        return next((part for part in parts if part not in {"Nominal", "Optimetrics", ""}), "")

    @property
    def parametric(self) -> bool:
        return ":Optimetrics" in self.spec

    def batch_option(self, name: str) -> str:
        """Its value under whatever product's prefix it was given; "" where it wasn't."""
        found = [value for key, value in self.batch.items() if key.rpartition("/")[2] == name]
        return found[-1] if found else ""


def read(arguments: list[str]) -> Asked:
    """Raises Wrong."""
    asked = Asked()
    rest, operands = list(arguments), list[str]()
    while rest:
        word = rest.pop(0)
        name, attached, value = word.partition("=")
        name = name.lower()
        if name in {"-help", "-batchoptionhelp"}:
            raise Wrong(f"{name} opens a window, and there is no display")
        if name in RUN:
            asked.command = name
        elif (asked.command or "-batchextract" in asked.options) and not word.startswith("-"):
            operands.append(word)
        elif name in FLAGS:
            asked.options[name] = value
            while rest and rest[0].partition("=")[0].lower() in FOLLOWING.get(name, set()):
                rest.pop(0)
        elif name in VALUED and (attached or rest):
            asked.options[name] = value if attached else rest.pop(0)
            if name == "-batchoptions":
                asked.batch |= batch_options(asked.options[name])
        else:
            raise Wrong(f"unknown or incomplete option {word!r}")
    if not asked.command and "-batchextract" in asked.options:
        asked.command = "-batchextract"
    if not asked.command:
        scripts = {"-runscript", "-runscriptandexit"} & asked.options.keys()
        raise Wrong("it runs no scripts" if scripts else "-batchsolve is missing")
    _operands(asked, operands)
    _place(asked)
    return asked


def batch_options(given: str) -> dict[str, str]:
    """Pairs, or the name of a file of pairs."""
    if Path(given).is_file():
        text = Path(given).read_text()
        if "$begin 'Config'" not in text or "$end 'Config'" not in text:
            raise Wrong(f"{given} has no $begin 'Config' ... $end 'Config'")
        given = text.partition("$begin 'Config'")[2].partition("$end 'Config'")[0]
    pairs = {}
    for match in PAIR.finditer(given):
        key, value = [part for part in match.groups() if part is not None]
        pairs[key.lower()] = value.strip("'")
    if given.strip() and not pairs:
        raise Wrong(f"-batchoptions {given!r} holds no 'key'='value'")
    return pairs


def _operands(asked: Asked, words: list[str]) -> None:
    """What follows -batchsolve beside options, which PyAEDT gives there, too."""
    if not 1 <= len(words) <= 2:
        raise Wrong(f"{asked.command} takes a project, last, and before it what to solve of it")
    asked.spec = words[0] if len(words) == 2 else ""
    asked.project = Path(words[-1])


def _place(asked: Asked) -> None:
    given = asked.options.get("-machinelist", "list=localhost:1:1")
    if "-machinelistfile" in asked.options:
        given = "file=" + asked.options["-machinelistfile"]
    kind, _, value = given.partition("=")
    kind = kind.lower()
    if kind in {"num", "numcores"} and value.isdecimal() and int(value) > 0:
        asked.tasks, asked.cores = (int(value), int(value)) if kind == "num" else (1, int(value))
        return
    if kind == "file":
        try:
            lines = Path(value).read_text().splitlines()
        except OSError as error:
            raise Wrong(f"the list of machines can't be read: {error}") from error
        entries = [line.strip() for line in lines if line.strip()]
    elif kind == "list":
        entries = value.split(",")
    else:
        raise Wrong(f"-machinelist {given!r} is no list=, file=, num= or numcores=")
    found = [MACHINE.match(entry) for entry in entries]
    if not entries or not all(found):
        raise Wrong(f"-machinelist {given!r} has an entry that is no host:tasks:cores:RAM%")
    asked.machines = tuple(entries)
    machines = [match for match in found if match]
    asked.tasks = sum(max(int(match["tasks"] or 1), 1) for match in machines)
    asked.cores = sum(int(match["cores"] or 1) for match in machines)
