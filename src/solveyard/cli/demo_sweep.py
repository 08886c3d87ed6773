"""The demo's jobs: half-wave dipoles from 0.40 m to 0.60 m, solved by NEC2."""

import msgspec

from solveyard.model.jobs import JobSpec

LENGTHS = tuple(centimetres / 100 for centimetres in range(40, 61, 2))  #: m, tip to tip
RADIUS = 0.001  #: m, of the wire
SEGMENTS = 21
START, STOP, POINTS = 200e6, 400e6, 101  #: Hz, Hz, frequencies
Z0 = 50.0  #: ohm


def demo_specs(*, engine: str = "auto", time_limit: float | None = 60.0) -> list[JobSpec]:
    """One job for each length, shortest first, named "dipole-0.40" and so on."""
    return [
        JobSpec(
            solver="nec",
            name=f"dipole-{length:.2f}",
            time_limit=time_limit,
            tags=("demo",),
            options=msgspec.Raw(
                msgspec.json.encode(
                    {
                        "dipole": {"length": length, "radius": RADIUS, "segments": SEGMENTS},
                        "frequencies": {"start": START, "stop": STOP, "points": POINTS},
                        "z0": Z0,
                        "engine": engine,
                        "result": result_name(length),
                    }
                )
            ),
        )
        for length in LENGTHS
    ]


def result_name(length: float) -> str:
    """The Touchstone file of the dipole of `length` m."""
    return f"dipole-{length:.2f}.s1p"
