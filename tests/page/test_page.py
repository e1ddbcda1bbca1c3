"""The page for people, without a server or a browser: what it says of which state, and no more than that."""

import asyncio
import base64
import hashlib
import re
import time
from dataclasses import fields, replace
from itertools import pairwise
from urllib.parse import parse_qsl

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from exporter.account.outcome import Effect, Failure, Reading, Reason
from exporter.account.state import Figure, State
from exporter.page import POLICY, Overview, Site
from exporter.page.board import board, find
from exporter.page.english import ENGLISH
from exporter.page.moments import span
from exporter.page.query import Query, preferred
from exporter.page.spanish import SPANISH
from exporter.page.standing import Condition, standing
from exporter.page.style import SIGNS, STYLE
from exporter.page.texts import Texts
from exporter.polling.accounts import Accounts, Monitored
from exporter.provider.solucion_factible.codes import CODES, code
from tests.support.peers import FakeClock
from tests.support.rig import ENVIRONMENT, account, reading
from tests.support.standings import (
    BLOCKED,
    EARLIER,
    FAILING,
    LONG_AGO,
    NOW,
    OLD,
    SITE,
    SUSPENDED,
    TIMEOUT,
    WELL,
    Document,
    drawn,
    left,
    monitored,
    shown,
)

# How an account stands. -----------------------------------------------------------------------------------

STANDINGS = [
    (WELL, Condition.OK),
    (left(500), Condition.OK),
    (left(499), Condition.LOW),
    (left(100), Condition.LOW),
    (left(99), Condition.CRITICAL),
    (left(1), Condition.CRITICAL),
    (left(0), Condition.EXHAUSTED),
    (FAILING, Condition.FAILING),
    (left(499, FAILING), Condition.LOW),
    (left(0, FAILING), Condition.EXHAUSTED),
    (replace(OLD, up=False), Condition.FAILING),
    (OLD, Condition.STALE),
    (replace(OLD, available=Figure(0, LONG_AGO)), Condition.STALE),
    (State(), Condition.PENDING),
    (State(next_poll=NOW + 5), Condition.PENDING),
    (SUSPENDED, Condition.SUSPENDED),
    (left(0, SUSPENDED), Condition.SUSPENDED),
    (BLOCKED, Condition.SUSPENDED),
    (left(0, BLOCKED), Condition.SUSPENDED),
]


@pytest.mark.parametrize(("state", "condition"), STANDINGS)
def test_the_worst_that_is_true_of_an_account_is_its_condition(state: State, condition: Condition) -> None:
    assert standing(monitored(state=state), NOW).condition is condition


def test_without_thresholds_only_an_empty_account_is_short_of_stamps() -> None:
    free = monitored(state=left(1), warning=None, critical=None)
    assert standing(free, NOW).condition is Condition.OK
    assert standing(replace(free, state=left(0)), NOW).condition is Condition.EXHAUSTED


@pytest.mark.parametrize(
    ("state", "available", "share"),
    [
        (WELL, 4000, 0.8),
        (left(0), 0, 0.0),
        (left(6000), 6000, 1.0),
        (OLD, None, None),
        (State(), None, None),
        (replace(WELL, contracted=None), 4000, None),
        (replace(left(0), contracted=None), 0, 0.0),
        (replace(WELL, contracted=Figure(0, EARLIER)), 4000, None),
    ],
)
def test_what_is_not_known_is_never_zero(state: State, available: int | None, share: float | None) -> None:
    one = standing(monitored(state=state), NOW)
    assert (one.available, one.share) == (available, share)


# Words. ---------------------------------------------------------------------------------------------------

