"""From answers to what is expected: over days, restarts, reloads, storages that fail."""

import asyncio
from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path

import pytest

from exporter.account.forecast import depletion, profile
from exporter.account.policy import fraction
from exporter.account.resemblance import timetable
from exporter.account.use import Ended
from exporter.config import CalendarConfig
from exporter.metrics import ExporterMetrics
from exporter.polling.profiles import PATIENCE, SPREAD
from exporter.storage import days
from exporter.storage.engine import StorageError
from tests.support.calendars import at, mexican
from tests.support.peers import FakeClock, samples
from tests.support.rig import KEY, RIGHT, Life, ScriptedProvider, account, fails, reading

pytestmark = [pytest.mark.process, pytest.mark.timeout(60)]  # holidays are looked up in one

HOUR, DAY = 3600.0, 86_400.0
MEXICO = mexican()
MONDAY = at(MEXICO, "2026-11-16")
SHARE = fraction(KEY) * SPREAD
HISTORY, USUAL, DEPLETION = (
    f'cfdi_stamps_{name}{{account="acme"}}'
    for name in ("history_days", "usual_day", "depletion_timestamp_seconds")
)
USE = [40, 55, 60, 52, 71, 8, 0, 44, 50]


class Company:
    """An account at the provider: what it uses, hour by hour from 9:00 on, and how it is polled."""

    def __init__(self, path: Path, clock: FakeClock) -> None:
        self.path, self.clock = path, clock
        clock.time_seconds = MONDAY
        self.provider = ScriptedProvider(clock)
        self.used, self.contracted = 1000, 3000
        self.lives: list[Life] = []

    async def start(self, *, interval: float = HOUR) -> Life:
        """Start the exporter, or restart it after a kill."""
        if self.lives:
            await self.lives[-1].storage.close()
        life = Life(self.path, self.clock, self.provider)
        self.lives.append(life)
        await life.use(account(interval=interval))
        return life

    async def poll(self, risen: int = 0) -> None:
        """The account uses some stamps, and is polled now."""
        life = self.lives[-1]
        self.used += risen
        available = self.contracted - self.used
        self.provider.script.append(reading(200 if available else 630, self.contracted, self.used, available))
        await life.agenda.run("acme", life.poller.poll)
        await life.kept()
        await life.publisher.publish()

    async def day(self, stamps: int) -> None:
        """Poll every hour of a day, at its half; it uses some stamps, a tenth an hour until 18:30."""
        begin = MEXICO.around(self.clock.time()).start
        for hour in range(24):
            self.to(begin + (hour + 0.5) * HOUR)
            of_hour = hour - 9
            risen = stamps * (of_hour + 1) // 10 - stamps * of_hour // 10 if 0 <= of_hour < 10 else 0
            await self.poll(risen)
            if hour == 4:
                await self.lives[-1].profiles.refresh()
        self.to(begin + DAY)

    def to(self, moment: float) -> None:
        self.clock.advance(moment - self.clock.time())

    @property
    def shown(self) -> dict[str, float]:
        return samples(b"".join(self.lives[-1].exposition.pieces("text")).decode())


@pytest.fixture
async def company(tmp_path: Path, clock: FakeClock) -> AsyncIterator[Company]:
    company = Company(tmp_path / "state.db", clock)
    yield company
    await company.lives[-1].storage.close()


def expected(company: Company, use: list[int | None], today: date, used_today: int | None) -> float | None:
    """What the forecast says of this use."""
    state = company.lives[-1].state()
    assert state.available
    hours = [0.0] * 8 + [0.5] + [1.0] * 9 + [0.5] + [0.0] * 5
    made = profile(use, timetable(MEXICO, today), hours)
    return depletion(made, state.available.stamps, state.available.at, used_today)


async def test_from_the_first_whole_day_on_there_is_a_forecast(company: Company) -> None:
    """It is that of the pure function for what was used, day by day."""
    life = await company.start()
    await life.profiles.refresh()
    assert life.state().history_days == 0
    company.to(MONDAY + 60.0)
    await company.poll()
    assert company.shown[HISTORY] == 0
    assert DEPLETION not in company.shown
    for number, used in enumerate(USE):
        await company.day(used)
        shown, before = company.shown, max(0, number - 1)
        assert shown[HISTORY] == before  # today and the first day, which isn't whole, aren't among them
        assert (DEPLETION in shown, USUAL in shown) == (before > 0, before > 0)
        today = date(2026, 11, 16 + number)
        assert life.state().depletion == pytest.approx(
            expected(company, [None, *USE[1:number]], today, used if number else None), abs=600.0
        )
        assert shown.get(USUAL) == life.state().usual_day


