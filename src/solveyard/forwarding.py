"""Jobs for clusters: what may be submitted there, and what the store remembers of them."""

import logging
from collections.abc import Mapping

from solveyard.backends.batch import Batch, Remembered
from solveyard.core.engine import Engine
from solveyard.model.errors import InvalidJob
from solveyard.model.jobs import AttemptId, JobSpec
from solveyard.model.messages import Launch
from solveyard.ordering import Ordering
from solveyard.solvers import tasks

log = logging.getLogger(__name__)


class Forwarding:
    """Between one store's jobs and its clusters."""

    def __init__(self, ordering: Ordering, clusters: Mapping[str, Batch]) -> None:
        self._ordering = ordering
        self.clusters = clusters

    def check(self, spec: JobSpec) -> None:
        """Raises InvalidJob for what the cluster that it names could not be asked for."""
        if not spec.on:
            if spec.batch is not None:
                raise InvalidJob("`batch` is for jobs on a cluster (name it: `on`)")
            return
        for sample in tasks.samples(spec):
            self.preview(sample)

    def preview(self, spec: JobSpec) -> tuple[str, tuple[str, ...]]:
        """The script and the command that would submit a job. Raises InvalidJob."""
        batch = self.cluster(spec.on)
        order = self._ordering.preview(spec)
        return batch.script(order), batch.call(order).argv

    def cluster(self, name: str) -> Batch:
        """Raises InvalidJob where there is none of that name."""
        batch = self.clusters.get(name)
        if batch is None:
            known = ", ".join(sorted(self.clusters)) or "none"
            raise InvalidJob(
                f"the settings name no cluster {name!r} (there is: {known}; add a table"
                f" [clusters.{name}] to config.toml, and restart the manager)"
            )
        return batch

    def remembered(self, engine: Engine, attempt_id: AttemptId) -> Remembered | None:
        """What the store has of an attempt that has not ended; None: nothing that can be used."""
        found = engine.attempt(attempt_id)
        if found is None or not found[1].live:
            return None
        job, attempt = found
        launch = Launch(job=job.id, attempt=attempt.id, spec=job.spec, placement=attempt.placement)
        try:
            return Remembered(self._ordering.order(launch), attempt.native_id)
        except (InvalidJob, OSError):
            log.exception("a forwarded job can't be followed", extra={"job": job.id})
            return None