WORDS = [
    (WELL, ["OK", "4,000 of 5,000 stamps", "80%", "answered 200: completed successfully."]),
    (WELL, ["Polled 2 min ago (22:11:20 UTC)", "Next poll: in 13 min (22:26:20 UTC)"]),
    (WELL, ["warning below 500", "critical below 100"]),
    (left(60), ["Critical balance", "below the critical threshold", "60 of 5,000 stamps", "1%"]),
    (left(7), ["7 of 5,000 stamps", "<1%"]),
    (left(400), ["Few stamps", "below the warning threshold"]),
    (left(0), ["Out of stamps", "0 of 5,000 stamps", "Buy stamps: invoicing has stopped."]),
    (FAILING, ["Failing", "no balance since 22:11:20 UTC (2 min ago)", "No answer (timeout): no com"]),
    (replace(State(), up=False, last_outcome=TIMEOUT, last_poll=EARLIER), ["no balance so far", "unknown"]),
    (OLD, ["Old balance", "older than 45 min", "unknown last known: 4,000, 2 h 30 min ago (19:43:20 UTC)"]),
    (State(next_poll=NOW + 5), ["Not yet polled", "unknown", "No answer so far.", "Polled never", "in 5 s"]),
    (SUSPENDED, ["no polls since 22:11:20 UTC (2 min ago)", "answered 602: the account is locked."]),
    (SUSPENDED, ["To poll it again: Have the provider unlock it", "Next poll: none while paused"]),
    (SUSPENDED, ["cfdi-stamps-exporter check --resume acme"]),
    (BLOCKED, ["Paused", "polls wait: what became of the last tries isn't known"]),
    (BLOCKED, ["They may have been refused, and too many refusals lock the account, so the exporter waits."]),
    (BLOCKED, ["Next try: in 50 min (23:03:20 UTC).", "Next poll: in 50 min (23:03:20 UTC)"]),
    (BLOCKED, ["To try sooner: Check the credential. Then, once an hour at most: cfdi-stamps-exporter"]),
    (BLOCKED, ["cfdi-stamps-exporter check --resume acme"]),
    (replace(BLOCKED, next_poll=NOW + 90_000), ["Next try: in 1 d 1 h (2023-11-15 23:13 UTC)."]),
    (replace(BLOCKED, next_poll=NOW), ["Next try: now (22:13:20 UTC)."]),
    (replace(BLOCKED, next_poll=NOW - 90), ["Next try: 1 min overdue (22:11:50 UTC)."]),
    (replace(WELL, last_outcome=None), ["answered 200: completed successfully."]),
    (replace(FAILING, last_outcome=None), ["before the exporter was restarted"]),
    (replace(FAILING, last_outcome=reading(200)), ["200, but without the stamps available"]),
    (replace(FAILING, last_outcome=None, last_code=code(630)), ["before the exporter was restarted"]),
    (replace(FAILING, last_outcome=reading(777), last_code=code(777)), ["answered 777: a code that the"]),
    (replace(WELL, next_poll=NOW - 30), ["Next poll: now"]),
    (replace(WELL, next_poll=NOW - 7200), ["Next poll: 2 h overdue (20:13:20 UTC)"]),
    (replace(WELL, last_poll=NOW - 86_400), ["1 d ago (2023-11-13 22:13 UTC)"]),
]  # fmt: skip


@pytest.mark.parametrize(("state", "words"), WORDS)
def test_a_state_is_told_in_words(state: State, words: list[str]) -> None:
    text = shown([monitored(state=state)]).text
    for expected in words:
        assert expected in text


def test_an_unknown_balance_is_no_number_and_no_bar() -> None:
    for state in (State(), OLD, replace(SUSPENDED, available=None)):
        page = shown([monitored(state=state)])
        assert "unknown" in page.text
        assert [bar["aria-label"] for bar in page.all("svg", role="img")] == ["balance unknown"]
        assert not page.all("rect", **{"class": "left"})


def test_the_bar_shows_share_and_thresholds_and_says_them() -> None:
    page = shown([monitored(state=left(1234))])
    [bar] = page.all("svg", role="img")
    assert bar["aria-label"] == (
        "1,234 of 5,000 stamps available, 24%; warning below 500; critical below 100"
    )
    assert [rect["width"] for rect in page.all("rect")] == ["100%", "24.68%"]
    assert [(line["class"], line["x1"]) for line in page.all("line")] == [
        ("warning", "10.00%"),
        ("critical", "2.00%"),
    ]


def test_a_threshold_beyond_what_was_contracted_has_no_mark() -> None:
    page = shown([monitored(warning=5001, critical=5000)])
    assert [line["class"] for line in page.all("line")] == ["critical"]
    assert "warning below 5,001" in page.text


@pytest.mark.parametrize("number", CODES)
@pytest.mark.parametrize(("language", "texts"), [("en", ENGLISH), ("es", SPANISH)])
def test_each_code_is_told_in_our_own_words(number: int, language: str, texts: Texts) -> None:
    """The provider's `mensaje` could be anything: it never reaches the page."""
    known = code(number)
    answer = Reading(known, message="MENSAJE <b>ws@acme.example</b>")
    state = replace(WELL, up=known.effect is Effect.BALANCE, last_outcome=answer, last_code=known)
    page = shown([monitored(state=state)], lang=language)
    assert "MENSAJE" not in page.text
    if number != 200:
        assert texts.meaning(known) in page.text
        assert texts.advice(known) in page.text


