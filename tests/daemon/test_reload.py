"""The configuration in force, alone; with the daemon around it: `test_reloads.py`."""

import asyncio
import weakref

import pytest

from exporter import log
from exporter.config import Config, ConfigError
from exporter.daemon.reload import Reloading
from exporter.metrics import ExporterMetrics
from tests.support.peers import FakeClock


class Loaded:
    """What a load has at hand until it raises: the text of a file, its nodes."""


@pytest.mark.usefixtures("no_garbage_collector")
def test_nothing_of_a_refused_configuration_stays(clock: FakeClock) -> None:
    """It hangs together with its error in a circle, and may be large."""
    seen: list[weakref.ref[Loaded]] = []

    def load() -> Config:
        loaded = Loaded()
        seen.append(weakref.ref(loaded))
        error = ConfigError(("config.yaml:1:1: wrong",))
        raise error

    async def refused() -> None:
        metrics, logger = ExporterMetrics("x"), log.logger("error", "logfmt")
        reloading = Reloading(load, automatic=False, quiet=5.0, clock=clock, metrics=metrics, log=logger)
        for _ in range(3):
            assert await reloading.reload() == ("config.yaml:1:1: wrong",)

    asyncio.run(refused())
    # The thread that has loaded the last one may still hold it.
    assert [one() for one in seen[:-1]] == [None, None]
