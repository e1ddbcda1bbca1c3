"""The kinds of companies that are played. Those with ``apart`` weren't looked at while tuning."""

from datetime import date, timedelta
from random import Random
from typing import Final

from bench.backtest.company import (
    ALL_DAY,
    DINNER,
    NIGHT,
    SHOP,
    Day,
    Kind,
    buen_fin,
    holy_week,
    hot_sale,
)

Amounts = tuple[float, float]

_OFFICE_WEEK = (1.05, 1.0, 1.0, 1.05, 0.95, 0.08, 0.02)
_SHOP_WEEK = (0.8, 0.8, 0.85, 0.95, 1.2, 1.6, 1.3)
_DINNER_WEEK = (0.5, 0.55, 0.6, 0.9, 1.5, 1.9, 1.6)


def office(day: Day, mean: float = 60) -> Amounts:
    if day.off:
        return day.count(0.5), 0
    december = 0.3 if (day.date.month, day.date.day) >= (12, 24) else 1
    return day.noisy(mean * _OFFICE_WEEK[day.weekday] * december), 0


def office_with_payroll(day: Day) -> Amounts:
    return office(day, 40)[0], day.noisy(150, 0.05) if day.pays() else 0


def payroll(day: Day) -> Amounts:
    usual = day.count(3) if day.business else 0
    bonus = (
        2 if day.date.month == 12 and day.pays() and day.date.day < 20 else 1
    )  # the aguinaldo is stamped beside it
    return usual, day.noisy(400 * bonus, 0.04) if day.pays() else 0


def payroll_before(day: Day) -> Amounts:
    """Paid on the 15th and the last, stamped one or two business days before."""
    calendar, batch = day.calendar, 0.0
    for ahead in range(8):
        pay = day.date + timedelta(days=ahead)
        if pay in calendar.pay_days(pay.year, pay.month):
            early = Random(f"{pay}").choice((1, 1, 1, 2))
            when = pay
            for _ in range(early):
                when = calendar.not_after(when - timedelta(days=1))
            batch += day.noisy(250, 0.05) if when == day.date else 0
    return day.count(4) if day.business else 0, batch


def payroll_14(day: Day) -> Amounts:
    """Every other Friday, or the business day before."""
    for ahead in range(5):
        friday = day.date + timedelta(days=ahead)
        if friday.toordinal() % 14 == 5 and day.calendar.not_after(friday) == day.date:
            return day.count(5), day.noisy(320, 0.05)
    return day.count(5) if day.business else 0, 0


def payroll_weekly(day: Day) -> Amounts:
    for ahead in range(5):
        friday = day.date + timedelta(days=ahead)
        if friday.weekday() == 4 and day.calendar.not_after(friday) == day.date:
            return day.count(2), day.noisy(180, 0.08)
    return day.count(2) if day.business else 0, 0


def month_end(day: Day) -> Amounts:
    share = {0: 0.65, 1: 0.35}.get(day.business_days_from_end(), 0)
    return day.count(2) if day.business else 0, day.noisy(1500 * share, 0.12)


def month_start(day: Day) -> Amounts:
    """Rents: invoiced on the first three business days."""
    share = {0: 0.5, 1: 0.35, 2: 0.15}.get(day.business_days_from_start(), 0)
    return day.count(4) if day.business else 0, day.noisy(900 * share, 0.1)


def wholesale(day: Day) -> Amounts:
    """Sells on all days, and closes the month in its last five business days."""
    left = day.business_days_from_end()
    ramp = (3.2, 2.4, 1.8, 1.5, 1.25)[left] if left < 5 else 1
    return (0, 0) if day.off else (day.noisy(120 * (_OFFICE_WEEK[day.weekday] * ramp)), 0)


def retail(day: Day) -> Amounts:
    season = 1.9 if day.date.month == 12 and day.date.day < 25 else 1
    return day.noisy(300 * _SHOP_WEEK[day.weekday] * season * (0.7 if day.off else 1), 0.15), 0


def border_shop(day: Day) -> Amounts:
    cross = 1.6 if day.date.month == 11 and day.date.day > 22 else 1  # Thanksgiving's week
    return day.noisy(180 * _SHOP_WEEK[day.weekday] * cross, 0.2), 0