def test_no_login_name_and_no_secret_is_on_the_page() -> None:
    page = shown([monitored(state=SUSPENDED)])
    assert "ws@acme.example" not in page.source
    assert account().password.reveal() not in page.source


def test_a_name_in_the_command_is_quoted_for_a_shell() -> None:
    for state in (SUSPENDED, BLOCKED):
        page = shown([monitored("a b; $(reboot)", state), monitored("-x", state)])
        assert "check --resume 'a b; $(reboot)'" in page.text
        assert "check --resume -- -x" in page.text


def test_the_command_is_the_one_that_the_daemon_gives() -> None:
    site = Site(
        "1.2.3", "/metrics", lambda name: f"/opt/x check '--config.file=/etc/c d.yaml' --resume {name}"
    )
    for state in (SUSPENDED, BLOCKED):
        page = Document(drawn([monitored("acme", state)], site=site))
        assert "/opt/x check '--config.file=/etc/c d.yaml' --resume acme" in page.text


def test_nothing_on_the_page_can_cause_a_login() -> None:
    """A link that a browser fetches ahead, or a form that another site sends, must not lift a suspension."""
    states = (SUSPENDED, BLOCKED)
    page = shown([monitored(f"{number}{place}", states[place]) for number in range(10) for place in (0, 1)])
    assert [form["method"] for form in page.all("form")] == ["get"]
    assert len(page.all("button")) == 1
    assert "/-/" not in "".join(
        link["href"] or "" for link in page.all("a") if link["href"] not in ("./-/healthy", "./-/ready")
    )


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-3, "0 s"),
        (0, "0 s"),
        (59.9, "59 s"),
        (60, "1 min"),
        (3599, "59 min"),
        (3600, "1 h"),
        (5400, "1 h 30 min"),
        (86_399, "23 h 59 min"),
        (86_400, "1 d"),
        (180_000, "2 d 2 h"),
    ],
)
def test_durations_have_at_most_two_units(seconds: float, text: str) -> None:
    assert span(seconds) == text


def test_times_are_given_to_machines_as_well() -> None:
    times = [one["datetime"] for one in shown([monitored()]).all("time")]
    assert times == ["2023-11-14T22:13:20Z", "2023-11-14T22:11:20Z", "2023-11-14T22:26:20Z"]


# Order, totals, finding, paging. --------------------------------------------------------------------------


def test_the_worst_is_on_top_and_of_equals_that_with_the_smallest_share_left() -> None:
    accounts = [
        monitored("well"),
        monitored("better", left(4900)),
        monitored("no share", replace(WELL, contracted=None)),
        monitored("new", State()),
        monitored("old", OLD),
        monitored("b failing", replace(FAILING, available=None, contracted=None)),
        monitored("failing", FAILING),
        monitored("low", left(499)),
        monitored("lower", left(300)),
        monitored("critical", left(20)),
        monitored("empty", left(0)),
        monitored("z suspended", SUSPENDED),
        monitored("also well"),
    ]
    order = ["empty", "critical", "lower", "low", "z suspended", "failing", "b failing", "old", "new"]
    order += ["also well", "well", "better", "no share"]
    assert shown(accounts).names == order
    assert shown(reversed(accounts)).names == order


def test_the_totals_count_each_account_once() -> None:
    states = [state for state, _ in STANDINGS]
    whole = board([monitored(str(place), state) for place, state in enumerate(states)], NOW)
    assert sum(whole.counts.values()) == len(states)
    expected = [condition for _, condition in STANDINGS]
    assert whole.counts == {condition: expected.count(condition) for condition in Condition}
    assert whole.known == sum(one.available is not None for one in whole.standings)
    assert whole.available == sum(one.available or 0 for one in whole.standings)


def test_the_page_begins_with_the_totals() -> None:
    page = shown(
        [monitored("a"), monitored("b", left(100)), monitored("c", State()), monitored("d", FAILING)]
    )
    assert "2 accounts need attention" in page.text
    assert "8,100 stamps available in all 3 of 4 balances known".replace(" ", "") in page.text.replace(
        " ", ""
    )
    assert ("title", "2 need attention – CFDI stamps") in page.texts


