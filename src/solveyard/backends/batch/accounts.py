"""What a batch system's accounting tells of the jobs that it doesn't know any more."""

import asyncio
import logging
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from solveyard.backends.batch.common import Cluster
from solveyard.backends.batch.entries import Entry
from solveyard.backends.batch.marks import Marks
from solveyard.backends.dialects.base import NativeState, Unreadable
from solveyard.model.jobs import AttemptId

log = logging.getLogger(__name__)

#: Said of accounting that is down for a moment: where there is none, the words are others. What
#: has no exit status was ended by us, or the way to it broke: that is silence, whatever the words.
_SILENT = re.compile(r"connection|timed out|no answer|unable to contact|persist", re.IGNORECASE)
_SHORT = 10.0  #: s for its answer: all else that is to be seen waits for that
_ASIDE = 60.0  #: s until it is asked again where it was silent


class Account(NamedTuple):
    states: Mapping[AttemptId, NativeState] = {}
    silent: frozenset[AttemptId] = frozenset()  #: of whom it may tell something later


class Accounts:
    """Of one cluster, where it keeps any."""

    def __init__(self, cluster: Cluster, marks: Marks) -> None:
        self._cluster, self._marks = cluster, marks
        self._again_at = 0.0  #: by the loop's clock

    async def of(self, gone: Sequence[Entry]) -> Account:
        ids = list(dict.fromkeys(entry.native_id for entry in gone))
        call = self._cluster.dialect.accounting(ids) if ids else None
        if call is None:
            return Account()
        now = asyncio.get_running_loop().time()
        if now >= self._again_at:
            call = call._replace(timeout=min(call.timeout, _SHORT))
            answer = await self._cluster.run(call)
            if self._cluster.absent(call, answer):
                return Account()
            told = self._cluster.dialect.accounted(answer)
            if not isinstance(told, Unreadable):
                return Account((await self._marks.own(gone, told)).own)
            if not (answer.code is None or _SILENT.search(told.why)):
                return Account()
            log.warning(
                "accounting is silent", extra={"cluster": self._cluster.name, "why": told.why}
            )
            self._again_at = now + _ASIDE
        return Account(silent=frozenset(entry.attempt for entry in gone if entry.kill is None))
