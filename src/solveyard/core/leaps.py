"""When the clock was set forward, and how far: seconds that nothing took."""


class Leaps:
    """Those that are known of, shared by all who measure how long something takes."""

    def __init__(self) -> None:
        self._all: list[tuple[float, float]] = []

    def add(self, at: float, by: float) -> bool:
        """False: it is known, and told again since something went wrong."""
        if (at, by) in self._all:
            return False
        self._all.append((at, by))
        return True

    def since(self, at: float) -> float:
        """Seconds that it has leapt since it told `at`."""
        return sum(by for leap, by in self._all if at < leap + by) if self._all else 0.0

    def later(self, at: float) -> float:
        """What it would have told at that moment, had it been right then."""
        return at + self.since(at)
