"""The page of one account, the choice of accounts, their totals, and what is told of until when they last."""

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from exporter.account.expectation import with_profile
from exporter.account.forecast import profile
from exporter.account.outcome import Effect
from exporter.account.resemblance import timetable
from exporter.account.state import Count, Figure, State
from exporter.account.use import RecentUse
from exporter.page import Overview
from exporter.page.board import board, choose
from exporter.page.english import ENGLISH
from exporter.page.moments import clock, past
from exporter.page.query import Order, Query
from exporter.page.spanish import SPANISH
from exporter.page.standing import SHORT, Condition, standing
from exporter.polling.accounts import Monitored
from exporter.provider.solucion_factible.codes import CODES, code
from tests.support.calendars import mexican
from tests.support.peers import FakeClock
from tests.support.rig import ENVIRONMENT, reading
from tests.support.standings import (
    BLOCKED,
    EARLIER,
    FAILING,
    NOW,
    SITE,
    SUSPENDED,
    WELL,
    Document,
    drawn,
    left,
    monitored,
    shown,
)

MEXICO = mexican()
ZONE = ZoneInfo("America/Mexico_City")
DAY = 86_400.0


def lasting(days: float, state: State = WELL, usual_day: float = 1000.0) -> State:
    """A state of which it is known, as after a start, how many days its stamps last."""
    return replace(state, depletion=NOW + days * DAY, usual_day=usual_day, history_days=60)


async def page_of(
    accounts: Sequence[Monitored], name: str, use: Mapping[str, RecentUse] | None = None, **parameters: str
) -> tuple[bool, Document]:
    """The page of the account of a name."""

    async def known(_accounts: object) -> Mapping[str, RecentUse]:
        return use or {}

    overview = Overview(accounts, FakeClock(), SITE, use=known)
    found, page = await overview.account(name, parameters, ())
    return found, Document(page)


