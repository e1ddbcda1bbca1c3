"""The backtest: that its rivals are what they are called, and that it counts right. Nothing is timed."""

import subprocess
from dataclasses import replace
from datetime import date, timedelta
from itertools import accumulate
from pathlib import Path

import pytest
import yaml

from bench.backtest.company import Kind, buen_fin, holy_days
from bench.backtest.kinds import KINDS
from bench.backtest.life import Life, hour_of, lives
from bench.backtest.picture import PICTURE, picture
from bench.backtest.report import document, inserted
from bench.backtest.rivals import Levels, earlier_rules, forecast, last_28_days, predict_linear, thresholds
from bench.backtest.run import run
from bench.backtest.score import score
from exporter.account.forecast import depletion, profile
from exporter.account.resemblance import timetable
from tests.support.alerts import alerts
from tests.support.calendars import mexican
from tests.support.places import ROOT

EARLIER_RULES = ROOT / "tests" / "data" / "rules-v1" / "recording.rules.yml"

STEADY = Kind("steady", "24 a day", lambda _: (24, 0), hours=dict.fromkeys(range(24), 1), life=130)


def life_of(hours: list[int], kind: Kind = STEADY) -> Life:
    """A life that uses so many stamps in each hour, from Thursday, 1 January 2026 on."""
    days = len(hours) // 24
    return Life(
        kind,
        0,
        mexican(),
        date(2026, 1, 1),
        [24 * day for day in range(days + 1)],
        list(accumulate(hours, initial=0)),
        list(
            accumulate(
                (24 * (hour // 24) + 9 <= hour < 24 * (hour // 24) + 18 for hour in range(len(hours))),
                initial=0,
            )
        ),
        [24 * (day + 1) + 18 for day in range(days)],
    )


def one_life(name: str) -> Life:
    kind = next(kind for kind in KINDS if kind.name == name)
    return next(lives(replace(kind, life=100), 0))


class TestRivals:
    """Each on a company that uses one stamp an hour: all of them say 48 and 168."""

    @pytest.mark.parametrize("rival", [earlier_rules(), thresholds, predict_linear, last_28_days])
    def test_a_steady_company(self, rival: object) -> None:
        levels = rival(life_of([1] * 24 * 60))  # type: ignore[operator]
        assert levels.critical[-2] == pytest.approx(48, abs=0.5)
        assert levels.warning[-2] == pytest.approx(168, abs=0.5)

    def test_the_forecast_of_a_steady_company(self) -> None:
        levels = forecast(life_of([1] * 24 * 60))
        assert levels.critical[-2] == pytest.approx(48, abs=4)
        assert levels.warning[-2] == pytest.approx(168, abs=4)

    def test_the_forecasts_levels_are_what_it_tells(self) -> None:
        """A balance below the level runs out in time for the alert, one above doesn't."""
        life = one_life("office, payroll")
        levels = forecast(life)
        for day in (40, 55, 70, 85):
            use: list[int | None] = [life.of_day(past) for past in range(day)]
            made = profile(
                use, timetable(life.calendar, life.first.fromordinal(life.first.toordinal() + day))
            )
            hour = life.midnights[day]
            now = life.start + hour * 3600
            limit = life.start + max(life.told[day], hour + 48) * 3600
            level = int(levels.critical[hour])
            assert (depletion(made, level - 3, now, 0) or 0) <= limit
            above = depletion(made, level + 3, now, 0)
            assert above is None or above > limit

    def test_a_months_end_company_is_not_told_of_two_days_all_month(self) -> None:
        """What the earlier rules did: in the middle of the month they speak below the busiest day of 35."""
        life = one_life("month's end")
        hour = life.midnights[80]  # 22 March
        assert earlier_rules()(life).critical[hour] > 500
        assert forecast(life).critical[hour] < 100


@pytest.mark.peer("prometheus")
def test_the_earlier_rules_are_those_of_the_rule_files(tmp_path: Path) -> None:
    """promtool, on a kept copy and one company's counter, finds the days left that the replica does."""
    life = one_life("office, payroll")
    days = 45
    levels = earlier_rules()(life)
    samples = [life.used[hour // 4] for hour in range(days * 24 * 4 + 1)]  # every 15 minutes
    labels = 'job="cfdi-stamps", instance="e1", account="a"'
    balance = 1_000_000
    series = [
        {
            "series": f'cfdi_account_info{{{labels}, pac_environment="production"}}',
            "values": f"1x{len(samples)}",
        },
        {"series": f"cfdi_stamps_used{{{labels}}}", "values": " ".join(map(str, samples))},
        {"series": f"cfdi_stamps_consumed_total{{{labels}}}", "values": " ".join(map(str, samples))},
        {"series": f"cfdi_stamps_available{{{labels}}}", "values": f"{balance}x{len(samples)}"},
    ]
    per_day, busiest = "account:cfdi_stamps_consumed:per_day", "account:cfdi_stamps_consumed:busiest_day"
    expectations = []
    for hour in (24 * 9 + 12, 24 * 30 + 3, 24 * 35 + 12, 24 * 44 + 18):
        for expression, value in (
            (per_day, levels.warning[hour] / 7),
            (f"{busiest} > 2 * {per_day} or 2 * {per_day}", levels.critical[hour]),
        ):
            # increase() extrapolates, and is recorded up to a quarter of an hour late.
            near = f"count(({expression}) > {value * 0.96} < {value * 1.04})"
            one = [{"labels": "{}", "value": 1}]
            expectations.append({"eval_time": f"{hour}h", "expr": near, "exp_samples": one})
    story = {"interval": "15m", "input_series": series, "promql_expr_test": expectations}
    # These rules alone: all of them, evaluated for 45 days, take half a minute of a processor.
    earlier = yaml.safe_load(EARLIER_RULES.read_text(encoding="utf-8"))["groups"]
    groups = [group for group in earlier if group["name"] == "cfdi-consumption"]
    (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": groups}), encoding="utf-8")
    content: dict[str, object] = {"rule_files": ["rules.yml"], "evaluation_interval": "15m", "tests": [story]}
    assert promtool(content, tmp_path) == ""


@pytest.mark.peer("prometheus")
@pytest.mark.parametrize("severity", ["critical", "warning"])
def test_the_alert_goes_by_the_limits_of_the_backtest(severity: str, tmp_path: Path) -> None:
    """On every day of three weeks: just below the level of the backtest it fires, just above it doesn't."""
    life = one_life("office, payroll")
    levels = getattr(forecast(life), severity)
    days = range(40, 61)
    origin = life.start + life.midnights[days[0]] * 3600  # promtool's time begins at 0
    account = 'account="{}", pac_environment="production"'
    depletions: dict[str, list[float]] = {"below": [], "above": []}
    for day in days:
        use: list[int | None] = [life.of_day(past) for past in range(day)]
        made = profile(use, timetable(life.calendar, life.first + timedelta(days=day)))
        hour = life.midnights[day]
        for name, balance in (("below", levels[hour] - 3), ("above", levels[hour] + 3)):
            runs_out = depletion(made, int(balance), life.start + hour * 3600, 0)
            depletions[name].append((runs_out or 1e12) - origin)
    ends = [life.calendar.next_business_day_end(origin + day * 86400) - origin for day in range(len(days))]
    series: dict[str, list[float]] = {
        **{
            f"account:cfdi_stamps_depletion:last{{{account.format(name)}}}": values
            for name, values in depletions.items()
        },
        **{
            f"exporter_account:cfdi_account_info:known{{{account.format(name)}}}": [1] * len(days)
            for name in depletions
        },
        "cluster:cfdi_calendar_next_business_day_end:last": ends,
        "cluster:cfdi_calendar_utc_offset:seconds": [0] * len(days),
    }
    (rule,) = (
        alert
        for alert in alerts()
        if (alert["alert"], alert["labels"]["severity"]) == ("CfdiStampsRunningOut", severity)
    )
    expected = [{"labels": f"{{{account.format('below')}}}", "value": 1}]
    story = {
        "interval": "1d",
        "input_series": [
            {"series": name, "values": " ".join(map(str, values))} for name, values in series.items()
        ],
        "promql_expr_test": [
            {
                "eval_time": f"{day}d",
                "expr": f"group by (account, pac_environment) ({rule['expr']})",
                "exp_samples": expected,
            }
            for day in range(len(days))
        ],
    }
    assert promtool({"tests": [story]}, tmp_path) == ""


def promtool(content: dict[str, object], folder: Path) -> str:
    """What promtool prints of a file of tests; empty where they pass."""
    file = folder / "tests.yml"
    file.write_text(yaml.safe_dump(content), encoding="utf-8")
    command: list[str | Path] = ["promtool", "test", "rules", file]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=110)
    return "" if ran.returncode == 0 else ran.stdout + ran.stderr


class TestScores:
    LIFE = life_of([1] * 24 * 120)

    def test_an_alert_in_time(self) -> None:
        result = score(self.LIFE, Levels([60.0] * len(self.LIFE.used), [0.0] * len(self.LIFE.used)), 50)
        assert (result.ends, result.day_before, result.business_day_before) == (50, 50, 50)
        assert (result.far_critical, result.lead) == (0, 59)

    def test_an_alert_that_comes_too_late(self) -> None:
        result = score(self.LIFE, Levels([20.0] * len(self.LIFE.used), [0.0] * len(self.LIFE.used)), 50)
        assert (result.day_before, result.lead) == (0, 19)

    def test_an_alert_that_never_comes(self) -> None:
        result = score(self.LIFE, Levels([0.0] * len(self.LIFE.used), [0.0] * len(self.LIFE.used)), 50)
        assert (result.day_before, result.business_day_before, result.leads) == (0, 0, [])

    def test_an_alert_that_is_always_on(self) -> None:
        result = score(self.LIFE, Levels([1e9] * len(self.LIFE.used), [1e9] * len(self.LIFE.used)), 50)
        assert result.share_far == 100
        assert result.lead > 14 * 24

    def test_a_buyer_is_troubled_for_nothing(self) -> None:
        """Warned with 20 days left, of a package of 45: once for each package. With six days left: never."""
        life = life_of([1] * 24 * 400)
        early = score(life, Levels([0.0] * len(life.used), [480.0] * len(life.used)), 1)
        fair = score(life, Levels([0.0] * len(life.used), [144.0] * len(life.used)), 1)
        assert 5 <= early.needless_warnings <= 8
        assert fair.needless_warnings == 0
        assert fair.ran_out == 0

    def test_the_hour_in_which_the_last_stamp_goes(self) -> None:
        assert hour_of(self.LIFE, 1) == 1
        assert hour_of(self.LIFE, 30) == 30


class TestKinds:
    def test_there_are_enough_and_a_third_is_kept_apart(self) -> None:
        assert len(KINDS) >= 20
        assert len({kind.name for kind in KINDS}) == len(KINDS)
        assert sum(kind.apart for kind in KINDS) * 3 >= len(KINDS)

    @pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
    def test_a_life_uses_stamps_in_whole_hours(self, kind: Kind) -> None:
        life = next(lives(replace(kind, life=40), 1))
        assert len(life.used) == life.midnights[-1] + 1
        assert life.used == sorted(life.used)
        assert life.used[-1] > 5
        assert all(
            23 <= end - begin <= 25 for begin, end in zip(life.midnights, life.midnights[1:], strict=False)
        )

    def test_what_people_do_by_the_calendar(self) -> None:
        assert holy_days(2026) == (date(2026, 4, 2), date(2026, 4, 3))
        assert holy_days(2027)[1] == date(2027, 3, 26)
        assert [day for day in range(1, 31) if buen_fin(date(2026, 11, day))] == [12, 13, 14, 15, 16]


def test_one_run_makes_all_tables() -> None:
    results = run([replace(kind, life=70, lives=1) for kind in KINDS[:1]], (0,), 5)
    text = document(results)
    assert "| critical 24 h before, mean of the kinds | ≥ 98.5 % | " in text
    assert "| office | an office, Monday to Friday | " in text
    assert inserted("a\n<!-- backtest -->\nold\n<!-- end -->\nb\n", "new\n") == (
        "a\n<!-- backtest -->\n\nnew\n\n<!-- end -->\nb\n"
    )


def test_the_picture_is_the_codes() -> None:
    """`python -m bench.backtest.picture` draws it anew."""
    assert PICTURE.read_text(encoding="utf-8") == picture()


def test_the_document_has_its_place_for_the_tables() -> None:
    assert (ROOT / "docs" / "forecast.md").read_text(encoding="utf-8").count("<!-- backtest -->") == 1
