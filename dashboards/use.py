"""How many stamps are used: by day, by hour, and against the days before."""

from typing import Final

from grafana_foundation_sdk.builders import heatmap, timeseries
from grafana_foundation_sdk.models import dashboard as model

from dashboards.meanings import GREY, STAMPS_UNIT
from dashboards.panels import DAILY, columns, heat, lines, over_time
from dashboards.selectors import CHOSEN, ON_EXPORTERS_ACCOUNT, ONE, Accounts
from dashboards.standing import CONSUMED, LAST_QUARTER

_DAYS: Final = (
    "midnight to midnight in Mexico City (to half an hour). Days without figures at both ends (a new, "
    "suspended or failing account) are left out, and accounts that are polled less than every three hours; "
    "the present day appears once it is over."
)


def of_all_by_day() -> timeseries.Panel:
    """Return the use of all chosen accounts."""
    description = f"Stamps that all chosen accounts used on each day, {_DAYS}"
    query = over_time(f"sum({CHOSEN.among(_day(CHOSEN))})", "stamps", step=DAILY)
    return columns("Used by day", description, [query], STAMPS_UNIT).time_from("14d")


def of_all_lately() -> timeseries.Panel:
    """Return how many stamps all chosen accounts use at present."""
    return lines(
        "Used in a quarter of an hour",
        "Stamps that all chosen accounts used in the 18 minutes before each moment, so that every poll is "
        "in it.",
        [over_time(f"sum({CHOSEN.among(CHOSEN.recorded(LAST_QUARTER))})", "stamps", step="15m")],
        STAMPS_UNIT,
    ).time_from("24h")


def by_day() -> timeseries.Panel:
    """Return the use of one account."""
    description = f"Stamps used on each day, and in grey a week before; {_DAYS}"
    return _by_day(description, f"max({_day(ONE)})", f"max({_day(ONE, week_before=True)})")


def _day(accounts: Accounts, *, week_before: bool = False) -> str:
    """Return what was used on the day that begins, or on the one a week before.

    It is the difference of the first figures after its end and its beginning; a counter's least is its first.
    An instant would look back into the day, and show it before it is over.
    """
    begins, ends = ("6d23h30m", "5d23h30m") if week_before else ("-30m", "-1d30m")
    total = f"min_over_time({accounts.recorded(CONSUMED)}[30m] offset"
    return f"{total} {ends}) - {total} {begins})"


def _by_day(description: str, this_day: str, week_before: str) -> timeseries.Panel:
    """A column stands at the beginning of its day, and is known at the end of it: hence the offsets."""
    queries = [
        over_time(this_day, "this day", "A", step=DAILY),
        over_time(week_before, "a week before", "B", step=DAILY),
    ]
    panel = columns("Used by day", description, queries, STAMPS_UNIT)
    return panel.override_by_query(
        "B",
        [
            *_grey(),
            model.DynamicConfigValue("custom.drawStyle", "line"),
            model.DynamicConfigValue("custom.lineInterpolation", "stepAfter"),
            model.DynamicConfigValue("custom.fillOpacity", 0),
            model.DynamicConfigValue("custom.lineWidth", 2),
        ],
    )


def by_hour() -> heatmap.Panel:
    """A row for each hour: at a midnight it looks ahead to the beginning and the end of that hour."""
    total = ONE.exposed("cfdi_stamps_consumed_total")
    hours = []
    for hour in range(24):
        begins = f"{total} offset -{hour}h" if hour else total
        seen = f"{total} offset -{hour + 1}h - {begins} >= 0"
        hours.append(f'label_replace({seen}, "hour", "{hour:02}", "", "")')
    of_the_day = f"last_over_time({ONE.known()}[1d] offset -1d)"
    by_exporter = f"({' or '.join(hours)}) and {ON_EXPORTERS_ACCOUNT} {of_the_day}"
    panel = heat(
        "Used by hour and day",
        "Stamps that the polls of each hour (Mexico City's time) of each day saw being used: nights and "
        "weekends are pale, pay days dark.",
        [over_time(f"max by (hour) ({by_exporter})", "{{hour}}", step=DAILY)],
        STAMPS_UNIT,
        axis="none",
    )
    return panel.hide_y_histogram()


def last_hour() -> timeseries.Panel:
    panel = lines(
        "Used in an hour",
        "Stamps used in the hour before each moment, yesterday's at the same time and those of a week "
        "before. A program that stamps in a loop stands out. Nothing for an account that is polled less "
        "than every three hours.",
        [
            over_time(_hour("", "1h"), "this hour", "A", step="15m"),
            over_time(_hour(" offset 24h", "25h"), "a day before", "B", step="15m"),
            over_time(_hour(" offset 168h", "169h"), "a week before", "C", step="15m"),
        ],
        STAMPS_UNIT,
    )
    return panel.override_by_query("C", _grey())


def _hour(ends: str, begins: str) -> str:
    total = ONE.recorded(CONSUMED)
    return f"{total}{ends} - {total} offset {begins}"


def _grey() -> list[model.DynamicConfigValue]:
    """The colour of what is only there to compare with."""
    return [model.DynamicConfigValue("color", {"mode": "fixed", "fixedColor": GREY})]
