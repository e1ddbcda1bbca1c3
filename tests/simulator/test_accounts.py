"""The pure part of the simulated provider: how stamps are used and bought in time, and how accounts lock."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.simulator import FAILURES_ALLOWED, PASSWORD, Account, Balance, Life, Refill
from exporter.simulator.answers import CODES, MESSAGES
from exporter.simulator.catalogue import load, ready_made
from exporter.simulator.rhythm import MEXICO_CITY, OFFICE, ROUND_THE_CLOCK, Rhythm

HOUR = 3600
DAY = 24 * HOUR


def local(day: str, hour: int = 0) -> float:
    """Unix time of an hour of a day in Mexico City."""
    return datetime.fromisoformat(day).replace(tzinfo=MEXICO_CITY, hour=hour).timestamp()


MONDAY = local("2026-03-02")


def used_between(start: float, end: float, *, per_day: int = 10_000, rhythm: Rhythm = OFFICE) -> int:
    return Life(start, contracted=10**9, used=0, per_day=per_day, rhythm=rhythm).balance(end).used


@pytest.mark.parametrize(
    ("day", "weight", "meaning"),
    [
        ("2026-03-02", 1.0, "a Monday"),
        ("2026-03-06", 1.0, "a Friday"),
        ("2026-03-07", 0.4, "a Saturday"),
        ("2026-03-08", 0.15, "a Sunday"),
        ("2026-04-15", 3.0, "the 15th, a Wednesday"),
        ("2026-03-15", 2.15, "the 15th, a Sunday"),
        ("2026-03-31", 3.0, "a month's last day, the 31st"),
        ("2026-04-30", 3.0, "a month's last day, the 30th"),
        ("2025-02-28", 3.0, "February's last day"),
        ("2028-02-28", 1.0, "the day before a leap year's 29th"),
        ("2028-02-29", 3.0, "a leap year's 29th of February"),
    ],
)
def test_a_day_uses_stamps_by_its_weekday_and_payday(day: str, weight: float, meaning: str) -> None:
    assert used_between(local(day), local(day) + DAY) == 10_000 * weight, meaning


def test_use_follows_office_hours_in_mexico_city() -> None:
    """Little at night, a dip at lunch, and the hours are local: UTC-6 also in summer."""
    for monday in ("2026-03-02", "2026-07-06"):
        hours = [used_between(local(monday, hour), local(monday, hour) + HOUR) for hour in range(24)]
        night, lunch, office = sum(hours[:6]), hours[14], hours[11]
        assert night < 0.02 * sum(hours)
        assert lunch < 0.6 * office
        assert max(hours) == office == hours[12]
    assert local("2026-07-06") % DAY == 6 * HOUR


def test_round_the_clock_every_hour_is_the_same() -> None:
    hours = {
        used_between(t, t + HOUR, per_day=2400, rhythm=ROUND_THE_CLOCK) for t in range(0, 20 * DAY, HOUR)
    }
    assert hours == {100}


times = st.integers(0, 40 * 365 * DAY)
lives = st.builds(
    Life,
    since=times,
    contracted=st.integers(10_000, 20_000),
    used=st.integers(0, 10_000),
    per_day=st.integers(0, 50_000),
    refill=st.none() | st.builds(Refill, below=st.integers(0, 500), package=st.integers(1, 5_000)),
    rhythm=st.sampled_from([OFFICE, ROUND_THE_CLOCK]),
)


@given(lives, st.lists(st.floats(0, 5 * 365 * DAY), min_size=2).map(sorted))
def test_figures_never_fall_and_never_contradict(life: Life, waits: list[float]) -> None:
    """Used and contracted only rise, available is their difference and never negative."""
    before = life.balance(life.since)
    for wait in waits:
        after = life.balance(life.since + wait)
        assert after.used >= before.used
        assert after.contracted >= before.contracted
        assert after.available == after.contracted - after.used >= 0
        before = after


@given(times, st.integers(-2, 2))
def test_figures_do_not_fall_at_midnight(since: int, seconds: int) -> None:
    """The seam between two days, where the sum over days takes over from the sum over hours."""
    life = Life(since, contracted=10**9, used=0, per_day=999_983)
    midnight = (since // DAY + 3) * DAY + 6 * HOUR + seconds
    assert life.balance(midnight).used <= life.balance(midnight + 1).used


@given(times, st.integers(0, 60 * DAY), st.integers(0, 60 * DAY))
def test_use_adds_up(start: int, first: int, second: int) -> None:
    """Use over a span is that over its parts, but for the rounding of each part: nothing drifts."""
    whole = used_between(start, start + first + second)
    parts = used_between(start, start + first) + used_between(start + first, start + first + second)
    assert 0 <= whole - parts <= 1


def test_what_was_needed_before_goes_on_as_it_was() -> None:
    """Of the past no balance is known, but the rhythm is the same."""
    life = Life(MONDAY, contracted=100, used=100, per_day=300)
    assert life.needed(MONDAY - 7 * DAY, MONDAY) == 5 * 300 + 120 + 45 + 600, "the 28th was February's last"
    assert life.balance(MONDAY) == Balance(100, 100)


def test_without_refill_the_account_runs_dry_and_stays_so() -> None:
    life = Life(MONDAY, contracted=1_000, used=900, per_day=60)
    assert [life.balance(MONDAY + days * DAY).available for days in range(4)] == [100, 40, 0, 0]
    assert life.balance(MONDAY + 1000 * DAY) == Balance(1_000, 1_000)


def test_stamps_are_bought_when_few_are_left() -> None:
    """The balance goes down to what triggers the purchase, never to 0."""
    life = Life(MONDAY, contracted=1_000, used=850, per_day=60, refill=Refill(below=100, package=200))
    assert [life.balance(MONDAY + days * DAY) for days in range(5)] == [
        Balance(1_000, 850),
        Balance(1_200, 910),
        Balance(1_200, 970),
        Balance(1_200, 1_030),
        Balance(1_200, 1_090),
    ]
    assert life.balance(MONDAY + 4 * DAY + 23 * HOUR) == Balance(1_400, 1_149)


def test_a_purchase_is_as_big_as_it_must_be() -> None:
    """After a time that no single package covers, several have been bought."""
    life = Life(MONDAY, contracted=1_000, used=0, per_day=5_000, refill=Refill(below=100, package=200))
    assert life.balance(MONDAY + DAY) == Balance(5_200, 5_000)


def test_ready_made_accounts_have_a_history_and_no_negative_balance() -> None:
    for account in [*ready_made(MONDAY), *load(200, MONDAY)]:
        balance = account.life.balance(MONDAY)
        assert balance == Balance(account.life.contracted, account.life.used), account.username
        assert 0 < balance.used <= balance.contracted, account.username


@pytest.mark.parametrize(
    "day", ["2026-03-01", "2026-03-02", "2026-03-15", "2026-04-15", "2026-05-30", "2026-12-31"]
)
def test_the_state_of_each_account_holds_whatever_the_day_it_starts_on(day: str) -> None:
    """The catalogue's promises: they are what alert rules are tried with."""
    start = local(day, 13)
    lives = {account.username.partition("@")[0]: account.life for account in ready_made(start)}

    for hours in range(0, 60 * 24, 5):
        now = start + hours * HOUR
        assert lives["healthy"].balance(now).available > 20_000
        assert 40 < lives["low"].balance(now).available <= 90
        assert lives["exhausted"].balance(now).available == 0
    assert lives["running-out"].balance(start + 35 * HOUR).available > 0
    assert lives["running-out"].balance(start + 37 * HOUR).available == 0
    assert lives["topped-up"].balance(start).available == pytest.approx(20_000, abs=50)


