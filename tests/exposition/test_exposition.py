"""What `/metrics` serves, held against prometheus_client's own writers and parsers."""

import asyncio
import gc
import tracemalloc
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text
from prometheus_client.registry import Collector

from exporter.account.outcome import Reason
from exporter.account.state import ALWAYS, Count, Counts, Figure, Rise, State, Suspension, one_more
from exporter.clock import Clock
from exporter.config import Account, Environment, Issuer, TlsConfig
from exporter.exposition import deflate
from exporter.exposition.blocks import SIZE, Block, Families
from exporter.exposition.exposition import LONGEST_TURN, STEPS, Exposition, Form
from exporter.exposition.families import ACCOUNT_FAMILIES, ISSUER_FAMILIES
from exporter.metrics import LAG_BUCKETS, POLL_BUCKETS, ExporterMetrics
from exporter.provider.solucion_factible.codes import LABELS, code
from exporter.secret import Secret
from tests.support.peers import FakeClock
from tests.support.places import DATA

GOLDEN = DATA / "golden"
CODES = list(LABELS)
REASONS = [reason.value for reason in Reason]
NOW = 1_700_000_000.0
MONOTONIC = FakeClock(NOW).monotonic()

ACCOUNT = Account(
    name="acme",
    username="ws@acme.example",
    password=Secret("s3cret"),
    environment=Environment("production", "https://pac.example/ws?wsdl", False, 4, None, TlsConfig()),
    interval=900.0,
    timeout=60.0,
    stale_after=2700.0,
    auth_attempts=2,
    warning=500,
    critical=100,
    labels=(("team", "billing"),),
)
STATE = State(
    contracted=Figure(5000, NOW),
    used=Figure(3760, NOW),
    available=Figure(1240, NOW),
    consumed=Rise(210, 3760),
    purchased=Rise(1000, 5000),
    responses=(Count("200", 7), Count("other", 1, 500.0)),
    failures=(Count("connection", 2, 500.0), Count("tls", 1, MONOTONIC)),
    up=True,
    last_code=code(200),
    last_poll=NOW,
    last_success=NOW,
    next_poll=NOW + 899.5,
    depletion=NOW + 5 * 86_400.0,
    usual_day=212.5,
    history_days=31,
)


def stamps(figure: Figure | None, account: Account, now: float) -> float | None:
    return None if figure is None or now - figure.at > account.stale_after else figure.stamps


def flag(value: bool | None) -> float | None:
    return None if value is None else float(value)


def counts(label: str, seen: Counts, at: Clock) -> "list[Series]":
    return [({label: value}, 0 if at.monotonic() - since <= 120 else times) for value, times, since in seen]


Series = tuple[dict[str, str], float | None]
EXPECTED: dict[str, tuple[str, Callable[[Account, State, Clock], Iterable[Series]]]] = {
    "cfdi_stamps_contracted": ("gauge", lambda a, s, at: [({}, stamps(s.contracted, a, at.time()))]),
    "cfdi_stamps_used": ("gauge", lambda a, s, at: [({}, stamps(s.used, a, at.time()))]),
    "cfdi_stamps_available": ("gauge", lambda a, s, at: [({}, stamps(s.available, a, at.time()))]),
    "cfdi_stamps_low_threshold": (
        "gauge",
        lambda a, _s, _at: [({"severity": "warning"}, a.warning), ({"severity": "critical"}, a.critical)],
    ),
    "cfdi_stamps_consumed": ("counter", lambda _a, s, _at: [({}, s.consumed.total)]),
    "cfdi_stamps_purchased": ("counter", lambda _a, s, _at: [({}, s.purchased.total)]),
    "cfdi_stamps_depletion_timestamp_seconds": ("gauge", lambda _a, s, _at: [({}, s.depletion)]),
    "cfdi_stamps_usual_day": ("gauge", lambda _a, s, _at: [({}, s.usual_day)]),
    "cfdi_stamps_history_days": ("gauge", lambda _a, s, _at: [({}, s.history_days)]),
    "cfdi_responses": ("counter", lambda _a, s, at: counts("code", s.responses, at)),
    "cfdi_poll_failures": ("counter", lambda _a, s, at: counts("reason", s.failures, at)),
    "cfdi_account_info": (
        "gauge",
        lambda a, _s, _at: [({"pac_environment": a.environment.name, **dict(a.labels)}, 1)],
    ),
    "cfdi_account_up": ("gauge", lambda _a, s, _at: [({}, flag(s.up))]),
    "cfdi_account_suspended": (
        "gauge",
        lambda _a, s, _at: [({}, flag(s.suspension is not None or s.blocked))],
    ),
    "cfdi_account_last_status_code": (
        "gauge",
        lambda _a, s, _at: [({}, None if s.last_code is None else s.last_code.number)],
    ),
    "cfdi_account_last_poll_timestamp_seconds": ("gauge", lambda _a, s, _at: [({}, s.last_poll)]),
    "cfdi_account_last_success_timestamp_seconds": ("gauge", lambda _a, s, _at: [({}, s.last_success)]),
    "cfdi_account_next_poll_timestamp_seconds": ("gauge", lambda _a, s, _at: [({}, s.next_poll)]),
    "cfdi_account_poll_interval_seconds": ("gauge", lambda a, _s, _at: [({}, a.interval)]),
}
"""The contract's table of metrics, by the name without ``_total``."""

