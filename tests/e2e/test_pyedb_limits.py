"""A store's limits, as a handler sets them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import Service
from solveyard.client.sync import Client
from solveyard.pyedb.job_manager_handler import JobManagerHandler
from solveyard.pyedb.limits import ResourceLimits


@pytest.fixture
def handler(tmp_path: Path) -> Iterator[JobManagerHandler]:
    store = tmp_path / "store"
    with JobManagerHandler(store=store, port=0) as one:
        yield one
    Service(store).clean_up()


def test_limits_that_were_kept_hold_again_once_they_are_assigned(
    handler: JobManagerHandler, tmp_path: Path
) -> None:
    handler.resource_limits.min_disk_gb = 3.0
    with Client(tmp_path / "store") as client:
        before = client.limits()
        kept = handler.resource_limits
        handler.resource_limits = ResourceLimits(1)
        assert client.limits() != before
        handler.resource_limits = kept
        assert client.limits() == before  # no limit, where there was none
        assert handler.resource_limits == kept
        shown = kept.max_concurrent_jobs
        kept.max_concurrent_jobs = shown
        handler.resource_limits = kept
        assert client.limits()["max_concurrent"] == shown
