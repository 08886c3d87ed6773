"""What a solve keeps in the result folder as it goes, from which another run goes on."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from standin.results import Pass


class Kept:
    """Passes and sweep points of one variation; those of a solve that came to its end don't count.

    Each is on disk before the next is begun, so whatever ends a run leaves what it had solved.
    """

    def __init__(self, place: Path, model: Mapping[str, Any]) -> None:
        """`model`: all that a solution depends on; what was kept of another one is dropped."""
        self._place, self._model = place, dict(model)
        self.passes: list[Pass] = []
        self.answer = 0j  #: S11 of the last pass
        self.points: dict[float, complex] = {}  #: S11 by frequency, with the last pass's segments
        self._read()
        self.found = len(self.passes)  #: passes of earlier runs

    def add_pass(self, solved: Pass, answer: complex) -> None:
        self.passes.append(solved)
        self.answer, self.points = answer, {}
        self._write()

    def add_points(self, points: Mapping[float, complex]) -> None:
        self.points |= points
        self._write()

    def finish(self) -> None:
        self._write(finished=True)

    def _read(self) -> None:
        try:
            content = json.loads(self._place.read_text())
        except (OSError, ValueError):
            return
        if content["finished"] or content["model"] != self._model:
            return
        self.passes = [Pass(*one) for one in content["passes"]]
        self.answer = complex(*content["answer"])
        self.points = {one[0]: complex(*one[1:]) for one in content["points"]}

    def _write(self, *, finished: bool = False) -> None:
        content = {
            "model": self._model,
            "finished": finished,
            "passes": self.passes,
            "answer": [self.answer.real, self.answer.imag],
            "points": [[at, s11.real, s11.imag] for at, s11 in self.points.items()],
        }
        fresh = self._place.with_suffix(".new")
        fresh.write_text(json.dumps(content))
        fresh.replace(self._place)