HELP = {family.name.removesuffix("_total"): family.help for family in ACCOUNT_FAMILIES}


class Reference(Collector):
    """The same state, the way that prometheus_client would have it written."""

    def __init__(self, accounts: Iterable[tuple[Account, State]], at: Clock) -> None:
        self._accounts = list(accounts)
        self._at = at

    def collect(self) -> Iterator[Metric]:
        for name, (kind, values) in EXPECTED.items():
            family: Metric = (
                GaugeMetricFamily(name, HELP[name])
                if kind == "gauge"
                else CounterMetricFamily(name, HELP[name])
            )
            suffix = "_total" if kind == "counter" else ""
            for account, state in self._accounts:
                for labels, value in values(account, state, self._at):
                    if value is not None:
                        family.add_sample(name + suffix, {"account": account.name, **labels}, value)
            yield family


def reference(accounts: Iterable[tuple[Account, State]], at: Clock) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(Reference(accounts, at))
    return registry


def exposed(accounts: Iterable[tuple[Account, State]], clock: Clock) -> Exposition:
    """An exposition of these accounts alone, without the exporter's own metrics."""
    accounts = list(accounts)
    exposition = Exposition(None, clock)
    exposition.arrange([account.name for account, _ in accounts])
    for account, state in accounts:
        exposition.show(account, state)
    return exposition


def text(exposition: Exposition) -> bytes:
    """The whole exposition in the text format."""
    return b"".join(exposition.pieces("text"))


def openmetrics(exposition: Exposition) -> bytes:
    """The whole exposition in OpenMetrics."""
    return b"".join(exposition.pieces("openmetrics"))


def series(exposition: Exposition) -> dict[str, str]:
    """The value of each series, as it is written."""
    lines = [line for line in text(exposition).decode().splitlines() if not line.startswith("#")]
    return dict(line.rsplit(" ", 1) for line in lines)


COUNT = st.integers(0, 2**53)
TIME = st.floats(0, 4e9)
FIGURE = st.none() | st.builds(Figure, COUNT, st.floats(NOW - 10_000, NOW + 100))
TEXT = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from('"\\\n{},= '), max_size=12)
OWN_LABELS = st.dictionaries(st.from_regex(r"[a-z][a-z_0-9]{0,6}", fullmatch=True), TEXT, max_size=3).map(
    lambda labels: tuple(sorted((name, value) for name, value in labels.items() if name != "account"))
)
ACCOUNTS = st.builds(
    lambda name, environment, interval, stale_after, thresholds, labels: replace(
        ACCOUNT,
        name=name,
        environment=replace(ACCOUNT.environment, name=environment),
        interval=interval,
        stale_after=stale_after,
        warning=thresholds[0],
        critical=thresholds[1],
        labels=labels,
    ),
    TEXT,
    TEXT,
    st.floats(0.001, 1e6),
    st.floats(0.001, 20_000),
    st.tuples(st.none() | COUNT, st.none() | COUNT),
    OWN_LABELS,
)


def counted(labels: list[str]) -> st.SearchStrategy[Counts]:
    """Some labels, some of them from the start, some newborn or nearly not any more."""
    since = st.just(ALWAYS) | st.floats(MONOTONIC - 300, MONOTONIC) | st.just(MONOTONIC - 120)
    return st.lists(
        st.builds(Count, st.sampled_from(labels), COUNT, since), unique_by=lambda count: count.label
    ).map(tuple)


STATES = st.builds(
    State,
    contracted=FIGURE,
    used=FIGURE,
    available=FIGURE,
    consumed=st.builds(Rise, COUNT),
    purchased=st.builds(Rise, COUNT),
    responses=counted(CODES),
    failures=counted(REASONS),
    up=st.none() | st.booleans(),
    last_code=st.none() | st.integers(-(2**60), 2**60).map(code),
    last_poll=st.none() | TIME,
    last_success=st.none() | TIME,
    next_poll=st.none() | TIME,
    suspension=st.none() | st.builds(Suspension, st.just(code(602)), TIME),
    blocked=st.booleans(),
    depletion=st.none() | TIME,
    usual_day=st.none() | st.floats(0, 1e9),
    history_days=st.none() | st.integers(0, 400),
)
PAIRS = st.lists(st.tuples(ACCOUNTS, STATES), max_size=3, unique_by=lambda pair: pair[0].name)


@given(PAIRS)
def test_the_bytes_are_those_that_prometheus_client_would_write(pairs: list[tuple[Account, State]]) -> None:
    exposition = exposed(pairs, FakeClock(NOW))
    assert text(exposition) == generate_latest(reference(pairs, FakeClock(NOW)))
    assert openmetrics(exposition) == generate_openmetrics(reference(pairs, FakeClock(NOW)))


async def gunzipped(exposition: Exposition, form: Form) -> bytes:
    """What a client reads that takes gzip, which must be one member and nothing after it."""
    reader = zlib.decompressobj(wbits=31)
    plain = reader.decompress(b"".join(await exposition.gzipped(form)))
    assert reader.eof
    assert not reader.unused_data
    return plain


