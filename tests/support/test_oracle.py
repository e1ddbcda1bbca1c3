"""The judge of histories: what the guard's contract allows, and what it doesn't."""

from dataclasses import dataclass, field
from math import inf

import pytest

from tests.support.schedules.answers import Says
from tests.support.schedules.history import SETTLED, History, Login, Run, login_key
from tests.support.schedules.model import FLAWS, World
from tests.support.schedules.oracle import judge

OK, NEUTRAL, REFUSED, STOP = Says.ACCEPTED, Says.NEUTRAL, Says.REFUSED, Says.STOP
SERVICE, UNKNOWN, MAYBE = Says.SERVICE, Says.UNKNOWN, Says.REFUSED_OR_UNKNOWN
USERNAME = "ws@acme.example"
ONE = "one"


@dataclass
class Tale:
    """A history, told login by login."""

    attempts: int = 2
    history: History = field(default_factory=History)
    at: float = 0.0

    def run(self, tag: str = "d", kind: str = "daemon") -> Run:
        """A process, as it starts now."""
        return self.history.runs.setdefault(tag, Run(tag, kind, self.at))

    def login(
        self,
        says: Says,
        run: Run | None = None,
        password: str = ONE,
        *,
        answered: float = 0.01,
        after: float = 1.0,
    ) -> Login:
        """One more login, so long `after` the one before; `answered` after so long, or never."""
        self.at += after
        self.history.attempts[login_key(USERNAME)] = self.attempts
        login = Login(
            number=len(self.history.logins),
            at=self.at,
            run=run or self.run(),
            username=USERNAME,
            password=password,
            answer="",
            says=says,
            right=says is OK,
            answered=self.at + answered,
        )
        self.history.logins.append(login)
        return login

    def logins(self, *says: Says, run: Run | None = None, password: str = ONE) -> list[Login]:
        """One after the other."""
        return [self.login(one, run, password) for one in says]

    @property
    def broken(self) -> list[int]:
        """The numbers of the logins that shouldn't have been."""
        return [broken.login.number for broken in judge(self.history)]


@pytest.fixture
def tale() -> Tale:
    return Tale()


@pytest.mark.parametrize("says", [REFUSED, SERVICE, UNKNOWN, MAYBE])
@pytest.mark.parametrize("attempts", [1, 2, 3])
def test_an_unproven_credential_has_its_attempts(says: Says, attempts: int) -> None:
    tale = Tale(attempts)
    tale.logins(*[says] * (attempts + 1))
    assert tale.broken == [attempts]


def test_what_is_neutral_is_given_back(tale: Tale) -> None:
    tale.logins(*[NEUTRAL] * 5, REFUSED, NEUTRAL, NEUTRAL, REFUSED, NEUTRAL)
    assert tale.broken == [9]


def test_what_is_neutral_counts_where_nobody_heard_it(tale: Tale) -> None:
    for number in range(3):
        tale.login(NEUTRAL, tale.run(f"d{number}"), answered=inf)
    assert tale.broken == [2]


def test_a_stop_stops_at_once(tale: Tale) -> None:
    tale.logins(STOP, REFUSED)
    assert tale.broken == [1]


def test_a_stop_that_may_not_have_been_kept_is_an_open_try(tale: Tale) -> None:
    killed = tale.run("d1")
    tale.login(STOP, killed)
    killed.killed = tale.at + 0.1
    tale.logins(REFUSED, REFUSED, run=tale.run("d2"))
    assert tale.broken == [2]


def test_open_tries_are_the_login_s_and_refusals_the_credential_s(tale: Tale) -> None:
    tale.logins(REFUSED, REFUSED)
    tale.logins(REFUSED, SERVICE, password="two")
    tale.logins(REFUSED, REFUSED, password="three")  # the one that is open leaves one
    assert tale.broken == [5]


def test_there_and_back_again_gives_no_fresh_tries(tale: Tale) -> None:
    for password in ("one", "two", "one", "two", "one"):
        tale.login(REFUSED, tale.run(password + str(tale.at)), password)
    assert tale.broken == [4]


def test_an_acceptance_closes_open_tries_and_forgets_its_own_refusals_alone(tale: Tale) -> None:
    first, second = tale.run("d1"), tale.run("d2")
    tale.login(REFUSED, first, "two")
    tale.login(UNKNOWN, first, "one")
    tale.login(OK, first, "one")
    first.ended = tale.at + 0.5
    tale.logins(REFUSED, REFUSED, run=second, password="two")
    tale.logins(REFUSED, REFUSED, REFUSED, run=second, password="one")
    assert tale.broken == [4, 7]


def test_an_acceptance_that_nobody_heard_closes_nothing(tale: Tale) -> None:
    tale.login(UNKNOWN, tale.run("d1"))
    tale.login(OK, tale.run("d1"), answered=inf)
    tale.logins(REFUSED, run=tale.run("d2"))
    assert tale.broken == [2]


