"""This machine as a host: runs a batch system's client commands, each bounded in time and size."""

from collections.abc import Mapping

from solveyard.backends.dialects.base import Answer, Call
from solveyard.backends.hosts.talking import LIMIT, talk

_NOT_FOUND = 127  #: a shell's word for it, too


class LocalHost:
    where = "this machine"

    def __init__(self, environment: Mapping[str, str], limit: int = LIMIT) -> None:
        self._environment = {**environment, "LC_ALL": "C"}
        self._limit = limit
        self.commands = 0  #: that were issued

    async def run(self, call: Call) -> Answer:
        """Until it ends, its time is over, or it has written too much; then nothing is believed."""
        self.commands += 1
        try:
            told = await talk(
                call.argv,
                self._environment,
                call.stdin.encode(),
                timeout=call.timeout,
                limit=self._limit,
            )
        except OSError as error:
            code = _NOT_FOUND if isinstance(error, FileNotFoundError) else None
            return Answer(code, "", f"cannot start {call.argv[0]}: {error.strerror}")
        if told.trouble:
            return Answer(None, "", f"{call.argv[0]} {told.trouble}")
        return Answer(told.code, _text(told.out), _text(told.err))


def _text(content: bytes) -> str:
    return content.decode("utf-8", "replace")