@given(PAIRS, st.lists(st.tuples(st.integers(0, 2), STATES), max_size=4))
def test_what_is_served_compressed_is_the_same(
    pairs: list[tuple[Account, State]], changes: list[tuple[int, State]]
) -> None:
    """Pieces are compressed one by one and kept: whatever changes between two scrapes, in either format."""

    async def scrape() -> None:
        exposition = exposed(pairs, FakeClock(NOW))
        for place, state in [(0, None), *changes]:
            if state is not None and place < len(pairs):
                exposition.show(pairs[place][0], state)
            assert await gunzipped(exposition, "text") == text(exposition)
            assert await gunzipped(exposition, "openmetrics") == openmetrics(exposition)

    asyncio.run(scrape())


@given(
    st.lists(st.sampled_from([f"account-{number}" for number in range(9)]), unique=True),
    st.lists(st.sampled_from([f"account-{number}" for number in range(9)]), unique=True),
    st.sets(st.integers(0, 8)),
)
def test_accounts_that_come_go_and_move_keep_their_lines(
    before: list[str], after: list[str], changed: set[int]
) -> None:
    accounts = {name: replace(ACCOUNT, name=name) for name in {*before, *after}}
    states = {name: replace(STATE, responses=(Count("200", int(name[-1])),)) for name in accounts}
    exposition = exposed([(accounts[name], states[name]) for name in before], FakeClock(NOW))
    text(exposition)
    exposition.arrange(after)
    for name in after:
        if name not in before or int(name[-1]) in changed:
            states[name] = replace(states[name], last_code=code(601))
            exposition.show(accounts[name], states[name])
    assert text(exposition) == generate_latest(
        reference([(accounts[name], states[name]) for name in after], FakeClock(NOW))
    )


async def test_many_accounts_in_several_blocks(clock: FakeClock) -> None:
    """More than a block holds: changes here and there, figures that get stale, accounts that are removed."""
    accounts = [replace(ACCOUNT, name=f"account-{number:04}") for number in range(1300)]
    states = [replace(STATE, used=Figure(number, clock.time() + number)) for number in range(1300)]
    exposition = exposed(zip(accounts, states, strict=True), clock)

    async def check() -> None:
        await exposition.settle()
        expected = generate_latest(reference(zip(accounts, states, strict=True), clock))
        assert text(exposition) == expected
        assert await gunzipped(exposition, "text") == expected

    await check()
    for number in (0, 511, 512, 513, 1299):
        states[number] = replace(states[number], consumed=Rise(10 ** number.bit_length()))
        exposition.show(accounts[number], states[number])
    await check()
    clock.advance(2700 + 600)  # some figures of every block are stale
    await check()
    del accounts[100:600], states[100:600]
    exposition.arrange([account.name for account in accounts])
    await check()


@pytest.mark.parametrize(("others_take", "steps"), [(0.0, STEPS), (2 * LONGEST_TURN, 1)])
async def test_others_have_their_turn_between_two_blocks(
    monkeypatch: pytest.MonkeyPatch, others_take: float, steps: int
) -> None:
    """As many steps of the loop as a request to the daemon needs for its answer; one where these are long."""
    accounts = [replace(ACCOUNT, name=f"account-{number:04}") for number in range(4 * SIZE)]
    exposition = exposed([(account, STATE) for account in accounts], FakeClock(NOW))
    loop, now, step = asyncio.get_running_loop(), 0.0, 0
    joined_at: list[int] = []
    joined = Block.joined

    def noted(block: Block) -> Families:
        joined_at.append(step)
        return joined(block)

    monkeypatch.setattr(Block, "joined", noted)
    monkeypatch.setattr(loop, "time", lambda: now)
    scrape = asyncio.create_task(exposition.settle())
    while not scrape.done():
        step += 1
        now += others_take
        await asyncio.sleep(0)
    assert [after - before for before, after in pairwise(joined_at)] == [steps] * 3


async def test_scrapes_that_come_together_are_compressed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    compressed: list[bytes] = []

    def counted(piece: bytes) -> bytes:
        compressed.append(piece)
        return deflate.deflated(piece)

    monkeypatch.setattr("exporter.exposition.exposition.deflated", counted)
    accounts = [replace(ACCOUNT, name=f"account-{number:04}") for number in range(600)]
    exposition = exposed([(account, STATE) for account in accounts], FakeClock(NOW))
    first, *others = await asyncio.gather(*[exposition.gzipped("text") for _ in range(20)])
    assert all(one == first for one in others)
    assert len(compressed) == 2 * len(ACCOUNT_FAMILIES)
    del compressed[:]
    exposition.show(accounts[599], replace(STATE, last_code=code(503)))
    await exposition.gzipped("text")
    [piece] = compressed
    assert b'cfdi_account_last_status_code{account="account-0599"} 503.0\n' in piece
    assert b"account-0511" not in piece, "only the block that has changed, and of it the family"


@given(st.tuples(ACCOUNTS, STATES), st.lists(st.tuples(STATES, st.floats(0, 5_000)), max_size=6))
def test_whatever_happened_before_the_bytes_are_those_of_the_present(
    first: tuple[Account, State], changes: list[tuple[State, float]]
) -> None:
    """Lines are kept between scrapes and time passes: nothing of an earlier state may remain."""
    clock = FakeClock(NOW)
    account, state = first
    exposition = exposed([first], clock)
    for changed, seconds in changes:
        clock.advance(seconds)
        assert text(exposition) == generate_latest(reference([(account, state)], clock))
        state = changed
        exposition.show(account, state)
        assert text(exposition) == generate_latest(reference([(account, state)], clock))


