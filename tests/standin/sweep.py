"""Frequency sweeps: every point, or rational interpolation between the points that need solving."""

import itertools
from collections.abc import Callable, Sequence

Solve = Callable[[Sequence[float]], list[complex]]  #: S11 at each frequency
Told = Callable[[int, float, float | None], None]  #: basis element, frequency, error in %


def points(start: float, stop: float, number: int) -> list[float]:
    return [start + (stop - start) * index / max(number - 1, 1) for index in range(number)]


class Interpolation:
    """Solves where the prediction and the solution differ, halving intervals."""

    def __init__(self, solve: Solve, told: Told, *, tolerance: float, most: int) -> None:
        self.solve, self.told = solve, told
        self.tolerance, self.most = tolerance, most
        self.basis: dict[float, complex] = {}
        self.converged = False
        self._found: list[complex] = []
        self._fitted = 0

    def run(self, start: float, stop: float) -> None:
        """Until every interval's middle is predicted well enough, or `most` are solved."""
        first = points(start, stop, 5)
        self._solved(first)
        for number, frequency in enumerate(first, 1):
            self.told(number, frequency, None)
        open_intervals = list(itertools.pairwise(first))
        while open_intervals:
            middles = [(low + high) / 2 for low, high in open_intervals]
            middles = middles[: self.most - len(self.basis)]
            if not middles:
                return
            predicted = [self.at(middle) for middle in middles]
            number = len(self.basis)
            self._solved(middles)
            again: list[tuple[float, float]] = []
            for (low, high), middle, guess in zip(open_intervals, middles, predicted, strict=False):
                number += 1
                error = abs(guess - self.basis[middle]) * 100
                self.told(number, middle, error)
                if error > self.tolerance:
                    again += [(low, middle), (middle, high)]
            open_intervals = again + open_intervals[len(middles) :]
        self.converged = True

    def _solved(self, frequencies: Sequence[float]) -> None:
        self.basis.update(zip(frequencies, self.solve(frequencies), strict=True))

    def at(self, frequency: float) -> complex:
        """By a rational function through the basis, in barycentric form."""
        if frequency in self.basis:
            return self.basis[frequency]
        above = below = 0j
        for node, weight in zip(self._nodes(), self._weights(), strict=True):
            factor = weight / (frequency - node)
            above += factor * self.basis[node]
            below += factor
        return above / below

    def _nodes(self) -> list[float]:
        return sorted(self.basis)[::2]

    def _weights(self) -> list[complex]:
        """So that it meets the other points, too: the null vector of their Loewner matrix."""
        if len(self.basis) != self._fitted:
            others, nodes = sorted(self.basis)[1::2], self._nodes()
            scale = max(self.basis)
            rows = [
                [(self.basis[a] - self.basis[b]) / (a - b) * scale for b in nodes] for a in others
            ]
            self._found = _null_vector(rows, len(nodes))
            self._fitted = len(self.basis)
        return self._found


def _null_vector(rows: list[list[complex]], width: int) -> list[complex]:
    """The direction that `rows` shorten most, by inverse iteration."""
    columns = range(width)
    square = [[sum(row[a].conjugate() * row[b] for row in rows) for b in columns] for a in columns]
    lift = 1e-14 * max(abs(square[a][a]) for a in columns)
    for a in columns:
        square[a][a] += lift
    vector: list[complex] = [1.0 + 0j] * width
    for _ in range(4):
        vector = _solved(square, vector)
        length = sum(abs(value) ** 2 for value in vector) ** 0.5
        vector = [value / length for value in vector]
    return vector


def _solved(matrix: list[list[complex]], right: list[complex]) -> list[complex]:
    """Gauss, with the largest pivot of each column."""
    rows = [[*row, value] for row, value in zip(matrix, right, strict=True)]
    for done in range(len(rows)):
        pivot = max(range(done, len(rows)), key=lambda number: abs(rows[number][done]))
        rows[done], rows[pivot] = rows[pivot], rows[done]
        for row in rows[:done] + rows[done + 1 :]:
            factor = row[done] / rows[done][done]
            row[done:] = [
                a - factor * b for a, b in zip(row[done:], rows[done][done:], strict=True)
            ]
    return [row[-1] / row[number] for number, row in enumerate(rows)]
