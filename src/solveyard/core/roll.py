"""The jobs by their ids, as one keeps them who knows them all."""

from collections.abc import Iterable

from solveyard.core.shelf import Shelf
from solveyard.model.jobs import Job, JobId, JobState


class Roll(dict[JobId, Job]):
    """Who names a whole job that is on the shelf has it brought back first.

    What goes through all of them passes those over, and ended tasks on the shelf are not here.
    """

    def __init__(self, shelf: Shelf) -> None:
        super().__init__()
        self._shelf = shelf
        shelf.fill(self)

    def __missing__(self, job_id: JobId) -> Job:
        if self._shelf.whole(job_id) is None:
            raise KeyError(job_id)
        self._shelf.bring([job_id])
        return self[job_id]

    def __contains__(self, job_id: object) -> bool:
        if super().__contains__(job_id):
            return True
        return isinstance(job_id, int) and self._shelf.whole(JobId(job_id)) is not None

    def get(self, job_id: JobId, default: Job | None = None) -> Job | None:  # type: ignore[override]
        found = dict.get(self, job_id)
        if found is not None:
            return found
        return default if self._shelf.whole(job_id) is None else self[job_id]

    def away(self, job_id: JobId) -> JobState | None:
        """The state of a whole job that is on the shelf; None: it isn't there."""
        return self._shelf.whole(job_id)

    def at_hand(self, job_id: JobId) -> Job | None:
        """None: it's on the shelf, or there is none."""
        return super().get(job_id)

    def bring(self, ids: Iterable[JobId]) -> None:
        """Those of them that are on the shelf, all at once. Raises StoreError."""
        self._shelf.bring(ids)
