"""Ending a whole process tree."""

from __future__ import annotations

from typing import Optional, Set

from solveyard.agent.platform.base import Platform, Tree

FIRST_LOOK, LONGEST_LOOK = 0.02, 1.0  #: s between two looks at a tree that is being ended


class Ending:
    """One tree on its way out: TERM, the grace period, KILL, until nobody is left."""

    def __init__(self, platform: Platform, tree: Tree, because: str, until: float) -> None:
        """`until`: the moment, by the monotonic clock, from which KILL is used."""
        self.because = because  #: "" when the command had ended by itself and left others behind
        self._platform = platform
        self._tree = tree
        self._until = until
        self._told: Set[int] = set()
        self._killing = False
        self._look = FIRST_LOOK

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
            return None
        if now >= self._until:
            if not self._killing:
                self._killing, self._look = True, FIRST_LOOK
            self._platform.kill(self._tree, members)
        else:
            fresh = members - self._told
            self._told |= fresh
            self._platform.signal(fresh, "TERM")
            self._platform.signal(fresh, "CONT")  # what is stopped can't obey
        look = self._look
        self._look = min(2 * look, LONGEST_LOOK)
        return look if self._killing else max(0.0, min(look, self._until - now))