@pytest.mark.parametrize(
    ("accounts", "headline"),
    [
        ([], "No accounts are configured"),
        ([monitored()], "All accounts are well"),
        ([monitored(state=State()), monitored("b")], "Not yet polled: 1"),
        ([monitored(state=SUSPENDED), monitored("b")], "1 account needs attention"),
    ],
)
def test_one_sentence_says_whether_there_is_something_to_do(accounts: list[Monitored], headline: str) -> None:
    assert headline in shown(accounts).text


def test_no_balance_at_all_is_unknown_rather_than_zero_in_all() -> None:
    page = shown([monitored(state=State())])
    assert "unknownstamps available in all0 of 1 balances known" in page.text


MANY = [
    monitored("Tienda Ñandú", labels=(("team", "billing"),)),
    monitored("tienda-2", labels=(("team", "sales"), ("region", "México"))),
    monitored("other", environment=replace(ENVIRONMENT, name="production")),
    *(monitored(f"n{number}") for number in range(8)),
]


@pytest.mark.parametrize(
    ("search", "names"),
    [
        ("TIENDA", ["Tienda Ñandú", "tienda-2"]),
        ("nandu", ["Tienda Ñandú"]),
        ("ñandÚ", ["Tienda Ñandú"]),
        ("team=", ["Tienda Ñandú", "tienda-2"]),
        ("mexico tienda", ["tienda-2"]),
        ("  tienda\tsales ", ["tienda-2"]),
        ("production", ["other"]),
        ("ws@acme", []),
        ("tienda production", []),
    ],
)
def test_every_word_of_a_search_is_found_in_name_environment_or_labels(search: str, names: list[str]) -> None:
    page = shown(MANY, q=search)
    assert page.names == names
    assert f"{len(names)} account" in page.text or "Nothing found." in page.text
    assert page.all("input", type="search")[0]["value"] == " ".join(search.split())


def test_a_state_chooses_its_accounts_and_is_marked() -> None:
    accounts = [*MANY, monitored("low", left(400)), monitored("empty", left(0))]
    page = shown(accounts, state="low")
    assert page.names == ["low"]
    [link, order] = page.all("a", **{"aria-current": "true"})
    assert (link["href"], order["href"]) == ("?state=low", "?state=low")
    assert "13 All" in page.text
    assert shown(accounts, state="nonsense").names == shown(accounts).names
    assert shown(accounts, state="failing").names == []


def test_there_is_a_search_where_there_is_something_to_search() -> None:
    assert not shown(MANY[:10]).all("form")
    assert shown(MANY[:11]).all("form")
    assert shown(MANY[:1], q="x").all("form")


@pytest.mark.parametrize(
    ("page", "number"),
    [
        ("", 1),
        ("1", 1),
        ("2", 2),
        ("3", 3),
        ("4", 3),
        ("0", 1),
        ("-1", 1),
        ("x", 1),
        ("٣", 1),
        ("9" * 5000, 1),
        ("999999999", 3),
        ("1e1", 1),
    ],
)
def test_a_page_has_100_accounts_and_one_that_is_not_there_is_the_last(page: str, number: int) -> None:
    accounts = [monitored(f"n{place:03}") for place in range(250)]
    document = shown(accounts, page=page)
    assert document.names == [f"n{place:03}" for place in range(250)][(number - 1) * 100 : number * 100]
    assert f"Page {number} of 3" in document.text
    expected = [f"?page={to}" if to > 1 else "?" for to in (number - 1, number + 1) if 1 <= to <= 3]
    assert [link["href"] for link in document.all("a") if "rel" in link] == expected


def test_links_and_the_search_keep_what_was_asked_for() -> None:
    accounts = [monitored(f"n&{place:03}") for place in range(250)]
    page = shown(accounts, q="n& 'ñ", lang="es", refresh="off")
    assert page.names == []
    page = shown(accounts, q="n&", state="ok", page="2", lang="es", refresh="off")
    hrefs = [link["href"] for link in page.all("a")]
    assert "?q=n%26&state=ok&page=3&lang=es&refresh=off" in hrefs
    assert "?q=n%26&state=ok&lang=es&refresh=off" in hrefs
    assert "?q=n%26&state=ok&page=2&lang=en&refresh=off" in hrefs
    assert "?q=n%26&state=ok&page=2&lang=es" in hrefs
    hidden = {field["name"]: field["value"] for field in page.all("input", type="hidden")}
    assert hidden == {"state": "ok", "lang": "es", "refresh": "off"}