def test_each_response_code_and_reason_has_its_series() -> None:
    """In whatever order they came up."""
    state = replace(
        STATE,
        responses=tuple(Count(label, number) for number, label in reversed([*enumerate(CODES)])),
        failures=tuple(Count(label, number) for number, label in reversed([*enumerate(REASONS)])),
    )
    found = series(exposed([(ACCOUNT, state)], FakeClock(NOW)))
    for number, label in enumerate(CODES):
        assert found[f'cfdi_responses_total{{account="acme",code="{label}"}}'] == f"{number}.0"
    for number, label in enumerate(REASONS):
        assert found[f'cfdi_poll_failures_total{{account="acme",reason="{label}"}}'] == f"{number}.0"
    assert [reason.value for reason in Reason] == REASONS


@pytest.mark.parametrize("form", ["text", "openmetrics"])
def test_the_golden_output_of_one_account(form: str) -> None:
    exposition = exposed([(ACCOUNT, STATE)], FakeClock(NOW))
    body = text(exposition) if form == "text" else openmetrics(exposition)
    assert body.decode() == (GOLDEN / f"one-account.{form}").read_text()


def test_before_the_first_poll_nothing_is_claimed_and_all_counters_are_0() -> None:
    """A counter that first appears with the value 1 never alerts; a balance of 0 would alert for nothing."""
    state = State(responses=(Count("200", 0),))
    found = series(exposed([(replace(ACCOUNT, warning=None, critical=None), state)], FakeClock(NOW)))
    assert {name.partition("{")[0] for name in found} == {
        "cfdi_stamps_consumed_total",
        "cfdi_stamps_purchased_total",
        "cfdi_responses_total",
        "cfdi_account_info",
        "cfdi_account_suspended",
        "cfdi_account_poll_interval_seconds",
    }
    assert {value for name, value in found.items() if "_total" in name} == {"0.0"}
    assert [name for name in found if "cfdi_responses_total" in name] == [OK]


def test_a_healthy_account_costs_prometheus_22_series_at_the_most() -> None:
    healthy = replace(STATE, responses=(Count("200", 7),), failures=())
    found = series(exposed([(ACCOUNT, healthy)], FakeClock(NOW)))
    assert len(found) <= 22
    assert found[OK] == "7.0"
    assert not any(name.startswith("cfdi_poll_failures_total") for name in found)


OK = 'cfdi_responses_total{account="acme",code="200"}'
TROUBLE = 'cfdi_responses_total{account="acme",code="500"}'
TIMEOUT = 'cfdi_poll_failures_total{account="acme",reason="timeout"}'


class TestBirth:
    """A count that comes up later than its account is 0 for two minutes: `increase()` sees the first one."""

    def poll(self, exposition: Exposition, clock: FakeClock, state: State, code: str) -> State:
        """An answer with this code has come."""
        responses = one_more(state.responses, code, clock.monotonic())
        state = replace(state, responses=responses, last_poll=clock.time())
        exposition.show(ACCOUNT, state)
        return state

    @pytest.fixture
    def state(self) -> State:
        return State(responses=(Count("200", 3),))

    @pytest.fixture
    def exposition(self, clock: FakeClock, state: State) -> Exposition:
        return exposed([(ACCOUNT, state)], clock)

    def test_at_0_and_without_another_poll_in_its_count(
        self, exposition: Exposition, clock: FakeClock, state: State
    ) -> None:
        assert TROUBLE not in series(exposition)
        self.poll(exposition, clock, state, "500")
        assert series(exposition)[TROUBLE] == "0.0"
        clock.advance(120)
        assert series(exposition)[TROUBLE] == "0.0"
        clock.advance(0.001)
        assert series(exposition)[TROUBLE] == "1.0"
        assert series(exposition)[OK] == "3.0"

    async def test_also_in_what_is_prepared_and_compressed(
        self, exposition: Exposition, clock: FakeClock, state: State
    ) -> None:
        self.poll(exposition, clock, state, "500")
        assert f"{TROUBLE} 0.0\n".encode() in await gunzipped(exposition, "text")
        clock.advance(121)
        await exposition.settle()
        assert f"{TROUBLE} 1.0\n".encode() in await gunzipped(exposition, "text")

    def test_what_was_counted_meanwhile_comes_at_once(
        self, exposition: Exposition, clock: FakeClock, state: State
    ) -> None:
        for _ in range(3):
            state = self.poll(exposition, clock, state, "500")
            clock.advance(40)
            assert series(exposition)[TROUBLE] == "0.0"
        clock.advance(1)
        assert series(exposition)[TROUBLE] == "3.0"
        self.poll(exposition, clock, state, "500")
        assert series(exposition)[TROUBLE] == "4.0"

    def test_each_has_its_own(self, exposition: Exposition, clock: FakeClock, state: State) -> None:
        """Two minutes from when each came up, whichever the lines were last written for."""
        state = self.poll(exposition, clock, state, "500")
        clock.advance(100)
        exposition.show(ACCOUNT, replace(state, failures=one_more((), "timeout", clock.monotonic())))
        clock.advance(21)
        found = series(exposition)
        assert (found[TROUBLE], found[TIMEOUT]) == ("1.0", "0.0")
        clock.advance(100)
        found = series(exposition)
        assert (found[TROUBLE], found[TIMEOUT]) == ("1.0", "1.0")

    def test_a_balance_that_is_stale_sooner_doesn_t_hide_it(
        self, exposition: Exposition, clock: FakeClock, state: State
    ) -> None:
        state = replace(state, used=Figure(1, clock.time() - ACCOUNT.stale_after + 60))
        self.poll(exposition, clock, state, "500")
        clock.advance(61)
        found = series(exposition)
        assert (found[TROUBLE], 'cfdi_stamps_used{account="acme"}' in found) == ("0.0", False)
        clock.advance(60)
        assert series(exposition)[TROUBLE] == "1.0"

    @pytest.mark.parametrize("jump", [-86_400, -90, 90, 86_400])
    def test_a_clock_that_jumps_takes_no_count_back(
        self, exposition: Exposition, clock: FakeClock, state: State, jump: float
    ) -> None:
        """Prometheus would take that for a reset and count it twice."""
        state = self.poll(exposition, clock, state, "500")
        clock.advance(100)
        clock.time_seconds += jump
        state = self.poll(exposition, clock, state, "200")
        assert series(exposition)[TROUBLE] == "0.0"
        clock.advance(21)
        assert series(exposition)[TROUBLE] == "1.0"
        clock.time_seconds -= jump
        self.poll(exposition, clock, state, "200")
        assert series(exposition)[TROUBLE] == "1.0"

    def test_a_new_name_goes_on_with_the_counts(
        self, exposition: Exposition, clock: FakeClock, state: State
    ) -> None:
        """They were counted once under the old one; only what is newborn still waits."""
        state = replace(state, responses=(*state.responses, Count("500", 9, clock.monotonic() - 500)))
        state = self.poll(exposition, clock, state, "503")
        exposition.arrange(["renamed"])
        exposition.show(replace(ACCOUNT, name="renamed"), state)
        found = series(exposition)
        assert found['cfdi_responses_total{account="renamed",code="500"}'] == "9.0"
        assert found['cfdi_responses_total{account="renamed",code="503"}'] == "0.0"
        assert not any('"acme"' in name for name in found)
        clock.advance(121)
        assert series(exposition)['cfdi_responses_total{account="renamed",code="503"}'] == "1.0"


