"""This machine as a host: runs a batch system's client commands, each bounded in time and size."""

from collections.abc import Mapping, Sequence

from solveyard.backends.dialects.base import Answer, Call
from solveyard.backends.hosts.talking import LIMIT, talk

_NOT_FOUND = 127  #: a shell's word for it, too


class LocalHost:
    where = "this machine"
    silent = ""  # its programs are waited for, not it

    def __init__(self, environment: Mapping[str, str], limit: int = LIMIT) -> None:
        self._environment = {**environment, "LC_ALL": "C"}
        self._limit = limit
        self.commands = 0  #: that were issued

    async def run(self, call: Call) -> Answer:
        """Until it ends, its time is over, or it has written too much; then nothing is believed."""
        self.commands += 1
        argv, unset = _without(call.argv)
        environment = self._environment
        if unset:
            environment = {name: environment[name] for name in environment.keys() - unset}
        try:
            told = await talk(
                argv,
                environment,
                call.stdin.encode(),
                timeout=call.timeout,
                limit=self._limit,
            )
        except OSError as error:
            code = _NOT_FOUND if isinstance(error, FileNotFoundError) else None
            return Answer(code, "", f"cannot start {argv[0]}: {error.strerror}")
        if told.trouble:
            return Answer(None, "", f"{argv[0]} {told.trouble}")
        return Answer(told.code, _text(told.out), _text(told.err))


def _without(argv: Sequence[str]) -> tuple[Sequence[str], set[str]]:
    """What `env -u NAME ...` would start, and the names: it needs no program of its own here."""
    at = 1
    while argv[0] == "env" and argv[at] == "-u":
        at += 2
    if at == 1 or argv[at].startswith("-") or "=" in argv[at]:
        return argv, set()
    return argv[at:], {*argv[2:at:2]}


def _text(content: bytes) -> str:
    return content.decode("utf-8", "replace")