class TestWhoMustBuy:
    @pytest.mark.parametrize(
        ("state", "condition"),
        [
            (lasting(1.9), Condition.CRITICAL),
            (lasting(2.1), Condition.LOW),
            (lasting(6.9), Condition.LOW),
            (lasting(7.1), Condition.OK),
            (lasting(30, left(499)), Condition.LOW),
            (lasting(6, left(99)), Condition.CRITICAL),
            (lasting(1, FAILING), Condition.CRITICAL),
            (lasting(1, SUSPENDED), Condition.SUSPENDED),
            (replace(lasting(-1, left(0)), up=True), Condition.EXHAUSTED),
        ],
    )
    def test_what_lasts_a_few_days_is_short_of_stamps_whatever_the_thresholds(
        self, state: State, condition: Condition
    ) -> None:
        one = standing(monitored(state=state), NOW)
        assert one.condition is condition

    def test_what_ends_before_the_next_business_day_does_is_critical(self) -> None:
        """On a Saturday the alert is critical for stamps that last until Monday noon, and so is the page."""
        monday = NOW + 2.5 * 86_400
        for days, condition in ((2.4, Condition.CRITICAL), (2.6, Condition.LOW)):
            assert standing(monitored(state=lasting(days)), NOW, monday).condition is condition
        page = Document(drawn([monitored("in 2.4 days", lasting(2.4))], business_day_end=monday))
        assert "doesn't last to the end of the next business day" in page.text
        assert "Buy stamps today." in page.text

    def test_sorted_by_when_they_run_out(self) -> None:
        """Those that nobody watches come behind those that need stamps, and before those that are well."""
        accounts = [
            monitored("in 40 days", lasting(40)),
            monitored("paused", lasting(1, SUSPENDED)),
            monitored("in 9 days", lasting(9)),
            monitored("in 3 days", lasting(3)),
            monitored("in a day", lasting(1)),
            monitored("critical, in 5 days", lasting(5, left(50))),
            monitored("critical, nobody knows when", left(50)),
            monitored("low, nobody knows when", left(400)),
            monitored("empty", left(0)),
            monitored("waits", BLOCKED),
        ]
        assert shown(accounts).names == [
            "empty",
            "critical, nobody knows when",
            "in a day",
            "in 3 days",
            "critical, in 5 days",
            "low, nobody knows when",
            "paused",
            "waits",
            "in 9 days",
            "in 40 days",
        ]

    @pytest.mark.parametrize("texts", [ENGLISH, SPANISH])
    @pytest.mark.parametrize("state", [left(0), left(99), left(499), lasting(1), lasting(6)], ids=str)
    def test_who_is_short_of_stamps_is_never_told_that_all_is_well(self, state: State, texts: object) -> None:
        """What the code of the answer means is no answer to that."""
        language = "es" if texts is SPANISH else "en"
        assert standing(monitored(state=state), NOW).condition in SHORT
        text = shown([monitored(state=state)], lang=language).text
        for number in CODES:
            if code(number).effect is Effect.BALANCE and not code(number).exhausted:
                meaning, advice = (SPANISH if texts is SPANISH else ENGLISH).meaning, code(number).spanish[1]
                assert meaning(code(number)) not in text
                assert advice not in text
        assert "Nothing to do" not in text
        assert ("Compre timbres" if language == "es" else "Buy stamps") in text

    @pytest.mark.parametrize(
        ("state", "words"),
        [
            (left(0), "Buy stamps: invoicing has stopped."),
            (left(99), "Buy stamps today."),
            (lasting(1), "Buy stamps today."),
            (left(400), "Buy stamps soon."),
            (lasting(5), "Buy stamps before Sunday 19 November."),
        ],
    )
    def test_what_to_do_and_by_when(self, state: State, words: str) -> None:
        assert words in shown([monitored(state=state)]).text

    def test_words_that_nobody_takes_for_a_cancelled_account(self) -> None:
        """In Mexico "baja" is what the tax office does to a company."""
        words = " ".join(SPANISH.conditions.values()).lower()
        for wrong in ("baja", "suspendida", "agotada"):
            assert wrong not in words

    def test_until_when(self) -> None:
        """The date, a usual day and the last top-up in one line."""
        topped_up = Figure(20_000, NOW - 3 * DAY)
        state = replace(lasting(20, usual_day=4812.0), topped_up=topped_up)
        text = shown([monitored(state=state)]).text
        assert "until Monday 4 December, about 4,800 a day; last top-up +20,000 on 11 Nov" in text
        spanish = shown([monitored(state=state)], lang="es").text
        assert "hasta el lunes 4 de diciembre, unos 4,800 al día; última compra +20,000 el 11 nov" in spanish

    def test_until_when_by_the_profile_with_its_reason(self) -> None:
        """As the forecast tells it, in the calendar's days."""
        now = datetime(2026, 11, 13, 12, tzinfo=ZONE).timestamp()
        made = profile([100] * 60, timetable(MEXICO, MEXICO.day(now)), array("f", [1.0] * 24))
        state = with_profile(replace(WELL, available=Figure(1040, now)), made, MEXICO.around(now))
        account = monitored(state=replace(state, last_poll=now))
        whole = board([account], now, ZONE)
        assert whole.standings[0].runs_out is not None
        assert "until Monday 23 November, about 100 a day" in shown([account]).text

    @pytest.mark.parametrize(
        ("state", "words"),
        [
            (WELL, "no forecast yet: it takes a balance and a day of use"),
            (State(), "no forecast yet: it takes a balance and a day of use"),
            (replace(WELL, usual_day=3.0, history_days=60), "for more than a year"),
            (replace(WELL, usual_day=0.0, history_days=60), "nothing is used"),
            (replace(left(0), depletion=NOW - 3600), "out of stamps since 21:13:20 UTC (1 h ago)"),
        ],
    )
    def test_without_a_date(self, state: State, words: str) -> None:
        assert words in shown([monitored(state=state)]).text

    def test_the_days_are_drawn_to_one_scale(self) -> None:
        accounts = [monitored("a", lasting(3.5)), monitored("b", lasting(17.5)), monitored("c", lasting(300))]
        page = shown(accounts)
        labels = [bar["aria-label"] or "" for bar in page.all("svg", role="img")]
        days = [label for label in labels if "days left" in label]
        assert days == [f"{left} days left, drawn against 35 days" for left in (3, 17, 300)]
        widths = [rect["width"] for rect in page.all("rect", **{"class": "left"})]
        assert widths[::2] == ["10.00%", "50.00%", "100.00%"]