def test_figures_leave_by_themselves_once_stale_and_each_at_its_own_time(clock: FakeClock) -> None:
    begin = clock.time()
    state = State(
        contracted=Figure(5000, begin - 2000), used=Figure(3760, begin - 1000), available=Figure(0, begin)
    )
    exposition = exposed([(ACCOUNT, state)], clock)

    def shown() -> set[str]:
        return {name.partition("{")[0] for name in series(exposition) if name.startswith("cfdi_stamps_")} & {
            "cfdi_stamps_contracted",
            "cfdi_stamps_used",
            "cfdi_stamps_available",
        }

    everything = {"cfdi_stamps_contracted", "cfdi_stamps_used", "cfdi_stamps_available"}
    for seconds, gone in (
        (700, set()),
        (0.001, {"cfdi_stamps_contracted"}),
        (999.999, {"cfdi_stamps_contracted"}),
        (0.001, {"cfdi_stamps_contracted", "cfdi_stamps_used"}),
        (999.999, {"cfdi_stamps_contracted", "cfdi_stamps_used"}),
        (0.001, everything),
        (1e6, everything),
    ):
        clock.advance(seconds)
        assert shown() == everything - gone, clock.time() - begin
    assert len(series(exposition)) == 7, "all that isn't a figure stays"


def test_a_figure_that_was_renewed_stays(clock: FakeClock) -> None:
    state = State(used=Figure(1, clock.time()))
    exposition = exposed([(ACCOUNT, state)], clock)
    clock.advance(2000)
    exposition.show(ACCOUNT, State(used=Figure(2, clock.time())))
    clock.advance(2700)
    assert series(exposition)['cfdi_stamps_used{account="acme"}'] == "2.0"
    clock.advance(1)
    assert 'cfdi_stamps_used{account="acme"}' not in series(exposition)


def test_a_figure_that_was_stale_when_it_was_restored_is_never_shown(clock: FakeClock) -> None:
    exposition = exposed([(ACCOUNT, State(used=Figure(1, clock.time() - 2701)))], clock)
    assert 'cfdi_stamps_used{account="acme"}' not in series(exposition)


def test_an_account_that_is_removed_leaves_with_every_line() -> None:
    other = replace(ACCOUNT, name="other")
    exposition = exposed([(ACCOUNT, STATE), (other, STATE)], FakeClock(NOW))
    assert b'"acme"' in text(exposition)
    exposition.arrange(["other"])
    assert b'"acme"' not in text(exposition) + openmetrics(exposition)
    assert text(exposition) == generate_latest(reference([(other, STATE)], FakeClock(NOW)))
    exposition.arrange([])
    assert text(exposition) == generate_latest(reference([], FakeClock(NOW)))
    assert exposition.shown("acme") is None


def test_a_poll_that_ends_after_its_account_was_removed_brings_no_line_back() -> None:
    exposition = exposed([(ACCOUNT, STATE)], FakeClock(NOW))
    exposition.arrange([])
    exposition.show(ACCOUNT, STATE)
    assert b'"acme"' not in text(exposition)