def test_a_proven_password_that_turns_wrong_is_tried_as_any_other(tale: Tale) -> None:
    tale.logins(OK, OK, REFUSED, REFUSED, REFUSED)
    assert tale.broken == [4]


def test_a_proven_password_that_turns_wrong_in_a_way_that_cannot_be_read_is_unproven_soon(tale: Tale) -> None:
    tale.logins(OK, SERVICE, SERVICE, SERVICE)
    assert tale.broken == [3]


def test_on_the_way_it_stays_proven_as_long_as_its_process_lives(tale: Tale) -> None:
    tale.logins(OK, *[UNKNOWN] * 5)
    tale.logins(REFUSED, run=tale.run("d2"))
    assert tale.broken == [6]


def test_an_open_try_of_a_proven_password_is_seen_by_a_check() -> None:
    tale = Tale(attempts=1)
    tale.logins(OK)
    tale.login(REFUSED, answered=1.5)
    tale.login(REFUSED, tale.run("check", "check"), "two")
    assert tale.broken == [2]


def test_who_is_suspended_is_not_asked_for_by_a_process_that_holds_it_for_proven(tale: Tale) -> None:
    tale.logins(OK, OK)
    for number in range(2):
        check = tale.run(f"check{number}", "check")
        tale.login(REFUSED, check, after=SETTLED)
        check.ended = tale.at + 0.2
    tale.login(REFUSED, after=2.0)
    assert tale.broken == [4]


def test_a_resumption_gives_one_try(tale: Tale) -> None:
    tale.logins(REFUSED, REFUSED)
    tale.at += SETTLED + 1
    tale.history.resumes += [(tale.at, USERNAME, ONE), (tale.at + 0.1, USERNAME, ONE)]
    tale.logins(NEUTRAL, REFUSED, REFUSED)
    assert tale.broken == [4]


def test_a_resumption_after_a_stop_gives_one_try(tale: Tale) -> None:
    tale.logins(STOP)
    tale.at += SETTLED + 1
    tale.history.resumes.append((tale.at, USERNAME, ONE))
    tale.logins(REFUSED, REFUSED)
    assert tale.broken == [2]


def test_a_resumption_closes_open_tries_for_one_try(tale: Tale) -> None:
    tale.logins(UNKNOWN, UNKNOWN)
    tale.history.resumes.append((tale.at + 0.1, USERNAME, "two"))
    tale.logins(UNKNOWN, UNKNOWN, UNKNOWN, password="two")
    assert tale.broken == [4]


def test_one_that_was_frozen_past_its_limit_hears_what_has_arrived(tale: Tale) -> None:
    run = tale.run()
    tale.login(REFUSED, run)
    run.frozen.append((tale.at, tale.at + 5))
    tale.login(REFUSED, run, after=6.0)
    tale.login(REFUSED, run)
    assert tale.broken == [2]


def test_what_a_full_disk_kept_from_being_marked_is_not_held_against_it(tale: Tale) -> None:
    run = tale.run("d1")
    tale.logins(OK, OK, run=run)
    run.full.append((tale.at + 0.1, inf))
    tale.login(REFUSED, run)
    run.killed = tale.at + 0.1
    tale.logins(REFUSED, REFUSED, REFUSED, run=tale.run("d2"))
    assert tale.broken == [5]


def test_nothing_unproven_is_sent_while_the_disk_is_full(tale: Tale) -> None:
    run = tale.run()
    run.full.append((0.0, 5.0))
    tale.logins(NEUTRAL, run=run)
    assert tale.broken == [0]


def test_tries_are_an_interval_apart(tale: Tale) -> None:
    tale.login(NEUTRAL)
    tale.login(NEUTRAL, after=0.2)
    assert tale.broken == [1]


def test_a_check_asks_once_and_a_second_daemon_never(tale: Tale) -> None:
    tale.logins(NEUTRAL, NEUTRAL, run=tale.run("c", "check"))
    tale.logins(NEUTRAL, run=tale.run("s", "second"))
    assert tale.broken == [1, 2]


@pytest.mark.parametrize(
    "spelling", ["WS@Acme.example", "ｗs@acme.example", " ws@acme.example", "w\u200bs@acme.example"]
)
def test_spellings_of_one_login(spelling: str) -> None:
    assert login_key(spelling) == USERNAME


def test_a_guard_that_keeps_the_contract_is_acquitted() -> None:
    """In whatever happens to it."""
    assert [seed for seed in range(3000) if judge(World(seed).live())] == []


@pytest.mark.parametrize("flaw", FLAWS)
def test_a_guard_that_breaks_it_in_one_way_is_found_guilty(flaw: str) -> None:
    """Sooner or later."""
    assert any(judge(World(seed, flaw).live()) for seed in range(2000))
