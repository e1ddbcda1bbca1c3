"""Fixtures that every test may use; what a missing peer does is in `tests/support/peers/requirement.py`."""

import gc
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from itertools import count
from pathlib import Path

import pytest
from hypothesis import settings

from tests.support.peers import (
    Alertmanager,
    AlertmanagerFactory,
    Daemon,
    DaemonFactory,
    FakeClock,
    MailServer,
    PhpProvider,
    PhpProviderFactory,
    Prometheus,
    PrometheusFactory,
    Webhook,
)
from tests.support.peers.ci import in_ci
from tests.support.peers.daemon import EXPORTER

pytest_plugins = ["pytester", "tests.support.peers.requirement", "tests.support.processes"]

# Each of the hundreds of exporters that are started would compile all its modules anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# A noisy machine says nothing about an example. In CI every run tries the same examples, so that a failure
# belongs to the change that it is seen with; elsewhere each run looks for new ones.
settings.register_profile("local", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if in_ci() else "local")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what starts processes, as that may take long: nobody waits for the last one of them then."""
    items.sort(key=lambda item: item.get_closest_marker("process") is None)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Say how many processes of tests there are: where some wait for daemons, others have the processor."""
    processors = os.cpu_count() or 1
    return processors if "not process" in config.option.markexpr else 2 * processors


@pytest.fixture(autouse=True)
def restored_libraries() -> Iterator[None]:
    """The command line silences the libraries for its whole process, which here is that of all tests."""
    names = ("zeep", "aiohttp", "asyncio", "urllib3", "requests")
    loggers = [logging.getLogger(name) for name in names]
    before = [(one, one.handlers, one.propagate, one.level) for one in loggers]
    yield
    for one, handlers, propagate, level in before:
        one.handlers, one.propagate = handlers, propagate
        one.setLevel(level)


@pytest.fixture
def no_garbage_collector() -> Iterator[None]:
    """It doesn't look around by itself, as it may not for hours in a daemon."""
    gc.disable()
    yield
    gc.enable()


@pytest.fixture
def clock() -> FakeClock:
    """A clock that only `advance` moves."""
    return FakeClock()


@pytest.fixture
def processes() -> Iterator[ExitStack]:
    """Ends what a test has started, the last first: each is pushed before it starts, so that a start that is
    interrupted leaves nothing behind."""
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def php_providers(tmp_path: Path, processes: ExitStack) -> PhpProviderFactory:
    """Starts PHP providers."""
    numbers = count(1)

    def start(port: int | None = None) -> PhpProvider:
        provider = processes.push(PhpProvider(_directory(tmp_path, "php", next(numbers)), port))
        provider.start()
        return provider

    return start


@pytest.fixture
def php_provider(php_providers: PhpProviderFactory) -> PhpProvider:
    """One PHP provider, running, without accounts."""
    return php_providers()


@pytest.fixture
def prometheus(tmp_path: Path, processes: ExitStack) -> PrometheusFactory:
    """Starts Prometheus servers."""
    numbers = count(1)

    def start(
        targets: Sequence[str],
        rule_files: Sequence[Path] = (),
        scrape_options: Mapping[str, object] | None = None,
        alertmanagers: Sequence[str] = (),
    ) -> Prometheus:
        directory = _directory(tmp_path, "prometheus", next(numbers))
        server = processes.push(Prometheus(directory, targets, rule_files, scrape_options, alertmanagers))
        server.start()
        return server

    return start


@pytest.fixture
def alertmanager(tmp_path: Path, processes: ExitStack) -> AlertmanagerFactory:
    """Starts Alertmanagers."""
    numbers = count(1)

    def start(config: Mapping[str, object]) -> Alertmanager:
        server = processes.push(Alertmanager(_directory(tmp_path, "alertmanager", next(numbers)), config))
        server.start()
        return server

    return start


@pytest.fixture
def webhook(processes: ExitStack) -> Webhook:
    """Whom an Alertmanager may tell."""
    return processes.enter_context(Webhook())


@pytest.fixture
def mail_server(processes: ExitStack) -> MailServer:
    """Whom an Alertmanager may write to."""
    return processes.enter_context(MailServer())


@pytest.fixture
def daemon(tmp_path: Path, processes: ExitStack) -> DaemonFactory:
    """Starts daemons."""
    numbers = count(1)

    def start(
        config_yaml: str,
        *flags: str,
        env: Mapping[str, str] | None = None,
        command: Sequence[str] = EXPORTER,
        loaded: bool = True,
    ) -> Daemon:
        name = f"daemon-{next(numbers)}"
        exporter = processes.push(Daemon(config_yaml, tmp_path, *flags, env=env, name=name, command=command))
        exporter.start(loaded=loaded)
        return exporter

    return start


def _directory(tmp_path: Path, name: str, number: int) -> Path:
    """A directory of its own for each process of a test."""
    directory = tmp_path / f"{name}-{number}"
    directory.mkdir()
    return directory
