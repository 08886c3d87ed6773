"""Which failures of a solve are worth another try, where a job asks for tries and doesn't say.

A missing licence, MPI and a hang may pass, after a pause; running out of memory passes with more of
it; a model that is wrong stays so.
"""

from msgspec.structs import replace

from solveyard.model.jobs import JobSpec
from solveyard.model.policies import INFRASTRUCTURE

PASSING = ("licence", "hfss.licence", "hfss.mpi", "hang", "hfss.hang", *sorted(INFRASTRUCTURE))
PAUSE = 60.0  #: s before the second try; each further pause is longer, as the job says
MORE_MEMORY = 1.5


def completed(spec: JobSpec) -> JobSpec:
    """`spec`, with what its `retry` leaves open; one that names causes stays as it is."""
    policy = spec.retry
    if policy is None or policy.on:
        return spec
    memory = ("out_of_memory",) if spec.resources.memory else ()
    grows = policy.memory_factor if policy.memory_factor > 1 else MORE_MEMORY
    policy = replace(
        policy, on=(*PASSING, *memory), delay=policy.delay or PAUSE, memory_factor=grows
    )
    return replace(spec, retry=policy)
