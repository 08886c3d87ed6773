"""A batch system for the tests of a file, and a manager that forwards jobs to it."""

from collections.abc import Iterator

import pytest

from batchsystems.sites import Site, started
from cluster.slurm import absent
from conftest import Service

pytest.register_assert_rewrite("conformance.batch_suite", "conformance.batch_troubles")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A file's tests run on each of its `SITES`."""
    if "site" in metafunc.fixturenames:
        metafunc.parametrize("site", metafunc.module.SITES, indirect=True, scope="module")


@pytest.fixture(scope="module")
def site(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """Each in turn."""
    if request.param == "slurm" and (missing := absent()):
        pytest.skip(f"Slurm is not installed: there is no {', '.join(missing)}")
    one = started(request.param, tmp_path_factory.mktemp(request.param))
    try:
        yield one
    finally:
        one.stop()


@pytest.fixture(scope="module")
def service(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Asks five times a second, where users have it ask every two seconds at most."""
    folder = tmp_path_factory.mktemp("manager")
    config = folder / "config.toml"
    config.write_text(site.settings)
    one = Service(
        folder / "store", environment={**site.environment, "SOLVEYARD_CONFIG": str(config)}
    )
    try:
        yield one.start()
    finally:
        one.clean_up()


@pytest.fixture(autouse=True)
def _well_again(request: pytest.FixtureRequest) -> Iterator[None]:
    """However a test ends, its faults are no other's."""
    yield
    if "site" in request.fixturenames:
        request.getfixturevalue("site").come_back()