def test_accounts_stand_in_the_order_of_the_configuration() -> None:
    names = ["b", "a", "c"]
    exposition = Exposition(None, FakeClock(NOW))
    exposition.arrange(names)
    for name in sorted(names):
        exposition.show(replace(ACCOUNT, name=name), STATE)
    assert text(exposition) == generate_latest(
        reference([(replace(ACCOUNT, name=name), STATE) for name in names], FakeClock(NOW))
    )


def test_a_reload_s_new_labels_and_thresholds_replace_the_old() -> None:
    exposition = exposed([(ACCOUNT, STATE)], FakeClock(NOW))
    changed = replace(ACCOUNT, labels=(("team", "sales"),), warning=7, critical=None, interval=60.0)
    exposition.show(changed, STATE)
    assert text(exposition) == generate_latest(reference([(changed, STATE)], FakeClock(NOW)))


AWKWARD = 'a "b" \\ c\nd\\n 😀 ñ {x="y"} # 1'


def test_prometheus_client_s_own_parsers_read_what_is_served() -> None:
    account = replace(ACCOUNT, name=AWKWARD, labels=(("team", AWKWARD),))
    exposition = exposed([(account, STATE)], FakeClock(NOW))
    for families in (
        list(parse_text(text(exposition).decode())),
        list(parse_openmetrics(openmetrics(exposition).decode())),
    ):
        assert [family.name for family in families] == list(EXPECTED)
        samples = [sample for family in families for sample in family.samples]
        assert {sample.labels["account"] for sample in samples} == {AWKWARD}
        (info,) = [sample for sample in samples if sample.name == "cfdi_account_info"]
        assert info.labels == {"account": AWKWARD, "pac_environment": "production", "team": AWKWARD}


def test_the_families_and_types_are_those_of_the_contract() -> None:
    assert {family.name.removesuffix("_total"): family.kind for family in ACCOUNT_FAMILIES} == {
        name: kind for name, (kind, _) in EXPECTED.items()
    }
    for family in ACCOUNT_FAMILIES:
        assert family.name.endswith("_total") == (family.kind == "counter")


def test_help_names_the_original_field_and_says_that_balances_are_cached() -> None:
    fields = {
        "cfdi_stamps_contracted": "contratados",
        "cfdi_stamps_used": "usados",
        "cfdi_stamps_available": "disponibles",
        "cfdi_stamps_consumed": "usados",
        "cfdi_stamps_purchased": "contratados",
    }
    for name, original in fields.items():
        assert original in HELP[name]
        assert "Cached" in HELP[name]
    assert "(status)" in HELP["cfdi_responses"]
    assert "(status)" in HELP["cfdi_account_last_status_code"]


def test_no_secret_and_no_username_is_exposed() -> None:
    exposition = exposed([(ACCOUNT, STATE)], FakeClock(NOW))
    assert b"s3cret" not in text(exposition) + openmetrics(exposition)
    assert b"ws@acme" not in text(exposition) + openmetrics(exposition)


def test_polls_that_nobody_scrapes_take_no_more_and_more_memory(clock: FakeClock) -> None:
    """Prometheus may be away for days."""
    exposition = exposed([(ACCOUNT, STATE)], clock)

    def poll(times: int) -> None:
        for _ in range(times):
            clock.advance(60.0)
            exposition.show(ACCOUNT, replace(STATE, used=Figure(1, clock.time())))

    poll(100)
    tracemalloc.start()
    try:
        poll(3_000)
        gc.collect()  # Python keeps freed tuples for later
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 100_000


# The exporter's own metrics


def own_metrics() -> ExporterMetrics:
    """The exporter's own metrics after a poll."""
    metrics = ExporterMetrics("abc123")
    metrics.use_environments({"production": LABELS}, REASONS)
    metrics.poll_ended("production", 0.3)
    return metrics


def sums(metrics: ExporterMetrics) -> dict[tuple[str, str], float]:
    """What is counted of each environment, by its name and the code or the reason."""
    return {
        (sample.labels["pac_environment"], sample.labels.get("code") or sample.labels["reason"]): sample.value
        for family in parse_text(metrics.lines(openmetrics=False).decode())
        if family.name.startswith("cfdi_provider_")
        for sample in family.samples
    }


def test_every_code_and_reason_of_an_environment_is_counted_from_the_start() -> None:
    metrics = own_metrics()
    assert sums(metrics) == {("production", label): 0 for label in (*CODES, *REASONS)}
    assert len(sums(metrics)) == 18 + 6
    for label in ("200", "200", "other", "tls"):
        metrics.poll_counted("production", label)
    assert {key: value for key, value in sums(metrics).items() if value} == {
        ("production", "200"): 2,
        ("production", "other"): 1,
        ("production", "tls"): 1,
    }


def test_environments_come_and_go_with_their_series() -> None:
    """One that stays goes on counting; one that comes back begins anew; a late poll brings none back."""
    metrics = own_metrics()
    metrics.use_environments({"production": LABELS, "testing": ["200"]}, REASONS)
    metrics.poll_counted("production", "200")
    metrics.poll_counted("testing", "200")
    metrics.poll_ended("testing", 0.3)
    metrics.use_environments({"production": LABELS}, REASONS)
    metrics.poll_counted("testing", "200")
    metrics.poll_ended("testing", 0.3)
    assert b"testing" not in metrics.lines(openmetrics=False) + metrics.lines(openmetrics=True)
    assert sums(metrics)["production", "200"] == 1
    metrics.use_environments({"testing": ["200"]}, REASONS)
    assert sums(metrics) == {("testing", label): 0 for label in ("200", *REASONS)}