@example("", "", "0")
@given(st.text(), st.sampled_from(["", *(condition.name.lower() for condition in Condition)]), st.text())
def test_an_address_reads_back_as_what_it_asks_for(search: str, state: str, other: str) -> None:
    query = Query.read({"q": search, "state": state, "lang": other, "refresh": other, "page": other})
    again = Query.read(dict(parse_qsl(query.href[1:], errors="strict")))
    if search.isprintable():
        assert again == query
    assert query.href.isascii()


def test_it_refreshes_by_itself_until_it_is_told_not_to() -> None:
    """Without an address the browser loads the very page that it shows, query and all."""
    assert [meta["content"] for meta in shown(MANY).all("meta", **{"http-equiv": "refresh"})] == ["30"]
    page = shown(MANY, refresh="off")
    assert not page.all("meta", **{"http-equiv": "refresh"})
    assert "doesn't refresh by itself" in page.text


async def test_order_and_totals_are_kept_for_a_second() -> None:
    clock, accounts = FakeClock(), [monitored()]
    overview = Overview(accounts, clock, SITE)
    assert "All accounts are well" in await overview({}, ())
    accounts[0] = monitored(state=SUSPENDED)
    clock.advance(0.9)
    assert "All accounts are well" in await overview({}, ())
    clock.advance(0.1)
    assert "1 account needs attention" in await overview({}, ())


async def test_the_accounts_may_change_while_a_page_is_rendered() -> None:
    """That is done in another thread: the loop goes on, and the page shows the accounts of one moment."""
    clock, accounts = FakeClock(), Accounts()
    overview = Overview(accounts, clock, SITE)
    for count in (2_000, 3, 1_000, 0):
        accounts.replace([monitored(f"n{place:04}") for place in range(count)])
        clock.advance(1.0)
        looking = asyncio.create_task(overview({}, ()))
        changes = 0
        while not looking.done():
            await asyncio.sleep(0)
            changes += 1
            accounts.put(monitored(f"new-{changes % 50}"))
        assert changes > 3
        assert len(Document(await looking).names) == min(count, 100)


def test_everyone_sees_a_page_however_many_look_at_once() -> None:
    """More than there are threads, in several languages."""

    async def look() -> list[str]:
        overview = Overview([monitored()], FakeClock(), SITE)
        languages = [[("es", 1.0)], [("en", 1.0)]] * 50
        return await asyncio.gather(*(overview({}, one) for one in languages))

    pages = asyncio.run(look())
    assert [Document(page).all("html")[0]["lang"] for page in pages] == ["es", "en"] * 50


def test_ten_thousand_accounts_are_a_page_of_a_hundred_soon() -> None:
    """It takes some 50 ms; the limit is for noisy machines."""
    accounts = [monitored(f"n{place:05}", left(place % 5000)) for place in range(10_000)]
    started = time.process_time()
    page = drawn(accounts)
    assert time.process_time() - started < 2.0
    assert len(Document(page).names) == 100
    assert len(page) < 400_000
    assert len(find(board(accounts, NOW), Query("n0999")).standings) == 10


# Languages. -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("languages", "expected"),
    [
        ([], "en"),
        ([("", 1.0)], "en"),
        ([("es", 1.0)], "es"),
        ([("es-mx", 1.0), ("es", 0.9), ("en", 0.8)], "es"),
        ([("en-us", 1.0), ("en", 0.9), ("es", 0.8)], "en"),
        ([("en", 0.5), ("es", 0.6)], "es"),
        ([("es", 0.5), ("en", 0.5)], "es"),
        ([("fr", 1.0), ("de", 0.9), ("es-419", 0.1)], "es"),
        ([("fr", 1.0), ("de", 0.9)], "en"),
        ([("*", 1.0), ("es", 0.5)], "en"),
        ([("es", 0.0)], "en"),
        ([("es", float("nan"))], "en"),
        ([("est", 1.0), ("español", 1.0)], "en"),
    ],
)
def test_the_browser_chooses_the_language(languages: list[tuple[str, float]], expected: str) -> None:
    assert preferred(languages) == expected
    assert shown([monitored()], languages).all("html") == [{"lang": expected}]