async def test_a_restart_goes_on_where_it_was(company: Company) -> None:
    """What was shown is shown at once; then it is made of the same days."""
    life = await company.start()
    await company.poll()
    for used in USE:
        await company.day(used)
    company.to(company.clock.time() + SPREAD)
    await company.poll()
    await life.profiles.refresh()
    await company.poll(3)
    before = company.shown
    life = await company.start()
    await life.publisher.publish()
    wanted = {name: before[name] for name in (HISTORY, USUAL, DEPLETION)}
    assert {name: company.shown[name] for name in wanted} == wanted
    assert life.state().profile is None
    await life.profiles.refresh()
    await life.publisher.publish()
    assert {name: company.shown[name] for name in wanted} == wanted


class TestOnceADay:
    async def started(self, company: Company) -> Life:
        """At midnight between the second day and the third, with a profile of the second."""
        life = await company.start()
        await company.poll()
        await company.day(50)
        await company.day(50)
        await life.profiles.refresh()
        return life

    async def test_at_its_own_time_of_the_night(self, company: Company) -> None:
        """Thousands of them at midnight would be a pile of work."""
        life = await self.started(company)
        assert life.state().history_days == 1
        midnight = company.clock.time()
        company.to(midnight + min(SHARE - 1, 60.0))
        await company.poll()
        before = life.state().profile
        await life.profiles.refresh()
        assert life.state().profile is before
        company.to(midnight + SHARE)
        await life.profiles.refresh()
        assert life.state().history_days == 2
        assert life.state().profile is not before
        before = life.state().profile
        await life.profiles.refresh()
        assert life.state().profile is before

    async def test_though_nobody_polls(self, company: Company) -> None:
        """Days pass: it waits a while for the answer that tells how yesterday ended, and no longer."""
        life = await self.started(company)
        await company.poll()
        await life.profiles.refresh()
        for day in range(3, 6):
            midnight = MONDAY + day * DAY
            company.to(midnight + SPREAD + PATIENCE / 2)
            before = life.state().profile
            if SHARE + PATIENCE > SPREAD + PATIENCE / 2:
                await life.profiles.refresh()
                assert life.state().profile is before
            company.to(midnight + SPREAD + PATIENCE)
            await life.profiles.refresh()
            made = life.state().profile
            assert made is not before
            assert made
            assert date.fromordinal(made.timetable.today) == date(2026, 11, 16 + day)
            assert made.history_days == 2
        assert life.state().depletion is not None

    async def test_again_once_an_answer_tells_of_the_days_before(self, company: Company) -> None:
        """After an outage there is more to know at once."""
        life = await self.started(company)
        await company.poll()
        company.to(MONDAY + 6 * DAY + SPREAD + PATIENCE)
        await life.profiles.refresh()
        assert life.state().history_days == 2
        await company.poll(200)
        await life.profiles.refresh()
        assert life.state().history_days == 6


async def test_no_stamps_left(company: Company) -> None:
    """The time is that at which it was first seen, over restarts, until there are stamps again."""
    life = await company.start()
    await company.poll()
    await company.day(50)
    company.to(company.clock.time() + HOUR)
    seen = company.clock.time()
    await company.poll(company.contracted - company.used)
    assert company.shown[DEPLETION] == seen
    for _ in range(2):
        company.to(company.clock.time() + 5 * HOUR)
        await company.poll()
        await life.profiles.refresh()
        await life.publisher.publish()
        assert company.shown[DEPLETION] == seen
        life = await company.start()
        await life.publisher.publish()
        assert company.shown[DEPLETION] == seen
    company.contracted += 5000
    await company.poll()
    assert DEPLETION not in company.shown
    await life.profiles.refresh()
    await life.publisher.publish()
    assert company.shown[DEPLETION] > seen + DAY


async def test_a_storage_that_fails_when_a_day_ends(company: Company) -> None:
    """The day is written once it works again."""
    life = await company.start()
    await company.poll()
    await company.day(50)
    life.storage.before = fails()
    with pytest.raises(StorageError):
        await company.poll()
    for _ in range(2):
        company.to(company.clock.time() + DAY)
        with pytest.raises(StorageError):
            await company.poll(24)
    life.storage.before = lambda _number: None
    await company.poll()
    kept = await life.storage.transact(lambda db: days.load(db, [KEY]))
    today = life.profiles.today(company.clock.time()).ordinal
    assert kept[KEY].until(today)[-3:] == [50, 24, 24]
    assert life.state().use.ended == ()


