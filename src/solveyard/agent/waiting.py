"""Launches that have not started yet: in memory only, so that they can be taken back."""

from __future__ import annotations

import collections
from typing import Container, Deque, Dict, List, Optional

from solveyard.agent.orders import Launch


class Waiting:
    """Who may start now, and who waits for the end of another; in order of arrival."""

    def __init__(self) -> None:
        self._launches: Dict[str, Launch] = {}
        self._followers: Dict[str, List[str]] = {}  # attempt -> who waits for its end
        self._ready: Deque[str] = collections.deque()
        self._blocked: List[str] = []

    def __contains__(self, attempt: str) -> bool:
        return attempt in self._launches

    def __len__(self) -> int:
        return len(self._launches)

    def add(self, launch: Launch, running: Container[str]) -> None:
        """Its turn is when `after` has ended; at once, where that neither runs nor waits."""
        self._launches[launch.attempt] = launch
        after = launch.after
        if after is not None and (after in self._launches or after in running):
            self._followers.setdefault(after, []).append(launch.attempt)
        else:
            self._ready.append(launch.attempt)

    def withdraw(self, attempt: str) -> bool:
        """Take one back; who waited for it waits for whom it waited for. False: unknown."""
        launch = self._launches.pop(attempt, None)
        if launch is None:
            return False
        followers = self._followers.pop(attempt, [])
        for follower in followers:
            self._launches[follower] = self._launches[follower]._replace(after=launch.after)
        line = self._followers.get(launch.after) if launch.after is not None else None
        if line is not None and attempt in line:
            at = line.index(attempt)
            line[at : at + 1] = followers
        else:
            self._ready.extend(followers)
        return True

    @property
    def launches(self) -> List[Launch]:
        return list(self._launches.values())

    def limit(self, attempt: str, limit: Optional[float]) -> None:
        self._launches[attempt] = self._launches[attempt]._replace(limit=limit)

    def ended(self, attempt: str) -> None:
        """Who waited for it may start."""
        self._ready.extend(self._followers.pop(attempt, ()))

    def next(self) -> Optional[Launch]:
        """Take out the next that may start; None: there is none now."""
        while self._ready:
            launch = self._launches.pop(self._ready.popleft(), None)
            if launch is not None:  # it was not withdrawn
                return launch
        return None

    def block(self, launch: Launch) -> None:
        """It could not be started now: put it back until `unblock`."""
        self._launches[launch.attempt] = launch
        self._blocked.append(launch.attempt)

    def unblock(self) -> None:
        self._ready.extend(self._blocked)
        self._blocked.clear()
