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


def test_a_store_that_starts_none_does_so_again_once_its_limits_are_assigned(
    handler: JobManagerHandler, tmp_path: Path
) -> None:
    with Client(tmp_path / "store") as client:
        client.set_limits(max_concurrent=0)
    kept = handler.resource_limits
    handler.resource_limits.max_concurrent_jobs = 3
    handler.resource_limits = kept
    assert handler.resource_limits == kept
    handler.resource_limits.max_concurrent_jobs = 3
    handler.close()
    handler.resource_limits = kept
    handler.start_service()
    with Client(tmp_path / "store") as client:
        assert client.limits()["max_concurrent"] == 0
