"""What many measurements say together."""

import math
from collections.abc import Sequence


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that at least `percent` of all `values` don't exceed."""
    return sorted(values)[max(1, math.ceil(len(values) * percent / 100)) - 1]