class TestChoice:
    ACCOUNTS = (
        monitored("c", lasting(9), labels=(("team", "billing"), ("owner", "ana"))),
        monitored("a", left(0), labels=(("team", "billing"),)),
        monitored("b", State(), labels=(("team", "sales=2"),)),
        monitored("Á", lasting(8, left(700)), labels=(("team", "sales"),)),
    )

    def names(self, **parameters: str) -> list[str]:
        return shown(self.ACCOUNTS, (), **parameters).names

    def test_order(self) -> None:
        assert self.names() == ["a", "Á", "c", "b"]
        assert self.names(order="name") == ["a", "Á", "b", "c"]
        assert self.names(order="balance") == ["a", "Á", "c", "b"]
        assert self.names(order="nonsense") == self.names()
        page = shown(self.ACCOUNTS, order="name", label="team=billing", lang="es")
        assert {"?label=team%3Dbilling&lang=es", "?label=team%3Dbilling&order=balance&lang=es"} <= {
            link["href"] for link in page.all("a")
        }

    def test_label(self) -> None:
        """The label itself: another one that begins alike isn't found."""
        assert self.names(label="team=billing") == ["a", "c"]
        assert self.names(label="team=sales") == ["Á"]
        assert self.names(label="team=sales=2") == ["b"]
        assert self.names(label="team=") == []
        assert self.names(label="team") == ["a", "Á", "c", "b"]

    def test_totals_of_each_team(self) -> None:
        page = shown(self.ACCOUNTS)
        assert "Totals by team" in page.text
        assert "Totals by owner" in page.text
        cells = [text for tag, text in page.texts if tag in ("td", "bdi")]
        start = cells.index("billing")
        assert cells[start : start + 5] == ["billing", "2", "4,000", "1", "Out of stamps"]
        links = {link["href"] for link in page.all("a")}
        assert {"?label=team%3Dbilling", "?label=owner%3Dana"} <= links
        assert "Totals by" not in shown([monitored()]).text

    def test_many_teams(self) -> None:
        """The page stays a page."""
        accounts = [monitored(f"n{number}", labels=(("team", f"t{number}"),)) for number in range(200)]
        page = shown(accounts, page="2")
        assert "and 180 more" in page.text

    def test_a_label_on_the_page_leads_to_its_accounts(self) -> None:
        [link] = shown([monitored(labels=(("team", "a&b"),))]).all("a", **{"class": "label"})
        assert link["href"] == "./?label=team%3Da%26b"

    def test_choose_is_what_the_table_has(self) -> None:
        whole = board(self.ACCOUNTS, NOW)
        assert [one.account.name for one in choose(whole, Query(order=Order.NAME))] == ["a", "Á", "b", "c"]