def test_the_address_overrides_the_browser() -> None:
    assert shown([monitored()], [("es", 1.0)], lang="en").all("html") == [{"lang": "en"}]
    assert shown([monitored()], [("en", 1.0)], lang="es").all("html") == [{"lang": "es"}]
    assert shown([monitored()], [("es", 1.0)], lang="fr").all("html") == [{"lang": "es"}]


def test_the_page_in_spanish() -> None:
    accounts = [monitored(state=SUSPENDED), monitored("b", FAILING), monitored("c", BLOCKED)]
    text = shown(accounts, lang="es").text
    for words in (
        "Timbres CFDI",
        "3 cuentas requieren atención",
        "En pausa: consultas detenidas",
        "sin consultas desde 22:11:20 UTC (hace 2 min), para proteger la cuenta",
        "El proveedor respondió 602: la cuenta está bloqueada.",
        "Para volver a consultarla:",
        "Sin respuesta (tiempo agotado): no complete answer within 60 s.",
        "Próxima consulta: en 13 min",
        "aviso: menos de 500",
        "consultas en espera: no se conoce el resultado de los últimos intentos",
        "Pueden haber sido rechazados, y demasiados rechazos bloquean la cuenta; por eso el exportador",
        "Próximo intento: en 50 min (23:03:20 UTC).",
        "Para intentarlo antes: Revise la credencial. Después, una vez por hora como máximo: cfdi-stamps",
        "cfdi-stamps-exporter check --resume c",
    ):
        assert words in text


def test_details_that_are_english_are_marked_as_such_on_a_spanish_page() -> None:
    page = shown([monitored(state=FAILING)], lang="es")
    assert page.all("span", lang="en")
    assert not shown([monitored(state=FAILING)]).all("span", lang="en")


def test_both_languages_say_the_same_things() -> None:
    """The same gaps to fill in, and words of their own."""
    for field in fields(Texts):
        english, spanish_ = getattr(ENGLISH, field.name), getattr(SPANISH, field.name)
        if isinstance(english, str):
            english, spanish_ = (english,), (spanish_,)
        if isinstance(english, tuple):
            gaps = [sorted(re.findall(r"\{\w+\}", text)) for text in english]
            assert gaps == [sorted(re.findall(r"\{\w+\}", text)) for text in spanish_], field.name
            assert english != spanish_, field.name
        elif not callable(english):
            assert english.keys() == spanish_.keys(), field.name


@pytest.mark.parametrize("number", [*CODES, 777])
def test_each_code_has_words_of_its_own_in_each_language(number: int) -> None:
    known = code(number)
    assert (ENGLISH.meaning(known), ENGLISH.advice(known)) == (known.meaning, known.advice)
    assert (SPANISH.meaning(known), SPANISH.advice(known)) == known.spanish


# What comes from outside. ---------------------------------------------------------------------------------

HOSTILE = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "' onmouseover='alert(1)",
    "</title></style></svg><b>",
    "&lt;b&gt; &amp;amp;",
    "{name} {0} %s {{",
    "\u202egnp.exe\u202c \u2066x",
    "<!-- --> ]]> <?php",
    "x" * 200,
    "ＷＩＤＥ 🧾 ñ",
]  # fmt: skip


def page_with(text: str) -> Document:
    """A page on which a text from outside stands at every place where an account can have one."""
    environment = replace(ENVIRONMENT, name=text)
    suspended = monitored(text, SUSPENDED, environment=environment, labels=(("team", text),))
    failing = monitored("b", replace(FAILING, last_outcome=Failure(Reason.TLS, text)))
    return shown([suspended, failing])


def check_that_it_is_text(text: str) -> None:
    page, harmless = page_with(text), page_with("x")
    assert page.tags == harmless.tags
    outside = [one for tag, one in page.texts if tag == "bdi"]
    assert outside[:4] == [text, text, text, f"team={text}"]  # the first one among the totals
    assert f"(TLS): {text}." in "".join(one for _, one in page.texts)
    for (_, attributes), (_, expected) in zip(page.elements, harmless.elements, strict=True):
        assert attributes.keys() - {"title"} == expected.keys()
    [field] = shown([monitored()], q=f"x{text}").all("input", type="search")
    assert field["value"] == " ".join(f"x{text}"[:200].split())


