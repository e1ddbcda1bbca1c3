"""From state to storage to exposition: a counter is shown once it is stored, so that it never goes back."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from exporter.account.login import Login
from exporter.account.state import Figure, Rise, State
from exporter.config import Account
from exporter.exposition.exposition import Exposition
from exporter.exposition.publisher import Publisher
from exporter.metrics import ExporterMetrics
from exporter.polling.accounts import Accounts, Monitored
from exporter.provider.solucion_factible.codes import code
from exporter.storage.engine import StorageError
from exporter.storage.states import load
from tests.support.peers import FakeClock, samples
from tests.support.rig import RIGHT, FlakyStorage, account, fails

OTHER = account(RIGHT, "other", username="other@acme.example")


class Shop:
    """A publisher with what it stands between."""

    def __init__(self, path: Path, clock: FakeClock) -> None:
        self.accounts = Accounts()
        self.storage = FlakyStorage(path, exclusive=True, now=clock.time())
        self.exposition = Exposition(ExporterMetrics("test"), clock)
        self.publisher = Publisher(self.accounts, self.storage, self.exposition)
        self.now = clock.time

    def put(self, consumed: int, available: int = 0, asked: Account | None = None) -> None:
        """An account has been polled."""
        asked = asked or account()
        state = State(consumed=Rise(consumed, consumed), available=Figure(available, self.now()))
        self.accounts.put(Monitored(asked, Login(asked.guard_key, asked.password, asked), state))
        self.exposition.arrange([monitored.account.name for monitored in self.accounts])

    def shown(self, metric: str = "cfdi_stamps_consumed_total", name: str = "acme") -> float | None:
        text = b"".join(self.exposition.pieces("text")).decode()
        return samples(text).get(f'{metric}{{account="{name}"}}')

    def stored(self) -> dict[str, int]:
        states = self.storage.read(lambda db: load(db, self.now(), code))
        return {key: state.consumed.total for key, state in states.items()}


@pytest.fixture
async def shop(tmp_path: Path, clock: FakeClock) -> AsyncIterator[Shop]:
    shop = Shop(tmp_path / "state.db", clock)
    yield shop
    await shop.storage.close()


async def test_shown_once_stored(shop: Shop) -> None:
    """Not before: a kill could take it back."""
    shop.put(5)
    shown_until_stored: list[float | None] = []
    shop.storage.after = lambda _number: shown_until_stored.append(shop.shown())
    await shop.publisher.publish()
    assert shown_until_stored == [None]
    assert shop.shown() == 5
    assert shop.stored() == {account().guard_key: 5}


async def test_only_what_has_changed_is_written(shop: Shop) -> None:
    """And nothing where nothing has."""
    shop.put(5)
    shop.put(7, asked=OTHER)
    await shop.publisher.publish()
    writes = shop.storage.writes
    await shop.publisher.publish()
    assert shop.storage.writes == writes
    shop.put(6)
    await shop.publisher.publish()
    assert (shop.shown(), shop.shown(name="other")) == (6, 7)


async def test_without_storage_only_the_counters_stand_still(shop: Shop) -> None:
    """The balance is shown as it is; all is stored once that works again, without another poll."""
    shop.put(5, available=100)
    await shop.publisher.publish()
    shop.storage.before = fails()
    shop.put(9, available=96)
    for _ in range(2):
        with pytest.raises(StorageError):
            await shop.publisher.publish()
        assert shop.shown() == 5
        assert shop.shown("cfdi_stamps_available") == 96
    shop.storage.before = lambda _number: None
    await shop.publisher.publish()
    assert shop.shown() == 9
    assert shop.stored() == {account().guard_key: 9}


async def test_another_account_that_changes_meanwhile(shop: Shop) -> None:
    """Is kept beside those that still wait to be stored."""
    shop.put(5)
    shop.storage.before = fails()
    with pytest.raises(StorageError):
        await shop.publisher.publish()
    shop.put(7, asked=OTHER)
    with pytest.raises(StorageError):
        await shop.publisher.publish()
    shop.storage.before = lambda _number: None
    await shop.publisher.publish()
    assert shop.stored() == {account().guard_key: 5, OTHER.guard_key: 7}


async def test_without_storage_from_the_start_on(shop: Shop) -> None:
    """The counters are those that were loaded: at 0 they would seem to have been reset."""
    shop.storage.before = fails()
    shop.put(500)
    with pytest.raises(StorageError):
        await shop.publisher.publish()
    assert shop.shown() == 500
    shop.put(510)
    with pytest.raises(StorageError):
        await shop.publisher.publish()
    assert shop.shown() == 500


async def test_removed_while_it_is_being_stored(shop: Shop) -> None:
    """It has left the exposition and doesn't come back."""
    shop.put(5)

    def remove(_number: int) -> None:
        shop.accounts.replace([])
        shop.exposition.arrange([])

    shop.storage.after = remove
    await shop.publisher.publish()
    assert shop.shown() is None


async def test_changed_while_it_is_being_stored(shop: Shop) -> None:
    """What was stored is shown; the rest comes with the next batch."""
    shop.put(5)

    def poll_again(_number: int) -> None:
        monitored = shop.accounts.get("acme")
        assert monitored is not None
        shop.accounts.put(replace(monitored, state=replace(monitored.state, consumed=Rise(8, 8))))

    shop.storage.after = poll_again
    await shop.publisher.publish()
    assert shop.shown() == 5
    shop.storage.after = lambda _number: None
    await shop.publisher.publish()
    assert shop.shown() == 8


async def test_removed_while_it_waits_to_be_stored(shop: Shop) -> None:
    """Nothing is left to be written."""
    shop.put(5)
    shop.storage.before = fails()
    with pytest.raises(StorageError):
        await shop.publisher.publish()
    shop.accounts.replace([])
    await shop.publisher.publish()