class TestDetail:
    async def test_all_that_is_known(self) -> None:
        state = replace(
            lasting(20),
            responses=(Count("200", 12), Count("503", 2)),
            failures=(Count("timeout", 1),),
        )
        account = monitored(state=state, labels=(("team", "billing"),))
        today = datetime.fromtimestamp(NOW, UTC).date().toordinal()
        use = {account.account.guard_key: RecentUse(today, (*[None] * 32, 0, 1234, 5))}
        found, page = await page_of([account], "acme", use)
        assert found
        assert page.all("h1")
        assert ("title", "OK: acme – CFDI stamps") in page.texts
        for words in (
            "until Monday 4 December, about 1,000 a day",
            "By 60 days of use that are known.",
            "4,000 of 5,000 stamps",
            "answered 200: completed successfully",
            "200: 12",
            "503: 2",
            "timeout: 1",
            "Asked every 15 min.",
            "team=billing",
            "Monday 13 November1,234",
            "Sunday 12 November0",
            "Saturday 11 Novemberunknown",
        ):
            assert words in page.text
        assert {"../metrics", "../?", "../?label=team%3Dbilling", "../account/acme?lang=es"} <= {
            link["href"] for link in page.all("a")
        }
        [drawing] = page.all("svg", **{"class": "use"})
        assert drawing["aria-label"] == "stamps used in the last 35 days, at most 1,234 a day"

    async def test_what_to_do(self) -> None:
        """And no way to do it on the page: nothing on it may cause a login."""
        accounts = [monitored("a b/c", SUSPENDED), monitored("empty", left(0))]
        found, page = await page_of(accounts, "a b/c")
        assert found
        assert "cfdi-stamps-exporter check --resume 'a b/c'" in page.text
        assert not page.all("form")
        assert not page.all("button")
        _, page = await page_of(accounts, "empty")
        assert "Buy stamps: invoicing has stopped." in page.text

    async def test_nobody_has_this_name(self) -> None:
        found, page = await page_of([monitored()], "<b>x")
        assert not found
        assert "There is no account of this name: <b>x" in page.text

    @pytest.mark.parametrize(
        ("name", "href"),
        [
            ("acme", "./account/acme"),
            ("a b", "./account/a%20b"),
            ("a/b", "./account/a%2Fb"),
            ("ñ?&#", "./account/%C3%B1%3F%26%23"),
            ("100%25", "./account/100%2525"),
            ("..", "./account/?name=.."),
            (".", "./account/?name=."),
            ("...", "./account/..."),
        ],
    )
    def test_addresses(self, name: str, href: str) -> None:
        """Whatever a name is made of."""
        assert href in {link["href"] for link in shown([monitored(name)]).all("a")}

    async def test_a_drawing_for_each_account_of_a_page(self) -> None:
        """The last column is today's; a day that isn't known is a gap."""
        accounts = [monitored("a"), monitored("b", username="b")]
        asked: list[list[str]] = []

        async def use(some: Sequence[object]) -> Mapping[str, RecentUse]:
            asked.append([one.account.name for one in some])  # type: ignore[attr-defined]
            return {accounts[0].account.guard_key: RecentUse(739_000, (10, None, 20, 5))}

        overview = Overview(accounts, FakeClock(), SITE, use=use)
        page = Document(await overview({"q": "a"}, ()))
        assert asked == [["a"]]
        [past, today] = page.all("path", **{"class": "past"}) + page.all("path", **{"class": "today"})
        assert (past["d"], today["d"]) == ("M0 24v-12h3V24zM8 24v-24h3V24z", "M12 24v-6h3V24z")


class TestTimes:
    def test_in_the_configured_zone(self) -> None:
        now = datetime.fromtimestamp(NOW, ZONE)
        assert "16:11:20 CST" in past(EARLIER, now, ENGLISH)
        assert "2023-11-14 16:13:20 CST" in clock(now)
        assert 'datetime="2023-11-14T22:13:20Z"' in clock(now)

    def test_a_zone_without_a_name(self) -> None:
        """Of which the database knows an offset alone."""
        now = datetime.fromtimestamp(NOW, ZoneInfo("America/Sao_Paulo"))
        assert "19:13:20 UTC-03:00" in clock(now)
        odd = timezone(timedelta(hours=5, minutes=45))
        assert "UTC+05:45" in clock(datetime.fromtimestamp(NOW, odd))

    async def test_of_the_overview(self) -> None:
        overview = Overview([monitored()], FakeClock(), SITE, zone=lambda: ZONE)
        assert "16:13:20 CST" in await overview({}, ())


class TestSimulated:
    async def test_the_page_says_that_the_provider_is_simulated(self) -> None:
        """By the name that the environment has in the demonstration and in the documentation."""
        simulated = monitored(environment=replace(ENVIRONMENT, name="simulated"))
        banner = "The provider is simulated: none of these balances is real."
        assert banner in shown([simulated, monitored("b")]).text
        assert banner not in shown([monitored()]).text
        assert banner in (await page_of([simulated], "acme"))[1].text


def test_a_reading_of_200_is_success_only_where_all_is_well() -> None:
    """The counterpart of what is never said of a low balance."""
    assert reading(200).code.meaning in shown([monitored()]).text