def restaurant(day: Day) -> Amounts:
    special = 1.8 if (day.date.month, day.date.day) in ((5, 10), (2, 14)) else 1
    rush = 1.3 if day.business_days_from_end() < 2 else 1  # customers who want their invoices of the month
    return day.noisy(90 * _DINNER_WEEK[day.weekday] * special * rush, 0.3), 0


def webshop(day: Day) -> Amounts:
    sale = 5 if buen_fin(day.date) else 3 if hot_sale(day.date) else 1
    season = 1.5 if day.date.month == 12 and day.date.day < 22 else 1
    return day.noisy(500 * (1.1, 1.1, 1, 1, 1, 0.9, 0.9)[day.weekday] * sale * season, 0.15), 0


def school(day: Day) -> Amounts:
    """Fees in the first ten days, most on the first ones; enrolment in January and August."""
    month, number = day.date.month, day.date.day
    level = 0.15 if month == 7 else 1.8 if month in (1, 8) else 1
    fees = {0: 150, 1: 110, 2: 80, 3: 60}.get(
        day.business_days_from_start(), 35 if day.business and number <= 10 else 0
    )
    return day.noisy(fees * level, 0.25) + (day.count(6 * level) if day.business else 0), 0


def saas(day: Day) -> Amounts:
    """Renewals at night on the day of the month on which a customer came; many came on the 1st."""
    return day.count(8), day.count(700 if day.date.day == 1 else 45)


def agriculture(day: Day) -> Amounts:
    month = day.date.month
    harvest = {11: 2.5, 12: 5, 1: 5, 2: 4, 3: 2}.get(month, 0.8)
    return (0 if day.weekday == 6 else day.noisy(40 * harvest, 0.35)), 0


def growing(day: Day, rate: float = 0.01) -> Amounts:
    return day.noisy(
        40 * (1 + rate) ** day.since * (_OFFICE_WEEK[day.weekday] if not day.off else 0.05), 0.2
    ), 0


def growing_fast(day: Day) -> Amounts:
    return growing(day, 0.03)


def tiny(day: Day) -> Amounts:
    return day.count(1.2) if day.business else day.count(0.1), 0


def yearly_package(day: Day) -> Amounts:
    return day.count(7 if day.business and not day.off else 0.3), 0


def factory(day: Day) -> Amounts:
    if day.off or _factory_rests(day.date):
        return 0, 0
    return day.noisy(150 * (1, 1, 1, 1, 1, 0.5, 0)[day.weekday], 0.2), 0


def _factory_rests(day: date) -> bool:
    return (
        (day.month, day.day) >= (12, 20)
        or (day.month, day.day) <= (1, 5)
        or holy_week(day)
        or (day.month == 7 and 14 <= day.day <= 27)
    )


def factory_closed(year: int) -> list[date]:
    first = date(year, 1, 1)
    return [
        day
        for day in (first + timedelta(days=n) for n in range(366))
        if day.year == year and _factory_rests(day)
    ]


def runaway(day: Day) -> Amounts:
    """An office; twice a year a program stamps in a loop for a day."""
    start = date(day.date.year, 1 if day.date.month < 7 else 7, 1)
    runs = (day.date - start).days == Random(f"loop {start}").randrange(180)
    return office(day)[0], day.noisy(1500, 0.4) if runs else 0


def fuel(day: Day) -> Amounts:
    """A petrol station: around the clock; drivers want the month's invoices at its end."""
    rush = (2.2, 1.8, 1.4)[left] if (left := _days_left(day.date)) < 3 else 1
    return day.noisy(220 * rush * (1, 1, 1, 1, 1.15, 1.05, 0.8)[day.weekday], 0.15), 0


def _days_left(day: date) -> int:
    return ((day.replace(day=28) + timedelta(days=4)).replace(day=1) - day).days - 1


def hauler(day: Day) -> Amounts:
    return (0 if day.off else day.noisy(80 * (1, 1.1, 1.1, 1.1, 1.2, 0.7, 0.15)[day.weekday], 0.35)), 0


def hospital(day: Day) -> Amounts:
    return day.noisy(110 * (1.1, 1.1, 1.05, 1.05, 1.05, 0.8, 0.7)[day.weekday], 0.15), 0


def insurer(day: Day) -> Amounts:
    """Receipts on the 5th, 10th and 20th, or the business day after."""
    return (day.noisy(25) if day.business else 0), day.noisy(350, 0.12) if day.falls(5, 10, 20) else 0