@pytest.mark.parametrize("start", [local("2026-04-15", 11), local("2026-03-02", 3), local("2026-03-08", 11)])
def test_a_healthy_account_has_a_week_left_at_its_busiest_hour(start: float) -> None:
    """Otherwise a forecast from one hour would alert on it."""
    for account in ready_made(start):
        if account.username.startswith(("healthy", "topped-up")):
            last_hour = account.life.balance(start + HOUR).used - account.life.balance(start).used
            assert last_hour * 24 * 7 < account.life.balance(start + HOUR).available, account.username


def test_load_accounts_are_healthy_and_differ() -> None:
    accounts = list(load(480, MONDAY))
    assert [account.username for account in accounts[:2]] == [
        "load-00001@demo.example",
        "load-00002@demo.example",
    ]
    assert len({account.life.per_day for account in accounts}) > 400
    for account in accounts:
        assert account.life.balance(MONDAY + 90 * DAY).available >= 28 * account.life.per_day


def account(**settings: object) -> Account:
    life = Life(MONDAY, contracted=100, used=40, per_day=0)
    return Account("a@demo.example", **{"life": life, **settings})  # type: ignore[arg-type]


def codes(account: Account, *passwords: str) -> list[int]:
    return [account.call(password, MONDAY).code for password in passwords]


