"""Ending a whole process tree."""

from __future__ import annotations

import logging
from typing import Optional, Set

from solveyard.agent.platform.base import Platform, Tree

FIRST_LOOK, LONGEST_LOOK = 0.02, 1.0  #: s between two looks at a tree that is being ended
LOOKS = 3  #: one after the other, that must find nobody where one can't be sure
OBSTINATE = 10.0  #: s of KILL after which the log tells of who still lives
RESTLESS = 30.0  #: s for which the end is put off by somebody who may be another tree's
_log = logging.getLogger(__name__)


class Ending:
    """One tree on its way out: TERM, the grace period, KILL, until nobody is left."""

    def __init__(
        self, platform: Platform, tree: Tree, because: str, until: float, alone: float = 0.0
    ) -> None:
        """`until`: the moment, by the monotonic clock, from which KILL is used; `alone`: that
        until which the first process alone is told, while it lives.
        """
        self.because = because  #: "" when the command had ended by itself and left others behind
        self._platform = platform
        self._tree = tree
        self._until = until
        self._alone = alone
        self._told: Set[int] = set()
        self._killing = False
        self._look = FIRST_LOOK
        self._quiet = 0  # looks in a row that found nobody
        self._next = 0.0  # the moment from which another of these counts
        self._warn_at: Optional[float] = None
        self._restless_until: Optional[float] = None

    def hurry(self, until: float) -> None:
        """A later wish may bring KILL nearer, never put it off."""
        if until < self._until:
            self._until = until
            self._look = FIRST_LOOK

    def step(self, now: float, *, alone: bool) -> Optional[float]:
        """Signal who is left. Returns after how many seconds to look again; None: nobody is.

        Who was told once by TERM isn't told again; KILL is repeated, against what forks.
        """
        members = self._platform.members(self._tree, alone=alone)
        if not members:
            return self._nobody(now, alone=alone)
        self._quiet = 0
        if now >= self._until:
            if not self._killing:
                self._killing, self._look = True, FIRST_LOOK
                self._warn_at = now + OBSTINATE
            self._platform.kill(self._tree, members, alone=alone)
            self._warn(now, members)
        else:
            first = members & {self._tree.pid} if now < self._alone else set()
            fresh = (first or members) - self._told
            self._told |= fresh
            self._platform.signal(fresh, "TERM")
            self._platform.signal(fresh, "CONT")  # what is stopped can't obey
        look = self._look
        self._look = min(2 * look, LONGEST_LOOK)
        if self._killing:
            return look
        next_stage = self._alone if now < self._alone else self._until
        return max(0.0, min(look, next_stage - now))

    def _nobody(self, now: float, *, alone: bool) -> Optional[float]:
        if self._quiet >= LOOKS or self._platform.sure(self._tree, alone=alone):
            return None
        if self._platform.restless and self._wait_for_rest(now):
            self._quiet = 0
            if now >= self._until:
                self._platform.kill(self._tree, set(), alone=alone)
            return FIRST_LOOK
        if now >= self._next:
            self._quiet += 1
            self._next = now + FIRST_LOOK
        return None if self._quiet >= LOOKS else self._next - now

    def _wait_for_rest(self, now: float) -> bool:
        if self._restless_until is None:
            self._restless_until = now + RESTLESS
        if now < self._restless_until:
            return True
        if self._quiet == 0:
            text = "%s is taken for ended, though an orphan forks too fast to see whose it is"
            _log.warning(text, self._tree.attempt)
        return False

    def _warn(self, now: float, members: Set[int]) -> None:
        if self._warn_at is not None and now >= self._warn_at:
            self._warn_at = None
            text = "processes of %s outlive KILL, which goes on: %s"
            _log.warning(text, self._tree.attempt, sorted(members)[:20])