def accountants(day: Day) -> Amounts:
    """Stamps for its clients: payrolls, what is due before the 17th, and the end of the month."""
    batch = 160 * day.pays() + 90 * day.falls(16, 17) + 120 * (day.business_days_from_end() < 2)
    return (day.noisy(35 * _OFFICE_WEEK[day.weekday]) if day.business else 0), day.noisy(batch, 0.2)


def builder(day: Day) -> Amounts:
    """Invoices when a stage of a project is finished: no calendar knows when."""
    stage = day.business and day.dice.random() < 0.15
    return (day.count(3) if day.business else 0), day.noisy(60, 0.5) if stage else 0


def hotel(day: Day) -> Amounts:
    season = 2.2 if holy_week(day.date) else 1.7 if day.date.month in (7, 12) else 1
    return day.noisy(70 * (1.3, 0.8, 0.8, 0.8, 1, 1.2, 1.6)[day.weekday] * season, 0.2), 0


KINDS: Final = (
    Kind("office", "an office, Monday to Friday", office),
    Kind("payroll", "payroll on the 15th and the last of the month", payroll),
    Kind("payroll before", "the same, stamped one or two business days before", payroll_before, apart=True),
    Kind("payroll 14", "payroll every 14 days", payroll_14),
    Kind("payroll weekly", "payroll on Fridays", payroll_weekly, apart=True),
    Kind("office, payroll", "an office with its own payroll by the fortnight", office_with_payroll),
    Kind("month's end", "invoices on the last two business days of the month", month_end),
    Kind("month's start", "rents, on the first three business days", month_start, apart=True),
    Kind("wholesale", "sells on all days, closes the month in the last five", wholesale),
    Kind("retail", "shops, most on Saturdays, December", retail, hours=SHOP, apart=True),
    Kind("restaurant", "a restaurant: weekends, evenings", restaurant, hours=DINNER),
    Kind("web shop", "Hot Sale, Buen Fin, December", webshop, hours=ALL_DAY),
    Kind("school", "fees early in the month, enrolment, holidays", school, apart=True),
    Kind("SaaS", "renewals at night, most on the 1st", saas, hours=ALL_DAY, batch=NIGHT),
    Kind("agriculture", "five times as much in the harvest", agriculture),
    Kind("growing 1 %", "grows by 1 % a day", growing, life=240, lives=3),
    Kind("growing 3 %", "grows by 3 % a day", growing_fast, life=110, lives=6, warm=30, apart=True),
    Kind("tiny", "one stamp a day", tiny),
    Kind("yearly package", "seven stamps a day, bought once a year", yearly_package, apart=True),
    Kind(
        "factory",
        "closes at Christmas, Easter and in July, told in the calendar",
        factory,
        closed=factory_closed,
    ),
    Kind(
        "border shop",
        "Tijuana, with the United States' clock",
        border_shop,
        hours=SHOP,
        timezone="America/Tijuana",
        apart=True,
    ),
    Kind(
        "runaway", "an office; twice a year a program stamps in a loop", runaway, batch=ALL_DAY, counts=False
    ),
    Kind("petrol station", "around the clock, the month's invoices at its end", fuel, hours=ALL_DAY),
    Kind("haulage", "waybills, Monday to Saturday", hauler, hours=ALL_DAY, apart=True),
    Kind("hospital", "all days", hospital, hours=ALL_DAY),
    Kind("insurer", "receipts on the 5th, 10th and 20th or the business day after", insurer, apart=True),
    Kind("accountants", "payrolls, the 17th, the month's end of their clients", accountants),
    Kind("builder", "invoices when a stage is finished: no calendar knows when", builder),
    Kind("hotel", "weekends, Easter, summer", hotel, hours=ALL_DAY, apart=True),
    Kind("new office", "an office, 2 to 30 days old", office, life=32, lives=20, warm=2),
    Kind("new shop", "shops, 2 to 30 days old", retail, hours=SHOP, apart=True, life=32, lives=20, warm=2),
    Kind(
        "new payroll",
        "an office with payroll, 2 to 30 days old",
        office_with_payroll,
        life=32,
        lives=20,
        warm=2,
    ),
)
"""All kinds, in the order of the report."""