async def test_days_that_another_process_adds(company: Company) -> None:
    """Are taken up without a restart."""
    life = await company.start()
    await company.poll()
    await life.profiles.refresh()
    await life.profiles.look_around()
    today = life.profiles.today(company.clock.time()).ordinal
    added = [Ended(today - number, 40 + number, b"") for number in range(1, 61)]
    await life.storage.transact(lambda db: days.add(db, KEY, added, company.clock.time()))
    await life.profiles.refresh()
    assert life.state().history_days == 0
    await life.profiles.look_around()
    await life.profiles.refresh()
    assert life.state().history_days == 60
    before = life.state().profile
    await life.profiles.look_around()
    await life.profiles.refresh()
    assert life.state().profile is before


async def test_another_calendar(company: Company) -> None:
    """A reload can bring one: all profiles are made anew, and the days of the alerts too."""
    life = await company.start()
    await company.poll()
    for used in USE:
        await company.day(used)
    await company.poll()
    await life.profiles.refresh()
    ends, business = (
        f"cfdi_calendar_{name}" for name in ("next_business_day_end_timestamp_seconds", "business_day")
    )
    assert (company.shown[ends], company.shown[business]) == (at(MEXICO, "2026-11-26 18:00"), 1)
    before = life.state().profile
    life.profiles.use(CalendarConfig())
    await life.profiles.refresh()
    assert life.state().profile is before
    life.profiles.use(CalendarConfig(closed=frozenset((date(2026, 11, 25), date(2026, 11, 26)))))
    await life.profiles.refresh()
    assert life.state().profile is not before
    assert (company.shown[ends], company.shown[business]) == (at(MEXICO, "2026-11-27 18:00"), 0)
    life.profiles.use(CalendarConfig("Asia/Tokyo", "JP"))
    await life.profiles.refresh()
    assert company.shown[ends] == at(mexican("Asia/Tokyo"), "2026-11-26 18:00")


async def test_another_login_has_no_past(company: Company) -> None:
    """Under the same name; the one that was there before keeps its own, should it come back."""
    life = await company.start()
    await company.poll()
    for used in USE[:3]:
        await company.day(used)
    await company.poll()
    await life.profiles.refresh()
    company.provider.passwords["other@acme.example"] = RIGHT
    await life.use(account(username="other@acme.example"))
    await company.poll()
    await life.profiles.refresh()
    state = life.state()
    assert (state.history_days, state.depletion, state.usual_day) == (0, None, None)
    await life.use(account())
    company.to(company.clock.time() + SPREAD)
    await company.poll()
    await life.profiles.refresh()
    assert life.state().history_days == 3


async def test_a_removed_account_leaves_nothing(company: Company) -> None:
    """Not even a profile that was being made."""
    life = await company.start()
    await company.poll()
    await company.day(50)
    await company.poll()
    refreshing = asyncio.create_task(life.profiles.refresh())
    await asyncio.sleep(0)
    await life.use()
    await refreshing
    assert len(life.accounts) == 0
    assert HISTORY not in company.shown


async def test_a_top_up_and_a_contract_that_starts_anew(company: Company) -> None:
    """Neither is use; what a wrong answer in between says isn't either."""
    life = await company.start()
    await company.poll()
    await company.day(50)
    company.to(company.clock.time() + HOUR)
    await company.poll(10)  # half of it before midnight
    company.contracted += 10_000
    await company.poll(5)
    company.used, before = 0, company.used
    await company.poll()
    await company.poll(3)
    await company.poll(4)
    company.used, anew = before, company.used
    await company.poll()
    company.used = anew
    await company.poll(1)
    today = life.profiles.today(company.clock.time())
    assert life.state().use.of_day(today) == life.state().consumed.total - 50 - 3


def test_before_the_calendar_is_known_nothing_is_shown_of_it() -> None:
    """No 0, which would be a statement."""
    metrics = ExporterMetrics("test")
    assert b"cfdi_calendar" not in metrics.lines(openmetrics=False)
    metrics.day_turned(1.7e9, business_day=False)
    assert b"cfdi_calendar_business_day 0.0" in metrics.lines(openmetrics=False)
