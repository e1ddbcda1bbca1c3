"""The configuration in force, alone; with the daemon around it: `test_reloads.py`."""

import asyncio
import weakref
from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml

from exporter import log
from exporter.config import Config, ConfigError, load, redacted
from exporter.daemon.reload import Reloading
from exporter.metrics import ExporterMetrics
from tests.support.peers import FakeClock


def made(folder: Path, names: Sequence[str]) -> Config:
    """A configuration of accounts with these names, labels and usernames."""
    path = folder / "config.yaml"
    accounts = [
        {"name": name, "username": f"{name}@{number}", "password": "hunter2", "labels": {"on": name[:50]}}
        for number, name in enumerate(names)
    ]
    path.write_text(yaml.safe_dump({"accounts": accounts}))
    return load(path, {})


async def test_a_configuration_is_rendered_once(tmp_path: Path, clock: FakeClock) -> None:
    """However many ask for it; and anew where it has been replaced."""
    loaded = [made(tmp_path, ["acme"]), made(tmp_path, ["globex"])]
    metrics, logger = ExporterMetrics("x"), log.logger("error", "logfmt")
    reloading = Reloading(
        lambda: loaded.pop(0), automatic=False, quiet=5, clock=clock, metrics=metrics, log=logger
    )
    assert await reloading.redacted() is None
    await reloading.load()
    first = await asyncio.gather(*(reloading.redacted() for _ in range(20)))
    assert {id(one) for one in first} == {id(first[0])}
    assert b"name: acme" in (first[0] or b"")
    await reloading.reload()
    assert b"name: globex" in (await reloading.redacted() or b"")


ODD = [
    *("yes", "On", "null", "~", "y", "1e5", "0x1f", "1_000", "12:30", "2026-01-01", "=", "<<", "...", "---"),
    *("x: y", "x #y", "- a", "'", '"', "a:", "{a}", "[a", "@x", "%x", "&a", "*a", "!a", "|", ">", "#", "?"),
    *("ñandú & co", "🙂", " x", "x ", "a" * 200, "a b " * 40, "/run/x", "C:\\x"),
]


def test_a_configuration_is_shown_as_yaml_writes_it(tmp_path: Path) -> None:
    """Whatever stands in it; the 0.3 ms that PyYAML takes for each account are why it doesn't write it."""
    shown = redacted(made(tmp_path, ODD))
    understood = yaml.safe_load(shown)
    assert [account["name"] for account in understood["accounts"]] == ODD
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    assert shown == yaml.dump(understood, Dumper=dumper, sort_keys=False, allow_unicode=True, width=1_000_000)
    assert "hunter2" not in shown


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