@pytest.mark.parametrize("text", HOSTILE)
def test_a_text_from_outside_is_text(text: str) -> None:
    check_that_it_is_text(text)


@given(st.text(st.characters(exclude_categories=["Cc", "Cs", "Cn"]), min_size=1, max_size=200))
def test_any_name_is_exactly_that_text_and_no_element(text: str) -> None:
    check_that_it_is_text(text)


@given(st.text(st.characters(), max_size=50))
def test_any_search_leaves_the_page_whole(text: str) -> None:
    """Control characters and lone surrogates, which an address can carry, too."""
    page = shown(MANY, q=text)
    page.source.encode()
    assert page.within == []
    assert page.all("footer")
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f]", page.source)


def test_a_long_name_is_told_whole_where_it_may_be_cut() -> None:
    page = shown([monitored("n" * 100), monitored("short")])
    assert [heading.get("title") for heading in page.all("h3")] == ["n" * 100, None]


# Safety, access, looks. -----------------------------------------------------------------------------------


def test_the_policy_allows_the_one_style_and_nothing_else() -> None:
    page = shown(MANY)
    assert page.tags.count("style") == 1
    [style] = re.findall("<style>(.*?)</style>", page.source, re.DOTALL)
    assert style == STYLE
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    expected = f"default-src 'none'; style-src 'sha256-{digest}'; form-action 'self'"
    assert f"{expected}; frame-ancestors 'none'; base-uri 'none'" == POLICY
    assert not re.search(r"url\(|@import|</|expression", STYLE)
    assert "script" not in page.tags
    for _, attributes in page.elements:
        assert "style" not in attributes
        assert not any(name.startswith("on") for name in attributes)


def test_it_is_in_order_for_screen_readers() -> None:
    page = shown([monitored(f"n{place}", state) for place, (state, _) in enumerate(STANDINGS)])
    assert page.tags.count("h1") == 1
    for landmark in ("header", "main", "footer"):
        assert page.tags.count(landmark) == 1
    levels = [int(tag[1]) for tag in page.tags if re.fullmatch("h[1-6]", tag)]
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert [nav["aria-label"] for nav in page.all("nav")] == ["Accounts", "Order", "More pages"]
    assert all("aria-label" in svg or svg.get("aria-hidden") == "true" for svg in page.all("svg"))
    assert page.all("label", **{"for": "q"})
    assert page.all("input", id="q")
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    drawn = {use["href"] for use in page.all("use")}
    assert drawn <= {f"#{identifier}" for identifier in ids}
    assert {condition.name.lower() for condition in Condition} <= set(ids)
    assert SIGNS in page.source


def test_it_links_to_the_other_pages_and_says_the_version() -> None:
    page = Document(drawn([], site=Site("1.2.3", '/probe/"stamps"')))
    assert [link["href"] for link in page.all("a")][-4:] == [
        './probe/"stamps"',
        "./config",
        "./-/healthy",
        "./-/ready",
    ]
    assert "cfdi-stamps-exporter 1.2.3" in page.text


def colours(scheme: str) -> dict[str, str]:
    light, dark = re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL)[:2]
    found = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", light))
    return found | dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", dark)) if scheme == "dark" else found


def contrast(one: str, other: str) -> float:
    """The contrast of two colours (WCAG 2.2, 1.4.3)."""

    def luminance(colour: str) -> float:
        parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


TEXT_ON = [
    *(
        (text, ground)
        for text in ("ink", "dim", "link", "bad", "warn", "good")
        for ground in ("page", "card")
    ),
    *((tone, f"{tone}-tint") for tone in ("bad", "warn", "good", "dim")),
    ("ink", "quiet"),
    ("dim", "quiet"),
]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("text", "ground"), TEXT_ON)
def test_text_can_be_read_on_its_ground(scheme: str, text: str, ground: str) -> None:
    """WCAG AA: 4.5 for text."""
    palette = colours(scheme)
    assert contrast(palette[text], palette[ground]) >= 4.5


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("tone", ["bad", "warn", "good"])
def test_bars_and_signs_stand_out(scheme: str, tone: str) -> None:
    """WCAG AA: 3 for what isn't text."""
    palette = colours(scheme)
    assert contrast(palette[tone], palette["card"]) >= 3
    assert contrast(palette[tone], palette["track"]) >= 3


def test_contrast_is_reckoned_as_in_the_standard() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)