def test_the_exporter_s_own_families_stand_after_those_of_accounts() -> None:
    metrics = own_metrics()
    metrics.poll_started(0.2)
    exposition = Exposition(metrics, FakeClock(NOW))
    exposition.arrange(["acme"])
    exposition.show(ACCOUNT, STATE)
    families = list(parse_openmetrics(openmetrics(exposition).decode()))
    kinds = {family.name: family.type for family in families if family.name.startswith("cfdi_")}
    assert list(kinds)[: len(EXPECTED)] == list(EXPECTED)
    own = {name: kind for name, kind in kinds.items() if name not in EXPECTED}
    assert own == {
        "cfdi_poll_duration_seconds": "histogram",
        "cfdi_provider_responses": "counter",
        "cfdi_provider_poll_failures": "counter",
        "cfdi_exporter_poll_lag_seconds": "histogram",
        "cfdi_exporter_config_last_reload_successful": "gauge",
        "cfdi_exporter_config_last_reload_success_timestamp_seconds": "gauge",
        "cfdi_exporter_storage_errors": "counter",
        "cfdi_exporter_build_info": "gauge",
        "cfdi_exporter_log_lines_dropped": "counter",
        "cfdi_exporter_requests_rejected": "counter",
        "cfdi_exporter_connections_dropped": "counter",
        "cfdi_exporter_web_config_last_reload_successful": "gauge",
    }
    assert any(family.name.startswith("process_") for family in families)
    assert openmetrics(exposition).count(b"# EOF") == 1
    assert openmetrics(exposition).endswith(b"# EOF\n")
    assert b"# EOF" not in text(exposition)


def test_own_samples_carry_the_labels_of_the_contract_and_no_account() -> None:
    metrics = own_metrics()
    labels: dict[str, set[str]] = {}
    for family in parse_text(generate_latest(metrics.registry).decode()):
        for sample in family.samples:
            labels.setdefault(family.name, set()).update(sample.labels)
    assert labels["cfdi_provider_responses"] == {"pac_environment", "code"}
    assert labels["cfdi_provider_poll_failures"] == {"pac_environment", "reason"}
    assert labels["cfdi_poll_duration_seconds"] == {"pac_environment", "le"}
    assert labels["cfdi_exporter_poll_lag_seconds"] == {"le"}
    assert labels["cfdi_exporter_build_info"] == {"version", "revision", "pythonversion"}
    assert labels["cfdi_exporter_storage_errors"] == set()
    assert not any("account" in names for names in labels.values())


def test_there_is_no_created_series() -> None:
    metrics = own_metrics()
    exposition = Exposition(metrics, FakeClock(NOW))
    exposition.arrange([ACCOUNT.name])
    exposition.show(ACCOUNT, STATE)
    assert b"_created" not in text(exposition) + openmetrics(exposition)


def test_a_second_instance_shares_nothing_with_the_first() -> None:
    first, second = ExporterMetrics("a"), ExporterMetrics("b")
    first.storage_failed()
    assert first.registry.get_sample_value("cfdi_exporter_storage_errors_total") == 1
    assert second.registry.get_sample_value("cfdi_exporter_storage_errors_total") == 0


def test_buckets_reach_from_a_quick_answer_to_the_longest_time_limit() -> None:
    assert (POLL_BUCKETS[0], POLL_BUCKETS[-1]) == (0.1, 240.0)
    for buckets in (POLL_BUCKETS, LAG_BUCKETS):
        assert list(buckets) == sorted(set(buckets))


# Issuers. ---------------------------------------------------------------------------------------------------

ISSUER_EXPECTED: dict[str, tuple[str, Callable[[Issuer, State, Clock], Iterable[Series]]]] = {
    "cfdi_issuer_stamps_contracted": ("gauge", lambda i, s, at: [({}, of_issuer(s.contracted, i, at))]),
    "cfdi_issuer_stamps_used": ("gauge", lambda i, s, at: [({}, of_issuer(s.used, i, at))]),
    "cfdi_issuer_stamps_available": ("gauge", lambda i, s, at: [({}, of_issuer(s.available, i, at))]),
    "cfdi_issuer_stamps_low_threshold": (
        "gauge",
        lambda i, _s, _at: [({"severity": "warning"}, i.warning), ({"severity": "critical"}, i.critical)],
    ),
    "cfdi_issuer_stamps_consumed": ("counter", lambda _i, s, _at: [({}, s.consumed.total)]),
    "cfdi_issuer_stamps_purchased": ("counter", lambda _i, s, _at: [({}, s.purchased.total)]),
    "cfdi_issuer_stamps_depletion_timestamp_seconds": ("gauge", lambda _i, s, _at: [({}, s.depletion)]),
    "cfdi_issuer_info": ("gauge", lambda i, _s, _at: [(dict(i.labels), 1)]),
    "cfdi_issuer_up": ("gauge", lambda _i, s, _at: [({}, flag(s.up))]),
    "cfdi_issuer_last_status_code": (
        "gauge",
        lambda _i, s, _at: [({}, None if s.last_code is None else s.last_code.number)],
    ),
    "cfdi_issuer_last_success_timestamp_seconds": ("gauge", lambda _i, s, _at: [({}, s.last_success)]),
}
ISSUER_HELP = {family.name.removesuffix("_total"): family.help for family in ISSUER_FAMILIES}
ISSUER = Issuer("norte", "AAA010101AAA", 3600.0, 10_800.0, 50, 10, (("owner", "n"),))
ISSUERS = st.builds(
    lambda name, stale_after, thresholds, labels: Issuer(
        name, "AAA010101AAA", 60.0, stale_after, thresholds[0], thresholds[1], labels
    ),
    TEXT,
    st.floats(0.001, 20_000),
    st.tuples(st.none() | COUNT, st.none() | COUNT),
    OWN_LABELS.map(lambda labels: tuple(label for label in labels if label[0] != "issuer")),
)