def test_six_wrong_passwords_lock_and_the_right_one_no_longer_helps() -> None:
    locked = account()
    assert codes(locked, *["wrong"] * 8, PASSWORD) == [601] * FAILURES_ALLOWED + [604, 602, 602, 602]


def test_the_attempt_after_the_fifth_failure_is_refused_whatever_its_password() -> None:
    assert codes(account(), *["wrong"] * 5, PASSWORD, PASSWORD) == [601] * 5 + [604, 602]


def test_a_right_password_resets_the_count() -> None:
    four = ["wrong"] * 4
    assert codes(account(), *four, PASSWORD, *four, PASSWORD) == [601] * 4 + [200] + [601] * 4 + [200]


def test_every_third_call_of_a_busy_account_is_refused() -> None:
    assert codes(account(busy_every=3), *[PASSWORD] * 7) == [200, 200, 503, 200, 200, 503, 200]


@pytest.mark.parametrize("code", CODES)
def test_a_fixed_code_is_the_answer_to_any_password_and_is_no_login(code: int) -> None:
    fixed = account(code=code)
    assert codes(fixed, PASSWORD, *["wrong"] * 7) == [code] * 8
    assert fixed.lockout.failures == 0
    assert fixed.calls == 8


@pytest.mark.parametrize("code", CODES)
def test_only_200_has_figures_unless_asked_for(code: int) -> None:
    figures = Balance(100, 40)
    assert account(code=code).call(PASSWORD, MONDAY).balance == (figures if code == 200 else None)
    with_figures = account(code=code, exhausted_figures=True).call(PASSWORD, MONDAY).balance
    assert with_figures == (figures if code in {200, 630, 631} else None)


def test_an_exhausted_account_answers_by_what_was_asked() -> None:
    """630 for the account as a whole, 631 for an issuer."""
    exhausted = account(life=Life(MONDAY, contracted=100, used=100, per_day=10))
    assert exhausted.call(PASSWORD, MONDAY).code == 630
    assert exhausted.call(PASSWORD, MONDAY, rfc="AAA010101AAA").code == 631


def test_the_next_code_is_told_without_counting() -> None:
    busy = account(busy_every=2)
    told = []
    for _ in range(4):
        told += [busy.next_code(MONDAY), busy.next_code(MONDAY), busy.call(PASSWORD, MONDAY).code]
    assert told == [200] * 3 + [503] * 3 + [200] * 3 + [503] * 3
    assert busy.calls == 4


def test_an_accounts_password_is_not_in_its_repr() -> None:
    """Reprs end up in tracebacks and test reports."""
    assert "s3cret" not in repr(account(password="s3cret"))


def test_mexico_city_has_no_daylight_saving_time() -> None:
    assert MEXICO_CITY.utcoffset(None) == timedelta(hours=-6)


def test_all_17_codes_have_a_spanish_message() -> None:
    assert len(CODES) == 17
    assert len(set(MESSAGES.values())) == 18