def of_issuer(figure: Figure | None, issuer: Issuer, at: Clock) -> float | None:
    return None if figure is None or at.time() - figure.at > issuer.stale_after else figure.stamps


class IssuerReference(Collector):
    """Issuers of an account, the way that prometheus_client would have them written."""

    def __init__(self, issuers: Iterable[tuple[Issuer, State]], at: Clock) -> None:
        self._issuers = list(issuers)
        self._at = at

    def collect(self) -> Iterator[Metric]:
        for name, (kind, values) in ISSUER_EXPECTED.items():
            family: Metric = (
                GaugeMetricFamily(name, ISSUER_HELP[name])
                if kind == "gauge"
                else CounterMetricFamily(name, ISSUER_HELP[name])
            )
            suffix = "_total" if kind == "counter" else ""
            for issuer, state in self._issuers:
                for labels, value in values(issuer, state, self._at):
                    if value is not None:
                        names = {"account": ACCOUNT.name, "issuer": issuer.name}
                        family.add_sample(name + suffix, {**names, **labels}, value)
            yield family


def exposed_with_issuers(issuers: Iterable[tuple[Issuer, State]], clock: Clock) -> Exposition:
    """An account and issuers under it."""
    issuers = list(issuers)
    exposition = Exposition(None, clock)
    exposition.arrange([ACCOUNT.name], [f"key {place}" for place in range(len(issuers))])
    exposition.show(ACCOUNT, STATE)
    for place, (issuer, state) in enumerate(issuers):
        exposition.show(ACCOUNT, state, issuer, f"key {place}")
    return exposition


@pytest.mark.parametrize("form", ["text", "openmetrics"])
def test_the_golden_output_of_one_issuer(form: Form) -> None:
    issuer = replace(ISSUER, name="tienda-norte", labels=(("owner", "norte"),))
    state = replace(
        STATE,
        contracted=Figure(300, NOW),
        used=Figure(260, NOW),
        available=Figure(40, NOW),
        consumed=Rise(21, 260),
        purchased=Rise(100, 300),
    )
    body = b"".join(exposed_with_issuers([(issuer, state)], FakeClock(NOW)).pieces(form)).decode()
    of_issuer = body[body.index("# HELP cfdi_issuer_") :]
    assert of_issuer == (GOLDEN / f"one-issuer.{form}").read_text()


@given(st.lists(st.tuples(ISSUERS, STATES), min_size=1, max_size=4))
def test_issuers_are_written_as_prometheus_client_would(issuers: list[tuple[Issuer, State]]) -> None:
    """Byte for byte, after the accounts and in both formats, however names and labels are written."""
    clock = FakeClock(NOW)
    registry = reference([(ACCOUNT, STATE)], clock)
    registry.register(IssuerReference(issuers, clock))
    exposition = exposed_with_issuers(issuers, clock)
    assert text(exposition) == generate_latest(registry)
    assert openmetrics(exposition) + b"# EOF\n" == generate_openmetrics(registry) + b"# EOF\n"


async def test_a_gzipped_scrape_with_issuers_is_the_plain_one() -> None:
    """Whatever has changed since the last one, and when the last issuer has gone."""
    clock = FakeClock(NOW)
    many = [(replace(ISSUER, name=f"issuer {number}"), STATE) for number in range(2 * SIZE + 7)]
    exposition = exposed_with_issuers(many, clock)
    for change in range(4):
        if change == 1:
            state = replace(STATE, available=Figure(7, NOW))
            exposition.show(ACCOUNT, state, many[SIZE][0], f"key {SIZE}")
        if change == 2:
            exposition.arrange([ACCOUNT.name], ["key 3", "key 1"])
        if change == 3:
            exposition.arrange([ACCOUNT.name])
        await exposition.settle()
        packed = b"".join(await exposition.gzipped("text"))
        assert zlib.decompress(packed, 31) == text(exposition)
    assert text(exposition) == text(exposed([(ACCOUNT, STATE)], clock))


def test_figures_of_issuers_get_stale_by_their_own_time() -> None:
    clock = FakeClock(NOW)
    exposition = exposed_with_issuers([(ISSUER, STATE)], clock)
    one = 'cfdi_issuer_stamps_available{account="acme",issuer="norte"}'
    clock.advance(2 * ACCOUNT.stale_after)
    assert one in series(exposition)
    assert 'cfdi_stamps_available{account="acme"}' not in series(exposition)
    clock.advance(ISSUER.stale_after)
    assert one not in series(exposition)
    assert 'cfdi_issuer_stamps_consumed_total{account="acme",issuer="norte"}' in series(exposition)
